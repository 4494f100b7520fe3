/* Outcomes: what becomes of a record that ran. */
#include "core/state.h"

/*
 * The handler's time, for the size of jobs. One record that takes long (a thread that lost its turn) must not make all jobs small: the
 * average rises by at most a half and 10 us a record.
 */
static void average(struct od_core *core, struct od_stay *stay, int64_t run_us)
{
    struct od_source *source = od_source_of(core, stay);
    if (run_us < 0) {
        return;
    }
    uint32_t us = run_us < INT32_MAX ? (uint32_t)run_us : INT32_MAX;
    if (source->run_us == UINT32_MAX) {
        source->run_us = us;
    } else if (us > source->run_us) {
        uint32_t rise = (us - source->run_us) / 8 + 1, most = source->run_us / 2 + 10;
        source->run_us += rise < most ? rise : most;
    } else {
        source->run_us -= (source->run_us - us) / 8;
    }
}

static void late(struct od_core *core, uint32_t id, int64_t offset)
{
    core->counters.late_outcomes++;
    od_effect_tell(core, OD_TELL_LATE_OUTCOME, id, offset, 0, 0);
}

/* From before a seek: it moves nothing, but its lane was held until now. */
static void settle_stale(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    late(core, stay->id, record->offset);
    od_lane_out(core, stay, record);
    od_abandon(core, stay, slot);
}

static void spend(struct od_stay *stay, struct od_record *record)
{
    if (record->attempts < UINT16_MAX) {
        record->attempts++;
    }
    if (!(record->flags & OD_FLAG_ATTEMPTED)) {
        record->flags |= OD_FLAG_ATTEMPTED;
        stay->attempted++;
    }
}

static void done(struct od_core *core, struct od_stay *stay, uint32_t slot, enum orderly_outcome outcome)
{
    struct od_record *record = od_record_at(&core->records, slot);
    *(outcome == ORDERLY_DROP ? &core->counters.dropped : &core->counters.acked) += 1;
    od_guard_settled(core, stay, false);
    od_lane_out(core, stay, record);
    od_finish(core, stay, slot);
}

static void retry(struct od_core *core, struct od_stay *stay, uint32_t slot, const struct od_settled *settled)
{
    struct od_record *record = od_record_at(&core->records, slot);
    spend(stay, record);
    record->releases = 0;
    int64_t delay = od_retry_delay(core->settings, settled->delay_ms, settled->due_ms, core->wall_ms, record->attempts,
                                   &core->random);
    core->counters.retried++;
    od_guard_settled(core, stay, false);
    if (settled->delay_ms > delay) {
        core->counters.retry_clamped++;
        od_effect_tell(core, OD_TELL_RETRY_AFTER_CLAMPED, stay->id, record->offset, delay, settled->delay_ms);
    }
    struct od_effect *tell = od_effect_tell(core, OD_TELL_RETRY, stay->id, record->offset, record->attempts, delay);
    tell->record = settled->record;
    tell->tag = record->tag;
    if (core->settings->retry_in == OD_RETRY_IN_LANE) {
        od_park_in_lane(core, stay, slot, od_not_before(core->now_ms, delay));
        od_lane_out(core, stay, record);
        od_commit_changed(core, stay);
    } else {
        od_copy_begin(core, stay, slot, OD_COPY_RETRY, delay);
        od_lane_out(core, stay, record);
    }
}

static void dead_letter(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    spend(stay, record);
    od_guard_settled(core, stay, true);
    od_copy_begin(core, stay, slot, OD_COPY_DEAD_LETTER, 0);
    od_lane_out(core, stay, record);
}

static void release(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    core->counters.released++;
    if (record->releases < UINT16_MAX) {
        record->releases++;
    }
    int64_t due = core->now_ms + od_doubling(1000, 60000, record->releases);
    if (record->releases > core->settings->limit_releases) {
        od_named_enter(core, stay, OD_STATE_RELEASE_LOOP, record->offset);
        due = OD_NO_TIME; /* until RESET_GUARD */
    }
    od_park_in_lane(core, stay, slot, due);
    od_lane_out(core, stay, record);
}

static void hold(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    core->counters.held++;
    od_fault_happened(core, stay, slot);
    od_queue_back(core, stay, slot);
    od_lane_out(core, stay, od_record_at(&core->records, slot));
}

static void throttle(struct od_core *core, struct od_stay *stay, uint32_t slot, const struct od_settled *settled)
{
    int64_t delay = 1000;
    if (settled->delay_ms >= 0 || settled->due_ms > 0) {
        delay = od_retry_delay(core->settings, settled->delay_ms, settled->due_ms, core->wall_ms, 1, &core->random);
    }
    core->counters.throttled++;
    od_fault_throttle(core, stay, delay);
    od_park_in_lane(core, stay, slot, core->now_ms + delay);
    od_lane_out(core, stay, od_record_at(&core->records, slot));
}

static void not_run(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_source *source = od_source_of(core, stay);
    if (source->run_us < 500) {
        source->run_us += source->run_us / 16 + 1; /* chunks that come back are too long */
    }
    od_queue_back(core, stay, slot);
    od_lane_out(core, stay, od_record_at(&core->records, slot));
}

static void judge(struct od_core *core, struct od_stay *stay, uint32_t slot, const struct od_settled *settled)
{
    struct od_record *record = od_record_at(&core->records, slot);
    switch (od_retry_verdict(core->settings, settled->outcome, record->attempts, settled->never)) {
    case OD_VERDICT_DONE:
        done(core, stay, slot, settled->outcome);
        break;
    case OD_VERDICT_RETRY:
        retry(core, stay, slot, settled);
        break;
    case OD_VERDICT_DEAD_LETTER:
        dead_letter(core, stay, slot);
        break;
    case OD_VERDICT_RELEASE:
        release(core, stay, slot);
        break;
    case OD_VERDICT_HOLD:
        hold(core, stay, slot);
        break;
    case OD_VERDICT_THROTTLE:
        throttle(core, stay, slot, settled);
        break;
    }
}

static void settle(struct od_core *core, const struct od_settled *settled)
{
    uint32_t slot = od_records_find(&core->records, settled->record);
    if (slot == OD_SLOT_NONE || od_record_at(&core->records, slot)->state != OD_RECORD_RUNNING) {
        late(core, 0, -1);
        return;
    }
    struct od_record *record = od_record_at(&core->records, slot);
    struct od_stay *stay = od_stay_of(core, record);
    od_stay_touch(core, stay);
    if (record->flags & OD_FLAG_STALE) {
        settle_stale(core, stay, slot);
        return;
    }
    if (settled->not_run) {
        od_fault_forgotten(core, stay, settled->record);
        not_run(core, stay, slot);
        return;
    }
    average(core, stay, settled->run_us);
    if (settled->outcome == ORDERLY_RELEASE) {
        od_fault_forgotten(core, stay, settled->record); /* says nothing of the handler */
        od_close_released(core);
    } else if (settled->outcome != ORDERLY_HOLD && settled->outcome != ORDERLY_UNSET &&
               settled->outcome != ORDERLY_PENDING) {
        od_fault_over(core, stay, settled->record);
    }
    judge(core, stay, slot, settled);
}

void od_settle_event(struct od_core *core, const struct od_event *event)
{
    for (size_t i = 0; i < event->settled.count && !core->nomem; i++) {
        settle(core, &event->settled.list[i]);
    }
}

void od_settle_mark_offset(struct od_core *core, const struct od_event *event)
{
    struct od_stay *stay = od_stay_find(core, event->position.id);
    if (!stay || !stay->ready) {
        return;
    }
    core->marked_ms = core->now_ms;
    uint32_t slot;
    for (int64_t at = stay->window.base;
         (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE && at < event->position.offset; at++) {
        if (od_record_at(&core->records, slot)->state == OD_RECORD_RUNNING) {
            od_fault_over(core, stay, od_record_id(&core->records, slot));
            done(core, stay, slot, ORDERLY_ACK);
        }
    }
}
