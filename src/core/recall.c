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

void od_recall_note(struct od_core *core, const struct od_stay *stay, const struct od_run *job, size_t count)
{
    if (count < 2) {
        return; /* the first one is with its worker before all others */
    }
    if (core->recall_first > 64 && core->recall_first * 2 > core->recalls.count) {
        core->recalls.count -= core->recall_first;
        memmove(core->recalls.items, core->recalls.items + core->recall_first,
                core->recalls.count * sizeof *core->recalls.items);
        core->recall_first = 0;
    }
    struct od_recall recall = {core->now_ms, core->now_ms + patience_ms(core, stay), count - 1};
    core->nomem |= !od_vec_push(&core->recalls, recall);
    for (size_t i = 1; i < count && !core->nomem; i++) {
        (void)od_id_push(core, &core->recall_ids, job[i].record);
    }
}

/* The record, when it still runs since then; NULL. */
static const struct od_record *held(const struct od_core *core, const struct od_recall *recall, uint64_t id)
{
    uint32_t slot = od_records_find(&core->records, id);
    const struct od_record *record = slot == OD_SLOT_NONE ? NULL : od_record_at(&core->records, slot);
    return record && record->state == OD_RECORD_RUNNING && record->started_ms == recall->started_ms ? record : NULL;
}

static void call_back(struct od_core *core, const struct od_recall *recall, const uint64_t *ids)
{
    for (size_t i = 0; i < recall->count; i++) {
        const struct od_record *record = held(core, recall, ids[i]);
        if (record) {
            struct od_effect *effect = od_effect_push(core, OD_EFFECT_RECALL, od_stay_of(core, record)->id);
            effect->record = ids[i];
            effect->tag = record->tag;
            effect->offset = record->offset;
        }
    }
}

/* A job's records are taken in turn: when its last one has ended none of them waits. But a mark of an offset ends records out of turn. */
static bool is_over(const struct od_core *core, const struct od_recall *recall, const uint64_t *ids)
{
    size_t i = recall->started_ms > core->marked_ms ? recall->count - 1 : 0;
    while (i < recall->count && !held(core, recall, ids[i])) {
        i++;
    }
    return i == recall->count;
}

void od_recall_due(struct od_core *core)
{
    while (core->recall_first < core->recalls.count) {
        const struct od_recall *recall = &core->recalls.items[core->recall_first];
        const uint64_t *ids = core->recall_ids.items + core->recall_ids.first;
        if (!is_over(core, recall, ids)) {
            if (recall->at_ms > core->now_ms) {
                return;
            }
            call_back(core, recall, ids);
        }
        core->recall_ids.first += recall->count;
        core->recall_first++;
    }
    core->recall_first = core->recalls.count = 0;
    core->recall_ids.first = core->recall_ids.count = 0;
}

int64_t od_recall_deadline(const struct od_core *core)
{
    return core->recall_first < core->recalls.count ? core->recalls.items[core->recall_first].at_ms : OD_NO_TIME;
}
