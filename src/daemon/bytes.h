/*
 * Growing text, and the spellings that cross a process boundary: base64, percent, JSON strings, times.
 *
 * Running out of memory is remembered in `failed`; every further call is then a no-op, so that only the end is checked.
 */
#ifndef OD_DAEMON_BYTES_H
#define OD_DAEMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

struct od_bytes {
    char *data;
    size_t size, capacity;
    bool failed;
};

/* Frees; fine on a zeroed one, which is an empty text. */
void od_bytes_fini(struct od_bytes *);
void od_bytes_clear(struct od_bytes *);
void od_bytes_add(struct od_bytes *, const void *data, size_t size);
void od_bytes_byte(struct od_bytes *, char byte);
void od_bytes_text(struct od_bytes *, const char *text);
__attribute__((format(printf, 2, 3))) void od_bytes_format(struct od_bytes *, const char *format, ...);
void od_bytes_base64(struct od_bytes *, const void *data, size_t size);
/* Everything but RFC 3986's unreserved characters as %XX. */
void od_bytes_percent(struct od_bytes *, const void *data, size_t size);
/* A JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void od_bytes_json(struct od_bytes *, const void *data, size_t size);
void od_bytes_json_text(struct od_bytes *, const char *text);
/* UTF-8 with what is not replaced by U+FFFD. */
void od_bytes_clean(struct od_bytes *, const void *data, size_t size);
/* RFC 3339, UTC, milliseconds. */
void od_bytes_time(struct od_bytes *, int64_t unix_ms);
/* The text with a NUL behind it (not counted); NULL when memory ran out. */
const char *od_bytes_end(struct od_bytes *);
/* Removes the first `count` bytes. */
void od_bytes_shift(struct od_bytes *, size_t count);

bool od_bytes_is_utf8(const void *data, size_t size);
/* UTF-8 without NUL: what an environment variable or a C string can hold. */
bool od_bytes_is_text(struct orderly_bytes);
/* Where the next UTF-8 sequence ends; 0 when there is none at `data`. */
size_t od_bytes_sequence(const void *data, size_t size);

/* Unix milliseconds; and milliseconds of a clock that never goes back. */
int64_t od_clock_wall_ms(void);
int64_t od_clock_ms(void);
static inline int64_t od_clock_soonest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
