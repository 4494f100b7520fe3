/* Looking at the core: counters, totals, one partition. */
#include <string.h>

#include "core/state.h"

const struct od_core_counters *od_core_counters(const struct od_core *core)
{
    return &core->counters;
}

static int64_t gate_until(const struct od_core *core)
{
    if (core->hold.open) {
        return core->hold.gate_ms != OD_NO_TIME ? core->hold.gate_ms : core->hold.deadline_ms;
    }
    bool closes = core->close.stage != OD_CLOSE_NOT && core->close.stage != OD_CLOSE_END;
    return closes ? core->close.deadline_ms : OD_NO_TIME;
}

void od_core_totals(const struct od_core *core, struct od_core_totals *ret)
{
    *ret = (struct od_core_totals){
        .queued = core->queued,
        .running = core->running,
        .parked = core->parked_count,
        .copying = core->copying,
        .let_go = core->let_go,
        .bytes_held = (uint64_t)core->bytes_held,
        .bytes_copying = (uint64_t)core->bytes_copying,
        .concurrency = core->concurrency < UINT32_MAX ? (uint32_t)core->concurrency : UINT32_MAX,
        .closing = core->close.stage != OD_CLOSE_NOT,
        .suspect = core->suspect,
        .gate_held = core->gate_held,
        .gate_held_since_ms = core->gate_held ? core->gate_since_ms : 0,
        .gate_until_ms = gate_until(core),
        .waiting = core->waiting,
    };
}

/* The oldest that runs and the next that is due. Walks the window: for status pages, not for steps. */
static void walk(const struct od_core *core, const struct od_stay *stay, struct od_core_partition *ret)
{
    uint32_t slot;
    uint64_t left = stay->running + stay->parked;
    for (int64_t at = stay->window.base; left > 0 && (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE;
         at++) {
        const struct od_record *record = od_record_at(&core->records, slot);
        if (record->state == OD_RECORD_RUNNING) {
            left--;
            if (ret->oldest_offset < 0 || record->started_ms < ret->oldest_started_ms) {
                ret->oldest_started_ms = record->started_ms;
                ret->oldest_offset = record->offset;
            }
        } else if (record->state == OD_RECORD_PARKED) {
            left--;
            if (record->place != OD_SLOT_NONE && record->due_ms != OD_NO_TIME &&
                (ret->next_due_ms == 0 || record->due_ms < ret->next_due_ms)) {
                ret->next_due_ms = record->due_ms;
            }
        }
    }
}

bool od_core_partition(const struct od_core *core, uint32_t id, struct od_core_partition *ret)
{
    const struct od_stay *stay = od_stay_find(core, id);
    if (!stay) {
        return false;
    }
    *ret = (struct od_core_partition){
        .id = stay->id,
        .topic = stay->topic,
        .partition = stay->partition,
        .kind = stay->kind,
        .state = stay->state == OD_STAY_ACTIVE && stay->pauses ? "paused" : od_stay_state_word(stay->state),
        .watermark = stay->ready ? stay->window.base : -1,
        .committed = stay->commit.committed,
        .position = stay->position,
        .queued = stay->queued,
        .running = stay->running,
        .parked = stay->parked,
        .done_above = stay->ready ? stay->window.done_above : 0,
        .uncommitted = stay->ready ? od_commit_uncommitted(stay) : 0,
        .oldest_offset = -1,
        .states = stay->states,
    };
    memcpy(ret->state_since_ms, stay->state_since_ms, sizeof ret->state_since_ms);
    memcpy(ret->state_offset, stay->state_offset, sizeof ret->state_offset);
    if (stay->ready) {
        walk(core, stay, ret);
    }
    return true;
}

uint32_t od_core_states(const struct od_core *core)
{
    return core->states;
}

uint64_t od_core_pauses(const struct od_core *core)
{
    uint64_t reasons = 0;
    for (size_t i = 0; i < core->stays.count; i++) {
        reasons |= core->stays.items[i] ? core->stays.items[i]->pauses : 0;
    }
    return reasons;
}
