/*
 * The loop: the one thread that owns the core and the engine. A turn takes what is in the inbox, serves the engine, lets the core
 * decide, performs its effects, answers who waits. It never blocks but in its own poll(2).
 *
 * Effects that come while the engine is being served are performed when it has returned: the engine is never entered from inside itself.
 */
#ifndef OD_RUNTIME_LOOP_H
#define OD_RUNTIME_LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "core/core.h"
#include "kafka/engine.h"
#include "runtime/inbox.h"
#include "runtime/meter.h"

/* The effects of one step that wait to be performed. */
struct od_step {
    struct od_effects effects;
    char **texts; /* copies of the texts of its commits, which the core lends only until its next step */
    size_t text_count, text_room;
};

/* Records on their way to the workers or to a poll. */
struct od_chain {
    struct orderly_record *first, *last;
    size_t count;
};

enum { OD_REASONS = 62 }; /* what a set of 64 bits has beside 0 and what the core counts as one */

struct od_loop {
    struct orderly *orderly;
    pthread_t thread;
    bool started;
    struct od_core *core;
    struct od_engine *engine;
    struct od_core_config config;

    int64_t now_ms, wall_ms, boot_ms;
    bool serving; /* inside od_engine_serve */
    bool broken;  /* the core has run out of memory: nothing more is decided */
    struct od_step *steps;
    size_t step_count, step_used;

    struct od_map leases; /* assignment -> struct od_lease, held */
    uint32_t last_id;     /* the one found last */
    struct od_lease *last_lease;

    struct od_posts posts;
    struct od_settled *settled;
    size_t settled_room;
    struct od_chain jobs;  /* run face: heads of jobs, linked by job_queue */
    struct od_chain ready; /* poll face: records, linked by job_next */

    bool polling;     /* a poll waits */
    bool wanting;     /* the core has a WANT that it has not answered */
    bool fd_readable; /* what the poll fd says */
    size_t poll_max;
    int64_t poll_until_ms;
    enum orderly_err poll_fault; /* to be returned by one poll */
    bool gate_taken;
    int64_t gate_since_ms;

    bool close_told; /* the core knows */
    bool marking;    /* inside a MARK_OFFSET */
    bool ended;
    int64_t close_until_ms;
    enum orderly_err result;

    char *reasons[OD_REASONS]; /* to pause; the place + 1 is the core's number; NULL: free */
    struct od_meters meters;
    int64_t state_since_ms[OD_STATE_COUNT]; /* of the member's named states */
    uint64_t engine_faults, commit_failures[OD_COMMIT_REFUSED + 1];
    int64_t rebalance_since_ms, drain_since_ms;
};

/* Makes the core and the thread. Errors: NOMEM, LIMIT. */
enum orderly_err od_loop_start(struct orderly *);
/* When the thread has ended: frees core and engine. */
void od_loop_retire(struct od_loop *);
void od_loop_fini(struct od_loop *);

/* Thread: loop, all of these. */
void od_loop_clock(struct od_loop *);
/* Lets the core decide; its effects are performed at once, or when the engine has returned. */
void od_loop_step(struct od_loop *, struct od_event *);
/* An event from the engine: what the runtime itself must know of it, then the step. */
void od_loop_event(void *loop, struct od_event *);
void od_loop_fault(void *loop, const struct od_engine_fault *);
/* The lease of an assignment, borrowed; NULL when it is over. */
struct od_lease *od_loop_lease(struct od_loop *, uint32_t id);
/* Performs all effects that wait (perform.c). */
void od_loop_perform(struct od_loop *);
/* The end: nothing more is decided. */
void od_loop_out_of_memory(struct od_loop *);
/* Takes over what was settled: a chain with one reference each. */
void od_loop_settled(struct od_loop *, struct orderly_record *first);

#endif
