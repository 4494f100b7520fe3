/*
 * A text buffer in the caller's memory: only ever appended to, always ended by NUL, never overflown. What does not fit is cut
 * and `cut` is set. Without stdio, so that the core may use it.
 */
#ifndef OD_BASE_TEXT_H
#define OD_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct od_text {
    char *data;
    size_t count; /* without the NUL */
    size_t room;  /* with the NUL; at least 1 */
    bool cut;
};

/* Begins an empty text in `data`; size at least 1. */
void od_text_init(struct od_text *, char *data, size_t size);
void od_text_add(struct od_text *, const char *text);
void od_text_add_bytes(struct od_text *, const void *data, size_t size);
void od_text_add_char(struct od_text *, char);
void od_text_add_i64(struct od_text *, int64_t);
void od_text_add_u64(struct od_text *, uint64_t);
/* Lower-case hexadecimal, filled with zeros up to `digits` (0: as many as needed). */
void od_text_add_hex(struct od_text *, uint64_t, unsigned digits);
/* A number filled with zeros up to `digits`. */
void od_text_add_padded(struct od_text *, uint64_t, unsigned digits);
/* A duration as a person reads it: "250ms", "30s", "1m30s", "24h"; negative ones with a minus. */
void od_text_add_duration(struct od_text *, int64_t ms);
/* A size: "512B", "64KiB", "1.5MiB". */
void od_text_add_size(struct od_text *, uint64_t bytes);

/* A malloc'ed copy; NULL when out of memory. */
char *od_text_copy(const char *text);
char *od_text_copy_bytes(const void *data, size_t size);
/* Reads all of `text` as a decimal number within [low, high]; false otherwise. */
bool od_text_to_i64(const char *text, int64_t low, int64_t high, int64_t *ret);
/* ASCII only, whatever the locale. */
bool od_text_equal_nocase(const char *a, const char *b);
bool od_text_starts(const char *text, const char *prefix);
bool od_text_ends(const char *text, const char *suffix);

#endif
