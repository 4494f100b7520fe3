/*
 * The core: every decision, in one function. od_core_step(core, event, effects): an event carries the time, the effects say what
 * to do; the core does none of it. No thread, clock, lock, file, socket, librdkafka or stdio here.
 *
 * Time. `now_ms` is monotonic and orders everything; `wall_ms` is Unix time and is used only to turn a due time into a wait, once,
 * at receipt. The owner is one thread (the loop); nothing here is safe from two.
 *
 * Names of things. An *assignment* is one stay of one partition with this member: its id is made by the edge, never used twice, so that
 * whatever ends after a revoke names a stay that is over and moves nothing. A *record* has a 64-bit id made by the core (slot and use count):
 * a late outcome of a record that is gone is recognised, never mistaken. A *tag* is the edge's own pointer to the bytes; the core only
 * carries it.
 *
 * Ownership of a tag. The edge gives it with FETCHED (or REREAD) and has it until the core says FORGET (the record is over) or LET_GO (the
 * record stays parked without its bytes). The core says exactly one of them for each tag given. Where a handler still runs (after a lost),
 * the edge keeps its own reference until it returns.
 */
#ifndef OD_CORE_CORE_H
#define OD_CORE_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"
#include "orderly/orderly.h"

struct od_core;

/* ---- configuration ------------------------------------------------------------------------------------ */

struct od_core_config {
    const struct od_settings *settings; /* borrowed for the life of the core */
    bool poll_face;     /* RUN only as an answer to WANT; lanes order hand-out only behind parked records */
    uint32_t workers;   /* run face: threads, for the size of jobs */
    uint32_t batch_max; /* run face with handle_batch: records of one job, one lane each or none; else 0 */
    int64_t batch_wait_ms;
    bool has_assigned, has_revoked, has_lost, has_position; /* callbacks that exist; the others are not waited for */
    uint64_t seed;
};

/* ---- events: what happened ----------------------------------------------------------------------------- */

enum od_topic_kind { OD_TOPIC_SOURCE, OD_TOPIC_RETRY };

/* One partition of ASSIGNED. */
struct od_assign {
    uint32_t id;    /* this stay; never 0, never used twice */
    uint32_t topic; /* index of the source topic, for counters; a retry topic has its source's */
    int32_t partition;
    enum od_topic_kind kind;
};

/* READY: the offsets of an assignment have been read. */
struct od_ready {
    uint32_t id;
    int64_t position;     /* where reading begins: the committed offset, or the resolved start */
    int32_t leader_epoch; /* committed with it; -1 none */
    bool
        resolved; /* true: nothing is committed yet, `position` came from `start`: commit it before the first dispatch */
    const char *map; /* commit metadata, borrowed; may be any bytes */
    size_t map_size;
    uint64_t topic_id_hash; /* 0: the broker gives no topic id */
};

/* One record of FETCHED. */
struct od_fetched {
    uint64_t tag;
    int64_t offset;
    int32_t leader_epoch; /* -1 unknown */
    uint32_t size_bytes;  /* what its bytes occupy while held */
    uint64_t key_hash;
    bool has_key;
    bool foreign;       /* in a retry topic, of another group: never run (foreign_retry) */
    uint32_t attempts;  /* spent before */
    int64_t due_ms;     /* Unix ms; 0: at once */
    int64_t delay_ms;   /* the delay it was parked with; <= 0: unknown (then settings->retry_max_delay caps the wait) */
    uint64_t copy_hash; /* of header orderly-copy; 0: none. A second one with the same hash in the window is done */
};

/* One record of SETTLED. */
struct od_settled {
    uint64_t record;
    enum orderly_outcome outcome; /* UNSET: handler fault, held */
    bool
        not_run; /* of a job whose earlier record of the same lane did not end well: back to the front of its lane, no blame */
    bool never;       /* its error class is in retry.never */
    int64_t delay_ms; /* -1: policy */
    int64_t due_ms;   /* Unix ms, 0: none */
    int64_t run_us;   /* how long it ran; -1: unknown */
};

enum od_copy_kind { OD_COPY_RETRY, OD_COPY_DEAD_LETTER, OD_COPY_RELIEF };
enum od_copy_result {
    OD_COPY_OK,
    OD_COPY_AGAIN, /* not written, or not known: try again after a back-off (the second copy is recognised by orderly-copy) */
    OD_COPY_TOO_LARGE, /* the topic refuses its size */
    OD_COPY_REFUSED    /* unknown topic, no authorisation: try again slowly, named state */
};
/* How much of a record a copy keeps. */
enum od_copy_form { OD_FORM_WHOLE, OD_FORM_NO_ERROR_TEXT, OD_FORM_REFERENCE };

enum od_commit_result {
    OD_COMMIT_OK,
    OD_COMMIT_AGAIN,         /* transient: coordinator away, timeout */
    OD_COMMIT_OVERTAKEN,     /* a rebalance is on, or the generation is a new one: still ours, but not now */
    OD_COMMIT_FENCED,        /* unknown member, illegal generation: the edge will say LOST; nothing was committed */
    OD_COMMIT_MAP_TOO_LARGE, /* error 12: halve the cap, commit again */
    OD_COMMIT_REFUSED        /* anything else: again with back-off, reported */
};

enum od_reread_result { OD_REREAD_OK, OD_REREAD_GONE /* below the log's start, or compacted away */, OD_REREAD_AGAIN };

enum od_event_type {
    OD_EVENT_TICK,     /* time passed */
    OD_EVENT_ASSIGNED, /* assigned.list: new stays; their offsets follow with READY */
    OD_EVENT_READY,
    OD_EVENT_REVOKE, /* revoke: ids, absolute deadline of the whole hold. At most one REVOKE is open at a time */
    OD_EVENT_LOST,   /* ids; valid_member: one bounded commit may be tried. Answered at once with ANSWER_LOST */
    OD_EVENT_FETCHED,
    OD_EVENT_SETTLED,
    OD_EVENT_COPIED,
    OD_EVENT_COMMITTED,
    OD_EVENT_REREAD,
    OD_EVENT_CALLBACK_DONE, /* the callback of that sequence number has returned */
    OD_EVENT_POSITION,      /* the position callback's answer */
    OD_EVENT_WANT,          /* poll face: hand out up to n records now, if there are any (0 takes the want back) */
    OD_EVENT_GATE,          /* gate.taken true: a batch is held; false: given back */
    OD_EVENT_PAUSE,         /* ids, reason: an interned small number; count 0: all */
    OD_EVENT_RESUME,
    OD_EVENT_SEEK,        /* id, offset: what is out becomes stale; window and map start anew */
    OD_EVENT_MARK_OFFSET, /* id, offset: all handed out below it are ACK */
    OD_EVENT_COMMIT_WANT, /* ids (0: all), token: COMMIT_DONE answers when nothing marked is uncommitted */
    OD_EVENT_CLOSE,       /* leave: deadline_ms absolute; stop dispatch, let work finish, commit, LEAVE */
    OD_EVENT_LEFT,        /* the edge has left the group */
    OD_EVENT_SUSPECT, /* the process stood still too long: start, copy and commit nothing until CONFIRMED (or LOST) */
    OD_EVENT_CONFIRMED,
    OD_EVENT_CONCURRENCY, /* n */
    OD_EVENT_RATE,        /* n records a second, 0 none */
    OD_EVENT_LOG_START,   /* id, offset: the log now begins there; a parked record below it is gone */
    OD_EVENT_RESET_GUARD  /* the application resumes after dead_letter_rate, oversize, retry.on_lost: stop */
};

struct od_event {
    enum od_event_type type;
    int64_t now_ms, wall_ms;
    union {
        struct {
            const struct od_assign *list;
            size_t count;
        } assigned;
        struct od_ready ready;
        struct {
            const uint32_t *ids;
            size_t count;
            int64_t deadline_ms;
            bool valid_member;
        } partitions; /* REVOKE, LOST */
        struct {
            uint32_t id;
            const struct od_fetched *list;
            size_t count;
            int64_t next_offset;
            bool more;
            int32_t leader_epoch; /* of what lies before next_offset and is no record; -1 unknown, or nothing does */
        } fetched;                /* more: the queue may have more */
        struct {
            const struct od_settled *list;
            size_t count;
        } settled;
        struct {
            uint64_t record;
            enum od_copy_result result;
        } copied;
        struct {
            uint32_t id;
            uint64_t sequence;
            enum od_commit_result result;
        } committed;
        struct {
            uint64_t record;
            enum od_reread_result result;
            uint64_t tag;
            uint32_t size_bytes;
        } reread;
        struct {
            uint64_t sequence;
        } callback;
        struct {
            uint32_t id;
            int64_t offset;
            uint64_t topic_id_hash; /* SEEK into a topic that was made anew; else 0 */
        } position;                 /* POSITION SEEK MARK_OFFSET LOG_START */
        struct {
            uint64_t n;
        } number; /* WANT CONCURRENCY RATE */
        struct {
            bool taken;
        } gate;
        struct {
            const uint32_t *ids;
            size_t count;
            uint32_t reason;
        } pause;
        struct {
            const uint32_t *ids;
            size_t count;
            uint64_t token;
        } commit_want;
        struct {
            int64_t deadline_ms;
        } close;
    };
};

/* ---- effects: what to do ------------------------------------------------------------------------------- */

/* One record to run. A job is a run of these; its worker takes them in order, and when one does not end with ACK or DROP (or PENDING is returned)
 * the later ones of the same lane (and, after PENDING, of that lane only) come back as not_run. lane 0: none. */
struct od_run {
    uint64_t record, tag;
    uint32_t id; /* assignment */
    uint32_t lane;
    uint32_t attempt; /* from 1 */
};

enum od_named_state {
    OD_STATE_OFFSET_UNKNOWN,
    OD_STATE_MAP_FULL,
    OD_STATE_PARKED_FULL,
    OD_STATE_LANE_FULL,
    OD_STATE_WINDOW_FULL,
    OD_STATE_MEMORY_FULL,
    OD_STATE_CALLBACK_BLOCKED,
    OD_STATE_HANDLER_FAULT,
    OD_STATE_THROTTLED,
    OD_STATE_RELEASE_LOOP,
    OD_STATE_OVERSIZE,
    OD_STATE_COPY_FAILING,
    OD_STATE_FOREIGN_RETRY,
    OD_STATE_DEAD_LETTER_RATE,
    OD_STATE_RECORD_LOST,
    OD_STATE_COMMIT_FAILING,
    OD_STATE_READ_FAILING,
    OD_STATE_SUSPECT,
    OD_STATE_PAUSED,
    OD_STATE_TOPIC_MISSING,
    OD_STATE_STUCK,
    OD_STATE_COUNT
};
/* The word for a named state: "map_full". */
const char *od_named_state_word(enum od_named_state);

enum od_tell {
    OD_TELL_STATE_ENTERED, /* state, id (0: the member), offset */
    OD_TELL_STATE_LEFT,
    OD_TELL_GATE_FORCED,  /* the gate's deadline opened it; a: held ms */
    OD_TELL_DRAIN_CUT,    /* a: records still running when a drain ended */
    OD_TELL_LATE_OUTCOME, /* an outcome of a record that is gone */
    OD_TELL_DEAD_LETTER, /* record of id at offset went to the dead letters; a: attempts, b: od_copy_form; record, tag */
    OD_TELL_RETRY,       /* a: attempts spent, b: delay ms; record, tag */
    OD_TELL_MAP_REFUSED, /* the committed text was not ours or did not match: everything above the offset runs again; a: od_map_refusal */
    OD_TELL_MAP_CAP_HALVED, /* a: new cap */
    OD_TELL_SKIPPED,        /* a: records skipped because the map says they are done */
    OD_TELL_DUPLICATE_COPY, /* a second copy with the same orderly-copy: done, not run */
    OD_TELL_RELIEF,
    OD_TELL_RECORD_LOST, /* a parked record was passed by the log's start */
    OD_TELL_RETRY_AFTER_CLAMPED
};

enum od_effect_type {
    OD_EFFECT_FETCH, /* id, records, bytes: the edge may hand over that much now (a credit, replaces the one before; 0: nothing) */
    OD_EFFECT_REREAD, /* record, id, offset: read the bytes of a parked record again */
    OD_EFFECT_RUN,    /* first, count into effects->runs: one job for one worker (poll face: part of the batch) */
    OD_EFFECT_CANCEL, /* record, tag, reason, left_ms: tell its handler (at most once per reason) */
    OD_EFFECT_COPY,   /* record, tag, id, kind, form, attempts (spent), due_ms (Unix, 0 none), delay_ms */
    OD_EFFECT_COMMIT, /* id, offset, leader_epoch, text (borrowed until the next step), text_size, sequence */
    OD_EFFECT_ANSWER_REVOKE, /* ids in effects->ids[first..]: all of the open REVOKE: give them up now */
    OD_EFFECT_ANSWER_LOST,   /* the same for LOST */
    OD_EFFECT_CALLBACK,      /* kind (od_callback), ids, sequence: CALLBACK_DONE when it returned */
    OD_EFFECT_POSITION,      /* id, offset: ask the position callback; POSITION answers */
    OD_EFFECT_WAITING,       /* rebalance_waiting: left_ms, waiting */
    OD_EFFECT_SEEK,          /* id, offset: reading goes on there */
    OD_EFFECT_FORGET,        /* tag: the record is over */
    OD_EFFECT_LET_GO,        /* tag: the bytes may go; the record stays parked */
    OD_EFFECT_COMMIT_DONE,   /* token, error */
    OD_EFFECT_CLOSED_ASSIGNMENT, /* id: the stay is over, nothing more will name it; quit fds fire before, at the first cancel */
    OD_EFFECT_QUIT,              /* id, reason: partition workers must go (orderly_sleep, quit_fd) */
    OD_EFFECT_LEAVE,             /* everything is committed: leave the group; LEFT answers */
    OD_EFFECT_CLOSED,            /* the end: error OK or TIMEOUT */
    OD_EFFECT_TELL,              /* tell, id, offset, state, a, b */
    OD_EFFECT_RECALL /* record, tag: of a job that takes long; if no worker has begun it, back with not_run; else nothing */
};
enum od_callback { OD_CALLBACK_ASSIGNED, OD_CALLBACK_REVOKED, OD_CALLBACK_LOST };

struct od_effect {
    enum od_effect_type type;
    uint32_t id; /* assignment */
    uint64_t record, tag;
    int64_t offset;
    union {
        struct {
            uint32_t records;
            int64_t bytes;
        } fetch;
        struct {
            size_t first, count;
        } run;
        struct {
            enum orderly_reason reason;
            int64_t left_ms;
        } cancel; /* CANCEL, QUIT */
        struct {
            enum od_copy_kind kind;
            enum od_copy_form form;
            uint32_t attempts;
            int64_t due_ms, delay_ms;
        } copy;
        struct {
            int32_t leader_epoch;
            const char *text;
            size_t text_size;
            uint64_t sequence;
        } commit;
        struct {
            size_t first, count;
            enum od_callback callback;
            uint64_t sequence;
        } ids; /* ANSWER_*, CALLBACK */
        struct {
            enum orderly_waiting waiting;
            int64_t left_ms;
        } waiting;
        struct {
            uint64_t token;
            enum orderly_err error;
        } done; /* COMMIT_DONE, CLOSED */
        struct {
            enum od_tell tell;
            enum od_named_state state;
            int64_t a, b;
        } tell;
    };
};

/* The effects of one step, in order. The caller owns it and reuses it; od_core_step empties it first. */
struct od_effects {
    struct od_effect *list;
    size_t count, capacity;
    struct od_run *runs;
    size_t run_count, run_capacity;
    uint32_t *ids;
    size_t id_count, id_capacity;
};
void od_effects_fini(struct od_effects *);

/* ---- the core ------------------------------------------------------------------------------------------ */

/* Errors: NOMEM. */
enum orderly_err od_core_new(const struct od_core_config *, struct od_core **ret);
void od_core_free(struct od_core *);
/* One step. Errors: NOMEM: the core must not be used further (the owner stops, nothing was committed that is not done). */
enum orderly_err od_core_step(struct od_core *, const struct od_event *, struct od_effects *);
/* When to come back with TICK at the latest (monotonic ms); INT64_MAX: no need. */
int64_t od_core_deadline(const struct od_core *);

/* ---- looking ------------------------------------------------------------------------------------------- */

struct od_core_counters {
    uint64_t fetched, skipped, started, acked, retried, dead_lettered, released, dropped, held, throttled,
        late_outcomes, duplicate_copies;
    uint64_t copies, copy_failures, reliefs, rereads, reread_failures, commits, commit_failures, commits_fenced;
    uint64_t revokes, losts, assigns, gate_forced, drains_cut, records_lost, retry_clamped;
    uint64_t left_uncommitted; /* of partitions that went with commit.interval never */
    uint64_t early;            /* must stay 0: a retry that ran before its time */
};
struct od_core_totals {
    uint64_t queued, running, parked, copying, let_go;
    uint64_t bytes_held, bytes_copying;
    uint32_t concurrency;
    bool closing, suspect, gate_held;
    int64_t gate_held_since_ms, gate_until_ms; /* until INT64_MAX: nothing waits */
    enum orderly_waiting waiting;
};
struct od_core_partition {
    uint32_t id, topic;
    int32_t partition;
    enum od_topic_kind kind;
    const char *state; /* waiting, active, paused, closing_gate, callback, draining, committing */
    int64_t watermark; /* first unfinished offset; -1 unknown */
    int64_t committed; /* last acknowledged commit; -1 none */
    int64_t position;  /* next offset to read; -1 unknown */
    uint64_t queued, running, parked, done_above;
    uint64_t
        uncommitted; /* done below the watermark or above it, and no acknowledged commit says that it is below its offset */
    int64_t oldest_started_ms;              /* monotonic; 0 none */
    int64_t oldest_offset;                  /* of it; -1 none */
    int64_t next_due_ms;                    /* monotonic; 0 none */
    uint32_t states;                        /* bit set of od_named_state */
    int64_t state_since_ms[OD_STATE_COUNT]; /* monotonic */
    int64_t state_offset[OD_STATE_COUNT];
};
const struct od_core_counters *od_core_counters(const struct od_core *);
void od_core_totals(const struct od_core *, struct od_core_totals *ret);
/* false: no such assignment. */
bool od_core_partition(const struct od_core *, uint32_t id, struct od_core_partition *ret);
/* The reasons for which any partition is paused: a bit set of their numbers. */
uint64_t od_core_pauses(const struct od_core *);
/* Member-wide named states, as in od_core_partition. */
uint32_t od_core_states(const struct od_core *);

#endif
