/* The transcript: each event and effect as one line. */
#include "sim/sim.h"

static const char *const event_words[] = {
    [OD_EVENT_TICK] = "TICK",
    [OD_EVENT_ASSIGNED] = "ASSIGNED",
    [OD_EVENT_READY] = "READY",
    [OD_EVENT_REVOKE] = "REVOKE",
    [OD_EVENT_LOST] = "LOST",
    [OD_EVENT_FETCHED] = "FETCHED",
    [OD_EVENT_SETTLED] = "SETTLED",
    [OD_EVENT_COPIED] = "COPIED",
    [OD_EVENT_COMMITTED] = "COMMITTED",
    [OD_EVENT_REREAD] = "REREAD",
    [OD_EVENT_CALLBACK_DONE] = "CALLBACK_DONE",
    [OD_EVENT_POSITION] = "POSITION",
    [OD_EVENT_WANT] = "WANT",
    [OD_EVENT_GATE] = "GATE",
    [OD_EVENT_PAUSE] = "PAUSE",
    [OD_EVENT_RESUME] = "RESUME",
    [OD_EVENT_SEEK] = "SEEK",
    [OD_EVENT_MARK_OFFSET] = "MARK_OFFSET",
    [OD_EVENT_COMMIT_WANT] = "COMMIT_WANT",
    [OD_EVENT_CLOSE] = "CLOSE",
    [OD_EVENT_LEFT] = "LEFT",
    [OD_EVENT_SUSPECT] = "SUSPECT",
    [OD_EVENT_CONFIRMED] = "CONFIRMED",
    [OD_EVENT_CONCURRENCY] = "CONCURRENCY",
    [OD_EVENT_RATE] = "RATE",
    [OD_EVENT_LOG_START] = "LOG_START",
    [OD_EVENT_RESET_GUARD] = "RESET_GUARD",
};

static const char *const effect_words[] = {
    [OD_EFFECT_FETCH] = "FETCH",
    [OD_EFFECT_REREAD] = "REREAD",
    [OD_EFFECT_RUN] = "RUN",
    [OD_EFFECT_CANCEL] = "CANCEL",
    [OD_EFFECT_COPY] = "COPY",
    [OD_EFFECT_COMMIT] = "COMMIT",
    [OD_EFFECT_ANSWER_REVOKE] = "ANSWER_REVOKE",
    [OD_EFFECT_ANSWER_LOST] = "ANSWER_LOST",
    [OD_EFFECT_CALLBACK] = "CALLBACK",
    [OD_EFFECT_POSITION] = "POSITION",
    [OD_EFFECT_WAITING] = "WAITING",
    [OD_EFFECT_SEEK] = "SEEK",
    [OD_EFFECT_FORGET] = "FORGET",
    [OD_EFFECT_LET_GO] = "LET_GO",
    [OD_EFFECT_COMMIT_DONE] = "COMMIT_DONE",
    [OD_EFFECT_CLOSED_ASSIGNMENT] = "CLOSED_ASSIGNMENT",
    [OD_EFFECT_QUIT] = "QUIT",
    [OD_EFFECT_LEAVE] = "LEAVE",
    [OD_EFFECT_CLOSED] = "CLOSED",
    [OD_EFFECT_TELL] = "TELL",
    [OD_EFFECT_RECALL] = "RECALL",
};

static const char *const tell_words[] = {
    [OD_TELL_STATE_ENTERED] = "state entered",
    [OD_TELL_STATE_LEFT] = "state left",
    [OD_TELL_GATE_FORCED] = "gate forced",
    [OD_TELL_DRAIN_CUT] = "drain cut",
    [OD_TELL_LATE_OUTCOME] = "late outcome",
    [OD_TELL_DEAD_LETTER] = "dead letter",
    [OD_TELL_RETRY] = "retry",
    [OD_TELL_MAP_REFUSED] = "map refused",
    [OD_TELL_MAP_CAP_HALVED] = "map cap halved",
    [OD_TELL_SKIPPED] = "skipped",
    [OD_TELL_DUPLICATE_COPY] = "duplicate copy",
    [OD_TELL_RELIEF] = "relief",
    [OD_TELL_RECORD_LOST] = "record lost",
    [OD_TELL_RETRY_AFTER_CLAMPED] = "retry-after clamped",
};

static const char *const copy_words[] = {"retry", "dead letter", "relief"};

/* Where the record of a tag stands. */
static const char *where(const struct sim *sim, uint64_t tag)
{
    static char text[4][80];
    static unsigned turn;
    char *to = text[turn++ & 3];
    if (!tag || tag > sim->tags.count) {
        snprintf(to, 80, "tag %llu", (unsigned long long)tag);
        return to;
    }
    const struct sim_tag *it = &sim->tags.items[tag - 1];
    snprintf(to, 80, "%s@%lld", sim_stay_name(sim, it->stay), (long long)it->offset);
    return to;
}

static void say_ids(struct sim *sim, const char *head, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sim_say(sim, "%s %s", head, sim_stay_name(sim, ids[i]));
    }
}

/* The record id as it was started last. */
static const char *record_name(const struct sim *sim, uint64_t record, int member)
{
    for (size_t i = sim->runs.count; i-- > 0;) {
        if (sim->runs.items[i].run.record == record && sim->runs.items[i].member == member) {
            return where(sim, sim->runs.items[i].run.tag);
        }
    }
    return "a record that did not run";
}

static void say_fetched(struct sim *sim, const struct od_event *event)
{
    for (size_t i = 0; i < event->fetched.count; i++) {
        const struct od_fetched *it = &event->fetched.list[i];
        sim_say(sim, "       @%lld epoch %d key %x%s attempts %u%s %u bytes", (long long)it->offset,
                (int)it->leader_epoch, (unsigned)(it->key_hash & 0xffff), it->has_key ? "" : " (none)", it->attempts,
                it->due_ms ? " due later" : "", it->size_bytes);
    }
}

static void say_settled(struct sim *sim, const struct sim_member *member, const struct od_event *event)
{
    static const char *const words[] = {"unset", "ack", "retry", "dead-letter", "release", "drop", "hold", "throttle"};
    for (size_t i = 0; i < event->settled.count; i++) {
        const struct od_settled *it = &event->settled.list[i];
        sim_say(sim, "       %s %s, delay %lld%s", record_name(sim, it->record, member->index),
                it->not_run                 ? "not run"
                : (unsigned)it->outcome < 8 ? words[it->outcome]
                                            : "nonsense",
                (long long)it->delay_ms, it->never ? ", never" : "");
    }
}

void sim_say_event(struct sim *sim, const struct sim_member *member, const struct od_event *event)
{
    if (!sim->transcript) {
        return;
    }
    char head[40];
    snprintf(head, sizeof head, "m%d > %s", member->index, event_words[event->type]);
    if (event->type == OD_EVENT_ASSIGNED) {
        for (size_t i = 0; i < event->assigned.count; i++) {
            sim_say(sim, "%s %s", head, sim_stay_name(sim, event->assigned.list[i].id));
        }
    } else if (event->type == OD_EVENT_READY) {
        sim_say(sim, "%s %s at %lld%s, map %.*s", head, sim_stay_name(sim, event->ready.id),
                (long long)event->ready.position, event->ready.resolved ? " (resolved)" : "",
                (int)event->ready.map_size, event->ready.map);
    } else if (event->type == OD_EVENT_REVOKE || event->type == OD_EVENT_LOST) {
        say_ids(sim, head, event->partitions.ids, event->partitions.count);
    } else if (event->type == OD_EVENT_FETCHED) {
        sim_say(sim, "%s %s %zu, next %lld", head, sim_stay_name(sim, event->fetched.id), event->fetched.count,
                (long long)event->fetched.next_offset);
        say_fetched(sim, event);
    } else if (event->type == OD_EVENT_SETTLED) {
        sim_say(sim, "%s %zu", head, event->settled.count);
        say_settled(sim, member, event);
    } else if (event->type == OD_EVENT_COPIED) {
        sim_say(sim, "%s record %llx result %d", head, (unsigned long long)event->copied.record,
                (int)event->copied.result);
    } else if (event->type == OD_EVENT_COMMITTED) {
        sim_say(sim, "%s %s sequence %llu result %d", head, sim_stay_name(sim, event->committed.id),
                (unsigned long long)event->committed.sequence, (int)event->committed.result);
    } else if (event->type == OD_EVENT_REREAD) {
        sim_say(sim, "%s record %llx result %d %s", head, (unsigned long long)event->reread.record,
                (int)event->reread.result, where(sim, event->reread.tag));
    } else if (event->type == OD_EVENT_SEEK || event->type == OD_EVENT_MARK_OFFSET ||
               event->type == OD_EVENT_LOG_START || event->type == OD_EVENT_POSITION) {
        sim_say(sim, "%s %s %lld", head, sim_stay_name(sim, event->position.id), (long long)event->position.offset);
    } else if (event->type == OD_EVENT_GATE) {
        sim_say(sim, "%s %s", head, event->gate.taken ? "taken" : "given back");
    } else if (event->type == OD_EVENT_PAUSE || event->type == OD_EVENT_RESUME) {
        say_ids(sim, head, event->pause.ids, event->pause.count);
    } else {
        sim_say(sim, "%s", head);
    }
}

void sim_say_effect(struct sim *sim, const struct sim_member *member, const struct od_effect *effect)
{
    if (!sim->transcript) {
        return;
    }
    char head[40];
    snprintf(head, sizeof head, "m%d    < %s", member->index, effect_words[effect->type]);
    if (effect->type == OD_EFFECT_FETCH) {
        sim_say(sim, "%s %s %u records, %lld bytes", head, sim_stay_name(sim, effect->id), effect->fetch.records,
                (long long)effect->fetch.bytes);
    } else if (effect->type == OD_EFFECT_RUN) {
        for (size_t i = 0; i < effect->run.count; i++) {
            const struct od_run *run = &member->effects.runs[effect->run.first + i];
            sim_say(sim, "%s %s lane %u attempt %u record %llx", head, where(sim, run->tag), run->lane, run->attempt,
                    (unsigned long long)run->record);
        }
    } else if (effect->type == OD_EFFECT_CANCEL) {
        sim_say(sim, "%s %s reason %d, %lld ms left", head, where(sim, effect->tag), (int)effect->cancel.reason,
                (long long)effect->cancel.left_ms);
    } else if (effect->type == OD_EFFECT_COPY) {
        sim_say(sim, "%s %s %s@%lld record %llx attempts %u delay %lld form %d", head, copy_words[effect->copy.kind],
                sim_stay_name(sim, effect->id), (long long)effect->offset, (unsigned long long)effect->record,
                effect->copy.attempts, (long long)effect->copy.delay_ms, (int)effect->copy.form);
    } else if (effect->type == OD_EFFECT_COMMIT) {
        sim_say(sim, "%s %s %lld map %.*s sequence %llu", head, sim_stay_name(sim, effect->id),
                (long long)effect->offset, (int)effect->commit.text_size,
                effect->commit.text_size ? effect->commit.text : "", (unsigned long long)effect->commit.sequence);
    } else if (effect->type == OD_EFFECT_ANSWER_REVOKE || effect->type == OD_EFFECT_ANSWER_LOST ||
               effect->type == OD_EFFECT_CALLBACK) {
        say_ids(sim, head, member->effects.ids + effect->ids.first, effect->ids.count);
    } else if (effect->type == OD_EFFECT_FORGET || effect->type == OD_EFFECT_LET_GO) {
        sim_say(sim, "%s %s", head, where(sim, effect->tag));
    } else if (effect->type == OD_EFFECT_TELL) {
        bool state = effect->tell.tell <= OD_TELL_STATE_LEFT;
        sim_say(sim, "%s %s %s%s @%lld %lld %lld", head, sim_stay_name(sim, effect->id), tell_words[effect->tell.tell],
                state ? od_named_state_word(effect->tell.state) : "", (long long)effect->offset,
                (long long)effect->tell.a, (long long)effect->tell.b);
    } else {
        sim_say(sim, "%s %s @%lld", head, effect->id ? sim_stay_name(sim, effect->id) : "", (long long)effect->offset);
    }
}
