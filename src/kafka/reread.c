/*
 * Reading parked records again whose bytes were let go: one handle without a group, one partition at a time. A run is one pass over the wanted
 * ones of a partition, upward; what lies between them is read over, where that is cheaper than to seek. Runs go round: partition
 * after partition, then from the first again, so that none waits for ever. What lies below the log's start or was compacted away
 * is GONE; what takes too long is AGAIN.
 */
#include "kafka/inside.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 256
#define ROUNDS 8                 /* batches in one serve */
#define SEEK_BYTES (1024 * 1024) /* a seek costs as much as to read over so much */
#define RECORD_BYTES 256         /* that a record costs to read over, besides what is in it */
#define RUN_TIME_MS 15000        /* without a wanted one */
#define IDLE_MS 30000            /* after that the handle goes */

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

static bool running(const struct od_reader *reader)
{
    return reader->run_next < reader->run_end;
}

/* The wanted one that comes next in the run. */
static const struct od_wanted *next_of(const struct od_reader *reader)
{
    return &reader->wanted.items[reader->run_next];
}

/* What was answered goes; what the run has not come to is wanted as before. */
static void end_run(struct od_engine *engine)
{
    struct od_reader *reader = &engine->reader;
    size_t first = reader->run_first, next = reader->run_next;
    if (next > first) {
        struct od_wanted *items = reader->wanted.items;
        reader->last = items[next - 1];
        memmove(items + first, items + next, (reader->wanted.count - next) * sizeof *items);
        reader->wanted.count -= next - first;
    }
    reader->run_first = reader->run_next = reader->run_end = 0;
    engine->busy = true;
}

static void answer(struct od_engine *engine, enum od_reread_result result, struct od_message *message)
{
    struct od_reader *reader = &engine->reader;
    const struct od_wanted *wanted = &reader->wanted.items[reader->run_next++];
    reader->deadline_ms = engine->now_ms + RUN_TIME_MS;
    if (od_stays_find(engine, wanted->id)) {
        tell(engine, wanted, result, message);
    } else {
        od_message_free(message);
    }
}

static void fail_run(struct od_engine *engine, enum od_reread_result result)
{
    while (running(&engine->reader)) {
        answer(engine, result, NULL);
    }
}

/* The first run behind the last one, from the first partition again after the end. */
static void choose_run(struct od_reader *reader)
{
    struct od_wanted *items = reader->wanted.items;
    size_t count = reader->wanted.count, first = 0;
    qsort(items, count, sizeof *items, by_place);
    while (first < count && by_place(&items[first], &reader->last) <= 0) {
        first++;
    }
    first = first < count ? first : 0;
    size_t end = first + 1;
    int64_t apart = SEEK_BYTES / (reader->mean_size + RECORD_BYTES);
    while (end < count && items[end].topic == items[first].topic && items[end].partition == items[first].partition &&
           items[end].offset - items[end - 1].offset <= apart) {
        end++;
    }
    reader->run_first = reader->run_next = first;
    reader->run_end = end;
}

static void begin_run(struct od_engine *engine)
{
    struct od_reader *reader = &engine->reader;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (!reader->handle &&
        od_handle_open(engine->settings, engine->wake, OD_HANDLE_READER, &reader->handle, &error) != ORDERLY_OK) {
        reader->open_at_ms = engine->now_ms + 1000;
        od_engine_log(engine, ORDERLY_LOG_ERROR, "reread", "no handle to read again with: %s", error.text);
        return;
    }
    choose_run(reader);
    const struct od_wanted *first = next_of(reader);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, engine->topics.list.items[first->topic]->name, first->partition)->offset =
        first->offset;
    rd_kafka_resp_err_t err = rd_kafka_assign(reader->handle->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    reader->deadline_ms = engine->now_ms + RUN_TIME_MS;
    if (err) {
        fail_run(engine, OD_REREAD_AGAIN);
        end_run(engine);
    }
}

static struct od_message *copy_of(struct od_engine *engine, const rd_kafka_message_t *from)
{
    const struct od_wanted *wanted = next_of(&engine->reader);
    const struct od_stay *stay = od_stays_find(engine, wanted->id);
    struct od_message_context context = {.settings = engine->settings,
                                         .topic = engine->topics.list.items[wanted->topic],
                                         .fence = stay && stay->generation > 0 ? (uint64_t)stay->generation : 0,
                                         .wall_ms = engine->wall_ms,
                                         .record_bytes = engine->sink.record_bytes};
    od_message_context_name(&context, from->partition);
    return od_message_make(from, &context);
}

/* Whether the run goes on. */
static bool take(struct od_engine *engine, const rd_kafka_message_t *from)
{
    struct od_reader *reader = &engine->reader;
    if (from->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || from->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
        answer(engine, OD_REREAD_GONE, NULL);
        return false; /* the others of the run are tried from their own offset */
    }
    const struct od_topic *topic = engine->topics.list.items[next_of(reader)->topic];
    if (from->err || !from->rkt || strcmp(rd_kafka_topic_name(from->rkt), topic->name) != 0 ||
        from->partition != next_of(reader)->partition) {
        return true;
    }
    reader->mean_size += ((int64_t)(from->len + from->key_len) - reader->mean_size) / 16;
    while (running(reader) && next_of(reader)->offset < from->offset) {
        answer(engine, OD_REREAD_GONE, NULL);
    }
    if (running(reader) && next_of(reader)->offset == from->offset) {
        struct od_message *message = copy_of(engine, from);
        answer(engine, message ? OD_REREAD_OK : OD_REREAD_AGAIN, message);
    }
    return running(reader);
}

/* False: there was no more to read now. */
static bool serve_batch(struct od_engine *engine, bool *ret_goes_on)
{
    rd_kafka_message_t *messages[BATCH];
    ssize_t count = rd_kafka_consume_batch_queue(engine->reader.handle->consumer, 0, messages, BATCH);
    for (ssize_t i = 0; i < count; i++) {
        *ret_goes_on = *ret_goes_on && take(engine, messages[i]);
        rd_kafka_message_destroy(messages[i]);
    }
    return count == BATCH;
}

static void serve_run(struct od_engine *engine)
{
    bool goes_on = true, more = true;
    for (int i = 0; goes_on && more && i < ROUNDS; i++) {
        more = serve_batch(engine, &goes_on);
    }
    engine->busy |= more;
    if (goes_on && engine->now_ms >= engine->reader.deadline_ms) {
        fail_run(engine, OD_REREAD_AGAIN);
        goes_on = false;
    }
    if (!goes_on) {
        end_run(engine);
    }
}

static void close_handle(struct od_engine *engine)
{
    struct od_handle *handle = engine->reader.handle;
    engine->reader.handle = NULL;
    od_handle_retire(engine, handle);
}

/* Nothing is wanted: nothing is fetched. */
static void rest(struct od_engine *engine)
{
    struct od_reader *reader = &engine->reader;
    if (reader->idle_since_ms == 0) {
        reader->idle_since_ms = engine->now_ms;
        (void)rd_kafka_assign(reader->handle->rk, NULL);
    } else if (engine->now_ms - reader->idle_since_ms >= IDLE_MS) {
        close_handle(engine);
    }
}

void od_reader_serve(struct od_engine *engine)
{
    struct od_reader *reader = &engine->reader;
    if (running(reader)) {
        serve_run(engine);
    }
    if (!running(reader) && reader->wanted.count > 0 && engine->now_ms >= reader->open_at_ms && !engine->ended) {
        reader->idle_since_ms = 0;
        begin_run(engine);
    }
    if (reader->handle && reader->wanted.count == 0) {
        rest(engine);
    }
}

int64_t od_reader_deadline(const struct od_engine *engine)
{
    const struct od_reader *reader = &engine->reader;
    return running(reader) ? reader->deadline_ms : reader->wanted.count > 0 ? reader->open_at_ms : INT64_MAX;
}

void od_reader_fini(struct od_engine *engine)
{
    od_vec_fini(&engine->reader.wanted);
    engine->reader.run_first = engine->reader.run_next = engine->reader.run_end = 0;
    close_handle(engine);
}
