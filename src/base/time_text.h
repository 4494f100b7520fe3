/* Points in time as text: RFC 3339 out; everything that `retry-after` headers hold in (contracts.md 6). No clock, no time zone data. */
#ifndef OD_BASE_TIME_TEXT_H
#define OD_BASE_TIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OD_TIME_TEXT_SIZE 32

/* "2026-11-30T00:54:12.003Z"; years 0000 to 9999, beyond that the nearest of those. */
void od_time_format(int64_t unix_ms, char ret[OD_TIME_TEXT_SIZE]);

/*
 * RFC 3339 (any offset, any fraction, rounded up to the millisecond so that nothing is early), Unix milliseconds (13 digits),
 * Unix seconds (10), HTTP-date (the three forms of RFC 9110), delta seconds (1 to 9 digits, from `record_ms`). Blanks around
 * it are allowed; `data` needs no NUL. False: garbage.
 */
bool od_time_parse(const void *data, size_t size, int64_t record_ms, int64_t *ret_unix_ms);
/* RFC 3339 alone. */
bool od_time_parse_rfc3339(const void *data, size_t size, int64_t *ret_unix_ms);

#endif
