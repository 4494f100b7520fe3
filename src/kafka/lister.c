/* Lists the cluster's brokers, and its topics for patterns. librdkafka has no asynchronous call for it, so a thread of its own waits for the answer. */
#include "kafka/inside.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/text.h"

#define LIST_TIMEOUT_MS 5000

struct od_lister {
    pthread_t thread;
    atomic_bool done;
    rd_kafka_t *rk;
    struct od_wake *wake;
    bool all;
    struct od_listing listing;
};

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}

static void take(struct od_listing *listing, const struct rd_kafka_metadata *metadata, bool all)
{
    static atomic_uint turn;
    if (metadata->broker_cnt > 0) {
        listing->broker = metadata->brokers[atomic_fetch_add(&turn, 1) % (unsigned)metadata->broker_cnt].id;
    }
    listing->names = all ? calloc((size_t)metadata->topic_cnt + 1, sizeof *listing->names) : NULL;
    for (int i = 0; listing->names && i < metadata->topic_cnt; i++) {
        char *name = metadata->topics[i].err ? NULL : od_text_copy(metadata->topics[i].topic);
        if (name) {
            listing->names[listing->count++] = name;
        }
    }
}

static void *lister_main(void *argument)
{
    struct od_lister *lister = argument;
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(lister->rk, lister->all, NULL, &metadata, LIST_TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        take(&lister->listing, metadata, lister->all);
        rd_kafka_metadata_destroy(metadata);
    }
    atomic_store(&lister->done, true);
    od_wake_signal(lister->wake);
    return NULL;
}

struct od_lister *od_lister_start(struct od_handle *handle, struct od_wake *wake, bool all)
{
    struct od_lister *lister = calloc(1, sizeof *lister);
    if (!lister) {
        return NULL;
    }
    lister->rk = handle->rk;
    lister->wake = wake;
    lister->all = all;
    lister->listing.broker = -1;
    if (pthread_create(&lister->thread, NULL, lister_main, lister) != 0) {
        free(lister);
        return NULL;
    }
    return lister;
}

bool od_lister_take(struct od_lister **lister, struct od_listing *ret)
{
    if (!atomic_load(&(*lister)->done)) {
        return false;
    }
    pthread_join((*lister)->thread, NULL);
    *ret = (*lister)->listing;
    free(*lister);
    *lister = NULL;
    return true;
}

void od_lister_stop(struct od_lister *lister)
{
    if (lister) {
        pthread_join(lister->thread, NULL); /* bounded by its own time-out */
        free_names(lister->listing.names, lister->listing.count);
        free(lister);
    }
}
