/*
 * Handles of librdkafka: made from the settings, ended on a thread of their own.
 *
 * Ending: rd_kafka_destroy() can hang (a fetch in flight that answers OFFSET_OUT_OF_RANGE, a broker that stopped answering), so it never runs on
 * the loop; a thread that does not come back in time is left behind with its handle.
 */
#include "kafka/inside.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

#define KIB INT64_C(1024)
#define MIB (KIB * 1024)
#define LOOK_FIRST_MS 10000
#define LOOK_MAX_MS 60000

struct od_retired {
    atomic_bool done;
    atomic_int references; /* the thread's and the engine's */
    rd_kafka_t *rk;
    struct od_wake *wake;
    struct od_answering *answering;
    bool leave_first;
};

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/*
 * The process may use memory.records and 48 MiB. The records count what the core holds (our own copies), so librdkafka's queues and buffers
 * come out of the 48, and out of an eighth of what memory.records has above 64 MiB. With split queues the limits of librdkafka hold for each
 * partition, and what they count is a third of what it takes: a message of 200 bytes has 400 around it, pins its whole fetch response, and a
 * fetch brings its bytes on top of a queue that is almost full (measured with 48 full partitions: 2 MiB each with twice these numbers). Hence
 * small partition queues and small responses, asked for often (fetch.queue.backoff.ms).
 */
void od_budget_derive(const struct od_settings *settings, struct od_budget *ret)
{
    int64_t share = clamp(settings->memory_records / 16 * 3, 12 * MIB, 128 * MIB);
    ret->queue_kbytes = clamp(share / KIB / 64, 128, 4096);
    ret->queue_messages = clamp(ret->queue_kbytes * KIB / 256, 500, 100000);
    ret->partition_fetch = clamp(share / 64, 64 * KIB, MIB);
    ret->fetch = clamp(share / 6, MIB, 16 * MIB);
}

static bool property_set(const struct od_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->property_count; i++) {
        if (strcmp(settings->properties[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool od_settings_property_is(const struct od_settings *settings, const char *name, const char *value)
{
    for (size_t i = settings->property_count; i > 0; i--) {
        if (strcmp(settings->properties[i - 1].name, name) == 0) {
            return strcmp(settings->properties[i - 1].value, value) == 0;
        }
    }
    return false;
}

struct making {
    const struct od_settings *settings;
    rd_kafka_conf_t *conf;
    struct orderly_error *error;
    enum orderly_err result;
};

static void force(struct making *making, const char *name, const char *value)
{
    char text[256] = "";
    if (making->result == ORDERLY_OK &&
        rd_kafka_conf_set(making->conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        making->result = od_fail(making->error, ORDERLY_CONFIG, "librdkafka refuses %s=%s: %s", name, value, text);
    }
}

/* A value of ours that gives way to the user's. */
static void suggest(struct making *making, const char *name, const char *value)
{
    if (!property_set(making->settings, name)) {
        force(making, name, value);
    }
}

static void suggest_number(struct making *making, const char *name, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    suggest(making, name, text);
}

/* The group a consumer's handle is of. Who asks needs the true one: without a group librdkafka (2.14.2) follows a NULL when a coordinator moves. */
static void set_group(struct making *making, enum od_handle_kind kind)
{
    char reread[300];
    snprintf(reread, sizeof reread, "%s-reread", making->settings->group);
    force(making, "group.id", kind == OD_HANDLE_READER ? reread : making->settings->group);
    if (kind != OD_HANDLE_CONSUMER) {
        rd_kafka_conf_set_events(making->conf, RD_KAFKA_EVENT_ERROR); /* never joins, never commits */
        return;
    }
    if (!od_settings_property_is(making->settings, "group.protocol", "consumer")) {
        suggest(making, "partition.assignment.strategy", "cooperative-sticky");
    } else {
        /* The broker's default counts partitions, whatever their topic: one member got all of a source, another its retry topic. */
        suggest(making, "group.remote.assignor", "range");
    }
    rd_kafka_conf_set_events(making->conf,
                             RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_OFFSET_COMMIT);
}

static void set_consumer(struct making *making, enum od_handle_kind kind)
{
    struct od_budget budget;
    od_budget_derive(making->settings, &budget);
    force(making, "enable.auto.commit", "false");
    force(making, "enable.auto.offset.store", "false");
    force(making, "auto.offset.reset", "error");
    force(making, "enable.partition.eof", "false");
    suggest(making, "isolation.level", "read_committed");
    suggest_number(making, "queued.max.messages.kbytes", budget.queue_kbytes);
    suggest_number(making, "queued.min.messages", budget.queue_messages);
    suggest(making, "fetch.queue.backoff.ms", "5");
    /* A request that asks for the retry partitions alone (empty, the sources being full) keeps the broker connection for so long. */
    suggest(making, "fetch.wait.max.ms", "20");
    suggest_number(making, "max.partition.fetch.bytes", budget.partition_fetch);
    if (!property_set(making->settings, "message.max.bytes")) {
        suggest_number(making, "fetch.max.bytes", budget.fetch);
    }
    set_group(making, kind);
}

static void set_producer(struct making *making)
{
    force(making, "enable.idempotence", "true");
    force(making, "acks", "all");
    force(making, "message.max.bytes", "1000000000"); /* the topic decides what is too large */
    suggest(making, "linger.ms", "2");
    suggest(making, "message.timeout.ms", "30000");
    suggest(making, "queue.buffering.max.messages", "1000000");
    suggest(making, "queue.buffering.max.kbytes", "1048576");
    rd_kafka_conf_set_events(making->conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
}

/* What belongs to membership has no meaning for the handles that only read or ask. */
static bool for_member_only(const char *name)
{
    return strncmp(name, "group.", 6) == 0 || strcmp(name, "partition.assignment.strategy") == 0;
}

static void set_properties(struct making *making, enum od_handle_kind kind)
{
    const struct od_settings *settings = making->settings;
    for (size_t i = 0; i < settings->property_count; i++) {
        const struct od_property *property = &settings->properties[i];
        if (kind != OD_HANDLE_CONSUMER && for_member_only(property->name)) {
            continue;
        }
        char text[256] = "";
        if (making->result == ORDERLY_OK &&
            rd_kafka_conf_set(making->conf, property->name, property->value, text, sizeof text) != RD_KAFKA_CONF_OK) {
            making->result =
                od_fail(making->error, ORDERLY_CONFIG, "kafka.%s: librdkafka refuses it: %s", property->name, text);
        }
    }
}

static void log_line(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    struct od_wake *wake = rd_kafka_opaque(rk);
    /* The same properties go to consumer and producer: that one of them has no use for some is not news. */
    if (!wake || (strstr(text, " property and will be ignored by this ") && strcmp(facility, "CONFWARN") == 0)) {
        return;
    }
    od_wake_log(wake,
                level <= 3   ? ORDERLY_LOG_ERROR
                : level <= 4 ? ORDERLY_LOG_WARNING
                : level <= 6 ? ORDERLY_LOG_INFO
                             : ORDERLY_LOG_DEBUG,
                "librdkafka", text);
}

static enum orderly_err make_conf(const struct od_settings *settings, enum od_handle_kind kind, rd_kafka_conf_t **ret,
                                  struct orderly_error *error)
{
    struct making making = {settings, rd_kafka_conf_new(), error, ORDERLY_OK};
    suggest(&making, "client.id", "orderly");
    set_properties(&making, kind);
    force(&making, "bootstrap.servers", settings->brokers);
    suggest(&making, "socket.nagle.disable", "true");
    suggest(&making, "enable.metrics.push", "false");
    suggest(&making, "allow.auto.create.topics", "false");
    suggest(&making, "reconnect.backoff.max.ms", "2000");
    if (kind == OD_HANDLE_PRODUCER) {
        set_producer(&making);
    } else {
        set_consumer(&making, kind);
    }
    if (making.result != ORDERLY_OK) {
        rd_kafka_conf_destroy(making.conf);
        return making.result;
    }
    rd_kafka_conf_set_log_cb(making.conf, log_line);
    *ret = making.conf;
    return ORDERLY_OK;
}

enum orderly_err od_handle_check(const struct od_settings *settings, struct orderly_error *error)
{
    const enum od_handle_kind kinds[] = {OD_HANDLE_CONSUMER, OD_HANDLE_PRODUCER};
    if (rd_kafka_version() < 0x020e0000) {
        return od_fail(error, ORDERLY_CONFIG, "librdkafka %s is too old: 2.14 or newer is needed",
                       rd_kafka_version_str());
    }
    for (size_t i = 0; i < 2; i++) {
        rd_kafka_conf_t *conf = NULL;
        enum orderly_err result = make_conf(settings, kinds[i], &conf, error);
        if (result != ORDERLY_OK) {
            return result;
        }
        rd_kafka_conf_destroy(conf);
    }
    return ORDERLY_OK;
}

/* Thread: librdkafka's, with the queue's lock held. */
static void woken(rd_kafka_t *rk, void *wake)
{
    (void)rk;
    od_wake_signal(wake);
}

enum orderly_err od_handle_open(const struct od_settings *settings, struct od_wake *wake, enum od_handle_kind kind,
                                struct od_handle **ret, struct orderly_error *error)
{
    struct od_handle *handle = calloc(1, sizeof *handle);
    rd_kafka_conf_t *conf = NULL;
    char text[512] = "";
    if (!handle) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    enum orderly_err result = make_conf(settings, kind, &conf, error);
    if (result != ORDERLY_OK) {
        free(handle);
        return result;
    }
    handle->kind = kind;
    handle->wake = od_wake_ref(wake);
    rd_kafka_conf_set_opaque(conf, handle->wake);
    bool consumer = kind != OD_HANDLE_PRODUCER;
    handle->rk = rd_kafka_new(consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!handle->rk) {
        rd_kafka_conf_destroy(conf);
        od_wake_unref(handle->wake);
        free(handle);
        return od_fail(error, ORDERLY_CONFIG, "librdkafka refuses the configuration: %s", text);
    }
    handle->main = rd_kafka_queue_get_main(handle->rk);
    handle->answers = rd_kafka_queue_new(handle->rk);
    rd_kafka_queue_cb_event_enable(handle->main, woken, handle->wake);
    rd_kafka_queue_cb_event_enable(handle->answers, woken, handle->wake);
    if (consumer) {
        handle->answering = od_answering_new();
        handle->consumer = rd_kafka_queue_get_consumer(handle->rk);
        rd_kafka_queue_cb_event_enable(handle->consumer, woken, handle->wake);
    }
    *ret = handle;
    return ORDERLY_OK;
}

/*
 * librdkafka (2.14.2) forgets all brokers when one of them answers that there is none, as a cluster does whose brokers are fenced for a moment, and then it
 * never looks again: a group member would wait for ever. An addition to its list of bootstrap servers makes it look.
 */
void od_handle_look_for_brokers(struct od_engine *engine, struct od_handle *handle)
{
    if (!handle || engine->now_ms < handle->looked_ms + handle->look_again_ms) {
        return;
    }
    bool anew = handle->look_again_ms == 0 || engine->now_ms > handle->looked_ms + 2 * LOOK_MAX_MS;
    handle->look_again_ms = anew ? LOOK_FIRST_MS : od_sooner(2 * handle->look_again_ms, LOOK_MAX_MS);
    handle->looked_ms = engine->now_ms;
    od_engine_log(engine, ORDERLY_LOG_INFO, "kafka", "no broker answers; the bootstrap servers are tried anew");
    rd_kafka_brokers_add(handle->rk, engine->settings->brokers);
}

static void retired_unref(struct od_retired *retired)
{
    if (atomic_fetch_sub(&retired->references, 1) == 1) {
        od_wake_unref(retired->wake);
        free(retired);
    }
}

static void *destroy_main(void *argument)
{
    struct od_retired *retired = argument;
    od_answering_end(retired->answering);
    rd_kafka_destroy_flags(retired->rk, retired->leave_first ? 0 : RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    atomic_store(&retired->done, true);
    retired_unref(retired);
    return NULL;
}

static void forget_queue(rd_kafka_queue_t *queue)
{
    if (queue) {
        rd_kafka_queue_cb_event_enable(queue, NULL, NULL);
        rd_kafka_queue_destroy(queue);
    }
}

void od_handle_retire(struct od_engine *engine, struct od_handle *handle)
{
    if (!handle) {
        return;
    }
    forget_queue(handle->consumer);
    forget_queue(handle->main);
    forget_queue(handle->answers);
    struct od_retired *retired = calloc(1, sizeof *retired);
    pthread_t thread;
    if (!retired || !od_vec_push(&engine->retired, retired)) {
        free(retired);
        free(handle); /* out of memory: the handle is left behind */
        return;
    }
    retired->rk = handle->rk;
    retired->wake = handle->wake;
    retired->answering = handle->answering;
    retired->leave_first = handle->leave_first;
    atomic_init(&retired->references, 2);
    free(handle);
    if (pthread_create(&thread, NULL, destroy_main, retired) == 0) {
        pthread_detach(thread);
    } else {
        atomic_store(&retired->references, 1); /* no thread, no destruction: left behind */
    }
}

void od_handle_await_retired(struct od_engine *engine, int64_t timeout_ms)
{
    const struct timespec pause = {0, 2000000};
    for (int64_t waited = 0;; waited += 2) {
        bool all = true;
        for (size_t i = 0; i < engine->retired.count; i++) {
            all = all && atomic_load(&engine->retired.items[i]->done);
        }
        if (all || waited >= timeout_ms) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    size_t left = 0;
    for (size_t i = 0; i < engine->retired.count; i++) {
        left += !atomic_load(&engine->retired.items[i]->done);
        retired_unref(engine->retired.items[i]);
    }
    if (left > 0) {
        od_engine_log(engine, ORDERLY_LOG_WARNING, "kafka",
                      "%zu handle(s) of librdkafka did not end in time and were left behind", left);
    }
    od_vec_fini(&engine->retired);
}
