/* One record that a process of a stream handler has: its id, its time, its cancellation. */
#ifndef OD_DAEMON_STREAM_DELIVERY_H
#define OD_DAEMON_STREAM_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/stream_process.h"
#include "orderly/orderly.h"

#define OD_STREAM_RECHECK_MS 250 /* a cancelled record: whether the reason or the time left has changed */

struct od_stream_delivery {
    struct od_stream_delivery *previous, *next;
    uint64_t id;
    struct orderly_record *record; /* one reference */
    struct od_stream_process *process;
    struct od_stream_watch cancel;            /* the descriptor belongs to the record */
    int64_t deadline_ms, kill_ms, recheck_ms; /* od_clock_ms; INT64_MAX: never */
    enum orderly_reason told;                 /* the last reason that was sent */
    bool timed_out;                           /* its own time was over before anything else */
};

/* All of a handler; newest first. Ended ones wait in `dead` until the events at hand are done. */
struct od_stream_deliveries {
    struct od_stream_delivery *list, *dead;
    uint64_t next_id;
};

/* Takes the reference. NULL when out of memory. */
struct od_stream_delivery *od_stream_delivery_new(struct od_stream_deliveries *, struct od_stream_common *,
                                                  struct od_stream_process *, struct orderly_record *);
/* NULL: there is none with this id at this process. */
struct od_stream_delivery *od_stream_delivery_find(struct od_stream_deliveries *, const struct od_stream_process *,
                                                   const char *id);
/* The process asked for more time. */
void od_stream_delivery_extend(struct od_stream_delivery *, int64_t ms);
/* Its cancel descriptor is readable. */
void od_stream_delivery_cancelled(struct od_stream_common *, struct od_stream_delivery *, int64_t now_ms);
/* Tells the process of what is due; may order its end. Returns when to come back. */
int64_t od_stream_delivery_act(struct od_stream_common *, struct od_stream_delivery *, int64_t now_ms);
/* Out of the list and of epoll; the record is the caller's. */
struct orderly_record *od_stream_delivery_end(struct od_stream_deliveries *, struct od_stream_common *,
                                              struct od_stream_delivery *);
void od_stream_deliveries_free_dead(struct od_stream_deliveries *);

#endif
