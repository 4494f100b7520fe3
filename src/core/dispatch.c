/*
 * Dispatch: which records run next. Stays that have something stand in a ring and take turns, a job each. A record starts only if the
 * offset map still fits whatever subset of the running ones ends, except the one at the watermark, whose end only shortens the map.
 */
#include "core/state.h"

enum {
    JOB_US = 500, /* how long a job of several records may take, by the measured time of the handler */
    JOB_MAX = 64
};

/* ---- the record at the watermark ---- */

/* Its slot, when it could start now; OD_SLOT_NONE. Its end only shortens the map: it may start when nothing else of its stay may. */
static uint32_t base_slot(const struct od_core *core, const struct od_stay *stay)
{
    uint32_t slot = od_window_find(&stay->window, stay->window.base);
    if (slot == OD_SLOT_NONE || od_record_at(&core->records, slot)->state != OD_RECORD_QUEUED) {
        return OD_SLOT_NONE;
    }
    uint32_t lane = od_record_at(&core->records, slot)->lane;
    bool in_turn =
        lane == OD_SLOT_NONE || core->config.poll_face ||
        (od_lane_at(&core->lanes, lane)->state == OD_LANE_QUEUED && od_lane_peek(&core->lanes, lane) == slot);
    return in_turn && !(core->config.poll_face && (od_record_at(&core->records, slot)->flags & OD_FLAG_IN_LANE))
               ? slot
               : OD_SLOT_NONE;
}

/* ---- the ring of stays ---- */

bool od_dispatch_allowed(const struct od_core *core, const struct od_stay *stay)
{
    return stay->state == OD_STAY_ACTIVE && !stay->assigned_pending && !stay->pauses && !stay->stopped &&
           (!stay->map_blocked || base_slot(core, stay) != OD_SLOT_NONE) && !stay->commit.first_due &&
           stay->commit.last_result != OD_COMMIT_OVERTAKEN && !core->callbacks_overrun && !core->suspect &&
           core->close.stage == OD_CLOSE_NOT && od_fault_allows(core, stay);
}

void od_dispatch_offer(struct od_core *core, struct od_stay *stay)
{
    if (stay->listed || !od_queue_any(stay) || !od_dispatch_allowed(core, stay)) {
        return;
    }
    stay->listed = true;
    core->ready_count++;
    if (core->ready_head == OD_SLOT_NONE) {
        core->ready_head = stay->ready_next = stay->ready_prev = stay->index;
        return;
    }
    struct od_stay *head = core->stays.items[core->ready_head];
    struct od_stay *tail = core->stays.items[head->ready_prev];
    stay->ready_next = head->index;
    stay->ready_prev = tail->index;
    tail->ready_next = head->ready_prev = stay->index;
}

void od_dispatch_unlist(struct od_core *core, struct od_stay *stay)
{
    if (!stay->listed) {
        return;
    }
    stay->listed = false;
    core->ready_count--;
    if (core->ready_count == 0) {
        core->ready_head = OD_SLOT_NONE;
        return;
    }
    core->stays.items[stay->ready_prev]->ready_next = stay->ready_next;
    core->stays.items[stay->ready_next]->ready_prev = stay->ready_prev;
    if (core->ready_head == stay->index) {
        core->ready_head = stay->ready_next;
    }
}

/* ---- rate: a bucket of a tenth of a second, kept as the time up to which it is spent ---- */

static uint64_t tokens(const struct od_core *core)
{
    if (core->rate == 0) {
        return UINT64_MAX;
    }
    int64_t floor_us = core->now_ms * 1000;
    int64_t spent_us = core->rate_credit_us > floor_us ? core->rate_credit_us : floor_us;
    int64_t left_us = floor_us + 100000 - spent_us;
    int64_t each_us = (int64_t)(1000000 / core->rate);
    each_us = each_us > 0 ? each_us : 1;
    return left_us < each_us ? left_us >= 100000 : (uint64_t)(left_us / each_us);
}

static void spend_token(struct od_core *core)
{
    if (core->rate == 0) {
        return;
    }
    int64_t floor_us = core->now_ms * 1000;
    int64_t each_us = (int64_t)(1000000 / core->rate);
    if (core->rate_credit_us < floor_us) {
        core->rate_credit_us = floor_us;
    }
    core->rate_credit_us += each_us > 0 ? each_us : 1;
}

/* ---- one record ---- */

/* Whether the map still fits, and the window. */
static bool reserve(struct od_core *core, struct od_stay *stay, const struct od_record *record)
{
    if (record->offset == stay->window.base) {
        return true;
    }
    uint64_t out = stay->running + stay->copying;
    stay->window_blocked = out + stay->window.done_above > (uint64_t)core->settings->limit_window;
    if (stay->window_blocked) {
        return false;
    }
    int64_t last = record->offset > stay->last_dispatched ? record->offset : stay->last_dispatched;
    return od_offset_map_bound(&stay->window, stay->skipping ? &stay->map : NULL, out + 1, last) <= core->map_cap;
}

static void start(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_assert(record->tag != 0 && record->offset >= stay->window.base);
    od_move(core, stay, slot, OD_RECORD_RUNNING);
    record->started_ms = core->now_ms;
    record->flags |= OD_FLAG_DISPATCHED;
    if (record->offset > stay->last_dispatched) {
        stay->last_dispatched = record->offset;
    }
    spend_token(core);
    core->counters.started++;
    struct od_source *source = od_source_of(core, stay);
    if (source->fault_until_ms != OD_NO_TIME) {
        source->probe = od_record_id(&core->records, slot);
    }
    od_effect_run(core, (struct od_run){.record = od_record_id(&core->records, slot),
                                        .tag = record->tag,
                                        .id = stay->id,
                                        .lane = record->lane == OD_SLOT_NONE ? 0 : record->lane + 1,
                                        .attempt = record->attempts + 1u});
}

static void block(struct od_core *core, struct od_stay *stay)
{
    stay->map_blocked = true;
    od_stay_touch(core, stay);
}

/* ---- the run face: jobs ---- */

static size_t take_lane(struct od_core *core, struct od_stay *stay, size_t most, bool one_each)
{
    uint32_t lane = od_lane_list_pop(&stay->lanes, &core->lanes);
    size_t took = 0;
    while (took < most && (took == 0 || !one_each)) {
        uint32_t slot = od_lane_peek(&core->lanes, lane);
        if (slot == OD_SLOT_NONE || od_record_at(&core->records, slot)->state != OD_RECORD_QUEUED) {
            break;
        }
        if (!reserve(core, stay, od_record_at(&core->records, slot))) {
            block(core, stay);
            break;
        }
        (void)od_queue_pop_lane(core, stay, lane);
        if (od_lane_at(&core->lanes, lane)->out++ == 0) {
            od_lane_move(od_lane_at(&core->lanes, lane), OD_LANE_RUNNING);
        }
        start(core, stay, slot);
        took++;
    }
    od_lane_review(core, stay, lane);
    return took;
}

static size_t take_free(struct od_core *core, struct od_stay *stay, size_t most)
{
    size_t took = 0;
    uint32_t slot;
    while (took < most && (slot = od_queue_pop_free(core, stay)) != OD_SLOT_NONE) {
        if (!reserve(core, stay, od_record_at(&core->records, slot))) {
            od_queue_unpop_free(core, stay, slot);
            block(core, stay);
            break;
        }
        start(core, stay, slot);
        took++;
    }
    return took;
}

/* The record at the watermark, though the map or the window is full. */
static size_t take_base(struct od_core *core, struct od_stay *stay)
{
    uint32_t slot = base_slot(core, stay);
    if (slot == OD_SLOT_NONE) {
        return 0;
    }
    uint32_t lane = od_record_at(&core->records, slot)->lane;
    if (lane == OD_SLOT_NONE || core->config.poll_face) {
        od_queue_take_free(core, stay, slot);
    } else {
        od_lane_list_remove(&stay->lanes, &core->lanes, lane);
        (void)od_queue_pop_lane(core, stay, lane);
        od_lane_at(&core->lanes, lane)->out++;
        od_lane_move(od_lane_at(&core->lanes, lane), OD_LANE_RUNNING);
    }
    start(core, stay, slot);
    return 1;
}

static size_t job_size(const struct od_core *core, const struct od_stay *stay)
{
    const struct od_source *source = od_source_of(core, stay);
    size_t size = 1;
    if (source->fault_until_ms != OD_NO_TIME) {
        return 1; /* the probe */
    }
    if (core->config.batch_max) {
        size = core->config.batch_max;
    } else if (source->run_us != UINT32_MAX) {
        uint32_t fit = JOB_US / (source->run_us ? source->run_us : 1);
        uint64_t workers = core->config.workers ? core->config.workers : 1;
        uint64_t fair = core->concurrency / workers;
        size = fit < JOB_MAX ? fit : JOB_MAX;
        size = size < fair ? size : (size_t)fair;
        size = size ? size : 1;
    }
    uint64_t left = core->concurrency - core->running;
    uint64_t rate = tokens(core);
    size = size < left ? size : (size_t)left;
    return size < rate ? size : (size_t)rate;
}

/* A batch that is not full waits a little for more. */
static bool batch_waits(struct od_core *core, struct od_stay *stay)
{
    if (!core->config.batch_max || core->config.batch_wait_ms <= 0 ||
        stay->lanes.count + stay->free.count >= core->config.batch_max) {
        stay->batch_since_ms = OD_NO_TIME;
        return false;
    }
    if (stay->batch_since_ms == OD_NO_TIME) {
        stay->batch_since_ms = core->now_ms;
    }
    int64_t until = stay->batch_since_ms + core->config.batch_wait_ms;
    if (core->now_ms >= until) {
        stay->batch_since_ms = OD_NO_TIME;
        return false;
    }
    od_stay_wake(core, stay, until);
    return true;
}

static void push_job(struct od_core *core, struct od_stay *stay, size_t first)
{
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_RUN, stay->id);
    effect->run.first = first;
    effect->run.count = core->effects->run_count - first;
    if (!core->config.poll_face && !core->config.batch_max && !core->nomem) {
        od_recall_note(core, stay, core->effects->runs + first, effect->run.count);
    }
    od_stay_touch(core, stay);
}

static bool take_job(struct od_core *core, struct od_stay *stay)
{
    size_t most = job_size(core, stay), first = core->effects->run_count, took = 0;
    bool one_each = core->config.batch_max > 0;
    while (took < most && !stay->map_blocked && !core->nomem && od_queue_any(stay)) {
        stay->lane_turn = stay->lanes.count > 0 && (stay->free.count == 0 || !stay->lane_turn);
        if (stay->lane_turn) {
            took += take_lane(core, stay, most - took, one_each);
        } else {
            took += take_free(core, stay, one_each ? most - took : 1);
        }
    }
    if (took < most && stay->map_blocked && !core->nomem) {
        took += take_base(core, stay);
    }
    if (took) {
        push_job(core, stay, first);
    }
    return took > 0;
}

static void run_jobs(struct od_core *core)
{
    while (core->ready_count > 0 && core->running < core->concurrency && tokens(core) > 0 && !core->nomem) {
        struct od_stay *stay = core->stays.items[core->ready_head];
        if (!od_dispatch_allowed(core, stay) || !od_queue_any(stay) || batch_waits(core, stay) ||
            !take_job(core, stay) || !od_queue_any(stay)) {
            od_dispatch_unlist(core, stay);
        } else {
            core->ready_head = stay->ready_next;
        }
    }
}

/* ---- the poll face: a batch ---- */

/* Records of one partition are in offset order; nearly all of them are already. */
static void sort_slice(struct od_core *core, size_t first)
{
    struct od_run *runs = core->effects->runs;
    for (size_t i = first + 1; i < core->effects->run_count; i++) {
        struct od_run run = runs[i];
        int64_t offset = od_record_at(&core->records, od_record_slot(run.record))->offset;
        size_t at = i;
        while (at > first && od_record_at(&core->records, od_record_slot(runs[at - 1].record))->offset > offset) {
            runs[at] = runs[at - 1];
            at--;
        }
        runs[at] = run;
    }
}

/* A parked record of its lane comes before it. */
static bool waits_behind(const struct od_core *core, const struct od_record *record)
{
    if (record->lane == OD_SLOT_NONE) {
        return false;
    }
    uint32_t head = od_lane_peek(&core->lanes, record->lane);
    return head != OD_SLOT_NONE && od_record_at(&core->records, head)->offset < record->offset;
}

static size_t hand_out(struct od_core *core, struct od_stay *stay, size_t most)
{
    size_t first = core->effects->run_count, took = 0;
    uint32_t slot;
    while (took < most && !stay->map_blocked && (slot = od_queue_pop_free(core, stay)) != OD_SLOT_NONE) {
        struct od_record *record = od_record_at(&core->records, slot);
        if (waits_behind(core, record)) {
            od_queue_behind(core, stay, slot);
            continue;
        }
        if (!reserve(core, stay, record)) {
            od_queue_unpop_free(core, stay, slot);
            block(core, stay);
            break;
        }
        start(core, stay, slot);
        took++;
        if (!od_dispatch_allowed(core, stay)) {
            break; /* a probe goes alone */
        }
    }
    if (took < most && stay->map_blocked && !core->nomem && od_dispatch_allowed(core, stay)) {
        took += take_base(core, stay);
    }
    if (took) {
        sort_slice(core, first);
        push_job(core, stay, first);
    }
    return took;
}

static void run_batch(struct od_core *core)
{
    uint64_t left = core->want, stays = core->ready_count, rate = tokens(core);
    left = left < rate ? left : rate;
    bool any = false;
    for (; stays > 0 && left > 0 && core->ready_count > 0 && !core->nomem; stays--) {
        struct od_stay *stay = core->stays.items[core->ready_head];
        size_t took = 0;
        if (od_dispatch_allowed(core, stay)) {
            took = hand_out(core, stay, (size_t)((left + stays - 1) / stays));
        }
        any |= took > 0;
        left -= took;
        if (!od_queue_any(stay) || !od_dispatch_allowed(core, stay)) {
            od_dispatch_unlist(core, stay);
        } else {
            core->ready_head = stay->ready_next;
        }
    }
    if (any) {
        core->want = 0;
    }
}

/* ---- */

void od_dispatch(struct od_core *core)
{
    if (core->suspect || core->close.stage != OD_CLOSE_NOT) {
        return;
    }
    if (!core->config.poll_face) {
        run_jobs(core);
    } else if (core->want > 0) {
        run_batch(core);
    }
}

int64_t od_dispatch_deadline(const struct od_core *core)
{
    bool waits = core->rate && core->ready_count > 0 && !core->suspect && core->close.stage == OD_CLOSE_NOT &&
                 tokens(core) == 0 && (core->config.poll_face ? core->want > 0 : core->running < core->concurrency);
    if (!waits) {
        return OD_NO_TIME;
    }
    int64_t each_us = (int64_t)(1000000 / core->rate);
    int64_t at_us = core->rate_credit_us - 100000 + (each_us < 100000 ? each_us : 100000);
    int64_t at_ms = (at_us + 999) / 1000;
    return at_ms > core->now_ms ? at_ms : core->now_ms + 1;
}

void od_dispatch_want(struct od_core *core, const struct od_event *event)
{
    core->want = event->number.n;
}

void od_dispatch_concurrency(struct od_core *core, const struct od_event *event)
{
    core->concurrency = event->number.n ? event->number.n : 1;
}

void od_dispatch_rate(struct od_core *core, const struct od_event *event)
{
    core->rate = event->number.n;
    core->rate_credit_us = core->now_ms * 1000;
}
