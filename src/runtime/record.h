/*
 * A record as users hold it. It lives in the room that each message has, so that handing one out needs no memory.
 *
 * After a seek a record that is out is stale too, but the core waits for it (its lane does): `sought` goes to the core like `out`.
 *
 * References. `refs` counts those beyond the first; a zeroed room is one reference: the core's, given back by FORGET or LET_GO.
 * While a record is queued or out the core has its reference, therefore the last but one reference of such a record is the user's last.
 *
 * States.
 *     idle --RUN--> queued --a worker or a poll takes it--> out --settle--> settled + outcome
 *                     |                                      |
 *                     +--cancelled, FORGET: settled, not run +--FORGET--> stale --settle--> stale and settled
 *
 * Twins. A body is handed out for one run only. When the record runs again (its lane retried it, it was released), the new run gets a body of
 * its own that shares the message, so that a late hand, also one that has no reference any more, cannot settle or un-cancel the wrong run.
 *
 * Wrong use. In a debug build every function of the public header that takes a record ends the process, and says why, when that record was
 * freed a short while ago (quarantine.h), or is unref'd by one who holds no reference: that one would take the core's.
 */
#ifndef OD_RUNTIME_RECORD_H
#define OD_RUNTIME_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/quarantine.h"
#include "core/core.h"
#include "kafka/message.h"

enum od_record_state {
    OD_RECORD_IDLE,
    OD_RECORD_QUEUED,
    OD_RECORD_OUT,
    OD_RECORD_SOUGHT,        /* out, from before a seek */
    OD_RECORD_STALE,         /* the core has forgotten it; nobody has settled it */
    OD_RECORD_STALE_SETTLED, /* and somebody has */
    OD_RECORD_SETTLED = 16   /* plus the outcome */
};

/*
 * Two lines of the processor's cache, and what most records never need: until a handler does something else than to acknowledge, nobody
 * but the one who zeroed it looks there (and at the heads of jobs).
 */
struct orderly_record {
    struct orderly_record *base;     /* a twin's: the record whose message it shares, held; else NULL */
    struct orderly_record *run;      /* loop, of a base: the body of its run, itself or a twin; NULL: itself */
    struct od_lease *lease;          /* from the first run on; NULL: a record without a group */
    struct orderly_record *next;     /* in the inbox, or in a list of the loop's */
    struct orderly_record *job_next; /* the next of its job */
    uint64_t id;
    uint32_t lane, attempt;
    int64_t due_ms; /* of the settlement */

    atomic_uint refs;
    atomic_uint state;
    atomic_int cancel;    /* enum orderly_reason */
    atomic_int cancel_fd; /* descriptor + 1; 0: none */
    atomic_bool has_text; /* there are texts of this run, worth a lock */
    bool has_copy_text;   /* loop, of a base: and those of the last run that settled */
    bool not_run;
    bool holds_lease;      /* has a reference of it; while the core has the record the loop's is enough */
    bool counted;          /* in lease->out */
    bool dead;             /* loop, of a base: counted as a dead letter */
    bool timed_out, stuck; /* guarded by the mutex of the deadlines */
    int64_t queued_us, run_us, wait_us;
    int64_t delay_ms;         /* of the settlement */
    atomic_llong deadline_ms; /* of the handler, monotonic; 0: none */

    struct orderly_record *job_queue; /* the next job */
    size_t deadline_index;            /* its place in the heap of deadlines + 1; 0: none */
    atomic_llong cancel_until_ms;     /* monotonic; when cancelled */
    char *error_class, *error_text;   /* of this run; guarded by the object's mutex */
    char *copy_class, *copy_text;     /* loop, of a base: of the last run that settled */
    /* Loop, of a base, Unix ms: its first run here that spent an attempt (0: none), its last one; none that acknowledged. */
    int64_t first_attempt_ms, last_attempt_ms;
#ifndef NDEBUG
    atomic_uint held; /* references that users have made, or were given */
#endif
};
_Static_assert(offsetof(struct orderly_record, job_queue) == 128, "two lines");

static inline void od_record_check(const struct orderly_record *record)
{
    (void)record;
#ifndef NDEBUG
    if (record != NULL && record->id == OD_QUARANTINE_MARK) {
        od_panic(__FILE__, __LINE__, "a record was used after its last unref");
    }
#endif
}

/* A reference goes to a user. */
static inline void od_record_give(struct orderly_record *record)
{
    (void)record;
#ifndef NDEBUG
    atomic_fetch_add_explicit(&record->held, 1, memory_order_relaxed);
#endif
}

/* And comes back. */
static inline void od_record_take(struct orderly_record *record)
{
    (void)record;
#ifndef NDEBUG
    if (atomic_fetch_sub_explicit(&record->held, 1, memory_order_relaxed) == 0) {
        od_panic(__FILE__, __LINE__, "a record was unref'd by one who holds no reference of it");
    }
#endif
}

/* The record in a message's room, and the other way round (a twin's too). */
static inline struct orderly_record *od_record_of(struct od_message *message)
{
    return od_message_room(message);
}
struct od_message *od_record_message(const struct orderly_record *);
/* The object it belongs to; NULL for a record without a group. */
struct orderly *od_record_owner(const struct orderly_record *);

/*
 * Thread: loop. Readies the record of a tag for a run: the caller has a reference of what it returns, in state queued. NULL: out of
 * memory, nothing happened.
 */
struct orderly_record *od_record_begin(const struct od_run *, struct od_lease *);
/* Thread: worker or loop. From queued to out; false: it was withdrawn meanwhile. */
bool od_record_hand_out(struct orderly_record *);
/* Thread: loop. From queued back; true: this call did it, the record never runs. */
bool od_record_withdraw(struct orderly_record *);
/* Thread: loop. Tells its holder to stop. A later reason replaces an earlier one. */
void od_record_cancel(struct orderly_record *, enum orderly_reason, int64_t until_ms);
/* Thread: loop. FORGET or LET_GO: gives the core's reference back. `acked`: it is over because an offset was marked. */
void od_record_forget(struct orderly_record *, bool acked);
/* Thread: loop. Moves the texts of a settled run to its base. */
void od_record_keep_texts(struct orderly_record *);

/* A reference more, of the library's own. */
struct orderly_record *od_record_ref(struct orderly_record *);
/* A reference less; the last one of a record that is out releases it. */
void od_record_unref(struct orderly_record *);
/* A reference less, without a release: for those that know it is settled, or who are not users. */
void od_record_drop(struct orderly_record *);

#endif
