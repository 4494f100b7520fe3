/*
 * Copies: a record is done when its copy in the retry topic (or among the dead letters) has been acknowledged, and not before.
 * An eighth of the memory is kept for copies on their way; what finds no room waits. A copy that fails is tried again for ever, in a named
 * state: its record stays unfinished.
 */
#include "core/state.h"

enum { TRIES_MASK = 0x3f, FORM_SHIFT = 6 };

static enum od_copy_form form_of(const struct od_record *record)
{
    return (enum od_copy_form)(record->copy_tries >> FORM_SHIFT);
}

static void set_form(struct od_record *record, enum od_copy_form form)
{
    record->copy_tries = (uint8_t)((unsigned)form << FORM_SHIFT);
}

/* copy_tries counts up to its end; a flag of its own would not fit into the record. */
static uint32_t tried(struct od_record *record)
{
    if ((record->copy_tries & TRIES_MASK) < TRIES_MASK) {
        record->copy_tries++;
    }
    return record->copy_tries & TRIES_MASK;
}

static bool fits(const struct od_core *core, const struct od_record *record)
{
    return core->bytes_copying == 0 || core->bytes_copying + record->size_bytes <= core->settings->memory_records / 8;
}

static void produce(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    core->bytes_copying += record->size_bytes;
    record->flags |= OD_FLAG_PRODUCING;
    core->counters.copies++;
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_COPY, stay->id);
    effect->record = od_record_id(&core->records, slot);
    effect->tag = record->tag;
    effect->offset = record->offset;
    effect->copy.kind = (enum od_copy_kind)record->copy_kind;
    effect->copy.form = form_of(record);
    effect->copy.attempts = record->attempts;
    effect->copy.due_ms = record->due_wall_ms;
    effect->copy.delay_ms = record->delay_ms;
}

void od_copy_begin(struct od_core *core, struct od_stay *stay, uint32_t slot, enum od_copy_kind kind, int64_t delay_ms)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_move(core, stay, slot, OD_RECORD_COPYING);
    record->copy_kind = (uint8_t)kind;
    record->copy_tries = 0;
    record->flags &= (uint8_t)~OD_FLAG_PRODUCING;
    record->due_ms = 0;
    record->delay_ms = delay_ms < UINT32_MAX ? (uint32_t)delay_ms : 0;
    if (kind == OD_COPY_RELIEF) {
        record->next = od_lane_hash(record->key_hash); /* for when it must go back */
    }
    record->due_wall_ms = kind == OD_COPY_DEAD_LETTER ? 0 : od_not_before(core->wall_ms, delay_ms);
    record->due_wall_ms -=
        kind == OD_COPY_RELIEF && delay_ms > 0 ? 2 : 0; /* rounded up when it was parked: the same time */
    od_id_push(core, &core->copy_wait, od_record_id(&core->records, slot));
}

void od_copy_leave(struct od_core *core, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    if (record->flags & OD_FLAG_PRODUCING) {
        record->flags &= (uint8_t)~OD_FLAG_PRODUCING;
        core->bytes_copying -= record->size_bytes;
    }
}

void od_copy_pump(struct od_core *core)
{
    uint32_t slot;
    while ((slot = od_parked_pop(&core->copy_again, &core->records, core->now_ms)) != OD_SLOT_NONE) {
        od_id_push(core, &core->copy_wait, od_record_id(&core->records, slot));
    }
    while (!core->suspect && (slot = od_id_peek(core, &core->copy_wait)) != OD_SLOT_NONE) {
        struct od_record *record = od_record_at(&core->records, slot);
        if (!fits(core, record)) {
            return;
        }
        od_id_pop(&core->copy_wait);
        produce(core, od_stay_of(core, record), slot);
    }
}

int64_t od_copy_deadline(const struct od_core *core)
{
    return od_parked_due(&core->copy_again, &core->records);
}

static void again(struct od_core *core, uint32_t slot, int64_t first_ms, int64_t max_ms)
{
    struct od_record *record = od_record_at(&core->records, slot);
    uint32_t count = tried(record);
    record->due_ms = core->now_ms + od_doubling(first_ms, max_ms, count);
    core->nomem |= !od_parked_push(&core->copy_again, &core->records, slot);
}

static void succeeded(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    if (record->copy_kind == OD_COPY_DEAD_LETTER) {
        core->counters.dead_lettered++;
        struct od_effect *tell =
            od_effect_tell(core, OD_TELL_DEAD_LETTER, stay->id, record->offset, record->attempts, form_of(record));
        tell->record = od_record_id(&core->records, slot);
        tell->tag = record->tag;
    } else if (record->copy_kind == OD_COPY_RELIEF) {
        core->counters.reliefs++;
        od_effect_tell(core, OD_TELL_RELIEF, stay->id, record->offset, 0, 0);
    }
    if (od_named_on(stay, OD_STATE_COPY_FAILING)) {
        od_named_leave(core, stay, OD_STATE_COPY_FAILING);
    }
    od_finish(core, stay, slot);
    od_commit_soon(core, stay, 100);
}

/* The topic refuses its size: without the error text, then as the settings say. */
static void too_large(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    enum od_copy_form form = form_of(record);
    if (form == OD_FORM_WHOLE) {
        set_form(record, OD_FORM_NO_ERROR_TEXT);
    } else if (form == OD_FORM_NO_ERROR_TEXT && record->copy_kind == OD_COPY_DEAD_LETTER &&
               core->settings->oversize == OD_OVERSIZE_REFERENCE) {
        set_form(record, OD_FORM_REFERENCE);
    } else if (record->copy_kind == OD_COPY_RETRY) {
        /* It cannot be retried there: its value is kept for people instead, or at least what names it. */
        record->copy_kind = OD_COPY_DEAD_LETTER;
        record->due_wall_ms = 0;
        set_form(record, OD_FORM_WHOLE);
    } else {
        stay->stopped = true;
        od_named_enter(core, stay, OD_STATE_OVERSIZE, record->offset);
        record->due_ms = OD_NO_TIME; /* until RESET_GUARD */
        core->nomem |= !od_parked_push(&core->copy_again, &core->records, slot);
        return;
    }
    od_id_push(core, &core->copy_wait, od_record_id(&core->records, slot));
}

/* A relief is a favour: when it fails the record waits on where it was. */
static void give_up_relief(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    int64_t due = od_not_before(core->now_ms, record->due_wall_ms - core->wall_ms);
    record->key_hash = record->next;
    record->flags &= (uint8_t)~OD_FLAG_RELIEF;
    od_relief_failed(core, stay);
    od_park(core, stay, slot, due);
}

void od_copy_answered(struct od_core *core, const struct od_event *event)
{
    uint32_t slot = od_records_find(&core->records, event->copied.record);
    if (slot == OD_SLOT_NONE) {
        return; /* the stay has gone; the next owner runs it again and recognises the copy */
    }
    struct od_record *record = od_record_at(&core->records, slot);
    if (record->state != OD_RECORD_COPYING || !(record->flags & OD_FLAG_PRODUCING)) {
        return;
    }
    struct od_stay *stay = od_stay_of(core, record);
    od_copy_leave(core, slot);
    od_stay_touch(core, stay);
    if (event->copied.result == OD_COPY_OK) {
        if (record->flags & OD_FLAG_STALE) {
            od_abandon(core, stay, slot);
        } else {
            succeeded(core, stay, slot);
        }
        return;
    }
    core->counters.copy_failures++;
    if (record->flags & OD_FLAG_STALE) {
        od_abandon(core, stay, slot);
        return;
    }
    if (record->copy_kind == OD_COPY_RELIEF && event->copied.result != OD_COPY_AGAIN) {
        give_up_relief(core, stay, slot);
        return;
    }
    switch (event->copied.result) {
    case OD_COPY_AGAIN:
        if ((record->copy_tries & TRIES_MASK) >= 2) {
            od_named_enter(core, stay, OD_STATE_COPY_FAILING, record->offset);
        }
        again(core, slot, 100, 30000);
        break;
    case OD_COPY_REFUSED:
        od_named_enter(core, stay, OD_STATE_COPY_FAILING, record->offset);
        again(core, slot, 5000, 10000);
        break;
    case OD_COPY_TOO_LARGE:
        too_large(core, stay, slot);
        break;
    case OD_COPY_OK:
        od_unreachable();
    }
}
