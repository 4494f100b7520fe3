/* The logs of the model, and whether all of them have come to their end. */
#include "sim/sim.h"

#include <stdlib.h>

int64_t sim_log_end(const struct sim_partition *partition)
{
    return partition->first + (int64_t)partition->log.count;
}

struct sim_entry *sim_entry_at(struct sim_partition *partition, int64_t offset)
{
    if (offset < partition->first || offset >= sim_log_end(partition)) {
        return NULL;
    }
    struct sim_entry *entry = &partition->log.items[offset - partition->first];
    return entry->present ? entry : NULL;
}

/* Wakes whoever reads it. */
static void wake(struct sim *sim, struct sim_partition *partition)
{
    for (size_t i = 1; i <= sim->stays.count; i++) {
        const struct sim_stay *stay = &sim->stays.items[i - 1];
        if (stay->partition == partition->index && stay->ready && !stay->closed) {
            sim_member_fetch(sim, (uint32_t)i);
        }
    }
}

void sim_log_append(struct sim *sim, struct sim_partition *partition, struct sim_entry entry)
{
    /* Compaction, aborted transactions, control records. */
    while (sim_chance(sim, 60)) {
        struct sim_entry gap = {0};
        if (!od_vec_push(&partition->log, gap)) {
            abort();
        }
    }
    if (sim->faults.truncate && sim_chance(sim, 50)) {
        partition->epoch++;
    }
    entry.present = true;
    entry.epoch = sim->faults.no_epochs ? -1 : partition->epoch;
    if (!od_vec_push(&partition->log, entry)) {
        abort();
    }
    if (!partition->dead_letters) {
        wake(sim, partition);
    }
}

static bool partition_done(struct sim *sim, struct sim_partition *partition)
{
    for (; partition->passed_below < partition->log.count; partition->passed_below++) {
        const struct sim_entry *entry = &partition->log.items[partition->passed_below];
        int64_t offset = partition->first + (int64_t)partition->passed_below;
        if (entry->present && !entry->durable && !entry->foreign && offset >= partition->log_start) {
            return false;
        }
    }
    (void)sim;
    /* Nothing read, nothing to commit. */
    return partition->log.count == 0 || partition->committed == sim_log_end(partition);
}

bool sim_all_done(struct sim *sim)
{
    bool all = true;
    for (size_t i = 0; i < sim->partitions.count; i++) {
        if (!sim->partitions.items[i].dead_letters) {
            all &= partition_done(sim, &sim->partitions.items[i]);
        }
    }
    return all;
}
