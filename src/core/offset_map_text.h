/* The alphabet and the fixed parts of an offset map: what its writer and its reader share. */
#ifndef OD_CORE_OFFSET_MAP_TEXT_H
#define OD_CORE_OFFSET_MAP_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "core/offset_map.h"

enum {
    OD_MAP_HASH_DIGITS = 11,
    OD_MAP_CHECK_DIGITS = 5,
    OD_MAP_NUMBER_DIGITS = 13, /* of 63 bits */
    OD_MAP_EPOCH_DIGITS = 7,
    OD_MAP_DUE_DIGITS = 8, /* of OD_MAP_DUE_MAX */
    OD_MAP_DUE_UNIT = 100, /* ms */
    OD_MAP_HEAD_DIGITS = 1 + OD_MAP_HASH_DIGITS + OD_MAP_NUMBER_DIGITS + OD_MAP_EPOCH_DIGITS,
    OD_MAP_SMALLEST = 1 + OD_MAP_HASH_DIGITS + 1 + 1 + 1 + 1 + OD_MAP_CHECK_DIGITS,
    OD_MAP_TEXT_MAX = 64 * 1024
};

/* Due times in the text are below it. */
#define OD_MAP_DUE_MAX (UINT64_C(1) << 39)

_Static_assert(OD_MAP_HEAD_DIGITS + 2 + OD_MAP_CHECK_DIGITS <= OD_OFFSET_MAP_MIN, "a map of nothing fits");

/* The value of a digit; -1: it is none. */
static inline int od_map_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Of all that stands before it. */
static inline uint64_t od_map_checksum(const char *text, size_t size)
{
    return od_hash_bytes(text, size, 0) & ((UINT64_C(1) << (6 * OD_MAP_CHECK_DIGITS)) - 1);
}

#endif
