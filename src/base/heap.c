/* The binary min-heap of heap.h. An entry is written once on its way: the hole moves, not the entries. */
#include "base/heap.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/vec.h"

void od_heap_init(struct od_heap *heap, od_heap_moved *moved, void *userdata)
{
    *heap = (struct od_heap){.moved = moved, .userdata = userdata};
}

void od_heap_fini(struct od_heap *heap)
{
    free(heap->entries);
    heap->entries = NULL;
    heap->count = heap->room = 0;
}

bool od_heap_reserve(struct od_heap *heap, size_t want)
{
    if (want > heap->room)
        heap->entries = od_vec_grow(heap->entries, &heap->room, want, sizeof *heap->entries);
    return want <= heap->room;
}

static bool before(const struct od_heap_entry *a, const struct od_heap_entry *b)
{
    return a->key != b->key ? a->key < b->key : a->seq < b->seq;
}

static void place(struct od_heap *heap, size_t index, struct od_heap_entry entry)
{
    heap->entries[index] = entry;
    if (heap->moved)
        heap->moved(heap->userdata, entry.value, index);
}

/* Fills the hole at `hole` with `entry`, or with a parent that comes after it. */
static void sift_up(struct od_heap *heap, size_t hole, struct od_heap_entry entry)
{
    while (hole > 0) {
        size_t parent = (hole - 1) / 2;
        if (!before(&entry, &heap->entries[parent]))
            break;
        place(heap, hole, heap->entries[parent]);
        hole = parent;
    }
    place(heap, hole, entry);
}

static void sift_down(struct od_heap *heap, size_t hole, struct od_heap_entry entry)
{
    for (;;) {
        size_t child = hole * 2 + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && before(&heap->entries[child + 1], &heap->entries[child]))
            child++;
        if (!before(&heap->entries[child], &entry))
            break;
        place(heap, hole, heap->entries[child]);
        hole = child;
    }
    place(heap, hole, entry);
}

static void fill(struct od_heap *heap, size_t hole, struct od_heap_entry entry)
{
    if (hole > 0 && before(&entry, &heap->entries[(hole - 1) / 2]))
        sift_up(heap, hole, entry);
    else
        sift_down(heap, hole, entry);
}

bool od_heap_push(struct od_heap *heap, struct od_heap_entry entry)
{
    if (!od_heap_reserve(heap, heap->count + 1))
        return false;
    sift_up(heap, heap->count++, entry);
    return true;
}

const struct od_heap_entry *od_heap_peek(const struct od_heap *heap)
{
    return heap->count ? &heap->entries[0] : NULL;
}

struct od_heap_entry od_heap_remove(struct od_heap *heap, size_t index)
{
    od_assert(index < heap->count);
    struct od_heap_entry gone = heap->entries[index];
    struct od_heap_entry last = heap->entries[--heap->count];
    if (index < heap->count)
        fill(heap, index, last);
    if (heap->moved)
        heap->moved(heap->userdata, gone.value, OD_HEAP_NOWHERE);
    return gone;
}

bool od_heap_pop(struct od_heap *heap, struct od_heap_entry *ret)
{
    if (heap->count == 0)
        return false;
    *ret = od_heap_remove(heap, 0);
    return true;
}

void od_heap_rekey(struct od_heap *heap, size_t index, int64_t key)
{
    od_assert(index < heap->count);
    struct od_heap_entry entry = heap->entries[index];
    entry.key = key;
    fill(heap, index, entry);
}
