/* The edge of a member: its core, its clocks, what it fetches, its life. */
#include "sim/sim.h"

#include <stdlib.h>

bool sim_stay_live(const struct sim *sim, uint32_t id)
{
    const struct sim_stay *stay = &sim->stays.items[id - 1];
    const struct sim_member *member = &sim->members[stay->member];
    return member->alive && member->incarnation == stay->incarnation && stay->assigned;
}

const char *sim_stay_name(const struct sim *sim, uint32_t id)
{
    static char names[4][64];
    static unsigned turn;
    char *name = names[turn++ & 3];
    if (!id || id > sim->stays.count) {
        snprintf(name, 64, "member");
        return name;
    }
    const struct sim_stay *stay = &sim->stays.items[id - 1];
    const struct sim_partition *partition = &sim->partitions.items[stay->partition];
    snprintf(name, 64, "m%d/s%u:%s%u/%d", stay->member, id, partition->kind == OD_TOPIC_RETRY ? "retry" : "t",
             partition->topic, (int)partition->number);
    return name;
}

/* ---- tags */

uint64_t sim_tag_new(struct sim *sim, struct sim_member *member, uint32_t stay, int64_t offset, uint32_t size)
{
    struct sim_tag tag = {.stay = stay, .size = size, .offset = offset, .alive = true, .member = member->index};
    if (!od_vec_push(&sim->tags, tag)) {
        abort();
    }
    member->bytes_held += size;
    return sim->tags.count;
}

void sim_tag_gone(struct sim *sim, struct sim_member *member, uint64_t tag, const char *how)
{
    if (!tag || tag > sim->tags.count || sim->tags.items[tag - 1].member != member->index) {
        sim_fail(sim, "m%d: %s of a tag that was never given: %llu", member->index, how, (unsigned long long)tag);
    }
    struct sim_tag *it = &sim->tags.items[tag - 1];
    if (!it->alive) {
        sim_fail(sim, "m%d: %s of %s@%lld, which has gone already", member->index, how, sim_stay_name(sim, it->stay),
                 (long long)it->offset);
    }
    it->alive = false;
    member->bytes_held -= it->size;
}

/* ---- steps */

static void tick(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (member->tick_at != (int64_t)event->a) {
        return; /* another one has been set */
    }
    member->tick_at = INT64_MAX;
    sim_member_step(sim, member, (struct od_event){.type = OD_EVENT_TICK});
}

static void set_timer(struct sim *sim, struct sim_member *member)
{
    int64_t deadline = od_core_deadline(member->core);
    if (deadline == INT64_MAX) {
        member->tick_at = INT64_MAX;
        return;
    }
    int64_t at = deadline - member->mono;
    at = at < sim->now ? sim->now : at;
    if (at != member->tick_at) {
        member->tick_at = at;
        sim_at(sim, at - sim->now, tick,
               (struct sim_event){.member = member->index, .incarnation = member->incarnation, .a = (uint64_t)at});
    }
}

/* Members of crashing histories die now and then between two effects. */
static bool dies_here(struct sim *sim)
{
    return sim->faults.crash && !sim->healed && sim_chance(sim, 1) && sim_chance(sim, 500);
}

void sim_member_step(struct sim *sim, struct sim_member *member, struct od_event event)
{
    if (!member->alive) {
        return;
    }
    if (member->stepping) {
        sim_fail(sim, "the simulator steps a core within a step");
    }
    event.now_ms = sim->now + member->mono;
    event.wall_ms = SIM_WALL0 * INT64_C(1000) + sim->now + member->skew;
    sim_say_event(sim, member, &event);
    if (od_core_step(member->core, &event, &member->effects) != ORDERLY_OK) {
        sim_fail(sim, "m%d: the core is out of memory", member->index);
    }
    uint32_t incarnation = member->incarnation;
    member->stepping = true;
    for (size_t i = 0; i < member->effects.count && member->alive && member->incarnation == incarnation; i++) {
        if (dies_here(sim)) {
            member->stepping = false;
            sim_member_crash(sim, member);
            return;
        }
        sim_say_effect(sim, member, &member->effects.list[i]);
        sim_perform(sim, member, &member->effects.list[i]);
    }
    member->stepping = false;
    if (member->alive && member->incarnation == incarnation) {
        sim_check_member(sim, member);
        set_timer(sim, member);
    }
}

/* ---- fetching */

static struct od_fetched as_fetched(struct sim *sim, struct sim_member *member, uint32_t id, int64_t offset,
                                    struct sim_entry *entry)
{
    bool skipped = od_offset_map_done(&sim->stays.items[id - 1].map, offset, entry->epoch);
    entry->relieved &= skipped;
    entry->doubled &= skipped; /* what it was the second copy of may be over: it can be the one that counts now */
    entry->seen_stay = id;
    entry->seen_at = sim->now;
    return (struct od_fetched){.tag = sim_tag_new(sim, member, id, offset, entry->size),
                               .offset = offset,
                               .leader_epoch = entry->epoch,
                               .size_bytes = entry->size,
                               .key_hash = od_hash_u64(entry->key + 1),
                               .has_key = entry->has_key,
                               .foreign = entry->foreign,
                               .attempts = entry->attempts,
                               .due_ms = entry->due_wall,
                               .delay_ms = entry->delay,
                               .copy_hash = entry->copy_hash};
}

/* Of what lies before an offset, a record or not. */
static int32_t epoch_before(const struct sim_partition *partition, int64_t offset)
{
    return offset > partition->first ? partition->log.items[offset - 1 - partition->first].epoch : -1;
}

/* The leader is asked once, before the first fetch of a stay, whether its position is one of its log; false: reading goes on elsewhere. */
static bool validate(struct sim *sim, uint32_t id, struct sim_member *member)
{
    struct sim_stay *stay = &sim->stays.items[id - 1];
    const struct sim_partition *partition = &sim->partitions.items[stay->partition];
    int64_t parts = sim_log_parts(partition, stay->ready_epoch);
    bool asked = !stay->validated && stay->position == stay->ready_position && stay->ready_epoch >= 0;
    bool cut = partition->checked < partition->committed && stay->ready_position == partition->committed;
    stay->validated = true;
    if (asked && cut != (parts < stay->position)) {
        sim_fail(sim, "%s: epoch %d of the commit ends at %lld: %s", sim_stay_name(sim, id), (int)stay->ready_epoch,
                 (long long)parts, cut ? "a log that was cut is taken for the same" : "nothing was cut");
    }
    if (!asked || !cut) {
        return true;
    }
    stay->moved = true;
    stay->position = parts;
    sim_member_step(sim, member, (struct od_event){.type = OD_EVENT_SEEK, .position = {.id = id, .offset = parts}});
    return false;
}

/* a: the stay. */
static void deliver_fetched(struct sim *sim, const struct sim_event *event)
{
    struct sim_stay *stay = &sim->stays.items[event->a - 1];
    struct sim_partition *partition = &sim->partitions.items[stay->partition];
    struct od_fetched list[64];
    size_t count = 0, most = (size_t)sim_between(sim, 1, 64);
    stay->fetching = false;
    if (stay->closed || stay->answered) {
        return;
    }
    if (!validate(sim, (uint32_t)event->a, &sim->members[event->member])) {
        sim_member_fetch(sim, (uint32_t)event->a);
        return;
    }
    int64_t from = stay->position;
    while (stay->position < sim_log_end(partition) && count < most && stay->credit_records && stay->credit_bytes > 0) {
        struct sim_entry *entry = sim_entry_at(partition, stay->position);
        if (entry && stay->position >= partition->log_start) {
            if (count && entry->size > stay->credit_bytes) {
                break;
            }
            list[count++] = as_fetched(sim, &sim->members[event->member], (uint32_t)event->a, stay->position, entry);
            stay->credit_records--;
            stay->credit_bytes -= entry->size;
        }
        stay->position++;
    }
    bool more = stay->position < sim_log_end(partition);
    if (stay->position != from) {
        sim_member_step(sim, &sim->members[event->member],
                        (struct od_event){.type = OD_EVENT_FETCHED,
                                          .fetched = {.id = (uint32_t)event->a,
                                                      .list = list,
                                                      .count = count,
                                                      .next_offset = stay->position,
                                                      .more = more,
                                                      .leader_epoch = epoch_before(partition, stay->position)}});
    }
    sim_member_fetch(sim, (uint32_t)event->a);
}

void sim_member_fetch(struct sim *sim, uint32_t id)
{
    struct sim_stay *stay = &sim->stays.items[id - 1];
    if (stay->fetching || !stay->ready || stay->closed || stay->answered || !sim_stay_live(sim, id) ||
        !stay->credit_records || stay->credit_bytes <= 0 ||
        (stay->validated && stay->position >= sim_log_end(&sim->partitions.items[stay->partition]))) {
        return;
    }
    const struct sim_member *member = &sim->members[stay->member];
    stay->fetching = true;
    sim_at(sim, sim_between(sim, 1, sim->faults.slow_network ? 500 : 30), deliver_fetched,
           (struct sim_event){.member = member->index, .incarnation = member->incarnation, .a = id});
}

/* ---- life */

static void join(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (member->leaving) {
        return;
    }
    if (member->is_static && member->valid) {
        sim_group_return(sim, member);
    } else {
        sim_group_joined(sim, member);
    }
}

void sim_member_start(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (member->alive || sim->finishing) {
        return;
    }
    if (member->valid && !member->is_static) {
        sim_group_evict(sim, member, false); /* the new one is another member; the old one is found out by now */
    }
    member->gone = false;
    member->alive = true;
    member->incarnation++;
    member->leaving = member->frozen = member->suspect = member->lost_told = member->gate = false;
    member->batch_open = member->joined = member->loose = member->gate_forced = false;
    member->commits_open = 0;
    member->bytes_held = member->in_flight = 0;
    member->mono += sim_between(sim, 1, 1000);
    member->tick_at = INT64_MAX;
    od_vec_clear(&member->batch);
    member->config = (struct od_core_config){
        .settings = &sim->settings,
        .poll_face = member->poll,
        .workers = (uint32_t)sim_between(sim, 1, 8),
        .batch_max = !member->poll && sim_chance(sim, 200) ? (uint32_t)sim_between(sim, 1, 10) : 0,
        .batch_wait_ms = sim_chance(sim, 500) ? sim_between(sim, 1, 100) : 0,
        .has_assigned = sim_chance(sim, 500),
        .has_revoked = sim_chance(sim, 500),
        .has_lost = sim_chance(sim, 500),
        .has_position = sim_chance(sim, 200),
        .seed = od_random_next(&sim->random)};
    if (od_core_new(&member->config, &member->core) != ORDERLY_OK) {
        sim_fail(sim, "out of memory");
    }
    sim_say(sim, "m%d starts (%s face)", member->index, member->poll ? "poll" : "run");
    struct sim_event mine = {.member = member->index, .incarnation = member->incarnation};
    sim_at(sim, sim_between(sim, 1, 300), join, mine);
    if (member->poll) {
        sim_at(sim, sim_between(sim, 1, 300), sim_poll, mine);
    }
}

static void found_dead(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (!member->alive && member->incarnation == event->a) {
        sim_group_evict(sim, member, false);
    }
}

static void gone(struct sim *sim, struct sim_member *member)
{
    sim_work_dead(sim, member);
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        struct sim_stay *stay = &sim->stays.items[id - 1];
        if (stay->member == member->index && stay->incarnation == member->incarnation) {
            stay->dead |= !stay->answered;
            stay->closed = true;
        }
    }
    member->alive = false;
    od_core_free(member->core);
    member->core = NULL;
}

void sim_member_crash(struct sim *sim, struct sim_member *member)
{
    sim_say(sim, "m%d dies", member->index);
    sim->counts.crashes++;
    gone(sim, member);
    sim_at(sim, sim_between(sim, 1000, sim->settings.session_timeout), found_dead,
           (struct sim_event){.member = member->index, .a = member->incarnation});
    sim_at(sim, sim_between(sim, 100, 15000), sim_member_start, (struct sim_event){.member = member->index});
}

/* ---- the end */

void sim_member_close(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (!member->alive || member->leaving) {
        return;
    }
    member->leaving = true;
    sim_say(sim, "m%d is asked to leave", member->index);
    sim_member_step(sim, member,
                    (struct od_event){.type = OD_EVENT_CLOSE,
                                      .close = {.deadline_ms = sim->now + member->mono + sim->settings.close_timeout}});
}

/* The core has said CLOSED. */
void sim_member_closed(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        const struct sim_stay *stay = &sim->stays.items[id - 1];
        if (sim_stay_live(sim, id) && stay->member == member->index && !stay->closed) {
            sim_fail(sim, "m%d has closed, %s has not", member->index, sim_stay_name(sim, id));
        }
    }
    if (member->bytes_held) {
        sim_fail(sim, "memory: m%d has closed and holds %llu bytes", member->index,
                 (unsigned long long)member->bytes_held);
    }
    sim_application_closed(sim, member);
    sim_say(sim, "m%d has closed", member->index);
    gone(sim, member);
    member->gone = true;
    if (member->is_static && member->valid) {
        sim_at(sim, sim->settings.session_timeout, found_dead,
               (struct sim_event){.member = member->index, .a = member->incarnation});
    }
    if (!sim->finishing) {
        sim_at(sim, sim_between(sim, 500, 12000), sim_member_start, (struct sim_event){.member = member->index});
    }
}
