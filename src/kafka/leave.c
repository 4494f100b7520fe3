/*
 * Leaving: the close of librdkafka, by queue. Everything is committed by now; revokes that librdkafka raises are answered without the core. Bounded: a
 * cooperative member without partitions is left waiting for a LeaveGroup that is never sent, and a broker may be away.
 */
#include "kafka/inside.h"

#define LEAVE_TIMEOUT_MS 10000
#define JOIN_TIMEOUT_MS 1000

void od_engine_leave(struct od_engine *engine)
{
    if (!engine->leaving.wanted) {
        engine->leaving.wanted = true;
        engine->leaving.give_up_ms = 0;
        engine->busy = true;
        od_wake_signal(engine->wake);
    }
}

bool od_leave_begun(const struct od_engine *engine)
{
    return engine->leaving.give_up_ms != 0;
}

static void begin(struct od_engine *engine)
{
    bool subscribed = engine->state != OD_ENGINE_IDLE && engine->state != OD_ENGINE_STARTING;
    engine->state = OD_ENGINE_LEAVING;
    engine->recovery.wanted = false; /* the old handle is the one to leave with */
    if (engine->handle) {
        od_group_give_up(engine);
    }
    engine->leaving.give_up_ms = engine->now_ms + LEAVE_TIMEOUT_MS;
    engine->leaving.join_by_ms = subscribed ? engine->now_ms + JOIN_TIMEOUT_MS : engine->now_ms;
}

/*
 * Whether librdkafka knows that it is a member; else it sends no leave, although its first request may have been answered already: what the group takes
 * for a member then has its share of the partitions until its session ends.
 */
static bool knows_its_membership(const struct od_engine *engine)
{
    rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(engine->handle->rk);
    if (!metadata) {
        return false;
    }
    const char *member = rd_kafka_consumer_group_metadata_member_id(metadata);
    bool consumer = od_settings_property_is(engine->settings, "group.protocol", "consumer"); /* it names itself */
    bool known = member && member[0] && (!consumer || rd_kafka_consumer_group_metadata_generation_id(metadata) > 0);
    rd_kafka_consumer_group_metadata_destroy(metadata);
    return known;
}

static void close_handle(struct od_engine *engine)
{
    engine->leaving.closing = true;
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(engine->handle->rk, engine->handle->main);
    if (error) {
        /* After a fatal error there is no membership that could be given up. */
        od_engine_log(engine, ORDERLY_LOG_INFO, "group", "left: %s", rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        engine->leaving.nothing_to_leave = true;
    }
}

void od_leave_serve(struct od_engine *engine)
{
    struct od_leaving *leaving = &engine->leaving;
    if (!leaving->wanted || leaving->left_told) {
        return;
    }
    if (leaving->give_up_ms == 0) {
        begin(engine);
    }
    if (engine->handle && !leaving->closing) {
        if (engine->now_ms < leaving->join_by_ms && !knows_its_membership(engine)) {
            return;
        }
        close_handle(engine);
    }
    bool closed = !engine->handle || leaving->nothing_to_leave || rd_kafka_consumer_closed(engine->handle->rk);
    if (!closed && engine->now_ms < leaving->give_up_ms) {
        return;
    }
    if (!closed) {
        od_engine_log(engine, ORDERLY_LOG_WARNING, "group",
                      "the group did not confirm our leaving in time; its session timeout will");
    }
    leaving->left_told = true;
    engine->state = OD_ENGINE_LEFT;
    struct od_event event = {.type = OD_EVENT_LEFT};
    od_engine_emit(engine, &event);
}
