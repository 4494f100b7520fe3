/* Seeded pseudo-random numbers (splitmix64): one seed, one history. Not for secrets. */
#ifndef OD_BASE_RANDOM_H
#define OD_BASE_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"

struct od_random {
    uint64_t state;
};

static inline void od_random_init(struct od_random *random, uint64_t seed)
{
    random->state = seed;
}

static inline uint64_t od_random_next(struct od_random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return od_hash_u64(random->state);
}

/* 0 .. bound-1; 0 when bound is 0. The bias of the remainder is below 2^-32 for bounds below 2^32. */
static inline uint64_t od_random_below(struct od_random *random, uint64_t bound)
{
    return bound ? od_random_next(random) % bound : 0;
}

/* low .. high, both included. */
static inline int64_t od_random_between(struct od_random *random, int64_t low, int64_t high)
{
    return low >= high ? low : (int64_t)((uint64_t)low + od_random_below(random, (uint64_t)high - (uint64_t)low + 1));
}

/* True `thousandths` times in 1,000. */
static inline bool od_random_chance(struct od_random *random, uint32_t thousandths)
{
    return od_random_below(random, 1000) < thousandths;
}

#endif
