/* The gate: a batch that the application holds keeps a revoke waiting, up to the gate's own deadline. It holds revokes only. */
#include "core/state.h"

static bool holds(const struct od_core *core)
{
    return core->gate_held && core->config.poll_face && core->settings->block_rebalance_on_poll &&
           core->close.stage == OD_CLOSE_NOT;
}

void od_gate_event(struct od_core *core, const struct od_event *event)
{
    if (event->gate.taken) {
        if (!core->gate_held) {
            core->gate_since_ms = core->now_ms;
        }
        core->gate_held = true;
        return;
    }
    core->gate_held = false;
    od_gate_open(core, false);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void od_gate_revoke(struct od_core *core, const struct od_event *event)
{
    struct od_hold *hold = &core->hold;
    const struct od_settings *settings = core->settings;
    od_assert(!hold->open);
    hold->open = true;
    hold->deadline_ms = event->partitions.deadline_ms;
    hold->gate_ms = OD_NO_TIME;
    hold->remaining = 0;
    hold->callback = 0;
    od_vec_clear(&hold->ids);
    core->counters.revokes++;
    bool held = holds(core);
    for (size_t i = 0; i < event->partitions.count; i++) {
        uint32_t id = event->partitions.ids[i];
        struct od_stay *stay = od_stay_find(core, id);
        core->nomem |= !od_vec_push(&hold->ids, id);
        if (!stay || stay->end == OD_END_REVOKE || stay->end == OD_END_LOST) {
            continue;
        }
        stay->end = OD_END_REVOKE;
        hold->remaining += !stay->finished;
        od_dispatch_unlist(core, stay);
        od_stay_touch(core, stay);
        if (held) {
            od_stay_move(stay, OD_STAY_CLOSING_GATE);
        }
    }
    if (!held || hold->remaining == 0) {
        od_drain_callback(core);
        return;
    }
    int64_t latest = hold->deadline_ms - settings->drain_timeout - settings->commit_timeout;
    hold->gate_ms = least(core->now_ms + settings->hold_max, latest);
    core->waiting = ORDERLY_WAITING_REVOKE;
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_WAITING, 0);
    effect->waiting.waiting = ORDERLY_WAITING_REVOKE;
    int64_t left = hold->gate_ms > core->now_ms ? hold->gate_ms - core->now_ms : 0;
    effect->waiting.left_ms = left;
    /* Who holds the gate may wait for a worker that sleeps: it is told now, or both would wait for the deadline. */
    bool tell = core->config.has_revoked || settings->policy == OD_POLICY_DRAIN;
    for (size_t i = 0; tell && i < hold->ids.count; i++) {
        struct od_stay *stay = od_stay_find(core, hold->ids.items[i]);
        if (stay && stay->state == OD_STAY_CLOSING_GATE) {
            od_drain_quit(core, stay, ORDERLY_REASON_REVOKED, left);
        }
    }
}

void od_gate_open(struct od_core *core, bool forced)
{
    if (!core->hold.open || core->hold.gate_ms == OD_NO_TIME) {
        return;
    }
    core->hold.gate_ms = OD_NO_TIME;
    if (forced) {
        core->counters.gate_forced++;
        od_effect_tell(core, OD_TELL_GATE_FORCED, 0, -1, core->now_ms - core->gate_since_ms, 0);
        core->gate_held = false; /* what its next giving back would open is open */
    }
    od_drain_callback(core);
}

void od_gate_timers(struct od_core *core)
{
    if (core->hold.open && core->now_ms >= core->hold.gate_ms) {
        od_gate_open(core, true);
    }
    if (core->hold.open && core->hold.callback && core->now_ms >= core->hold.deadline_ms) {
        od_drain_overrun(core);
    }
}

int64_t od_gate_deadline(const struct od_core *core)
{
    if (!core->hold.open) {
        return OD_NO_TIME;
    }
    return core->hold.callback ? core->hold.deadline_ms : core->hold.gate_ms;
}
