/*
 * The coordinator: who owns which partition. Cooperative: members give up what is above their share, free ones are handed to those below
 * it. Eager: all give up everything, then all are handed their shares. A member that does not answer a revoke within
 * max.poll.interval.ms is thrown out; what it owned is free at once, and it hears of that later.
 */
#include "sim/sim.h"

#include <stdlib.h>

static uint32_t consumed(const struct sim *sim)
{
    return 2 * sim->sources; /* the dead letters come after them */
}

static size_t owned(const struct sim *sim, int member)
{
    size_t count = 0;
    for (uint32_t p = 0; p < consumed(sim); p++) {
        count += sim->partitions.items[p].owner == member;
    }
    return count;
}

static struct sim_event to(const struct sim_member *member)
{
    return (struct sim_event){.member = member->index, .incarnation = member->incarnation};
}

/* ---- assign */

/* a: first stay, b: how many. */
static void deliver_assigned(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    struct od_assign list[64];
    size_t count = 0;
    for (uint32_t id = (uint32_t)event->a; id < event->a + event->b; id++) {
        struct sim_stay *stay = &sim->stays.items[id - 1];
        const struct sim_partition *partition = &sim->partitions.items[stay->partition];
        stay->assigned = !stay->lost && member->joined;
        stay->answered |= !stay->assigned;
        stay->lost |= !stay->assigned;
        if (stay->assigned) {
            list[count++] = (struct od_assign){
                .id = id, .topic = partition->topic, .partition = partition->number, .kind = partition->kind};
        }
    }
    if (count) {
        sim_member_step(sim, member,
                        (struct od_event){.type = OD_EVENT_ASSIGNED, .assigned = {.list = list, .count = count}});
    }
}

/* a: the stay. Its offsets have been read now. */
static void deliver_ready(struct sim *sim, const struct sim_event *event)
{
    struct sim_stay *stay = &sim->stays.items[event->a - 1];
    struct sim_partition *partition = &sim->partitions.items[stay->partition];
    if (stay->closed || stay->answered || stay->lost) {
        return;
    }
    int64_t position = partition->committed < 0 ? partition->log_start : partition->committed;
    bool resolved = partition->committed < 0;
    stay->position = stay->ready_position = position;
    stay->ready = true;
    stay->ready_epoch = resolved ? -1 : partition->committed_epoch;
    if (!resolved &&
        od_offset_map_decode(&stay->map, partition->text, partition->text_size, position, partition->topic_id_hash)) {
        sim_fail(sim, "out of memory");
    }
    char text[SIM_TEXT];
    for (size_t i = 0; i < partition->text_size; i++) {
        text[i] = partition->text[i];
    }
    sim_member_step(sim, &sim->members[event->member],
                    (struct od_event){.type = OD_EVENT_READY,
                                      .ready = {.id = (uint32_t)event->a,
                                                .position = position,
                                                .leader_epoch = stay->ready_epoch,
                                                .resolved = resolved,
                                                .map = text,
                                                .map_size = partition->text_size,
                                                .topic_id_hash = partition->topic_id_hash}});
}

static uint32_t new_stay(struct sim *sim, struct sim_member *member, struct sim_partition *partition)
{
    struct sim_stay stay = {.member = member->index,
                            .incarnation = member->incarnation,
                            .partition = partition->index,
                            .map = {.epoch = -1, .attempt_epoch = -1}};
    if (!od_vec_push(&sim->stays, stay)) {
        abort();
    }
    partition->owner = member->index;
    partition->owner_stay = (uint32_t)sim->stays.count;
    return partition->owner_stay;
}

static void announce(struct sim *sim, struct sim_member *member, uint32_t first, uint32_t count)
{
    if (!count) {
        return;
    }
    struct sim_event event = to(member);
    event.a = first;
    event.b = count;
    sim_at(sim, sim_between(sim, 0, 30), deliver_assigned, event);
    for (uint32_t id = first; id < first + count; id++) {
        event.a = id;
        sim_at(sim, sim_between(sim, 31, sim->faults.slow_network ? 4000 : 200), deliver_ready, event);
    }
}

/* Free partitions for a member, up to its share. */
static void assign(struct sim *sim, struct sim_member *member, size_t share)
{
    uint32_t first = (uint32_t)sim->stays.count + 1, count = 0;
    size_t has = owned(sim, member->index);
    uint32_t offset = (uint32_t)od_random_below(&sim->random, consumed(sim));
    for (uint32_t i = 0; i < consumed(sim) && has < share; i++) {
        struct sim_partition *partition = &sim->partitions.items[(i + offset) % consumed(sim)];
        if (partition->owner < 0) {
            if (sim->faults.truncate && !sim->healed && partition->index < sim->sources && sim_chance(sim, 150)) {
                sim_log_truncate(sim, partition);
            }
            (void)new_stay(sim, member, partition);
            count++;
            has++;
        }
    }
    announce(sim, member, first, count);
}

void sim_group_return(struct sim *sim, struct sim_member *member)
{
    uint32_t first = (uint32_t)sim->stays.count + 1, count = 0;
    for (uint32_t p = 0; p < consumed(sim); p++) {
        struct sim_partition *partition = &sim->partitions.items[p];
        if (partition->owner == member->index) {
            (void)new_stay(sim, member, partition);
            count++;
        }
    }
    member->joined = member->valid = true;
    member->revoke_open = member->lost_told = false;
    sim_group_changed(sim);
    announce(sim, member, first, count);
}

/* ---- revoke */

static void deliver_revoke(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (!member->revoke_open || !member->joined || member->lost_told) {
        return;
    }
    member->gate_at_revoke = member->gate;
    sim_member_step(
        sim, member,
        (struct od_event){.type = OD_EVENT_REVOKE,
                          .partitions = {.ids = member->revoking.items,
                                         .count = member->revoking.count,
                                         .deadline_ms = sim->now + member->mono + sim->settings.hold_deadline}});
}

/* a: how many revokes this member had then. */
static void hold_over(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (member->revoke_open && member->revoke_deadline <= sim->now && member->valid) {
        if (sim->faults.strict) {
            sim_fail(sim, "m%d did not answer its revoke in time", member->index);
        }
        sim_group_evict(sim, member, false);
    }
}

static void revoke(struct sim *sim, struct sim_member *member, size_t count)
{
    od_vec_clear(&member->revoking);
    for (uint32_t p = 0; p < consumed(sim) && count; p++) {
        const struct sim_partition *partition = &sim->partitions.items[p];
        if (partition->owner == member->index) {
            if (!od_vec_push(&member->revoking, partition->owner_stay)) {
                abort();
            }
            count--;
        }
    }
    if (!member->revoking.count) {
        return;
    }
    member->revoke_open = true;
    member->revoke_deadline = sim->now + sim->settings.max_poll_interval;
    sim->counts.rebalances++;
    sim_at(sim, 60, deliver_revoke, to(member));
    sim_at(sim, sim->settings.max_poll_interval, hold_over, (struct sim_event){.member = member->index});
}

/* ---- a rebalance */

static size_t valid_members(const struct sim *sim)
{
    size_t count = 0;
    for (int i = 0; i < sim->member_count; i++) {
        count += sim->members[i].valid;
    }
    return count;
}

static void share_out(struct sim *sim)
{
    size_t members = valid_members(sim), rank = 0, all = consumed(sim);
    for (int i = 0; i < sim->member_count; i++) {
        struct sim_member *member = &sim->members[i];
        if (!member->valid) {
            continue;
        }
        size_t share = all / members + (rank++ < all % members), has = owned(sim, i);
        if (member->revoke_open || member->lost_told || !member->joined) {
            continue;
        }
        if (has > share && !sim->eager) {
            revoke(sim, member, has - share);
        } else if (has < share) {
            assign(sim, member, share);
        }
    }
}

static void rebalance_eagerly(struct sim *sim)
{
    bool any = false;
    for (uint32_t p = 0; p < consumed(sim); p++) {
        any |= sim->partitions.items[p].owner >= 0;
    }
    if (any && !sim->eager_revoking) {
        sim->eager_revoking = true;
        for (int i = 0; i < sim->member_count; i++) {
            struct sim_member *member = &sim->members[i];
            if (member->joined && !member->revoke_open && !member->lost_told) {
                revoke(sim, member, SIZE_MAX);
            }
        }
    }
    if (!any) {
        sim->eager_revoking = false;
        share_out(sim);
    }
}

static void rebalance(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    sim->rebalance_due = false;
    if (!valid_members(sim)) {
        return;
    }
    if (sim->eager) {
        rebalance_eagerly(sim);
    } else {
        share_out(sim);
    }
}

void sim_group_changed(struct sim *sim)
{
    if (!sim->rebalance_due) {
        sim->rebalance_due = true;
        sim_at(sim, sim_between(sim, 20, 500), rebalance, (struct sim_event){0});
    }
}

/* ---- members come and go */

void sim_group_joined(struct sim *sim, struct sim_member *member)
{
    member->joined = member->valid = true;
    member->lost_told = member->revoke_open = false;
    sim_group_changed(sim);
}

static void set_free(struct sim *sim, struct sim_member *member)
{
    for (uint32_t p = 0; p < consumed(sim); p++) {
        if (sim->partitions.items[p].owner == member->index) {
            sim->partitions.items[p].owner = -1;
        }
    }
    member->revoke_open = false;
    sim_group_changed(sim);
}

void sim_group_answered(struct sim *sim, struct sim_member *member, uint32_t id)
{
    struct sim_stay *stay = &sim->stays.items[id - 1];
    struct sim_partition *partition = &sim->partitions.items[stay->partition];
    if (stay->answered) {
        sim_fail(sim, "%s is given up twice", sim_stay_name(sim, id));
    }
    sim_commit_flush(sim, id);
    stay = &sim->stays.items[id - 1];
    for (size_t i = 0; i < sim->active.count; i++) {
        stay->cut |= sim->runs.items[sim->active.items[i]].run.id == id;
    }
    sim->counts.drains_cut += stay->cut && !stay->lost;
    if (stay->cut && !stay->lost && sim->faults.strict) {
        sim_fail(sim, "%s is given up while a handler runs", sim_stay_name(sim, id));
    }
    stay->answered = true;
    if (!stay->lost) {
        sim_check_handover(sim, id);
    }
    if (partition->owner_stay == id && partition->owner == member->index) {
        partition->owner = -1;
    }
    bool open = false;
    for (size_t i = 0; i < member->revoking.count; i++) {
        open |= !sim->stays.items[member->revoking.items[i] - 1].answered;
    }
    if (!open) {
        member->revoke_open = false;
    }
    sim_group_changed(sim);
}

void sim_group_left(struct sim *sim, struct sim_member *member)
{
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        struct sim_stay *stay = &sim->stays.items[id - 1];
        if (stay->member == member->index && !stay->assigned) {
            stay->lost = stay->answered = true; /* it has left before it heard of it */
        }
        if (sim_stay_live(sim, id) && stay->member == member->index && !stay->answered) {
            int owner = sim->partitions.items[stay->partition].owner;
            sim_group_answered(sim, member, id);
            if (member->is_static) {
                sim->partitions.items[stay->partition].owner = owner;
            }
        }
    }
    if (!member->is_static) {
        member->valid = false;
        set_free(sim, member);
    }
    member->joined = false;
}

/* The member hears that it has lost everything. */
void sim_group_lost(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    uint32_t ids[128];
    size_t count = 0;
    for (uint32_t id = 1; id <= sim->stays.count && count < 128; id++) {
        const struct sim_stay *stay = &sim->stays.items[id - 1];
        if (sim_stay_live(sim, id) && stay->member == member->index && stay->lost && !stay->answered && !stay->closed) {
            ids[count++] = id;
        }
    }
    if (member->valid && !count) {
        return; /* it has heard of that otherwise, and has joined again */
    }
    member->lost_told = member->loose = true;
    sim->counts.losts++;
    sim_member_step(sim, member,
                    (struct od_event){.type = OD_EVENT_LOST,
                                      .partitions = {.ids = ids, .count = count, .valid_member = member->valid}});
    member->suspect &= member->valid;
    if (!count && member->alive && !member->leaving) {
        sim_group_joined(sim, member);
    }
}

void sim_group_evict(struct sim *sim, struct sim_member *member, bool noticed_at_once)
{
    if (!member->valid) {
        return;
    }
    sim_say(sim, "coordinator: m%d is thrown out", member->index);
    sim->counts.evictions++;
    member->valid = member->joined = false;
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        struct sim_stay *stay = &sim->stays.items[id - 1];
        if (stay->member == member->index && stay->incarnation == member->incarnation && !stay->answered) {
            stay->lost = true;
            stay->answered |= !stay->assigned;
        }
    }
    set_free(sim, member);
    if (member->alive) {
        sim_at(sim, noticed_at_once ? 1 : sim_between(sim, 1, 3000), sim_group_lost, to(member));
    }
}
