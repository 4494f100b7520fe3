/*
 * --exit-at-end: closes the member when everything up to the end offsets found at the start is done, and the retries that
 * follow from it. Looks at the group in Kafka, so that it is also right for several members.
 */
#ifndef OD_DAEMON_AT_END_H
#define OD_DAEMON_AT_END_H

#include <pthread.h>
#include <stdbool.h>

#include "orderly/admin.h"
#include "orderly/orderly.h"

struct od_at_end {
    struct orderly *orderly;          /* borrowed */
    struct orderly_admin *admin;      /* borrowed, used by the thread alone while it runs */
    struct orderly_group_lags *start; /* what there was at the start */
    struct orderly_needs *needs;      /* which of the topics are retry topics */
    pthread_t thread;
    bool threaded;
    int stop_fd;
    int64_t quiet_since_ms; /* 0: not quiet */
    uint64_t quiet_sum;
};

/* Reads the ends. Errors: KAFKA, TIMEOUT, AUTH. */
enum orderly_err od_at_end_init(struct od_at_end *, struct orderly_admin *, struct orderly_error *);
/* Watches from now on. Errors: LIMIT. */
enum orderly_err od_at_end_start(struct od_at_end *, struct orderly *);
void od_at_end_fini(struct od_at_end *);

/* Whether nothing is left between the start and `now`; `retry` says of a topic whether it is one of the group's. For tests. */
bool od_at_end_reached(const struct orderly_group_lags *start, const struct orderly_group_lags *now,
                       bool (*retry)(const char *topic, void *userdata), void *userdata);

#endif
