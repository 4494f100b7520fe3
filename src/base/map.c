/*
 * The hash map of map.h. Slots are probed one after the other from the key's home. A removal closes the gap by moving back each
 * follower whose home is not behind the gap, so a search may stop at the first free slot.
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

enum { FIRST_ROOM = 16 };

void od_map_fini(struct od_map *map)
{
    free(map->slots);
    free(map->used);
    *map = (struct od_map){0};
}

void od_map_clear(struct od_map *map)
{
    if (map->room)
        memset(map->used, 0, map->room);
    map->count = 0;
}

static size_t home(const struct od_map *map, uint64_t key)
{
    return (size_t)od_hash_u64(key + UINT64_C(0x9e3779b97f4a7c15)) & (map->room - 1);
}

/* The key's slot, or the free slot where it belongs. The map has a free slot. */
static size_t find(const struct od_map *map, uint64_t key)
{
    size_t i = home(map, key);
    while (map->used[i] && map->slots[i].key != key)
        i = (i + 1) & (map->room - 1);
    return i;
}

static bool rebuild(struct od_map *map, size_t room)
{
    struct od_map bigger = {.room = room, .count = map->count};
    bigger.slots = malloc(room * sizeof *bigger.slots);
    bigger.used = calloc(room, 1);
    if (!bigger.slots || !bigger.used) {
        od_map_fini(&bigger);
        return false;
    }
    od_assert(map->room == 0 || (map->slots && map->used));
    for (size_t i = 0; i < map->room; i++) {
        if (!map->used[i])
            continue;
        size_t to = find(&bigger, map->slots[i].key);
        bigger.slots[to] = map->slots[i];
        bigger.used[to] = 1;
    }
    free(map->slots);
    free(map->used);
    *map = bigger;
    return true;
}

bool od_map_reserve(struct od_map *map, size_t want)
{
    /* At most three quarters are used. */
    if (want <= map->room / 4 * 3)
        return true;
    size_t room = map->room ? map->room : FIRST_ROOM;
    while (room / 4 * 3 < want) {
        if (room > SIZE_MAX / 2 / sizeof(struct od_map_slot))
            return false;
        room *= 2;
    }
    return rebuild(map, room);
}

bool od_map_put(struct od_map *map, uint64_t key, uint64_t value)
{
    uint64_t *at = od_map_at(map, key);
    if (at) {
        *at = value;
        return true;
    }
    if (!od_map_reserve(map, map->count + 1))
        return false;
    od_assert(map->slots && map->used);
    size_t i = find(map, key);
    map->slots[i] = (struct od_map_slot){key, value};
    map->used[i] = 1;
    map->count++;
    return true;
}

uint64_t *od_map_at(struct od_map *map, uint64_t key)
{
    if (map->count == 0)
        return NULL;
    size_t i = find(map, key);
    return map->used[i] ? &map->slots[i].value : NULL;
}

bool od_map_get(const struct od_map *map, uint64_t key, uint64_t *ret_value)
{
    if (map->count == 0)
        return false;
    size_t i = find(map, key);
    if (!map->used[i])
        return false;
    if (ret_value)
        *ret_value = map->slots[i].value;
    return true;
}

static void close_gap(struct od_map *map, size_t gap)
{
    size_t mask = map->room - 1;
    for (size_t i = (gap + 1) & mask; map->used[i]; i = (i + 1) & mask) {
        /* How far the follower is from its home, and from the gap: it may move back unless its home is behind the gap. */
        size_t from_home = (i - home(map, map->slots[i].key)) & mask;
        size_t from_gap = (i - gap) & mask;
        if (from_home < from_gap)
            continue;
        map->slots[gap] = map->slots[i];
        gap = i;
    }
    map->used[gap] = 0;
}

bool od_map_remove(struct od_map *map, uint64_t key, uint64_t *ret_value)
{
    if (map->count == 0)
        return false;
    size_t i = find(map, key);
    if (!map->used[i])
        return false;
    if (ret_value)
        *ret_value = map->slots[i].value;
    close_gap(map, i);
    map->count--;
    return true;
}

bool od_map_next(const struct od_map *map, size_t *cursor, uint64_t *ret_key, uint64_t *ret_value)
{
    for (size_t i = *cursor; i < map->room; i++) {
        if (!map->used[i])
            continue;
        *cursor = i + 1;
        if (ret_key)
            *ret_key = map->slots[i].key;
        if (ret_value)
            *ret_value = map->slots[i].value;
        return true;
    }
    *cursor = map->room;
    return false;
}
