/*
 * Where a new group begins with `start: latest`: decided once, by one member, for all partitions of a topic.
 *
 * Were each member to look for the end of its own partitions, those that join later would begin later, skipping what came between, and one that sees
 * another's first commit would take its own partitions for new ones and begin at their beginning. So the member that has partition 0 (there
 * is always one, and the group lets only one have it) asks for the ends of all partitions and commits them in one request, which the coordinator
 * takes or refuses as a whole. The other members read nothing until they find a committed offset. No stay is decided here: all of them ask for
 * the committed offsets again.
 */
#include "kafka/inside.h"

#include <stdlib.h>
#include <string.h>

#define ASK_TIMEOUT_MS 10000
#define LOOK_FIRST_MS 50
#define LOOK_MAX_MS 1000
#define TELL_MS 10000

struct question {
    struct od_request base;
    uint32_t topic;
};

static void look_again(struct od_engine *engine, uint32_t topic)
{
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        struct od_stay *stay = engine->stays.list.items[i];
        if (stay->topic == topic && stay->offset_state == OD_FOUNDING) {
            stay->offset_state = OD_OFFSET_WANTED;
        }
    }
    engine->busy = true;
}

/* The stay of partition 0, when it is ours and waits. */
static struct od_stay *founder(const struct od_engine *engine, uint32_t topic)
{
    struct od_stay *stay = od_stays_at(engine, engine->topics.list.items[topic]->name, 0);
    return stay && !stay->closing && stay->offset_state == OD_FOUNDING ? stay : NULL;
}

static void later(struct od_engine *engine, struct od_founding *founding)
{
    founding->wait_ms = founding->wait_ms ? od_sooner(founding->wait_ms * 2, LOOK_MAX_MS) : LOOK_FIRST_MS;
    founding->at_ms = engine->now_ms + founding->wait_ms;
}

void od_founding_forget(struct od_topic *topic)
{
    if (topic->founding.ends) {
        rd_kafka_topic_partition_list_destroy(topic->founding.ends);
        topic->founding.ends = NULL;
    }
}

static void ask(struct od_engine *engine, uint32_t index,
                void (*done)(struct od_engine *, struct od_request *, rd_kafka_event_t *), struct question **ret)
{
    struct question *question = calloc(1, sizeof *question);
    if (question) {
        question->topic = index;
        question->base.done = done;
        engine->topics.list.items[index]->founding.asking = true;
        od_request_add(engine, engine->handle, &question->base);
    } else {
        later(engine, &engine->topics.list.items[index]->founding);
    }
    *ret = question;
}

/* ---- the ends are committed -------------------------------------------------------------------------------- */

static void committed(struct od_engine *engine, struct od_request *base, rd_kafka_event_t *event)
{
    uint32_t index = ((struct question *)base)->topic;
    struct od_topic *topic = engine->topics.list.items[index];
    rd_kafka_topic_partition_list_t *list = event ? rd_kafka_event_topic_partition_list(event) : NULL;
    rd_kafka_resp_err_t err = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__DESTROY;
    for (int i = 0; list && i < list->cnt && !err; i++) {
        err = list->elems[i].err;
    }
    free(base);
    topic->founding.asking = false;
    if (!err) {
        od_engine_log(engine, ORDERLY_LOG_INFO, "offsets",
                      "group %s is new to %s and begins at its end (start=latest): %d partition(s) committed",
                      engine->settings->group, topic->name, list ? list->cnt : 0);
    } else if (err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
               err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        od_fault(engine, ORDERLY_AUTH, err, true, "not authorised to commit where group %s begins in %s: %s",
                 engine->settings->group, topic->name, rd_kafka_err2str(err));
    } else {
        od_engine_log(engine, ORDERLY_LOG_INFO, "offsets", "where group %s begins in %s was not committed: %s",
                      engine->settings->group, topic->name, rd_kafka_err2str(err));
        later(engine, &topic->founding);
    }
    look_again(engine, index); /* also after an error: it may have been taken all the same */
}

/* The coordinator refuses what comes from an earlier generation, in which partition 0 may have been another member's since. */
static void commit(struct od_engine *engine, uint32_t index)
{
    struct od_topic *topic = engine->topics.list.items[index];
    struct question *question = NULL;
    if (topic->doubted || !od_group_refresh(engine)) {
        later(engine, &topic->founding);
        return;
    }
    ask(engine, index, committed, &question);
    if (!question) {
        return;
    }
    rd_kafka_resp_err_t err =
        rd_kafka_commit_queue(engine->handle->rk, topic->founding.ends, engine->handle->answers, NULL, &question->base);
    if (err) {
        od_request_remove(engine, &question->base);
        free(question);
        topic->founding.asking = false;
        later(engine, &topic->founding);
    }
}

/* ---- the ends are asked for -------------------------------------------------------------------------------- */

/* NULL when one of them is not known. */
static rd_kafka_topic_partition_list_t *ends_of(rd_kafka_event_t *event)
{
    size_t count = 0;
    if (!event || rd_kafka_event_error(event)) {
        return NULL;
    }
    const rd_kafka_ListOffsetsResultInfo_t **infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *item = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        if (item->err || item->offset < 0) {
            rd_kafka_topic_partition_list_destroy(list);
            return NULL;
        }
        rd_kafka_topic_partition_t *end = rd_kafka_topic_partition_list_add(list, item->topic, item->partition);
        end->offset = item->offset;
        rd_kafka_topic_partition_set_leader_epoch(end, rd_kafka_topic_partition_get_leader_epoch(item));
    }
    return list;
}

static void answered(struct od_engine *engine, struct od_request *base, rd_kafka_event_t *event)
{
    struct od_topic *topic = engine->topics.list.items[((struct question *)base)->topic];
    free(base);
    topic->founding.asking = false;
    topic->founding.ends = ends_of(event);
    if (!topic->founding.ends) {
        later(engine, &topic->founding);
    }
    engine->busy = true;
}

static void find_ends(struct od_engine *engine, uint32_t index, const struct od_stay *first)
{
    struct od_topic *topic = engine->topics.list.items[index];
    struct question *question = NULL;
    od_founding_forget(topic);
    topic->founding.stay = first->id;
    topic->founding.id_hash = topic->id_hash;
    ask(engine, index, answered, &question);
    if (!question) {
        return;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    int32_t partitions = od_stays_partitions(engine, index);
    for (int32_t p = 0; p < partitions; p++) {
        rd_kafka_topic_partition_list_add(list, topic->name, p)->offset = RD_KAFKA_OFFSET_SPEC_LATEST;
    }
    rd_kafka_AdminOptions_t *options =
        od_request_options(engine->handle, RD_KAFKA_ADMIN_OP_LISTOFFSETS, ASK_TIMEOUT_MS, &question->base);
    rd_kafka_ListOffsets(engine->handle->rk, list, options, engine->handle->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- serving ----------------------------------------------------------------------------------------------- */

static bool waits(const struct od_engine *engine, uint32_t topic)
{
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        const struct od_stay *stay = engine->stays.list.items[i];
        if (stay->topic == topic && stay->offset_state == OD_FOUNDING) {
            return true;
        }
    }
    return false;
}

static bool decided(const struct od_engine *engine, uint32_t topic)
{
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        const struct od_stay *stay = engine->stays.list.items[i];
        if (stay->topic == topic && stay->offset_state != OD_OFFSET_KNOWN) {
            return false;
        }
    }
    return true;
}

static void tell(struct od_engine *engine, struct od_topic *topic)
{
    struct od_founding *founding = &topic->founding;
    if (founding->since_ms == 0) {
        founding->since_ms = engine->now_ms;
        founding->tell_ms = TELL_MS;
    } else if (engine->now_ms - founding->since_ms >= founding->tell_ms) {
        od_engine_log(
            engine, ORDERLY_LOG_WARNING, "offsets",
            "offset_unknown: group %s is new to %s, and the member that has partition 0 has not committed for %lld s where "
            "the group begins (start=latest)",
            engine->settings->group, topic->name, (long long)((engine->now_ms - founding->since_ms) / 1000));
        founding->tell_ms *= 2;
    }
}

static void serve(struct od_engine *engine, uint32_t index)
{
    struct od_topic *topic = engine->topics.list.items[index];
    struct od_founding *founding = &topic->founding;
    const struct od_stay *first = founder(engine, index);
    if (engine->now_ms < founding->at_ms) {
        return;
    }
    if (!first) {
        later(engine, founding);
        look_again(engine, index);
    } else if (founding->ends && founding->stay == first->id && founding->id_hash == topic->id_hash) {
        commit(engine, index);
    } else {
        find_ends(engine, index, first);
    }
}

void od_founding_serve(struct od_engine *engine)
{
    for (uint32_t t = 0; t < engine->topics.list.count; t++) {
        struct od_topic *topic = engine->topics.list.items[t];
        if (topic->founding.asking) {
            continue;
        }
        if (waits(engine, t)) {
            tell(engine, topic);
            serve(engine, t);
        } else if (decided(engine, t)) {
            topic->founding.since_ms = topic->founding.wait_ms = topic->founding.at_ms = 0;
        }
    }
}

int64_t od_founding_deadline(const struct od_engine *engine)
{
    int64_t deadline = INT64_MAX;
    for (uint32_t t = 0; t < engine->topics.list.count; t++) {
        const struct od_topic *topic = engine->topics.list.items[t];
        if (!topic->founding.asking && waits(engine, t)) {
            deadline = od_sooner(deadline, topic->founding.at_ms);
        }
    }
    return deadline;
}
