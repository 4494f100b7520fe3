/*
 * Errors of the engine: which end the run (authorisation, a fenced instance id), which need a new handle (fatal ones: everything is lost, 1 to 60 s
 * of back-off), which are a line in the log.
 */
#include "kafka/inside.h"

#include <stdarg.h>
#include <stdio.h>

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS 60000
#define LOST_WAIT_MS 2000 /* for the core to give up what was lost */

void od_fault(struct od_engine *engine, enum orderly_err code, int kafka_code, bool ends, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (engine->ended) {
        return; /* one end is enough */
    }
    engine->ended = ends;
    struct od_engine_fault fault = {code, kafka_code, ends, text};
    engine->sink.fault(engine->sink.userdata, &fault);
}

void od_recover(struct od_engine *engine, enum orderly_err code, int kafka_code, const char *reason)
{
    struct od_recovery *recovery = &engine->recovery;
    if (recovery->wanted || !engine->handle || engine->leaving.wanted) {
        return;
    }
    bool calm = recovery->opened_ms && engine->now_ms - recovery->opened_ms > BACKOFF_MAX_MS;
    recovery->backoff_ms =
        calm || !recovery->backoff_ms ? BACKOFF_FIRST_MS : od_sooner(recovery->backoff_ms * 2, BACKOFF_MAX_MS);
    recovery->wanted = true;
    recovery->retire_by_ms = engine->now_ms + LOST_WAIT_MS;
    recovery->open_at_ms = engine->now_ms + recovery->backoff_ms;
    engine->state = OD_ENGINE_RECOVERING;
    od_engine_log(engine, ORDERLY_LOG_ERROR, "kafka", "%s: all partitions are lost, a new member joins in %lld ms",
                  reason, (long long)recovery->backoff_ms);
    od_fault(engine, code, kafka_code, false, "%s", reason);
    od_group_lose_all(engine, false);
}

static void retire(struct od_engine *engine)
{
    struct od_handle *handle = engine->handle;
    while (engine->stays.list.count > 0) {
        od_stays_remove(engine, engine->stays.list.items[0]);
    }
    od_group_fini(engine);
    engine->group.ever_assigned = false;
    engine->group.fenced_at_ms = 0;
    engine->handle = NULL;
    od_request_drop(engine, handle);
    handle->leave_first = true; /* should we still be a member, nobody has to wait for our session to end */
    od_handle_retire(engine, handle);
}

void od_recover_serve(struct od_engine *engine)
{
    struct od_recovery *recovery = &engine->recovery;
    if (!recovery->wanted || engine->leaving.wanted) {
        return;
    }
    if (engine->handle && (engine->stays.list.count == 0 || engine->now_ms >= recovery->retire_by_ms)) {
        retire(engine);
    }
    if (engine->handle || engine->now_ms < recovery->open_at_ms || engine->ended) {
        return;
    }
    struct orderly_error error = ORDERLY_ERROR_INIT;
    enum orderly_err result =
        od_handle_open(engine->settings, engine->wake, OD_HANDLE_CONSUMER, &engine->handle, &error);
    if (result != ORDERLY_OK) {
        recovery->backoff_ms = od_sooner(recovery->backoff_ms * 2, BACKOFF_MAX_MS);
        recovery->open_at_ms = engine->now_ms + recovery->backoff_ms;
        od_engine_log(engine, ORDERLY_LOG_ERROR, "kafka", "no new handle: %s", error.text);
        return;
    }
    recovery->wanted = false;
    recovery->opened_ms = engine->now_ms;
    engine->state = OD_ENGINE_JOINING;
    od_subscription_apply(engine);
}

int64_t od_recover_deadline(const struct od_engine *engine)
{
    const struct od_recovery *recovery = &engine->recovery;
    return !recovery->wanted ? INT64_MAX : engine->handle ? recovery->retire_by_ms : recovery->open_at_ms;
}

static void fatal(struct od_engine *engine)
{
    char text[384] = "";
    rd_kafka_resp_err_t err = rd_kafka_fatal_error(engine->handle->rk, text, sizeof text);
    if (err == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        od_fault(engine, ORDERLY_FENCED, err, true,
                 "fenced: another member of group %s has this group.instance.id (%s)", engine->settings->group, text);
        od_group_lose_all(engine, false);
    } else {
        char reason[480];
        snprintf(reason, sizeof reason, "fatal error of librdkafka: %s (%s)", text, rd_kafka_err2name(err));
        od_recover(engine, ORDERLY_FATAL, err, reason);
    }
}

void od_error_event(struct od_engine *engine, rd_kafka_event_t *event)
{
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    const char *text = rd_kafka_event_error_string(event);
    if (rd_kafka_event_error_is_fatal(event) || err == RD_KAFKA_RESP_ERR__FATAL) {
        fatal(engine);
        return;
    }
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        od_fault(engine, ORDERLY_AUTH, err, true, "not authorised: %s", text);
        break;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        od_fault(engine, ORDERLY_AUTH, err, engine->subscription.state != OD_SUBSCRIBED,
                 "the broker refuses our credentials: %s", text);
        break;
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
        od_fault(
            engine, ORDERLY_CONFIG, err, true,
            "group %s is in use with another assignment strategy or protocol: give all its members the same kafka.partition.assignment.strategy "
            "and kafka.group.protocol",
            engine->settings->group);
        break;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        od_engine_log(engine, ORDERLY_LOG_WARNING, "topics", "topic_missing: %s", text);
        engine->subscription.refresh_at_ms = engine->now_ms;
        od_subscription_doubt(engine);
        break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__RESOLVE:
        od_engine_log(engine, ORDERLY_LOG_WARNING, "kafka", "%s", text);
        break;
    default:
        od_engine_log(engine, ORDERLY_LOG_WARNING, "kafka", "%s (%s)", text, rd_kafka_err2name(err));
        break;
    }
}
