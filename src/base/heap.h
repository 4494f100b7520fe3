/*
 * A binary min-heap of timers and due records: smallest key first, ties in the order of `seq`. Whoever must take an entry out
 * of the middle keeps its index, which the `moved` callback tells whenever it changes.
 */
#ifndef OD_BASE_HEAP_H
#define OD_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OD_HEAP_NOWHERE SIZE_MAX

struct od_heap_entry {
    int64_t key;    /* due time */
    uint64_t seq;   /* breaks ties: smaller first */
    uint64_t value; /* the caller's */
};

/* `value` is now at `index`; OD_HEAP_NOWHERE: it has left the heap. */
typedef void od_heap_moved(void *userdata, uint64_t value, size_t index);

/* A zeroed one is an empty heap without a callback. */
struct od_heap {
    struct od_heap_entry *entries;
    size_t count, room;
    od_heap_moved *moved;
    void *userdata;
};

void od_heap_init(struct od_heap *, od_heap_moved *moved, void *userdata);
/* Frees; tells nobody that the entries have gone. */
void od_heap_fini(struct od_heap *);
/* Room for `want` entries in all, so that pushes up to that cannot fail; false when out of memory. */
bool od_heap_reserve(struct od_heap *, size_t want);
/* False when out of memory (nothing changed). */
bool od_heap_push(struct od_heap *, struct od_heap_entry);
/* The smallest entry, borrowed until the next change; NULL when empty. */
const struct od_heap_entry *od_heap_peek(const struct od_heap *);
/* Takes the smallest; false when empty. */
bool od_heap_pop(struct od_heap *, struct od_heap_entry *ret);
/* Takes the entry at an index that `moved` told. */
struct od_heap_entry od_heap_remove(struct od_heap *, size_t index);
/* Gives the entry at an index another key. */
void od_heap_rekey(struct od_heap *, size_t index, int64_t key);

#endif
