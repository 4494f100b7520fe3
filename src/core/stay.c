/* Stays: the table of their states, how they begin and end. */
#include <stdlib.h>
#include <string.h>

#include "core/state.h"

static const struct {
    const char *word;
    unsigned to; /* bit set of states */
} table[OD_STAY_STATES] = {
    [OD_STAY_WAITING] = {"waiting", 1u << OD_STAY_ACTIVE | 1u << OD_STAY_CLOSING_GATE | 1u << OD_STAY_CALLBACK |
                                        1u << OD_STAY_DRAINING | 1u << OD_STAY_COMMITTING | 1u << OD_STAY_CLOSED},
    [OD_STAY_ACTIVE] = {"active", 1u << OD_STAY_CLOSING_GATE | 1u << OD_STAY_CALLBACK | 1u << OD_STAY_DRAINING |
                                      1u << OD_STAY_COMMITTING | 1u << OD_STAY_CLOSED},
    [OD_STAY_CLOSING_GATE] = {"closing_gate", 1u << OD_STAY_CALLBACK | 1u << OD_STAY_DRAINING |
                                                  1u << OD_STAY_COMMITTING | 1u << OD_STAY_CLOSED},
    [OD_STAY_CALLBACK] = {"callback", 1u << OD_STAY_DRAINING | 1u << OD_STAY_COMMITTING | 1u << OD_STAY_CLOSED},
    [OD_STAY_DRAINING] = {"draining", 1u << OD_STAY_COMMITTING | 1u << OD_STAY_CLOSED},
    [OD_STAY_COMMITTING] = {"committing", 1u << OD_STAY_CLOSED},
    [OD_STAY_CLOSED] = {"closed", 0},
};

const char *od_stay_state_word(enum od_stay_state state)
{
    od_assert(state < OD_STAY_STATES);
    return table[state].word;
}

bool od_stay_may_move(enum od_stay_state from, enum od_stay_state to)
{
    return from < OD_STAY_STATES && to < OD_STAY_STATES && (table[from].to >> to & 1u);
}

/* What holds in each state. */
static void check(const struct od_stay *stay)
{
    switch (stay->state) {
    case OD_STAY_ACTIVE:
        od_assert(stay->ready && stay->end == OD_END_NONE);
        break;
    case OD_STAY_CLOSING_GATE:
    case OD_STAY_CALLBACK:
        od_assert(stay->end == OD_END_REVOKE);
        break;
    case OD_STAY_DRAINING:
    case OD_STAY_COMMITTING:
        od_assert(stay->end != OD_END_NONE);
        break;
    case OD_STAY_CLOSED:
        od_assert(stay->running == 0 && stay->queued == 0 && stay->parked == 0 && stay->copying == 0 &&
                  stay->bytes_held == 0);
        break;
    case OD_STAY_WAITING:
    case OD_STAY_STATES:
        break;
    }
}

void od_stay_move(struct od_stay *stay, enum od_stay_state to)
{
    od_assert(od_stay_may_move(stay->state, to));
    stay->state = to;
    check(stay);
}

struct od_stay *od_stay_find(const struct od_core *core, uint32_t id)
{
    uint64_t index;
    return od_map_get(&core->stay_by_id, id, &index) ? core->stays.items[index] : NULL;
}

void od_stay_touch(struct od_core *core, struct od_stay *stay)
{
    if (!stay->dirty) {
        stay->dirty = true;
        core->nomem |= !od_vec_push(&core->dirty, stay->index);
    }
}

void od_stay_wake(struct od_core *core, struct od_stay *stay, int64_t at_ms)
{
    if (at_ms >= stay->wake_ms) {
        return;
    }
    if (stay->timer == OD_HEAP_NOWHERE) {
        struct od_heap_entry entry = {at_ms, stay->index, stay->index};
        core->nomem |= !od_heap_push(&core->timers, entry);
    } else {
        od_heap_rekey(&core->timers, stay->timer, at_ms);
    }
    stay->wake_ms = at_ms;
}

/* ---- the beginning ---- */

static struct od_stay *make(struct od_core *core, const struct od_assign *assign)
{
    struct od_stay *stay = calloc(1, sizeof *stay);
    size_t index = 0;
    while (index < core->stays.count && core->stays.items[index]) {
        index++;
    }
    bool fits = stay && od_source_ensure(core, assign->topic) &&
                od_map_reserve(&core->stay_by_id, core->stay_by_id.count + 1) &&
                (index < core->stays.count || od_vec_push(&core->stays, NULL));
    if (!fits) {
        free(stay);
        core->nomem = true;
        return NULL;
    }
    stay->id = assign->id;
    stay->index = (uint32_t)index;
    stay->topic = stay->source = assign->topic;
    stay->partition = assign->partition;
    stay->kind = assign->kind;
    stay->lanes = OD_LANE_LIST_EMPTY;
    stay->free = OD_FIFO_EMPTY;
    stay->timer = OD_HEAP_NOWHERE;
    stay->wake_ms = OD_NO_TIME;
    stay->position = stay->last_dispatched = -1;
    stay->epoch = -1;
    stay->ready_next = stay->ready_prev = OD_SLOT_NONE;
    stay->batch_since_ms = OD_NO_TIME;
    stay->drain_end_ms = stay->commit_end_ms = OD_NO_TIME;
    stay->commit =
        (struct od_tracker){.committed = -1, .soon_ms = OD_NO_TIME, .first_ms = OD_NO_TIME, .last_ms = INT64_MIN / 2};
    for (size_t i = 0; i < OD_STATE_COUNT; i++) {
        stay->flow_since_ms[i] = OD_NO_TIME;
        stay->state_offset[i] = -1;
    }
    od_window_init(&stay->window, 0);
    core->stays.items[index] = stay;
    (void)od_map_put(&core->stay_by_id, stay->id, index);
    core->stay_count++;
    core->credits_stale = true;
    if (core->close.stage >= OD_CLOSE_COMMIT) { /* it came too late to be of use */
        stay->end = OD_END_CLOSE;
        stay->finished = stay->revoked_told = true;
    }
    return stay;
}

void od_stays_assigned(struct od_core *core, const struct od_event *event)
{
    size_t first = core->effects->id_count;
    bool told = core->config.has_assigned && core->close.stage < OD_CLOSE_COMMIT;
    for (size_t i = 0; i < event->assigned.count; i++) {
        const struct od_assign *assign = &event->assigned.list[i];
        od_assert(assign->id != 0 && !od_stay_find(core, assign->id));
        struct od_stay *stay = make(core, assign);
        if (!stay) {
            return;
        }
        od_effect_id(core, stay->id);
        stay->assigned_pending = told;
        od_stay_touch(core, stay);
        od_fault_begins(core, stay);
        if (core->callbacks_overrun) {
            od_named_enter(core, stay, OD_STATE_CALLBACK_BLOCKED, -1);
        }
        core->counters.assigns++;
    }
    size_t count = core->effects->id_count - first;
    if (told && count && !core->nomem) {
        od_callback_begin(core, OD_CALLBACK_ASSIGNED, core->effects->ids + first, count);
    }
}

static void activate(struct od_core *core, struct od_stay *stay, int64_t position)
{
    od_window_init(&stay->window, position);
    stay->position = position;
    stay->commit.base = position;
    stay->last_dispatched = position - 1;
    stay->ready = true;
    if (stay->commit.first_due) {
        od_commit_changed(core, stay);
        od_commit_soon(core, stay, 0);
    }
    od_named_leave(core, stay, OD_STATE_OFFSET_UNKNOWN);
    if (stay->state == OD_STAY_WAITING) {
        od_stay_move(stay, OD_STAY_ACTIVE);
    }
    core->credits_stale = true;
    od_stay_touch(core, stay);
}

void od_stays_ready(struct od_core *core, const struct od_event *event)
{
    const struct od_ready *ready = &event->ready;
    struct od_stay *stay = od_stay_find(core, ready->id);
    if (!stay || stay->ready || stay->state != OD_STAY_WAITING || stay->end) {
        return;
    }
    stay->topic_id_hash = ready->topic_id_hash;
    stay->epoch = ready->resolved ? -1 : ready->leader_epoch;
    stay->commit.committed = ready->resolved ? -1 : ready->position;
    stay->commit.first_due = ready->resolved && !od_commit_never(core);
    if (od_offset_map_decode(&stay->map, ready->resolved ? NULL : ready->map, ready->resolved ? 0 : ready->map_size,
                             ready->position, ready->topic_id_hash) != ORDERLY_OK) {
        core->nomem = true;
        return;
    }
    if (stay->map.refusal > OD_MAP_EMPTY) {
        od_effect_tell(core, OD_TELL_MAP_REFUSED, stay->id, ready->position, stay->map.refusal, 0);
    }
    stay->skipping = stay->map.runs.count > 0 || stay->map.attempts.count > 0;
    stay->ready_offset = ready->position;
    if (core->config.has_position) {
        od_effect_push(core, OD_EFFECT_POSITION, stay->id)->offset = ready->position;
        return;
    }
    activate(core, stay, ready->position);
}

void od_stays_position(struct od_core *core, const struct od_event *event)
{
    struct od_stay *stay = od_stay_find(core, event->position.id);
    if (!stay || stay->ready || stay->state != OD_STAY_WAITING || stay->end) {
        return;
    }
    int64_t position = event->position.offset;
    if (position != stay->ready_offset) {
        od_offset_map_fini(&stay->map);
        memset(&stay->map, 0, sizeof stay->map);
        stay->skipping = false;
        stay->epoch = -1;
        stay->commit.first_due = !od_commit_never(core);
        od_effect_push(core, OD_EFFECT_SEEK, stay->id)->offset = position;
    }
    activate(core, stay, position);
}

/* ---- changes while it lasts ---- */

void od_stays_seek(struct od_core *core, const struct od_event *event)
{
    struct od_stay *stay = od_stay_find(core, event->position.id);
    if (!stay || stay->state != OD_STAY_ACTIVE) {
        return;
    }
    od_drain_cancel(core, stay, ORDERLY_REASON_SEEK, 0);
    od_abandon_all(core, stay, true);
    od_window_fini(&stay->window);
    od_offset_map_fini(&stay->map);
    memset(&stay->map, 0, sizeof stay->map);
    stay->skipping = stay->map_blocked = false;
    stay->epoch = -1;
    if (event->position.topic_id_hash) {
        stay->topic_id_hash = event->position.topic_id_hash;
    }
    od_budget_drop_credit(core, stay);
    od_effect_push(core, OD_EFFECT_SEEK, stay->id)->offset = event->position.offset;
    od_commit_changed(core, stay);
    activate(core, stay, event->position.offset);
}

static void each_of(struct od_core *core, const struct od_event *event,
                    void act(struct od_core *, struct od_stay *, uint64_t))
{
    uint32_t reason = event->pause.reason < 63 ? event->pause.reason : 63;
    if (event->pause.count == 0) {
        for (size_t i = 0; i < core->stays.count; i++) {
            if (core->stays.items[i]) {
                act(core, core->stays.items[i], UINT64_C(1) << reason);
            }
        }
    }
    for (size_t i = 0; i < event->pause.count; i++) {
        struct od_stay *stay = od_stay_find(core, event->pause.ids[i]);
        if (stay) {
            act(core, stay, UINT64_C(1) << reason);
        }
    }
}

static void pause(struct od_core *core, struct od_stay *stay, uint64_t reason)
{
    stay->pauses |= reason;
    od_named_set(core, stay, OD_STATE_PAUSED, true, -1);
    od_stay_touch(core, stay);
}

static void resume(struct od_core *core, struct od_stay *stay, uint64_t reason)
{
    stay->pauses &= ~reason;
    od_named_set(core, stay, OD_STATE_PAUSED, stay->pauses != 0, -1);
    od_dispatch_offer(core, stay);
    od_stay_touch(core, stay);
}

void od_stays_pause(struct od_core *core, const struct od_event *event)
{
    each_of(core, event, pause);
}

void od_stays_resume(struct od_core *core, const struct od_event *event)
{
    each_of(core, event, resume);
}

/* ---- review ---- */

void od_stay_review(struct od_core *core, struct od_stay *stay)
{
    uint32_t index = stay->index;
    od_relief_review(core, stay);
    od_commit_review(core, stay);
    od_drain_review(core, stay);
    if (core->stays.items[index] != stay) {
        return; /* it has closed, and is gone */
    }
    od_budget_review(core, stay);
    od_reread_review(core, stay); /* the budget may have let bytes go */
}

/* ---- the end ---- */

void od_stay_free(struct od_core *core, struct od_stay *stay)
{
    if (!stay) {
        return;
    }
    (void)core;
    od_window_fini(&stay->window);
    od_offset_map_fini(&stay->map);
    od_parked_fini(&stay->bare);
    od_vec_fini(&stay->stale);
    free(stay);
}

void od_stay_close(struct od_core *core, struct od_stay *stay)
{
    if (stay->ready && od_commit_never(core)) {
        core->counters.left_uncommitted += od_commit_uncommitted(stay);
    }
    od_abandon_all(core, stay, false);
    od_dispatch_unlist(core, stay);
    od_intake_tell_skipped(core, stay);
    od_budget_drop_credit(core, stay);
    od_commit_wants_review(core, stay, stay->commit.last_result == OD_COMMIT_FENCED ? ORDERLY_FENCED : ORDERLY_STALE);
    for (unsigned i = 0; i < OD_STATE_COUNT; i++) {
        od_named_leave(core, stay, (enum od_named_state)i);
    }
    if (stay->timer != OD_HEAP_NOWHERE) {
        (void)od_heap_remove(&core->timers, stay->timer);
    }
    od_effect_push(core, OD_EFFECT_CLOSED_ASSIGNMENT, stay->id);
    od_stay_move(stay, OD_STAY_CLOSED);
    (void)od_map_remove(&core->stay_by_id, stay->id, NULL);
    core->stays.items[stay->index] = NULL;
    core->stay_count--;
    core->credits_stale = true;
    od_stay_free(core, stay);
}
