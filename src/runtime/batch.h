/* A batch: what one poll returned, grouped by partition. It has a reference of each record. */
#ifndef OD_RUNTIME_BATCH_H
#define OD_RUNTIME_BATCH_H

#include <stddef.h>

#include "orderly/orderly.h"

struct orderly_batch {
    size_t count, slice_count;
    struct orderly_record **records;
    struct orderly_slice *slices;
};

/*
 * Thread: loop. Makes a batch of a chain of queued records (linked by `job_next`) and hands them out; what was withdrawn meanwhile is left out.
 * The chain's references go to the batch. NULL: out of memory, the chain is as it was.
 */
struct orderly_batch *od_batch_make(struct orderly_record *first, size_t count);

#endif
