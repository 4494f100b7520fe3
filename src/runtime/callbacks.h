/*
 * The callback thread: runs the user's callbacks one at a time, in order. The loop queues; the answers come back as posts. It exists when
 * there is a callback besides `log`.
 */
#ifndef OD_RUNTIME_CALLBACKS_H
#define OD_RUNTIME_CALLBACKS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"
#include "orderly/orderly.h"
#include "runtime/lease.h"

enum od_callback_type {
    OD_CALL_ASSIGNED,
    OD_CALL_REVOKED,
    OD_CALL_LOST,
    OD_CALL_POSITION,
    OD_CALL_WAITING,
    OD_CALL_COMMITTED
};

/* One call to make; owned by the queue. */
struct od_call {
    struct od_call *next;
    enum od_callback_type type;
    uint64_t sequence;        /* ASSIGNED REVOKED LOST: the core's */
    int64_t offset;           /* POSITION */
    struct orderly_gate gate; /* WAITING */
    size_t count;
    struct od_lease **leases;       /* held */
    struct orderly_offset *offsets; /* COMMITTED; their topics are the leases' */
};

struct od_callback_queue {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_t thread;
    struct od_call *first, *last;
    bool started, stop, ended;
};

void od_callbacks_init(struct od_callback_queue *);
void od_callbacks_fini(struct od_callback_queue *);
/* Starts the thread if there is something for it to do. Errors: LIMIT. */
enum orderly_err od_callbacks_start(struct orderly *);
/* Lets it finish what is queued; waits up to `wait_ms`, then leaves it to itself. */
void od_callbacks_stop(struct orderly *, int64_t wait_ms);
/* Whether the user has given this one. */
bool od_callbacks_has(const struct orderly *, enum od_callback_type);

/*
 * Whether this is a thread inside `revoked`, and a partition of the list (count 0: any) that the callback was told of has been lost since: it may be
 * ours again already, but not the part of it that the callback means.
 */
bool od_callbacks_fenced(const struct orderly *, const struct orderly_partition *, size_t count);

/* Thread: loop. A call with room for `count` leases, to be filled; NULL: out of memory. */
struct od_call *od_call_new(enum od_callback_type, size_t count);
/* Thread: loop. Takes it. */
void od_callbacks_queue(struct orderly *, struct od_call *);

#endif
