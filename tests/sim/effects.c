/* What a core asks for, done or sent on its way. */
#include "sim/sim.h"

#include <stdlib.h>

static struct sim_event to(const struct sim_member *member)
{
    return (struct sim_event){.member = member->index, .incarnation = member->incarnation};
}

/* The stay an effect names must be this member's, and not over. */
static struct sim_stay *named(struct sim *sim, struct sim_member *member, uint32_t id, const char *what)
{
    if (!id || id > sim->stays.count || sim->stays.items[id - 1].member != member->index ||
        sim->stays.items[id - 1].incarnation != member->incarnation) {
        sim_fail(sim, "m%d: %s names the stay %u, which is not its own", member->index, what, id);
    }
    struct sim_stay *stay = &sim->stays.items[id - 1];
    if (stay->closed) {
        sim_fail(sim, "%s: %s after the assignment was closed", sim_stay_name(sim, id), what);
    }
    return stay;
}

/* ---- answers */

/* a: the member's stays that were given up are in its texts; delivered at once, since requests of one connection keep their order. */
static void answered(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    bool lost = effect->type == OD_EFFECT_ANSWER_LOST;
    for (size_t i = 0; i < effect->ids.count; i++) {
        uint32_t id = member->effects.ids[effect->ids.first + i];
        struct sim_stay *stay = named(sim, member, id, lost ? "ANSWER_LOST" : "ANSWER_REVOKE");
        if (stay->answered && stay->lost) {
            continue;
        }
        sim_group_answered(sim, member, id);
    }
}

static void rejoin(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    if (!member->valid && !member->leaving) {
        sim_group_joined(sim, member);
    }
    member->lost_told = false;
    sim_group_changed(sim);
}

static void answer_lost(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    answered(sim, member, effect);
    for (uint32_t id = 1; id <= sim->stays.count; id++) {
        const struct sim_stay *stay = &sim->stays.items[id - 1];
        if (sim_stay_live(sim, id) && stay->member == member->index && stay->lost && !stay->answered) {
            return; /* there will be one more answer */
        }
    }
    sim_at(sim, sim_between(sim, 10, 2000), rejoin, to(member));
}

/* ---- callbacks */

static void callback(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    for (size_t i = 0; i < effect->ids.count; i++) {
        (void)named(sim, member, member->effects.ids[effect->ids.first + i], "CALLBACK");
    }
    sim_application_callback(sim, member, effect);
}

/* a: stay, b: offset. */
static void position_answered(struct sim *sim, const struct sim_event *event)
{
    sim_member_step(sim, &sim->members[event->member],
                    (struct od_event){.type = OD_EVENT_POSITION,
                                      .position = {.id = (uint32_t)event->a, .offset = (int64_t)event->b}});
}

/* ---- flow */

static void fetch(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    struct sim_stay *stay = named(sim, member, effect->id, "FETCH");
    stay->credit_records = effect->fetch.records;
    stay->credit_bytes = effect->fetch.bytes;
    sim_member_fetch(sim, effect->id);
}

static void seek(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    struct sim_stay *stay = named(sim, member, effect->id, "SEEK");
    if (!stay->sought && !stay->moved && effect->offset != stay->position) {
        sim_fail(sim, "%s: SEEK to %lld, nobody asked for it", sim_stay_name(sim, effect->id),
                 (long long)effect->offset);
    }
    stay->position = effect->offset;
    sim_member_fetch(sim, effect->id);
}

/* ---- the end */

static void left(struct sim *sim, const struct sim_event *event)
{
    struct sim_member *member = &sim->members[event->member];
    sim_member_step(sim, member, (struct od_event){.type = OD_EVENT_LEFT});
}

static void leave(struct sim *sim, struct sim_member *member)
{
    if (!member->leaving) {
        sim_fail(sim, "m%d leaves, nobody asked for it", member->index);
    }
    sim_group_left(sim, member);
    sim_at(sim, sim_between(sim, 1, 500), left, to(member));
}

static void tell(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    struct sim_stay *stay = effect->id ? named(sim, member, effect->id, "TELL") : NULL;
    switch (effect->tell.tell) {
    case OD_TELL_SKIPPED:
        sim->counts.skipped += (uint64_t)effect->tell.a;
        break;
    case OD_TELL_RELIEF:
        sim->counts.reliefs++;
        break;
    case OD_TELL_GATE_FORCED:
        sim->counts.gates_forced++;
        member->gate_forced = true;
        break;
    case OD_TELL_DRAIN_CUT:
        if (sim->faults.strict) {
            sim_fail(sim, "m%d: a drain was cut although all handlers end when told", member->index);
        }
        stay->cut = member->loose = true;
        break;
    case OD_TELL_STATE_ENTERED:
        sim->counts.map_full += effect->tell.state == OD_STATE_MAP_FULL;
        break;
    case OD_TELL_RECORD_LOST:
        if (!sim->faults.log_start) {
            sim_fail(sim, "m%d says a record was lost", member->index);
        }
        break;
    case OD_TELL_STATE_LEFT:
    case OD_TELL_LATE_OUTCOME:
    case OD_TELL_DEAD_LETTER:
    case OD_TELL_RETRY:
    case OD_TELL_MAP_REFUSED:
    case OD_TELL_MAP_CAP_HALVED:
    case OD_TELL_DUPLICATE_COPY:
    case OD_TELL_RETRY_AFTER_CLAMPED:
        break;
    }
}

static void let_go(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    bool forget = effect->type == OD_EFFECT_FORGET;
    sim->counts.let_go += !forget;
    sim_tag_gone(sim, member, effect->tag, forget ? "FORGET" : "LET_GO");
}

static void start_something(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    if (member->suspect) {
        sim_fail(sim, "m%d starts, copies or commits although its membership is in doubt", member->index);
    }
    if (effect->type == OD_EFFECT_RUN) {
        sim_job(sim, member, effect);
        return;
    }
    (void)named(sim, member, effect->id, effect->type == OD_EFFECT_COPY ? "COPY" : "COMMIT");
    if (effect->type == OD_EFFECT_COPY) {
        sim_copy(sim, member, effect);
    } else {
        sim_commit(sim, member, effect);
    }
}

static void over(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    struct sim_stay *stay = named(sim, member, effect->id, "CLOSED_ASSIGNMENT");
    if (!stay->answered) {
        sim_fail(sim, "%s is closed, nobody has given it up", sim_stay_name(sim, effect->id));
    }
    stay->closed = true;
}

void sim_perform(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    struct sim_event event = to(member);
    switch (effect->type) {
    case OD_EFFECT_FETCH:
        fetch(sim, member, effect);
        break;
    case OD_EFFECT_REREAD:
        (void)named(sim, member, effect->id, "REREAD");
        sim_reread(sim, member, effect);
        break;
    case OD_EFFECT_RUN:
    case OD_EFFECT_COPY:
    case OD_EFFECT_COMMIT:
        start_something(sim, member, effect);
        break;
    case OD_EFFECT_CANCEL:
        sim_cancel(sim, member, effect);
        break;
    case OD_EFFECT_ANSWER_REVOKE:
        sim_application_revoked(sim, member);
        answered(sim, member, effect);
        break;
    case OD_EFFECT_ANSWER_LOST:
        answer_lost(sim, member, effect);
        break;
    case OD_EFFECT_CALLBACK:
        callback(sim, member, effect);
        break;
    case OD_EFFECT_POSITION:
        (void)named(sim, member, effect->id, "POSITION");
        event.a = effect->id;
        event.b = (uint64_t)effect->offset;
        sim_at(sim, sim_between(sim, 0, 100), position_answered, event);
        break;
    case OD_EFFECT_SEEK:
        seek(sim, member, effect);
        break;
    case OD_EFFECT_FORGET:
    case OD_EFFECT_LET_GO:
        let_go(sim, member, effect);
        break;
    case OD_EFFECT_CLOSED_ASSIGNMENT:
        over(sim, member, effect);
        break;
    case OD_EFFECT_QUIT:
        (void)named(sim, member, effect->id, "QUIT");
        break;
    case OD_EFFECT_LEAVE:
        leave(sim, member);
        break;
    case OD_EFFECT_CLOSED:
        sim_at(sim, 0, sim_member_closed, event);
        break;
    case OD_EFFECT_TELL:
        tell(sim, member, effect);
        break;
    case OD_EFFECT_COMMIT_DONE:
        sim_application_committed(sim, member, effect);
        break;
    case OD_EFFECT_WAITING:
        break;
    case OD_EFFECT_RECALL:
        sim_recall(sim, member, effect);
        break;
    }
}
