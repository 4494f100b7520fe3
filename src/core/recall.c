/*
 * Recall: a job of several records is meant for a handler that takes microseconds. When one record of it takes long after all, those behind
 * it are called back and go to other workers: a slow record holds up nobody but its lane.
 */
#include <string.h>

#include "core/state.h"

enum { AFTER_MS = 50, LEAST_US = 5 };

/* A job may wait for a worker as long as what was given out before it takes, and some more. */
static int64_t patience_ms(const struct od_core *core, const struct od_stay *stay)
{
    uint64_t us = od_source_of(core, stay)->run_us, workers = core->config.workers ? core->config.workers : 1;
    us = us < LEAST_US ? LEAST_US : us;
    return AFTER_MS + (int64_t)(4 * core->running * us / workers / 1000);
}

void od_recall_note(struct od_core *core, const struct od_stay *stay, uint64_t record)
{
    if (core->recall_first > 64 && core->recall_first * 2 > core->recalls.count) {
        core->recalls.count -= core->recall_first;
        memmove(core->recalls.items, core->recalls.items + core->recall_first,
                core->recalls.count * sizeof *core->recalls.items);
        core->recall_first = 0;
    }
    struct od_recall recall = {core->now_ms, core->now_ms + patience_ms(core, stay), record};
    core->nomem |= !od_vec_push(&core->recalls, recall);
}

/* Whether it still runs since then. */
static bool holds(const struct od_core *core, const struct od_recall *recall)
{
    uint32_t slot = od_records_find(&core->records, recall->record);
    if (slot == OD_SLOT_NONE) {
        return false;
    }
    const struct od_record *record = od_record_at(&core->records, slot);
    return record->state == OD_RECORD_RUNNING && record->started_ms == recall->started_ms;
}

void od_recall_due(struct od_core *core)
{
    while (core->recall_first < core->recalls.count) {
        const struct od_recall *recall = &core->recalls.items[core->recall_first];
        if (holds(core, recall)) {
            if (recall->at_ms > core->now_ms) {
                return;
            }
            uint32_t slot = od_record_slot(recall->record);
            const struct od_record *record = od_record_at(&core->records, slot);
            struct od_effect *effect = od_effect_push(core, OD_EFFECT_RECALL, od_stay_of(core, record)->id);
            effect->record = recall->record;
            effect->tag = record->tag;
            effect->offset = record->offset;
        }
        core->recall_first++;
    }
    core->recall_first = core->recalls.count = 0;
}

int64_t od_recall_deadline(const struct od_core *core)
{
    return core->recall_first < core->recalls.count ? core->recalls.items[core->recall_first].at_ms : OD_NO_TIME;
}
