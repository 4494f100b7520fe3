/* Hashes and clocks of the test programs. */
#include "common/bytes.h"

#include <time.h>

uint64_t test_hash(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *byte = data;

    if (data == NULL) {
        return (hash ^ 0x1ff) * UINT64_C(1099511628211);
    }
    hash = (hash ^ (0x100 + size)) * UINT64_C(1099511628211);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ byte[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t test_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t test_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}
