/*
 * What stands between the library's workers and the event thread of a handler: records that wait, the breaker that says
 * whether they may start, the way of closing, the counts. Shared by all kinds of handlers.
 */
#ifndef OD_DAEMON_QUEUE_H
#define OD_DAEMON_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/breaker.h"
#include "daemon/handler.h"
#include "daemon/verdict.h"
#include "orderly/orderly.h"

struct od_queue_item {
    struct od_queue_item *next;
    struct orderly_record *record;
};

struct od_queue {
    const struct od_handler_options *options;
    pthread_mutex_t mutex; /* guards all below but wake_fd */
    struct od_queue_item *first, **last;
    struct od_breaker breaker;
    char reason[256]; /* why the breaker is not closed */
    size_t waiting, running;
    uint64_t started, faults, late;
    bool closed, killing;
    int64_t checked_ms;
    int wake_fd; /* readable when the event thread should look */
};

/* False when out of descriptors. Fine to fini then, when wake_fd was -1 before. */
bool od_queue_init(struct od_queue *, const struct od_handler_options *);
/* What still waits is released. */
void od_queue_fini(struct od_queue *);

/* Thread: any. Takes a reference. PENDING, or RELEASE when closed, HOLD when out of memory. */
enum orderly_outcome od_queue_put(struct od_queue *, struct orderly_record *);
void od_queue_state(struct od_queue *, struct od_handler_state *ret);
void od_queue_resume(struct od_queue *);
void od_queue_close(struct od_queue *); /* nothing more starts; what waits is released */
void od_queue_kill(struct od_queue *);  /* close, and what runs shall end at once */
bool od_queue_closed(struct od_queue *);
bool od_queue_killing(struct od_queue *);
void od_queue_wake(struct od_queue *);

/* Thread: event. */
void od_queue_woken(struct od_queue *); /* wake_fd was readable */
/* The next record that may start now, counted as running; NULL: none. The caller owns its reference. */
struct orderly_record *od_queue_next(struct od_queue *);
/* Releases cancelled records that wait; returns when to ask next (od_clock_ms; INT64_MAX: when woken). */
int64_t od_queue_check(struct od_queue *, int64_t now_ms);
/* A running record has ended: settles it, gives its reference back, tells breaker and log. */
void od_queue_ended(struct od_queue *, const struct od_verdict *, struct orderly_record *);

/* The handler itself did something that no record tells. */
void od_queue_tell(struct od_queue *, const struct od_verdict *);
/* Whether it asked not to be run again. */
bool od_queue_stopped(struct od_queue *);

#endif
