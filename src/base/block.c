/* Blocks: a cache of freed memory, by size, of one thread. */
#include "base/block.h"

#include <stdlib.h>

#include "base/quarantine.h"

enum {
    CLASSES = 32,       /* blocks up to 2 KiB */
    HEAD = 16,          /* what malloc needs for itself: blocks of one class lie beside each other without a gap */
    KEPT_MAX = 4 << 20, /* bytes of one thread */
};

struct kept {
    struct kept *next;
};

static _Thread_local struct {
    struct kept *first[CLASSES + 1];
    size_t bytes;
    bool keeps;
} cache;

static size_t class_of(size_t size)
{
    return (size + HEAD + OD_BLOCK_STEP - 1) / OD_BLOCK_STEP;
}

static void *allocate(size_t size)
{
    void *memory = NULL;
    return posix_memalign(&memory, OD_BLOCK_STEP, size) == 0 ? memory : NULL;
}

void *od_block_new(size_t size)
{
    size_t class = class_of(size);
    if (class > CLASSES) {
        return allocate(size);
    }
    struct kept *block = cache.first[class];
    if (block == NULL) {
        return allocate(class * OD_BLOCK_STEP - HEAD);
    }
    cache.first[class] = block->next;
    cache.bytes -= class * OD_BLOCK_STEP;
    return block;
}

void od_block_free(void *memory, size_t size)
{
    size_t class = class_of(size);
    if (OD_QUARANTINE && memory != NULL) {
        od_quarantine_take(memory, size);
        return;
    }
    if (memory == NULL || !cache.keeps || class > CLASSES || cache.bytes >= KEPT_MAX) {
        free(memory);
        return;
    }
    struct kept *block = memory;
    block->next = cache.first[class];
    cache.first[class] = block;
    cache.bytes += class * OD_BLOCK_STEP;
}

void od_block_keep(bool keep)
{
    keep = keep && !OD_BASE_ADDRESS_SANITIZER;
    cache.keeps = keep;
    for (size_t i = 0; !keep && i <= CLASSES; i++) {
        while (cache.first[i] != NULL) {
            struct kept *block = cache.first[i];
            cache.first[i] = block->next;
            free(block);
        }
    }
    if (!keep) {
        cache.bytes = 0;
    }
}
