/*
 * The worker pool of the run face. A job is a chain of records for one worker, taken in order. Jobs are chains through the
 * records, so that handing them out needs no memory.
 */
#ifndef OD_RUNTIME_POOL_H
#define OD_RUNTIME_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

struct od_pool {
    pthread_mutex_t mutex;
    pthread_cond_t work;                 /* for workers */
    pthread_cond_t change;               /* for who waits until they have ended */
    struct orderly_record *first, *last; /* heads of jobs, linked by job_queue */
    size_t sleeping, alive;
    bool stop;
    struct orderly_handler handler;
    pthread_t *threads;
    size_t thread_count;
};

void od_pool_init(struct od_pool *);
void od_pool_fini(struct od_pool *);
/* Errors: NOMEM, LIMIT (threads). */
enum orderly_err od_pool_start(struct orderly *, const struct orderly_handler *);
/* Asks the workers to end after their jobs and waits up to `wait_ms`; those whose handlers still run are left to themselves. */
void od_pool_stop(struct orderly *, int64_t wait_ms);
/* Thread: loop. Queues a chain of jobs. */
void od_pool_push(struct od_pool *, struct orderly_record *first, struct orderly_record *last, size_t count);

#endif
