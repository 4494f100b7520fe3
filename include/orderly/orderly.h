/*
 * Orderly: a Kafka consumer for work that takes time.
 *
 * One object, `struct orderly`, is one member of one consumer group. It is driven either by orderly_poll()
 * (the caller owns the loop) or by orderly_run() (the library owns it); never by both.
 *
 * Unless a function says otherwise it may be called from any thread. Functions that can fail return
 * `enum orderly_err` and set their `ret_` parameters only on ORDERLY_OK. Strings are UTF-8 and end with NUL;
 * keys and values are bytes. Times are milliseconds; points in time are Unix milliseconds (UTC).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ORDERLY_ORDERLY_H
#define ORDERLY_ORDERLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define ORDERLY_API __attribute__((visibility("default")))
#define ORDERLY_CHECKED ORDERLY_API __attribute__((warn_unused_result))
#else
#define ORDERLY_API
#define ORDERLY_CHECKED
#endif

#define ORDERLY_VERSION_MAJOR 0
#define ORDERLY_VERSION_MINOR 1
#define ORDERLY_VERSION_PATCH 0

/* ---- Errors ------------------------------------------------------------------------------------------- */

/* Each error: name, value, text. */
#define ORDERLY_ERRORS(X)                                                            \
    X(OK, 0, "ok")                                                                   \
    X(NOMEM, 1, "out of memory")                                                     \
    X(INVALID, 2, "invalid argument")                                                \
    X(CONFIG, 3, "configuration refused")                                            \
    X(STATE, 4, "not possible in this state")                                        \
    X(TIMEOUT, 5, "timed out")                                                       \
    X(INTERRUPTED, 6, "interrupted by a wake")                                       \
    X(CLOSED, 7, "closed")                                                           \
    X(CANCELLED, 8, "cancelled")                                                     \
    X(STALE, 9, "the partition is no longer ours")                                   \
    X(FENCED, 10, "fenced: the group has gone on without this member")               \
    X(AUTH, 11, "not authorised")                                                    \
    X(UNKNOWN_TOPIC, 12, "unknown topic")                                            \
    X(NO_OFFSET, 13, "no committed offset, and `start` does not say where to begin") \
    X(LIMIT, 14, "a limit is reached")                                               \
    X(UNSUPPORTED, 15, "not supported")                                              \
    X(KAFKA, 16, "Kafka error")                                                      \
    X(FATAL, 17, "fatal error")

enum orderly_err {
#define ORDERLY_ERROR_ENUM(name, value, text) ORDERLY_##name = value,
    ORDERLY_ERRORS(ORDERLY_ERROR_ENUM)
#undef ORDERLY_ERROR_ENUM
};

/* Detail of an error; the caller owns it. `kafka_code` is librdkafka's code, 0 when Kafka had no part in it. */
struct orderly_error {
    size_t size;
    enum orderly_err code;
    int kafka_code;
    char text[512];
};
#define ORDERLY_ERROR_INIT                           \
    {                                                \
        sizeof(struct orderly_error), ORDERLY_OK, 0, \
        {                                            \
            0                                        \
        }                                            \
    }

/* The text of an error code; never NULL. */
ORDERLY_API const char *orderly_strerror(enum orderly_err code);
/* This library's version, such as "0.1.0". */
ORDERLY_API const char *orderly_version(void);
/* The version of librdkafka that runs below. */
ORDERLY_API const char *orderly_engine_version(void);

/* ---- Values ------------------------------------------------------------------------------------------- */

struct orderly_config; /* settings, by name */
struct orderly;        /* one member of one consumer group */
struct orderly_record; /* one record; counted reference; its bytes live as long as it does */
struct orderly_batch;  /* what one poll returned */

/* A partition; partition -1 means all of the topic. */
struct orderly_partition {
    const char *topic;
    int32_t partition;
};

/* Bytes; data NULL is Kafka's null. */
struct orderly_bytes {
    const void *data;
    size_t size;
};

struct orderly_header {
    const char *name;
    struct orderly_bytes value;
};

/* What becomes of a record. */
enum orderly_outcome {
    ORDERLY_UNSET = 0,       /* nobody has said: a handler fault, the record is held */
    ORDERLY_ACK = 1,         /* done */
    ORDERLY_RETRY = 2,       /* again later; spends an attempt */
    ORDERLY_DEAD_LETTER = 3, /* never again, keep it for people; spends an attempt */
    ORDERLY_RELEASE = 4,     /* given back, nobody's fault; spends no attempt */
    ORDERLY_DROP = 5,        /* never again, do not keep it (counted) */
    ORDERLY_HOLD = 6, /* the handler is at fault, not the record: hold it, try again after a pause, spend no attempt */
    ORDERLY_THROTTLE = 7, /* the handler is busy: retry without spending an attempt, and start less meanwhile */
    ORDERLY_PENDING = 100 /* returned by a handler that settles later */
};

/* Why a record is cancelled. */
enum orderly_reason {
    ORDERLY_REASON_NONE = 0,
    ORDERLY_REASON_REVOKED = 1, /* its partition goes to another member */
    ORDERLY_REASON_LOST = 2,    /* its partition has gone already */
    ORDERLY_REASON_CLOSING = 3, /* this member leaves */
    ORDERLY_REASON_TIMEOUT = 4, /* the handler's own time is over */
    ORDERLY_REASON_SEEK = 5     /* the application moved the partition's position */
};

enum orderly_waiting {
    ORDERLY_WAITING_NONE = 0,
    ORDERLY_WAITING_REVOKE = 1,
    ORDERLY_WAITING_LEAVE = 2,
    ORDERLY_WAITING_LOST = 3
};

/* The gate: what a held batch keeps waiting. left_ms is a lower bound; INT64_MAX when nothing waits. */
struct orderly_gate {
    size_t size;
    bool held;
    int64_t held_ms, left_ms;
    enum orderly_waiting waiting;
    size_t records_out;
};
#define ORDERLY_GATE_INIT                                                 \
    {                                                                     \
        sizeof(struct orderly_gate), false, 0, 0, ORDERLY_WAITING_NONE, 0 \
    }

struct orderly_offset {
    struct orderly_partition partition;
    int64_t offset; /* the next one to read */
    enum orderly_err error;
};

/* ---- Configure, make, end ----------------------------------------------------------------------------- */

enum orderly_log_level { ORDERLY_LOG_ERROR = 3, ORDERLY_LOG_WARNING = 4, ORDERLY_LOG_INFO = 6, ORDERLY_LOG_DEBUG = 7 };

/*
 * Callbacks run one at a time, in order, on a thread of the library's own: blocking in one stops neither
 * heartbeats nor timers nor cancellation. Inside one, close, commit, settle and pause are allowed; drain, free, poll
 * and run return ORDERLY_STATE. Arguments are borrowed until the callback returns. Any of them may be NULL.
 */
struct orderly_callbacks {
    size_t size;
    /* Partitions are ours; returns before the first record of them is handed out. */
    void (*assigned)(struct orderly *, const struct orderly_partition *, size_t count, void *userdata);
    /* Partitions are about to go; they are ours, and commits work, until it returns or the hold ends. May block. */
    void (*revoked)(struct orderly *, const struct orderly_partition *, size_t count, void *userdata);
    /* Partitions are someone else's already: no commit is possible. */
    void (*lost)(struct orderly *, const struct orderly_partition *, size_t count, void *userdata);
    /* A rebalance waits for the gate; fires once for each that waits. */
    void (*rebalance_waiting)(struct orderly *, const struct orderly_gate *, void *userdata);
    /* Before the first fetch of a partition; may change the offset. */
    void (*position)(struct orderly *, const struct orderly_partition *, int64_t *offset, void *userdata);
    /* Answers to commits, in order. */
    void (*committed)(struct orderly *, const struct orderly_offset *, size_t count, void *userdata);
    /*
     * One line of log. May come from any of the library's threads; must not block. The only one that is not serialised. What waits, or asks the
     * member something, returns STATE in it; close and wake are allowed.
     */
    void (*log)(int level, const char *area, const char *text, void *userdata);
};
#define ORDERLY_CALLBACKS_INIT                                                     \
    {                                                                              \
        sizeof(struct orderly_callbacks), NULL, NULL, NULL, NULL, NULL, NULL, NULL \
    }

/* An empty set of settings, all at their defaults. The caller frees it. Errors: NOMEM, INVALID. */
ORDERLY_CHECKED enum orderly_err orderly_config_new(struct orderly_config **ret);
/*
 * Sets one setting by its dotted name ("retry.attempts", "kafka.bootstrap.servers") from text as a person writes
 * it ("30s", "64MiB", "orders,payments"). Errors: CONFIG (unknown name, bad value; the error says which and how to mend it).
 */
ORDERLY_CHECKED enum orderly_err orderly_config_set(struct orderly_config *, const char *name, const char *value,
                                                    struct orderly_error *error);
/* Writes the value of a setting as text. Errors: CONFIG (unknown name), LIMIT (the buffer is too small). */
ORDERLY_CHECKED enum orderly_err orderly_config_get(const struct orderly_config *, const char *name, char *buffer,
                                                    size_t size);
/* Copies the callbacks; `userdata` is borrowed for the life of every member made from it. */
ORDERLY_CHECKED enum orderly_err orderly_config_callbacks(struct orderly_config *, const struct orderly_callbacks *,
                                                          void *userdata);
/* NULL is fine. */
ORDERLY_API void orderly_config_free(struct orderly_config *);

enum orderly_setting_type {
    ORDERLY_SETTING_TEXT = 1,
    ORDERLY_SETTING_LIST, /* comma-separated texts */
    ORDERLY_SETTING_BOOL,
    ORDERLY_SETTING_NUMBER,
    ORDERLY_SETTING_DECIMAL,
    ORDERLY_SETTING_PERCENT,
    ORDERLY_SETTING_DURATION, /* "250ms", "30s", "10m", "24h", "7d"; some accept "never" or "none" */
    ORDERLY_SETTING_BYTES,    /* "512", "64KiB", "64MiB", "1GiB" */
    ORDERLY_SETTING_CHOICE    /* one of `choices` */
};

/* One row of the table of settings: what a manual, a completion or a form needs. All pointers are static. */
struct orderly_setting {
    size_t size;
    const char *name;
    enum orderly_setting_type type;
    const char *default_value; /* as text; "" when there is none */
    const char *choices;       /* "a|b|c" for CHOICE, else NULL */
    const char *text;          /* one sentence: what it does */
    const char *when_met;      /* a limit: what happens when it is met; else NULL */
    bool run_time;             /* may change while running (SIGHUP) */
    bool secret;               /* masked when printed */
};
#define ORDERLY_SETTING_INIT                                                                             \
    {                                                                                                    \
        sizeof(struct orderly_setting), NULL, ORDERLY_SETTING_TEXT, NULL, NULL, NULL, NULL, false, false \
    }

/* The number of rows in the table of settings (kafka.* properties, which librdkafka owns, are not in it). */
ORDERLY_API size_t orderly_setting_count(void);
/* Row i of the table. Errors: INVALID (no such row). */
ORDERLY_CHECKED enum orderly_err orderly_setting_at(size_t i, struct orderly_setting *ret);
/* Checks that all settings fit together, as orderly_new() does, and connects to nothing. Errors: CONFIG. */
ORDERLY_CHECKED enum orderly_err orderly_config_check(const struct orderly_config *, struct orderly_error *error);
/* Whether the engine takes this property (without "kafka."). Errors: UNSUPPORTED (it has none of that name), CONFIG (refused, or the value). */
ORDERLY_CHECKED enum orderly_err orderly_property_check(const char *name, const char *value,
                                                        struct orderly_error *error);

/* A member of a group; copies the settings; connects to nothing before the first poll or run. Errors: CONFIG, NOMEM. */
ORDERLY_CHECKED enum orderly_err orderly_new(const struct orderly_config *, struct orderly **ret,
                                             struct orderly_error *error);
/* Refuses new work and begins to leave the group; gives the gate back. Async-signal-safe, idempotent. */
ORDERLY_CHECKED enum orderly_err orderly_close(struct orderly *);
/*
 * Closes, waits for running work, commits, leaves. A negative timeout means `close_timeout`. Errors: TIMEOUT (what still
 * ran was released), STATE (inside a callback), KAFKA (the last commit was refused).
 */
ORDERLY_CHECKED enum orderly_err orderly_drain(struct orderly *, int64_t timeout_ms);
/* NULL is fine; closes first if needed and waits no longer than that takes. Records that were ref'd stay readable. */
ORDERLY_API void orderly_free(struct orderly *);

/* ---- Poll face ---------------------------------------------------------------------------------------- */

/*
 * Waits up to timeout_ms (0: not at all, -1: for ever) for at most max_records records. ORDERLY_OK means at least one;
 * only then is the gate held (with `block_rebalance_on_poll`). Records of one partition are adjacent and in offset
 * order; a cap is shared fairly between partitions. One thread at a time.
 * Errors: TIMEOUT (nothing came), INTERRUPTED (orderly_wake), CLOSED, STATE (in a callback, or run is used), AUTH, FENCED,
 * UNKNOWN_TOPIC (a topic is gone, or was added and is not there: it is read once it is), NO_OFFSET, CONFIG, KAFKA, FATAL (the engine
 * begins anew by itself). After one that ends the member each poll returns it.
 */
ORDERLY_CHECKED enum orderly_err orderly_poll(struct orderly *, size_t max_records, int64_t timeout_ms,
                                              struct orderly_batch **ret);
/* The sentence behind the last error that poll or run met. Errors: INVALID. */
ORDERLY_CHECKED enum orderly_err orderly_last_error(struct orderly *, struct orderly_error *ret);
/* Gives back what all polls so far took: a waiting rebalance may go on. Idempotent. */
ORDERLY_API void orderly_allow_rebalance(struct orderly *);
/* What the gate is doing now. Errors: INVALID. */
ORDERLY_CHECKED enum orderly_err orderly_gate(struct orderly *, struct orderly_gate *ret);
/* Readable when a poll would not wait, and before the first one, which joins the group. Owned by the object. -1 when there is none. */
ORDERLY_API int orderly_poll_fd(struct orderly *);
/* Ends one waiting poll (or the next one) with INTERRUPTED. Async-signal-safe. */
ORDERLY_API void orderly_wake(struct orderly *);

struct orderly_slice {
    struct orderly_partition partition;
    size_t first, count;
};

/* The number of records in the batch. */
ORDERLY_API size_t orderly_batch_count(const struct orderly_batch *);
/* Borrowed until the batch is freed; NULL past the end. */
ORDERLY_API struct orderly_record *orderly_batch_record(const struct orderly_batch *, size_t i);
/* The batch by partition; returns the number of slices. Borrowed until the batch is freed. */
ORDERLY_API size_t orderly_batch_slices(const struct orderly_batch *, const struct orderly_slice **ret);
/* Records that were ref'd stay; unsettled ones without a reference are released. NULL is fine. */
ORDERLY_API void orderly_batch_free(struct orderly_batch *);

/* ---- Settle and commit (both faces) -------------------------------------------------------------------- */

struct orderly_settlement {
    size_t size;
    enum orderly_outcome outcome;
    int64_t delay_ms;        /* of a retry; -1: the policy decides */
    int64_t due_ms;          /* of a retry, Unix milliseconds; 0: none */
    const char *error_class; /* a stable word, copied; may be NULL */
    const char *error_text;  /* copied; may be NULL */
};
#define ORDERLY_SETTLEMENT_INIT                                             \
    {                                                                       \
        sizeof(struct orderly_settlement), ORDERLY_UNSET, -1, 0, NULL, NULL \
    }

/* Says what becomes of a record. Errors: INVALID (settled before, UNSET or PENDING), STALE (its partition has gone: counted, moves nothing). */
ORDERLY_CHECKED enum orderly_err orderly_settle(struct orderly_record *, const struct orderly_settlement *);
/* Settles as ACK. Errors as orderly_settle(). */
ORDERLY_CHECKED enum orderly_err orderly_mark(struct orderly_record *);
/* Settles as ACK each record of the batch that is not settled yet. Errors: STALE when one of them was. */
ORDERLY_CHECKED enum orderly_err orderly_mark_batch(struct orderly_batch *);
/* Acks everything handed out of this partition below `next`. Errors: STALE (not ours), INVALID. */
ORDERLY_CHECKED enum orderly_err orderly_mark_offset(struct orderly *, const struct orderly_partition *, int64_t next);
/*
 * Commits what is settled, of these partitions (count 0: of all), and waits for the answer; waits for a commit in flight, never
 * for a rebalance that waits for it. Errors: TIMEOUT, STALE, FENCED, KAFKA.
 */
ORDERLY_CHECKED enum orderly_err orderly_commit(struct orderly *, const struct orderly_partition *, size_t count,
                                                int64_t timeout_ms, struct orderly_error *error);
/* Commits all that is settled; the answer goes to callbacks.committed. */
ORDERLY_CHECKED enum orderly_err orderly_commit_async(struct orderly *);
/* The last committed offset of a partition of ours. Errors: STALE, NO_OFFSET. */
ORDERLY_CHECKED enum orderly_err orderly_committed(struct orderly *, const struct orderly_partition *,
                                                   int64_t *ret_offset);

struct orderly_backlog {
    size_t size;
    uint64_t done_above; /* settled, not yet committed or above an unfinished one */
    uint64_t running;    /* handed out, not settled */
    uint64_t parked;     /* waiting for their time */
};
#define ORDERLY_BACKLOG_INIT                    \
    {                                           \
        sizeof(struct orderly_backlog), 0, 0, 0 \
    }
/* What is unfinished of a partition of ours (partition -1: of the topic). Errors: STALE. */
ORDERLY_CHECKED enum orderly_err orderly_uncommitted(struct orderly *, const struct orderly_partition *,
                                                     struct orderly_backlog *ret);

/* ---- Partition workers (poll face) --------------------------------------------------------------------- */

/* Sleeps; CANCELLED as soon as the partition must go (also while a held batch keeps that waiting), CLOSED when the member leaves, STALE when it is not ours. */
ORDERLY_CHECKED enum orderly_err orderly_sleep(struct orderly *, const struct orderly_partition *, int64_t ms);
/* A descriptor that is readable from the moment the partition must go. Owned by the object until it is freed. Errors: STALE, LIMIT (out of fds). */
ORDERLY_CHECKED enum orderly_err orderly_quit_fd(struct orderly *, const struct orderly_partition *, int *ret_fd);
/* Waits until every record handed out from these partitions (count 0: all) is settled or released. Errors: TIMEOUT. */
ORDERLY_CHECKED enum orderly_err orderly_settle_wait(struct orderly *, const struct orderly_partition *, size_t count,
                                                     int64_t timeout_ms);

/* ---- Run face ------------------------------------------------------------------------------------------ */

struct orderly_handler {
    size_t size;
    void *userdata;
    /* One record, on a worker thread. Returns its outcome, or PENDING and settles later from any thread. */
    enum orderly_outcome (*handle)(struct orderly_record *, void *userdata);
    /* Instead of handle: up to batch_max records at once; outcomes[] begins as UNSET. */
    void (*handle_batch)(struct orderly_record **, size_t count, enum orderly_outcome *outcomes, void *userdata);
    size_t batch_max;
    int64_t batch_wait_ms;
    uint32_t workers;       /* threads; 0: one for each CPU */
    int64_t timeout_ms;     /* 0: none; then cancel with reason TIMEOUT */
    int64_t stuck_grace_ms; /* after the cancel; then reported as stuck, never settled for the user */
};
#define ORDERLY_HANDLER_INIT                                            \
    {                                                                   \
        sizeof(struct orderly_handler), NULL, NULL, NULL, 0, 0, 0, 0, 0 \
    }

/*
 * Consumes until closed, drained or fatal. Errors: CONFIG, AUTH, FENCED, UNKNOWN_TOPIC, NO_OFFSET, KAFKA (no broker within
 * `start_timeout`), TIMEOUT (work still ran at the end of `close_timeout`), STATE (poll is used, or a callback), FATAL.
 */
ORDERLY_CHECKED enum orderly_err orderly_run(struct orderly *, const struct orderly_handler *,
                                             struct orderly_error *error);

/* ---- A record ------------------------------------------------------------------------------------------ */

struct orderly_record_view {
    size_t size;
    const char *topic; /* where this record was read */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct orderly_bytes key, value;
    size_t header_count;
    int32_t leader_epoch;     /* -1: unknown */
    uint32_t attempt;         /* which run this is, from 1 */
    int64_t due_ms;           /* 0: none */
    const char *origin_topic; /* the first one of its life */
    int32_t origin_partition;
    int64_t origin_offset;
    int64_t origin_timestamp_ms;
    const char *idempotency_key;
    uint64_t fence;
};
#define ORDERLY_RECORD_VIEW_INIT                                                                                    \
    {                                                                                                               \
        sizeof(struct orderly_record_view), NULL, 0, 0, 0, {NULL, 0}, {NULL, 0}, 0, 0, 0, 0, NULL, 0, 0, 0, NULL, 0 \
    }

/* All of the following in one call, for bindings. Pointers are borrowed until unref. */
ORDERLY_CHECKED enum orderly_err orderly_record_view(struct orderly_record *, struct orderly_record_view *ret);
ORDERLY_API const char *orderly_record_topic(const struct orderly_record *);
ORDERLY_API int32_t orderly_record_partition(const struct orderly_record *);
ORDERLY_API int64_t orderly_record_offset(const struct orderly_record *);
ORDERLY_API int64_t orderly_record_timestamp_ms(const struct orderly_record *);
ORDERLY_API struct orderly_bytes orderly_record_key(const struct orderly_record *);
ORDERLY_API struct orderly_bytes orderly_record_value(const struct orderly_record *);
ORDERLY_API size_t orderly_record_header_count(struct orderly_record *);
/* Header i, in the record's order; name NULL past the end. */
ORDERLY_API struct orderly_header orderly_record_header(struct orderly_record *, size_t i);
/* The last header of this name; data NULL when there is none (or its value is null). */
ORDERLY_API struct orderly_bytes orderly_record_header_named(struct orderly_record *, const char *name);
ORDERLY_API int32_t orderly_record_leader_epoch(const struct orderly_record *);
/* Which run this is, from 1. */
ORDERLY_API uint32_t orderly_record_attempt(const struct orderly_record *);
ORDERLY_API int64_t orderly_record_due_ms(const struct orderly_record *);
ORDERLY_API const char *orderly_record_origin_topic(const struct orderly_record *);
ORDERLY_API int32_t orderly_record_origin_partition(const struct orderly_record *);
ORDERLY_API int64_t orderly_record_origin_offset(const struct orderly_record *);
ORDERLY_API int64_t orderly_record_origin_timestamp_ms(const struct orderly_record *);
/* The same text over every retry of one record. */
ORDERLY_API const char *orderly_record_idempotency_key(const struct orderly_record *);
/*
 * Never falls for one idempotency key: a store that keeps the largest can refuse a late writer. It is the broker's count of the group's generations, which begins
 * anew only when the group is deleted, or has no members while it changes between the classic and the consumer protocol.
 */
ORDERLY_API uint64_t orderly_record_fence(const struct orderly_record *);
/* Whether it should stop, why, and a lower bound of the time left (INT64_MAX: no limit). Both ret may be NULL. */
ORDERLY_API bool orderly_record_cancelled(const struct orderly_record *, enum orderly_reason *ret_reason,
                                          int64_t *ret_left_ms);
/* Readable once cancelled; made when asked for; borrowed until unref. Errors: LIMIT (out of fds). */
ORDERLY_CHECKED enum orderly_err orderly_record_cancel_fd(struct orderly_record *, int *ret_fd);
/* Sleeps; CANCELLED as soon as the record is cancelled. */
ORDERLY_CHECKED enum orderly_err orderly_record_sleep(struct orderly_record *, int64_t ms);
/* Moves the handler's deadline to now + ms. Errors: STALE, INVALID. */
ORDERLY_CHECKED enum orderly_err orderly_record_extend(struct orderly_record *, int64_t ms);
/* Class and text for the outcome that the handler is about to return; copied. Errors: NOMEM. */
ORDERLY_CHECKED enum orderly_err orderly_record_set_error(struct orderly_record *, const char *error_class,
                                                          const char *text);
/* The delay for a retry that the handler is about to return; -1: the policy decides. */
ORDERLY_API void orderly_record_set_delay(struct orderly_record *, int64_t delay_ms);
ORDERLY_API struct orderly_record *orderly_record_ref(struct orderly_record *);
/* The last reference gone without an outcome releases the record. NULL is fine. */
ORDERLY_API void orderly_record_unref(struct orderly_record *);

/* ---- Group and control --------------------------------------------------------------------------------- */

/* Partitions assigned now. Sets *ret_list to an array the caller frees with orderly_assignment_free(). */
ORDERLY_CHECKED enum orderly_err orderly_assignment(struct orderly *, struct orderly_partition **ret_list,
                                                    size_t *ret_count);
ORDERLY_API void orderly_assignment_free(struct orderly_partition *list, size_t count);

struct orderly_member {
    size_t size;
    char group[256], member_id[128];
    int32_t generation; /* or member epoch; -1: none */
    char protocol[32];  /* "classic-eager", "classic-cooperative", "consumer", "" before the first assignment */
    char state[32];     /* a word: starting, joining, stable, holding, leaving, left, recovering */
};
#define ORDERLY_MEMBER_INIT                               \
    {                                                     \
        sizeof(struct orderly_member), {0}, {0}, -1, {0}, \
        {                                                 \
            0                                             \
        }                                                 \
    }
ORDERLY_CHECKED enum orderly_err orderly_member(struct orderly *, struct orderly_member *ret);

/* One sample of a metric, as Prometheus knows them: name{labels} value. */
struct orderly_metric {
    const char *name;   /* "orderly_records_fetched_total" */
    const char *labels; /* "topic=\"orders\",stage=\"source\"" or "" */
    const char *type;   /* counter | gauge | histogram */
    double value;
};
/* A state a partition, or the member, is in now and does not leave by itself at once. */
struct orderly_condition {
    const char *name;                   /* map_full, parked_full, offset_unknown, ... (design.md 1) */
    struct orderly_partition partition; /* topic NULL: the member as a whole */
    int64_t since_ms;                   /* Unix milliseconds */
    int64_t offset;                     /* of the record concerned; -1: none */
    const char *text;                   /* one sentence */
};
/* What one partition is doing. */
struct orderly_partition_stats {
    struct orderly_partition partition;
    const char *state;                /* a word of the life cycle: waiting, active, paused, draining */
    bool retry;                       /* the group's own retry topic */
    int64_t committed, position, end; /* -1: unknown */
    uint64_t queued, running, parked, done_above;
    int64_t oldest_running_ms; /* how long the oldest running record has run; 0: none */
    int64_t next_due_ms;       /* Unix milliseconds; 0: nothing parked */
};
struct orderly_stats {
    size_t size;
    size_t metric_count, condition_count, partition_count;
    const struct orderly_metric *metrics;
    const struct orderly_condition *conditions;
    const struct orderly_partition_stats *partitions;
};
/* A copy of all metrics, named states and partitions. The caller frees it with orderly_stats_free(). */
ORDERLY_CHECKED enum orderly_err orderly_stats(struct orderly *, struct orderly_stats **ret);
ORDERLY_API void orderly_stats_free(struct orderly_stats *);

/*
 * Stops handing out records of partitions (count 0: all), for a reason. Counted by reason: one resume does not clear another's pause.
 * Ends with the assignment. What runs goes on. Errors: STALE (none of them is ours), INVALID, LIMIT (62 reasons at once).
 */
ORDERLY_CHECKED enum orderly_err orderly_pause(struct orderly *, const struct orderly_partition *, size_t count,
                                               const char *reason);
ORDERLY_CHECKED enum orderly_err orderly_resume(struct orderly *, const struct orderly_partition *, size_t count,
                                                const char *reason);
/* Moves the position: what is out becomes stale, window and map start anew, the commit may go back. Errors: STALE, INVALID. */
ORDERLY_CHECKED enum orderly_err orderly_seek(struct orderly *, const struct orderly_partition *, int64_t offset);
/*
 * All or none of them. OK means accepted; with eager protocols everything is revoked first. Errors: CLOSED, INVALID (no name of a topic, or that of a retry or
 * dead-letter topic of this group), UNKNOWN_TOPIC (to remove what is not read).
 */
ORDERLY_CHECKED enum orderly_err orderly_add_topics(struct orderly *, const char *const *topics, size_t count);
ORDERLY_CHECKED enum orderly_err orderly_remove_topics(struct orderly *, const char *const *topics, size_t count);
/* Records in flight from now on; running ones end as they do. Errors: INVALID (0, or above 1,000,000). */
ORDERLY_CHECKED enum orderly_err orderly_set_concurrency(struct orderly *, uint32_t concurrency);
/* Records started per second from now on (rate.records_per_second); 0: no limit. Errors: INVALID (above 1,000,000,000). */
ORDERLY_CHECKED enum orderly_err orderly_set_rate(struct orderly *, uint32_t records_per_second);

struct orderly_lag {
    struct orderly_partition partition;
    int64_t end, committed; /* -1: unknown */
    uint64_t done_above, parked;
};
/* Lag of each assigned partition. The caller frees the array with orderly_lag_free(). */
ORDERLY_CHECKED enum orderly_err orderly_lag(struct orderly *, struct orderly_lag **ret_list, size_t *ret_count);
ORDERLY_API void orderly_lag_free(struct orderly_lag *list, size_t count);

#ifdef __cplusplus
}
#endif
#endif
