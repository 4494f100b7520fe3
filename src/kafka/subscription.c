/*
 * What we subscribe to: the topics that were named, those that match a pattern, and the retry topic of each.
 *
 *     LIST --topics that match--> DESCRIBE --all exist--> CONFIGS --retention is enough--> SUBSCRIBED --every 30 s--> describe and list again
 *
 * Patterns are resolved here and not by librdkafka, so that no pattern can ever match a retry or dead-letter topic, ours or another group's.
 */
#include "kafka/inside.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "kafka/topic_id.h"

#define ASK_TIMEOUT_MS 5000
#define ASK_AGAIN_MS 200
#define REFRESH_MS 30000
#define PATTERN_AGAIN_MS 5000

static bool has_patterns(const struct od_settings *settings)
{
    for (size_t i = 0; i < settings->topics.count; i++) {
        if (settings->topics.items[i][0] == '^') {
            return true;
        }
    }
    return settings->patterns.count > 0;
}

enum orderly_err od_subscription_begin(struct od_engine *engine)
{
    const struct od_settings *settings = engine->settings;
    for (size_t i = 0; i < settings->topics.count; i++) {
        uint32_t source;
        if (settings->topics.items[i][0] == '^') {
            continue;
        }
        enum orderly_err result = od_topics_add(&engine->topics, settings, settings->topics.items[i], &source);
        if (result != ORDERLY_OK) {
            return result;
        }
    }
    engine->subscription.state = OD_SUBSCRIBING_LIST;
    engine->subscription.broker = -1;
    return ORDERLY_OK;
}

/* ---- patterns ---------------------------------------------------------------------------------------------- */

static bool matches(const char *pattern, const char *name)
{
    regex_t compiled;
    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        return false;
    }
    bool matched = regexec(&compiled, name, 0, NULL, 0) == 0;
    regfree(&compiled);
    return matched;
}

static bool wanted(const struct od_settings *settings, const char *name)
{
    if (name[0] == '_' && name[1] == '_') {
        return false; /* Kafka's own */
    }
    if (od_topics_hospital(settings, name)) {
        return false;
    }
    for (size_t i = 0; i < settings->topics.count; i++) {
        if (settings->topics.items[i][0] == '^' && matches(settings->topics.items[i], name)) {
            return true;
        }
    }
    for (size_t i = 0; i < settings->patterns.count; i++) {
        if (matches(settings->patterns.items[i], name)) {
            return true;
        }
    }
    return false;
}

static void take_names(struct od_engine *engine, char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t source;
        if (wanted(engine->settings, names[i]) && od_topics_find(&engine->topics, names[i]) == OD_NO_TOPIC) {
            if (od_topics_add(&engine->topics, engine->settings, names[i], &source) == ORDERLY_OK) {
                od_engine_log(engine, ORDERLY_LOG_INFO, "topics", "%s matches a pattern", names[i]);
                engine->subscription.dirty = true;
            } else {
                od_engine_log(engine, ORDERLY_LOG_ERROR, "topics",
                              "%s matches a pattern, but the name of its retry topic would be illegal: left out",
                              names[i]);
            }
        }
        free(names[i]);
    }
    free(names);
}

/* False: the list is not there yet. */
static bool list_topics(struct od_engine *engine)
{
    struct od_subscription *subscription = &engine->subscription;
    struct od_listing listing;
    if (!subscription->lister) {
        subscription->lister = od_lister_start(engine->handle, engine->wake, has_patterns(engine->settings));
        return false;
    }
    if (!od_lister_take(&subscription->lister, &listing)) {
        return false;
    }
    subscription->broker = listing.broker;
    if (listing.broker < 0) {
        od_handle_look_for_brokers(engine, engine->handle);
        subscription->retry_at_ms = engine->now_ms + ASK_AGAIN_MS;
        return false;
    }
    subscription->answered = true;
    take_names(engine, listing.names, listing.count);
    return true;
}

/* ---- descriptions ------------------------------------------------------------------------------------------ */

/* At the start the check of the topics says it; those that a pattern found come and go. */
static void tell_missing(struct od_engine *engine, const struct od_topic *topic, const char *why)
{
    od_engine_log(engine, ORDERLY_LOG_WARNING, "topics", "topic_missing: %s: %s", topic->name, why);
    if (engine->subscription.state == OD_SUBSCRIBED && !has_patterns(engine->settings)) {
        od_fault(engine, ORDERLY_UNKNOWN_TOPIC, topic->err, false,
                 "topic %s does not exist, or not any more (%s); it is read as soon as it does", topic->name, why);
    }
}

static void describe_one(struct od_engine *engine, const rd_kafka_TopicDescription_t *from)
{
    uint32_t index = od_topics_find(&engine->topics, rd_kafka_TopicDescription_name(from));
    if (index == OD_NO_TOPIC) {
        return;
    }
    struct od_topic *topic = engine->topics.list.items[index];
    const rd_kafka_error_t *error = rd_kafka_TopicDescription_error(from);
    int before = topic->err;
    topic->err = error ? (int)rd_kafka_error_code(error) : 0;
    if (topic->err) {
        if (!topic->missing_told && (!before || engine->subscription.state == OD_SUBSCRIBED)) {
            topic->missing_told = true;
            tell_missing(engine, topic, rd_kafka_error_string(error));
        }
        return;
    }
    /* It was left out of the subscription, or is known now. */
    engine->subscription.dirty = engine->subscription.dirty || (before && engine->subscription.state == OD_SUBSCRIBED);
    size_t partitions = 0;
    rd_kafka_TopicDescription_partitions(from, &partitions);
    const rd_kafka_Uuid_t *uuid = rd_kafka_TopicDescription_topic_id(from);
    const char *id = uuid && (rd_kafka_Uuid_most_significant_bits(uuid) || rd_kafka_Uuid_least_significant_bits(uuid))
                         ? rd_kafka_Uuid_base64str(uuid)
                         : "";
    if (topic->id[0] && id[0] && strcmp(topic->id, id) != 0) {
        od_engine_log(engine, ORDERLY_LOG_WARNING, "topics",
                      "%s was deleted and created again: it is read from where its new log says", topic->name);
        for (size_t i = 0; i < engine->stays.list.count; i++) {
            struct od_stay *stay = engine->stays.list.items[i];
            if (stay->topic == index && stay->offset_state == OD_OFFSET_KNOWN && !stay->closing) {
                od_offsets_reset(engine, stay, "its topic was made anew");
            }
        }
    }
    topic->doubted = false;
    topic->partitions = (int32_t)partitions;
    topic->missing_told = false;
    if (id[0] && strlen(id) < sizeof topic->id) {
        memcpy(topic->id, id, strlen(id) + 1);
        topic->id_hash = od_topic_id_hash(id);
    }
}

static bool is_any_missing(const struct od_engine *engine)
{
    for (size_t i = 0; i < engine->topics.list.count; i++) {
        const struct od_topic *topic = engine->topics.list.items[i];
        if (topic->err && !topic->removed) {
            return true;
        }
    }
    return false;
}

static void described(struct od_engine *engine, struct od_request *request, rd_kafka_event_t *event)
{
    struct od_subscription *subscription = &engine->subscription;
    size_t count = 0;
    free(request);
    subscription->asking = subscription->ids_wanted = false;
    if (!event || rd_kafka_event_error(event)) {
        od_engine_log(engine, ORDERLY_LOG_DEBUG, "topics", "the topics cannot be described yet: %s",
                      event ? rd_kafka_event_error_string(event) : "no handle");
        subscription->broker = -1;
        subscription->retry_at_ms = engine->now_ms + ASK_AGAIN_MS;
        return;
    }
    subscription->answered = true;
    const rd_kafka_TopicDescription_t **topics =
        rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        describe_one(engine, topics[i]);
    }
    od_engine_log(engine, ORDERLY_LOG_DEBUG, "topics", "%zu topic(s) described", count);
    if (subscription->state == OD_SUBSCRIBED) {
        bool soon = has_patterns(engine->settings) || is_any_missing(engine);
        subscription->refresh_at_ms = engine->now_ms + (soon ? PATTERN_AGAIN_MS : REFRESH_MS);
        if (subscription->dirty) {
            od_subscription_apply(engine);
        }
    } else if (od_subscription_topics_good(engine)) {
        subscription->state = OD_SUBSCRIBING_CONFIGS;
        od_subscription_check_configs(engine);
    } else {
        subscription->retry_at_ms = engine->now_ms + ASK_AGAIN_MS;
    }
}

static void describe(struct od_engine *engine)
{
    size_t count = 0;
    const char **names = calloc(engine->topics.list.count + 1, sizeof *names);
    struct od_request *request = calloc(1, sizeof *request);
    for (size_t i = 0; names && i < engine->topics.list.count; i++) {
        if (!engine->topics.list.items[i]->removed) {
            names[count++] = engine->topics.list.items[i]->name;
        }
    }
    if (names && request && count > 0) {
        rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(names, count);
        rd_kafka_AdminOptions_t *options = od_request_options_to(
            engine->handle, engine->subscription.broker, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, ASK_TIMEOUT_MS, request);
        request->done = described;
        od_request_add(engine, engine->handle, request);
        engine->subscription.asking = true;
        rd_kafka_DescribeTopics(engine->handle->rk, topics, options, engine->handle->answers);
        rd_kafka_AdminOptions_destroy(options);
        rd_kafka_TopicCollection_destroy(topics);
        request = NULL;
    } else {
        engine->subscription.retry_at_ms = engine->now_ms + PATTERN_AGAIN_MS; /* nothing matches a pattern yet */
        engine->subscription.state = OD_SUBSCRIBING_LIST;
    }
    free(request);
    free(names);
}

/* ---- subscribing ------------------------------------------------------------------------------------------- */

static bool exists(const struct od_engine *engine, uint32_t topic)
{
    return topic == OD_NO_TOPIC || engine->topics.list.items[topic]->err == 0;
}

void od_subscription_apply(struct od_engine *engine)
{
    if (!engine->handle || engine->leaving.wanted) {
        return; /* the new handle will subscribe; who leaves does not */
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < engine->topics.sources.count; i++) {
        const struct od_source *source = &engine->topics.sources.items[i];
        const struct od_topic *topic = engine->topics.list.items[source->topic];
        if (topic->removed) {
            continue;
        }
        if (!exists(engine, source->retry) || !exists(engine, source->dead_letter)) {
            od_engine_log(
                engine, ORDERLY_LOG_ERROR, "topics",
                "%s is left out: its retry or dead-letter topic does not exist; `orderly topics create` makes it",
                topic->name);
            continue;
        }
        rd_kafka_topic_partition_list_add(list, topic->name, RD_KAFKA_PARTITION_UA);
        if (source->retry != OD_NO_TOPIC &&
            !rd_kafka_topic_partition_list_find(list, engine->topics.list.items[source->retry]->name,
                                                RD_KAFKA_PARTITION_UA)) {
            rd_kafka_topic_partition_list_add(list, engine->topics.list.items[source->retry]->name,
                                              RD_KAFKA_PARTITION_UA);
        }
    }
    rd_kafka_resp_err_t err =
        list->cnt > 0 ? rd_kafka_subscribe(engine->handle->rk, list) : rd_kafka_unsubscribe(engine->handle->rk);
    rd_kafka_topic_partition_list_destroy(list);
    engine->subscription.dirty = false;
    if (err) {
        od_fault(engine, ORDERLY_KAFKA, err, false, "cannot subscribe: %s", rd_kafka_err2str(err));
    }
}

static void start_timeout(struct od_engine *engine)
{
    struct od_subscription *subscription = &engine->subscription;
    if (!subscription->answered && engine->now_ms - subscription->started_ms >= engine->settings->start_timeout) {
        od_fault(
            engine, ORDERLY_KAFKA, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, true,
            "no broker of %s could be reached within %lld s: check kafka.bootstrap.servers and that a broker is running",
            engine->settings->brokers, (long long)(engine->settings->start_timeout / 1000));
    }
}

void od_subscription_look_again(struct od_engine *engine)
{
    struct od_subscription *subscription = &engine->subscription;
    bool ids = false;
    for (size_t i = 0; i < engine->topics.list.count; i++) {
        ids = ids || engine->topics.list.items[i]->id[0];
    }
    if (ids && subscription->state == OD_SUBSCRIBED && subscription->broker >= 0) {
        subscription->ids_wanted = true;
        subscription->refresh_at_ms = 0;
        engine->busy = true;
        od_wake_signal(engine->wake);
    }
}

void od_subscription_doubt(struct od_engine *engine)
{
    for (size_t i = 0; i < engine->topics.list.count; i++) {
        struct od_topic *topic = engine->topics.list.items[i];
        topic->doubted = topic->doubted || topic->id[0];
    }
    od_subscription_look_again(engine);
}

void od_subscription_serve(struct od_engine *engine)
{
    struct od_subscription *subscription = &engine->subscription;
    if (!engine->handle || engine->ended || engine->leaving.wanted || engine->recovery.wanted) {
        return;
    }
    if (subscription->started_ms == 0) {
        subscription->started_ms = engine->now_ms;
    }
    if (subscription->state != OD_SUBSCRIBED) {
        start_timeout(engine);
    }
    if (subscription->asking || engine->ended || engine->now_ms < subscription->retry_at_ms) {
        return;
    }
    switch (subscription->state) {
    case OD_SUBSCRIBING_LIST:
    case OD_SUBSCRIBING_DESCRIBE:
        if (subscription->state == OD_SUBSCRIBING_DESCRIBE && subscription->broker >= 0) {
            describe(engine);
        } else if (list_topics(engine)) {
            subscription->state = OD_SUBSCRIBING_DESCRIBE;
            describe(engine);
        }
        break;
    case OD_SUBSCRIBED:
        if (engine->now_ms >= subscription->refresh_at_ms &&
            ((!has_patterns(engine->settings) && subscription->broker >= 0) || list_topics(engine))) {
            describe(engine);
        }
        break;
    case OD_SUBSCRIBING_IDLE:
    case OD_SUBSCRIBING_CONFIGS:
        break;
    }
}

int64_t od_subscription_deadline(const struct od_engine *engine)
{
    return engine->subscription.retry_at_ms > engine->now_ms ? engine->subscription.retry_at_ms : INT64_MAX;
}

void od_subscription_fini(struct od_engine *engine)
{
    od_lister_stop(engine->subscription.lister);
    engine->subscription.lister = NULL;
}

static void changed(struct od_engine *engine)
{
    engine->subscription.dirty = true;
    engine->subscription.refresh_at_ms = 0;
    engine->busy = true;
    od_wake_signal(engine->wake);
}

/* A name that Kafka takes, also where the names of its retry and dead-letter topics are made of it, and none of those. */
static enum orderly_err check_source(const struct od_engine *engine, const char *name)
{
    const struct od_settings *settings = engine->settings;
    const char *const templates[] = {"{topic}", settings->retry_topic, settings->dead_letter_topic};
    uint32_t known = od_topics_find(&engine->topics, name);
    enum orderly_err result =
        known != OD_NO_TOPIC && engine->topics.list.items[known]->role != OD_ROLE_SOURCE ? ORDERLY_INVALID : ORDERLY_OK;
    for (size_t i = 0; result == ORDERLY_OK && i < sizeof templates / sizeof *templates; i++) {
        char *made = NULL;
        if (templates[i][0] != '\0') {
            result = od_topic_name(templates[i], name, settings->group, &made);
            free(made);
        }
    }
    return result == ORDERLY_CONFIG ? ORDERLY_INVALID : result;
}

enum orderly_err od_engine_add_topics(struct od_engine *engine, const char *const *topics, size_t count)
{
    enum orderly_err result = ORDERLY_OK;
    for (size_t i = 0; i < count && result == ORDERLY_OK; i++) {
        result = check_source(engine, topics[i]);
    }
    if (result != ORDERLY_OK) {
        return result; /* none is added */
    }
    for (size_t i = 0; i < count && result == ORDERLY_OK; i++) {
        uint32_t source;
        result = od_topics_add(&engine->topics, engine->settings, topics[i], &source);
    }
    changed(engine); /* out of memory half-way too: what is in the list is asked for */
    return result;
}

enum orderly_err od_engine_remove_topics(struct od_engine *engine, const char *const *topics, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t index = od_topics_find(&engine->topics, topics[i]);
        if (index == OD_NO_TOPIC || engine->topics.list.items[index]->role != OD_ROLE_SOURCE) {
            return ORDERLY_UNKNOWN_TOPIC; /* none is removed */
        }
    }
    for (size_t i = 0; i < count; i++) {
        engine->topics.list.items[od_topics_find(&engine->topics, topics[i])]->removed = true;
    }
    changed(engine);
    return ORDERLY_OK;
}
