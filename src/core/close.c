/*
 * Leaving: nothing new starts, the `revoked` callback comes first, work finishes up to the deadline (hours are allowed), then the last commits,
 * then the group is left. Handlers are told late (drain_timeout before the deadline, at most half of the time): leaving waits for them.
 */
#include "core/state.h"

/* The `revoked` callback of all that stays until the end; those that come later have their own. False: there are none. */
static bool say_revoked(struct od_core *core)
{
    struct od_close *close = &core->close;
    int64_t left = close->deadline_ms - core->now_ms;
    size_t first = core->effects->id_count;
    for (size_t i = 0; i < core->stays.count; i++) {
        struct od_stay *stay = core->stays.items[i];
        if (!stay) {
            continue;
        }
        od_dispatch_unlist(core, stay);
        od_drain_quit(core, stay, ORDERLY_REASON_CLOSING, left);
        od_stay_touch(core, stay);
        if (core->config.has_revoked && !stay->revoked_told && stay->end == OD_END_NONE) {
            stay->revoked_told = true;
            od_effect_id(core, stay->id);
        }
    }
    size_t count = core->effects->id_count - first;
    if (count == 0 || core->nomem) {
        return false;
    }
    close->stage = OD_CLOSE_CALLBACK;
    close->callback = od_callback_begin(core, OD_CALLBACK_REVOKED, core->effects->ids + first, count);
    return true;
}

static void set_deadline(struct od_core *core, int64_t deadline_ms)
{
    int64_t half = deadline_ms > core->now_ms ? (deadline_ms - core->now_ms) / 2 : 0;
    int64_t notice = core->settings->drain_timeout;
    core->close.deadline_ms = deadline_ms;
    core->close.cancel_ms = deadline_ms - (notice < half ? notice : half);
}

void od_close_event(struct od_core *core, const struct od_event *event)
{
    struct od_close *close = &core->close;
    if (close->stage != OD_CLOSE_NOT) {
        if (event->close.deadline_ms < close->deadline_ms) {
            set_deadline(core, event->close.deadline_ms);
        }
        return;
    }
    set_deadline(core, event->close.deadline_ms);
    close->stage = OD_CLOSE_WORK;
    int64_t left = close->deadline_ms - core->now_ms;
    if (core->gate_held) {
        core->waiting = ORDERLY_WAITING_LEAVE;
        struct od_effect *effect = od_effect_push(core, OD_EFFECT_WAITING, 0);
        effect->waiting.waiting = ORDERLY_WAITING_LEAVE;
        effect->waiting.left_ms = left > 0 ? left : 0;
    }
    core->gate_held = false;
    od_gate_open(core, false);
    say_revoked(core);
}

void od_close_callback_done(struct od_core *core, uint64_t sequence)
{
    if (core->close.stage == OD_CLOSE_CALLBACK && core->close.callback == sequence) {
        core->close.stage = OD_CLOSE_WORK;
    }
}

/* Whether nothing runs any more and no copy is on its way, of those that no revoke has taken. */
static bool quiet(const struct od_core *core)
{
    return core->running == 0 && core->copying == 0;
}

static void tell_handlers(struct od_core *core)
{
    struct od_close *close = &core->close;
    if (close->cancelled || core->now_ms < close->cancel_ms) {
        return;
    }
    close->cancelled = true;
    for (size_t i = 0; i < core->stays.count; i++) {
        struct od_stay *stay = core->stays.items[i];
        if (stay && stay->end == OD_END_NONE) {
            od_drain_cancel(core, stay, ORDERLY_REASON_CLOSING, close->deadline_ms - core->now_ms);
            stay->cancel_told = true;
        }
    }
}

void od_close_released(struct od_core *core)
{
    core->close.timed_out = core->close.timed_out || core->close.cancelled;
}

static void begin_commits(struct od_core *core)
{
    core->close.stage = OD_CLOSE_COMMIT;
    for (size_t i = 0; i < core->stays.count; i++) {
        struct od_stay *stay = core->stays.items[i];
        if (stay && stay->end == OD_END_NONE) {
            stay->end = OD_END_CLOSE;
            od_stay_move(stay, OD_STAY_DRAINING);
            stay->drain_end_ms = core->now_ms;
            od_stay_touch(core, stay);
        }
    }
}

static bool all_committed(const struct od_core *core)
{
    for (size_t i = 0; i < core->stays.count; i++) {
        const struct od_stay *stay = core->stays.items[i];
        if (stay && !stay->finished) {
            return false;
        }
    }
    return !core->hold.open;
}

void od_close_review(struct od_core *core)
{
    struct od_close *close = &core->close;
    if (close->stage == OD_CLOSE_NOT || core->nomem) {
        return;
    }
    if (close->stage <= OD_CLOSE_WORK) {
        tell_handlers(core);
        bool over = core->now_ms >= close->deadline_ms;
        if (close->stage == OD_CLOSE_CALLBACK && !over) {
            return;
        }
        if (!over && !quiet(core)) {
            return;
        }
        if (!over && say_revoked(core)) {
            return;
        }
        close->timed_out = close->timed_out || !quiet(core) || close->stage == OD_CLOSE_CALLBACK;
        begin_commits(core); /* where there are stays they are dirty now, and this comes again at once */
    }
    if (close->stage == OD_CLOSE_COMMIT && core->dirty.count == 0 && all_committed(core)) {
        close->stage = OD_CLOSE_LEAVING;
        (void)od_effect_push(core, OD_EFFECT_LEAVE, 0);
    }
}

void od_close_left(struct od_core *core, const struct od_event *event)
{
    (void)event;
    if (core->close.stage == OD_CLOSE_END) {
        return;
    }
    for (size_t i = 0; i < core->stays.count; i++) {
        if (core->stays.items[i]) {
            struct od_stay *stay = core->stays.items[i];
            od_drain_cancel(core, stay, ORDERLY_REASON_CLOSING, 0);
            od_stay_close(core, stay);
        }
    }
    core->hold.open = false;
    core->hold.callback = 0;
    core->close.stage = OD_CLOSE_END;
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_CLOSED, 0);
    effect->done.error = core->close.timed_out ? ORDERLY_TIMEOUT : ORDERLY_OK;
}

int64_t od_close_deadline(const struct od_core *core)
{
    const struct od_close *close = &core->close;
    if (close->stage != OD_CLOSE_CALLBACK && close->stage != OD_CLOSE_WORK) {
        return OD_NO_TIME;
    }
    return close->cancelled || close->cancel_ms > close->deadline_ms ? close->deadline_ms : close->cancel_ms;
}
