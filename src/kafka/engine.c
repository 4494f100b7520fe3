/* The engine's life: made, started, served, freed; what it answers when asked. The parts decide (inside.h). */
#include "kafka/engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kafka/inside.h"

#define SERVE_AT_LEAST_MS 500 /* also keeps the member alive: the consumer queue must be polled */
#define EVENTS_A_SERVE 1000
#define DESTROY_WAIT_MS 5000

void od_engine_log(struct od_engine *engine, int level, const char *area, const char *format, ...)
{
    char text[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    od_wake_log(engine->wake, level, area, text);
}

void od_engine_emit(struct od_engine *engine, struct od_event *event)
{
    if (!engine->ended || event->type != OD_EVENT_FETCHED) {
        engine->sink.event(engine->sink.userdata, event);
    }
}

enum orderly_err od_engine_new(const struct od_settings *settings, const struct od_engine_sink *sink,
                               struct od_engine **ret, struct orderly_error *error)
{
    enum orderly_err result = od_handle_check(settings, error);
    if (result != ORDERLY_OK) {
        return result;
    }
    struct od_engine *engine = calloc(1, sizeof *engine);
    if (!engine) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    engine->settings = settings;
    engine->sink = *sink;
    engine->requests.next = engine->requests.prev = &engine->requests;
    engine->wake = od_wake_new(sink);
    if (!engine->wake) {
        free(engine);
        return od_fail(error, ORDERLY_NOMEM, "no event file descriptor is left");
    }
    *ret = engine;
    return ORDERLY_OK;
}

enum orderly_err od_engine_start(struct od_engine *engine, struct orderly_error *error)
{
    struct od_budget budget;
    if (engine->state != OD_ENGINE_IDLE) {
        return od_fail(error, ORDERLY_STATE, "started already");
    }
    enum orderly_err result =
        od_handle_open(engine->settings, engine->wake, OD_HANDLE_CONSUMER, &engine->handle, error);
    if (result != ORDERLY_OK) {
        return result;
    }
    result = od_subscription_begin(engine);
    if (result != ORDERLY_OK) {
        return od_fail(
            error, result,
            "a retry or dead-letter topic name made of retry.topic, dead_letter.topic and a topic of `topics` is illegal or longer "
            "than 249 characters: set retry.topic and dead_letter.topic to shorter templates");
    }
    od_budget_derive(engine->settings, &budget);
    od_engine_log(
        engine, ORDERLY_LOG_INFO, "kafka",
        "librdkafka %s; memory.records %lld MiB gives it: %lld KiB and %lld records of queue for each partition, %lld KiB a partition and %lld KiB "
        "in all for one fetch",
        rd_kafka_version_str(), (long long)(engine->settings->memory_records >> 20), (long long)budget.queue_kbytes,
        (long long)budget.queue_messages, (long long)(budget.partition_fetch >> 10), (long long)(budget.fetch >> 10));
    engine->state = OD_ENGINE_STARTING;
    engine->busy = true;
    od_wake_signal(engine->wake);
    return ORDERLY_OK;
}

int od_engine_fd(const struct od_engine *engine)
{
    return od_wake_fd(engine->wake);
}

int64_t od_engine_deadline(const struct od_engine *engine, int64_t now_ms)
{
    if (engine->state == OD_ENGINE_IDLE || engine->state == OD_ENGINE_LEFT) {
        return INT64_MAX;
    }
    if (engine->busy) {
        return now_ms;
    }
    int64_t deadline = engine->now_ms + SERVE_AT_LEAST_MS; /* since it was served: not a time that recedes */
    deadline = od_sooner(deadline, od_group_deadline(engine));
    deadline = od_sooner(deadline, od_offsets_deadline(engine));
    deadline = od_sooner(deadline, od_founding_deadline(engine));
    deadline = od_sooner(deadline, od_validate_deadline(engine));
    deadline = od_sooner(deadline, od_copier_deadline(engine));
    deadline = od_sooner(deadline, od_reader_deadline(engine));
    deadline = od_sooner(deadline, od_watch_deadline(engine));
    deadline = od_sooner(deadline, od_recover_deadline(engine));
    deadline = od_sooner(deadline, od_subscription_deadline(engine));
    if (engine->leaving.wanted) {
        deadline = od_sooner(deadline, engine->now_ms + 10); /* nothing announces that librdkafka has closed */
    }
    return deadline;
}

static void take_event(struct od_engine *engine, rd_kafka_event_t *event)
{
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_REBALANCE:
        if (!engine->recovery.wanted) {
            od_group_event(engine, event);
        }
        break;
    case RD_KAFKA_EVENT_ERROR:
        od_error_event(engine, event);
        break;
    case RD_KAFKA_EVENT_FETCH:
        od_engine_log(engine, ORDERLY_LOG_ERROR, "fetch",
                      "a record came by the consumer queue: a partition was not split off; it is read again");
        od_recover(engine, ORDERLY_KAFKA, 0, "a record came by the consumer queue");
        break;
    default:
        break;
    }
    rd_kafka_event_destroy(event);
}

static void serve_queue(struct od_engine *engine, struct od_handle *handle, rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event;
    for (int i = 0; i < EVENTS_A_SERVE && engine->handle == handle && (event = rd_kafka_queue_poll(queue, 0)); i++) {
        take_event(engine, event);
    }
}

static void serve_given_up(struct od_engine *engine)
{
    if (engine->given_up.count > 0) {
        od_group_answered(engine, engine->given_up.items, engine->given_up.count);
        od_vec_clear(&engine->given_up);
    }
}

void od_engine_serve(struct od_engine *engine, int64_t now_ms, int64_t wall_ms)
{
    engine->now_ms = now_ms;
    engine->wall_ms = wall_ms;
    engine->busy = false;
    od_wake_clear(engine->wake);
    if (engine->state == OD_ENGINE_IDLE) {
        od_leave_serve(engine); /* may be left before it was started */
        return;
    }
    serve_given_up(engine);
    od_commits_serve(engine);
    if (engine->handle) {
        serve_queue(engine, engine->handle, engine->handle->main);
    }
    if (engine->handle) {
        serve_queue(engine, engine->handle, engine->handle->consumer);
    }
    if (engine->handle) {
        od_request_serve(engine, engine->handle);
    }
    od_subscription_serve(engine);
    od_offsets_serve(engine);
    if (engine->handle && !engine->ended && !engine->leaving.wanted && !engine->recovery.wanted) {
        od_founding_serve(engine);
    }
    serve_given_up(engine);
    od_group_serve(engine);
    od_joining_serve(engine);
    if (od_fetch_serve(engine)) {
        engine->busy = true;
    }
    od_copier_serve(engine);
    od_reader_serve(engine);
    od_watch_serve(engine);
    od_ends_serve(engine);
    od_recover_serve(engine);
    od_leave_serve(engine);
    if (engine->given_up.count > 0 || engine->commits.answers.count > 0 || engine->copier.answers.count > 0) {
        engine->busy = true;
    }
}

static void event_ignored(void *userdata, struct od_event *event)
{
    (void)userdata;
    for (size_t i = 0; event->type == OD_EVENT_FETCHED && i < event->fetched.count; i++) {
        od_message_free((struct od_message *)(uintptr_t)event->fetched.list[i].tag);
    }
}

static void fault_ignored(void *userdata, const struct od_engine_fault *fault)
{
    (void)userdata;
    (void)fault;
}

void od_engine_free(struct od_engine *engine)
{
    if (!engine) {
        return;
    }
    engine->sink.event = event_ignored; /* nobody listens any more */
    engine->sink.fault = fault_ignored;
    od_subscription_fini(engine);
    od_copier_fini(engine);
    od_reader_fini(engine);
    od_offsets_fini(engine);
    od_group_fini(engine);
    if (engine->handle) {
        struct od_handle *handle = engine->handle;
        od_stays_fini(engine);
        od_request_drop(engine, handle);
        engine->handle = NULL;
        od_handle_retire(engine, handle);
    } else {
        od_stays_fini(engine);
    }
    od_handle_await_retired(engine, DESTROY_WAIT_MS);
    od_commits_fini(engine);
    od_topics_fini(&engine->topics);
    od_vec_fini(&engine->given_up);
    od_wake_close(engine->wake);
    od_wake_unref(engine->wake);
    free(engine);
}

/* ---- effects ------------------------------------------------------------------------------------------------- */

void od_engine_fetch(struct od_engine *engine, uint32_t id, uint32_t records, int64_t bytes)
{
    struct od_stay *stay = od_stays_find(engine, id);
    if (!stay) {
        return;
    }
    stay->credit_records = records;
    stay->credit_bytes = bytes;
    if (records > 0 && bytes > 0 && (stay->maybe_more || atomic_load(&stay->signalled))) {
        engine->busy = true;
        od_wake_signal(engine->wake);
    }
}

void od_engine_seek(struct od_engine *engine, uint32_t id, int64_t offset)
{
    struct od_stay *stay = od_stays_find(engine, id);
    if (stay) {
        stay->resetting = false;
        od_group_move(engine, stay, offset);
        od_wake_signal(engine->wake);
    }
}

static void give_up(struct od_engine *engine, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!od_vec_push(&engine->given_up, ids[i])) {
            od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory at a revoke");
        }
    }
    engine->busy = true;
    od_wake_signal(engine->wake);
}

void od_engine_answer_revoke(struct od_engine *engine, const uint32_t *ids, size_t count)
{
    give_up(engine, ids, count);
}

void od_engine_answer_lost(struct od_engine *engine, const uint32_t *ids, size_t count)
{
    give_up(engine, ids, count);
}

void od_engine_flush(struct od_engine *engine)
{
    od_commits_flush(engine);
}

/* ---- looking ------------------------------------------------------------------------------------------------- */

const char *od_engine_topic(const struct od_engine *engine, uint32_t id, int32_t *ret_partition)
{
    const struct od_stay *stay = od_stays_find(engine, id);
    if (ret_partition) {
        *ret_partition = stay ? stay->partition : -1;
    }
    return stay ? engine->topics.list.items[stay->topic]->name : "";
}

const char *od_engine_source(const struct od_engine *engine, uint32_t topic)
{
    return topic < engine->topics.sources.count
               ? engine->topics.list.items[engine->topics.sources.items[topic].topic]->name
               : "";
}

enum od_engine_state od_engine_state(const struct od_engine *engine)
{
    return engine->state;
}

static const char *const state_words[] = {
    [OD_ENGINE_IDLE] = "starting", [OD_ENGINE_STARTING] = "starting",    [OD_ENGINE_JOINING] = "joining",
    [OD_ENGINE_STABLE] = "stable", [OD_ENGINE_REBALANCING] = "holding",  [OD_ENGINE_LEAVING] = "leaving",
    [OD_ENGINE_LEFT] = "left",     [OD_ENGINE_RECOVERING] = "recovering"};

void od_engine_member(const struct od_engine *engine, struct orderly_member *ret)
{
    const struct od_group *group = &engine->group;
    snprintf(ret->group, sizeof ret->group, "%s", engine->settings->group);
    snprintf(ret->member_id, sizeof ret->member_id, "%s", group->member_id);
    ret->generation = group->member_id[0] ? group->generation : -1;
    const char *protocol = !group->ever_assigned      ? ""
                           : group->consumer_protocol ? "consumer"
                           : group->cooperative       ? "classic-cooperative"
                                                      : "classic-eager";
    snprintf(ret->protocol, sizeof ret->protocol, "%s", protocol);
    snprintf(ret->state, sizeof ret->state, "%s", state_words[engine->state]);
}
