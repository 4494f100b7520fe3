/* How far the partitions reach: high watermarks from what was fetched, asked for where nothing is being fetched; and where their logs begin. */
#include "kafka/inside.h"

#include <stdlib.h>

#define INTERVAL_MS 1000   /* cached values */
#define ASK_EVERY_MS 10000 /* of a partition that is not read */
#define ASK_TIMEOUT_MS 10000

static void log_starts_at(struct od_engine *engine, struct od_stay *stay, int64_t offset)
{
    if (offset <= stay->log_start) {
        return;
    }
    stay->log_start = offset;
    struct od_event event = {.type = OD_EVENT_LOG_START, .position = {.id = stay->id, .offset = offset}};
    od_engine_emit(engine, &event);
}

static void look_at_cache(struct od_engine *engine)
{
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        struct od_stay *stay = engine->stays.list.items[i];
        int64_t low = -1;
        int64_t high = -1;
        if (!stay->assigned ||
            rd_kafka_get_watermark_offsets(engine->handle->rk, engine->topics.list.items[stay->topic]->name,
                                           stay->partition, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            continue;
        }
        if (high > stay->end) {
            stay->end = high;
        }
        if (low >= 0 && !stay->closing && stay->ready_told) {
            log_starts_at(engine, stay, low);
        }
    }
}

static void answered(struct od_engine *engine, struct od_request *request, rd_kafka_event_t *event)
{
    size_t count = 0;
    free(request);
    engine->ends.asking = false;
    if (!event || rd_kafka_event_error(event)) {
        return;
    }
    const rd_kafka_ListOffsetsResultInfo_t **infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *item = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        struct od_stay *stay = od_stays_at(engine, item->topic, item->partition);
        if (stay && !item->err && item->offset > stay->end) {
            stay->end = item->offset;
        }
    }
}

static void ask(struct od_engine *engine)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        struct od_stay *stay = engine->stays.list.items[i];
        if (stay->ready_told && (stay->end < 0 || engine->now_ms - stay->fetched_at_ms >= ASK_EVERY_MS)) {
            stay->fetched_at_ms = engine->now_ms;
            rd_kafka_topic_partition_list_add(list, engine->topics.list.items[stay->topic]->name, stay->partition)
                ->offset = RD_KAFKA_OFFSET_SPEC_LATEST;
        }
    }
    struct od_request *request = list->cnt > 0 ? calloc(1, sizeof *request) : NULL;
    if (request) {
        rd_kafka_AdminOptions_t *options =
            od_request_options(engine->handle, RD_KAFKA_ADMIN_OP_LISTOFFSETS, ASK_TIMEOUT_MS, request);
        request->done = answered;
        od_request_add(engine, engine->handle, request);
        engine->ends.asking = true;
        rd_kafka_ListOffsets(engine->handle->rk, list, options, engine->handle->answers);
        rd_kafka_AdminOptions_destroy(options);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

void od_ends_serve(struct od_engine *engine)
{
    if (!engine->handle || engine->now_ms < engine->ends.next_ms || engine->leaving.wanted) {
        return;
    }
    engine->ends.next_ms = engine->now_ms + INTERVAL_MS;
    look_at_cache(engine);
    if (!engine->ends.asking) {
        ask(engine);
    }
}

int64_t od_engine_end(const struct od_engine *engine, uint32_t id)
{
    const struct od_stay *stay = od_stays_find(engine, id);
    int64_t low;
    int64_t high = -1;
    if (!stay) {
        return -1;
    }
    if (engine->handle && stay->assigned) {
        rd_kafka_get_watermark_offsets(engine->handle->rk, engine->topics.list.items[stay->topic]->name,
                                       stay->partition, &low, &high);
    }
    return high > stay->end ? high : stay->end;
}
