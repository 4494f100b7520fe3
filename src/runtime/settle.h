/* Settling: from a handler's return or a user's call to the loop. */
#ifndef OD_RUNTIME_SETTLE_H
#define OD_RUNTIME_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "orderly/orderly.h"

struct od_settling {
    enum orderly_outcome outcome; /* UNSET: a handler fault */
    int64_t delay_ms, due_ms;
};

/*
 * Thread: any. Claims the record: after OK or STALE nobody else can settle it and the caller must see that it gets into the inbox
 * (STALE too: it is counted there). Errors: STALE, INVALID (settled before; nothing is to be done).
 */
enum orderly_err od_settle_claim(struct orderly_record *, const struct od_settling *);
/* Thread: any. Claims and posts; the caller keeps its reference. */
enum orderly_err od_settle(struct orderly_record *, const struct od_settling *);
/* Posts a claimed record with a reference that the caller gives. */
void od_settle_post(struct orderly_record *);

#endif
