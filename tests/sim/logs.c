/* The logs of the model, and whether all of them have come to their end. */
#include "sim/sim.h"

#include <stdlib.h>

bool sim_all_committed(const struct sim_partition *partition)
{
    int64_t end = sim_log_end(partition);
    return partition->committed == end || (partition->committed < 0 && partition->log_start == end);
}

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
    int64_t gaps = sim->faults.sparse && sim_chance(sim, 200) ? sim_between(sim, 1, 300) : sim_chance(sim, 60);
    for (; gaps > 0; gaps--) {
        struct sim_entry gap = {.epoch = sim->faults.no_epochs ? -1 : partition->epoch};
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

/* Whether any member has a record of it in hand, or anything of it is on its way. */
static bool in_hand(const struct sim *sim, const struct sim_partition *partition)
{
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        const struct sim_stay *stay = &sim->stays.items[id - 1];
        if (stay->partition == partition->index && (stay->sent || (sim_stay_live(sim, id) && !stay->closed))) {
            return true;
        }
    }
    for (size_t i = 0; i < sim->runs.count; i++) {
        const struct sim_run *run = &sim->runs.items[i];
        const struct sim_member *member = &sim->members[run->member];
        if (run->partition == partition->index && !run->delivered && member->alive &&
            member->incarnation == run->incarnation) {
            return true;
        }
    }
    return sim->copies_flying > 0;
}

int64_t sim_log_parts(const struct sim_partition *partition, int32_t epoch)
{
    size_t at = partition->log.count;
    while (epoch >= 0 && at > 0 && partition->log.items[at - 1].epoch > epoch) {
        at--;
    }
    return partition->first + (int64_t)at;
}

void sim_log_truncate(struct sim *sim, struct sim_partition *partition)
{
    int64_t low = partition->committed > partition->log_start ? partition->committed : partition->log_start;
    if (low > partition->log_start && sim_chance(sim, 300)) {
        low = sim_between(sim, partition->log_start, low); /* below what was committed */
    }
    if (partition->committed < 0 || low >= sim_log_end(partition) || in_hand(sim, partition)) {
        return;
    }
    int64_t end = sim_between(sim, low, sim_log_end(partition) - 1), written = sim_log_end(partition) - end;
    sim_say(sim, "an unclean election: topic %u/%d ends at %lld", partition->topic, (int)partition->number,
            (long long)end);
    partition->log.count = (size_t)(end - partition->first);
    if (partition->checked > end) {
        partition->checked = end;
        sim->counts.truncated_below++;
    }
    if (partition->passed_below > partition->log.count) {
        partition->passed_below = partition->log.count;
    }
    partition->epoch++;
    sim->counts.truncations++;
    for (int64_t i = 0; i < written && i < 20; i++) {
        sim_log_append(sim, partition, (struct sim_entry){.size = 10, .origin = partition->index});
        od_vec_last(&partition->log)->origin_offset = sim_log_end(partition) - 1;
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
    return partition->log.count == 0 || sim_all_committed(partition);
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
