/* Copies, commits and re-reads on their way: what arrives, what is answered, what is not. */
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

enum { SLOW_MS = 500, RELIEF_ROUNDING_MS = 10 };

static int64_t delay(struct sim *sim)
{
    if (sim->faults.slow_network && !sim->healed && sim_chance(sim, 50)) {
        return sim_between(sim, SLOW_MS, 6000);
    }
    return sim_between(sim, 1, 40);
}

static struct sim_event to(const struct sim_member *member)
{
    return (struct sim_event){.member = member->index, .incarnation = member->incarnation};
}

static bool fails(struct sim *sim, bool may, uint32_t thousandths)
{
    return may && !sim->healed && sim_chance(sim, thousandths);
}

/* ---- copies */

/* a: record, b: result | kind << 8, c: stay, d: offset. */
static void copy_answered(struct sim *sim, const struct sim_event *event)
{
    struct sim_stay *stay = &sim->stays.items[event->c - 1];
    struct sim_partition *partition = &sim->partitions.items[stay->partition];
    struct sim_entry *entry = sim_entry_at(partition, (int64_t)event->d);
    enum od_copy_result result = (enum od_copy_result)(event->b & 0xff);
    if (result == OD_COPY_OK && entry && event->b >> 8 == OD_COPY_RELIEF) {
        entry->relieved = !stay->answered && !stay->closed && !stay->lost;
    }
    if (result == OD_COPY_OK && entry && !stay->answered && !stay->closed && !stay->cut) {
        entry->told = true;
    }
    sim_member_step(sim, &sim->members[event->member],
                    (struct od_event){.type = OD_EVENT_COPIED, .copied = {.record = event->a, .result = result}});
}

struct landing {
    uint32_t stay, attempts;
    bool unknown; /* its answer will not say that it is there */
    int64_t offset, due_wall, delay;
    enum od_copy_kind kind;
    int64_t skew; /* of the sender's clock */
};

/* Each relief at least relief.min_interval after the one before: so they end, with the record's time, and are few. */
static void relieve(struct sim *sim, const struct landing *landing, const struct sim_entry *from,
                    struct sim_entry *copy)
{
    int64_t apart_by_clocks =
        landing->skew > from->relief_skew ? landing->skew - from->relief_skew : from->relief_skew - landing->skew;
    copy->reliefs = from->reliefs + 1;
    copy->relief_skew = landing->skew;
    copy->relief_at = landing->due_wall - landing->delay - SIM_WALL0 * INT64_C(1000) - landing->skew;
    int64_t apart = copy->relief_at - from->relief_at + apart_by_clocks + RELIEF_ROUNDING_MS;
    if (from->reliefs && apart < sim->settings.relief_min_interval) {
        sim_fail(sim, "%s@%lld is relieved again %lld ms after the last time, not %lld",
                 sim_stay_name(sim, landing->stay), (long long)landing->offset, (long long)apart,
                 (long long)sim->settings.relief_min_interval);
    }
    sim->counts.relieved_again += from->reliefs > 0;
}

/* The place of the copy in the log of its topic: partition for partition. */
static void land_copy(struct sim *sim, const struct landing *landing)
{
    struct sim_partition *from = &sim->partitions.items[sim->stays.items[landing->stay - 1].partition];
    struct sim_entry *entry = sim_entry_at(from, landing->offset);
    uint32_t source = entry->origin, shift = landing->kind == OD_COPY_DEAD_LETTER ? 2 : 1;
    struct sim_partition *target = &sim->partitions.items[source + shift * sim->sources];
    struct sim_entry copy = {.has_key = entry->has_key,
                             .key = entry->key,
                             .size = entry->size,
                             .attempts = landing->attempts,
                             .origin = source,
                             .origin_offset = entry->origin_offset,
                             .copy_hash = od_hash_u64((uint64_t)entry->origin_offset * 64 +
                                                      source * UINT64_C(1000003) * 64 + landing->attempts + 1),
                             .due_wall = landing->due_wall,
                             .delay = landing->delay};
    if (!copy.copy_hash) {
        copy.copy_hash = 1;
    }
    if (landing->kind == OD_COPY_RELIEF) {
        relieve(sim, landing, entry, &copy);
    }
    if (entry->durable && entry->copied && entry->done_stay == landing->stay && !entry->excused &&
        !sim->stays.items[landing->stay - 1].trouble) {
        sim_fail(sim, "%s@%lld is copied twice", sim_stay_name(sim, landing->stay), (long long)landing->offset);
    }
    const struct sim_stay *stay = &sim->stays.items[landing->stay - 1];
    bool late = stay->answered || stay->closed || stay->lost || stay->sought;
    if (!entry->durable || !late) {
        entry->durable = entry->passed = entry->copied = true;
        entry->told = false;
        entry->done_stay = landing->stay;
        entry->excused = late || landing->unknown;
    }
    sim->counts.retries += landing->kind != OD_COPY_DEAD_LETTER;
    sim->counts.dead_letters += landing->kind == OD_COPY_DEAD_LETTER;
    sim_log_append(sim, target, copy);
}

/* a: stay | kind << 32, b: offset, c: attempts, d: due_wall; the delay follows from the due time. */
static void copy_lands(struct sim *sim, const struct sim_event *event)
{
    struct landing landing = {.stay = (uint32_t)event->a,
                              .kind = (enum od_copy_kind)(event->a >> 32 & 0xff),
                              .unknown = event->a >> 40 != 0,
                              .offset = (int64_t)event->b,
                              .attempts = (uint32_t)event->c,
                              .delay = (int64_t)(event->c >> 32),
                              .due_wall = (int64_t)event->d,
                              .skew = sim->members[event->member].skew};
    sim->copies_flying--;
    land_copy(sim, &landing);
}

void sim_copy(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    struct sim_stay *stay = &sim->stays.items[effect->id - 1];
    enum od_copy_result result = OD_COPY_OK;
    bool lands = true;
    const struct sim_tag *tag = effect->tag ? &sim->tags.items[effect->tag - 1] : NULL;
    if (!tag || !tag->alive || tag->offset != effect->offset) {
        sim_fail(sim, "%s@%lld is copied without its bytes", sim_stay_name(sim, effect->id), (long long)effect->offset);
    }
    sim->counts.copies++;
    if (fails(sim, sim->faults.produces, 150)) {
        result = sim_chance(sim, 700) ? OD_COPY_AGAIN : OD_COPY_REFUSED;
        lands = result == OD_COPY_AGAIN && sim_chance(sim, 400);
        stay->trouble |= lands;
    } else if (sim->faults.produces && effect->copy.form == OD_FORM_WHOLE && tag->offset % 13 == 0) {
        result = OD_COPY_TOO_LARGE;
        lands = false;
    } else if (sim->faults.produces && effect->copy.form == OD_FORM_NO_ERROR_TEXT && tag->offset % 39 == 0 &&
               !sim->healed) {
        result = OD_COPY_TOO_LARGE;
        lands = false;
    }
    int64_t after = delay(sim);
    struct sim_event landing = {.member = member->index,
                                .a = effect->id | (uint64_t)effect->copy.kind << 32 |
                                     (uint64_t)(result != OD_COPY_OK) << 40,
                                .b = (uint64_t)effect->offset,
                                .c = effect->copy.attempts | (uint64_t)(uint32_t)effect->copy.delay_ms << 32,
                                .d = (uint64_t)effect->copy.due_ms};
    if (lands) {
        sim->copies_flying++;
        sim_at(sim, after, copy_lands, landing);
    }
    struct sim_event answer = to(member);
    answer.a = effect->record;
    answer.b = (uint64_t)result | (uint64_t)effect->copy.kind << 8;
    answer.c = effect->id;
    answer.d = (uint64_t)effect->offset;
    sim_at(sim, after + delay(sim), copy_answered, answer);
}

/* ---- commits */

/* a: stay, b: sequence, c: result. */
static void commit_answered(struct sim *sim, const struct sim_event *event)
{
    sim_member_step(
        sim, &sim->members[event->member],
        (struct od_event){
            .type = OD_EVENT_COMMITTED,
            .committed = {.id = (uint32_t)event->a, .sequence = event->b, .result = (enum od_commit_result)event->c}});
}

/* Text of a commit: kept in sim->texts from `at` on. */
static void apply(struct sim *sim, uint32_t id, int64_t offset, int32_t epoch, size_t at, size_t size)
{
    struct sim_partition *partition = &sim->partitions.items[sim->stays.items[id - 1].partition];
    const char *text = size ? sim->texts.items + at : "";
    sim_check_commit(sim, id, offset, text, size);
    partition = &sim->partitions.items[sim->stays.items[id - 1].partition];
    partition->committed = offset;
    partition->committed_epoch = epoch;
    partition->text_size = size;
    if (size) {
        memcpy(partition->text, text, size);
    }
}

static void answer(struct sim *sim, uint32_t id, uint64_t sequence, enum od_commit_result result, int64_t after)
{
    struct sim_stay *stay = &sim->stays.items[id - 1];
    stay->trouble |= after >= SLOW_MS; /* a commit in flight may keep the last one from being sent */
    sim_at(
        sim, after, commit_answered,
        (struct sim_event){
            .member = stay->member, .incarnation = stay->incarnation, .a = id, .b = sequence, .c = (uint64_t)result});
}

/* a: stay, b: offset << 16 | leader epoch + 1, c: place of the text << 16 | its size, d: sequence. */
static void commit_lands(struct sim *sim, const struct sim_event *event)
{
    uint32_t id = (uint32_t)event->a;
    struct sim_stay *stay = &sim->stays.items[id - 1];
    const struct sim_partition *partition = &sim->partitions.items[stay->partition];
    const struct sim_member *member = &sim->members[stay->member];
    if (stay->sent != event->d) {
        return; /* it was flushed */
    }
    stay->sent = 0;
    bool ours = partition->owner_stay == id && partition->owner == stay->member && member->valid && !stay->answered;
    size_t size = event->c & 0xffff;
    if (!ours) {
        answer(sim, id, event->d, OD_COMMIT_FENCED, delay(sim));
        return;
    }
    if (size > 60 && fails(sim, sim->faults.commits, 20)) {
        stay->trouble = true;
        answer(sim, id, event->d, OD_COMMIT_MAP_TOO_LARGE, delay(sim));
        return;
    }
    enum od_commit_result result = OD_COMMIT_OK;
    bool applied = true;
    if (fails(sim, sim->faults.commits, 150)) {
        result = sim_chance(sim, 200)   ? OD_COMMIT_REFUSED
                 : sim_chance(sim, 500) ? OD_COMMIT_AGAIN
                                        : OD_COMMIT_OVERTAKEN;
        applied = result == OD_COMMIT_AGAIN && sim_chance(sim, 300);
        stay->trouble = true;
    }
    if (applied) {
        apply(sim, id, (int64_t)(event->b >> 16), (int32_t)(event->b & 0xffff) - 1, (size_t)(event->c >> 16), size);
    }
    answer(sim, id, event->d, result, delay(sim));
}

void sim_commit(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    struct sim_stay *stay = &sim->stays.items[effect->id - 1];
    if (stay->sent) {
        sim_fail(sim, "%s: two commits on their way", sim_stay_name(sim, effect->id));
    }
    if (stay->answered) {
        sim_fail(sim, "%s: a commit after the hand-over", sim_stay_name(sim, effect->id));
    }
    if (effect->commit.text_size > SIM_TEXT) {
        sim_fail(sim, "%s: a map of %zu characters", sim_stay_name(sim, effect->id), effect->commit.text_size);
    }
    (void)member;
    size_t at = sim->texts.count;
    for (size_t i = 0; i < effect->commit.text_size; i++) {
        if (!od_vec_push(&sim->texts, effect->commit.text[i])) {
            abort();
        }
    }
    sim->counts.commits++;
    stay->sent = effect->commit.sequence;
    stay->sent_event =
        (struct sim_event){.a = effect->id,
                           .b = (uint64_t)effect->offset << 16 | (uint64_t)(effect->commit.leader_epoch + 1),
                           .c = (uint64_t)at << 16 | effect->commit.text_size,
                           .d = effect->commit.sequence};
    int64_t after = delay(sim);
    stay->trouble |= after >= SLOW_MS;
    sim_at(sim, after, commit_lands, stay->sent_event);
}

/* Requests of one connection arrive in the order they were sent: before the partition is given up. */
void sim_commit_flush(struct sim *sim, uint32_t id)
{
    struct sim_stay *stay = &sim->stays.items[id - 1];
    if (stay->sent) {
        struct sim_event event = stay->sent_event;
        commit_lands(sim, &event);
    }
}

/* ---- re-reads */

/* a: record, b: stay, c: offset. */
static void reread_answered(struct sim *sim, const struct sim_event *event)
{
    struct sim_stay *stay = &sim->stays.items[event->b - 1];
    struct sim_member *member = &sim->members[event->member];
    struct sim_partition *partition = &sim->partitions.items[stay->partition];
    int64_t offset = (int64_t)event->c;
    struct od_event answer = {.type = OD_EVENT_REREAD, .reread = {.record = event->a}};
    const struct sim_entry *entry = sim_entry_at(partition, offset);
    if (!entry || offset < partition->log_start) { /* deleted, or cut off by an election */
        answer.reread.result = OD_REREAD_GONE;
    } else if (fails(sim, sim->faults.rereads, 200)) {
        answer.reread.result = OD_REREAD_AGAIN;
    } else {
        answer.reread.result = OD_REREAD_OK;
        answer.reread.size_bytes = entry->size;
        answer.reread.tag = sim_tag_new(sim, member, (uint32_t)event->b, offset, entry->size);
    }
    sim_member_step(sim, member, answer);
}

void sim_reread(struct sim *sim, struct sim_member *member, const struct od_effect *effect)
{
    struct sim_event event = to(member);
    event.a = effect->record;
    event.b = effect->id;
    event.c = (uint64_t)effect->offset;
    sim->counts.rereads++;
    sim_at(sim, delay(sim) + delay(sim), reread_answered, event);
}
