/* Records that have been read: into the window, then queued, parked until their time, or done at once. */
#include "core/state.h"

/* What a record is, in the order in which it is asked. */
enum verdict { VERDICT_SKIP, VERDICT_FOREIGN, VERDICT_TAKE };

static void forget(struct od_core *core, struct od_stay *stay, uint64_t tag)
{
    od_effect_push(core, OD_EFFECT_FORGET, stay->id)->tag = tag;
}

static enum verdict look(const struct od_stay *stay, const struct od_fetched *fetched)
{
    if (stay->skipping && od_offset_map_done(&stay->map, fetched->offset, fetched->leader_epoch)) {
        return VERDICT_SKIP;
    }
    return fetched->foreign ? VERDICT_FOREIGN : VERDICT_TAKE;
}

/* How long a record waits before its first run here; 0: not at all. */
static int64_t wait_of(struct od_core *core, struct od_stay *stay, const struct od_fetched *fetched)
{
    if (fetched->due_ms == 0) {
        return 0;
    }
    bool clamped = false;
    int64_t wait = od_retry_wait(core->settings, fetched->due_ms, core->wall_ms, fetched->delay_ms, &clamped);
    if (clamped) {
        core->counters.retry_clamped++;
        od_effect_tell(core, OD_TELL_RETRY_AFTER_CLAMPED, stay->id, fetched->offset, wait,
                       fetched->due_ms - core->wall_ms);
    }
    return wait;
}

/* The former owner spent attempts on it, in its lane: it waits on until it is due, before its successors, and no longer when it was due there already
 * or ran; by this clock the time it came with may not be there yet. */
static void take_over(struct od_core *core, struct od_stay *stay, uint32_t slot, uint32_t attempts, int64_t wait)
{
    struct od_record *record = od_record_at(&core->records, slot);
    record->attempts = (uint16_t)(attempts < UINT16_MAX ? attempts : UINT16_MAX);
    record->flags |= OD_FLAG_ATTEMPTED | OD_FLAG_DISPATCHED;
    stay->attempted++;
    int64_t due = od_offset_map_due(&stay->map, record->offset, record->leader_epoch);
    int64_t delay = due ? od_retry_delay(core->settings, -1, due, core->wall_ms, attempts, &core->random) : 0;
    od_queue_new_parked(core, stay, slot, od_not_before(core->now_ms, delay > wait ? delay : wait));
}

static void take(struct od_core *core, struct od_stay *stay, const struct od_fetched *fetched)
{
    uint32_t slot = od_records_add(&core->records);
    if (slot == OD_SLOT_NONE || !od_window_add(&stay->window, fetched->offset, slot)) {
        core->nomem = true;
        return;
    }
    struct od_record *record = od_record_at(&core->records, slot);
    record->tag = fetched->tag;
    record->offset = fetched->offset;
    record->leader_epoch = fetched->leader_epoch;
    record->size_bytes = fetched->size_bytes;
    record->assignment = stay->index;
    record->key_hash = fetched->key_hash;
    record->flags = fetched->has_key ? OD_FLAG_KEYED : 0;
    record->copy_hash = fetched->copy_hash;
    record->attempts = (uint16_t)(fetched->attempts < UINT16_MAX ? fetched->attempts : UINT16_MAX);
    od_budget_hold(core, stay, fetched->size_bytes);
    if (record->copy_hash && !od_copies_seen_add(core, stay, slot)) {
        core->counters.duplicate_copies++;
        od_effect_tell(core, OD_TELL_DUPLICATE_COPY, stay->id, fetched->offset, fetched->attempts, 0);
        record->copy_hash = 0;
        od_finish(core, stay, slot);
        return;
    }
    uint32_t spent = stay->skipping ? od_offset_map_attempts(&stay->map, fetched->offset, fetched->leader_epoch) : 0;
    int64_t wait = wait_of(core, stay, fetched);
    if (spent > fetched->attempts) {
        take_over(core, stay, slot, spent, wait);
    } else if (wait > 0) {
        record->delay_ms = wait < UINT32_MAX ? (uint32_t)wait : 0;
        od_park(core, stay, slot, od_not_before(core->now_ms, wait));
    } else {
        od_queue_new(core, stay, slot);
    }
}

static void read_in(struct od_stay *stay, int32_t leader_epoch)
{
    stay->epoch = leader_epoch > stay->epoch ? leader_epoch : stay->epoch;
}

static void foreign(struct od_core *core, struct od_stay *stay, const struct od_fetched *fetched)
{
    od_named_enter(core, stay, OD_STATE_FOREIGN_RETRY, fetched->offset);
    core->nomem |= !od_window_add_done(&stay->window, fetched->offset, fetched->leader_epoch);
    od_commit_changed(core, stay);
    forget(core, stay, fetched->tag);
}

void od_intake_tell_skipped(struct od_core *core, struct od_stay *stay)
{
    if (stay->skipped) {
        od_effect_tell(core, OD_TELL_SKIPPED, stay->id, -1, (int64_t)stay->skipped, 0);
    }
    stay->skipped = 0;
}

void od_intake_fetched(struct od_core *core, const struct od_event *event)
{
    struct od_stay *stay = od_stay_find(core, event->fetched.id);
    int64_t bytes = 0, base = stay ? stay->window.base : 0;
    uint64_t skipped = 0;
    for (size_t i = 0; i < event->fetched.count; i++) {
        const struct od_fetched *fetched = &event->fetched.list[i];
        bytes += fetched->size_bytes;
        bool wanted = stay && stay->ready && stay->end == OD_END_NONE && fetched->offset >= stay->window.end;
        if (!wanted || core->nomem) {
            struct od_effect *effect = od_effect_push(core, OD_EFFECT_FORGET, event->fetched.id);
            effect->tag = fetched->tag;
            continue;
        }
        core->counters.fetched++;
        read_in(stay, fetched->leader_epoch);
        switch (look(stay, fetched)) {
        case VERDICT_SKIP:
            skipped++;
            core->nomem |= !od_window_add_done(&stay->window, fetched->offset, fetched->leader_epoch);
            forget(core, stay, fetched->tag);
            break;
        case VERDICT_FOREIGN:
            foreign(core, stay, fetched);
            break;
        case VERDICT_TAKE:
            take(core, stay, fetched);
            break;
        }
    }
    if (!stay || !stay->ready || stay->end != OD_END_NONE) {
        return;
    }
    core->counters.skipped += skipped;
    stay->skipped += skipped;
    read_in(stay, event->fetched.leader_epoch);
    core->nomem |= !od_window_seen(&stay->window, event->fetched.next_offset);
    if (stay->window.base != base) {
        od_commit_changed(core, stay);
    }
    if (stay->window.end > stay->position) {
        stay->position = stay->window.end;
    }
    if (stay->skipping && stay->position > od_offset_map_last(&stay->map)) {
        stay->skipping = false;
        od_offset_map_fini(&stay->map);
        od_intake_tell_skipped(core, stay);
    }
    stay->more = event->fetched.more;
    od_budget_took(core, stay, event->fetched.count, bytes);
    od_stay_touch(core, stay);
}
