/* Reading clocks: the only place above the engine that does. */
#ifndef OD_RUNTIME_CLOCK_H
#define OD_RUNTIME_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t od_clock_read_us(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

/* Monotonic. */
static inline int64_t od_clock_us(void)
{
    return od_clock_read_us(CLOCK_MONOTONIC);
}

static inline int64_t od_clock_ms(void)
{
    return od_clock_us() / 1000;
}

/* Unix time. */
static inline int64_t od_clock_wall_ms(void)
{
    return od_clock_read_us(CLOCK_REALTIME) / 1000;
}

/* Counts a suspended machine too. */
static inline int64_t od_clock_boot_ms(void)
{
    return od_clock_read_us(CLOCK_BOOTTIME) / 1000;
}

/*
 * Both clocks of one moment. A thread that is held up between its two readings would carry a due time from one clock to the other too early, by as long as
 * it was held up: then they are read again. The monotonic one is the later by at most a tenth of a millisecond.
 */
static inline void od_clock_both(int64_t *ret_monotonic_ms, int64_t *ret_wall_ms)
{
    int64_t wall_us, before_us, after_us = od_clock_us();
    for (int tries = 0; tries < 100; tries++) {
        before_us = after_us;
        wall_us = od_clock_read_us(CLOCK_REALTIME);
        after_us = od_clock_us();
        if (after_us - before_us <= 100) {
            break;
        }
    }
    *ret_monotonic_ms = after_us / 1000;
    *ret_wall_ms = wall_us / 1000;
}

/* now + ms without overflow; a negative ms is for ever. */
static inline int64_t od_clock_after(int64_t now_ms, int64_t ms)
{
    return ms < 0 || ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + ms;
}

#endif
