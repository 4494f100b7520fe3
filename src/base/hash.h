/* 64-bit hashes: not cryptographic, stable over versions and machines (lane hashes and topic id hashes travel in offset maps). */
#ifndef OD_BASE_HASH_H
#define OD_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Of bytes (XXH64). */
uint64_t od_hash_bytes(const void *data, size_t size, uint64_t seed);
/* Of a text without its NUL, seed 0. */
uint64_t od_hash_text(const char *text);
/* Mixes all bits of a number (the finaliser of splitmix64); a bijection. */
static inline uint64_t od_hash_u64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

#endif
