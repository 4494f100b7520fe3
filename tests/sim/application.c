/* What the application is promised: its callbacks, the gate, the answers to its commits. */
#include "sim/sim.h"

static struct sim_event to(const struct sim_member *member)
{
    return (struct sim_event){.member = member->index, .incarnation = member->incarnation};
}

/* a: sequence. */
static void callback_done(struct sim *sim, const struct sim_event *event)
{
    for (size_t i = 0; i < sim->stays.count; i++) {
        struct sim_stay *stay = &sim->stays.items[i];
        if (stay->member == event->member && stay->incarnation == event->incarnation &&
            stay->assigned_callback == event->a) {
            stay->assigned_returned = true;
        }
    }
    sim_member_step(sim, &sim->members[event->member],
                    (struct od_event){.type = OD_EVENT_CALLBACK_DONE, .callback = {.sequence = event->a}});
}

/* A held gate keeps the revoke away, up to its own deadline. */
static void check_gate(struct sim *sim, const struct sim_member *member, const char *what)
{
    bool holds = member->gate && member->gate_at_revoke && !member->gate_forced && !member->leaving;
    if (holds && sim->settings.block_rebalance_on_poll) {
        sim_fail(sim, "m%d: %s while the gate is held", member->index, what);
    }
}

/* Once assigned; then once revoked, or once lost, never both. */
static void note(struct sim *sim, struct sim_member *member, uint32_t id, const struct od_effect *effect)
{
    struct sim_stay *stay = &sim->stays.items[id - 1];
    switch (effect->ids.callback) {
    case OD_CALLBACK_ASSIGNED:
        if (stay->assigned_callback || stay->end_told) {
            sim_fail(sim, "%s: a second `assigned`, or one after its end", sim_stay_name(sim, id));
        }
        stay->assigned_callback = effect->ids.sequence;
        return;
    case OD_CALLBACK_REVOKED:
        check_gate(sim, member, "`revoked`");
        break;
    case OD_CALLBACK_LOST:
        break;
    }
    if (stay->end_told) {
        sim_fail(sim, "%s: its end is told twice", sim_stay_name(sim, id));
    }
    stay->end_told = true;
}

void sim_application_callback(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    for (size_t i = 0; i < effect->ids.count; i++) {
        note(sim, member, member->effects.ids[effect->ids.first + i], effect);
    }
    struct sim_event event = to(member);
    event.a = effect->ids.sequence;
    bool slow = sim->faults.slow_network && sim_chance(sim, 50);
    sim_at(sim, slow ? sim_between(sim, 1000, 100000) : sim_between(sim, 0, 300), callback_done, event);
}

void sim_application_run(struct sim *sim, struct sim_member *member, uint32_t id)
{
    const struct sim_stay *stay = &sim->stays.items[id - 1];
    if (stay->end_told) {
        sim_fail(sim, "%s: a record is handed out after its end was told", sim_stay_name(sim, id));
    }
    if (member->config.has_assigned && !stay->assigned_returned) {
        sim_fail(sim, "%s: a record is handed out before `assigned` returned", sim_stay_name(sim, id));
    }
}

void sim_application_revoked(struct sim *sim, struct sim_member *member)
{
    check_gate(sim, member, "the partitions are given up");
}

void sim_application_commit(struct sim *sim, struct sim_member *member)
{
    member->commits_open++;
    struct od_event event = {.type = OD_EVENT_COMMIT_WANT, .commit_want = {.token = ++member->commit_token}};
    sim_member_step(sim, member, event);
}

void sim_application_committed(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    if (!member->commits_open || effect->done.token > member->commit_token) {
        sim_fail(sim, "m%d: an answer to a commit that nobody asked for", member->index);
    }
    member->commits_open--;
}

void sim_application_closed(struct sim *sim, struct sim_member *member)
{
    if (member->commits_open) {
        sim_fail(sim, "m%d has closed and has not answered %u commits", member->index, member->commits_open);
    }
}
