/*
 * Are we still a member? During a hold librdkafka does not say that the group has gone on without us: the metadata silently becomes an empty member
 * id and generation -1, and with the consumer protocol not even that, so a commit of what is committed already is the probe. The same probe answers
 * after the process stood still.
 */
#include "kafka/inside.h"

#include <stdio.h>
#include <string.h>

/* With KIP-848 the broker sets the heartbeat interval, and does not tell librdkafka's users. */
#define CONSUMER_PROBE_MS 1000

static int64_t probe_interval(const struct od_engine *engine)
{
    int64_t heartbeat = engine->settings->heartbeat_interval;
    return engine->group.consumer_protocol && heartbeat > CONSUMER_PROBE_MS ? CONSUMER_PROBE_MS : heartbeat;
}

void od_watch_hold_begins(struct od_engine *engine)
{
    struct od_watch *watch = &engine->watch;
    watch->next_ms = engine->now_ms + probe_interval(engine);
    snprintf(watch->member_id, sizeof watch->member_id, "%s", engine->group.member_id);
    watch->generation = engine->group.generation;
}

static struct od_stay *stay_to_probe(const struct od_engine *engine)
{
    for (size_t i = 0; i < engine->stays.list.count; i++) {
        struct od_stay *stay = engine->stays.list.items[i];
        if (!stay->closing && stay->committed >= 0 && stay->commits_out == 0) {
            return stay;
        }
    }
    return NULL;
}

void od_watch_doubt_over(struct od_engine *engine)
{
    struct od_watch *watch = &engine->watch;
    watch->suspect = false;
    if (watch->suspect_told) {
        struct od_event event = {.type = OD_EVENT_CONFIRMED};
        watch->suspect_told = false;
        od_engine_emit(engine, &event);
    }
}

static void probed(struct od_engine *engine, enum od_probe answer)
{
    struct od_watch *watch = &engine->watch;
    watch->probing = false;
    if (answer == OD_PROBE_FENCED && engine->group.pending == OD_PENDING_REVOKE && !engine->group.lost) {
        od_recover(engine, ORDERLY_KAFKA, 0, "evicted from the group during a hold");
    } else if (answer == OD_PROBE_FENCED && watch->suspect) {
        od_recover(engine, ORDERLY_KAFKA, 0, "the process stood still and the group went on without it");
        od_watch_doubt_over(engine);
    } else if (answer == OD_PROBE_MEMBER && watch->suspect) {
        od_watch_doubt_over(engine);
    }
}

static void probe(struct od_engine *engine)
{
    struct od_watch *watch = &engine->watch;
    struct od_stay *stay = stay_to_probe(engine);
    if (!watch->probing && stay) {
        watch->probing = true;
        watch->probing = od_commits_probe(engine, stay, probed);
    }
}

static void look(struct od_engine *engine)
{
    struct od_watch *watch = &engine->watch;
    bool member = od_group_refresh(engine);
    if (!member || (!engine->group.consumer_protocol && strcmp(watch->member_id, engine->group.member_id) != 0)) {
        probed(engine, OD_PROBE_FENCED);
    } else {
        probe(engine);
    }
}

/* Nothing was ever committed: membership is what librdkafka's metadata says after its next heartbeats. */
static void look_after_standstill(struct od_engine *engine)
{
    struct od_watch *watch = &engine->watch;
    if (stay_to_probe(engine)) {
        probe(engine);
    } else if (engine->now_ms - watch->suspect_since_ms >= 2 * engine->settings->heartbeat_interval ||
               engine->stays.list.count == 0) {
        probed(engine, od_group_refresh(engine) ? OD_PROBE_MEMBER : OD_PROBE_FENCED);
    }
}

void od_watch_serve(struct od_engine *engine)
{
    struct od_watch *watch = &engine->watch;
    bool holding = engine->group.pending == OD_PENDING_REVOKE && !engine->group.lost;
    if (watch->suspect && !watch->suspect_told) {
        struct od_event event = {.type = OD_EVENT_SUSPECT};
        watch->suspect_told = true;
        od_engine_emit(engine, &event);
    }
    if (!engine->handle || engine->recovery.wanted || engine->now_ms < watch->next_ms ||
        (!holding && !watch->suspect)) {
        return;
    }
    watch->next_ms =
        engine->now_ms + (watch->suspect ? engine->settings->heartbeat_interval / 3 : probe_interval(engine));
    if (holding) {
        look(engine);
    } else {
        look_after_standstill(engine);
    }
}

int64_t od_watch_deadline(const struct od_engine *engine)
{
    bool active = engine->watch.suspect || engine->group.pending == OD_PENDING_REVOKE;
    return active && engine->handle ? engine->watch.next_ms : INT64_MAX;
}

void od_engine_stood_still(struct od_engine *engine, int64_t stood_ms)
{
    struct od_watch *watch = &engine->watch;
    if (stood_ms < engine->settings->session_timeout || watch->suspect || !engine->handle ||
        engine->stays.list.count == 0) {
        return;
    }
    watch->suspect = true;
    watch->suspect_told = false;
    watch->suspect_since_ms = engine->now_ms;
    watch->next_ms = 0;
    engine->busy = true;
    od_wake_signal(engine->wake);
    od_engine_log(
        engine, ORDERLY_LOG_WARNING, "group",
        "the process stood still for %lld ms: nothing is started, copied or committed until the group confirms us",
        (long long)stood_ms);
}
