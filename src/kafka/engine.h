/*
 * The engine: the edge to librdkafka. Everything peculiar to it is decided behind this header; nobody above includes rdkafka.h.
 *
 * Thread: all functions belong to the loop thread, unless one says "any". None blocks. What happens is told to the sink as events of the
 * core, from inside od_engine_serve() only.
 */
#ifndef OD_KAFKA_ENGINE_H
#define OD_KAFKA_ENGINE_H

#include "base/settings.h"
#include "core/core.h"
#include "kafka/message.h"

struct od_engine;

enum od_engine_state {
    OD_ENGINE_IDLE,
    OD_ENGINE_STARTING,
    OD_ENGINE_JOINING,
    OD_ENGINE_STABLE,
    OD_ENGINE_REBALANCING,
    OD_ENGINE_LEAVING,
    OD_ENGINE_LEFT,
    OD_ENGINE_RECOVERING
};

/* Errors that poll and run return. */
struct od_engine_fault {
    enum orderly_err code; /* AUTH FENCED UNKNOWN_TOPIC NO_OFFSET CONFIG KAFKA FATAL */
    int kafka_code;
    bool ends;        /* the run ends; otherwise reported once by poll and logged */
    const char *text; /* one sentence, borrowed */
};

struct od_engine_sink {
    void *userdata;
    void (*event)(void *userdata,
                  struct od_event *); /* loop thread; the engine leaves now_ms and wall_ms to the receiver */
    void (*fault)(void *userdata, const struct od_engine_fault *);              /* loop thread */
    void (*log)(void *userdata, int level, const char *area, const char *text); /* any thread */
    size_t record_bytes; /* room that each message has for its owner's own record (od_message_room) */
};

/* `settings` is borrowed for the engine's life. Connects to nothing. Errors: CONFIG (a property librdkafka refuses), NOMEM. */
enum orderly_err od_engine_new(const struct od_settings *, const struct od_engine_sink *, struct od_engine **ret,
                               struct orderly_error *);
/* Begins to connect, find topics, check retry topics, join. Faults tell what goes wrong (start_timeout: KAFKA). */
enum orderly_err od_engine_start(struct od_engine *, struct orderly_error *);
/* Readable when serve has something to do. */
int od_engine_fd(const struct od_engine *);
/* When to serve at the latest, monotonic ms; INT64_MAX never. */
int64_t od_engine_deadline(const struct od_engine *, int64_t now_ms);
/* Takes what librdkafka has: rebalances, answers, records within their credits; runs its own timers. */
void od_engine_serve(struct od_engine *, int64_t now_ms, int64_t wall_ms);
/* Leaves nothing behind; waits a bounded time for librdkafka. NULL is fine. */
void od_engine_free(struct od_engine *);

/* ---- effects of the core ------------------------------------------------------------------------------- */

/* The credit of one partition: so much may be handed over from now on (replaces the one before). */
void od_engine_fetch(struct od_engine *, uint32_t id, uint32_t records, int64_t bytes);
void od_engine_reread(struct od_engine *, uint64_t record, uint32_t id, int64_t offset);
void od_engine_seek(struct od_engine *, uint32_t id, int64_t offset);
/* Several of one step go in one request (flush); answers come as COMMITTED. text is copied. */
void od_engine_commit(struct od_engine *, uint32_t id, int64_t offset, int32_t leader_epoch, const char *text,
                      size_t text_size, uint64_t sequence);
void od_engine_answer_revoke(struct od_engine *, const uint32_t *ids, size_t count);
void od_engine_answer_lost(struct od_engine *, const uint32_t *ids, size_t count);
/* The end of one step's effects. */
void od_engine_flush(struct od_engine *);
/* Leaves the group; LEFT follows. Revokes that librdkafka raises meanwhile are answered by the engine. */
void od_engine_leave(struct od_engine *);

struct od_copy_request {
    uint64_t record;                  /* named in COPIED */
    uint32_t id;                      /* the assignment it comes from */
    const struct od_message *message; /* borrowed during the call (the engine copies or refs what it needs) */
    enum od_copy_kind kind;
    enum od_copy_form form;
    uint32_t attempts; /* spent, counting this run */
    int64_t due_ms, delay_ms;
    int64_t first_attempt_ms;             /* Unix ms; 0: the last one is all that is known */
    int64_t last_attempt_ms;              /* Unix ms; 0: not run here */
    const char *error_class, *error_text; /* may be NULL */
};
/* Writes a retry, dead-letter or relief copy (headers of contracts.md 6); COPIED answers, always. */
void od_engine_copy(struct od_engine *, const struct od_copy_request *);

/* ---- looking (loop thread) ------------------------------------------------------------------------------ */

/* Topic and partition of an assignment; topic "" when unknown. Borrowed until the assignment is closed. */
const char *od_engine_topic(const struct od_engine *, uint32_t id, int32_t *ret_partition);
/* Name of source topic index `topic` (od_assign.topic); "" when unknown; stable for the engine's life. */
const char *od_engine_source(const struct od_engine *, uint32_t topic);
/* The high watermark last seen of an assignment (next offset to be written); -1 unknown. Asked for regularly by the engine itself. */
int64_t od_engine_end(const struct od_engine *, uint32_t id);
enum od_engine_state od_engine_state(const struct od_engine *);
void od_engine_member(const struct od_engine *, struct orderly_member *ret);
/* Changes the subscription. */
enum orderly_err od_engine_add_topics(struct od_engine *, const char *const *topics, size_t count);
enum orderly_err od_engine_remove_topics(struct od_engine *, const char *const *topics, size_t count);
/* The loop stood still for `stood_ms`: when that is over session.timeout.ms the engine says SUSPECT and then CONFIRMED or LOST. */
void od_engine_stood_still(struct od_engine *, int64_t stood_ms);

#endif
