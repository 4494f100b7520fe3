/* What becomes of a record that failed, and when: attempts, back-off, clamping of due times. */
#ifndef OD_CORE_RETRY_POLICY_H
#define OD_CORE_RETRY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/settings.h"
#include "orderly/orderly.h"

enum od_verdict {
    OD_VERDICT_DONE,        /* ack, drop */
    OD_VERDICT_RETRY,       /* an attempt is spent */
    OD_VERDICT_DEAD_LETTER, /* an attempt is spent, never again */
    OD_VERDICT_RELEASE,     /* nobody's fault */
    OD_VERDICT_HOLD,        /* handler fault (hold, unset, unknown): no attempt */
    OD_VERDICT_THROTTLE     /* again after a while, no attempt */
};

/* `attempts`: spent before this one. `never`: its error class is in retry.never. */
enum od_verdict od_retry_verdict(const struct od_settings *, enum orderly_outcome, uint32_t attempts, bool never);
/* The policy's delay after `attempts` spent ones (from 1): first * factor^(attempts-1), at most backoff_max, less or more by the jitter,
 * never above retry_max_delay. */
int64_t od_retry_backoff(const struct od_settings *, uint32_t attempts, struct od_random *);
/* How long a handler's own wish makes it wait: delay_ms >= 0, else due_ms (Unix) > 0, else the policy; within [0, retry_max_delay]. */
int64_t od_retry_delay(const struct od_settings *, int64_t delay_ms, int64_t due_ms, int64_t wall_ms, uint32_t attempts,
                       struct od_random *);
/* The wait of a record that came with a due time, fixed at receipt: clamp(due - wall, 0, delay), without a known delay (<= 0)
 * clamp(due - wall, 0, retry_max_delay). *ret_clamped (may be NULL): it was shortened by the upper limit. */
int64_t od_retry_wait(const struct od_settings *, int64_t due_ms, int64_t wall_ms, int64_t delay_ms, bool *ret_clamped);
/* now + wait, not before it: a clock in whole milliseconds is up to one behind. 0 is at once. */
int64_t od_not_before(int64_t now_ms, int64_t wait_ms);
/* The back-off after the `count`th failure in a row (from 1): first, doubling, at most max. For releases, copies, commits, re-reads. */
int64_t od_doubling(int64_t first_ms, int64_t max_ms, uint32_t count);

#endif
