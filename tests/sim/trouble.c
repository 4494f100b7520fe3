/* What goes wrong, and what is planned: drawn again and again until the history heals. */
#include "sim/sim.h"

#include <stdlib.h>

static struct sim_event to(const struct sim_member *member)
{
    return (struct sim_event){.member = member->index, .incarnation = member->incarnation};
}

/* A member that lives; NULL when the one drawn does not. */
static struct sim_member *anyone(struct sim *sim)
{
    struct sim_member *member = &sim->members[od_random_below(&sim->random, (uint64_t)sim->member_count)];
    return member->alive ? member : NULL;
}

/* A stay of a live member that reads; 0: not the one drawn. */
static uint32_t any_stay(struct sim *sim)
{
    if (!sim->stays.count) {
        return 0;
    }
    uint64_t back = od_random_below(&sim->random, sim->stays.count < 12 ? sim->stays.count : 12);
    uint32_t id = (uint32_t)(sim->stays.count - back);
    const struct sim_stay *stay = &sim->stays.items[id - 1];
    bool good = sim_stay_live(sim, id) && stay->ready && !stay->answered && !stay->closed && !stay->lost &&
                !sim->members[stay->member].frozen;
    return good ? id : 0;
}

/* ---- faults of members */

static void spurious(struct sim *sim, struct sim_member *member)
{
    if (!member->valid || member->lost_told || member->leaving || member->frozen || member->revoke_open) {
        return;
    }
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        struct sim_stay *stay = &sim->stays.items[id - 1];
        if (sim_stay_live(sim, id) && stay->member == member->index && !stay->answered) {
            stay->lost = true;
        }
    }
    struct sim_event event = to(member);
    sim_group_lost(sim, &event);
}

static void confirm(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (member->suspect && member->valid) {
        member->suspect = false;
        sim_member_step(sim, member, (struct od_event){.type = OD_EVENT_CONFIRMED});
    }
}

/* a: incarnation. */
static void thaw(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (!member->alive || member->incarnation != event->a) {
        return;
    }
    member->frozen = false;
    member->suspect = true;
    sim_member_step(sim, member, (struct od_event){.type = OD_EVENT_SUSPECT});
    sim_at(sim, sim_between(sim, 50, 2000), confirm, to(member));
}

static void session_over(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (member->alive && member->incarnation == event->a && member->frozen) {
        sim_group_evict(sim, member, false);
    }
}

static void freeze(struct sim *sim, struct sim_member *member)
{
    if (member->frozen || member->suspect || !member->valid || member->lost_told) {
        return;
    }
    int64_t time = sim_between(sim, 500, 2 * sim->settings.session_timeout);
    sim_say(sim, "m%d stands still for %lld ms", member->index, (long long)time);
    sim->counts.freezes++;
    member->frozen = true;
    member->thaw_at = sim->now + time;
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        sim->stays.items[id - 1].trouble |=
            sim->stays.items[id - 1].member == member->index; /* too late for a commit */
    }
    struct sim_event event = {.member = member->index, .a = member->incarnation};
    sim_at_first(sim, time, thaw, event);
    sim_at(sim, sim->settings.session_timeout, session_over, event);
}

/* ---- faults of logs, wishes of the application */

/* a: stay, b: offset. */
static void tell_log_start(struct sim *sim, const struct sim_event *event)
{
    const struct sim_stay *stay = &sim->stays.items[event->a - 1];
    if (!stay->closed && !stay->answered) {
        sim_member_step(sim, &sim->members[event->member],
                        (struct od_event){.type = OD_EVENT_LOG_START,
                                          .position = {.id = (uint32_t)event->a, .offset = (int64_t)event->b}});
    }
}

static void move_log_start(struct sim *sim)
{
    struct sim_partition *partition = &sim->partitions.items[od_random_below(&sim->random, 2 * sim->sources)];
    int64_t from = partition->committed > partition->log_start ? partition->committed : partition->log_start;
    int64_t low = from + sim_between(sim, 0, 6);
    if (low > sim_log_end(partition) || partition->log.count == 0) {
        return;
    }
    partition->log_start = low;
    sim_say(sim, "the log of topic %u %s/%d begins at %lld now", partition->topic,
            partition->kind == OD_TOPIC_RETRY ? "retry" : "source", (int)partition->number, (long long)low);
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        if (sim_stay_live(sim, id) && sim->stays.items[id - 1].partition == partition->index) {
            struct sim_event event = to(&sim->members[sim->stays.items[id - 1].member]);
            event.a = id;
            event.b = (uint64_t)low;
            sim_at(sim, sim_between(sim, 1, 2000), tell_log_start, event);
        }
    }
}

/* A revoke of it is open: whoever seeks then is not heard. */
static bool revoked(const struct sim_member *member, uint32_t id)
{
    for (size_t i = 0; member->revoke_open && i < member->revoking.count; i++) {
        if (member->revoking.items[i] == id) {
            return true;
        }
    }
    return false;
}

static void seek(struct sim *sim, uint32_t id)
{
    struct sim_stay *stay = &sim->stays.items[id - 1];
    struct sim_partition *partition = &sim->partitions.items[stay->partition];
    struct sim_member *member = &sim->members[stay->member];
    if (member->leaving || partition->committed < 0 || revoked(member, id)) {
        return;
    }
    int64_t low = partition->log_start > partition->first ? partition->log_start : partition->first;
    int64_t offset = sim_between(sim, low, partition->committed);
    stay->sought = member->loose = true;
    sim->counts.seeks++;
    for (int64_t o = offset; o < sim_log_end(partition); o++) {
        struct sim_entry *entry = sim_entry_at(partition, o);
        if (entry) {
            entry->excused = true;
            entry->wait_stay = 0;
        }
    }
    for (size_t i = 0; i < sim->runs.count; i++) {
        sim->runs.items[i].stale |= sim->runs.items[i].run.id == id && !sim->runs.items[i].delivered;
    }
    /* Its commit may go back: the stays to come begin there. */
    sim_member_step(sim, member, (struct od_event){.type = OD_EVENT_SEEK, .position = {.id = id, .offset = offset}});
}

/* a: stay, b: reason. */
static void resume(struct sim *sim, const struct sim_event *event)
{
    uint32_t id = (uint32_t)event->a;
    if (!sim->stays.items[id - 1].closed) {
        sim_member_step(sim, &sim->members[event->member],
                        (struct od_event){.type = OD_EVENT_RESUME,
                                          .pause = {.ids = &id, .count = 1, .reason = (uint32_t)event->b}});
    }
}

static void pause(struct sim *sim, uint32_t id)
{
    struct sim_member *member = &sim->members[sim->stays.items[id - 1].member];
    uint32_t reason = (uint32_t)sim_between(sim, 0, 2);
    sim_member_step(sim, member,
                    (struct od_event){.type = OD_EVENT_PAUSE, .pause = {.ids = &id, .count = 1, .reason = reason}});
    struct sim_event event = to(member);
    event.a = id;
    event.b = reason;
    sim_at(sim, sim_between(sim, 10, 8000), resume, event);
}

/* Whether the application would have to say that it goes on. Not more often: a reset looks at everything anew and would hide what is stuck. */
static bool needs_reset(const struct sim *sim, const struct sim_member *member)
{
    const uint32_t states = 1u << OD_STATE_OVERSIZE | 1u << OD_STATE_DEAD_LETTER_RATE | 1u << OD_STATE_RECORD_LOST |
                            1u << OD_STATE_RELEASE_LOOP;
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        struct od_core_partition partition;
        const struct sim_stay *stay = &sim->stays.items[id - 1];
        if (stay->member == member->index && sim_stay_live(sim, id) && !stay->closed &&
            od_core_partition(member->core, id, &partition) && (partition.states & states)) {
            return true;
        }
    }
    return false;
}

static void reset_guards(struct sim *sim)
{
    for (int i = 0; i < sim->member_count; i++) {
        if (sim->members[i].alive && !sim->members[i].frozen && needs_reset(sim, &sim->members[i])) {
            sim_member_step(sim, &sim->members[i], (struct od_event){.type = OD_EVENT_RESET_GUARD});
        }
    }
}

static void one_trouble(struct sim *sim)
{
    struct sim_member *member = anyone(sim);
    uint32_t stay = any_stay(sim);
    const struct sim_faults *faults = &sim->faults;
    switch (od_random_below(&sim->random, 9)) {
    case 0:
        if (faults->crash && member) {
            sim_member_crash(sim, member);
        }
        break;
    case 1:
        if (faults->evict && member && !member->frozen) {
            sim_group_evict(sim, member, false);
        }
        break;
    case 2:
        if (faults->spurious && member) {
            spurious(sim, member);
        }
        break;
    case 3:
        if (faults->freeze && member) {
            freeze(sim, member);
        }
        break;
    case 4:
        if (faults->log_start) {
            move_log_start(sim);
        }
        break;
    case 5:
        if (faults->seek && stay) {
            seek(sim, stay);
        }
        break;
    case 6:
        if (faults->pause && member && !member->frozen) {
            bool rate = sim_chance(sim, 300);
            member->loose = true; /* more may run than is allowed from now on */
            sim_member_step(
                sim, member,
                (struct od_event){.type = rate ? OD_EVENT_RATE : OD_EVENT_CONCURRENCY,
                                  .number = {.n = (uint64_t)sim_between(sim, rate ? 10 : 1, rate ? 100 : 20)}});
        }
        break;
    case 7:
        if (faults->pause && stay) {
            pause(sim, stay);
        }
        break;
    default:
        reset_guards(sim);
        break;
    }
}

void sim_trouble(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    if (sim->healed) {
        return;
    }
    one_trouble(sim);
    sim_at(sim, sim_between(sim, 100, 4000), sim_trouble, (struct sim_event){0});
}

/* ---- planned changes */

static int alive(const struct sim *sim)
{
    int count = 0;
    for (int i = 0; i < sim->member_count; i++) {
        count += sim->members[i].alive;
    }
    return count;
}

void sim_change(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    if (sim->healed) {
        return;
    }
    int index = (int)od_random_below(&sim->random, (uint64_t)sim->member_count);
    struct sim_event change = {.member = index};
    if (sim->members[index].gone) {
        sim_member_start(sim, &change);
    } else if (alive(sim) > 1 && !sim->members[index].frozen) {
        sim_member_close(sim, &change);
    }
    sim_at(sim, sim_between(sim, 500, 15000), sim_change, (struct sim_event){0});
}

/* ---- the end: no more faults, everything must come to its end */

/* Whether any core has something under way: a copy that is tried again would appear behind the end. */
static bool busy(const struct sim *sim)
{
    bool any = sim->producing || sim->copies_flying;
    for (int i = 0; i < sim->member_count; i++) {
        struct od_core_totals totals = {0};
        if (sim->members[i].alive) {
            od_core_totals(sim->members[i].core, &totals);
        }
        any |= totals.running || totals.copying;
    }
    return any;
}

static void finish(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    if (sim->finishing) {
        if (!alive(sim)) {
            od_vec_clear(&sim->heap);
            return;
        }
    } else if (!busy(sim) && sim_all_done(sim)) {
        sim->finishing = true;
    }
    for (int i = 0; i < sim->member_count; i++) {
        if (sim->finishing && sim->members[i].alive && !sim->members[i].leaving) {
            sim_member_close(sim, &(struct sim_event){.member = i});
        }
    }
    if (!sim->finishing && sim_chance(sim, 100)) {
        reset_guards(sim);
    }
    sim_at(sim, 500, finish, (struct sim_event){0});
}

void sim_heal(struct sim *sim, const struct sim_event *event)
{
    (void)event;
    sim_say(sim, "---- no more faults");
    sim->healed = true;
    sim->end_at = sim->now + 900000;
    for (int i = 0; i < sim->member_count; i++) {
        sim_at(sim, sim_between(sim, 1, 3000), sim_member_start, (struct sim_event){.member = i});
    }
    sim_at(sim, 3100, finish, (struct sim_event){0});
}
