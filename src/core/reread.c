/*
 * The bytes of parked records: let go when parked ones fill half of the memory or of their share, read again a little before they are due. And what
 * leaves the heap of due times.
 */
#include "core/state.h"

enum {
    AHEAD_MS = 1000, /* bytes are asked for so long before they are needed */
    WORTH_MS = 3000, /* what is due sooner keeps its bytes */
    AGAIN_MS = 1000
};

/* The due time of a record that is gone for good and waits for RESET_GUARD; it is in no heap then. */
#define GONE INT64_MIN

int64_t od_reread_due_of(const struct od_record *record)
{
    return record->due_ms + (record->flags & OD_FLAG_AHEAD ? AHEAD_MS : 0);
}

static void push_parked(struct od_core *core, uint32_t slot)
{
    core->nomem |= !od_parked_push(&core->parked, &core->records, slot);
}

/* Parked bytes fill more than half of the memory, or of the stay's share. */
static bool crowded(const struct od_core *core, const struct od_stay *stay)
{
    return core->bytes_parked > core->settings->memory_records / 2 || stay->bytes_parked > od_budget_share(core) / 2;
}

static bool dispensable(const struct od_core *core, const struct od_record *record)
{
    return record->tag && record->due_ms != GONE && record->due_ms - core->now_ms >= WORTH_MS &&
           !(record->flags & OD_FLAG_AHEAD);
}

static void let_go(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_effect_push(core, OD_EFFECT_LET_GO, stay->id)->tag = record->tag;
    od_queue_retag(core, stay, slot, 0, record->size_bytes);
    if (record->due_ms != OD_NO_TIME) {
        record->due_ms -= AHEAD_MS;
        record->flags |= OD_FLAG_AHEAD;
    }
}

void od_reread_let_go(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    if (crowded(core, stay) && dispensable(core, od_record_at(&core->records, slot))) {
        let_go(core, stay, slot);
    }
}

bool od_reread_make_room(struct od_core *core, struct od_stay *stay)
{
    int64_t before = stay->bytes_parked;
    uint32_t slot;
    if (core->now_ms < stay->let_go_after_ms || !crowded(core, stay)) {
        return false;
    }
    stay->let_go_after_ms = core->now_ms + AGAIN_MS;
    for (int64_t at = stay->window.base;
         crowded(core, stay) && (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE; at++) {
        const struct od_record *record = od_record_at(&core->records, slot);
        if (record->state == OD_RECORD_PARKED && record->place != OD_SLOT_NONE && dispensable(core, record)) {
            od_parked_remove(&core->parked, &core->records, slot);
            let_go(core, stay, slot);
            push_parked(core, slot);
        }
    }
    return stay->bytes_parked < before;
}

void od_reread_begin(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    (void)stay;
    od_id_push(core, &core->reread_wait, od_record_id(&core->records, slot));
}

static void due(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    if (record->flags & OD_FLAG_AHEAD) {
        record->flags &= (uint8_t)~OD_FLAG_AHEAD;
        record->due_ms += AHEAD_MS;
        if (record->due_ms > core->now_ms) {
            push_parked(core, slot);
            od_reread_begin(core, stay, slot);
            return;
        }
    }
    if (record->tag) {
        od_unpark(core, stay, slot);
    } else {
        od_reread_begin(core, stay, slot);
    }
    od_stay_touch(core, stay);
}

void od_reread_due(struct od_core *core)
{
    uint32_t slot;
    while (!core->nomem && (slot = od_parked_pop(&core->parked, &core->records, core->now_ms)) != OD_SLOT_NONE) {
        due(core, od_stay_of(core, od_record_at(&core->records, slot)), slot);
    }
}

static bool wanted(const struct od_core *core, const struct od_record *record)
{
    const struct od_stay *stay = od_stay_of(core, record);
    return record->state == OD_RECORD_PARKED && !record->tag && !(record->flags & OD_FLAG_REREADING) &&
           record->due_ms != GONE && stay->end == OD_END_NONE;
}

static bool fits(const struct od_core *core, const struct od_record *record)
{
    int64_t limit = core->settings->memory_records / 8 * 7;
    return core->rereading == 0 || core->bytes_held + core->bytes_rereading + record->size_bytes <= limit ||
           record->offset == od_stay_of(core, record)->window.base;
}

void od_reread_pump(struct od_core *core)
{
    uint32_t slot;
    while (core->close.stage == OD_CLOSE_NOT && (slot = od_id_peek(core, &core->reread_wait)) != OD_SLOT_NONE) {
        struct od_record *record = od_record_at(&core->records, slot);
        if (wanted(core, record)) {
            if (!fits(core, record)) {
                return;
            }
            record->flags |= OD_FLAG_REREADING;
            core->rereading++;
            core->bytes_rereading += record->size_bytes;
            core->counters.rereads++;
            struct od_effect *effect = od_effect_push(core, OD_EFFECT_REREAD, od_stay_of(core, record)->id);
            effect->record = od_record_id(&core->records, slot);
            effect->offset = record->offset;
        }
        od_id_pop(&core->reread_wait);
    }
}

/* ---- answers ---- */

static void gone(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    core->counters.records_lost++;
    od_effect_tell(core, OD_TELL_RECORD_LOST, stay->id, record->offset, 0, 0);
    od_queue_detach(core, stay, slot);
    if (core->settings->on_lost == OD_ON_LOST_CONTINUE) {
        od_finish(core, stay, slot);
        return;
    }
    record->due_ms = GONE;
    stay->stopped = true;
    od_named_enter(core, stay, OD_STATE_RECORD_LOST, record->offset);
    od_stay_touch(core, stay);
}

void od_reread_resume_lost(struct od_core *core, struct od_stay *stay)
{
    uint32_t slot;
    if (!od_named_on(stay, OD_STATE_RECORD_LOST)) {
        return;
    }
    for (int64_t at = stay->window.base; (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE; at++) {
        const struct od_record *record = od_record_at(&core->records, slot);
        if (record->state == OD_RECORD_PARKED && record->due_ms == GONE) {
            od_finish(core, stay, slot);
        }
    }
}

static void failed(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    core->counters.reread_failures++;
    od_named_enter(core, stay, OD_STATE_READ_FAILING, record->offset);
    record->flags &= (uint8_t)~OD_FLAG_RELIEF;
    if (record->place == OD_SLOT_NONE) {
        record->due_ms = core->now_ms + AGAIN_MS;
        push_parked(core, slot);
    }
}

static void arrived(struct od_core *core, struct od_stay *stay, uint32_t slot, const struct od_event *event)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_queue_retag(core, stay, slot, event->reread.tag, event->reread.size_bytes);
    od_named_leave(core, stay, OD_STATE_READ_FAILING);
    if (record->flags & OD_FLAG_RELIEF) {
        int64_t left = od_reread_due_of(record) - core->now_ms;
        if (record->place != OD_SLOT_NONE) {
            od_parked_remove(&core->parked, &core->records, slot);
        }
        od_copy_begin(core, stay, slot, OD_COPY_RELIEF, left > 0 ? left : 0);
    } else if (record->place == OD_SLOT_NONE) {
        od_unpark(core, stay, slot);
    }
}

void od_reread_answered(struct od_core *core, const struct od_event *event)
{
    uint32_t slot = od_records_find(&core->records, event->reread.record);
    struct od_record *record = slot == OD_SLOT_NONE ? NULL : od_record_at(&core->records, slot);
    if (!record || !(record->flags & OD_FLAG_REREADING)) {
        if (event->reread.result == OD_REREAD_OK) {
            od_effect_push(core, OD_EFFECT_FORGET, 0)->tag = event->reread.tag;
        }
        return;
    }
    struct od_stay *stay = od_stay_of(core, record);
    record->flags &= (uint8_t)~OD_FLAG_REREADING;
    core->rereading--;
    core->bytes_rereading -= record->size_bytes;
    od_stay_touch(core, stay);
    switch (event->reread.result) {
    case OD_REREAD_OK:
        arrived(core, stay, slot, event);
        break;
    case OD_REREAD_GONE:
        gone(core, stay, slot);
        break;
    case OD_REREAD_AGAIN:
        failed(core, stay, slot);
        break;
    }
}

void od_reread_log_start(struct od_core *core, const struct od_event *event)
{
    struct od_stay *stay = od_stay_find(core, event->position.id);
    uint32_t slot;
    if (!stay || !stay->ready || stay->end != OD_END_NONE) {
        return;
    }
    for (int64_t at = stay->window.base;
         (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE && at < event->position.offset; at++) {
        const struct od_record *record = od_record_at(&core->records, slot);
        if (record->state == OD_RECORD_PARKED && !record->tag && !(record->flags & OD_FLAG_REREADING) &&
            record->due_ms != GONE) {
            gone(core, stay, slot);
        }
    }
}
