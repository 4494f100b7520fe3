/* The core: one step takes an event and yields effects. */
#include "core/core.h"

#include <stdlib.h>
#include <string.h>

#include "core/state.h"

typedef void od_core_handler(struct od_core *, const struct od_event *);

static void on_tick(struct od_core *core, const struct od_event *event)
{
    (void)core;
    (void)event;
}

static void on_suspect(struct od_core *core, const struct od_event *event)
{
    bool suspect = event->type == OD_EVENT_SUSPECT;
    core->suspect = suspect;
    od_named_set(core, NULL, OD_STATE_SUSPECT, suspect, -1);
    for (size_t i = 0; !suspect && i < core->stays.count; i++) {
        if (core->stays.items[i]) {
            od_dispatch_offer(core, core->stays.items[i]);
            od_stay_touch(core, core->stays.items[i]);
        }
    }
}

/* A loss settles a doubt too: what is assigned next belongs to a membership that the broker has just given. */
static void on_lost(struct od_core *core, const struct od_event *event)
{
    od_drain_lost(core, event);
    if (core->suspect && !event->partitions.valid_member) {
        on_suspect(core, event);
    }
}

static od_core_handler *const handlers[] = {
    [OD_EVENT_TICK] = on_tick,
    [OD_EVENT_ASSIGNED] = od_stays_assigned,
    [OD_EVENT_READY] = od_stays_ready,
    [OD_EVENT_REVOKE] = od_gate_revoke,
    [OD_EVENT_LOST] = on_lost,
    [OD_EVENT_FETCHED] = od_intake_fetched,
    [OD_EVENT_SETTLED] = od_settle_event,
    [OD_EVENT_COPIED] = od_copy_answered,
    [OD_EVENT_COMMITTED] = od_commit_answered,
    [OD_EVENT_REREAD] = od_reread_answered,
    [OD_EVENT_CALLBACK_DONE] = od_callback_done,
    [OD_EVENT_POSITION] = od_stays_position,
    [OD_EVENT_WANT] = od_dispatch_want,
    [OD_EVENT_GATE] = od_gate_event,
    [OD_EVENT_PAUSE] = od_stays_pause,
    [OD_EVENT_RESUME] = od_stays_resume,
    [OD_EVENT_SEEK] = od_stays_seek,
    [OD_EVENT_MARK_OFFSET] = od_settle_mark_offset,
    [OD_EVENT_COMMIT_WANT] = od_commit_want,
    [OD_EVENT_CLOSE] = od_close_event,
    [OD_EVENT_LEFT] = od_close_left,
    [OD_EVENT_SUSPECT] = on_suspect,
    [OD_EVENT_CONFIRMED] = on_suspect,
    [OD_EVENT_CONCURRENCY] = od_dispatch_concurrency,
    [OD_EVENT_RATE] = od_dispatch_rate,
    [OD_EVENT_LOG_START] = od_reread_log_start,
    [OD_EVENT_RESET_GUARD] = od_guard_reset,
};

static void timer_moved(void *userdata, uint64_t value, size_t index)
{
    struct od_core *core = userdata;
    struct od_stay *stay = core->stays.items[value];
    if (stay) {
        stay->timer = index;
    }
}

enum orderly_err od_core_new(const struct od_core_config *config, struct od_core **ret)
{
    struct od_core *core = calloc(1, sizeof *core);
    if (!core) {
        return ORDERLY_NOMEM;
    }
    core->config = *config;
    core->settings = config->settings;
    od_random_init(&core->random, config->seed);
    od_heap_init(&core->timers, timer_moved, core);
    core->ready_head = OD_SLOT_NONE;
    core->concurrency = (uint64_t)config->settings->concurrency;
    core->rate = (uint64_t)config->settings->rate;
    core->map_cap = (size_t)config->settings->limit_offset_map;
    if (core->map_cap < OD_OFFSET_MAP_MIN) {
        core->map_cap = OD_OFFSET_MAP_MIN;
    }
    *ret = core;
    return ORDERLY_OK;
}

static void free_texts(struct od_core *core)
{
    for (size_t i = 0; i < core->texts.count; i++) {
        free(core->texts.items[i]);
    }
    od_vec_clear(&core->texts);
}

void od_core_free(struct od_core *core)
{
    if (!core) {
        return;
    }
    for (size_t i = 0; i < core->stays.count; i++) {
        od_stay_free(core, core->stays.items[i]);
    }
    for (size_t i = 0; i < core->sources.count; i++) {
        free(core->sources.items[i].ring);
    }
    for (size_t i = 0; i < core->callbacks.count; i++) {
        od_vec_fini(&core->callbacks.items[i].ids);
    }
    free_texts(core);
    od_vec_fini(&core->texts);
    od_vec_fini(&core->sources);
    od_vec_fini(&core->callbacks);
    od_vec_fini(&core->wants);
    od_vec_fini(&core->hold.ids);
    od_vec_fini(&core->dirty);
    od_vec_fini(&core->stays);
    od_vec_fini(&core->copy_wait);
    od_vec_fini(&core->reread_wait);
    od_vec_fini(&core->recalls);
    od_vec_fini(&core->recall_ids);
    od_copies_seen_free(core);
    od_map_fini(&core->stay_by_id);
    od_heap_fini(&core->timers);
    od_parked_fini(&core->parked);
    od_parked_fini(&core->copy_again);
    od_lanes_fini(&core->lanes);
    od_records_fini(&core->records);
    free(core);
}

/* Stays whose time has come. */
static void stay_timers(struct od_core *core)
{
    const struct od_heap_entry *entry;
    while ((entry = od_heap_peek(&core->timers)) && entry->key <= core->now_ms) {
        struct od_heap_entry due;
        (void)od_heap_pop(&core->timers, &due);
        struct od_stay *stay = core->stays.items[due.value];
        stay->wake_ms = OD_NO_TIME;
        od_stay_touch(core, stay);
        od_dispatch_offer(core, stay);
    }
}

static void review_dirty(struct od_core *core)
{
    for (size_t i = 0; i < core->dirty.count && !core->nomem; i++) {
        struct od_stay *stay = core->stays.items[core->dirty.items[i]];
        if (stay && stay->dirty) {
            stay->dirty = false;
            od_stay_review(core, stay);
        }
    }
    od_vec_clear(&core->dirty);
}

/* Starts what may start, then looks at what changed. */
static void act(struct od_core *core)
{
    od_copy_pump(core);
    od_dispatch(core);
    do {
        review_dirty(core);
        od_close_review(core);
        od_budget_review_all(core);
    } while (core->dirty.count > 0 && !core->nomem);
    od_reread_pump(core);
}

enum orderly_err od_core_step(struct od_core *core, const struct od_event *event, struct od_effects *effects)
{
    od_assert((size_t)event->type < sizeof handlers / sizeof *handlers);
    effects->count = effects->run_count = effects->id_count = 0;
    free_texts(core);
    core->effects = effects;
    if (core->nomem) {
        return ORDERLY_NOMEM;
    }
    if (event->now_ms > core->now_ms) {
        core->now_ms = event->now_ms;
    }
    core->wall_ms = event->wall_ms;
    handlers[event->type](core, event);
    od_gate_timers(core);
    od_fault_timers(core);
    stay_timers(core);
    od_reread_due(core);
    od_recall_due(core);
    act(core);
    act(core); /* what the reviews set free: a drain that was cut, a relief */
    core->effects = NULL;
    return core->nomem ? ORDERLY_NOMEM : ORDERLY_OK;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t od_core_deadline(const struct od_core *core)
{
    const struct od_heap_entry *timer = od_heap_peek(&core->timers);
    int64_t at = timer ? timer->key : OD_NO_TIME;
    at = earlier(at, od_parked_due(&core->parked, &core->records));
    at = earlier(at, od_copy_deadline(core));
    at = earlier(at, od_gate_deadline(core));
    at = earlier(at, od_fault_deadline(core));
    at = earlier(at, od_dispatch_deadline(core));
    at = earlier(at, od_recall_deadline(core));
    at = earlier(at, od_close_deadline(core));
    return at;
}
