/* How one run of a handler ended: what becomes of the record, and what it says of the handler. */
#ifndef OD_DAEMON_VERDICT_H
#define OD_DAEMON_VERDICT_H

#include <stdint.h>

#include "daemon/answer.h"
#include "daemon/breaker.h"
#include "orderly/orderly.h"

enum od_blame {
    OD_BLAME_NONE,    /* the handler works */
    OD_BLAME_NEUTRAL, /* nothing was learnt of it */
    OD_BLAME_FAILURE, /* it may be ill */
    OD_BLAME_FAULT,   /* it is at fault: the breaker opens */
    OD_BLAME_BUSY,    /* it asked for a pause */
    OD_BLAME_STOP     /* it asked not to be run again */
};

struct od_verdict {
    enum orderly_outcome outcome;
    enum od_blame blame;
    int64_t delay_ms; /* -1: the policy says */
    int64_t pause_ms; /* busy: for how long; -1: not said */
    char error_class[64];
    char text[1200]; /* the reason; UTF-8, "" when there is none */
};
#define OD_VERDICT_INIT                            \
    {                                              \
        ORDERLY_UNSET, OD_BLAME_NONE, -1, -1, {0}, \
        {                                          \
            0                                      \
        }                                          \
    }

/* Sets the reason: valid UTF-8, whole characters, without blanks at the end; of a longer text the last part. */
void od_verdict_text(struct od_verdict *, const char *prefix, const void *text, size_t size);

/* Settles and gives the reference back. True when it moved something; false when the partition had gone. */
bool od_verdict_settle(const struct od_verdict *, struct orderly_record *);
/* Tells the breaker, and the log when it opens or closes. `name` is the handler's. */
void od_verdict_tell(const struct od_verdict *, struct od_breaker *, const char *name, int64_t now_ms);

#endif
