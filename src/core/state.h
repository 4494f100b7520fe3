/*
 * The state of the core, shared by its files and by nobody else. Each group of functions names the file that owns it.
 *
 * A *stay* is one assignment of one partition. It is found by its id, and by its index from a record. Whatever changes a stay marks it
 * dirty; at the end of each step the dirty ones are reviewed: commits, credits, drains, timers. Nothing walks over all stays in a step,
 * except where the assignment itself changes.
 */
#ifndef OD_CORE_STATE_H
#define OD_CORE_STATE_H

#include "base/heap.h"
#include "base/map.h"
#include "base/random.h"
#include "base/vec.h"
#include "core/core.h"
#include "core/effects.h"
#include "core/lane.h"
#include "core/offset_map.h"
#include "core/parked.h"
#include "core/record.h"
#include "core/retry_policy.h"
#include "core/window.h"

#define OD_NO_TIME INT64_MAX

/* Flags of a record. */
enum {
    OD_FLAG_IN_LANE = 1,                /* its `next` belongs to its lane */
    OD_FLAG_ATTEMPTED = 2,              /* attempts were spent here: the map carries them */
    OD_FLAG_REREADING = 4,              /* its bytes have been asked for */
    OD_FLAG_WANTED = 8,                 /* parked: its bytes are to be asked for, it is in reread_wait */
    OD_FLAG_PRODUCING = OD_FLAG_WANTED, /* copying: its copy is on its way */
    OD_FLAG_STALE = 16,                 /* from before a seek: in no window */
    OD_FLAG_RELIEF = 32,                /* to be copied to the end of the retry topic once its bytes are here */
    OD_FLAG_DISPATCHED = 64,            /* it has run at least once */
    OD_FLAG_KEYED = 128                 /* parked without a lane: key_hash names the lane it will join */
};

/*
 *   waiting --ready--> active --revoke--> closing_gate --> callback --> draining --> committing --> closed
 *      |                  |  (each step is skipped when there is nothing to do)                      ^
 *      +------------------+------------------------- lost, left ------------------------------------+
 */
enum od_stay_state {
    OD_STAY_WAITING, /* its offsets are being read */
    OD_STAY_ACTIVE,
    OD_STAY_CLOSING_GATE, /* a revoke waits for the gate */
    OD_STAY_CALLBACK,     /* the revoked callback runs */
    OD_STAY_DRAINING,     /* waits for what runs */
    OD_STAY_COMMITTING,   /* the last commit */
    OD_STAY_CLOSED,
    OD_STAY_STATES
};

enum od_end { OD_END_NONE, OD_END_REVOKE, OD_END_LOST, OD_END_CLOSE };

/* Ids in turn; those of records that have gone are passed over by whoever takes them. */
struct od_id_queue {
    uint64_t *items;
    size_t count, room, first;
};

/* A list of records through `next`. */
struct od_fifo {
    uint32_t head, tail, count;
};
#define OD_FIFO_EMPTY ((struct od_fifo){OD_SLOT_NONE, OD_SLOT_NONE, 0})

/* What is committed, of one stay. */
struct od_tracker {
    uint64_t version;           /* counts changes of what is done */
    uint64_t committed_version; /* of the last acknowledged commit */
    int64_t committed;          /* its offset; -1 none */
    int64_t base;               /* what is done from here on is not committed: its offset, or where reading began */
    uint64_t flight;            /* sequence of the commit in flight; 0 none */
    uint64_t flight_version;
    int64_t flight_offset;
    size_t flight_size; /* of its text */
    int64_t soon_ms;    /* a commit is wanted by then; OD_NO_TIME none */
    int64_t again_ms;   /* none is tried before (back-off) */
    int64_t last_ms;    /* when the last one was sent */
    int64_t first_ms;   /* since when something is uncommitted; OD_NO_TIME nothing */
    uint32_t failures;  /* in a row */
    enum od_commit_result last_result;
    bool first_due; /* the resolved position must be committed before the first dispatch */
    bool wanted;    /* COMMIT_WANT or the last commit: now, whatever the interval says */
};

struct od_stay {
    uint32_t id, index, topic, source;
    int32_t partition;
    enum od_topic_kind kind;
    enum od_stay_state state;
    enum od_end end;       /* why it ends */
    bool ready;            /* offsets are known */
    bool assigned_pending; /* its `assigned` callback has not returned */
    bool revoked_told;     /* its `revoked` callback has begun */
    bool quit_told;
    bool finished;       /* committed, waits for the others of its revoke */
    bool stopped;        /* oversize, record_lost: until RESET_GUARD */
    bool map_blocked;    /* the reservation failed: until something ends */
    bool window_blocked; /* it was limits.window that said no, not the map */
    bool dirty, listed;  /* in core->dirty, in the ready ring */
    uint64_t pauses;     /* bit set of reasons */

    struct od_window window;
    struct od_offset_map map; /* what the former owner had done */
    uint64_t topic_id_hash;
    int64_t position; /* next offset to read */
    int32_t epoch;    /* highest leader epoch of what was read, goes with commits; -1 unknown. See core/commit.c */
    int64_t last_dispatched;
    int64_t ready_offset;
    bool skipping;    /* map not passed yet */
    uint64_t skipped; /* of it so far, not told */
    bool cancel_told; /* what runs has been told of the revoke */
    bool more;

    struct od_lane_list lanes; /* the ready ones */
    struct od_fifo free;       /* queued without a lane; poll face: all queued */
    bool lane_turn;
    uint32_t lanes_full;
    int64_t full_behind; /* the first unfinished offset when one was found full */
    uint64_t queued, running, parked, copying, attempted, lane_parked;
    int64_t batch_since_ms;
    OD_VEC(uint64_t) stale; /* records from before a seek that still run or are copied */

    struct od_parked bare; /* parked without their bytes, by due time */
    int64_t bytes_held, bytes_parked;
    int64_t bytes_bare;      /* that parked records do not have here, */
    int64_t bytes_wanted;    /* those among them that are being read again, or are to be */
    int64_t log_start;       /* as far as it is known: what is below cannot be read again */
    int64_t let_go_after_ms; /* no walk for bytes to let go before */
    int64_t reread_after_ms; /* none is read again before: the last one failed */
    uint32_t credit_records; /* outstanding */
    int64_t credit_bytes;

    struct od_tracker commit;
    int64_t drain_end_ms, commit_end_ms;
    int64_t relief_after_ms; /* none is begun before */

    size_t timer;    /* index in core->timers */
    int64_t wake_ms; /* its key there */

    uint32_t ready_next, ready_prev; /* ring of stays that have something to dispatch */
    uint32_t states;
    int64_t state_since_ms[OD_STATE_COUNT], state_offset[OD_STATE_COUNT];
    int64_t flow_since_ms[OD_STATE_COUNT]; /* a flow state is told only when it lasts */
};

/* One source topic's handler: faults, throttle, the dead-letter guard. */
struct od_source {
    bool known;
    int64_t fault_until_ms;     /* OD_NO_TIME: no fault; else when to probe */
    uint32_t faults;            /* in a row */
    uint64_t probe;             /* the record that probes; 0 none */
    bool probing;               /* the pause is over: the next one that starts probes */
    int64_t throttled_until_ms; /* 0: not */
    bool guard_shut;
    uint8_t *ring; /* the last settled: 1 dead letter */
    uint32_t ring_at, ring_count, ring_dead;
    uint32_t run_us; /* moving average; UINT32_MAX unknown */
};

struct od_hold {
    bool open;
    int64_t deadline_ms, gate_ms;
    OD_VEC(uint32_t) ids;
    size_t remaining;
    uint64_t callback; /* its sequence while it runs; 0 none */
};

enum od_close_stage { OD_CLOSE_NOT, OD_CLOSE_CALLBACK, OD_CLOSE_WORK, OD_CLOSE_COMMIT, OD_CLOSE_LEAVING, OD_CLOSE_END };

/* A job of several records, and when those that still wait there are called back. */
struct od_recall {
    int64_t started_ms, at_ms;
    size_t count;
};

struct od_close {
    enum od_close_stage stage;
    int64_t deadline_ms, cancel_ms;
    bool cancelled, timed_out;
    uint64_t callback;
};

struct od_callback_out {
    uint64_t sequence;
    enum od_callback kind;
    bool overrun;
    OD_VEC(uint32_t) ids;
};

struct od_commit_want {
    uint64_t token, version; /* version of the stay that is waited for */
    uint32_t id;
    enum orderly_err error;
    bool done;
};

struct od_core {
    struct od_core_config config;
    const struct od_settings *settings;
    struct od_effects *effects;
    struct od_effect scratch_effect;
    bool nomem;
    int64_t now_ms, wall_ms;
    struct od_random random;

    struct od_records records;
    struct od_lanes lanes;
    struct od_parked parked;      /* with their bytes, by due time; those without: od_stay.bare */
    struct od_parked copy_again;  /* copies to be tried again */
    struct od_id_queue copy_wait; /* copies not begun */
    struct od_id_queue reread_wait;
    OD_VEC(struct od_recall) recalls; /* in order of time, from recall_first on */
    size_t recall_first;
    struct od_id_queue recall_ids; /* of their records, job by job */
    int64_t marked_ms;             /* when an offset was marked last */
    uint64_t rereading;

    OD_VEC(struct od_stay *) stays; /* by index; NULL free */
    struct od_map stay_by_id;
    uint32_t stay_count;
    OD_VEC(uint32_t) dirty;
    struct od_heap timers;
    uint32_t ready_head, ready_count; /* ring */
    OD_VEC(struct od_source) sources;
    bool trouble; /* some source has a fault or is throttled */

    uint64_t queued, running, parked_count, copying, let_go;
    uint64_t in_flight; /* RUN and not settled, stale ones too */
    int64_t bytes_held, bytes_parked, bytes_copying, bytes_wanted, bytes_rereading, credit_bytes;
    uint64_t credit_records;
    bool credits_stale;    /* the shares changed: all are computed anew */
    bool starved;          /* a stay got less than its share */
    int64_t starved_bytes; /* bytes held when that was last looked at */
    bool parked_starved;   /* a stay reads nothing since limits.parked is met */
    bool fast;             /* records start so fast that reading far ahead is of no use: see budget.c */
    uint64_t pace_started; /* how many had started when that was last looked at */
    int64_t pace_since_ms;

    uint64_t concurrency, rate;
    int64_t rate_credit_us; /* the time of the bucket, in us: see dispatch.c */
    uint64_t want;
    bool gate_held;
    int64_t gate_since_ms;
    enum orderly_waiting waiting;
    bool suspect;

    uint64_t callback_sequence, commit_sequence;
    OD_VEC(struct od_callback_out) callbacks;
    uint32_t callbacks_overrun;
    OD_VEC(struct od_commit_want) wants;
    struct od_hold hold;
    struct od_close close;
    size_t map_cap;

    struct od_copies_seen *copies_seen;
    OD_VEC(char *) texts; /* commit texts of this step */

    uint32_t states;
    int64_t state_since_ms[OD_STATE_COUNT];
    struct od_core_counters counters;
};

/* What names a lane of a key: 32 bits, so that a relief copy can keep them beside its due time. Two keys of one hash share a lane. */
static inline uint32_t od_lane_hash(uint64_t key_hash)
{
    return (uint32_t)(key_hash ^ key_hash >> 32);
}

/* stay.c: the table of stays, their life. */
struct od_stay *od_stay_find(const struct od_core *, uint32_t id); /* NULL: none */
static inline struct od_stay *od_stay_of(const struct od_core *core, const struct od_record *record)
{
    return core->stays.items[record->assignment];
}
void od_stay_move(struct od_stay *, enum od_stay_state to);
bool od_stay_may_move(enum od_stay_state from, enum od_stay_state to);
const char *od_stay_state_word(enum od_stay_state);
void od_stay_touch(struct od_core *, struct od_stay *);               /* review it at the end of the step */
void od_stay_wake(struct od_core *, struct od_stay *, int64_t at_ms); /* and then, at the latest */
void od_stays_assigned(struct od_core *, const struct od_event *);
void od_stays_ready(struct od_core *, const struct od_event *);
void od_stays_position(struct od_core *, const struct od_event *);
void od_stays_seek(struct od_core *, const struct od_event *);
void od_stays_pause(struct od_core *, const struct od_event *);
void od_stays_resume(struct od_core *, const struct od_event *);
/* The stay is over: everything is forgotten, CLOSED_ASSIGNMENT said, memory given back. */
void od_stay_close(struct od_core *, struct od_stay *);
void od_stay_free(struct od_core *, struct od_stay *);
/* Commits, credits, drains, named states of one dirty stay. */
void od_stay_review(struct od_core *, struct od_stay *);

/* record moves (queue.c): counters, bytes, lanes. */
void od_move(struct od_core *, struct od_stay *, uint32_t slot, enum od_record_state to);
/* Queues a record in its place (lane or free list); `back` puts it where its offset belongs. */
void od_queue_new(struct od_core *, struct od_stay *, uint32_t slot);
void od_queue_back(struct od_core *, struct od_stay *, uint32_t slot);
/* A parked record's bytes come (tag, size) or go (0, its size). */
void od_queue_retag(struct od_core *, struct od_stay *, uint32_t slot, uint64_t tag, uint32_t size_bytes);
/* A new record that waits until due_ms at its place in its lane. */
void od_queue_new_parked(struct od_core *, struct od_stay *, uint32_t slot, int64_t due_ms);
/* Takes one queued record of a stay for a job; OD_SLOT_NONE: nothing now. */
bool od_queue_any(const struct od_stay *);
/* Parks until due_ms; in its lane when `lane` says so. */
void od_park(struct od_core *, struct od_stay *, uint32_t slot, int64_t due_ms);
void od_park_in_lane(struct od_core *, struct od_stay *, uint32_t slot, int64_t due_ms);
void od_unpark(struct od_core *, struct od_stay *, uint32_t slot);
/* The lane after one of its records ended or moved. */
void od_lane_review(struct od_core *, struct od_stay *, uint32_t lane);
/* A running record leaves its lane's job. */
void od_lane_out(struct od_core *, struct od_stay *, struct od_record *);
/* Done: the window, the tag, the slot. */
void od_finish(struct od_core *, struct od_stay *, uint32_t slot);
/* Over without being done. */
void od_abandon(struct od_core *, struct od_stay *, uint32_t slot);
/* What runs is unfinished for good: whatever comes of it is late. The records stay in the window until the stay is closed. */
void od_queue_give_up_running(struct od_core *, struct od_stay *);
/* All of a stay's records but, with keep_busy, those that run or are copied. */
void od_abandon_all(struct od_core *, struct od_stay *, bool keep_busy);
uint32_t od_queue_pop_free(struct od_core *, struct od_stay *);
uint32_t od_queue_pop_lane(struct od_core *, struct od_stay *, uint32_t lane);
/* Poll face: a queued record whose lane has a parked one goes behind it. */
void od_queue_behind(struct od_core *, struct od_stay *, uint32_t slot);
/* Takes one out of the middle of those without a lane. */
void od_queue_take_free(struct od_core *, struct od_stay *, uint32_t slot);
/* Puts back what a pop took, at the front. */
void od_queue_unpop_free(struct od_core *, struct od_stay *, uint32_t slot);
/* A parked record leaves its lane and the heap, for its end. */
void od_queue_detach(struct od_core *, struct od_stay *, uint32_t slot);
bool od_id_push(struct od_core *, struct od_id_queue *, uint64_t id);
/* The slot of the first id that still names a record; OD_SLOT_NONE: empty. It stays. */
uint32_t od_id_peek(struct od_core *, struct od_id_queue *);
void od_id_pop(struct od_id_queue *);

/* intake.c */
void od_intake_fetched(struct od_core *, const struct od_event *);
/* How many the map skipped: once, when it has been passed, or at the end of the stay. */
void od_intake_tell_skipped(struct od_core *, struct od_stay *);

/* dispatch.c */
void od_dispatch(struct od_core *);
void od_dispatch_offer(struct od_core *, struct od_stay *); /* it may have something to dispatch */
void od_dispatch_unlist(struct od_core *, struct od_stay *);
bool od_dispatch_allowed(const struct od_core *, const struct od_stay *);
int64_t od_dispatch_deadline(const struct od_core *);
void od_dispatch_want(struct od_core *, const struct od_event *);
void od_dispatch_concurrency(struct od_core *, const struct od_event *);
void od_dispatch_rate(struct od_core *, const struct od_event *);

/* recall.c */
void od_recall_note(struct od_core *, const struct od_stay *, const struct od_run *job, size_t count);
void od_recall_due(struct od_core *);
int64_t od_recall_deadline(const struct od_core *);

/* settle.c */
void od_settle_event(struct od_core *, const struct od_event *);
void od_settle_mark_offset(struct od_core *, const struct od_event *);

/* copy.c */
void od_copy_begin(struct od_core *, struct od_stay *, uint32_t slot, enum od_copy_kind, int64_t delay_ms);
void od_copy_answered(struct od_core *, const struct od_event *);
void od_copy_pump(struct od_core *); /* starts what waits and is due */
int64_t od_copy_deadline(const struct od_core *);
void od_copy_leave(struct od_core *, uint32_t slot); /* out of the lists of copies */

/* copies_seen.c: orderly-copy hashes. */
void od_copies_seen_free(struct od_core *);
/* False: one like it lives or was done in this window. */
bool od_copies_seen_add(struct od_core *, struct od_stay *, uint32_t slot);
void od_copies_seen_remove(struct od_core *, struct od_stay *, uint32_t slot, bool done);

/* commit.c */
void od_commit_changed(struct od_core *, struct od_stay *); /* what is done has changed */
void od_commit_soon(struct od_core *, struct od_stay *, int64_t within_ms);
void od_commit_review(struct od_core *, struct od_stay *);
void od_commit_answered(struct od_core *, const struct od_event *);
void od_commit_want(struct od_core *, const struct od_event *);
void od_commit_wants_review(struct od_core *, struct od_stay *, enum orderly_err);
/* The last commit before it goes: now, repeated until commit_end_ms, which is set here. */
void od_commit_last(struct od_core *, struct od_stay *);
/* Whether the last commit of a stay is over: acknowledged, needless or impossible. */
bool od_commit_settled(const struct od_core *, const struct od_stay *);
bool od_commit_never(const struct od_core *);
/* Records that are done and that no acknowledged commit has below its offset. */
uint64_t od_commit_uncommitted(const struct od_stay *);

/* gate.c */
void od_gate_event(struct od_core *, const struct od_event *);
void od_gate_revoke(struct od_core *, const struct od_event *);
void od_gate_open(struct od_core *, bool forced);
void od_gate_timers(struct od_core *);
int64_t od_gate_deadline(const struct od_core *);

/* callback.c */
uint64_t od_callback_begin(struct od_core *, enum od_callback, const uint32_t *ids, size_t count);
void od_callback_done(struct od_core *, const struct od_event *);

/* drain.c: revoke after the gate, lost. */
void od_drain_callback(struct od_core *);      /* the revoked callback, or straight on */
void od_drain_callback_done(struct od_core *); /* it returned */
void od_drain_overrun(struct od_core *);       /* it did not */
void od_drain_review(struct od_core *, struct od_stay *);
void od_drain_lost(struct od_core *, const struct od_event *);
void od_drain_cancel(struct od_core *, struct od_stay *, enum orderly_reason, int64_t left_ms);
void od_drain_quit(struct od_core *, struct od_stay *, enum orderly_reason, int64_t left_ms);
void od_drain_finished(struct od_core *, struct od_stay *);

/* close.c */
void od_close_event(struct od_core *, const struct od_event *);
void od_close_left(struct od_core *, const struct od_event *);
/* A handler gave its record back. Where it had been told of the close's end its work was cut: the close has not finished in time. */
void od_close_released(struct od_core *core);
void od_close_callback_done(struct od_core *, uint64_t sequence);
void od_close_review(struct od_core *);
int64_t od_close_deadline(const struct od_core *);

/* budget.c */
int64_t od_budget_fetch_limit(const struct od_core *); /* what may be held before nothing more is fetched */
int64_t od_budget_share(const struct od_core *);       /* of one stay */
void od_budget_hold(struct od_core *, struct od_stay *, int64_t bytes);
void od_budget_review(struct od_core *, struct od_stay *); /* its credit */
void od_budget_review_all(struct od_core *);
void od_budget_took(struct od_core *, struct od_stay *, size_t records, int64_t bytes);
void od_budget_drop_credit(struct od_core *, struct od_stay *);

/* reread.c */
/* Lets parked bytes of a stay go until they fill no more than half of its share. False: there was nothing to let go. */
bool od_reread_make_room(struct od_core *, struct od_stay *);
/* Into the heap where it waits for its time (parked with its bytes or without, or a copy to be tried again), its bytes let go if the memory asks
 * for it; and out of that heap. */
void od_wait_enter(struct od_core *, struct od_stay *, uint32_t slot);
void od_wait_leave(struct od_core *, struct od_stay *, uint32_t slot);
void od_reread_due(struct od_core *);                      /* what is due leaves the heap */
void od_reread_review(struct od_core *, struct od_stay *); /* looks ahead */
void od_reread_begin(struct od_core *, struct od_stay *, uint32_t slot);
/* The record's end, or its bytes are here: it is not waited for any more. */
void od_reread_over(struct od_core *, struct od_stay *, struct od_record *);
void od_reread_answered(struct od_core *, const struct od_event *);
void od_reread_pump(struct od_core *);
void od_reread_log_start(struct od_core *, const struct od_event *);
void od_reread_resume_lost(struct od_core *, struct od_stay *); /* what has gone counts as done now */

/* relief.c */
void od_relief_review(struct od_core *, struct od_stay *);
void od_relief_failed(struct od_core *, struct od_stay *);

/* fault.c */
struct od_source *od_source_of(const struct od_core *, const struct od_stay *);
bool od_source_ensure(struct od_core *, uint32_t topic);
void od_fault_happened(struct od_core *, struct od_stay *, uint32_t slot);
void od_fault_over(struct od_core *, struct od_stay *, uint64_t record);
void od_fault_throttle(struct od_core *, struct od_stay *, int64_t delay_ms);
/* A record that is given up does not probe any more. */
void od_fault_forgotten(struct od_core *, struct od_stay *, uint64_t record);
void od_fault_timers(struct od_core *);
int64_t od_fault_deadline(const struct od_core *);
bool od_fault_allows(const struct od_core *, const struct od_stay *);

/* A stay that begins now shares the trouble of its source. */
void od_fault_begins(struct od_core *, struct od_stay *);

/* guard.c */
void od_guard_settled(struct od_core *, struct od_stay *, bool dead_letter);
void od_guard_reset(struct od_core *, const struct od_event *);

/* named.c: named states. */
void od_named_enter(struct od_core *, struct od_stay *, enum od_named_state, int64_t offset);
void od_named_leave(struct od_core *, struct od_stay *, enum od_named_state);
void od_named_set(struct od_core *, struct od_stay *, enum od_named_state, bool on, int64_t offset);
/* A state of the flow: told only when it lasts a second. */
void od_named_flow(struct od_core *, struct od_stay *, enum od_named_state, bool on, int64_t offset);
static inline bool od_named_on(const struct od_stay *stay, enum od_named_state state)
{
    return stay->states >> state & 1u;
}

#endif
