/* What becomes of a record that failed, and when. */
#include "core/retry_policy.h"

enum { THOUSANDTHS = 1000 };

enum od_verdict od_retry_verdict(const struct od_settings *settings, enum orderly_outcome outcome, uint32_t attempts,
                                 bool never)
{
    switch (outcome) {
    case ORDERLY_ACK:
    case ORDERLY_DROP:
        return OD_VERDICT_DONE;
    case ORDERLY_RETRY:
        if (never || (int64_t)attempts + 1 >= settings->retry_attempts) {
            return OD_VERDICT_DEAD_LETTER;
        }
        return OD_VERDICT_RETRY;
    case ORDERLY_DEAD_LETTER:
        return OD_VERDICT_DEAD_LETTER;
    case ORDERLY_RELEASE:
        return OD_VERDICT_RELEASE;
    case ORDERLY_THROTTLE:
        return OD_VERDICT_THROTTLE;
    case ORDERLY_HOLD:
    case ORDERLY_UNSET:
    case ORDERLY_PENDING:
        break;
    }
    return OD_VERDICT_HOLD;
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* value * thousandths / 1000, not above `most` (below 2^53, as all durations are). */
static int64_t scaled(int64_t value, int64_t thousandths, int64_t most)
{
    if (thousandths > 0 && value > most / thousandths * THOUSANDTHS + THOUSANDTHS) {
        return most;
    }
    int64_t whole = value / THOUSANDTHS * thousandths;
    int64_t result = whole + value % THOUSANDTHS * thousandths / THOUSANDTHS;
    return result < most ? result : most;
}

int64_t od_retry_backoff(const struct od_settings *settings, uint32_t attempts, struct od_random *random)
{
    int64_t most = settings->backoff_max;
    int64_t delay = clamp(settings->backoff_first, 0, most);
    for (uint32_t i = 1; i < attempts && delay < most; i++) {
        int64_t next = scaled(delay, settings->backoff_factor, most);
        if (next <= delay) {
            break; /* a factor of at most 1 changes nothing any more */
        }
        delay = next;
    }
    int64_t spread = scaled(delay, settings->backoff_jitter, delay);
    delay += od_random_between(random, -spread, spread);
    return clamp(delay, 0, settings->retry_max_delay);
}

int64_t od_retry_delay(const struct od_settings *settings, int64_t delay_ms, int64_t due_ms, int64_t wall_ms,
                       uint32_t attempts, struct od_random *random)
{
    if (delay_ms >= 0) {
        return clamp(delay_ms, 0, settings->retry_max_delay);
    }
    if (due_ms > 0) {
        return due_ms <= wall_ms ? 0 : clamp(due_ms - wall_ms, 0, settings->retry_max_delay);
    }
    return od_retry_backoff(settings, attempts, random);
}

int64_t od_retry_wait(const struct od_settings *settings, int64_t due_ms, int64_t wall_ms, int64_t delay_ms,
                      bool *ret_clamped)
{
    int64_t most = delay_ms > 0 ? delay_ms : settings->retry_max_delay;
    int64_t wait = due_ms <= wall_ms ? 0 : due_ms - wall_ms;
    if (ret_clamped) {
        *ret_clamped = wait > most;
    }
    return wait < most ? wait : most;
}

int64_t od_doubling(int64_t first_ms, int64_t max_ms, uint32_t count)
{
    int64_t delay = first_ms;
    for (uint32_t i = 1; i < count && delay < max_ms; i++) {
        delay = delay > max_ms / 2 ? max_ms : 2 * delay;
    }
    return delay < max_ms ? delay : max_ms;
}

int64_t od_not_before(int64_t now_ms, int64_t wait_ms)
{
    return wait_ms > 0 ? now_ms + wait_ms + 1 : now_ms;
}
