/*
 * Copies: an idempotent producer with acks=all of its own handle, made at the first copy. Each request is answered exactly once; a fatal error of the
 * producer answers all that are out with AGAIN (they may have been written: the second copy carries the same `orderly-copy`) and a new handle comes.
 */
#include "kafka/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 60000
#define EVENTS_A_SERVE 1000

static void tell(struct od_engine *engine, uint64_t record, enum od_copy_result result)
{
    struct od_event event = {.type = OD_EVENT_COPIED, .copied = {record, result}};
    od_engine_emit(engine, &event);
}

static void answer_later(struct od_engine *engine, uint64_t record, enum od_copy_result result)
{
    struct od_copy_answer answer = {record, result};
    if (!od_vec_push(&engine->copier.answers, answer)) {
        od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory at a copy");
    }
    engine->busy = true;
    od_wake_signal(engine->wake);
}

static enum od_copy_result class_of(rd_kafka_resp_err_t err)
{
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return OD_COPY_OK;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return OD_COPY_TOO_LARGE;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
        return OD_COPY_REFUSED;
    default:
        return OD_COPY_AGAIN;
    }
}

static void delivered(struct od_engine *engine, const rd_kafka_message_t *message)
{
    uint64_t record = (uintptr_t)message->_private;
    enum od_copy_result result = class_of(message->err);
    if (!od_map_remove(&engine->copier.in_flight, record, NULL)) {
        return; /* answered when its handle broke */
    }
    if (message->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT) {
        od_handle_look_for_brokers(engine, engine->copier.handle);
    }
    if (result != OD_COPY_OK) {
        od_engine_log(engine, ORDERLY_LOG_WARNING, "copy", "a copy to %s[%d] was not written: %s",
                      message->rkt ? rd_kafka_topic_name(message->rkt) : "?", (int)message->partition,
                      rd_kafka_err2str(message->err));
    }
    tell(engine, record, result);
}

static void abandon(struct od_engine *engine)
{
    struct od_copier *copier = &engine->copier;
    uint64_t record;
    size_t cursor = 0;
    struct od_handle *handle = copier->handle;
    copier->handle = NULL;
    copier->broken = false;
    while (od_map_next(&copier->in_flight, &cursor, &record, NULL)) {
        answer_later(engine, record, OD_COPY_AGAIN);
    }
    od_map_clear(&copier->in_flight);
    if (handle) {
        rd_kafka_purge(handle->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
        od_handle_retire(engine, handle);
    }
}

/* Looks whether the producer has come to its end. */
static void check_fatal(struct od_engine *engine)
{
    struct od_copier *copier = &engine->copier;
    char text[384] = "";
    if (copier->broken || !rd_kafka_fatal_error(copier->handle->rk, text, sizeof text)) {
        return;
    }
    copier->backoff_ms = copier->backoff_ms ? od_sooner(copier->backoff_ms * 2, BACKOFF_MAX_MS) : BACKOFF_FIRST_MS;
    copier->reopen_at_ms = engine->now_ms + copier->backoff_ms;
    copier->broken = true;
    od_engine_log(engine, ORDERLY_LOG_ERROR, "copy", "fatal error of the producer: %s; a new one is made in %lld ms",
                  text, (long long)copier->backoff_ms);
}

static void take_event(struct od_engine *engine, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR) {
        while ((message = rd_kafka_event_message_next(event))) {
            delivered(engine, message);
        }
    } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
        od_engine_log(engine, ORDERLY_LOG_INFO, "copy", "producer: %s", rd_kafka_event_error_string(event));
        check_fatal(engine);
    }
    rd_kafka_event_destroy(event);
}

static bool open_handle(struct od_engine *engine)
{
    struct od_copier *copier = &engine->copier;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (copier->handle) {
        return true;
    }
    if (engine->now_ms < copier->reopen_at_ms) {
        return false;
    }
    if (od_handle_open(engine->settings, engine->wake, OD_HANDLE_PRODUCER, &copier->handle, &error) != ORDERLY_OK) {
        copier->reopen_at_ms = engine->now_ms + BACKOFF_FIRST_MS;
        od_engine_log(engine, ORDERLY_LOG_ERROR, "copy", "no producer: %s", error.text);
        return false;
    }
    return true;
}

void od_copier_serve(struct od_engine *engine)
{
    struct od_copier *copier = &engine->copier;
    rd_kafka_event_t *event;
    size_t known = copier->answers.count;
    for (size_t i = 0; i < known; i++) {
        struct od_copy_answer answer = copier->answers.items[i];
        tell(engine, answer.record, answer.result);
    }
    if (known > 0) { /* what was added meanwhile stays for the next turn */
        memmove(copier->answers.items, copier->answers.items + known,
                (copier->answers.count - known) * sizeof *copier->answers.items);
        copier->answers.count -= known;
    }
    for (int i = 0; copier->handle && i < EVENTS_A_SERVE && (event = rd_kafka_queue_poll(copier->handle->main, 0));
         i++) {
        take_event(engine, event);
    }
    if (copier->broken) {
        abandon(engine);
    }
    if (engine->stays.list.count > 0 && !engine->leaving.wanted) {
        (void)open_handle(engine); /* before it is needed: its first connection takes longer than a short retry */
    }
}

int64_t od_copier_deadline(const struct od_engine *engine)
{
    return engine->copier.answers.count > 0 ? engine->now_ms : INT64_MAX;
}

void od_copier_fini(struct od_engine *engine)
{
    abandon(engine);
    od_map_fini(&engine->copier.in_flight);
    od_vec_fini(&engine->copier.answers);
}

/* ---- producing --------------------------------------------------------------------------------------------- */

static const struct od_topic *target_of(const struct od_engine *engine, const struct od_copy_request *request)
{
    const struct od_stay *stay = od_stays_find(engine, request->id);
    if (!stay) {
        return NULL;
    }
    const struct od_source *source = &engine->topics.sources.items[engine->topics.list.items[stay->topic]->source];
    uint32_t index = request->kind == OD_COPY_DEAD_LETTER ? source->dead_letter : source->retry;
    return index == OD_NO_TOPIC ? NULL : engine->topics.list.items[index];
}

static rd_kafka_resp_err_t produce(struct od_engine *engine, const struct od_copy_request *request,
                                   const struct od_topic *target)
{
    rd_kafka_headers_t *headers = od_copy_headers(engine->settings, request);
    struct orderly_bytes key = od_message_key(request->message);
    struct orderly_bytes value = od_message_value(request->message);
    int32_t partition = od_message_origin(request->message).partition;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__INVALID_ARG;
    if (request->form == OD_FORM_REFERENCE) {
        value = (struct orderly_bytes){NULL, 0};
    }
    if (target->partitions > 0) {
        partition %= target->partitions;
    }
    rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = target->name},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key.data, key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value.data, value.size}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(uintptr_t)request->record},
    };
    rd_kafka_error_t *error =
        rd_kafka_produceva(engine->copier.handle->rk, arguments, sizeof arguments / sizeof arguments[0]);
    if (!error) {
        return RD_KAFKA_RESP_ERR_NO_ERROR; /* the headers are librdkafka's now */
    }
    err = rd_kafka_error_code(error);
    od_engine_log(engine, ORDERLY_LOG_WARNING, "copy", "a copy to %s could not be produced: %s", target->name,
                  rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(headers);
    check_fatal(engine);
    return err;
}

void od_engine_copy(struct od_engine *engine, const struct od_copy_request *request)
{
    const struct od_topic *target = target_of(engine, request);
    if (!target) {
        answer_later(engine, request->record, od_stays_find(engine, request->id) ? OD_COPY_REFUSED : OD_COPY_AGAIN);
        return;
    }
    if (!open_handle(engine) || !od_map_put(&engine->copier.in_flight, request->record, 0)) {
        answer_later(engine, request->record, OD_COPY_AGAIN);
        return;
    }
    rd_kafka_resp_err_t err = produce(engine, request, target);
    if (err) {
        od_map_remove(&engine->copier.in_flight, request->record, NULL);
        answer_later(engine, request->record, class_of(err));
    }
}
