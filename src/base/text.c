/* Bounded texts and what the core needs to read and write numbers in them, without stdio or locale. */
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void od_text_init(struct od_text *text, char *data, size_t size)
{
    od_assert(size > 0);
    *text = (struct od_text){.data = data, .room = size};
    data[0] = '\0';
}

void od_text_add_bytes(struct od_text *text, const void *data, size_t size)
{
    size_t left = text->room - 1 - text->count;
    if (size > left) {
        size = left;
        text->cut = true;
    }
    if (size)
        memcpy(text->data + text->count, data, size);
    text->count += size;
    text->data[text->count] = '\0';
}

void od_text_add(struct od_text *text, const char *more)
{
    od_text_add_bytes(text, more, strlen(more));
}

void od_text_add_char(struct od_text *text, char c)
{
    if (text->count + 1 < text->room) {
        text->data[text->count++] = c;
        text->data[text->count] = '\0';
    } else {
        text->cut = true;
    }
}

/* Divisions by a constant, and one copy: each record's identity is written this way. */
static void add_number(struct od_text *text, uint64_t number, bool hex, unsigned digits)
{
    char room[64];
    char *end = room + sizeof room, *at = end;
    do {
        *--at = hex ? "0123456789abcdef"[number & 15] : (char)('0' + number % 10);
        number = hex ? number >> 4 : number / 10;
    } while (number);
    while (at > room && (size_t)(end - at) < digits)
        *--at = '0';
    od_text_add_bytes(text, at, (size_t)(end - at));
}

void od_text_add_u64(struct od_text *text, uint64_t number)
{
    add_number(text, number, false, 0);
}

void od_text_add_i64(struct od_text *text, int64_t number)
{
    if (number < 0)
        od_text_add_char(text, '-');
    add_number(text, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, false, 0);
}

void od_text_add_hex(struct od_text *text, uint64_t number, unsigned digits)
{
    add_number(text, number, true, digits);
}

void od_text_add_padded(struct od_text *text, uint64_t number, unsigned digits)
{
    add_number(text, number, false, digits);
}

void od_text_add_duration(struct od_text *text, int64_t ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
    uint64_t left = ms < 0 ? 0 - (uint64_t)ms : (uint64_t)ms;
    if (ms < 0)
        od_text_add_char(text, '-');
    if (left == 0)
        od_text_add(text, "0s");
    /* Two days and less are said in hours, as people do. */
    for (size_t i = left > 2 * units[0].ms ? 0 : 1; i < sizeof units / sizeof *units && left; i++) {
        if (left < units[i].ms)
            continue;
        od_text_add_u64(text, left / units[i].ms);
        od_text_add(text, units[i].name);
        left %= units[i].ms;
    }
}

void od_text_add_size(struct od_text *text, uint64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    while (unit < 4 && bytes >> (10 * (unit + 1)))
        unit++;
    uint64_t whole = bytes >> (10 * unit);
    uint64_t rest = bytes - (whole << (10 * unit));
    uint64_t tenths = unit ? (rest * 10) >> (10 * unit) : 0;
    od_text_add_u64(text, whole);
    if (tenths) {
        od_text_add_char(text, '.');
        od_text_add_u64(text, tenths);
    }
    od_text_add(text, names[unit]);
}

char *od_text_copy_bytes(const void *data, size_t size)
{
    char *copy = size < SIZE_MAX ? malloc(size + 1) : NULL;
    if (!copy)
        return NULL;
    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *od_text_copy(const char *text)
{
    return od_text_copy_bytes(text, strlen(text));
}

bool od_text_to_i64(const char *text, int64_t low, int64_t high, int64_t *ret)
{
    bool negative = *text == '-';
    const char *p = text + negative;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX, number = 0;
    if (*p == '\0')
        return false;
    for (; *p; p++) {
        if (*p < '0' || *p > '9')
            return false;
        uint64_t digit = (uint64_t)(*p - '0');
        if (number > (limit - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    int64_t value = !negative ? (int64_t)number : number == limit ? INT64_MIN : -(int64_t)number;
    if (value < low || value > high)
        return false;
    *ret = value;
    return true;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool od_text_equal_nocase(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool od_text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool od_text_ends(const char *text, const char *suffix)
{
    size_t size = strlen(text), end = strlen(suffix);
    return size >= end && memcmp(text + size - end, suffix, end) == 0;
}
