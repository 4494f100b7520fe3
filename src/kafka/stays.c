/*
 * Partitions that are ours. The queue of a partition is split off before librdkafka is told to read it, so that no record can reach the consumer
 * queue, and it is emptied when the stay ends: messages of before are dropped when they are read, and a queue that is not read keeps its topic alive.
 */
#include "kafka/inside.h"

#include <stdlib.h>
#include <string.h>

static uint64_t place(uint32_t topic, int32_t partition)
{
    return (uint64_t)topic << 32 | (uint32_t)partition;
}

/* Thread: librdkafka's, with the queue's lock held: the queue was empty and is not any more. */
static void filled(rd_kafka_t *rk, void *userdata)
{
    struct od_stay *stay = userdata;
    (void)rk;
    atomic_store(&stay->signalled, true);
    od_wake_signal(stay->wake);
}

struct od_stay *od_stays_add(struct od_engine *engine, uint32_t topic, int32_t partition)
{
    struct od_stays *stays = &engine->stays;
    struct od_stay *stay = calloc(1, sizeof *stay);
    if (!stay) {
        return NULL;
    }
    stay->id = ++stays->next_id;
    stay->topic = topic;
    stay->partition = partition;
    stay->position = stay->end = stay->log_start = stay->committed = -1;
    stay->position_epoch = stay->committed_epoch = -1;
    stay->mean_size = 1024;
    stay->wake = engine->wake;
    if (!od_map_put(&stays->by_id, stay->id, (uintptr_t)stay) ||
        !od_map_put(&stays->by_place, place(topic, partition), (uintptr_t)stay) || !od_vec_push(&stays->list, stay)) {
        od_map_remove(&stays->by_id, stay->id, NULL);
        od_map_remove(&stays->by_place, place(topic, partition), NULL);
        free(stay);
        return NULL;
    }
    stay->queue = rd_kafka_queue_get_partition(engine->handle->rk, engine->topics.list.items[topic]->name, partition);
    if (stay->queue) {
        rd_kafka_queue_forward(stay->queue, NULL);
        rd_kafka_queue_cb_event_enable(stay->queue, filled, stay);
        stay->maybe_more = true;
    }
    return stay;
}

struct od_stay *od_stays_find(const struct od_engine *engine, uint32_t id)
{
    uint64_t value;
    return od_map_get(&engine->stays.by_id, id, &value) ? (struct od_stay *)(uintptr_t)value : NULL;
}

struct od_stay *od_stays_at(const struct od_engine *engine, const char *topic, int32_t partition)
{
    uint64_t value;
    uint32_t index = od_topics_find(&engine->topics, topic);
    if (index == OD_NO_TOPIC || !od_map_get(&engine->stays.by_place, place(index, partition), &value)) {
        return NULL;
    }
    return (struct od_stay *)(uintptr_t)value;
}

int32_t od_stays_partitions(const struct od_engine *engine, uint32_t topic)
{
    int32_t partitions = engine->topics.list.items[topic]->partitions;
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        const struct od_stay *stay = engine->stays.list.items[i];
        if (stay->topic == topic && stay->partition >= partitions) {
            partitions = stay->partition + 1;
        }
    }
    return partitions;
}

static void stay_free(struct od_stay *stay)
{
    if (stay->queue) {
        rd_kafka_queue_cb_event_enable(stay->queue, NULL, NULL);
        od_fetch_drain(stay->queue);
        rd_kafka_queue_destroy(stay->queue);
    }
    free(stay->map);
    free(stay->committed_text);
    free(stay);
}

void od_stays_remove(struct od_engine *engine, struct od_stay *stay)
{
    struct od_stays *stays = &engine->stays;
    od_validate_end(engine, stay);
    od_map_remove(&stays->by_id, stay->id, NULL);
    od_map_remove(&stays->by_place, place(stay->topic, stay->partition), NULL);
    for (size_t i = 0; i < stays->list.count; i++) {
        if (stays->list.items[i] == stay) {
            od_vec_remove_swap(&stays->list, i);
            break;
        }
    }
    stay_free(stay);
}

void od_stays_fini(struct od_engine *engine)
{
    struct od_stays *stays = &engine->stays;
    for (size_t i = 0; i < stays->list.count; i++) {
        stay_free(stays->list.items[i]);
    }
    od_vec_fini(&stays->list);
    od_map_fini(&stays->by_id);
    od_map_fini(&stays->by_place);
}
