/* The breaker of a handler: see breaker.h. */
#include "daemon/breaker.h"

#include <stddef.h>

static int64_t doubled(int64_t pause_ms, int64_t max_ms)
{
    if (pause_ms <= 0) {
        return OD_BREAKER_PAUSE_FIRST_MS;
    }
    return pause_ms > max_ms / 2 ? max_ms : pause_ms * 2;
}

void od_breaker_init(struct od_breaker *breaker)
{
    *breaker = (struct od_breaker){.state = OD_BREAKER_CLOSED};
}

bool od_breaker_admit(struct od_breaker *breaker, int64_t now_ms)
{
    switch (breaker->state) {
    case OD_BREAKER_CLOSED:
        return true;
    case OD_BREAKER_THROTTLED:
        if (now_ms < breaker->until_ms) {
            return false;
        }
        breaker->state = OD_BREAKER_CLOSED;
        return true;
    case OD_BREAKER_OPEN:
        if (now_ms < breaker->until_ms) {
            return false;
        }
        breaker->state = OD_BREAKER_PROBING;
        breaker->probe_out = true;
        return true;
    case OD_BREAKER_PROBING:
        if (breaker->probe_out) {
            return false;
        }
        breaker->probe_out = true;
        return true;
    case OD_BREAKER_STOPPED:
        break;
    }
    return false;
}

bool od_breaker_good(struct od_breaker *breaker, int64_t now_ms)
{
    (void)now_ms;
    breaker->failures = 0;
    if (breaker->state == OD_BREAKER_CLOSED || breaker->state == OD_BREAKER_THROTTLED) {
        breaker->throttle_ms = 0;
    }
    if (breaker->state != OD_BREAKER_PROBING) {
        return false;
    }
    breaker->state = OD_BREAKER_CLOSED;
    breaker->pause_ms = 0;
    breaker->probe_out = false;
    return true;
}

bool od_breaker_fault(struct od_breaker *breaker, int64_t now_ms)
{
    bool news = breaker->state == OD_BREAKER_CLOSED || breaker->state == OD_BREAKER_THROTTLED;

    if (!news && breaker->state != OD_BREAKER_PROBING) {
        return false; /* started before it opened: known already */
    }
    breaker->state = OD_BREAKER_OPEN;
    breaker->pause_ms = doubled(breaker->pause_ms, OD_BREAKER_PAUSE_MAX_MS);
    breaker->until_ms = now_ms + breaker->pause_ms;
    breaker->probe_out = false;
    breaker->failures = 0;
    if (news) {
        breaker->opened++;
    }
    return news;
}

bool od_breaker_failure(struct od_breaker *breaker, int64_t now_ms)
{
    if (breaker->state == OD_BREAKER_PROBING) {
        return od_breaker_fault(breaker, now_ms);
    }
    breaker->failures++;
    return breaker->failures >= OD_BREAKER_FAILURES && od_breaker_fault(breaker, now_ms);
}

void od_breaker_throttle(struct od_breaker *breaker, int64_t now_ms, int64_t pause_ms)
{
    int64_t until_ms;

    if (breaker->state == OD_BREAKER_OPEN || breaker->state == OD_BREAKER_STOPPED) {
        return;
    }
    if (breaker->state == OD_BREAKER_THROTTLED && pause_ms < 0 && now_ms < breaker->until_ms) {
        return; /* many at once ask for one pause */
    }
    if (pause_ms < 0) {
        breaker->throttle_ms = doubled(breaker->throttle_ms, OD_BREAKER_PAUSE_MAX_MS);
        pause_ms = breaker->throttle_ms;
    }
    until_ms = now_ms + pause_ms;
    if (breaker->state != OD_BREAKER_THROTTLED || until_ms > breaker->until_ms) {
        breaker->until_ms = until_ms;
    }
    breaker->state = OD_BREAKER_THROTTLED;
    breaker->probe_out = false;
    breaker->pause_ms = 0;
}

void od_breaker_neutral(struct od_breaker *breaker)
{
    if (breaker->state == OD_BREAKER_PROBING) {
        breaker->probe_out = false;
    }
}

void od_breaker_stop(struct od_breaker *breaker)
{
    breaker->state = OD_BREAKER_STOPPED;
    breaker->probe_out = false;
}

void od_breaker_resume(struct od_breaker *breaker)
{
    uint64_t opened = breaker->opened;

    od_breaker_init(breaker);
    breaker->opened = opened;
}

int64_t od_breaker_next_ms(const struct od_breaker *breaker)
{
    switch (breaker->state) {
    case OD_BREAKER_CLOSED:
        return 0;
    case OD_BREAKER_OPEN:
    case OD_BREAKER_THROTTLED:
        return breaker->until_ms;
    case OD_BREAKER_PROBING:
        return breaker->probe_out ? INT64_MAX : 0;
    case OD_BREAKER_STOPPED:
        break;
    }
    return INT64_MAX;
}

const char *od_breaker_state_name(enum od_breaker_state state)
{
    switch (state) {
    case OD_BREAKER_CLOSED:
        return "closed";
    case OD_BREAKER_OPEN:
        return "open";
    case OD_BREAKER_PROBING:
        return "probing";
    case OD_BREAKER_THROTTLED:
        return "throttled";
    case OD_BREAKER_STOPPED:
        return "stopped";
    }
    return "unknown";
}
