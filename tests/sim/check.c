/* What must hold, asked of the truth and never of a core: lost, repeated, order, early, two at once, memory. */
#include "sim/sim.h"

#include "core/retry_policy.h"

static struct sim_stay *stay_at(struct sim *sim, uint32_t stay)
{
    return &sim->stays.items[stay - 1];
}

static struct sim_partition *partition_of(struct sim *sim, uint32_t stay)
{
    return &sim->partitions.items[stay_at(sim, stay)->partition];
}

/* 0: none. */
static uint64_t lane_of(const struct sim *sim, const struct sim_entry *entry)
{
    switch (sim->settings.order) {
    case OD_ORDER_PARTITION:
        return 1;
    case OD_ORDER_KEY:
        return entry->has_key ? entry->key + 2 : 0;
    case OD_ORDER_NONE:
        break;
    }
    return 0;
}

/* ---- at the start of a handler */

static void check_repeat(struct sim *sim, struct sim_run *run, struct sim_entry *entry)
{
    const struct sim_stay *stay = stay_at(sim, run->run.id);
    const char *name = sim_stay_name(sim, run->run.id);
    if (od_offset_map_done(&stay->map, run->offset, entry->epoch) && !stay->sought) {
        sim_fail(sim, "repeated: %s@%lld runs although the map it began with says it is done", name,
                 (long long)run->offset);
    }
    if (!entry->durable) {
        return;
    }
    const struct sim_stay *before = stay_at(sim, entry->done_stay);
    bool ended_badly = before->lost || before->dead;
    bool unknown = sim->faults.no_epochs && entry->done_stay != run->run.id;
    bool allowed = entry->excused || unknown || stay->lost || (ended_badly && entry->done_stay != run->run.id);
    sim->counts.repeats++;
    if (!allowed || sim->faults.strict) {
        sim_fail(sim, "repeated: %s@%lld was done in stay %u (%s)", name, (long long)run->offset, entry->done_stay,
                 entry->excused ? "planned changes only"
                 : ended_badly  ? "lost"
                                : "handed over");
    }
}

/* A second copy of a record that this stay has in hand must not run beside it. */
static void check_double(struct sim *sim, const struct sim_run *run, const struct sim_entry *entry)
{
    const struct sim_entry *first = partition_of(sim, run->run.id)->log.items;
    if (!entry->copy_hash || stay_at(sim, run->run.id)->sought) {
        return;
    }
    while (first < entry && (!first->present || first->copy_hash != entry->copy_hash || first->relieved)) {
        first++;
    }
    if (first < entry && !first->durable && first->seen_stay == run->run.id) {
        sim_fail(sim, "repeated: %s@%lld is a second copy, the first one is not over", sim_stay_name(sim, run->run.id),
                 (long long)run->offset);
    }
}

/* Attempts are counted over hand-overs as long as nothing unplanned happens and the map has room. */
static void check_attempt(struct sim *sim, const struct sim_run *run, const struct sim_entry *entry)
{
    if (sim->faults.strict && sim->settings.limit_offset_map > 300 &&
        run->run.attempt != entry->attempts + entry->spent + 1) {
        sim_fail(sim, "%s@%lld runs as attempt %u, it is %u", sim_stay_name(sim, run->run.id), (long long)run->offset,
                 run->run.attempt, entry->attempts + entry->spent + 1);
    }
}

static void check_order(struct sim *sim, const struct sim_run *run, const struct sim_entry *entry)
{
    struct sim_partition *partition = partition_of(sim, run->run.id);
    uint64_t lane = lane_of(sim, entry);
    bool poll = sim->members[run->member].poll;
    if (!lane || entry->due_wall || stay_at(sim, run->run.id)->lost) {
        return;
    }
    for (size_t i = partition->passed_below; i < partition->log.count; i++) {
        const struct sim_entry *earlier = &partition->log.items[i];
        int64_t offset = partition->first + (int64_t)i;
        if (offset >= run->offset) {
            return;
        }
        bool counts = earlier->present && !earlier->foreign && !earlier->due_wall && offset >= partition->log_start &&
                      lane_of(sim, earlier) == lane && !(poll && earlier->out);
        if (counts && !earlier->passed && !earlier->durable) {
            sim_fail(sim, "order: %s@%lld starts before %lld of its lane is over", sim_stay_name(sim, run->run.id),
                     (long long)run->offset, (long long)offset);
        }
    }
}

static void check_early(struct sim *sim, const struct sim_run *run, const struct sim_entry *entry)
{
    const char *name = sim_stay_name(sim, run->run.id);
    if (entry->wait_stay == run->run.id && sim->now < entry->not_before) {
        sim_fail(sim, "early: %s@%lld waits in its lane until %lld", name, (long long)run->offset,
                 (long long)entry->not_before);
    }
    if (!entry->due_wall || entry->seen_stay != run->run.id) {
        return;
    }
    int64_t wall = SIM_WALL0 * INT64_C(1000) + sim->now + sim->members[run->member].skew;
    int64_t waited = sim->now - entry->seen_at;
    if (wall < entry->due_wall && (entry->delay <= 0 || waited < entry->delay) &&
        waited < sim->settings.retry_max_delay) {
        sim_fail(sim, "early: %s@%lld is due in %lld ms", name, (long long)run->offset,
                 (long long)(entry->due_wall - wall));
    }
}

static void check_alone(struct sim *sim, const struct sim_run *run, const struct sim_entry *entry)
{
    uint64_t lane = lane_of(sim, entry);
    struct sim_partition *partition = partition_of(sim, run->run.id);
    for (size_t i = 0; i < sim->active.count; i++) {
        const struct sim_run *other = &sim->runs.items[sim->active.items[i]];
        if (other == run || other->partition != run->partition) {
            continue;
        }
        const struct sim_stay *stay = stay_at(sim, other->run.id);
        bool same_stay = other->run.id == run->run.id;
        bool same_record = other->offset == run->offset;
        const struct sim_entry *it = sim_entry_at(partition, other->offset);
        bool same_lane = lane && it && lane_of(sim, it) == lane;
        if (!same_record && (!same_lane || (same_stay && sim->members[run->member].poll))) {
            continue;
        }
        bool allowed =
            !sim->faults.strict && (stay_at(sim, run->run.id)->lost || stay->lost || stay->cut || stay->sought);
        if (!allowed || (same_stay && !stay->sought)) {
            sim_fail(sim, "two at once: %s@%lld starts while %lld of %s runs", sim_stay_name(sim, run->run.id),
                     (long long)run->offset, (long long)other->offset, same_stay ? "the same stay" : "the stay before");
        }
    }
}

void sim_check_start(struct sim *sim, struct sim_run *run)
{
    struct sim_stay *stay = stay_at(sim, run->run.id);
    struct sim_partition *partition = partition_of(sim, run->run.id);
    struct sim_entry *entry = sim_entry_at(partition, run->offset);
    if (!entry || entry->foreign) {
        sim_fail(sim, "%s@%lld must not run: %s", sim_stay_name(sim, run->run.id), (long long)run->offset,
                 entry ? "it is another group's" : "there is no such record");
    }
    if (stay->answered && !stay->lost) {
        sim_fail(sim, "%s@%lld starts after its partition was given up", sim_stay_name(sim, run->run.id),
                 (long long)run->offset);
    }
    sim->counts.starts_checked++;
    check_repeat(sim, run, entry);
    check_double(sim, run, entry);
    check_attempt(sim, run, entry);
    check_order(sim, run, entry);
    check_early(sim, run, entry);
    check_alone(sim, run, entry);
    entry->active++;
    entry->out++;
}

/* ---- at the end of a handler: what is true from now on */

void sim_check_end(struct sim *sim, struct sim_run *run, enum orderly_outcome outcome, bool never)
{
    struct sim_stay *stay = stay_at(sim, run->run.id);
    struct sim_entry *entry = sim_entry_at(partition_of(sim, run->run.id), run->offset);
    entry->active--;
    bool late;
    switch (od_retry_verdict(&sim->settings, outcome, run->run.attempt - 1, never)) {
    case OD_VERDICT_DONE:
        late = stay->answered || stay->closed || stay->lost || run->stale;
        if (!entry->durable || !late) {
            entry->durable = entry->passed = true;
            entry->told = false;
            entry->done_stay = run->run.id;
            entry->excused = late;
        }
        break;
    case OD_VERDICT_RETRY:
        entry->passed |= sim->settings.retry_in == OD_RETRY_IN_TOPIC;
        break;
    case OD_VERDICT_DEAD_LETTER:
        entry->passed = true;
        break;
    case OD_VERDICT_RELEASE:
    case OD_VERDICT_HOLD:
    case OD_VERDICT_THROTTLE:
        break;
    }
}

/* The least the policy may make it wait. */
static int64_t least_delay(const struct od_settings *settings, const struct od_settled *settled, uint32_t attempts)
{
    struct od_settings flat = *settings;
    struct od_random random = {0};
    flat.backoff_jitter = 0;
    int64_t delay = od_retry_delay(&flat, settled->delay_ms, settled->due_ms, 0, attempts, &random);
    return settled->delay_ms >= 0 ? delay : delay - delay * settings->backoff_jitter / 1000 - 1;
}

void sim_check_told(struct sim *sim, const struct sim_run *run)
{
    uint32_t id = run->run.id;
    const struct od_settled *settled = &run->outcome;
    struct sim_stay *stay = stay_at(sim, id);
    struct sim_entry *entry = sim_entry_at(partition_of(sim, id), run->offset);
    entry->out -= run->begun;
    if (stay->answered || stay->closed || stay->cut || settled->not_run || run->stale) {
        return;
    }
    if (settled->outcome == ORDERLY_ACK || settled->outcome == ORDERLY_DROP) {
        entry->told = true;
    }
    if (settled->outcome == ORDERLY_THROTTLE || settled->outcome == ORDERLY_RELEASE) {
        bool wish = settled->outcome == ORDERLY_THROTTLE && settled->delay_ms >= 0;
        entry->wait_stay = id;
        entry->not_before = sim->now + (wish ? least_delay(&sim->settings, settled, 1) : 1000);
    }
    if (settled->outcome == ORDERLY_RETRY && sim->settings.retry_in == OD_RETRY_IN_LANE) {
        entry->spent++;
        entry->wait_stay = id;
        entry->not_before = sim->now + least_delay(&sim->settings, settled, run->run.attempt);
    }
}

/* ---- the store of the group */

static bool covered(const struct sim_partition *partition, const struct od_offset_map *map, int64_t offset,
                    const struct sim_entry *entry)
{
    return offset < partition->committed || od_offset_map_done(map, offset, entry->epoch);
}

void sim_check_handover(struct sim *sim, uint32_t id)
{
    struct sim_stay *stay = stay_at(sim, id);
    struct sim_partition *partition = partition_of(sim, id);
    struct od_offset_map map;
    if (od_offset_map_decode(&map, partition->text, partition->text_size, partition->committed,
                             partition->topic_id_hash)) {
        sim_fail(sim, "out of memory");
    }
    for (size_t i = 0; i < partition->log.count; i++) {
        struct sim_entry *entry = &partition->log.items[i];
        int64_t offset = partition->first + (int64_t)i;
        if (!entry->present || !entry->durable || entry->done_stay != id || covered(partition, &map, offset, entry) ||
            (sim->faults.no_epochs && entry->told)) {
            continue;
        }
        if (entry->told && sim->settings.commit_interval != OD_NEVER && !stay->trouble && !entry->excused &&
            !stay->sought) {
            sim_fail(sim, "%s was given up without %lld, which is done, in its commit (%lld)", sim_stay_name(sim, id),
                     (long long)offset, (long long)partition->committed);
        }
        entry->excused = true; /* its outcome came too late, or its commit failed */
    }
    od_offset_map_fini(&map);
}

/* A second copy of what another place of this log carries: what becomes of that one counts. */
static bool is_double(const struct sim_partition *partition, const struct sim_entry *entry)
{
    for (size_t i = 0; entry->copy_hash && i < partition->log.count; i++) {
        const struct sim_entry *e = &partition->log.items[i];
        if (e != entry && e->present && e->copy_hash == entry->copy_hash && !e->relieved && !e->doubled) {
            return true;
        }
    }
    return false;
}

static void must_be_durable(struct sim *sim, struct sim_partition *partition, int64_t offset, const char *how)
{
    struct sim_entry *entry = sim_entry_at(partition, offset);
    if (!entry || entry->durable || entry->foreign || offset < partition->log_start) {
        return;
    }
    if (is_double(partition, entry)) {
        entry->durable = entry->passed = entry->excused = entry->doubled = true;
        entry->done_stay = partition->owner_stay;
        sim->counts.duplicates++;
        return;
    }
    sim_fail(sim, "lost: topic %u %s/%d@%lld is %s but has no outcome", partition->topic,
             partition->kind == OD_TOPIC_RETRY ? "retry" : "source", (int)partition->number, (long long)offset, how);
}

static void check_map(struct sim *sim, struct sim_partition *partition, int64_t offset, const char *text, size_t size)
{
    struct od_offset_map map;
    if (size > (size_t)sim->settings.limit_offset_map) {
        sim_fail(sim, "the map has %zu characters", size);
    }
    if (od_offset_map_decode(&map, text, size, offset, partition->topic_id_hash)) {
        sim_fail(sim, "out of memory");
    }
    if (map.refusal != OD_MAP_ACCEPTED && map.refusal != OD_MAP_EMPTY) {
        sim_fail(sim, "a map is committed that the next owner refuses: %s", od_map_refusal_text(map.refusal));
    }
    for (size_t i = 0; i < map.runs.count; i++) {
        for (int64_t o = map.runs.items[i].first; o < map.runs.items[i].first + map.runs.items[i].count; o++) {
            const struct sim_entry *entry = sim_entry_at(partition, o);
            if (entry && od_offset_map_done(&map, o, entry->epoch)) {
                must_be_durable(sim, partition, o, "in the map");
            }
        }
    }
    od_offset_map_fini(&map);
}

void sim_check_commit(struct sim *sim, uint32_t id, int64_t offset, const char *text, size_t size)
{
    struct sim_partition *partition = partition_of(sim, id);
    sim->counts.commits_checked++;
    if (offset < partition->committed && !stay_at(sim, id)->sought && !stay_at(sim, id)->moved) {
        sim_fail(sim, "%s: the committed offset goes back from %lld to %lld", sim_stay_name(sim, id),
                 (long long)partition->committed, (long long)offset);
    }
    if (offset > sim_log_end(partition)) {
        sim_fail(sim, "%s: %lld is beyond the end of the log", sim_stay_name(sim, id), (long long)offset);
    }
    int64_t from = partition->committed < partition->checked ? partition->committed : partition->checked;
    for (int64_t o = from < partition->first ? partition->first : from; o < offset; o++) {
        must_be_durable(sim, partition, o, "below the committed offset");
    }
    partition->checked = offset;
    check_map(sim, partition, offset, text, size);
}

/* ---- a member after each step */

void sim_check_member(struct sim *sim, struct sim_member *member)
{
    struct od_core_totals totals;
    od_core_totals(member->core, &totals);
    if (od_core_counters(member->core)->early) {
        sim_fail(sim, "m%d: the core itself counts an early retry", member->index);
    }
    if (totals.bytes_held != member->bytes_held) {
        sim_fail(sim, "memory: m%d holds %llu bytes, its core says %llu", member->index,
                 (unsigned long long)member->bytes_held, (unsigned long long)totals.bytes_held);
    }
    if (!member->poll && member->in_flight > totals.concurrency && !member->loose) {
        sim_fail(sim, "m%d: %llu records in flight", member->index, (unsigned long long)member->in_flight);
    }
    /* One record of each partition may stand over, since what is read cannot be cut, and one that is read again for its watermark. */
    uint64_t bound = (uint64_t)sim->settings.memory_records + 4 * (uint64_t)sim->sources * sim->max_size;
    if (member->bytes_held > bound) {
        sim_fail(sim, "memory: m%d holds %llu bytes of %lld", member->index, (unsigned long long)member->bytes_held,
                 (long long)sim->settings.memory_records);
    }
}

/* ---- at the end */

void sim_check_finished(struct sim *sim)
{
    for (size_t p = 0; p < sim->partitions.count; p++) {
        struct sim_partition *partition = &sim->partitions.items[p];
        for (size_t i = 0; i < partition->log.count && !partition->dead_letters; i++) {
            const struct sim_entry *entry = &partition->log.items[i];
            int64_t offset = partition->first + (int64_t)i;
            if (entry->present && !entry->foreign && !entry->durable && offset >= partition->log_start) {
                sim_fail(sim, "unseen: topic %u %s/%d@%lld has no outcome at the end (committed %lld)",
                         partition->topic, partition->kind == OD_TOPIC_RETRY ? "retry" : "source",
                         (int)partition->number, (long long)offset, (long long)partition->committed);
            }
        }
        if (!partition->dead_letters && partition->log.count && !sim_all_committed(partition)) {
            sim_fail(sim, "topic %u %s/%d is committed up to %lld of %lld at the end", partition->topic,
                     partition->kind == OD_TOPIC_RETRY ? "retry" : "source", (int)partition->number,
                     (long long)partition->committed, (long long)sim_log_end(partition));
        }
    }
    for (int i = 0; i < sim->member_count; i++) {
        if (sim->members[i].alive) {
            sim_fail(sim, "m%d has not closed at the end", i);
        }
    }
    if (sim->counts.starts_checked == 0 || sim->counts.commits_checked == 0) {
        sim_fail(sim, "nothing was examined");
    }
}
