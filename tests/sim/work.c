/* Handlers: how long they take, how they end, what they do when told to go; and the application that polls. */
#include "sim/sim.h"

#include <stdlib.h>

static struct sim_event to(const struct sim_member *member)
{
    return (struct sim_event){.member = member->index, .incarnation = member->incarnation};
}

static void job_goes_on(struct sim *sim, uint32_t job);

/* ---- how a handler ends */

static enum orderly_outcome draw_outcome(struct sim *sim)
{
    int64_t draw = sim_between(sim, 0, 999);
    if (sim->healed) {
        return draw < 950 ? ORDERLY_ACK : ORDERLY_RETRY;
    }
    if (sim->faults.faulty && draw >= 900) {
        static const enum orderly_outcome odd[] = {
            ORDERLY_RELEASE, ORDERLY_HOLD, ORDERLY_UNSET, ORDERLY_THROTTLE, (enum orderly_outcome)77, ORDERLY_RELEASE};
        return odd[od_random_below(&sim->random, 6)];
    }
    return draw < 680   ? ORDERLY_ACK
           : draw < 860 ? ORDERLY_RETRY
           : draw < 890 ? ORDERLY_DROP
           : draw < 920 ? ORDERLY_DEAD_LETTER
                        : ORDERLY_ACK;
}

static struct od_settled draw_settled(struct sim *sim, uint64_t record)
{
    struct od_settled settled = {.record = record, .outcome = draw_outcome(sim), .delay_ms = -1, .run_us = -1};
    if (sim_chance(sim, 400)) {
        settled.delay_ms = sim_chance(sim, 800) ? sim_between(sim, 0, 5000) : sim_between(sim, 5000, 30000);
    }
    settled.never = settled.outcome == ORDERLY_RETRY && !sim->healed && sim_chance(sim, 30);
    return settled;
}

static int64_t draw_duration(struct sim *sim)
{
    if (sim->faults.fast && sim_chance(sim, 950)) {
        return 0;
    }
    bool brief = sim->faults.strict && sim->settings.policy == OD_POLICY_FINISH;
    if (sim_chance(sim, 800) || sim->healed) {
        return sim_between(sim, 0, 50);
    }
    return sim_chance(sim, 750) || brief ? sim_between(sim, 50, 2000) : sim_between(sim, 2000, 25000);
}

/* ---- telling the core */

/* a: run. */
static void tell_one(struct sim *sim, const struct sim_event *event)
{
    struct sim_run *run = &sim->runs.items[event->a];
    struct sim_member *member = &sim->members[run->member];
    if (run->delivered) {
        return;
    }
    run->delivered = true;
    member->in_flight--;
    struct od_settled settled = run->outcome;
    sim_check_told(sim, run);
    sim_member_step(sim, member,
                    (struct od_event){.type = OD_EVENT_SETTLED, .settled = {.list = &settled, .count = 1}});
}

/* a: job. */
static void tell_job(struct sim *sim, const struct sim_event *event)
{
    const struct sim_job *job = &sim->jobs.items[event->a];
    struct sim_member *member = &sim->members[job->member];
    struct od_settled list[64];
    size_t count = 0;
    for (uint32_t i = job->first; i < job->first + job->count && count < 64; i++) {
        struct sim_run *run = &sim->runs.items[i];
        if (run->state == SIM_RUN_ENDED && !run->delivered) {
            run->delivered = true;
            member->in_flight--;
            list[count++] = run->outcome;
            sim_check_told(sim, run);
        }
    }
    if (count) {
        sim_member_step(sim, member,
                        (struct od_event){.type = OD_EVENT_SETTLED, .settled = {.list = list, .count = count}});
    }
}

/* The run is over, however; its outcome is told soon, or with its job. */
static void ended(struct sim *sim, uint32_t index)
{
    struct sim_run *run = &sim->runs.items[index];
    run->state = SIM_RUN_ENDED;
    struct sim_event event = to(&sim->members[run->member]);
    event.a = index;
    if (sim->members[run->member].poll || !sim->jobs.items[run->job].together || run->asynchronous) {
        sim_at(sim, sim_between(sim, 0, 5), tell_one, event);
    }
}

static void not_started(struct sim *sim, uint32_t index, bool released)
{
    struct sim_run *run = &sim->runs.items[index];
    run->outcome = (struct od_settled){
        .record = run->run.record, .outcome = ORDERLY_RELEASE, .not_run = !released, .delay_ms = -1, .run_us = -1};
    sim->counts.not_run++;
    ended(sim, index);
}

static void remove_active(struct sim *sim, uint32_t index)
{
    for (size_t i = 0; i < sim->active.count; i++) {
        if (sim->active.items[i] == index) {
            od_vec_remove_swap(&sim->active, i);
            return;
        }
    }
}

static void finish(struct sim *sim, uint32_t index)
{
    struct sim_run *run = &sim->runs.items[index];
    run->outcome.run_us = (sim->now - run->started) * 1000;
    remove_active(sim, index);
    sim_check_end(sim, run, run->outcome.outcome, run->outcome.never);
    ended(sim, index);
}

/* ---- a handler at work */

/* a: run, b: when, unless that has changed. */
static void run_ends(struct sim *sim, const struct sim_event *event)
{
    uint32_t index = (uint32_t)event->a;
    struct sim_run *run = &sim->runs.items[index];
    if (run->state != SIM_RUN_ACTIVE || run->ends_at != (int64_t)event->b) {
        return;
    }
    finish(sim, index);
    run = &sim->runs.items[index];
    if (sim->members[run->member].poll || run->asynchronous) {
        return;
    }
    struct sim_job *job = &sim->jobs.items[run->job];
    if (run->outcome.outcome != ORDERLY_ACK && run->outcome.outcome != ORDERLY_DROP && run->run.lane &&
        !od_vec_push(&job->stopped_lanes, run->run.lane)) {
        abort();
    }
    job_goes_on(sim, run->job);
}

static void end_at(struct sim *sim, uint32_t index, int64_t after)
{
    struct sim_run *run = &sim->runs.items[index];
    run->ends_at = sim->now + after;
    struct sim_event event = to(&sim->members[run->member]);
    event.a = index;
    event.b = (uint64_t)run->ends_at;
    sim_at(sim, after, run_ends, event);
}

static void start(struct sim *sim, uint32_t index)
{
    struct sim_run *run = &sim->runs.items[index];
    sim_check_start(sim, run);
    if (!od_vec_push(&sim->active, index)) {
        abort();
    }
    sim->counts.runs++;
    run->state = SIM_RUN_ACTIVE;
    run->begun = true;
    run->started = sim->now;
    run->outcome = draw_settled(sim, run->run.record);
    run->stubborn = sim->faults.stubborn && !sim->healed && sim_chance(sim, 300);
    sim_say(sim, "    %s@%lld starts, attempt %u", sim_stay_name(sim, run->run.id), (long long)run->offset,
            run->run.attempt);
    end_at(sim, index, draw_duration(sim));
}

/* ---- jobs of the run face */

static bool lane_stopped(const struct sim_job *job, uint32_t lane)
{
    for (size_t i = 0; i < job->stopped_lanes.count; i++) {
        if (job->stopped_lanes.items[i] == lane) {
            return true;
        }
    }
    return false;
}

static void job_goes_on(struct sim *sim, uint32_t index)
{
    while (sim->jobs.items[index].next < sim->jobs.items[index].count) {
        struct sim_job *job = &sim->jobs.items[index];
        uint32_t at = job->first + job->next++;
        struct sim_run *run = &sim->runs.items[at];
        if (run->state == SIM_RUN_ENDED) {
            continue; /* it was called back */
        }
        if (run->run.lane && lane_stopped(job, run->run.lane)) {
            not_started(sim, at, false);
            continue;
        }
        if (run->cancelled) {
            if (run->run.lane && !od_vec_push(&job->stopped_lanes, run->run.lane)) {
                abort();
            }
            not_started(sim, at, true);
            continue;
        }
        run->asynchronous = sim_chance(sim, 100);
        if (run->asynchronous && run->run.lane && !od_vec_push(&job->stopped_lanes, run->run.lane)) {
            abort();
        }
        start(sim, at);
        if (!sim->runs.items[at].asynchronous) {
            return;
        }
    }
    struct sim_event event = to(&sim->members[sim->jobs.items[index].member]);
    event.a = index;
    if (sim->jobs.items[index].together) {
        sim_at(sim, sim_between(sim, 0, 5), tell_job, event);
    }
}

/* a: job. */
static void job_begins(struct sim *sim, const struct sim_event *event)
{
    job_goes_on(sim, (uint32_t)event->a);
}

static uint32_t add_run(struct sim *sim, struct sim_member *member, const struct od_run *run)
{
    if (!run->tag || run->tag > sim->tags.count || !sim->tags.items[run->tag - 1].alive) {
        sim_fail(sim, "m%d: RUN of a record whose bytes have gone", member->index);
    }
    const struct sim_tag *tag = &sim->tags.items[run->tag - 1];
    if (tag->stay != run->id || sim->stays.items[run->id - 1].closed) {
        sim_fail(sim, "m%d: RUN for %s of a record of %s", member->index, sim_stay_name(sim, run->id),
                 sim_stay_name(sim, tag->stay));
    }
    struct sim_run entry = {.run = *run,
                            .member = member->index,
                            .incarnation = member->incarnation,
                            .job = (uint32_t)sim->jobs.count,
                            .partition = sim->stays.items[run->id - 1].partition,
                            .offset = tag->offset};
    if (!od_vec_push(&sim->runs, entry)) {
        abort();
    }
    member->in_flight++;
    return (uint32_t)sim->runs.count - 1;
}

/* a: 1 taken, 0 given back. */
static void gate(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (member->leaving && event->a) {
        return;
    }
    member->gate = event->a != 0;
    member->gate_at_revoke &= member->gate;
    member->gate_forced &= !member->gate;
    sim_member_step(sim, member, (struct od_event){.type = OD_EVENT_GATE, .gate = {.taken = member->gate}});
}

static void batch_arrives(struct sim *sim, struct sim_member *member, uint32_t first, uint32_t count)
{
    if (!member->batch_open && sim->settings.block_rebalance_on_poll) {
        struct sim_event event = to(member);
        event.a = 1;
        sim_at(sim, 0, gate, event);
    }
    member->batch_open = true;
    for (uint32_t i = first; i < first + count; i++) {
        start(sim, i);
        if (!od_vec_push(&member->batch, i)) {
            abort();
        }
    }
}

void sim_job(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    uint32_t first = (uint32_t)sim->runs.count, count = (uint32_t)effect->run.count;
    if (!count) {
        sim_fail(sim, "m%d: an empty job", member->index);
    }
    for (size_t i = 0; i < effect->run.count; i++) {
        const struct od_run *run = &member->effects.runs[effect->run.first + i];
        sim_application_run(sim, member, run->id);
        (void)add_run(sim, member, run);
    }
    if (member->poll) {
        batch_arrives(sim, member, first, count);
        return;
    }
    struct sim_job job = {.member = member->index,
                          .incarnation = member->incarnation,
                          .first = first,
                          .count = count,
                          .together = sim_chance(sim, 500)};
    if (!od_vec_push(&sim->jobs, job)) {
        abort();
    }
    struct sim_event event = to(member);
    event.a = sim->jobs.count - 1;
    sim_at(sim, sim_between(sim, 0, 10), job_begins, event);
}

/* Nobody has begun it: it goes back, and is told apart from its job. */
void sim_recall(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    for (size_t i = sim->runs.count; i-- > 0;) {
        struct sim_run *run = &sim->runs.items[i];
        if (run->run.record == effect->record && run->member == member->index &&
            run->incarnation == member->incarnation) {
            if (run->state == SIM_RUN_WAITING) {
                run->asynchronous = true;
                sim->counts.recalled++;
                not_started(sim, (uint32_t)i, false);
            }
            return;
        }
    }
    sim_fail(sim, "m%d: RECALL of a record that was never run", member->index);
}

void sim_cancel(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    for (size_t i = sim->runs.count; i-- > 0;) {
        struct sim_run *run = &sim->runs.items[i];
        if (run->run.record != effect->record || run->member != member->index ||
            run->incarnation != member->incarnation) {
            continue;
        }
        run->cancelled = true;
        if (run->state == SIM_RUN_ACTIVE && !run->stubborn) {
            int64_t after = sim_between(sim, 0, 300);
            if (sim->now + after < run->ends_at) {
                if (sim_chance(sim, 700)) {
                    run->outcome.outcome = ORDERLY_RELEASE;
                }
                end_at(sim, (uint32_t)i, after);
            }
        }
        return;
    }
    sim_fail(sim, "m%d: CANCEL of a record that was never run", member->index);
}

void sim_work_dead(struct sim *sim, struct sim_member *member)
{
    for (size_t i = sim->active.count; i-- > 0;) {
        struct sim_run *run = &sim->runs.items[sim->active.items[i]];
        if (run->member == member->index) {
            struct sim_entry *entry = sim_entry_at(&sim->partitions.items[run->partition], run->offset);
            entry->active--;
            run->state = SIM_RUN_ENDED;
            od_vec_remove_swap(&sim->active, i);
        }
    }
    for (size_t i = 0; i < sim->runs.count; i++) {
        struct sim_run *run = &sim->runs.items[i];
        if (run->member == member->index && run->begun && !run->delivered) {
            sim_entry_at(&sim->partitions.items[run->partition], run->offset)->out--;
            run->delivered = true;
        }
    }
}

/* ---- the application of the poll face */

/* Everything handed out below `next` is done at once. */
static void mark_below(struct sim *sim, struct sim_member *member, uint32_t stay, int64_t next)
{
    for (size_t i = 0; i < sim->runs.count; i++) { /* what was settled before is told before */
        if (sim->runs.items[i].run.id == stay && sim->runs.items[i].state == SIM_RUN_ENDED) {
            tell_one(sim, &(struct sim_event){.a = i});
        }
    }
    for (size_t i = sim->active.count; i-- > 0;) {
        uint32_t index = sim->active.items[i];
        struct sim_run *run = &sim->runs.items[index];
        if (run->run.id != stay || run->offset >= next || run->stale) {
            continue;
        }
        run->outcome.outcome = ORDERLY_ACK;
        run->outcome.not_run = false;
        od_vec_remove_swap(&sim->active, i);
        sim_check_end(sim, run, ORDERLY_ACK, false);
        sim_check_told(sim, run);
        run->state = SIM_RUN_ENDED;
        run->delivered = true;
        member->in_flight--;
    }
    sim_member_step(sim, member,
                    (struct od_event){.type = OD_EVENT_MARK_OFFSET, .position = {.id = stay, .offset = next}});
}

static size_t batch_left(struct sim *sim, struct sim_member *member)
{
    size_t left = 0;
    for (size_t i = 0; i < member->batch.count; i++) {
        const struct sim_run *run = &sim->runs.items[member->batch.items[i]];
        left += run->state == SIM_RUN_ACTIVE || !run->delivered;
    }
    return left;
}

/* Ends the batch when it is through, or leaves the rest of it to other threads. */
static void end_batch(struct sim *sim, struct sim_member *member)
{
    size_t left = batch_left(sim, member);
    if (left && member->batch.count && !sim->stays.items[sim->runs.items[member->batch.items[0]].run.id - 1].answered &&
        sim_chance(sim, 50)) {
        const struct sim_run *last = &sim->runs.items[od_vec_last(&member->batch)[0]];
        if (sim_stay_live(sim, last->run.id) && !sim->stays.items[last->run.id - 1].answered &&
            !sim->stays.items[last->run.id - 1].lost) {
            mark_below(sim, member, last->run.id, last->offset + 1);
        }
        left = batch_left(sim, member);
    }
    if (left && !sim_chance(sim, 50)) {
        return;
    }
    member->batch_open = false;
    od_vec_clear(&member->batch);
    if (member->gate) {
        struct sim_event event = to(member);
        event.a = 0;
        sim_at(sim, 0, gate, event);
    }
    if (sim_chance(sim, 100)) {
        sim_application_commit(sim, member);
    }
}

void sim_poll(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (!member->leaving && sim->settings.commit_interval == OD_NEVER && sim_chance(sim, 200)) {
        sim_application_commit(sim, member);
    }
    if (member->batch_open) {
        end_batch(sim, member);
    } else if (!member->leaving) {
        sim_member_step(sim, member,
                        (struct od_event){.type = OD_EVENT_WANT, .number = {.n = (uint64_t)sim_between(sim, 1, 20)}});
    }
    sim_at(sim, sim_between(sim, 5, sim->healed ? 100 : 600), sim_poll, to(member));
}
