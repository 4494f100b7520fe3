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

/* now + ms without overflow; a negative ms is for ever. */
static inline int64_t od_clock_after(int64_t now_ms, int64_t ms)
{
    return ms < 0 || ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + ms;
}

#endif
