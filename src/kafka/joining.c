/*
 * A group that does not let us in. The classic protocol refuses a member with an error; with KIP-848 librdkafka repeats the refused heartbeat for ever
 * and says nothing, and a member that holds its rebalance keeps all others waiting. So a join that takes long asks who has the group: something that is
 * no consumer, or consumers of a protocol that the broker does not mix with ours, end the run; what else it may be is told.
 */
#include "kafka/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_FIRST_MS 2000 /* then twice as long each time */
#define ASK_MAX_MS 60000
#define ASK_TIMEOUT_MS 5000
#define TELL_MS 10000
#define SURE 2 /* answers that say the same: a group may be changing its protocol just now */
#define NAMED_MEMBERS 3

static long long waited_s(const struct od_engine *engine)
{
    return (long long)((engine->now_ms - engine->joining.since_ms) / 1000);
}

/* The first members by client id and host, "a@/10.0.0.1, b@/10.0.0.2, ...". */
static void name_members(const rd_kafka_ConsumerGroupDescription_t *group, char *ret, size_t size)
{
    size_t count = rd_kafka_ConsumerGroupDescription_member_count(group);
    size_t at = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < count && i < NAMED_MEMBERS && at < size; i++) {
        const rd_kafka_MemberDescription_t *member = rd_kafka_ConsumerGroupDescription_member(group, i);
        int length = snprintf(ret + at, size - at, "%s%s@%s", i ? ", " : "",
                              rd_kafka_MemberDescription_client_id(member), rd_kafka_MemberDescription_host(member));
        at += length > 0 ? (size_t)length : 0;
    }
    if (count > NAMED_MEMBERS && at < size) {
        snprintf(ret + at, size - at, ", and %zu more", count - NAMED_MEMBERS);
    }
}

static void tell(struct od_engine *engine, const char *state, const char *members)
{
    struct od_joining *joining = &engine->joining;
    if (engine->now_ms - joining->since_ms < joining->tell_ms) {
        return;
    }
    joining->tell_ms *= 2;
    od_engine_log(
        engine, ORDERLY_LOG_WARNING, "group",
        "group %s has not let this member in for %lld s (state %s; members: %s): another member may hold its rebalance, or something "
        "of another protocol type (share groups, Kafka Streams) uses the group",
        engine->settings->group, waited_s(engine), state, members[0] ? members : "none");
}

static void judge(struct od_engine *engine, const rd_kafka_ConsumerGroupDescription_t *group)
{
    struct od_joining *joining = &engine->joining;
    const rd_kafka_error_t *error = rd_kafka_ConsumerGroupDescription_error(group);
    char members[256] = "";
    if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__INVALID_ARG) { /* it has members, and they are no consumers */
        od_fault(engine, ORDERLY_CONFIG, RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, true,
                 "group %s is in use by something of another protocol type: %s Give this one another kafka.group.id",
                 engine->settings->group, rd_kafka_error_string(error));
        return;
    }
    if (error) {
        if (od_request_unanswered(rd_kafka_error_code(error))) { /* the answer as a whole is fine then */
            od_handle_look_for_brokers(engine, engine->handle);
        }
        tell(engine, rd_kafka_err2str(rd_kafka_error_code(error)), members);
        return;
    }
    name_members(group, members, sizeof members);
    bool consumer = od_settings_property_is(engine->settings, "group.protocol", "consumer");
    bool refused =
        consumer && members[0] && rd_kafka_ConsumerGroupDescription_type(group) == RD_KAFKA_CONSUMER_GROUP_TYPE_CLASSIC;
    joining->refused = refused ? joining->refused + 1 : 0;
    if (joining->refused >= SURE) {
        od_fault(
            engine, ORDERLY_CONFIG, RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL, true,
            "group %s is in use with the classic protocol by %s, and its broker does not let a member of kafka.group.protocol=consumer in: give "
            "all members the same kafka.group.protocol (or see the broker's group.consumer.migration.policy)",
            engine->settings->group, members);
        return;
    }
    tell(engine, rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(group)), members);
}

static bool waiting(const struct od_engine *engine)
{
    return engine->handle && engine->state == OD_ENGINE_JOINING && engine->group.pending == OD_PENDING_NONE &&
           !engine->leaving.wanted && !engine->ended;
}

static void answered(struct od_engine *engine, struct od_request *request, rd_kafka_event_t *event)
{
    size_t count = 0;
    free(request);
    engine->joining.asking = false;
    if (!waiting(engine) || engine->joining.since_ms == 0) {
        return;
    }
    if (event && !rd_kafka_event_error(event)) {
        const rd_kafka_ConsumerGroupDescription_t **groups =
            rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count);
        if (count == 1) {
            judge(engine, groups[0]);
        }
    } else if (event) {
        tell(engine, "not known", "");
    }
}

static void ask(struct od_engine *engine)
{
    const char *group = engine->settings->group;
    struct od_request *request = calloc(1, sizeof *request);
    if (!request) {
        return;
    }
    rd_kafka_AdminOptions_t *options =
        od_request_options(engine->handle, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, ASK_TIMEOUT_MS, request);
    request->done = answered;
    engine->joining.asking = true;
    od_request_add(engine, engine->handle, request);
    rd_kafka_DescribeConsumerGroups(engine->handle->rk, &group, 1, options, engine->handle->answers);
    rd_kafka_AdminOptions_destroy(options);
}

void od_joining_serve(struct od_engine *engine)
{
    struct od_joining *joining = &engine->joining;
    if (!waiting(engine)) {
        joining->since_ms = 0;
    } else if (joining->since_ms == 0) {
        joining->since_ms = engine->now_ms;
        joining->every_ms = ASK_FIRST_MS;
        joining->next_ms = engine->now_ms + joining->every_ms;
        joining->tell_ms = TELL_MS;
        joining->refused = 0;
    } else if (!joining->asking && engine->now_ms >= joining->next_ms) {
        joining->every_ms = od_sooner(joining->every_ms * 2, ASK_MAX_MS);
        joining->next_ms = engine->now_ms + joining->every_ms;
        ask(engine);
    }
}
