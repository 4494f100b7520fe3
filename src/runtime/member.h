/*
 * struct orderly: one member of one group, seen from inside. What belongs to the loop is in `loop`; what several threads use is
 * guarded by `mutex`, or says how else it is safe.
 *
 * It is counted inside: the public pointer, each worker, the callback thread, each lease (and through it each record that is held)
 * have a reference. Core and engine go with the public pointer, the rest with the last reference.
 */
#ifndef OD_RUNTIME_MEMBER_H
#define OD_RUNTIME_MEMBER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"
#include "orderly/orderly.h"
#include "runtime/callbacks.h"
#include "runtime/deadline.h"
#include "runtime/inbox.h"
#include "runtime/lease.h"
#include "runtime/loop.h"
#include "runtime/poll.h"
#include "runtime/pool.h"

enum od_face { OD_FACE_NONE, OD_FACE_POLL, OD_FACE_RUN };

/* The life of a member: new --first poll or run--> running --left the group--> ended; new --close--> ended. */
enum od_phase { OD_PHASE_NEW, OD_PHASE_RUNNING, OD_PHASE_ENDED };

struct od_commit_wait;

struct orderly {
    atomic_uint refs;
    struct od_settings settings; /* `concurrency` is the loop's */
    struct orderly_callbacks callbacks;
    void *userdata;

    /* Async-signal-safe. */
    atomic_bool closing, woken;

    pthread_mutex_t mutex;
    pthread_cond_t bell; /* something that somebody may wait for has changed */
    atomic_uint waiters; /* threads at the bell */
    enum od_face face;
    enum od_phase phase;
    bool polling, running;           /* a thread is inside poll, run */
    enum orderly_err result;         /* ended: OK, or why not */
    enum orderly_err fatal;          /* a fault that ends the run; OK: none */
    struct orderly_error last_error; /* of the last fault */
    struct od_leases leases;
    struct od_leases quits; /* over, but their quit fd may be in use */
    struct od_commit_wait *commit_waits;
    uint64_t commit_token;

    /* Held by whoever acts as the loop while there is none, and during start and end. */
    pthread_mutex_t idle;

    struct od_inbox inbox;
    struct od_callback_queue callback_queue;
    struct od_pool pool;
    struct od_deadlines deadlines;
    struct od_poll poll;
    struct od_loop loop;
};

void od_member_ref(struct orderly *);
void od_member_unref(struct orderly *);
/* Wakes all that wait at the bell, if any do. Call it after the change. Thread: any, without the mutex. */
void od_member_ring(struct orderly *);
/* With the mutex: waits for the next ring, or until a monotonic time (INT64_MAX: none); false when that has passed. */
bool od_member_wait(struct orderly *, int64_t until_ms);
/* Makes the core and the threads, for one of the faces. Errors: STATE (the other face), CLOSED, NOMEM, LIMIT. */
enum orderly_err od_member_start(struct orderly *, enum od_face, const struct orderly_handler *,
                                 struct orderly_error *);
/* Whether this thread runs a callback or a handler of any member: what waits for the loop's end is refused there. */
bool od_member_inside(void);
void od_member_set_inside(bool inside);
/* With the mutex: waits until the loop has ended; false: not before that time. */
bool od_member_wait_end(struct orderly *, int64_t until_ms);

#endif
