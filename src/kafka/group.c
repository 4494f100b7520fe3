/*
 * Rebalances.
 *
 *     NONE --assign event--> ASSIGN --offsets known, or 3 s--> NONE
 *     NONE --revoke event--> REVOKE --the core gives up all of it, or the hold's end--> NONE
 *
 * librdkafka has at most one event open, and pauses every partition until it is answered: assigns are answered as soon as their offsets are read; a
 * partition whose offset stays unknown is left out of the answer and added later. Revokes are held for the core. An answer of the wrong family
 * (assign, incremental_assign) is refused and leaves the event open, so the family follows rd_kafka_rebalance_protocol().
 */
#include "kafka/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASSIGN_WAIT_MS 3000

static rd_kafka_t *rk_of(const struct od_engine *engine)
{
    return engine->handle->rk;
}

void od_group_fini(struct od_engine *engine)
{
    struct od_group *group = &engine->group;
    if (group->list) {
        rd_kafka_topic_partition_list_destroy(group->list);
        group->list = NULL;
    }
    group->pending = OD_PENDING_NONE;
}

bool od_group_refresh(struct od_engine *engine)
{
    struct od_group *group = &engine->group;
    group->member_id[0] = '\0';
    group->generation = -1;
    if (od_leave_begun(engine)) {
        return false;
    }
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(rk_of(engine));
    if (metadata) {
        const char *member = rd_kafka_consumer_group_metadata_member_id(metadata);
        snprintf(group->member_id, sizeof group->member_id, "%s", member ? member : "");
        group->generation = rd_kafka_consumer_group_metadata_generation_id(metadata);
        rd_kafka_consumer_group_metadata_destroy(metadata);
    }
    return group->member_id[0] != '\0' && group->generation >= 0;
}

static void refresh_protocol(struct od_engine *engine)
{
    const char *protocol = rd_kafka_rebalance_protocol(rk_of(engine));
    engine->group.cooperative = protocol && strcmp(protocol, "COOPERATIVE") == 0;
    engine->group.consumer_protocol = od_settings_property_is(engine->settings, "group.protocol", "consumer");
}

static void finish_pending(struct od_engine *engine)
{
    od_group_fini(engine);
    engine->group.lost = false;
}

static void refused(struct od_engine *engine, const char *what, rd_kafka_error_t *error)
{
    if (error) {
        od_engine_log(engine, ORDERLY_LOG_WARNING, "group", "librdkafka refuses to %s: %s", what,
                      rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
    }
}

/* ---- assign ------------------------------------------------------------------------------------------------ */

static bool readable(const struct od_stay *stay)
{
    return stay->offset_state == OD_OFFSET_KNOWN && !stay->closing && stay->queue;
}

/* Gives librdkafka what it may read: all of it (eager), or what is new (cooperative). */
static void give(struct od_engine *engine, bool answer)
{
    struct od_group *group = &engine->group;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)engine->stays.list.count);
    size_t fresh = 0;
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        struct od_stay *stay = engine->stays.list.items[i];
        if (!readable(stay) || (group->cooperative && stay->assigned)) {
            continue;
        }
        const char *name = engine->topics.list.items[stay->topic]->name;
        rd_kafka_topic_partition_t *item = rd_kafka_topic_partition_list_add(list, name, stay->partition);
        item->offset = stay->position;
        if (stay->position_epoch >= 0) {
            rd_kafka_topic_partition_set_leader_epoch(item, stay->position_epoch);
        }
        fresh += !stay->assigned;
        stay->assigned = true;
        stay->maybe_more = true;
        stay->fetched_at_ms = engine->now_ms;
    }
    if (answer || fresh > 0) {
        od_validate_begin(engine, list);
        if (group->cooperative) {
            refused(engine, "add partitions", rd_kafka_incremental_assign(rk_of(engine), list));
        } else {
            rd_kafka_resp_err_t err = rd_kafka_assign(rk_of(engine), list);
            if (err) {
                od_engine_log(engine, ORDERLY_LOG_WARNING, "group", "librdkafka refuses to assign: %s",
                              rd_kafka_err2str(err));
            }
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static void answer_assign(struct od_engine *engine)
{
    give(engine, true);
    finish_pending(engine);
    engine->group.ever_assigned = true;
    if (engine->state != OD_ENGINE_LEAVING) {
        engine->state = OD_ENGINE_STABLE;
    }
}

/* Assignors count partitions, whatever their topic: a share of retry partitions alone is one of very little work. */
static void tell_share(struct od_engine *engine)
{
    bool only_retries = engine->stays.list.count > 0;
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        const struct od_stay *stay = engine->stays.list.items[i];
        only_retries = only_retries && engine->topics.list.items[stay->topic]->role == OD_ROLE_RETRY;
    }
    if (only_retries && !engine->group.only_retries) {
        od_engine_log(
            engine, ORDERLY_LOG_INFO, "group",
            "all %zu partition(s) of this member are of retry topics: where others have sources to spare, "
            "kafka.group.protocol=consumer or kafka.partition.assignment.strategy=range shares each topic out evenly",
            engine->stays.list.count);
    }
    engine->group.only_retries = only_retries;
}

static void take_assign(struct od_engine *engine, const rd_kafka_topic_partition_list_t *list)
{
    struct od_group *group = &engine->group;
    OD_VEC(struct od_assign) fresh = {0};
    bool member = od_group_refresh(engine);
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *item = &list->elems[i];
        uint32_t topic = od_topics_find(&engine->topics, item->topic);
        if (topic == OD_NO_TOPIC || od_stays_at(engine, item->topic, item->partition)) {
            continue; /* not asked for (a leader with another subscription), or still ours */
        }
        struct od_stay *stay = od_stays_add(engine, topic, item->partition);
        struct od_topic *known = engine->topics.list.items[topic];
        if (!stay) {
            od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory at an assignment");
            break;
        }
        stay->generation = member ? group->generation : 0;
        if (known->partitions >= 0 && known->partitions <= item->partition) {
            known->partitions = item->partition + 1; /* it has grown since we asked */
        }
        struct od_assign assign = {stay->id, known->source, item->partition,
                                   known->role == OD_ROLE_RETRY ? OD_TOPIC_RETRY : OD_TOPIC_SOURCE};
        if (!od_vec_push(&fresh, assign)) {
            od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory at an assignment");
            break;
        }
    }
    group->pending = OD_PENDING_ASSIGN;
    group->answer_by_ms = engine->now_ms + ASSIGN_WAIT_MS;
    group->list = rd_kafka_topic_partition_list_copy(list);
    od_engine_log(engine, ORDERLY_LOG_INFO, "group", "assigned %d partition(s), generation %d", list->cnt,
                  group->generation);
    if (fresh.count > 0) {
        od_subscription_look_again(engine);
        struct od_event event = {.type = OD_EVENT_ASSIGNED, .assigned = {fresh.items, fresh.count}};
        od_engine_emit(engine, &event);
    }
    od_vec_fini(&fresh);
    tell_share(engine);
}

static bool offsets_known(const struct od_engine *engine)
{
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        if (engine->stays.list.items[i]->offset_state != OD_OFFSET_KNOWN) {
            return false;
        }
    }
    return true;
}

/* ---- revoke ------------------------------------------------------------------------------------------------ */

static void answer_revoke(struct od_engine *engine)
{
    struct od_group *group = &engine->group;
    refresh_protocol(engine);
    if (group->cooperative) {
        refused(engine, "take partitions away", od_answer_take_back(rk_of(engine), group->list));
    } else {
        rd_kafka_assign(rk_of(engine), NULL);
    }
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        struct od_stay *stay = engine->stays.list.items[i];
        const char *name = engine->topics.list.items[stay->topic]->name;
        if (!group->cooperative || rd_kafka_topic_partition_list_find(group->list, name, stay->partition)) {
            stay->assigned = false;
            stay->closing = true;
        }
    }
    if (engine->state == OD_ENGINE_REBALANCING) {
        engine->state = group->cooperative && !group->lost ? OD_ENGINE_STABLE : OD_ENGINE_JOINING;
    }
    finish_pending(engine);
}

static void sweep(struct od_engine *engine)
{
    for (size_t i = engine->stays.list.count; i > 0; i--) {
        struct od_stay *stay = engine->stays.list.items[i - 1];
        if (stay->closing) {
            od_stays_remove(engine, stay);
        }
    }
}

/* Ids of the open event's stays that the core still has. */
static uint32_t *open_ids(const struct od_engine *engine, const rd_kafka_topic_partition_list_t *list,
                          size_t *ret_count)
{
    uint32_t *ids = malloc(((size_t)list->cnt + 1) * sizeof *ids);
    *ret_count = 0;
    for (int i = 0; ids && i < list->cnt; i++) {
        struct od_stay *stay = od_stays_at(engine, list->elems[i].topic, list->elems[i].partition);
        if (stay && !stay->closing) {
            ids[(*ret_count)++] = stay->id;
        }
    }
    return ids;
}

static void take_revoke(struct od_engine *engine, const rd_kafka_topic_partition_list_t *list)
{
    struct od_group *group = &engine->group;
    bool lost = rd_kafka_assignment_lost(rk_of(engine)); /* any answer clears it: read now */
    bool member = od_group_refresh(engine);
    size_t count = 0;
    uint32_t *ids = open_ids(engine, list, &count);
    group->pending = OD_PENDING_REVOKE;
    group->lost = lost;
    group->list = rd_kafka_topic_partition_list_copy(list);
    group->fenced_at_ms = 0;
    if (!ids || count == 0 || engine->leaving.wanted) {
        answer_revoke(engine);
        sweep(engine);
        if (lost) {
            od_watch_doubt_over(engine);
        }
        free(ids);
        return;
    }
    int64_t deadline = engine->now_ms + engine->settings->hold_deadline;
    /* The core ends the hold by itself; should it not, the group must go on without its leave. */
    group->answer_by_ms = deadline + engine->settings->heartbeat_interval;
    engine->state = OD_ENGINE_REBALANCING;
    od_engine_log(engine, ORDERLY_LOG_INFO, "group", "%zu partition(s) %s", count,
                  !lost    ? "are wanted back by the group"
                  : member ? "are lost, the membership stands"
                           : "are lost");
    struct od_event event = {.type = lost ? OD_EVENT_LOST : OD_EVENT_REVOKE,
                             .partitions = {ids, count, lost ? engine->now_ms : deadline, member}};
    od_watch_hold_begins(engine);
    od_engine_emit(engine, &event);
    if (lost) {
        od_watch_doubt_over(engine);
    }
    free(ids);
}

void od_group_answered(struct od_engine *engine, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct od_stay *stay = od_stays_find(engine, ids[i]);
        if (stay) {
            stay->closing = true;
        }
    }
    if (engine->handle && engine->group.pending == OD_PENDING_REVOKE) {
        size_t open = 0;
        free(open_ids(engine, engine->group.list, &open));
        if (open == 0) {
            answer_revoke(engine);
        }
    }
    sweep(engine);
}

void od_group_give_up(struct od_engine *engine)
{
    if (engine->group.pending == OD_PENDING_ASSIGN) {
        answer_assign(engine);
    } else if (engine->group.pending == OD_PENDING_REVOKE) {
        answer_revoke(engine);
        sweep(engine);
    }
}

void od_group_lose_all(struct od_engine *engine, bool valid_member)
{
    OD_VEC(uint32_t) ids = {0};
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        if (!engine->stays.list.items[i]->closing && !od_vec_push(&ids, engine->stays.list.items[i]->id)) {
            od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory");
            break;
        }
    }
    if (ids.count > 0) {
        struct od_event event = {.type = OD_EVENT_LOST,
                                 .partitions = {ids.items, ids.count, engine->now_ms, valid_member}};
        od_engine_emit(engine, &event);
    }
    od_watch_doubt_over(engine);
    od_vec_fini(&ids);
}

/* ---- moving, serving --------------------------------------------------------------------------------------- */

void od_group_move(struct od_engine *engine, struct od_stay *stay, int64_t offset)
{
    stay->position = offset;
    stay->position_epoch = -1;
    if (stay->assigned) {
        stay->move = true;
        engine->busy = true;
    }
}

/*
 * A seek may be refused after an error stopped the partition, so a move takes the partition back and gives it again; not while an event is open, whose
 * answer that would be. What was fetched before is outdated by then.
 */
static void move(struct od_engine *engine)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        struct od_stay *stay = engine->stays.list.items[i];
        if (stay->move) {
            rd_kafka_topic_partition_list_add(list, engine->topics.list.items[stay->topic]->name, stay->partition);
            stay->move = stay->assigned = false;
        }
    }
    if (list->cnt > 0 && engine->group.cooperative) {
        refused(engine, "take partitions away", od_answer_take_back(rk_of(engine), list));
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void od_group_event(struct od_engine *engine, rd_kafka_event_t *event)
{
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    rd_kafka_resp_err_t err = rd_kafka_event_error(event);
    if (od_leave_begun(engine)) {
        if (engine->leaving.closing) {
            od_answer_apart(engine);
        } else {
            od_answer_no(engine, event);
        }
        return;
    }
    refresh_protocol(engine);
    if (engine->group.pending != OD_PENDING_NONE) {
        finish_pending(engine); /* librdkafka opens no second one before the first is over */
    }
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && list) {
        take_assign(engine, list);
    } else if (err == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && list) {
        take_revoke(engine, list);
    } else {
        od_engine_log(engine, ORDERLY_LOG_WARNING, "group", "a rebalance failed: %s", rd_kafka_err2str(err));
        rd_kafka_assign(rk_of(engine), NULL);
    }
}

void od_group_serve(struct od_engine *engine)
{
    struct od_group *group = &engine->group;
    if (!engine->handle) {
        return;
    }
    if (group->pending == OD_PENDING_ASSIGN && (offsets_known(engine) || engine->now_ms >= group->answer_by_ms)) {
        answer_assign(engine);
    } else if (group->pending == OD_PENDING_REVOKE && engine->now_ms >= group->answer_by_ms) {
        od_engine_log(engine, ORDERLY_LOG_ERROR, "group",
                      "the hold of a rebalance ended without an answer; the partitions are given up");
        answer_revoke(engine);
        sweep(engine);
    } else if (group->pending == OD_PENDING_NONE && group->ever_assigned && !engine->leaving.wanted) {
        move(engine);
        give(engine, false);
        od_validate_serve(engine);
    }
    if (engine->state == OD_ENGINE_JOINING && group->pending == OD_PENDING_NONE &&
        od_settings_property_is(engine->settings, "group.protocol", "consumer") && od_group_refresh(engine) &&
        group->generation > 0) {
        engine->state = OD_ENGINE_STABLE; /* with KIP-848 nothing is said when there is nothing to assign */
    }
    if (group->fenced_at_ms && engine->now_ms >= group->fenced_at_ms + 3 * engine->settings->heartbeat_interval) {
        group->fenced_at_ms = 0;
        od_recover(engine, ORDERLY_KAFKA, 0, "a commit was fenced and librdkafka did not notice");
    }
}

int64_t od_group_deadline(const struct od_engine *engine)
{
    return engine->group.pending == OD_PENDING_NONE ? INT64_MAX : engine->group.answer_by_ms;
}
