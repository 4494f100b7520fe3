/*
 * A breaker: whether a handler may be given work now. A handler fault opens it (1 s, doubling to 1 min); after that one
 * record is let through, and how it ends decides. A throttle closes the door for a while without blame.
 *
 *   closed --fault--> open --time--> probing --good--> closed        stopped: until resumed by a person
 *     ^                 ^------------fault--+
 *     +-----time--- throttled <--busy-- any
 *
 * Pure: the caller brings the time and the lock.
 */
#ifndef OD_DAEMON_BREAKER_H
#define OD_DAEMON_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum od_breaker_state {
    OD_BREAKER_CLOSED,
    OD_BREAKER_OPEN,
    OD_BREAKER_PROBING,
    OD_BREAKER_THROTTLED,
    OD_BREAKER_STOPPED
};

struct od_breaker {
    enum od_breaker_state state;
    int64_t until_ms;    /* open, throttled: when it ends */
    int64_t pause_ms;    /* the last pause of a fault, doubled by the next one */
    int64_t throttle_ms; /* the last pause of a throttle that did not say how long */
    bool probe_out;      /* probing: the one record is running */
    unsigned failures;   /* in a row, while closed */
    uint64_t opened;     /* how often */
};

#define OD_BREAKER_PAUSE_FIRST_MS INT64_C(1000)
#define OD_BREAKER_PAUSE_MAX_MS INT64_C(60000)
#define OD_BREAKER_FAILURES 20 /* failures in a row that open it, without a fault */

void od_breaker_init(struct od_breaker *);
/* Whether a record may start at `now`; counts it as started. */
bool od_breaker_admit(struct od_breaker *, int64_t now_ms);
/* How a started record ended. Good: the handler works, whatever it said of the record. True when this closed the breaker. */
bool od_breaker_good(struct od_breaker *, int64_t now_ms);
/* The handler is at fault. Returns true when this opened the breaker (worth a line of log). */
bool od_breaker_fault(struct od_breaker *, int64_t now_ms);
/* The handler may be at fault: enough of these in a row open it. True as for fault. */
bool od_breaker_failure(struct od_breaker *, int64_t now_ms);
/* The handler asked for a pause; pause_ms < 0: it did not say how long. */
void od_breaker_throttle(struct od_breaker *, int64_t now_ms, int64_t pause_ms);
/* It ended without telling anything of the handler (released). */
void od_breaker_neutral(struct od_breaker *);
void od_breaker_stop(struct od_breaker *);
void od_breaker_resume(struct od_breaker *);
/* When to ask again; INT64_MAX: not before something ends. */
int64_t od_breaker_next_ms(const struct od_breaker *);
const char *od_breaker_state_name(enum od_breaker_state);

#endif
