/*
 * The bytes of parked records. Of each stay those that are due first keep them, in a part of its share; the others' are let go and read again
 * in good time: when few are left with their bytes, or when the rest fits, as many as the part holds are asked for at once, so that one
 * pass over the partition brings them all.
 *
 *     0        1/8             1/4                       1/2                                  share
 *     |<------->|               |<------------------------+-------------------------------------|  full: those due last are let go
 *     |         |--------- looking ahead ---------------->|
 */
#include <string.h>

#include "core/state.h"

enum {
    AHEAD_MS = 1000, /* bytes are asked for so long before they are needed, at the latest */
    WORTH_MS = 3000, /* what is due sooner keeps its bytes */
    AGAIN_MS = 1000,
    WAITS = 4 * 64 /* classes of waits, four for each power of two */
};

/* The due time of a record that is gone for good and waits for RESET_GUARD; it is in no heap then. */
#define GONE INT64_MIN

/* ---- the heaps ---- */

static struct od_parked *heap_of(struct od_core *core, struct od_stay *stay, const struct od_record *record)
{
    if (record->state == OD_RECORD_COPYING) {
        return &core->copy_again;
    }
    return record->tag ? &core->parked : &stay->bare;
}

static void push(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    core->nomem |= !od_parked_push(heap_of(core, stay, od_record_at(&core->records, slot)), &core->records, slot);
}

void od_wait_leave(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    od_parked_remove(heap_of(core, stay, od_record_at(&core->records, slot)), &core->records, slot);
}

void od_reread_due(struct od_core *core)
{
    uint32_t slot;
    while (!core->nomem && (slot = od_parked_pop(&core->parked, &core->records, core->now_ms)) != OD_SLOT_NONE) {
        struct od_stay *stay = od_stay_of(core, od_record_at(&core->records, slot));
        od_unpark(core, stay, slot);
        od_stay_touch(core, stay);
    }
}

/* ---- letting go ---- */

static bool dispensable(const struct od_core *core, const struct od_record *record)
{
    return record->state == OD_RECORD_PARKED && record->tag && record->due_ms != GONE &&
           record->due_ms - core->now_ms >= WORTH_MS && record->offset >= od_stay_of(core, record)->log_start;
}

static void let_go(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    const struct od_record *record = od_record_at(&core->records, slot);
    od_effect_push(core, OD_EFFECT_LET_GO, stay->id)->tag = record->tag;
    od_queue_retag(core, stay, slot, 0, record->size_bytes);
    od_stay_touch(core, stay);
}

void od_wait_enter(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    const struct od_record *record = od_record_at(&core->records, slot);
    bool all_fit = stay->bytes_parked + stay->bytes_bare <= od_budget_share(core) / 2;
    if (!all_fit && dispensable(core, record) && record->due_ms >= od_parked_due(&stay->bare, &core->records)) {
        let_go(core, stay, slot);
    }
    push(core, stay, slot);
}

static unsigned class_of(const struct od_core *core, const struct od_record *record)
{
    uint64_t wait = (uint64_t)(record->due_ms - core->now_ms); /* WORTH_MS or more */
    unsigned power = 63 - (unsigned)__builtin_clzll(wait);
    return power * 4 + (unsigned)(wait >> (power - 2) & 3);
}

/* The next at or after *at whose bytes may go. */
static uint32_t next_dispensable(const struct od_core *core, const struct od_stay *stay, int64_t *at)
{
    uint32_t slot;
    while ((slot = od_window_next(&stay->window, at)) != OD_SLOT_NONE) {
        const struct od_record *record = od_record_at(&core->records, slot);
        if (record->place != OD_SLOT_NONE && dispensable(core, record)) {
            return slot;
        }
        ++*at;
    }
    return OD_SLOT_NONE;
}

/* Lets go of `bytes`, of those first that are due last. */
static void let_go_last(struct od_core *core, struct od_stay *stay, int64_t bytes)
{
    int64_t of_class[WAITS] = {0};
    uint32_t slot;
    for (int64_t at = stay->window.base; (slot = next_dispensable(core, stay, &at)) != OD_SLOT_NONE; at++) {
        const struct od_record *record = od_record_at(&core->records, slot);
        of_class[class_of(core, record)] += record->size_bytes;
    }
    unsigned least = WAITS - 1;
    while (least > 0 && of_class[least] < bytes) {
        bytes -= of_class[least--];
    }
    for (int64_t at = stay->window.base; (slot = next_dispensable(core, stay, &at)) != OD_SLOT_NONE; at++) {
        const struct od_record *record = od_record_at(&core->records, slot);
        unsigned class = class_of(core, record);
        if (class < least || (class == least && bytes <= 0)) {
            continue;
        }
        bytes -= class == least ? record->size_bytes : 0;
        od_wait_leave(core, stay, slot);
        let_go(core, stay, slot);
        push(core, stay, slot);
    }
}

bool od_reread_make_room(struct od_core *core, struct od_stay *stay)
{
    int64_t before = stay->bytes_parked, share = od_budget_share(core);
    if (core->now_ms < stay->let_go_after_ms || before <= share / 2) {
        return false;
    }
    let_go_last(core, stay, before - share / 4);
    if (before - stay->bytes_parked < share / 8) {
        stay->let_go_after_ms = core->now_ms + AGAIN_MS; /* the walk was not worth it */
    }
    return stay->bytes_parked < before;
}

/* ---- asking for them again ---- */

void od_reread_begin(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_assert(record->place == OD_SLOT_NONE && !(record->flags & (OD_FLAG_WANTED | OD_FLAG_REREADING)));
    record->flags |= OD_FLAG_WANTED;
    stay->bytes_wanted += record->size_bytes;
    core->bytes_wanted += record->size_bytes;
    od_id_push(core, &core->reread_wait, od_record_id(&core->records, slot));
}

void od_reread_over(struct od_core *core, struct od_stay *stay, struct od_record *record)
{
    if (record->flags & OD_FLAG_REREADING) {
        core->rereading--;
        core->bytes_rereading -= record->size_bytes;
    }
    if (record->flags & (OD_FLAG_WANTED | OD_FLAG_REREADING)) {
        stay->bytes_wanted -= record->size_bytes;
        core->bytes_wanted -= record->size_bytes;
        record->flags &= (uint8_t) ~(OD_FLAG_WANTED | OD_FLAG_REREADING);
    }
}

/* Looking ahead leaves to the re-reads that are urgent what is theirs. */
static bool spare(const struct od_core *core, const struct od_stay *stay, int64_t bytes)
{
    return stay->bytes_parked + stay->bytes_wanted + bytes <= od_budget_share(core) / 2 &&
           core->bytes_held + core->bytes_wanted + bytes <= od_budget_fetch_limit(core);
}

void od_reread_review(struct od_core *core, struct od_stay *stay)
{
    int64_t share = od_budget_share(core), due = od_parked_due(&stay->bare, &core->records);
    if (due == OD_NO_TIME || stay->end != OD_END_NONE || core->close.stage != OD_CLOSE_NOT) {
        return;
    }
    if (core->now_ms < stay->reread_after_ms) {
        od_stay_wake(core, stay, stay->reread_after_ms);
        return;
    }
    bool begin = due <= core->now_ms + AHEAD_MS || stay->bytes_parked + stay->bytes_wanted < share / 8 ||
                 stay->bytes_parked + stay->bytes_bare <= share / 2;
    while (begin && due != OD_NO_TIME && !core->nomem) {
        uint32_t slot = od_parked_peek(&stay->bare);
        if (due > core->now_ms + AHEAD_MS && !spare(core, stay, od_record_at(&core->records, slot)->size_bytes)) {
            break;
        }
        od_parked_remove(&stay->bare, &core->records, slot);
        od_reread_begin(core, stay, slot);
        due = od_parked_due(&stay->bare, &core->records);
    }
    if (due != OD_NO_TIME) {
        od_stay_wake(core, stay, due - AHEAD_MS);
    }
}

static bool wanted(const struct od_core *core, const struct od_record *record)
{
    return record->state == OD_RECORD_PARKED && (record->flags & OD_FLAG_WANTED) &&
           od_stay_of(core, record)->end == OD_END_NONE;
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
            record->flags ^= OD_FLAG_WANTED | OD_FLAG_REREADING;
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
    od_reread_over(core, stay, record);
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
    stay->reread_after_ms = stay->relief_after_ms = core->now_ms + AGAIN_MS;
    push(core, stay, slot);
}

static void arrived(struct od_core *core, struct od_stay *stay, uint32_t slot, const struct od_event *event)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_queue_retag(core, stay, slot, event->reread.tag, event->reread.size_bytes);
    od_named_leave(core, stay, OD_STATE_READ_FAILING);
    int64_t left = record->due_ms - core->now_ms;
    if (stay->end != OD_END_NONE || core->close.stage != OD_CLOSE_NOT) {
        record->flags &= (uint8_t)~OD_FLAG_RELIEF; /* nothing begins any more */
        push(core, stay, slot);
    } else if (record->flags & OD_FLAG_RELIEF) {
        od_copy_begin(core, stay, slot, OD_COPY_RELIEF, left > 0 ? left : 0);
    } else if (left > 0) {
        push(core, stay, slot);
    } else {
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
    od_reread_over(core, stay, record);
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
    stay->log_start = event->position.offset;
    for (int64_t at = stay->window.base;
         (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE && at < event->position.offset; at++) {
        const struct od_record *record = od_record_at(&core->records, slot);
        if (record->state == OD_RECORD_PARKED && !record->tag && !(record->flags & OD_FLAG_REREADING) &&
            record->due_ms != GONE) {
            gone(core, stay, slot);
        }
    }
}
