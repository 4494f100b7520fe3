/*
 * Blocks: malloc and free with a small cache for the thread that does both all the time. Records come and go by the million, all made and nearly all
 * freed on the loop's thread; a block that was freed last is still in the processor's cache and needs no bookkeeping.
 *
 * A thread that has not said od_block_keep(true) gets plain malloc and free. Blocks may be freed on any thread. Debug builds keep nothing:
 * quarantine.h.
 */
#ifndef OD_BASE_BLOCK_H
#define OD_BASE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>

/* A block begins with a line of the processor's cache, so that its owner decides what lies in one line. */
enum { OD_BLOCK_STEP = 64 };

/* NULL when out of memory. */
void *od_block_new(size_t size);
/* NULL is fine. `size` as it was made. */
void od_block_free(void *block, size_t size);
/* This thread keeps freed blocks from now on; false: no longer, and what it has kept goes. A thread that ends must say so. */
void od_block_keep(bool keep);

#endif
