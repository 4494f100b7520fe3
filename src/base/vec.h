/*
 * A growable array of any element type.
 *
 *     OD_VEC(struct od_part) parts = {0};          or as a struct member: OD_VEC(uint64_t) offsets;
 *     if (!od_vec_push(&parts, part)) return ORDERLY_NOMEM;
 *     for (size_t i = 0; i < parts.count; i++) use(&parts.items[i]);
 *     od_vec_fini(&parts);
 *
 * A zeroed one is empty. When memory runs out the array is unchanged. Elements are moved by growth: keep indexes, not pointers.
 * Macro arguments `vec` are evaluated more than once.
 */
#ifndef OD_BASE_VEC_H
#define OD_BASE_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"

#define OD_VEC(type)        \
    struct {                \
        type *items;        \
        size_t count, room; \
    }

/* Room for `want` elements of `size` bytes, doubled at least. Returns the array, perhaps moved; out of memory: as it was, and *room too. */
void *od_vec_grow(void *items, size_t *room, size_t want, size_t size);

/* Room for `want` elements in all; false when out of memory. */
#define od_vec_reserve(vec, want) \
    ((want) <= (vec)->room ||     \
     ((vec)->items = od_vec_grow((vec)->items, &(vec)->room, (want), sizeof *(vec)->items), (want) <= (vec)->room))
/* Appends a copy; false when out of memory. The element expression must be an lvalue or a scalar of the element's type. */
#define od_vec_push(vec, ...) \
    (od_vec_reserve((vec), (vec)->count + 1) ? ((vec)->items[(vec)->count++] = (__VA_ARGS__), true) : false)
/* Removes the last element and yields it. */
#define od_vec_pop(vec) (od_assert((vec)->count > 0), (vec)->items[--(vec)->count])
#define od_vec_last(vec) (od_assert((vec)->count > 0), &(vec)->items[(vec)->count - 1])
/* Removes element i by moving the last one into its place: fast, changes the order. */
#define od_vec_remove_swap(vec, i) \
    (od_assert((i) < (vec)->count), (void)((vec)->items[i] = (vec)->items[(vec)->count - 1]), (void)(vec)->count--)
#define od_vec_clear(vec) ((void)((vec)->count = 0))
/* Frees the array; the vec is empty again. */
#define od_vec_fini(vec) (free((vec)->items), (void)((vec)->items = NULL), (void)((vec)->count = (vec)->room = 0))

#endif
