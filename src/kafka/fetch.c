/*
 * Records, from the partitions' own queues, within the credits of the core.
 *
 * `signalled` is set by librdkafka's thread when a queue becomes non-empty, once; so `maybe_more` stays until a pop comes back short. The bytes are
 * copied out at once (message.c). What librdkafka hands over twice (it may, after it paused a partition) is dropped by offset.
 */
#include "kafka/inside.h"

#include <string.h>

#include "base/hash.h"

#define BATCH 256
#define ROUNDS 8 /* batches of one partition in one serve, so that others and the group get their turn */
#define DRAIN_ROUNDS 2000

void od_fetch_drain(rd_kafka_queue_t *queue)
{
    rd_kafka_message_t *messages[BATCH];
    for (int round = 0; round < DRAIN_ROUNDS; round++) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 0, messages, BATCH);
        for (ssize_t i = 0; i < count; i++) {
            rd_kafka_message_destroy(messages[i]);
        }
        if (count <= 0) {
            return;
        }
    }
}

static const char *name_of(const struct od_engine *engine, const struct od_stay *stay)
{
    return engine->topics.list.items[stay->topic]->name;
}

static void partition_error(struct od_engine *engine, struct od_stay *stay, const rd_kafka_message_t *message)
{
    const char *text = rd_kafka_message_errstr(message);
    switch ((int)message->err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        break;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__LOG_TRUNCATION:
        od_offsets_reset(engine, stay, text);
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        od_fault(engine, ORDERLY_AUTH, message->err, true, "not authorised to read topic %s", name_of(engine, stay));
        break;
    default:
        od_engine_log(engine, ORDERLY_LOG_WARNING, "fetch", "%s[%d]: %s", name_of(engine, stay), (int)stay->partition,
                      text);
        break;
    }
}

static bool take(struct od_engine *engine, struct od_stay *stay, const struct od_message_context *context,
                 const rd_kafka_message_t *from, struct od_fetched *ret)
{
    struct od_message *message = od_message_make(from, context);
    if (!message) {
        return false;
    }
    struct orderly_bytes key = od_message_key(message);
    size_t size = od_message_size(message);
    *ret = (struct od_fetched){.tag = (uintptr_t)message,
                               .offset = from->offset,
                               .leader_epoch = od_message_leader_epoch(message),
                               .size_bytes = size > UINT32_MAX ? UINT32_MAX : (uint32_t)size,
                               .key_hash = key.data ? od_hash_bytes(key.data, key.size, 0) : 0,
                               .has_key = key.data != NULL,
                               .foreign = od_message_foreign(message),
                               .attempts = od_message_attempts(message),
                               .due_ms = od_message_due_ms(message),
                               .delay_ms = od_message_delay_ms(message),
                               .copy_hash = od_message_copy_hash(message)};
    if (od_message_garbage_due(message) && !stay->garbage_told) {
        stay->garbage_told = true;
        od_engine_log(engine, ORDERLY_LOG_WARNING, "fetch",
                      "%s[%d] offset %lld: header %s is no time; the record waits for the first backoff",
                      name_of(engine, stay), (int)stay->partition, (long long)from->offset,
                      engine->settings->retry_header);
    }
    return true;
}

static void charge(struct od_stay *stay, const struct od_fetched *list, size_t count)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += list[i].size_bytes;
    }
    stay->credit_records -= count < stay->credit_records ? (uint32_t)count : stay->credit_records;
    stay->credit_bytes -= bytes;
    if (count > 0) {
        stay->mean_size = (3 * stay->mean_size + bytes / (int64_t)count) / 4 + 1;
    }
}

/* Moves the position behind control records at the end of what was read; false when there are none. */
static bool pass_control(struct od_engine *engine, struct od_stay *stay)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, name_of(engine, stay), stay->partition);
    rd_kafka_resp_err_t err = rd_kafka_position(engine->handle->rk, list);
    bool passed = !err && !list->elems[0].err && list->elems[0].offset > stay->position;
    if (passed) {
        stay->position = list->elems[0].offset;
        stay->position_epoch = rd_kafka_topic_partition_get_leader_epoch(&list->elems[0]);
    }
    rd_kafka_topic_partition_list_destroy(list);
    return passed;
}

static void tell(struct od_engine *engine, struct od_stay *stay, const struct od_fetched *list, size_t count)
{
    charge(stay, list, count);
    stay->fetched_at_ms = engine->now_ms;
    struct od_event event = {.type = OD_EVENT_FETCHED,
                             .fetched = {.id = stay->id,
                                         .list = list,
                                         .count = count,
                                         .next_offset = stay->position,
                                         .more = stay->maybe_more,
                                         .leader_epoch = stay->position_epoch}};
    od_engine_emit(engine, &event);
}

static size_t wanted(const struct od_stay *stay)
{
    int64_t by_bytes = stay->credit_bytes / stay->mean_size;
    size_t want = by_bytes < 1 ? 1 : (uint64_t)by_bytes > BATCH ? BATCH : (size_t)by_bytes;
    return want < stay->credit_records ? want : stay->credit_records;
}

/* One batch; false when there is no more, or no credit. */
static bool serve_batch(struct od_engine *engine, struct od_stay *stay)
{
    rd_kafka_message_t *messages[BATCH];
    struct od_fetched list[BATCH];
    struct od_message_context context = {.settings = engine->settings,
                                         .topic = engine->topics.list.items[stay->topic],
                                         .fence = stay->generation > 0 ? (uint64_t)stay->generation : 0,
                                         .wall_ms = engine->wall_ms,
                                         .record_bytes = engine->sink.record_bytes};
    size_t count = 0;
    size_t want = wanted(stay);
    od_message_context_name(&context, stay->partition);
    ssize_t got = rd_kafka_consume_batch_queue(stay->queue, 0, messages, want);
    stay->maybe_more = got >= (ssize_t)want;
    for (ssize_t i = 0; i < got; i++) {
        if (messages[i]->err) {
            partition_error(engine, stay, messages[i]);
        } else if (messages[i]->offset >= stay->position && !stay->resetting && !engine->ended) {
            if (take(engine, stay, &context, messages[i], &list[count])) {
                count++;
                stay->position = messages[i]->offset + 1;
                stay->position_epoch = list[count - 1].leader_epoch;
            } else {
                od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory while reading %s", name_of(engine, stay));
            }
        }
        rd_kafka_message_destroy(messages[i]);
    }
    bool passed = !stay->maybe_more && !stay->resetting && pass_control(engine, stay);
    if (count > 0 || passed) {
        tell(engine, stay, list, count);
    }
    return stay->maybe_more;
}

static bool may_read(const struct od_stay *stay)
{
    return stay->assigned && stay->ready_told && !stay->move && !stay->validate && !stay->resetting && !stay->closing &&
           stay->maybe_more && stay->credit_records > 0 && stay->credit_bytes > 0;
}

bool od_fetch_serve(struct od_engine *engine)
{
    bool more = false;
    if (!engine->handle || engine->ended) {
        return false;
    }
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        struct od_stay *stay = engine->stays.list.items[i];
        if (atomic_exchange(&stay->signalled, false)) {
            stay->maybe_more = true;
        }
        for (int round = 0; round < ROUNDS && may_read(stay); round++) {
            serve_batch(engine, stay);
        }
        more = more || may_read(stay);
    }
    return more;
}
