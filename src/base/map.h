/* A hash map from uint64_t to uint64_t: open addressing, linear probing, removal without tombstones. Every key is allowed, 0 too. */
#ifndef OD_BASE_MAP_H
#define OD_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct od_map_slot {
    uint64_t key, value;
};

/* A zeroed one is empty. */
struct od_map {
    struct od_map_slot *slots;
    uint8_t *used;
    size_t count, room; /* room is 0 or a power of two */
};

void od_map_fini(struct od_map *);
void od_map_clear(struct od_map *); /* keeps the memory */
/* Room for `want` keys in all, so that puts up to that cannot fail; false when out of memory. */
bool od_map_reserve(struct od_map *, size_t want);
/* Adds or replaces; false when out of memory (nothing changed). */
bool od_map_put(struct od_map *, uint64_t key, uint64_t value);
/* Both ret may be NULL. */
bool od_map_get(const struct od_map *, uint64_t key, uint64_t *ret_value);
/* The value's place, borrowed until the next put or remove; NULL when absent. */
uint64_t *od_map_at(struct od_map *, uint64_t key);
bool od_map_remove(struct od_map *, uint64_t key, uint64_t *ret_value);
/* Walks in no useful order: begin with *cursor = 0; false at the end. The map must not change meanwhile. */
bool od_map_next(const struct od_map *, size_t *cursor, uint64_t *ret_key, uint64_t *ret_value);

#endif
