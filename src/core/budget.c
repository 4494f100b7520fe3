/*
 * The memory budget. `memory.records` bounds the bytes of all records that are held, and of the copies on their way:
 *
 *     |<------------------- fetched, queued, running, parked with bytes ------------------->|<- re-reads ->|<- copies ->|
 *                                       six or seven eighths                                  an eighth (while      an eighth
 *                                                                                             bytes were let go)
 *
 * Each stay has an equal share of the first part; its credit is what its share has left, and never more than all credits together
 * leave. A credit is replaced when half of it is used up, or when it must be taken back.
 *
 * Read ahead is what a partition lives on while librdkafka reads nothing (a rebalance): thousands of records. A handler that takes
 * microseconds eats those in no time, and each of them is slower to handle for having left the processor's caches meanwhile: while
 * records start that fast, little is read ahead.
 */
#include "core/state.h"

enum {
    RECORDS_AT_ONCE = 50000,
    SPAN_MAX = 1 << 24,
    READ_AHEAD = 4000,     /* queued records of one stay */
    HEADS_ENOUGH = 256,    /* ... once so many of them may start at any time; what waits behind a lane does not count */
    FAST_AHEAD_ALL = 4096, /* the same while records start fast; this one of all stays together, */
    FAST_AHEAD_LEAST = 128, /* but so many of each */
    FAST_HEADS_ENOUGH = 32,
    FAST_PER_MS = 20,
    PACE_MS = 100 /* how often the pace is looked at */
};

void od_budget_hold(struct od_core *core, struct od_stay *stay, int64_t bytes)
{
    stay->bytes_held += bytes;
    core->bytes_held += bytes;
    od_assert(stay->bytes_held >= 0 && core->bytes_held >= 0);
}

int64_t od_budget_fetch_limit(const struct od_core *core)
{
    int64_t eighth = core->settings->memory_records / 8;
    int64_t rest = core->let_go || core->rereading ? 6 * eighth : 7 * eighth;
    return rest > 0 ? rest : 1;
}

int64_t od_budget_share(const struct od_core *core)
{
    int64_t share = od_budget_fetch_limit(core) / (core->stay_count ? core->stay_count : 1);
    return share > 0 ? share : 1;
}

static bool reads(const struct od_core *core, const struct od_stay *stay)
{
    return stay->state == OD_STAY_ACTIVE && stay->end == OD_END_NONE && !stay->pauses && !stay->stopped &&
           core->close.stage == OD_CLOSE_NOT;
}

static void measure_pace(struct od_core *core)
{
    int64_t ms = core->now_ms - core->pace_since_ms;
    if (ms < PACE_MS) {
        return;
    }
    bool fast = (int64_t)(core->counters.started - core->pace_started) >= ms * FAST_PER_MS;
    core->credits_stale = core->credits_stale || fast != core->fast;
    core->fast = fast;
    core->pace_started = core->counters.started;
    core->pace_since_ms = core->now_ms;
}

/* Records of one stay that may wait, read ahead. */
static int64_t read_ahead(const struct od_core *core)
{
    if (!core->fast) {
        return READ_AHEAD;
    }
    int64_t share = FAST_AHEAD_ALL / (int64_t)core->stay_count;
    return share > FAST_AHEAD_LEAST ? share : FAST_AHEAD_LEAST;
}

/* Whether there is enough to start: reading on would not make anything start earlier. */
static bool reading_ahead(const struct od_core *core, const struct od_stay *stay)
{
    uint64_t heads = stay->free.count + (uint64_t)stay->lanes.count;
    uint64_t enough = core->fast ? FAST_HEADS_ENOUGH : HEADS_ENOUGH;
    enough = core->concurrency < enough ? core->concurrency : enough;
    return (int64_t)stay->queued > read_ahead(core) / 2 && heads >= enough;
}

/* A lane that is full and moves is a backlog; it is named when the partition's first record does not end. */
static void name_full_lane(struct od_core *core, struct od_stay *stay)
{
    bool moves = stay->full_behind != stay->window.base;
    od_named_flow(core, stay, OD_STATE_LANE_FULL, stay->lanes_full > 0 && !moves, stay->window.base);
    if (moves && stay->lanes_full > 0) {
        stay->full_behind = stay->window.base;
        od_named_flow(core, stay, OD_STATE_LANE_FULL, true, stay->window.base);
    }
}

/* Records that the limits still let in; which limit says no is a named state. */
static int64_t records_left(struct od_core *core, struct od_stay *stay)
{
    const struct od_settings *settings = core->settings;
    uint64_t inside = stay->queued + stay->running + stay->copying + stay->window.done_above;
    /* The first unfinished one does not count: it is what they wait for. */
    int64_t left = settings->limit_window + 1 - (int64_t)inside;
    int64_t parked = settings->limit_parked - (int64_t)core->parked_count;
    int64_t base = stay->window.base;
    bool wide = od_window_span(&stay->window) >= SPAN_MAX; /* a ring over all of it is kept */
    left = wide ? 0 : left;
    bool full = left <= 0 || (stay->map_blocked && stay->window_blocked);
    od_named_flow(core, stay, OD_STATE_WINDOW_FULL, full, base);
    name_full_lane(core, stay);
    od_named_flow(core, stay, OD_STATE_PARKED_FULL, parked <= 0 && stay->parked > 0, base);
    if (parked <= 0 && stay->parked > 0) {
        core->parked_starved = true;
        return 0;
    }
    if (stay->parked > 0 && left > parked) {
        left = parked;
    }
    if (stay->lanes_full > 0) {
        return 0;
    }
    int64_t at_once = core->fast ? read_ahead(core) : RECORDS_AT_ONCE;
    int64_t ahead = reading_ahead(core, stay) ? read_ahead(core) - (int64_t)stay->queued : at_once;
    return left < ahead ? left : ahead;
}

static int64_t bytes_left(struct od_core *core, struct od_stay *stay)
{
    int64_t limit = od_budget_fetch_limit(core);
    int64_t own = od_budget_share(core) - stay->bytes_held;
    int64_t all = limit - core->bytes_held - (core->credit_bytes - stay->credit_bytes);
    if (all < own) {
        core->starved = true;
        core->starved_bytes = core->bytes_held;
    }
    int64_t left = own < all ? own : all;
    od_named_flow(core, stay, OD_STATE_MEMORY_FULL, left <= 0, stay->window.base);
    return left;
}

static void give(struct od_core *core, struct od_stay *stay, int64_t records, int64_t bytes)
{
    core->credit_records += (uint64_t)records - stay->credit_records;
    core->credit_bytes += bytes - stay->credit_bytes;
    stay->credit_records = (uint32_t)records;
    stay->credit_bytes = bytes;
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_FETCH, stay->id);
    effect->fetch.records = (uint32_t)records;
    effect->fetch.bytes = bytes;
}

void od_budget_review(struct od_core *core, struct od_stay *stay)
{
    int64_t records = 0, bytes = 0;
    od_named_flow(core, stay, OD_STATE_OFFSET_UNKNOWN, !stay->ready && stay->end == OD_END_NONE, -1);
    od_named_flow(core, stay, OD_STATE_MAP_FULL, stay->map_blocked && !stay->window_blocked, stay->window.base);
    if (reads(core, stay)) {
        records = records_left(core, stay);
        bytes = bytes_left(core, stay);
        if (bytes <= 0 && od_reread_make_room(core, stay)) {
            bytes = bytes_left(core, stay);
        }
    }
    if (records <= 0 || bytes <= 0) {
        records = bytes = 0;
    }
    /* A full window or share opens again when there is room for more than a few. */
    if (stay->credit_records == 0 && stay->queued > 0 &&
        ((records < core->settings->limit_window / 16 && records < read_ahead(core) / 2) ||
         bytes < od_budget_fetch_limit(core) / (16 * (int64_t)core->stay_count))) {
        records = bytes = 0;
    }
    bool less = records < stay->credit_records || bytes < stay->credit_bytes;
    bool used = stay->credit_records < records / 2 + records % 2 || stay->credit_bytes < bytes / 2 + bytes % 2;
    if (less || used) {
        give(core, stay, records, bytes);
    }
}

void od_budget_review_all(struct od_core *core)
{
    measure_pace(core);
    int64_t step = core->settings->memory_records / 16;
    bool freed = core->starved && core->bytes_held <= core->starved_bytes - step;
    bool unparked = core->parked_starved &&
                    (int64_t)core->parked_count <= core->settings->limit_parked - core->settings->limit_parked / 16 - 1;
    if (!core->credits_stale && !freed && !unparked) {
        return;
    }
    core->credits_stale = core->starved = core->parked_starved = false;
    for (size_t i = 0; i < core->stays.count && !core->nomem; i++) {
        if (core->stays.items[i]) {
            od_budget_review(core, core->stays.items[i]);
        }
    }
}

void od_budget_took(struct od_core *core, struct od_stay *stay, size_t records, int64_t bytes)
{
    uint32_t used = records < stay->credit_records ? (uint32_t)records : stay->credit_records;
    int64_t used_bytes = bytes < stay->credit_bytes ? bytes : stay->credit_bytes;
    stay->credit_records -= used;
    core->credit_records -= used;
    stay->credit_bytes -= used_bytes;
    core->credit_bytes -= used_bytes;
}

void od_budget_drop_credit(struct od_core *core, struct od_stay *stay)
{
    core->credit_records -= stay->credit_records;
    core->credit_bytes -= stay->credit_bytes;
    stay->credit_records = 0;
    stay->credit_bytes = 0;
}
