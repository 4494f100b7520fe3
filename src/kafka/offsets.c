/*
 * Where reading begins: committed offset and map, asked for without blocking and for whole topics, because `start` is decided for a topic: no
 * committed offset on any of its partitions means that the group is new to it. No offset is ever guessed: what fails is asked again.
 *
 *     WANTED --> ASKED --committed---------------------------> KNOWN
 *                      --none: from the beginning--> START_WANTED --> START_ASKED --> KNOWN (resolved)
 *                      --new, start=latest--> FOUNDING (founding.c) --> WANTED
 */
#include "kafka/inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

#define ASK_TIMEOUT_MS 10000
#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 5000
#define SPARE_AFTER_MS 5000

static size_t count_in(const struct od_engine *engine, enum od_stay_offset state)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        count += engine->stays.list.items[i]->offset_state == state;
    }
    return count;
}

static void change_all(struct od_engine *engine, enum od_stay_offset from, enum od_stay_offset to)
{
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        if (engine->stays.list.items[i]->offset_state == from) {
            engine->stays.list.items[i]->offset_state = to;
        }
    }
}

static void drop_spare(struct od_engine *engine)
{
    struct od_handle *spare = engine->offsets.spare;
    engine->offsets.spare = NULL;
    if (spare) {
        od_request_drop(engine, spare);
        od_handle_retire(engine, spare);
    }
}

void od_offsets_fini(struct od_engine *engine)
{
    drop_spare(engine);
}

static void failed(struct od_engine *engine, const char *what, const char *why)
{
    struct od_offsets *offsets = &engine->offsets;
    if (offsets->failing_since_ms == 0) {
        offsets->failing_since_ms = engine->now_ms;
    }
    offsets->backoff_ms = offsets->backoff_ms ? od_sooner(offsets->backoff_ms * 2, BACKOFF_MAX_MS) : BACKOFF_FIRST_MS;
    offsets->retry_at_ms = engine->now_ms + offsets->backoff_ms;
    if (!offsets->told && engine->now_ms - offsets->failing_since_ms >= 1000) {
        offsets->told = true;
        od_engine_log(engine, ORDERLY_LOG_WARNING, "offsets",
                      "%s cannot be read (%s); nothing is run from a guessed offset, asking again", what, why);
    }
    if (!offsets->spare && engine->now_ms - offsets->failing_since_ms >= SPARE_AFTER_MS) {
        if (od_handle_open(engine->settings, engine->wake, OD_HANDLE_ASKER, &offsets->spare, NULL) != ORDERLY_OK) {
            offsets->spare = NULL;
        }
    }
}

static void worked(struct od_engine *engine)
{
    struct od_offsets *offsets = &engine->offsets;
    offsets->backoff_ms = offsets->failing_since_ms = offsets->retry_at_ms = 0;
    offsets->told = false;
}

static struct od_handle *asker(struct od_engine *engine)
{
    return engine->offsets.spare ? engine->offsets.spare : engine->handle;
}

static void known(struct od_engine *engine, struct od_stay *stay, int64_t position, bool resolved)
{
    stay->position = position;
    stay->resolved = resolved;
    stay->offset_state = OD_OFFSET_KNOWN;
    stay->topic_id_hash = engine->topics.list.items[stay->topic]->id_hash;
    if (!resolved) {
        stay->committed = position;
        stay->committed_epoch = stay->position_epoch;
    }
    struct od_event event = {.type = OD_EVENT_READY,
                             .ready = {.id = stay->id,
                                       .position = position,
                                       .leader_epoch = stay->position_epoch,
                                       .resolved = resolved,
                                       .map = stay->map,
                                       .map_size = stay->map_size,
                                       .topic_id_hash = stay->topic_id_hash}};
    stay->ready_told = true;
    od_engine_emit(engine, &event);
}

/* ---- where a topic starts --------------------------------------------------------------------------------- */

static rd_kafka_topic_partition_list_t *start_list(struct od_engine *engine)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        struct od_stay *stay = engine->stays.list.items[i];
        if (stay->offset_state == OD_START_WANTED) {
            rd_kafka_topic_partition_list_add(list, engine->topics.list.items[stay->topic]->name, stay->partition)
                ->offset = RD_KAFKA_OFFSET_SPEC_EARLIEST;
            stay->offset_state = OD_START_ASKED;
        }
    }
    return list;
}

static void start_answered(struct od_engine *engine, struct od_request *request, rd_kafka_event_t *event)
{
    size_t count = 0;
    const char *why = "no answer";
    free(request);
    engine->offsets.asking_start = false;
    if (event && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const rd_kafka_ListOffsetsResultInfo_t **infos =
            rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
        for (size_t i = 0; i < count; i++) {
            const rd_kafka_topic_partition_t *item = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
            struct od_stay *stay = od_stays_at(engine, item->topic, item->partition);
            if (item->err) {
                why = rd_kafka_err2str(item->err);
            } else if (stay && stay->offset_state == OD_START_ASKED && item->offset >= 0) {
                known(engine, stay, item->offset, true);
            }
        }
    } else if (event) {
        why = rd_kafka_event_error_string(event);
    }
    if (count_in(engine, OD_START_ASKED) > 0) {
        change_all(engine, OD_START_ASKED, OD_START_WANTED);
        failed(engine, "the begin of a partition", why);
    } else {
        worked(engine);
    }
}

static void ask_start(struct od_engine *engine)
{
    struct od_request *request = calloc(1, sizeof *request);
    if (!request) {
        return;
    }
    rd_kafka_topic_partition_list_t *list = start_list(engine);
    struct od_handle *handle = asker(engine);
    rd_kafka_AdminOptions_t *options =
        od_request_options(handle, RD_KAFKA_ADMIN_OP_LISTOFFSETS, ASK_TIMEOUT_MS, request);
    request->done = start_answered;
    od_request_add(engine, handle, request);
    engine->offsets.asking_start = true;
    rd_kafka_ListOffsets(handle->rk, list, options, handle->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_topic_partition_list_destroy(list);
}

/* ---- committed offsets ------------------------------------------------------------------------------------- */

static bool has_stay_in(const struct od_engine *engine, uint32_t topic, enum od_stay_offset state)
{
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        if (engine->stays.list.items[i]->topic == topic && engine->stays.list.items[i]->offset_state == state) {
            return true;
        }
    }
    return false;
}

/* All partitions of each topic that has a stay to be decided. */
static rd_kafka_topic_partition_list_t *committed_list(struct od_engine *engine)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    for (uint32_t t = 0; t < engine->topics.list.count; t++) {
        const struct od_topic *topic = engine->topics.list.items[t];
        if (!has_stay_in(engine, t, OD_OFFSET_WANTED)) {
            continue;
        }
        int32_t partitions = od_stays_partitions(engine, t);
        for (int32_t p = 0; p < partitions; p++) {
            rd_kafka_topic_partition_list_add(list, topic->name, p);
        }
    }
    change_all(engine, OD_OFFSET_WANTED, OD_OFFSET_ASKED);
    return list;
}

struct seen {
    bool committed, failed;
};

static struct seen look_at_topic(const rd_kafka_topic_partition_list_t *list, const char *topic)
{
    struct seen seen = {false, false};
    for (int i = 0; i < list->cnt; i++) {
        if (strcmp(list->elems[i].topic, topic) == 0) {
            seen.failed = seen.failed || list->elems[i].err;
            seen.committed = seen.committed || (!list->elems[i].err && list->elems[i].offset >= 0);
        }
    }
    return seen;
}

static void take_committed(struct od_engine *engine, struct od_stay *stay, const rd_kafka_topic_partition_t *item)
{
    if (item->metadata && item->metadata_size > 0) {
        stay->map = od_text_copy_bytes(item->metadata, item->metadata_size);
        stay->map_size = stay->map ? item->metadata_size : 0;
        free(stay->committed_text);
        stay->committed_text = od_text_copy_bytes(item->metadata, item->metadata_size);
    }
    stay->position_epoch = rd_kafka_topic_partition_get_leader_epoch(item);
    known(engine, stay, item->offset, false);
    free(stay->map);
    stay->map = NULL;
    stay->map_size = 0;
}

/* False: not decided yet, ask again. */
static bool decide(struct od_engine *engine, struct od_stay *stay, const rd_kafka_topic_partition_list_t *list)
{
    const struct od_topic *topic = engine->topics.list.items[stay->topic];
    const rd_kafka_topic_partition_t *item = rd_kafka_topic_partition_list_find(
        (rd_kafka_topic_partition_list_t *)(uintptr_t)list, topic->name, stay->partition);
    if (!item || item->err) {
        return false;
    }
    if (item->offset >= 0) {
        take_committed(engine, stay, item);
        return true;
    }
    struct seen seen = look_at_topic(list, topic->name);
    if (topic->role == OD_ROLE_RETRY || seen.committed) {
        stay->offset_state = OD_START_WANTED;
    } else if (seen.failed) {
        return false; /* another partition may have an offset */
    } else if (engine->settings->start == OD_START_ERROR) {
        od_fault(
            engine, ORDERLY_NO_OFFSET, 0, true,
            "group %s has no committed offset on topic %s: set `start` to earliest or latest to say where to begin",
            engine->settings->group, topic->name);
        return false;
    } else {
        stay->offset_state = engine->settings->start == OD_START_EARLIEST ? OD_START_WANTED : OD_FOUNDING;
    }
    return true;
}

static void committed_answered(struct od_engine *engine, struct od_request *request, rd_kafka_event_t *event)
{
    const char *why = "no answer";
    rd_kafka_resp_err_t err = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__DESTROY;
    bool all = !err;
    size_t count = 0;
    free(request);
    engine->offsets.asking = false;
    if (!err) {
        const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
            rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
        const rd_kafka_error_t *error = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
        const rd_kafka_topic_partition_list_t *list =
            count == 1 && !error ? rd_kafka_group_result_partitions(groups[0]) : NULL;
        err = error ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
        why = error ? rd_kafka_err2str(err) : "a partition's error";
        for (size_t i = 0; i < engine->stays.list.count && !engine->ended; i++) {
            struct od_stay *stay = engine->stays.list.items[i];
            if (stay->offset_state == OD_OFFSET_ASKED) {
                all = list && decide(engine, stay, list) && all;
            }
        }
    } else if (event) {
        why = rd_kafka_event_error_string(event);
    }
    change_all(engine, OD_OFFSET_ASKED, OD_OFFSET_WANTED);
    if (err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
        od_fault(engine, ORDERLY_AUTH, err, true, "not authorised to read the offsets of group %s",
                 engine->settings->group);
    } else if (all) {
        worked(engine);
        drop_spare(engine);
    } else if (event) {
        failed(engine, "committed offsets", why);
    }
}

static void ask_committed(struct od_engine *engine)
{
    struct od_request *request = calloc(1, sizeof *request);
    if (!request) {
        return;
    }
    struct od_handle *handle = asker(engine);
    rd_kafka_topic_partition_list_t *list = committed_list(engine);
    rd_kafka_ListConsumerGroupOffsets_t *question =
        rd_kafka_ListConsumerGroupOffsets_new(engine->settings->group, list);
    rd_kafka_AdminOptions_t *options =
        od_request_options(handle, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, ASK_TIMEOUT_MS, request);
    rd_kafka_error_t *error = rd_kafka_AdminOptions_set_require_stable_offsets(options, 1);
    if (error) {
        rd_kafka_error_destroy(error);
    }
    request->done = committed_answered;
    od_request_add(engine, handle, request);
    engine->offsets.asking = true;
    rd_kafka_ListConsumerGroupOffsets(handle->rk, &question, 1, options, handle->answers);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(question);
    rd_kafka_topic_partition_list_destroy(list);
}

void od_offsets_serve(struct od_engine *engine)
{
    struct od_offsets *offsets = &engine->offsets;
    if (offsets->spare) {
        od_request_serve(engine, offsets->spare);
    }
    if (!engine->handle || engine->ended || engine->leaving.wanted || engine->now_ms < offsets->retry_at_ms) {
        return;
    }
    if (!offsets->asking && !engine->subscription.ids_wanted && count_in(engine, OD_OFFSET_WANTED) > 0) {
        ask_committed(engine);
    }
    if (!offsets->asking_start && count_in(engine, OD_START_WANTED) > 0) {
        ask_start(engine);
    }
}

int64_t od_offsets_deadline(const struct od_engine *engine)
{
    return engine->offsets.retry_at_ms > 0 ? engine->offsets.retry_at_ms : INT64_MAX;
}
