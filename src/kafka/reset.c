/*
 * A position that the broker does not have: the log begins above it (retention), ends below it (truncated), or is another log (the topic was made
 * anew). Begin and end of the log and the topic's id are asked for, then it is decided; nothing is skipped that may be new.
 */
#include "kafka/inside.h"
#include "kafka/topic_id.h"

#include <stdlib.h>
#include <string.h>

#define ASK_TIMEOUT_MS 10000

enum step { STEP_BEGIN, STEP_END, STEP_TOPIC };

struct reset_request {
    struct od_request base;
    enum step step;
    uint32_t id;
    int64_t diverges; /* from here on the log is another one than what was read; -1 not known */
    int64_t begin, end;
    char topic_id[32];
};

static void ask(struct od_engine *, struct reset_request *, const struct od_stay *);

/* What was written since the truncation may reach beyond our position: only where the logs part says what is new. */
static int64_t after_truncation(const struct od_stay *stay, const struct reset_request *reset)
{
    if (reset->diverges >= 0) {
        return od_sooner(reset->diverges, stay->position);
    }
    return stay->position > reset->end ? reset->end : stay->committed >= 0 ? stay->committed : stay->position;
}

static void decide(struct od_engine *engine, struct od_stay *stay, const struct reset_request *reset)
{
    const struct od_topic *topic = engine->topics.list.items[stay->topic];
    uint64_t now_hash = reset->topic_id[0] ? od_topic_id_hash(reset->topic_id) : 0;
    bool recreated = stay->topic_id_hash && now_hash && now_hash != stay->topic_id_hash;
    int64_t position = stay->position;
    stay->resetting = false;
    if (!recreated && position < reset->begin) {
        od_engine_log(engine, ORDERLY_LOG_ERROR, "fetch",
                      "%s[%d]: the log now begins at offset %lld, records from %lld on were removed unread",
                      topic->name, (int)stay->partition, (long long)reset->begin, (long long)position);
        od_group_move(engine, stay, reset->begin);
        stay->log_start = reset->begin;
        struct od_event event = {.type = OD_EVENT_LOG_START, .position = {.id = stay->id, .offset = reset->begin}};
        od_engine_emit(engine, &event);
        return;
    }
    int64_t target = recreated ? reset->begin : after_truncation(stay, reset);
    target = target < reset->begin ? reset->begin : target;
    od_engine_log(engine, ORDERLY_LOG_ERROR, "fetch", "%s[%d]: %s; reading goes on at offset %lld (was %lld)",
                  topic->name, (int)stay->partition, recreated ? "the topic was made anew" : "the log was truncated",
                  (long long)target, (long long)position);
    stay->topic_id_hash = recreated ? now_hash : stay->topic_id_hash;
    struct od_event event = {.type = OD_EVENT_SEEK,
                             .position = {.id = stay->id, .offset = target, .topic_id_hash = recreated ? now_hash : 0}};
    od_group_move(engine, stay, target);
    stay->committed = -1;
    od_engine_emit(engine, &event);
}

static bool take_answer(struct reset_request *reset, rd_kafka_event_t *event)
{
    size_t count = 0;
    if (!event || rd_kafka_event_error(event)) {
        return false;
    }
    if (reset->step == STEP_TOPIC) {
        const rd_kafka_TopicDescription_t **topics =
            rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
        if (count != 1 || rd_kafka_TopicDescription_error(topics[0])) {
            return false;
        }
        const char *id = rd_kafka_Uuid_base64str(rd_kafka_TopicDescription_topic_id(topics[0]));
        strncpy(reset->topic_id, id ? id : "", sizeof reset->topic_id - 1);
        return true;
    }
    const rd_kafka_ListOffsetsResultInfo_t **infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
    const rd_kafka_topic_partition_t *item =
        count == 1 ? rd_kafka_ListOffsetsResultInfo_topic_partition(infos[0]) : NULL;
    if (!item || item->err || item->offset < 0) {
        return false;
    }
    *(reset->step == STEP_BEGIN ? &reset->begin : &reset->end) = item->offset;
    return true;
}

static void answered(struct od_engine *engine, struct od_request *base, rd_kafka_event_t *event)
{
    struct reset_request *reset = (struct reset_request *)base;
    struct od_stay *stay = od_stays_find(engine, reset->id);
    if (!event || !stay || stay->closing || !stay->resetting) {
        free(reset);
        return;
    }
    if (!take_answer(reset, event)) {
        ask(engine, reset, stay); /* each question has its own time-out: no spinning */
    } else if (reset->step == STEP_TOPIC) {
        decide(engine, stay, reset);
        free(reset);
    } else {
        reset->step = reset->step == STEP_BEGIN ? STEP_END : STEP_TOPIC;
        ask(engine, reset, stay);
    }
}

static void ask(struct od_engine *engine, struct reset_request *reset, const struct od_stay *stay)
{
    struct od_handle *handle = engine->handle;
    const char *name = engine->topics.list.items[stay->topic]->name;
    rd_kafka_admin_op_t operation =
        reset->step == STEP_TOPIC ? RD_KAFKA_ADMIN_OP_DESCRIBETOPICS : RD_KAFKA_ADMIN_OP_LISTOFFSETS;
    rd_kafka_AdminOptions_t *options = od_request_options_to(
        handle, reset->step == STEP_TOPIC ? engine->subscription.broker : -1, operation, ASK_TIMEOUT_MS, &reset->base);
    od_request_add(engine, handle, &reset->base);
    if (reset->step == STEP_TOPIC) {
        rd_kafka_TopicCollection_t *topics = rd_kafka_TopicCollection_of_topic_names(&name, 1);
        rd_kafka_DescribeTopics(handle->rk, topics, options, handle->answers);
        rd_kafka_TopicCollection_destroy(topics);
    } else {
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(list, name, stay->partition)->offset =
            reset->step == STEP_BEGIN ? RD_KAFKA_OFFSET_SPEC_EARLIEST : RD_KAFKA_OFFSET_SPEC_LATEST;
        rd_kafka_ListOffsets(handle->rk, list, options, handle->answers);
        rd_kafka_topic_partition_list_destroy(list);
    }
    rd_kafka_AdminOptions_destroy(options);
}

/* librdkafka has asked the leader where our epoch ends, and tells it in words only. */
int64_t od_reset_diverges(const char *text)
{
    static const char before[] = "broker end offset is ";
    const char *at = strstr(text, before);
    if (!strstr(text, "truncation detected") && !strstr(text, "No epoch found")) {
        return -1;
    }
    long long offset = at ? strtoll(at + sizeof before - 1, NULL, 10) : -1;
    return strstr(text, "No epoch found") && offset < 0 ? 0 : offset; /* nothing of what we know is there any more */
}

void od_offsets_reset(struct od_engine *engine, struct od_stay *stay, const char *reason)
{
    struct reset_request *reset = stay->resetting ? NULL : calloc(1, sizeof *reset);
    if (!reset) {
        return;
    }
    stay->resetting = true;
    reset->id = stay->id;
    reset->diverges = od_reset_diverges(reason);
    reset->base.done = answered;
    od_engine_log(engine, ORDERLY_LOG_WARNING, "fetch", "%s[%d] at offset %lld: %s",
                  engine->topics.list.items[stay->topic]->name, (int)stay->partition, (long long)stay->position,
                  reason);
    ask(engine, reset, stay);
}
