/*
 * Relief: a record that has been parked long and holds the window back is copied to the end of the retry topic, with the same due time and
 * attempt, and its place is done. Only when the map or the window has stopped dispatch, only records that have not run, each at
 * most once in relief.min_interval (since its receipt), so that it ends.
 */
#include "core/state.h"

enum { TURN_MS = 100, WORTH_MS = 1000, AFTER_FAILURE_MS = 60000 };

static bool relievable(const struct od_core *core, const struct od_record *record)
{
    if (record->state != OD_RECORD_PARKED || record->place == OD_SLOT_NONE || record->due_ms == OD_NO_TIME ||
        record->delay_ms == 0 || (record->flags & (OD_FLAG_DISPATCHED | OD_FLAG_IN_LANE | OD_FLAG_RELIEF))) {
        return false;
    }
    int64_t received = record->due_ms - (int64_t)record->delay_ms;
    return core->now_ms - received >= core->settings->relief_min_interval && record->due_ms - core->now_ms >= WORTH_MS;
}

static void relieve(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_wait_leave(core, stay, slot);
    if (record->tag) {
        od_copy_begin(core, stay, slot, OD_COPY_RELIEF, record->due_ms - core->now_ms);
    } else {
        record->flags |= OD_FLAG_RELIEF;
        od_reread_begin(core, stay, slot);
    }
}

static bool on_its_way(const struct od_record *record)
{
    return (record->state == OD_RECORD_COPYING && record->copy_kind == OD_COPY_RELIEF) ||
           (record->state == OD_RECORD_PARKED && (record->flags & OD_FLAG_RELIEF));
}

void od_relief_failed(struct od_core *core, struct od_stay *stay)
{
    stay->relief_after_ms = core->now_ms + AFTER_FAILURE_MS;
}

void od_relief_review(struct od_core *core, struct od_stay *stay)
{
    if (!stay->map_blocked || stay->parked == 0 || stay->end != OD_END_NONE || core->suspect ||
        core->close.stage != OD_CLOSE_NOT) {
        return;
    }
    if (core->now_ms < stay->relief_after_ms) {
        od_stay_wake(core, stay, stay->relief_after_ms);
        return;
    }
    int64_t left = core->settings->relief_rate * TURN_MS / 1000;
    left = left > 0 ? left : 1;
    uint32_t slot;
    for (int64_t at = stay->window.base; left > 0 && (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE;
         at++) {
        const struct od_record *record = od_record_at(&core->records, slot);
        if (on_its_way(record)) {
            left--;
            continue;
        }
        if (!relievable(core, record)) {
            break;
        }
        relieve(core, stay, slot);
        left--;
    }
    stay->relief_after_ms = core->now_ms + TURN_MS;
    od_stay_wake(core, stay, stay->relief_after_ms);
}
