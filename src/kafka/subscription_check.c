/* What a start insists on: sources, retry and dead-letter topics exist, and retry topics keep a record at least as long as it may wait. */
#include "kafka/inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define UNKNOWN_FOR_MS 2000 /* a topic that was just made is not known everywhere at once */
#define ASK_TIMEOUT_MS 5000
#define RETENTION_SLACK_MS (7 * INT64_C(86400000))

static bool still_hoping(struct od_engine *engine)
{
    struct od_subscription *subscription = &engine->subscription;
    if (subscription->missing_since_ms == 0) {
        subscription->missing_since_ms = engine->now_ms;
    }
    return engine->now_ms - subscription->missing_since_ms < UNKNOWN_FOR_MS;
}

/* True: it is there. */
static bool check(struct od_engine *engine, const struct od_topic *topic)
{
    const struct od_settings *settings = engine->settings;
    const char *source = od_engine_source(engine, topic->source);
    if (topic->err == 0) {
        return true;
    }
    if (topic->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        od_fault(engine, ORDERLY_AUTH, topic->err, true, "not authorised to see topic %s", topic->name);
        return false;
    }
    bool unknown =
        topic->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || topic->err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    if (!unknown || still_hoping(engine)) {
        return false;
    }
    if (topic->role == OD_ROLE_SOURCE) {
        od_fault(engine, ORDERLY_UNKNOWN_TOPIC, topic->err, true,
                 "unknown topic %s: the cluster at %s has no such topic; create it or correct `topics`", topic->name,
                 settings->brokers);
    } else {
        od_fault(
            engine, ORDERLY_CONFIG, topic->err, true,
            "%s topic %s does not exist: create it with `orderly topics create --brokers %s --group %s --topic %s`, or start with --create-topics",
            topic->role == OD_ROLE_RETRY ? "retry" : "dead-letter", topic->name, settings->brokers, settings->group,
            source);
    }
    return false;
}

/* Sources that match a pattern only are not insisted on: apply() leaves out what is incomplete. */
static bool named(const struct od_settings *settings, const char *source)
{
    for (size_t i = 0; i < settings->topics.count; i++) {
        if (strcmp(settings->topics.items[i], source) == 0) {
            return true;
        }
    }
    return false;
}

bool od_subscription_topics_good(struct od_engine *engine)
{
    for (size_t i = 0; i < engine->topics.list.count; i++) {
        const struct od_topic *topic = engine->topics.list.items[i];
        if (named(engine->settings, od_engine_source(engine, topic->source)) && !check(engine, topic)) {
            return false;
        }
    }
    return !engine->ended;
}

/* ---- retention --------------------------------------------------------------------------------------------- */

static const char *config_of(const rd_kafka_ConfigEntry_t **entries, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), name) == 0) {
            const char *value = rd_kafka_ConfigEntry_value(entries[i]);
            return value ? value : "";
        }
    }
    return NULL;
}

static void check_retention(struct od_engine *engine, const char *topic, const rd_kafka_ConfigEntry_t **entries,
                            size_t count)
{
    int64_t need = engine->settings->retry_max_delay + RETENTION_SLACK_MS;
    int64_t value = 0;
    const char *policy = config_of(entries, count, "cleanup.policy");
    const char *bytes = config_of(entries, count, "retention.bytes");
    const char *time = config_of(entries, count, "retention.ms");
    if (policy && strcmp(policy, "delete") != 0) {
        od_fault(
            engine, ORDERLY_CONFIG, 0, true,
            "retry topic %s has cleanup.policy=%s, which can remove records that wait: set it to delete (kafka-configs --alter --topic %s "
            "--add-config cleanup.policy=delete)",
            topic, policy, topic);
    } else if (bytes && od_text_to_i64(bytes, INT64_MIN, INT64_MAX, &value) && value >= 0) {
        od_fault(
            engine, ORDERLY_CONFIG, 0, true,
            "retry topic %s has retention.bytes=%s, which can remove records that wait: set it to -1 (kafka-configs --alter --topic %s --add-config "
            "retention.bytes=-1)",
            topic, bytes, topic);
    } else if (time && od_text_to_i64(time, INT64_MIN, INT64_MAX, &value) && value >= 0 && value < need) {
        od_fault(
            engine, ORDERLY_CONFIG, 0, true,
            "retry topic %s has retention.ms=%s, less than retry.max_delay and 7 days: set it to %lld or more, or to -1 (kafka-configs --alter --topic "
            "%s --add-config retention.ms=%lld), or make retry.max_delay shorter",
            topic, time, (long long)need, topic, (long long)need);
    }
}

static void join(struct od_engine *engine)
{
    if (engine->ended) {
        return;
    }
    engine->subscription.state = OD_SUBSCRIBED;
    engine->subscription.refresh_at_ms = engine->now_ms + 5000;
    engine->state = OD_ENGINE_JOINING;
    od_subscription_apply(engine);
}

static void configs_answered(struct od_engine *engine, struct od_request *request, rd_kafka_event_t *event)
{
    size_t count = 0;
    free(request);
    engine->subscription.asking = false;
    if (!event) {
        return;
    }
    if (rd_kafka_event_error(event)) {
        od_engine_log(engine, ORDERLY_LOG_INFO, "topics",
                      "the broker does not say how long retry topics keep their records (%s)",
                      rd_kafka_event_error_string(event));
    } else {
        const rd_kafka_ConfigResource_t **resources =
            rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
        for (size_t i = 0; i < count && !engine->ended; i++) {
            size_t entry_count = 0;
            const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resources[i], &entry_count);
            if (rd_kafka_ConfigResource_error(resources[i]) == RD_KAFKA_RESP_ERR_NO_ERROR) {
                check_retention(engine, rd_kafka_ConfigResource_name(resources[i]), entries, entry_count);
            } else {
                od_engine_log(engine, ORDERLY_LOG_WARNING, "topics", "the retention of %s cannot be read: %s",
                              rd_kafka_ConfigResource_name(resources[i]),
                              rd_kafka_ConfigResource_error_string(resources[i]));
            }
        }
    }
    join(engine);
}

void od_subscription_check_configs(struct od_engine *engine)
{
    size_t count = 0;
    rd_kafka_ConfigResource_t **resources = calloc(engine->topics.list.count + 1, sizeof *resources);
    struct od_request *request = calloc(1, sizeof *request);
    for (size_t i = 0; resources && i < engine->topics.list.count; i++) {
        if (engine->topics.list.items[i]->role == OD_ROLE_RETRY && engine->topics.list.items[i]->err == 0) {
            resources[count++] =
                rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, engine->topics.list.items[i]->name);
        }
    }
    if (request && count > 0) {
        rd_kafka_AdminOptions_t *options = od_request_options_to(
            engine->handle, engine->subscription.broker, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, ASK_TIMEOUT_MS, request);
        request->done = configs_answered;
        od_request_add(engine, engine->handle, request);
        engine->subscription.asking = true;
        rd_kafka_DescribeConfigs(engine->handle->rk, resources, count, options, engine->handle->answers);
        rd_kafka_AdminOptions_destroy(options);
        request = NULL;
    } else {
        join(engine);
    }
    for (size_t i = 0; i < count; i++) {
        rd_kafka_ConfigResource_destroy(resources[i]);
    }
    free(resources);
    free(request);
}
