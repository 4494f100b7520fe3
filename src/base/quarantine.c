/* Quarantine: a ring of blocks that are freed later. */
#include "base/quarantine.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    struct {
        void *block;
        size_t size;
    } ring[OD_QUARANTINE_BLOCKS];
    size_t oldest, count, bytes;
} kept; /* guarded by the mutex */

static void free_oldest(void)
{
    free(kept.ring[kept.oldest].block);
    kept.bytes -= kept.ring[kept.oldest].size;
    kept.oldest = (kept.oldest + 1) % OD_QUARANTINE_BLOCKS;
    kept.count--;
}

void od_quarantine_take(void *block, size_t size)
{
    if (size > OD_QUARANTINE_BYTES) {
        free(block);
        return;
    }
    memset(block, (int)(OD_QUARANTINE_MARK & 0xff), size);
    pthread_mutex_lock(&mutex);
    while (kept.count == OD_QUARANTINE_BLOCKS || kept.bytes + size > OD_QUARANTINE_BYTES) {
        free_oldest();
    }
    size_t at = (kept.oldest + kept.count) % OD_QUARANTINE_BLOCKS;
    kept.ring[at].block = block;
    kept.ring[at].size = size;
    kept.count++;
    kept.bytes += size;
    pthread_mutex_unlock(&mutex);
}
