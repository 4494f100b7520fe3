/* Strict UTF-8 (RFC 3629). */
#include "base/utf8.h"

#include <stdint.h>

/* Bytes of the character that begins at p, 0 when it is not valid. Table 3-7 of the Unicode standard: only the second byte's range varies. */
static size_t character(const uint8_t *p, size_t left)
{
    uint8_t first = p[0];
    if (first < 0x80)
        return 1;
    size_t size = first >= 0xC2 && first <= 0xDF   ? 2
                  : (first & 0xF0) == 0xE0         ? 3
                  : first >= 0xF0 && first <= 0xF4 ? 4
                                                   : 0;
    if (size == 0 || size > left)
        return 0;
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    uint8_t high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return size;
}

bool od_utf8_valid(const void *data, size_t size)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < size;) {
        size_t step = character(p + i, size - i);
        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

size_t od_utf8_cut(const void *data, size_t size, size_t limit)
{
    const uint8_t *p = data;
    if (size <= limit && size < SIZE_MAX) {
        /* The text may itself have been cut: its last character must be whole. */
        limit = size;
    }
    size_t begin = limit;
    while (begin > 0 && limit - begin < 4) {
        begin--;
        if ((p[begin] & 0xC0) == 0x80)
            continue;
        return character(p + begin, size - begin) && begin + character(p + begin, size - begin) <= limit ? limit
                                                                                                         : begin;
    }
    return limit;
}
