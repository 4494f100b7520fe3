/*
 * Reading parked records again whose bytes were let go: one handle without a group, one partition at a time, upward, so that neighbours come
 * with one fetch. What lies below the log's start or was compacted away is GONE; what takes too long is AGAIN.
 */
#include "kafka/inside.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 64
#define NEIGHBOURS 1000 /* offsets further apart are read by another seek */
#define RUN_MAX 256     /* records of one run */
#define RUN_TIME_MS 15000
#define IDLE_MS 30000 /* after that the handle goes */

static void tell(struct od_engine *engine, const struct od_wanted *wanted, enum od_reread_result result,
                 struct od_message *message)
{
    size_t size = message ? od_message_size(message) : 0;
    struct od_event event = {.type = OD_EVENT_REREAD,
                             .reread = {.record = wanted->record,
                                        .result = result,
                                        .tag = (uintptr_t)message,
                                        .size_bytes = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size}};
    od_engine_emit(engine, &event);
}

void od_engine_reread(struct od_engine *engine, uint64_t record, uint32_t id, int64_t offset)
{
    const struct od_stay *stay = od_stays_find(engine, id);
    struct od_wanted wanted = {record, id, stay ? stay->topic : 0, stay ? stay->partition : 0, offset};
    if (!stay) {
        return; /* the assignment is over, so is its record */
    }
    if (!od_vec_push(&engine->reader.wanted, wanted)) {
        od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory at a re-read");
    }
    engine->busy = true;
    od_wake_signal(engine->wake);
}

static int by_place(const void *a, const void *b)
{
    const struct od_wanted *left = a;
    const struct od_wanted *right = b;
    if (left->topic != right->topic) {
        return left->topic < right->topic ? -1 : 1;
    }
    if (left->partition != right->partition) {
        return left->partition < right->partition ? -1 : 1;
    }
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static void remove_first(struct od_reader *reader)
{
    memmove(reader->wanted.items, reader->wanted.items + 1, (reader->wanted.count - 1) * sizeof *reader->wanted.items);
    reader->wanted.count--;
    reader->active--;
}

/* The first wanted one of the run is answered. */
static void answer(struct od_engine *engine, enum od_reread_result result, struct od_message *message)
{
    struct od_wanted wanted = engine->reader.wanted.items[0];
    remove_first(&engine->reader);
    if (od_stays_find(engine, wanted.id)) {
        tell(engine, &wanted, result, message);
    } else {
        od_message_free(message);
    }
}

static void fail_run(struct od_engine *engine, enum od_reread_result result)
{
    while (engine->reader.active > 0) {
        answer(engine, result, NULL);
    }
}

static bool begin_run(struct od_engine *engine)
{
    struct od_reader *reader = &engine->reader;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (!reader->handle &&
        od_handle_open(engine->settings, engine->wake, OD_HANDLE_READER, &reader->handle, &error) != ORDERLY_OK) {
        reader->open_at_ms = engine->now_ms + 1000;
        od_engine_log(engine, ORDERLY_LOG_ERROR, "reread", "no handle to read again with: %s", error.text);
        return false;
    }
    qsort(reader->wanted.items, reader->wanted.count, sizeof *reader->wanted.items, by_place);
    const struct od_wanted *first = &reader->wanted.items[0];
    reader->active = 1;
    while (reader->active < reader->wanted.count && reader->active < RUN_MAX) {
        const struct od_wanted *before = &reader->wanted.items[reader->active - 1];
        const struct od_wanted *next = before + 1;
        if (next->topic != first->topic || next->partition != first->partition ||
            next->offset - before->offset > NEIGHBOURS) {
            break;
        }
        reader->active++;
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, engine->topics.list.items[first->topic]->name, first->partition)->offset =
        first->offset;
    rd_kafka_resp_err_t err = rd_kafka_assign(reader->handle->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    reader->deadline_ms = engine->now_ms + RUN_TIME_MS;
    if (err) {
        fail_run(engine, OD_REREAD_AGAIN);
    }
    return !err;
}

static void take(struct od_engine *engine, const rd_kafka_message_t *from)
{
    struct od_reader *reader = &engine->reader;
    if (from->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || from->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        answer(engine, OD_REREAD_GONE, NULL); /* the others of the run are tried from their own offset */
        reader->active = 0;
        return;
    }
    const struct od_topic *topic = engine->topics.list.items[reader->wanted.items[0].topic];
    if (from->err || !from->rkt || strcmp(rd_kafka_topic_name(from->rkt), topic->name) != 0 ||
        from->partition != reader->wanted.items[0].partition) {
        return;
    }
    while (reader->active > 0 && reader->wanted.items[0].offset < from->offset) {
        answer(engine, OD_REREAD_GONE, NULL);
    }
    if (reader->active == 0 || reader->wanted.items[0].offset != from->offset) {
        return;
    }
    const struct od_stay *stay = od_stays_find(engine, reader->wanted.items[0].id);
    struct od_message_context context = {.settings = engine->settings,
                                         .topic = topic,
                                         .fence = stay && stay->generation > 0 ? (uint64_t)stay->generation : 0,
                                         .wall_ms = engine->wall_ms,
                                         .record_bytes = engine->sink.record_bytes};
    od_message_context_name(&context, from->partition);
    struct od_message *message = od_message_make(from, &context);
    answer(engine, message ? OD_REREAD_OK : OD_REREAD_AGAIN, message);
}

static void serve_run(struct od_engine *engine)
{
    struct od_reader *reader = &engine->reader;
    rd_kafka_event_t *event;
    for (int i = 0; reader->active > 0 && i < BATCH * 16 && (event = rd_kafka_queue_poll(reader->handle->consumer, 0));
         i++) {
        const rd_kafka_message_t *message =
            rd_kafka_event_type(event) == RD_KAFKA_EVENT_FETCH ? rd_kafka_event_message_next(event) : NULL;
        if (message) {
            take(engine, message);
        } else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR) {
            rd_kafka_resp_err_t err = rd_kafka_event_error(event);
            if (err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
                answer(engine, OD_REREAD_GONE, NULL);
                reader->active = 0;
            }
        }
        rd_kafka_event_destroy(event);
    }
    if (reader->active > 0 && engine->now_ms >= reader->deadline_ms) {
        fail_run(engine, OD_REREAD_AGAIN);
    }
}

static void close_handle(struct od_engine *engine)
{
    struct od_handle *handle = engine->reader.handle;
    engine->reader.handle = NULL;
    od_handle_retire(engine, handle);
}

void od_reader_serve(struct od_engine *engine)
{
    struct od_reader *reader = &engine->reader;
    if (reader->handle && reader->active > 0) {
        serve_run(engine);
    }
    if (reader->active == 0 && reader->wanted.count > 0 && engine->now_ms >= reader->open_at_ms && !engine->ended) {
        reader->idle_since_ms = 0;
        if (begin_run(engine)) {
            engine->busy = true;
        }
    }
    if (reader->handle && reader->wanted.count == 0) {
        if (reader->idle_since_ms == 0) {
            reader->idle_since_ms = engine->now_ms;
        } else if (engine->now_ms - reader->idle_since_ms >= IDLE_MS) {
            close_handle(engine);
        }
    }
}

int64_t od_reader_deadline(const struct od_engine *engine)
{
    const struct od_reader *reader = &engine->reader;
    return reader->active > 0 ? reader->deadline_ms : reader->wanted.count > 0 ? reader->open_at_ms : INT64_MAX;
}

void od_reader_fini(struct od_engine *engine)
{
    od_vec_fini(&engine->reader.wanted);
    engine->reader.active = 0;
    close_handle(engine);
}
