/* XXH64, written from its specification (xxHash specification 0.1.1). */
#include "base/hash.h"

#include <string.h>

#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotate(uint64_t x, unsigned by)
{
    return (x << by) | (x >> (64 - by));
}

/* Little-endian whatever the machine: these hashes travel. */
static uint64_t read64(const uint8_t *p)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < 8; i++)
        x |= (uint64_t)p[i] << (8 * i);
    return x;
}

static uint64_t read32(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static uint64_t round_of(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * P2, 31) * P1;
}

static uint64_t merge(uint64_t hash, uint64_t lane)
{
    return (hash ^ round_of(0, lane)) * P1 + P4;
}

static uint64_t stripes(const uint8_t **p, const uint8_t *end, uint64_t seed)
{
    uint64_t lanes[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
    while (end - *p >= 32) {
        for (unsigned i = 0; i < 4; i++)
            lanes[i] = round_of(lanes[i], read64(*p + 8 * i));
        *p += 32;
    }
    uint64_t hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
    for (unsigned i = 0; i < 4; i++)
        hash = merge(hash, lanes[i]);
    return hash;
}

static uint64_t tail(uint64_t hash, const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 8; p += 8)
        hash = rotate(hash ^ round_of(0, read64(p)), 27) * P1 + P4;
    if (end - p >= 4) {
        hash = rotate(hash ^ (read32(p) * P1), 23) * P2 + P3;
        p += 4;
    }
    for (; p < end; p++)
        hash = rotate(hash ^ (*p * P5), 11) * P1;
    return hash;
}

uint64_t od_hash_bytes(const void *data, size_t size, uint64_t seed)
{
    static const uint8_t nothing;
    const uint8_t *p = size ? data : &nothing, *end = p + size;
    uint64_t hash = size >= 32 ? stripes(&p, end, seed) : seed + P5;
    hash = tail(hash + size, p, end);
    hash = (hash ^ (hash >> 33)) * P2;
    hash = (hash ^ (hash >> 29)) * P3;
    return hash ^ (hash >> 32);
}

uint64_t od_hash_text(const char *text)
{
    return od_hash_bytes(text, strlen(text), 0);
}
