/*
 * A lease: one assignment of one partition to this member, as the threads outside the loop see it (the core says "stay"). It outlives
 * the assignment for as long as a record handed out from it does.
 *
 *     known (ASSIGNED) --quit--> must go (QUIT) --close--> closed (CLOSED_ASSIGNMENT) --last reference--> freed
 */
#ifndef OD_RUNTIME_LEASE_H
#define OD_RUNTIME_LEASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "core/core.h"

struct od_lease {
    struct orderly *orderly; /* held */
    atomic_uint refs;
    uint32_t id, source;
    int32_t partition;
    enum od_topic_kind kind;
    atomic_bool closed;        /* over: whatever settles now is stale */
    atomic_bool lost;          /* gone before it was given up: stale too */
    atomic_int quit;           /* enum orderly_reason: its workers must go */
    atomic_uint_least64_t out; /* handed out, neither settled nor released */
    int quit_fd;               /* -1 none; guarded by the object's mutex */
    bool ended;                /* callback thread: revoked or lost was told */
    bool no_more;              /* loop: nothing of it is handed out any more */
    int64_t commit_offset;     /* loop: of the commit in flight */
    size_t slice;              /* loop: its place in the batch being made */
    char topic[];
};

/* A vec. */
struct od_leases {
    struct od_lease **items;
    size_t count, room;
};

/* NULL when out of memory. Takes a reference on the object. */
struct od_lease *od_lease_new(struct orderly *, const struct od_assign *, const char *topic);
void od_lease_ref(struct od_lease *);
void od_lease_unref(struct od_lease *);
/* Thread: any. Handed out records have been settled or released. */
void od_lease_came_back(struct od_lease *, uint64_t count);

/* Gives all of them back. */
void od_leases_fini(struct od_leases *);

/* The functions below need the object's mutex. */

/* Adds to those the object knows; drops those that are over and have nothing out. False when out of memory. */
bool od_leases_add(struct orderly *, struct od_lease *);
/* Whether `name` (partition -1: all of the topic) means this one. */
bool od_lease_matches(const struct od_lease *, const struct orderly_partition *name);
/* The one of this name that is ours now, borrowed; NULL when there is none. */
struct od_lease *od_leases_find(struct orderly *, const struct orderly_partition *);

/*
 * Thread: any, without the mutex. The assignments that a list of names means (count 0: all): malloc'ed, perhaps empty.
 * Errors: INVALID (a name without a topic), STALE (none is ours), NOMEM.
 */
enum orderly_err od_leases_resolve(struct orderly *, const struct orderly_partition *, size_t count, uint32_t **ret_ids,
                                   size_t *ret_count);
/* One partition (not -1). Errors: INVALID, STALE. */
enum orderly_err od_leases_resolve_one(struct orderly *, const struct orderly_partition *, uint32_t *ret_id);

#endif
