/* The guard: when too many of the last 1,000 settled records became dead letters, something is wrong with the handler or the data. The source stops. */
#include <stdlib.h>

#include "core/state.h"

enum { GUARD_LAST = 1000, GUARD_FROM = 100 };

void od_guard_settled(struct od_core *core, struct od_stay *stay, bool dead_letter)
{
    struct od_source *source = od_source_of(core, stay);
    int64_t most = core->settings->dead_letter_max_rate;
    if (most >= 1000) {
        return;
    }
    if (!source->ring && !(source->ring = calloc(GUARD_LAST, 1))) {
        core->nomem = true;
        return;
    }
    if (source->ring_count == GUARD_LAST) {
        source->ring_dead -= source->ring[source->ring_at];
    } else {
        source->ring_count++;
    }
    source->ring[source->ring_at] = dead_letter;
    source->ring_dead += dead_letter;
    source->ring_at = (source->ring_at + 1) % GUARD_LAST;
    if (source->guard_shut || source->ring_count < GUARD_FROM ||
        (int64_t)source->ring_dead * 1000 <= most * (int64_t)source->ring_count) {
        return;
    }
    source->guard_shut = true;
    for (size_t i = 0; i < core->stays.count; i++) {
        struct od_stay *other = core->stays.items[i];
        if (other && other->source == stay->source) {
            od_named_enter(core, other, OD_STATE_DEAD_LETTER_RATE, -1);
        }
    }
}

/* Records that wait for this event: released too often, too large to copy, gone from the log. */
static void wake_stopped(struct od_core *core, struct od_stay *stay)
{
    uint32_t slot;
    bool asked = stay->stopped || od_named_on(stay, OD_STATE_RELEASE_LOOP);
    stay->stopped = false;
    for (int64_t at = stay->window.base;
         asked && stay->ready && (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE; at++) {
        struct od_record *record = od_record_at(&core->records, slot);
        if (record->place == OD_SLOT_NONE || record->due_ms != OD_NO_TIME) {
            continue;
        }
        record->releases = 0;
        od_wait_leave(core, stay, slot);
        record->due_ms = core->now_ms;
        od_wait_enter(core, stay, slot);
    }
    od_reread_resume_lost(core, stay);
    od_named_leave(core, stay, OD_STATE_RELEASE_LOOP);
    od_named_leave(core, stay, OD_STATE_OVERSIZE);
    od_named_leave(core, stay, OD_STATE_RECORD_LOST);
    od_named_leave(core, stay, OD_STATE_DEAD_LETTER_RATE);
    od_named_leave(core, stay, OD_STATE_FOREIGN_RETRY);
    od_stay_touch(core, stay);
    od_dispatch_offer(core, stay);
}

void od_guard_reset(struct od_core *core, const struct od_event *event)
{
    (void)event;
    for (size_t i = 0; i < core->sources.count; i++) {
        struct od_source *source = &core->sources.items[i];
        source->guard_shut = false;
        source->ring_at = source->ring_count = source->ring_dead = 0;
    }
    for (size_t i = 0; i < core->stays.count; i++) {
        if (core->stays.items[i]) {
            wake_stopped(core, core->stays.items[i]);
        }
    }
}
