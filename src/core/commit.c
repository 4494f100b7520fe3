/*
 * Commits: the first unfinished offset and the map of what is done above it, from one snapshot, one in flight for a stay, only what
 * changed. Every commit carries the map: one without it would make records run again that had ended before it. A map that is longer
 * than 1 KiB is sent at most every commit.map_interval, and the offset with it.
 *
 * With each goes the highest leader epoch that was read, by this member or a former owner. It is never below that of the record before the offset (epochs only grow along a
 * log), so the leader's answer where that epoch ends says for sure whether the log below the offset is still the one that was handled: an
 * unclean election below it begins a higher epoch there. Control records count, the lower epoch of the record before them would look like one.
 */
#include <stdlib.h>

#include "core/state.h"

enum { SMALL_MAP = 1024, ATTEMPTS_MAX = 512, LAST_LEAST_MS = 500 };

uint64_t od_commit_uncommitted(const struct od_stay *stay)
{
    int64_t below = stay->window.base - stay->commit.base;
    return (below > 0 ? (uint64_t)below : 0) + stay->window.done_above;
}

bool od_commit_never(const struct od_core *core)
{
    return core->settings->commit_interval == OD_NEVER;
}

void od_commit_changed(struct od_core *core, struct od_stay *stay)
{
    stay->commit.version++;
    if (stay->commit.first_ms == OD_NO_TIME) {
        stay->commit.first_ms = core->now_ms;
    }
    od_stay_touch(core, stay);
}

void od_commit_soon(struct od_core *core, struct od_stay *stay, int64_t within_ms)
{
    int64_t at = core->now_ms + within_ms;
    if (at < stay->commit.soon_ms) {
        stay->commit.soon_ms = at;
    }
    od_stay_touch(core, stay);
}

static bool changed(const struct od_stay *stay)
{
    return stay->ready && stay->commit.version != stay->commit.committed_version;
}

static bool possible(const struct od_core *core, const struct od_stay *stay)
{
    const struct od_tracker *commit = &stay->commit;
    return changed(stay) && !commit->flight && !core->suspect && commit->last_result != OD_COMMIT_FENCED;
}

/* What the former owner had done and this one has not read yet: it must not be forgotten. */
static const struct od_offset_map *before(const struct od_stay *stay)
{
    return stay->skipping ? &stay->map : NULL;
}

/* The longest the text can be now; a cheap upper bound. */
static size_t map_size(const struct od_stay *stay)
{
    return stay->window.done_above || stay->attempted || stay->skipping
               ? od_offset_map_bound(&stay->window, before(stay), 0, stay->window.done_end) +
                     (size_t)stay->attempted * 12
               : 0;
}

/* When the interval, a copy or a want asks for a commit; OD_NO_TIME: not. */
static int64_t due(const struct od_core *core, const struct od_stay *stay)
{
    const struct od_tracker *commit = &stay->commit;
    if (commit->wanted || commit->first_due) {
        return core->now_ms;
    }
    if (od_commit_never(core)) {
        return OD_NO_TIME;
    }
    int64_t interval = core->settings->commit_interval;
    int64_t at = commit->first_ms + interval;
    if (commit->last_ms + interval > at) {
        at = commit->last_ms + interval;
    }
    if (map_size(stay) > SMALL_MAP) {
        int64_t map = commit->last_ms + core->settings->commit_map_interval;
        at = map > at ? map : at;
    }
    return commit->soon_ms < at ? commit->soon_ms : at;
}

/* When a record is to be tried again, parked or on its way to the retry topic, as Unix time; 0: it does not wait for a time. */
static int64_t due_wall(const struct od_core *core, const struct od_record *record)
{
    if (record->state == OD_RECORD_COPYING) {
        return record->due_wall_ms; /* should the copy never be written, the next owner must not be early */
    }
    if (record->state != OD_RECORD_PARKED || record->due_ms == OD_NO_TIME || record->due_ms <= core->now_ms) {
        return 0;
    }
    return od_not_before(core->wall_ms, record->due_ms - core->now_ms);
}

/* Attempts of records that wait in their lanes: the next owner goes on counting. */
static size_t attempts_of(const struct od_core *core, const struct od_stay *stay, struct od_map_attempt *ret)
{
    size_t count = 0;
    uint32_t slot;
    uint64_t left = stay->attempted;
    for (int64_t at = stay->window.base;
         left > 0 && count < ATTEMPTS_MAX && (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE; at++) {
        const struct od_record *record = od_record_at(&core->records, slot);
        if (record->flags & OD_FLAG_ATTEMPTED) {
            int64_t due = due_wall(core, record);
            ret[count++] = (struct od_map_attempt){record->offset, record->attempts, record->leader_epoch, due};
            left--;
        }
    }
    return count;
}

static void send(struct od_core *core, struct od_stay *stay)
{
    struct od_tracker *commit = &stay->commit;
    struct od_map_attempt attempts[ATTEMPTS_MAX];
    size_t count = attempts_of(core, stay, attempts), size = 0;
    char *text = NULL;
    if (stay->window.done_above || count || stay->skipping) {
        text = malloc(core->map_cap);
        if (!text || !od_vec_push(&core->texts, text)) {
            free(text);
            core->nomem = true;
            return;
        }
        (void)od_offset_map_encode(&stay->window, before(stay), stay->topic_id_hash, attempts, count, core->map_cap,
                                   text, &size);
    }
    commit->flight = ++core->commit_sequence;
    commit->flight_version = commit->version;
    commit->flight_offset = stay->window.base;
    commit->flight_size = size;
    commit->last_ms = core->now_ms;
    commit->soon_ms = OD_NO_TIME;
    commit->wanted = false;
    core->counters.commits++;
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_COMMIT, stay->id);
    effect->offset = stay->window.base;
    effect->commit.leader_epoch = stay->epoch;
    effect->commit.text = size ? text : "";
    effect->commit.text_size = size;
    effect->commit.sequence = commit->flight;
}

static bool may_commit(const struct od_stay *stay)
{
    switch (stay->state) {
    case OD_STAY_ACTIVE:
    case OD_STAY_CLOSING_GATE:
    case OD_STAY_CALLBACK:
    case OD_STAY_DRAINING:
        return true;
    case OD_STAY_COMMITTING:
        return !stay->finished;
    case OD_STAY_WAITING:
    case OD_STAY_CLOSED:
    case OD_STAY_STATES:
        break;
    }
    return false;
}

void od_commit_review(struct od_core *core, struct od_stay *stay)
{
    if (!possible(core, stay) || !may_commit(stay)) {
        return;
    }
    int64_t at = due(core, stay);
    if (at == OD_NO_TIME) {
        return;
    }
    if (stay->commit.again_ms > at) {
        at = stay->commit.again_ms;
    }
    if (at <= core->now_ms) {
        send(core, stay);
    } else {
        od_stay_wake(core, stay, at);
    }
}

void od_commit_last(struct od_core *core, struct od_stay *stay)
{
    int64_t end = core->now_ms + core->settings->commit_timeout;
    if (stay->end == OD_END_REVOKE && end > core->hold.deadline_ms) {
        int64_t least = core->now_ms + LAST_LEAST_MS; /* the deadline has a margin for it */
        end = core->hold.deadline_ms > least ? core->hold.deadline_ms : least;
    } else if (stay->end == OD_END_CLOSE) {
        /* Behind the join of a rebalance (classic) commits wait at the broker until all have joined: somebody else may be draining. */
        end += core->settings->drain_timeout;
    }
    stay->commit_end_ms = end;
    stay->commit.again_ms = core->now_ms;
    stay->commit.wanted |= !od_commit_never(core);
    od_commit_review(core, stay);
}

/* ---- answers ---- */

static void acknowledged(struct od_core *core, struct od_stay *stay)
{
    struct od_tracker *commit = &stay->commit;
    commit->committed = commit->base = commit->flight_offset;
    commit->committed_version = commit->flight_version;
    commit->failures = 0;
    commit->first_ms = commit->version == commit->committed_version ? OD_NO_TIME : core->now_ms;
    commit->first_due = false;
    commit->wanted =
        commit->wanted && !od_commit_never(core) && changed(stay); /* a want that is not met yet says so below */
    od_named_leave(core, stay, OD_STATE_COMMIT_FAILING);
    od_commit_wants_review(core, stay, ORDERLY_OK);
}

static void failed(struct od_core *core, struct od_stay *stay, int64_t first_ms, int64_t max_ms)
{
    struct od_tracker *commit = &stay->commit;
    bool last = stay->state == OD_STAY_COMMITTING;
    commit->failures++;
    commit->again_ms = core->now_ms + od_doubling(last ? 50 : first_ms, last ? 500 : max_ms, commit->failures);
    commit->wanted = true;
    if (commit->failures >= 3 || commit->last_result == OD_COMMIT_REFUSED) {
        od_named_enter(core, stay, OD_STATE_COMMIT_FAILING, commit->flight_offset);
    }
}

/* Error 12: the cap is halved, for all, until the text that was refused cannot come again. */
static void halve(struct od_core *core, struct od_stay *stay)
{
    if (core->map_cap == OD_OFFSET_MAP_MIN || !stay->commit.flight_size) {
        failed(core, stay, 1000, 30000); /* less than that is no use */
        return;
    }
    do {
        core->map_cap /= 2;
    } while (core->map_cap >= stay->commit.flight_size);
    if (core->map_cap < OD_OFFSET_MAP_MIN) {
        core->map_cap = OD_OFFSET_MAP_MIN;
    }
    od_effect_tell(core, OD_TELL_MAP_CAP_HALVED, stay->id, stay->commit.flight_offset, (int64_t)core->map_cap, 0);
    stay->commit.wanted = true;
}

void od_commit_answered(struct od_core *core, const struct od_event *event)
{
    struct od_stay *stay = od_stay_find(core, event->committed.id);
    if (!stay || !stay->commit.flight || stay->commit.flight != event->committed.sequence) {
        return;
    }
    stay->commit.flight = 0;
    stay->commit.last_result = event->committed.result;
    od_stay_touch(core, stay);
    switch (event->committed.result) {
    case OD_COMMIT_OK:
        acknowledged(core, stay);
        break;
    case OD_COMMIT_AGAIN:
        failed(core, stay, 100, 1000);
        break;
    case OD_COMMIT_OVERTAKEN:
        /* Nothing is started until one is through: what ran would run again if we died now. */
        failed(core, stay, 50, 500);
        break;
    case OD_COMMIT_FENCED:
        core->counters.commits_fenced++;
        od_commit_wants_review(core, stay, ORDERLY_FENCED);
        break;
    case OD_COMMIT_MAP_TOO_LARGE:
        halve(core, stay);
        break;
    case OD_COMMIT_REFUSED:
        failed(core, stay, 1000, 30000);
        od_commit_wants_review(core, stay, ORDERLY_KAFKA);
        break;
    }
    core->counters.commit_failures += event->committed.result != OD_COMMIT_OK;
    od_dispatch_offer(core, stay);
}

bool od_commit_settled(const struct od_core *core, const struct od_stay *stay)
{
    (void)core;
    return !stay->commit.flight && (!changed(stay) || stay->commit.last_result == OD_COMMIT_FENCED);
}

/* ---- COMMIT_WANT ---- */

static void answer(struct od_core *core, uint64_t token, enum orderly_err error)
{
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_COMMIT_DONE, 0);
    effect->done.token = token;
    effect->done.error = error;
}

/* COMMIT_DONE when no part of the token waits any more: the first error of its parts. */
static void answer_if_complete(struct od_core *core, uint64_t token)
{
    enum orderly_err error = ORDERLY_OK;
    for (size_t i = 0; i < core->wants.count; i++) {
        const struct od_commit_want *want = &core->wants.items[i];
        if (want->token != token) {
            continue;
        }
        if (!want->done) {
            return;
        }
        error = error ? error : want->error;
    }
    for (size_t i = core->wants.count; i-- > 0;) {
        if (core->wants.items[i].token == token) {
            od_vec_remove_swap(&core->wants, i);
        }
    }
    answer(core, token, error);
}

void od_commit_wants_review(struct od_core *core, struct od_stay *stay, enum orderly_err error)
{
    for (bool found = core->wants.count > 0; found;) {
        found = false;
        for (size_t i = 0; i < core->wants.count; i++) {
            struct od_commit_want *want = &core->wants.items[i];
            bool met = error || want->version <= stay->commit.committed_version;
            if (want->id != stay->id || want->done) {
                continue;
            }
            if (!met) {
                stay->commit.wanted = true;
                continue;
            }
            want->done = true;
            want->error = error;
            answer_if_complete(core, want->token);
            found = true;
            break;
        }
    }
}

static void want(struct od_core *core, uint64_t token, uint32_t id)
{
    struct od_stay *stay = od_stay_find(core, id);
    struct od_commit_want part = {.token = token, .id = id, .done = true};
    if (!stay) {
        part.error = ORDERLY_STALE;
    } else if (stay->commit.last_result == OD_COMMIT_FENCED) {
        part.error = ORDERLY_FENCED;
    } else if (changed(stay)) {
        part.done = false;
        part.version = stay->commit.version;
        stay->commit.wanted = true;
        od_stay_touch(core, stay);
    }
    core->nomem |= !od_vec_push(&core->wants, part);
}

void od_commit_want(struct od_core *core, const struct od_event *event)
{
    uint64_t token = event->commit_want.token;
    for (size_t i = 0; i < event->commit_want.count; i++) {
        want(core, token, event->commit_want.ids[i]);
    }
    for (size_t i = 0; event->commit_want.count == 0 && i < core->stays.count; i++) {
        if (core->stays.items[i]) {
            want(core, token, core->stays.items[i]->id);
        }
    }
    answer_if_complete(core, token);
}
