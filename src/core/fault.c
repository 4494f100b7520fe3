/*
 * Handler faults: the handler is to blame, not the record. Its source starts nothing for a pause (1 s, doubling, at most 60 s), then
 * probes with one record; when that ends in any outcome of its own the rest follows. A handler that is busy (throttle) pauses its source for
 * as long as it asks.
 */
#include <stdlib.h>

#include "core/state.h"

enum { PAUSE_FIRST_MS = 1000, PAUSE_MAX_MS = 60000 };

struct od_source *od_source_of(const struct od_core *core, const struct od_stay *stay)
{
    return &core->sources.items[stay->source];
}

bool od_source_ensure(struct od_core *core, uint32_t topic)
{
    while (core->sources.count <= topic) {
        struct od_source fresh = {.fault_until_ms = OD_NO_TIME, .run_us = UINT32_MAX};
        if (!od_vec_push(&core->sources, fresh)) {
            return false;
        }
    }
    return true;
}

bool od_fault_allows(const struct od_core *core, const struct od_stay *stay)
{
    const struct od_source *source = od_source_of(core, stay);
    if (source->guard_shut || source->throttled_until_ms > core->now_ms) {
        return false;
    }
    return source->fault_until_ms == OD_NO_TIME || (core->now_ms >= source->fault_until_ms && !source->probe);
}

static void each_of_source(struct od_core *core, const struct od_source *source, enum od_named_state state, bool on)
{
    for (size_t i = 0; i < core->stays.count; i++) {
        struct od_stay *stay = core->stays.items[i];
        if (stay && od_source_of(core, stay) == source) {
            if (state < OD_STATE_COUNT) {
                od_named_set(core, stay, state, on, -1);
            }
            od_dispatch_offer(core, stay);
        }
    }
}

void od_fault_happened(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_source *source = od_source_of(core, stay);
    const struct od_record *record = od_record_at(&core->records, slot);
    bool probed = source->probe == od_record_id(&core->records, slot);
    od_named_enter(core, stay, OD_STATE_HANDLER_FAULT, record->offset);
    if (source->fault_until_ms != OD_NO_TIME && !probed) {
        return; /* it began before the pause */
    }
    source->faults++;
    core->trouble = true;
    source->probe = 0;
    source->fault_until_ms = core->now_ms + od_doubling(PAUSE_FIRST_MS, PAUSE_MAX_MS, source->faults);
}

void od_fault_over(struct od_core *core, struct od_stay *stay, uint64_t record)
{
    struct od_source *source = od_source_of(core, stay);
    if (source->fault_until_ms == OD_NO_TIME || source->probe != record) {
        return;
    }
    source->fault_until_ms = OD_NO_TIME;
    source->faults = 0;
    source->probe = 0;
    each_of_source(core, source, OD_STATE_HANDLER_FAULT, false);
}

void od_fault_forgotten(struct od_core *core, struct od_stay *stay, uint64_t record)
{
    struct od_source *source = od_source_of(core, stay);
    if (source->probe == record) {
        source->probe = 0;
        each_of_source(core, source, OD_STATE_COUNT, false);
    }
}

void od_fault_throttle(struct od_core *core, struct od_stay *stay, int64_t delay_ms)
{
    struct od_source *source = od_source_of(core, stay);
    int64_t until = core->now_ms + delay_ms;
    if (delay_ms <= 0 || until <= source->throttled_until_ms) {
        return;
    }
    source->throttled_until_ms = until;
    core->trouble = true;
    each_of_source(core, source, OD_STATE_THROTTLED, true);
}

void od_fault_begins(struct od_core *core, struct od_stay *stay)
{
    const struct od_source *source = od_source_of(core, stay);
    od_named_set(core, stay, OD_STATE_HANDLER_FAULT, source->fault_until_ms != OD_NO_TIME, -1);
    od_named_set(core, stay, OD_STATE_THROTTLED, source->throttled_until_ms > core->now_ms, -1);
    od_named_set(core, stay, OD_STATE_DEAD_LETTER_RATE, source->guard_shut, -1);
}

void od_fault_timers(struct od_core *core)
{
    if (!core->trouble) {
        return;
    }
    core->trouble = false;
    for (size_t i = 0; i < core->sources.count; i++) {
        struct od_source *source = &core->sources.items[i];
        if (source->throttled_until_ms && core->now_ms >= source->throttled_until_ms) {
            source->throttled_until_ms = 0;
            each_of_source(core, source, OD_STATE_THROTTLED, false);
        }
        if (source->fault_until_ms != OD_NO_TIME && !source->probe && !source->probing &&
            core->now_ms >= source->fault_until_ms) {
            source->probing = true;
            each_of_source(core, source, OD_STATE_COUNT, false);
        } else if (core->now_ms < source->fault_until_ms) {
            source->probing = false;
        }
        core->trouble |= source->throttled_until_ms || source->fault_until_ms != OD_NO_TIME;
    }
}

int64_t od_fault_deadline(const struct od_core *core)
{
    int64_t at = OD_NO_TIME;
    for (size_t i = 0; core->trouble && i < core->sources.count; i++) {
        const struct od_source *source = &core->sources.items[i];
        if (source->throttled_until_ms && source->throttled_until_ms < at) {
            at = source->throttled_until_ms;
        }
        if (!source->probe && !source->probing && source->fault_until_ms < at) {
            at = source->fault_until_ms;
        }
    }
    return at;
}
