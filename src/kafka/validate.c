/*
 * Whether the log below the position of a stay is still the one that was handled. An unclean leader election may have cut it off while nobody of
 * the group read it, and other records may have been written since, beyond the position even: reading on there would skip them.
 *
 * The leader knows where an epoch ends (OffsetForLeaderEpoch), and librdkafka asks it when it notices a new leader, or at a seek with an epoch; not where
 * reading begins. So each assignment of a position with an epoch is followed by a seek to the same place. When the epoch ends below the
 * position librdkafka stops with an error that says where (reset.c).
 *
 *     paused -> assigned -> seek, taken -> resumed
 *
 * Paused, since a Fetch that was sent before the seek may come back after it and say that the position is out of range, which is less than we are to
 * learn. A seek is refused until librdkafka has started the partition, which it does once all that it had to stop has stopped: then it is tried again.
 */
#include "kafka/inside.h"

#define ANSWER_MS 100 /* of librdkafka's own thread, which takes far less; the leader answers later */
#define AGAIN_FIRST_MS 2
#define AGAIN_MAX_MS 500
#define TELL_MS 10000

static rd_kafka_topic_partition_t *add(rd_kafka_topic_partition_list_t *list, const struct od_engine *engine,
                                       const struct od_stay *stay)
{
    return rd_kafka_topic_partition_list_add(list, engine->topics.list.items[stay->topic]->name, stay->partition);
}

void od_validate_begin(struct od_engine *engine, const rd_kafka_topic_partition_list_t *given)
{
    rd_kafka_topic_partition_list_t *pause = rd_kafka_topic_partition_list_new(given->cnt);
    rd_kafka_topic_partition_list_t *resume = rd_kafka_topic_partition_list_new(given->cnt);
    for (int i = 0; i < given->cnt; i++) {
        struct od_stay *stay = od_stays_at(engine, given->elems[i].topic, given->elems[i].partition);
        bool paused = stay->validate;
        stay->validate = stay->position > 0 && stay->position_epoch >= 0;
        if (stay->validate != paused) {
            (void)add(stay->validate ? pause : resume, engine, stay);
        }
        if (stay->validate) {
            engine->validation = (struct od_validation){.at_ms = engine->now_ms};
        }
    }
    if (pause->cnt > 0) {
        (void)rd_kafka_pause_partitions(engine->handle->rk, pause);
    }
    if (resume->cnt > 0) {
        (void)rd_kafka_resume_partitions(engine->handle->rk, resume);
    }
    rd_kafka_topic_partition_list_destroy(pause);
    rd_kafka_topic_partition_list_destroy(resume);
}

void od_validate_end(struct od_engine *engine, struct od_stay *stay)
{
    if (stay->validate && engine->handle && !od_leave_begun(engine)) {
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
        (void)add(list, engine, stay);
        (void)rd_kafka_resume_partitions(engine->handle->rk,
                                         list); /* librdkafka would keep it paused for the next stay */
        rd_kafka_topic_partition_list_destroy(list);
    }
    stay->validate = false;
}

static bool waits(const struct od_stay *stay)
{
    return stay->validate && stay->assigned && !stay->closing && !stay->move;
}

static rd_kafka_topic_partition_list_t *waiting(const struct od_engine *engine)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)engine->stays.list.count);
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        const struct od_stay *stay = engine->stays.list.items[i];
        if (waits(stay)) {
            rd_kafka_topic_partition_t *place = add(list, engine, stay);
            place->offset = stay->position;
            rd_kafka_topic_partition_set_leader_epoch(place, stay->position_epoch);
        }
    }
    return list;
}

static void later(struct od_engine *engine, const rd_kafka_topic_partition_t *refused)
{
    struct od_validation *validation = &engine->validation;
    validation->wait_ms =
        validation->wait_ms ? od_sooner(validation->wait_ms * 2, AGAIN_MAX_MS) : (int64_t)AGAIN_FIRST_MS;
    validation->at_ms = engine->now_ms + validation->wait_ms;
    if (validation->since_ms == 0) {
        validation->since_ms = engine->now_ms;
        validation->tell_ms = TELL_MS;
    } else if (engine->now_ms - validation->since_ms >= validation->tell_ms) {
        od_engine_log(engine, ORDERLY_LOG_WARNING, "offsets",
                      "%s[%d] is not read yet: librdkafka has not started it for %lld s (%s)", refused->topic,
                      (int)refused->partition, (long long)((engine->now_ms - validation->since_ms) / 1000),
                      rd_kafka_err2str(refused->err));
        validation->tell_ms *= 2;
    }
}

static void seek(struct od_engine *engine, rd_kafka_topic_partition_list_t *list)
{
    const rd_kafka_topic_partition_t *refused = NULL;
    rd_kafka_topic_partition_list_t *taken = rd_kafka_topic_partition_list_new(list->cnt);
    rd_kafka_error_t *error = rd_kafka_seek_partitions(engine->handle->rk, list, ANSWER_MS);
    if (error) {
        rd_kafka_error_destroy(error); /* those without an answer say so */
    }
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *place = &list->elems[i];
        struct od_stay *stay = od_stays_at(engine, place->topic, place->partition);
        if (place->err) {
            refused = place;
        } else if (stay) {
            (void)add(taken, engine, stay);
            stay->validate = false;
            stay->maybe_more = true;
        }
    }
    if (taken->cnt > 0) {
        (void)rd_kafka_resume_partitions(engine->handle->rk, taken);
    }
    rd_kafka_topic_partition_list_destroy(taken);
    if (refused) {
        later(engine, refused);
    } else {
        engine->validation = (struct od_validation){0};
    }
}

void od_validate_serve(struct od_engine *engine)
{
    if (engine->validation.at_ms == 0 || engine->now_ms < engine->validation.at_ms) {
        return;
    }
    rd_kafka_topic_partition_list_t *list = waiting(engine);
    if (list->cnt > 0) {
        seek(engine, list);
    } else {
        engine->validation = (struct od_validation){0};
    }
    rd_kafka_topic_partition_list_destroy(list);
}

int64_t od_validate_deadline(const struct od_engine *engine)
{
    return engine->validation.at_ms > 0 && engine->group.pending == OD_PENDING_NONE ? engine->validation.at_ms
                                                                                    : INT64_MAX;
}
