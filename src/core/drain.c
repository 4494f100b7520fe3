/*
 * The end of stays: a revoke after its gate (callback, drain, last commit, answer) and a loss.
 *
 * All partitions of a revoke go together: each drains and commits for itself, the answer comes when the last one is through. A signal is
 * advice: what still runs at the drain's end is cut, which means that its outcome moves nothing any more, and is counted.
 */
#include "core/state.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void od_drain_quit(struct od_core *core, struct od_stay *stay, enum orderly_reason reason, int64_t left_ms)
{
    if (stay->quit_told) {
        return;
    }
    stay->quit_told = true;
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_QUIT, stay->id);
    effect->cancel.reason = reason;
    effect->cancel.left_ms = left_ms > 0 ? left_ms : 0;
}

static void cancel(struct od_core *core, struct od_stay *stay, uint32_t slot, enum orderly_reason reason,
                   int64_t left_ms)
{
    const struct od_record *record = od_record_at(&core->records, slot);
    if (record->state != OD_RECORD_RUNNING) {
        return;
    }
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_CANCEL, stay->id);
    effect->record = od_record_id(&core->records, slot);
    effect->tag = record->tag;
    effect->offset = record->offset;
    effect->cancel.reason = reason;
    effect->cancel.left_ms = left_ms > 0 ? left_ms : 0;
}

void od_drain_cancel(struct od_core *core, struct od_stay *stay, enum orderly_reason reason, int64_t left_ms)
{
    uint32_t slot;
    if (!stay->ready || stay->running == 0) {
        return;
    }
    for (int64_t at = stay->window.base; (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE; at++) {
        cancel(core, stay, slot, reason, left_ms);
    }
    for (size_t i = 0; reason != ORDERLY_REASON_SEEK && i < stay->stale.count; i++) {
        slot = od_records_find(&core->records, stay->stale.items[i]);
        if (slot != OD_SLOT_NONE) {
            cancel(core, stay, slot, reason, left_ms);
        }
    }
}

/* ---- revoke ---- */

static void answer(struct od_core *core, enum od_effect_type type, const uint32_t *ids, size_t count)
{
    size_t first = core->effects->id_count;
    for (size_t i = 0; i < count; i++) {
        od_effect_id(core, ids[i]);
    }
    struct od_effect *effect = od_effect_push(core, type, 0);
    effect->ids.first = first;
    effect->ids.count = count;
}

/* The open revoke is over when nothing of it remains. */
static void answer_if_through(struct od_core *core)
{
    struct od_hold *hold = &core->hold;
    if (!hold->open || hold->remaining > 0 || hold->callback) {
        return;
    }
    hold->open = false;
    hold->gate_ms = OD_NO_TIME;
    core->waiting = ORDERLY_WAITING_NONE;
    answer(core, OD_EFFECT_ANSWER_REVOKE, hold->ids.items, hold->ids.count);
    for (size_t i = 0; i < hold->ids.count; i++) {
        struct od_stay *stay = od_stay_find(core, hold->ids.items[i]);
        if (stay && stay->end == OD_END_REVOKE) {
            od_stay_close(core, stay);
        }
    }
}

static void begin_drain(struct od_core *core, struct od_stay *stay)
{
    int64_t latest = core->hold.deadline_ms - core->settings->commit_timeout;
    int64_t end = least(core->now_ms + core->settings->drain_timeout, latest);
    enum od_policy policy = core->settings->policy;
    od_dispatch_unlist(core, stay);
    if (stay->state == OD_STAY_DRAINING || stay->state == OD_STAY_COMMITTING) {
        return;
    }
    od_stay_move(stay, OD_STAY_DRAINING);
    stay->drain_end_ms = policy == OD_POLICY_IMMEDIATE ? core->now_ms : end;
    if (policy == OD_POLICY_DRAIN) {
        int64_t left = stay->drain_end_ms - core->now_ms;
        od_drain_quit(core, stay, ORDERLY_REASON_REVOKED, left);
        od_drain_cancel(core, stay, ORDERLY_REASON_REVOKED, left);
        stay->cancel_told = true;
    }
    od_stay_touch(core, stay);
}

static struct od_stay *revoked_at(const struct od_core *core, size_t i)
{
    struct od_stay *stay = od_stay_find(core, core->hold.ids.items[i]);
    return stay && stay->end == OD_END_REVOKE && !stay->finished ? stay : NULL;
}

void od_drain_callback_done(struct od_core *core)
{
    core->hold.callback = 0;
    for (size_t i = 0; i < core->hold.ids.count; i++) {
        struct od_stay *stay = revoked_at(core, i);
        if (stay) {
            begin_drain(core, stay);
        }
    }
    answer_if_through(core);
}

void od_drain_callback(struct od_core *core)
{
    struct od_hold *hold = &core->hold;
    uint32_t *ids = NULL;
    size_t first = core->effects->id_count;
    for (size_t i = 0; core->config.has_revoked && i < hold->ids.count; i++) {
        struct od_stay *stay = revoked_at(core, i);
        if (stay && !stay->revoked_told && od_stay_may_move(stay->state, OD_STAY_CALLBACK)) {
            stay->revoked_told = true;
            od_stay_move(stay, OD_STAY_CALLBACK);
            od_drain_quit(core, stay, ORDERLY_REASON_REVOKED, hold->deadline_ms - core->now_ms);
            od_effect_id(core, stay->id);
        }
    }
    size_t count = core->effects->id_count - first;
    ids = core->effects->ids + first;
    if (count > 0 && !core->nomem) {
        hold->callback = od_callback_begin(core, OD_CALLBACK_REVOKED, ids, count);
    } else if (core->close.stage == OD_CLOSE_CALLBACK) {
        hold->callback = core->close.callback; /* the same callback, begun by closing */
    } else {
        od_drain_callback_done(core);
    }
}

/* The callback has outlived its partitions: until it returns nothing of newly assigned ones is dispatched. */
static void overrun(struct od_core *core)
{
    for (size_t i = 0; i < core->callbacks.count; i++) {
        struct od_callback_out *out = &core->callbacks.items[i];
        if (out->sequence == core->hold.callback && !out->overrun) {
            out->overrun = true;
            core->callbacks_overrun++;
        }
    }
    core->hold.callback = 0;
    od_named_enter(core, NULL, OD_STATE_CALLBACK_BLOCKED, -1);
}

void od_drain_overrun(struct od_core *core)
{
    struct od_hold *hold = &core->hold;
    overrun(core);
    for (size_t i = 0; i < hold->ids.count; i++) {
        struct od_stay *stay = revoked_at(core, i);
        if (stay) {
            od_drain_cancel(core, stay, ORDERLY_REASON_REVOKED, 0);
            stay->finished = true;
            hold->remaining--;
        }
    }
    answer_if_through(core);
}

static enum orderly_reason reason_of(const struct od_stay *stay)
{
    return stay->end == OD_END_CLOSE ? ORDERLY_REASON_CLOSING : ORDERLY_REASON_REVOKED;
}

/* What still runs is given up: its outcome comes late, and moves nothing. A copy on its way may be there already: its record runs again. */
static void cut(struct od_core *core, struct od_stay *stay)
{
    uint64_t count = stay->running + stay->copying;
    if (count > 0) {
        core->counters.drains_cut += count;
        od_effect_tell(core, OD_TELL_DRAIN_CUT, stay->id, -1, (int64_t)count, 0);
        if (!stay->cancel_told) {
            od_drain_cancel(core, stay, reason_of(stay), 0);
        }
    }
    od_queue_give_up_running(core, stay);
}

void od_drain_finished(struct od_core *core, struct od_stay *stay)
{
    stay->finished = true;
    if (stay->end == OD_END_REVOKE) {
        core->hold.remaining--;
        answer_if_through(core);
    } else if (stay->end == OD_END_LOST) {
        answer(core, OD_EFFECT_ANSWER_LOST, &stay->id, 1);
        od_stay_close(core, stay);
    }
}

static bool last_commit_over(const struct od_core *core, const struct od_stay *stay)
{
    return !stay->ready || (od_commit_never(core) && !stay->commit.wanted && !stay->commit.flight) ||
           od_commit_settled(core, stay) || core->now_ms >= stay->commit_end_ms;
}

void od_drain_review(struct od_core *core, struct od_stay *stay)
{
    if (stay->state == OD_STAY_DRAINING) {
        bool quiet = stay->running == 0 && stay->copying == 0;
        if (!quiet && core->now_ms < stay->drain_end_ms) {
            od_stay_wake(core, stay, stay->drain_end_ms);
            return;
        }
        cut(core, stay);
        od_stay_move(stay, OD_STAY_COMMITTING);
        od_drain_quit(core, stay, reason_of(stay), 0);
        od_commit_last(core, stay);
    }
    if (stay->state == OD_STAY_COMMITTING && !stay->finished) {
        if (last_commit_over(core, stay)) {
            od_drain_finished(core, stay);
        } else {
            od_stay_wake(core, stay, stay->commit_end_ms);
        }
    }
}

/* ---- lost ---- */

/* The answer to the loss is its answer; the revoke goes on without it. */
static void leave_hold(struct od_core *core, uint32_t id)
{
    struct od_hold *hold = &core->hold;
    for (size_t i = hold->ids.count; i-- > 0;) {
        if (hold->ids.items[i] == id) {
            od_vec_remove_swap(&hold->ids, i);
        }
    }
}

/* Nothing is left of the revoke: it needs no answer. Its callback, if that still runs, holds up what is assigned next. */
static void drop_empty_hold(struct od_core *core)
{
    struct od_hold *hold = &core->hold;
    if (!hold->open || hold->ids.count > 0) {
        return;
    }
    core->waiting = hold->callback ? ORDERLY_WAITING_LOST : ORDERLY_WAITING_NONE; /* the callback may look */
    if (hold->callback) {
        overrun(core);
    }
    hold->open = false;
    hold->gate_ms = OD_NO_TIME;
}

static void lose(struct od_core *core, struct od_stay *stay)
{
    int64_t grace = core->settings->lost_grace;
    if (stay->end == OD_END_REVOKE) {
        core->hold.remaining -= !stay->finished;
        leave_hold(core, stay->id);
    }
    od_dispatch_unlist(core, stay);
    od_drain_quit(core, stay, ORDERLY_REASON_LOST, grace);
    od_drain_cancel(core, stay, ORDERLY_REASON_LOST, grace);
    stay->end = OD_END_LOST;
    stay->finished = false;
}

/* A loss while the membership is valid: what is done is committed once, if that goes quickly. */
static bool try_commit(struct od_core *core, struct od_stay *stay)
{
    if (!stay->ready || od_commit_never(core) || stay->commit.last_result == OD_COMMIT_FENCED ||
        (od_commit_settled(core, stay) && !stay->commit.flight)) {
        return false;
    }
    od_queue_give_up_running(core, stay);
    if (stay->state != OD_STAY_COMMITTING) {
        od_stay_move(stay, OD_STAY_COMMITTING);
    }
    od_commit_last(core, stay);
    return true;
}

void od_drain_lost(struct od_core *core, const struct od_event *event)
{
    size_t first = core->effects->id_count, count = 0;
    if (event->partitions.count) {
        core->counters.losts++;
    }
    /* ids of those whose callback is due */
    for (size_t i = 0; i < event->partitions.count; i++) {
        struct od_stay *stay = od_stay_find(core, event->partitions.ids[i]);
        if (stay && stay->end != OD_END_LOST) {
            lose(core, stay);
            if (core->config.has_lost && !stay->revoked_told) {
                od_effect_id(core, stay->id);
            }
        }
    }
    count = core->effects->id_count - first;
    if (count > 0 && !core->nomem) {
        od_callback_begin(core, OD_CALLBACK_LOST, core->effects->ids + first, count);
    }
    if (core->hold.open && core->hold.callback) {
        core->waiting = ORDERLY_WAITING_LOST;
    }
    drop_empty_hold(core);
    first = core->effects->id_count;
    for (size_t i = 0; i < event->partitions.count; i++) {
        uint32_t id = event->partitions.ids[i];
        struct od_stay *stay = od_stay_find(core, id);
        if (!stay || !event->partitions.valid_member || !try_commit(core, stay)) {
            od_effect_id(core, id);
        }
    }
    count = core->effects->id_count - first;
    if (count > 0) {
        struct od_effect *effect = od_effect_push(core, OD_EFFECT_ANSWER_LOST, 0);
        effect->ids.first = first;
        effect->ids.count = count;
    }
    for (size_t i = 0; i < count && !core->nomem; i++) {
        struct od_stay *stay = od_stay_find(core, core->effects->ids[first + i]);
        if (stay) {
            od_stay_close(core, stay);
        }
    }
    answer_if_through(core);
}
