/*
 * What the files of the edge share: the engine's parts. One file each, one struct each, all owned by the loop thread; only struct od_wake is
 * touched by librdkafka's threads.
 *
 * A *stay* is one assignment of one partition to this member (od_assign.id). A *request* is a question to librdkafka that answers later on
 * the handle's queue `answers`; when the handle goes first, its requests are answered with no event.
 */
#ifndef OD_KAFKA_INSIDE_H
#define OD_KAFKA_INSIDE_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "base/map.h"
#include "base/vec.h"
#include "kafka/engine.h"

/* ---- wake.c: what other threads may touch ---------------------------------------------------------------- */

struct od_wake;
struct od_wake *od_wake_new(const struct od_engine_sink *);
struct od_wake *od_wake_ref(struct od_wake *);
void od_wake_unref(struct od_wake *);
int od_wake_fd(const struct od_wake *);
/* Thread: any. Makes the fd readable. */
void od_wake_signal(struct od_wake *);
/* Takes the signal back; before looking at what it was for. */
void od_wake_clear(struct od_wake *);
/* Thread: any. To the sink, unless closed. */
void od_wake_log(struct od_wake *, int level, const char *area, const char *text);
/* The sink is not called any more. */
void od_wake_close(struct od_wake *);

/* ---- handle.c: librdkafka handles ------------------------------------------------------------------------ */

/* READER reads by assignment only, ASKER asks for the group's offsets; neither joins. */
enum od_handle_kind { OD_HANDLE_CONSUMER, OD_HANDLE_PRODUCER, OD_HANDLE_READER, OD_HANDLE_ASKER };

struct od_handle {
    enum od_handle_kind kind;
    rd_kafka_t *rk;
    rd_kafka_queue_t *main, *consumer, *answers; /* consumer: all but PRODUCER */
    struct od_wake *wake;
    bool leave_first;                 /* its destruction leaves the group */
    struct od_answering *answering;   /* answer.c: threads that still use `rk` */
    int64_t looked_ms, look_again_ms; /* od_handle_look_for_brokers(): when, and how long until the next time */
};

/* What librdkafka may use, derived from memory.records (handle.c says how). */
struct od_budget {
    int64_t queue_kbytes, queue_messages, partition_fetch, fetch;
};
void od_budget_derive(const struct od_settings *, struct od_budget *ret);
/* Whether a kafka.* property was set to this. */
bool od_settings_property_is(const struct od_settings *, const char *name, const char *value);
/* Checks the settings against librdkafka without connecting. */
enum orderly_err od_handle_check(const struct od_settings *, struct orderly_error *);
enum orderly_err od_handle_open(const struct od_settings *, struct od_wake *, enum od_handle_kind,
                                struct od_handle **ret, struct orderly_error *);
/* Nobody has answered a question of this handle: the bootstrap servers are tried anew, now and then. */
void od_handle_look_for_brokers(struct od_engine *, struct od_handle *);
/* Gives it to a thread that destroys it (that can hang); NULL is fine. */
struct od_retired;
void od_handle_retire(struct od_engine *, struct od_handle *);
/* Waits for those threads until `timeout_ms` from now; what hangs is left behind. */
void od_handle_await_retired(struct od_engine *, int64_t timeout_ms);

/* ---- request.c: questions that answer later ---------------------------------------------------------------- */

struct od_request {
    struct od_request *next, *prev;
    struct od_handle *handle;
    /* event NULL: the handle has gone. Frees the request. */
    void (*done)(struct od_engine *, struct od_request *, rd_kafka_event_t *event);
};
void od_request_add(struct od_engine *, struct od_handle *, struct od_request *);
void od_request_remove(struct od_engine *, struct od_request *);
/* Whether this is librdkafka's own word that no broker has answered. */
bool od_request_unanswered(rd_kafka_resp_err_t);
/* Answers what waits in the queue of a handle; where no broker has answered, its bootstrap servers are tried anew. */
void od_request_serve(struct od_engine *, struct od_handle *);
/* Answers all of a handle with no event. */
void od_request_drop(struct od_engine *, struct od_handle *);
/* Options of an admin call whose answer comes to `request`. */
rd_kafka_AdminOptions_t *od_request_options(struct od_handle *, rd_kafka_admin_op_t, int timeout_ms,
                                            struct od_request *);
/* The same, sent to a broker of our choice. */
rd_kafka_AdminOptions_t *od_request_options_to(struct od_handle *, int32_t broker, rd_kafka_admin_op_t, int timeout_ms,
                                               struct od_request *);

/* ---- topics.c: the topics we know ------------------------------------------------------------------------ */

enum od_topic_role { OD_ROLE_SOURCE, OD_ROLE_RETRY, OD_ROLE_DEAD_LETTER };

/* Where a new group begins in a topic (founding.c). */
struct od_founding {
    bool asking;
    int64_t at_ms, wait_ms, since_ms, tell_ms;
    /* Found once, by the stay of partition 0: an attempt to commit them may succeed late. */
    rd_kafka_topic_partition_list_t *ends;
    uint32_t stay;
    uint64_t id_hash;
};

struct od_topic {
    char *name;
    enum od_topic_role role;
    uint32_t source;    /* index of its source */
    int32_t partitions; /* -1: not known */
    char id[32];        /* base64 of the topic id; "" none */
    uint64_t id_hash;   /* 0: none */
    int err;            /* of the last description; 0 exists */
    bool removed;       /* not subscribed any more */
    bool missing_told;
    bool doubted; /* the coordinator does not know it: nothing is committed until it has been described again */
    struct od_founding founding;
};

struct od_source {
    uint32_t topic;              /* indexes into topics */
    uint32_t retry, dead_letter; /* OD_NO_TOPIC: none */
};
#define OD_NO_TOPIC UINT32_MAX

struct od_topics {
    OD_VEC(struct od_topic *) list;
    OD_VEC(struct od_source) sources;
};
void od_topics_fini(struct od_topics *);
/* Index by name; OD_NO_TOPIC. */
uint32_t od_topics_find(const struct od_topics *, const char *name);
/* Adds a source with its retry and dead-letter topics; one that exists is not removed any more. Errors: NOMEM, CONFIG. */
enum orderly_err od_topics_add(struct od_topics *, const struct od_settings *, const char *name, uint32_t *ret_source);
/* Whether a name looks like a retry or dead-letter topic of any group. */
bool od_topics_hospital(const struct od_settings *, const char *name);

/* ---- stays.c: partitions that are ours ------------------------------------------------------------------- */

enum od_stay_offset {
    OD_OFFSET_WANTED,
    OD_OFFSET_ASKED,
    OD_FOUNDING, /* the group is new to the topic and begins at its end */
    OD_START_WANTED,
    OD_START_ASKED,
    OD_OFFSET_KNOWN
};

struct od_stay {
    uint32_t id;
    uint32_t topic;
    int32_t partition;
    enum od_stay_offset offset_state;
    bool assigned;   /* librdkafka reads it */
    bool ready_told; /* READY was sent */
    bool resolved;
    uint64_t topic_id_hash; /* of the topic whose offsets these are; 0 unknown */
    bool resetting;         /* its position is out of range: being looked up */
    bool move;              /* reading goes on at `position`: to be taken back from librdkafka and given again */
    bool validate;          /* the log below `position` may be another one: paused until validate.c has asked */
    bool closing;
    int64_t position;       /* next offset expected */
    int32_t position_epoch; /* of what lies before it; -1 unknown */
    char *map;
    size_t map_size;
    int32_t generation; /* in which it was acquired: the fence */
    rd_kafka_queue_t *queue;
    struct od_wake *wake;
    atomic_bool signalled; /* set by librdkafka's thread */
    bool maybe_more;
    uint32_t credit_records;
    int64_t credit_bytes;
    int64_t mean_size;
    int64_t fetched_at_ms;
    int64_t end, log_start; /* -1 unknown */
    bool garbage_told;
    /* last acknowledged commit, for probes */
    int64_t committed;
    int32_t committed_epoch;
    char *committed_text;
    uint32_t commits_out; /* unanswered */
    bool probe_out;       /* its other commits wait: a probe that overtakes one would take the offset back */
};

struct od_stays {
    OD_VEC(struct od_stay *) list;
    struct od_map by_id, by_place; /* -> pointer; place = topic << 32 | partition */
    uint32_t next_id;
};
void od_stays_fini(struct od_engine *);
struct od_stay *od_stays_add(struct od_engine *, uint32_t topic, int32_t partition);
struct od_stay *od_stays_find(const struct od_engine *, uint32_t id);
struct od_stay *od_stays_at(const struct od_engine *, const char *topic, int32_t partition);
/* How many partitions a topic has, as far as we know. */
int32_t od_stays_partitions(const struct od_engine *, uint32_t topic);
/* Ends a stay: its queue is emptied and given back. */
void od_stays_remove(struct od_engine *, struct od_stay *);

/* ---- group.c: rebalances ----------------------------------------------------------------------------------- */

enum od_pending { OD_PENDING_NONE, OD_PENDING_ASSIGN, OD_PENDING_REVOKE };

struct od_group {
    enum od_pending pending;
    rd_kafka_topic_partition_list_t *list; /* of the pending event */
    bool lost;
    int64_t answer_by_ms; /* ASSIGN: with what is known by then; REVOKE: whatever the core says */
    char member_id[128];
    int32_t generation;
    bool cooperative, consumer_protocol, ever_assigned, only_retries;
    int64_t fenced_at_ms; /* a commit was fenced and no rebalance has followed; 0 no */
};
void od_group_fini(struct od_engine *);
void od_group_event(struct od_engine *, rd_kafka_event_t *);
void od_group_serve(struct od_engine *);
/* Reads member id and generation; false when there is no valid membership. */
bool od_group_refresh(struct od_engine *);
/* The core gives stays up. */
void od_group_answered(struct od_engine *, const uint32_t *ids, size_t count);
/* Answers what is open, without the core: we leave. */
void od_group_give_up(struct od_engine *);
/* Reading of a stay goes on elsewhere. */
void od_group_move(struct od_engine *, struct od_stay *, int64_t offset);
/* Everything is lost: says so to the core. */
void od_group_lose_all(struct od_engine *, bool valid_member);
int64_t od_group_deadline(const struct od_engine *);

/* ---- joining.c: a group that does not let us in ------------------------------------------------------------- */

struct od_joining {
    bool asking;
    int64_t since_ms, next_ms, every_ms, tell_ms; /* tell_ms: how long it takes until it is told (again) */
    uint32_t refused;
};
void od_joining_serve(struct od_engine *);

/* ---- offsets.c: where reading begins ----------------------------------------------------------------------- */

struct od_offsets {
    bool asking, asking_start, told;
    int64_t retry_at_ms, backoff_ms, failing_since_ms;
    struct od_handle
        *spare; /* asks when the consumer's own handle has failed for long: its cached coordinator can be stale */
};
void od_offsets_fini(struct od_engine *);
void od_offsets_serve(struct od_engine *);
int64_t od_offsets_deadline(const struct od_engine *);
/* reset.c: the position of a stay is out of range. */
void od_offsets_reset(struct od_engine *, struct od_stay *, const char *reason);
/* From librdkafka's text: where a truncated log parts from what was read; -1: not known. */
int64_t od_reset_diverges(const char *text);

/* ---- validate.c: whether a position is still one of its log ------------------------------------------------ */

struct od_validation {
    int64_t at_ms, wait_ms, since_ms, tell_ms; /* at_ms 0: nothing waits */
};
/* librdkafka is about to be given these positions of stays. */
void od_validate_begin(struct od_engine *, const rd_kafka_topic_partition_list_t *);
/* The stay is over. */
void od_validate_end(struct od_engine *, struct od_stay *);
/* Not while an event of a rebalance is open. */
void od_validate_serve(struct od_engine *);
int64_t od_validate_deadline(const struct od_engine *);

/* ---- founding.c: where a new group begins with start=latest ------------------------------------------------ */

void od_founding_serve(struct od_engine *);
int64_t od_founding_deadline(const struct od_engine *);
/* What was found for a topic is of no use any more. */
void od_founding_forget(struct od_topic *);

/* ---- fetch.c -------------------------------------------------------------------------------------------------- */

/* Hands over records within the credits; true when more could be taken at once. */
bool od_fetch_serve(struct od_engine *);
/* Messages of librdkafka that belong to nobody. */
void od_fetch_drain(rd_kafka_queue_t *);

/* ---- message.c ------------------------------------------------------------------------------------------------ */

/* Two names of topics (249), a partition, and what is between them. */
enum { OD_MESSAGE_NAMES = 2 * 250 + 14 };

struct od_message_context {
    const struct od_settings *settings;
    const struct od_topic *topic;
    uint64_t fence;
    int64_t wall_ms;
    size_t record_bytes;
    /* The topic's name, NUL, and the part of idempotency keys before the offset: the same for all messages of a partition. */
    char names[OD_MESSAGE_NAMES];
    size_t identity_at, names_size;
};
/* Fills in the names, when the rest is there. */
void od_message_context_name(struct od_message_context *, int32_t partition);
/* Copies all bytes out of librdkafka's message (which pins its whole fetch response); NULL: out of memory. */
struct od_message *od_message_make(const rd_kafka_message_t *, const struct od_message_context *);
bool od_message_foreign(const struct od_message *);
bool od_message_trusted(const struct od_message *);
bool od_message_garbage_due(const struct od_message *);
int64_t od_message_delay_ms(const struct od_message *);
uint64_t od_message_copy_hash(const struct od_message *);

/* ---- commit.c ------------------------------------------------------------------------------------------------- */

struct od_commit_item {
    uint32_t id;
    int32_t leader_epoch;
    int64_t offset;
    char *text;
    size_t text_size;
    uint64_t sequence;
};
struct od_commit_answer {
    uint32_t id;
    uint64_t sequence;
    enum od_commit_result result;
};
struct od_commits {
    OD_VEC(struct od_commit_item) waiting;
    OD_VEC(struct od_commit_answer) answers; /* known at once, told at the next serve */
};
void od_commits_serve(struct od_engine *);
void od_commits_fini(struct od_engine *);
void od_commits_flush(struct od_engine *);
/* Commits again what was last committed of one stay; `done` says whether the membership stands. */
enum od_probe { OD_PROBE_MEMBER, OD_PROBE_FENCED, OD_PROBE_UNKNOWN };
bool od_commits_probe(struct od_engine *, struct od_stay *, void (*done)(struct od_engine *, enum od_probe));

/* ---- copy.c --------------------------------------------------------------------------------------------------- */

struct od_copy_answer {
    uint64_t record;
    enum od_copy_result result;
};
struct od_copier {
    struct od_handle *handle;
    int64_t reopen_at_ms, backoff_ms;
    struct od_map in_flight;               /* record -> 0 */
    OD_VEC(struct od_copy_answer) answers; /* known at once, told at the next serve */
    bool broken;                           /* fatal: a new handle is needed */
};
void od_copier_fini(struct od_engine *);
void od_copier_serve(struct od_engine *);
int64_t od_copier_deadline(const struct od_engine *);

/* ---- copy_headers.c ------------------------------------------------------------------------------------------- */

rd_kafka_headers_t *od_copy_headers(const struct od_settings *, const struct od_copy_request *);

/* ---- reread.c ------------------------------------------------------------------------------------------------- */

struct od_wanted {
    uint64_t record;
    uint32_t id, topic;
    int32_t partition;
    int64_t offset;
};
struct od_reader {
    struct od_handle *handle;
    OD_VEC(struct od_wanted) wanted;
    size_t run_first, run_next, run_end; /* of `wanted`, sorted: this run; what is before run_next is answered */
    struct od_wanted last;               /* of the run before */
    int64_t mean_size;                   /* of a record that was read */
    int64_t deadline_ms, idle_since_ms, open_at_ms;
};
void od_reader_fini(struct od_engine *);
void od_reader_serve(struct od_engine *);
int64_t od_reader_deadline(const struct od_engine *);

/* ---- watch.c: are we still a member? ------------------------------------------------------------------------- */

struct od_watch {
    int64_t next_ms;
    char member_id[128]; /* at the start of the hold */
    int32_t generation;
    bool probing, suspect, suspect_told;
    int64_t suspect_since_ms;
    enum od_probe answer;
};
void od_watch_hold_begins(struct od_engine *);
/* After a standstill: the group knows us, or everything is lost. In both cases what comes next is ours. */
void od_watch_doubt_over(struct od_engine *);
void od_watch_serve(struct od_engine *);
int64_t od_watch_deadline(const struct od_engine *);

/* ---- fatal.c --------------------------------------------------------------------------------------------------- */

struct od_recovery {
    bool wanted; /* the handle is to be replaced */
    int64_t retire_by_ms, open_at_ms, backoff_ms, opened_ms;
};
/* The handle is of no more use: everything is lost, a new one comes. */
void od_recover(struct od_engine *, enum orderly_err, int kafka_code, const char *reason);
void od_recover_serve(struct od_engine *);
int64_t od_recover_deadline(const struct od_engine *);
void od_fault(struct od_engine *, enum orderly_err, int kafka_code, bool ends, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* An error event of the consumer handle. */
void od_error_event(struct od_engine *, rd_kafka_event_t *);

/* ---- ends.c ---------------------------------------------------------------------------------------------------- */

struct od_ends {
    int64_t next_ms;
    bool asking;
};
void od_ends_serve(struct od_engine *);

/* ---- leave.c --------------------------------------------------------------------------------------------------- */

struct od_leaving {
    bool wanted, closing, answered, left_told, nothing_to_leave;
    int64_t give_up_ms, join_by_ms;
};
void od_leave_serve(struct od_engine *);
/* From then on nothing may be asked of librdkafka's group part: answer.c says why. Subscriptions end with the wish to leave. */
bool od_leave_begun(const struct od_engine *);

/* ---- answer.c -------------------------------------------------------------------------------------------------- */

struct od_answering *od_answering_new(void);
/* Waits until no thread uses the handle any more, perhaps for ever, and frees it. NULL is fine. Thread: the one that destroys the handle. */
void od_answering_end(struct od_answering *);
/* Answers a rebalance: we leave, nothing is kept. Before the close. */
void od_answer_no(struct od_engine *, rd_kafka_event_t *);
/* The same from a thread of its own, once the close has begun. */
void od_answer_apart(struct od_engine *);
/* Those of `wanted` that librdkafka really reads; all else would be refused as a whole. The error is the caller's. */
rd_kafka_error_t *od_answer_take_back(rd_kafka_t *, const rd_kafka_topic_partition_list_t *wanted);

/* ---- subscription.c, subscription_check.c --------------------------------------------------------------------- */

enum od_subscribing {
    OD_SUBSCRIBING_IDLE,
    OD_SUBSCRIBING_LIST,
    OD_SUBSCRIBING_DESCRIBE,
    OD_SUBSCRIBING_CONFIGS,
    OD_SUBSCRIBED
};

struct od_lister; /* lister.c: a thread that lists the cluster's topics */
struct od_subscription {
    enum od_subscribing state;
    bool asking, ids_wanted;
    int64_t started_ms, retry_at_ms, missing_since_ms, refresh_at_ms;
    struct od_lister *lister;
    int32_t broker; /* whom we ask; -1: to be found. Any broker can describe topics, the controller may be unknown */
    bool dirty;     /* subscribe again */
    bool answered;  /* a broker has answered once */
};
enum orderly_err od_subscription_begin(struct od_engine *);
void od_subscription_serve(struct od_engine *);
int64_t od_subscription_deadline(const struct od_engine *);
void od_subscription_fini(struct od_engine *);
/* Tells librdkafka (again) what we want. */
void od_subscription_apply(struct od_engine *);
/* The topics' ids are asked for now: an offset means nothing in a topic that was made anew. Offsets of new stays wait for it. */
void od_subscription_look_again(struct od_engine *);
/* The same, and nothing is committed before: a topic is said to be missing, and may come back as another one. */
void od_subscription_doubt(struct od_engine *);
/* Checks what DescribeTopics said at the start; true: all is well. Faults otherwise, or waits. */
bool od_subscription_topics_good(struct od_engine *);
/* Asks for the settings of retry topics; the answer goes on with the start. */
void od_subscription_check_configs(struct od_engine *);

struct od_listing {
    int32_t broker; /* a broker that lives; -1: none answered */
    char **names;   /* with `all`: malloc'ed array of malloc'ed texts, the taker's */
    size_t count;
};
struct od_lister *od_lister_start(struct od_handle *, struct od_wake *, bool all);
/* False: not yet. Ends the lister. */
bool od_lister_take(struct od_lister **, struct od_listing *ret);
void od_lister_stop(struct od_lister *);

/* ---- the engine ------------------------------------------------------------------------------------------------ */

struct od_engine {
    const struct od_settings *settings;
    struct od_engine_sink sink;
    struct od_wake *wake;
    struct od_handle *handle;
    enum od_engine_state state;
    int64_t now_ms, wall_ms;
    bool serving, busy;         /* busy: serve again at once */
    bool ended;                 /* a fault with `ends` was told */
    struct od_request requests; /* ring head */
    OD_VEC(struct od_retired *) retired;
    OD_VEC(uint32_t) given_up; /* the core's answers, carried out in serve: an event's receiver may call us back */
    struct od_topics topics;
    struct od_stays stays;
    struct od_group group;
    struct od_joining joining;
    struct od_offsets offsets;
    struct od_validation validation;
    struct od_commits commits;
    struct od_copier copier;
    struct od_reader reader;
    struct od_watch watch;
    struct od_recovery recovery;
    struct od_ends ends;
    struct od_leaving leaving;
    struct od_subscription subscription;
};

void od_engine_emit(struct od_engine *, struct od_event *);
void od_engine_log(struct od_engine *, int level, const char *area, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static inline int64_t od_sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
