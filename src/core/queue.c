/* Where a record waits: in its lane, among those without one, or parked; and how it leaves the core. */
#include <stdlib.h>
#include <string.h>

#include "core/state.h"

/* ---- queues of ids ---- */

bool od_id_push(struct od_core *core, struct od_id_queue *queue, uint64_t id)
{
    if (queue->first > 64 && queue->first * 2 > queue->count) {
        queue->count -= queue->first;
        memmove(queue->items, queue->items + queue->first, queue->count * sizeof *queue->items);
        queue->first = 0;
    }
    if (!od_vec_push(queue, id)) {
        core->nomem = true;
        return false;
    }
    return true;
}

uint32_t od_id_peek(struct od_core *core, struct od_id_queue *queue)
{
    while (queue->first < queue->count) {
        uint32_t slot = od_records_find(&core->records, queue->items[queue->first]);
        if (slot != OD_SLOT_NONE) {
            return slot;
        }
        queue->first++;
    }
    queue->first = queue->count = 0;
    return OD_SLOT_NONE;
}

void od_id_pop(struct od_id_queue *queue)
{
    od_assert(queue->first < queue->count);
    queue->first++;
}

/* ---- states and what is counted by them ---- */

static void count(struct od_core *core, struct od_stay *stay, const struct od_record *record, uint64_t by)
{
    switch ((enum od_record_state)record->state) {
    case OD_RECORD_QUEUED:
        stay->queued += by;
        core->queued += by;
        break;
    case OD_RECORD_RUNNING:
        stay->running += by;
        core->running += by;
        break;
    case OD_RECORD_PARKED:
        stay->parked += by;
        core->parked_count += by;
        if (record->tag) {
            int64_t bytes = by == 1 ? record->size_bytes : -(int64_t)record->size_bytes;
            core->bytes_parked += bytes;
            stay->bytes_parked += bytes;
        } else {
            core->let_go += by;
            stay->bytes_bare += by == 1 ? record->size_bytes : -(int64_t)record->size_bytes;
        }
        break;
    case OD_RECORD_COPYING:
        stay->copying += by;
        core->copying += by;
        break;
    case OD_RECORD_FETCHED:
    case OD_RECORD_DONE:
    case OD_RECORD_STATES:
        break;
    }
}

void od_move(struct od_core *core, struct od_stay *stay, uint32_t slot, enum od_record_state to)
{
    struct od_record *record = od_record_at(&core->records, slot);
    count(core, stay, record, UINT64_MAX);
    od_record_move(record, to);
    count(core, stay, record, 1);
}

/* ---- the list of those without a lane ---- */

static void free_push(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_fifo *fifo = &stay->free;
    od_record_at(&core->records, slot)->next = OD_SLOT_NONE;
    if (fifo->tail == OD_SLOT_NONE) {
        fifo->head = slot;
    } else {
        od_record_at(&core->records, fifo->tail)->next = slot;
    }
    fifo->tail = slot;
    fifo->count++;
}

void od_queue_unpop_free(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_fifo *fifo = &stay->free;
    od_record_at(&core->records, slot)->next = fifo->head;
    fifo->head = slot;
    if (fifo->tail == OD_SLOT_NONE) {
        fifo->tail = slot;
    }
    fifo->count++;
}

uint32_t od_queue_pop_free(struct od_core *core, struct od_stay *stay)
{
    struct od_fifo *fifo = &stay->free;
    uint32_t slot = fifo->head;
    if (slot != OD_SLOT_NONE) {
        struct od_record *record = od_record_at(&core->records, slot);
        fifo->head = record->next;
        if (fifo->head == OD_SLOT_NONE) {
            fifo->tail = OD_SLOT_NONE;
        }
        record->next = OD_SLOT_NONE;
        fifo->count--;
    }
    return slot;
}

void od_queue_take_free(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_fifo *fifo = &stay->free;
    uint32_t before = OD_SLOT_NONE, at = fifo->head;
    while (at != slot) {
        od_assert(at != OD_SLOT_NONE);
        before = at;
        at = od_record_at(&core->records, at)->next;
    }
    uint32_t after = od_record_at(&core->records, slot)->next;
    if (before == OD_SLOT_NONE) {
        fifo->head = after;
    } else {
        od_record_at(&core->records, before)->next = after;
    }
    if (after == OD_SLOT_NONE) {
        fifo->tail = before;
    }
    od_record_at(&core->records, slot)->next = OD_SLOT_NONE;
    fifo->count--;
}

/* ---- lanes ---- */

static void lane_grown(struct od_core *core, struct od_stay *stay, uint32_t lane)
{
    if (od_lane_at(&core->lanes, lane)->count == (uint32_t)core->settings->limit_lane) {
        stay->lanes_full++;
    }
}

static void lane_shrunk(struct od_core *core, struct od_stay *stay, uint32_t lane)
{
    if (od_lane_at(&core->lanes, lane)->count + 1 == (uint32_t)core->settings->limit_lane) {
        od_assert(stay->lanes_full > 0);
        stay->lanes_full--;
        od_stay_touch(core, stay);
    }
}

static void lane_insert(struct od_core *core, struct od_stay *stay, uint32_t lane, uint32_t slot, bool newest)
{
    struct od_record *record = od_record_at(&core->records, slot);
    record->flags |= OD_FLAG_IN_LANE;
    if (newest) {
        od_lane_push(&core->lanes, &core->records, lane, slot);
    } else {
        od_lane_insert(&core->lanes, &core->records, lane, slot);
    }
    lane_grown(core, stay, lane);
}

uint32_t od_queue_pop_lane(struct od_core *core, struct od_stay *stay, uint32_t lane)
{
    uint32_t slot = od_lane_pop(&core->lanes, &core->records, lane);
    if (slot != OD_SLOT_NONE) {
        od_record_at(&core->records, slot)->flags &= (uint8_t)~OD_FLAG_IN_LANE;
        lane_shrunk(core, stay, lane);
    }
    return slot;
}

/* The lane of a new record; OD_SLOT_NONE: none. */
static uint32_t lane_for(struct od_core *core, struct od_stay *stay, const struct od_record *record)
{
    uint64_t hash = 0;
    if (core->settings->order == OD_ORDER_NONE) {
        return OD_SLOT_NONE;
    }
    if (core->settings->order == OD_ORDER_KEY) {
        if (!(record->flags & OD_FLAG_KEYED)) {
            return OD_SLOT_NONE;
        }
        hash = od_lane_hash(record->key_hash);
    }
    uint32_t lane = od_lanes_get(&core->lanes, stay->index, hash);
    core->nomem |= lane == OD_SLOT_NONE;
    return lane;
}

/* Poll face: all that is queued stands in one list, in the order of offsets, so that no lane is overtaken whatever comes back when. */
static void free_merge(struct od_core *core, struct od_stay *stay, struct od_fifo add)
{
    struct od_fifo rest = stay->free;
    stay->free = OD_FIFO_EMPTY;
    while (add.count && rest.count) {
        struct od_record *a = od_record_at(&core->records, add.head), *b = od_record_at(&core->records, rest.head);
        struct od_fifo *from = a->offset < b->offset ? &add : &rest;
        uint32_t slot = from->head;
        from->head = od_record_at(&core->records, slot)->next;
        from->count--;
        free_push(core, stay, slot);
    }
    struct od_fifo *left = add.count ? &add : &rest;
    if (left->count) {
        if (stay->free.tail == OD_SLOT_NONE) {
            stay->free.head = left->head;
        } else {
            od_record_at(&core->records, stay->free.tail)->next = left->head;
        }
        stay->free.tail = left->tail;
        stay->free.count += left->count;
    }
}

static void free_insert(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    od_record_at(&core->records, slot)->next = OD_SLOT_NONE;
    free_merge(core, stay, (struct od_fifo){slot, slot, 1});
}

/* Poll face: what stands before the first parked record of the lane may be handed out. */
static void lane_release(struct od_core *core, struct od_stay *stay, uint32_t lane)
{
    struct od_fifo rest = stay->free;
    stay->free = OD_FIFO_EMPTY;
    for (uint32_t slot; (slot = od_lane_peek(&core->lanes, lane)) != OD_SLOT_NONE &&
                        od_record_at(&core->records, slot)->state == OD_RECORD_QUEUED;) {
        od_queue_pop_lane(core, stay, lane);
        od_lane_at(&core->lanes, lane)->out++;
        free_push(core, stay, slot);
    }
    struct od_fifo released = stay->free;
    stay->free = rest;
    if (released.count) {
        free_merge(core, stay, released);
        od_dispatch_offer(core, stay);
    }
}

static enum od_lane_state lane_wanted(const struct od_core *core, uint32_t index)
{
    const struct od_lane *lane = od_lane_at(&core->lanes, index);
    if (lane->out && !core->config.poll_face) {
        return OD_LANE_RUNNING;
    }
    if (lane->head == OD_SLOT_NONE) {
        return OD_LANE_IDLE;
    }
    return od_record_at(&core->records, lane->head)->state == OD_RECORD_PARKED ? OD_LANE_PARKED : OD_LANE_QUEUED;
}

void od_lane_review(struct od_core *core, struct od_stay *stay, uint32_t index)
{
    if (core->config.poll_face) {
        lane_release(core, stay, index);
    }
    struct od_lane *lane = od_lane_at(&core->lanes, index);
    enum od_lane_state wanted = lane_wanted(core, index);
    if (lane->state != (uint8_t)wanted) {
        od_lane_move(lane, wanted);
    }
    if (wanted == OD_LANE_QUEUED) {
        if (!lane->listed) {
            od_lane_list_push(&stay->lanes, &core->lanes, index);
        }
        od_dispatch_offer(core, stay); /* its head may be another one now */
    } else if (wanted != OD_LANE_QUEUED && lane->listed) {
        od_lane_list_remove(&stay->lanes, &core->lanes, index);
    }
    if (wanted == OD_LANE_IDLE && lane->out == 0) {
        od_lanes_remove(&core->lanes, index);
    }
}

void od_lane_out(struct od_core *core, struct od_stay *stay, struct od_record *record)
{
    uint32_t lane = record->lane;
    if (lane == OD_SLOT_NONE) {
        return;
    }
    od_assert(od_lane_at(&core->lanes, lane)->out > 0);
    od_lane_at(&core->lanes, lane)->out--;
    if (!(record->flags & OD_FLAG_IN_LANE) && record->state != OD_RECORD_QUEUED) {
        record->lane = OD_SLOT_NONE; /* it has left; the lane may go before it */
    }
    od_lane_review(core, stay, lane);
}

/* ---- waiting ---- */

bool od_queue_any(const struct od_stay *stay)
{
    return stay->free.count > 0 || stay->lanes.count > 0;
}

static void join(struct od_core *core, struct od_stay *stay, uint32_t slot, bool newest)
{
    struct od_record *record = od_record_at(&core->records, slot);
    uint32_t lane = lane_for(core, stay, record);
    record->flags &= (uint8_t)~OD_FLAG_KEYED;
    record->due_wall_ms = 0;
    record->lane = lane;
    if (core->nomem) {
        return;
    }
    if (lane == OD_SLOT_NONE || core->config.poll_face) {
        if (lane != OD_SLOT_NONE) {
            od_lane_at(&core->lanes, lane)->out++;
        }
        if (core->config.poll_face && !newest) {
            free_insert(core, stay, slot);
        } else {
            free_push(core, stay, slot);
        }
        od_dispatch_offer(core, stay);
    } else {
        lane_insert(core, stay, lane, slot, newest);
        od_lane_review(core, stay, lane);
    }
}

void od_queue_new(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    od_move(core, stay, slot, OD_RECORD_QUEUED);
    join(core, stay, slot, true);
}

void od_queue_back(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_move(core, stay, slot, OD_RECORD_QUEUED);
    if (record->lane == OD_SLOT_NONE || core->config.poll_face) {
        if (record->lane != OD_SLOT_NONE) {
            od_lane_at(&core->lanes, record->lane)->out++;
        }
        if (core->config.poll_face) {
            free_insert(core, stay, slot);
        } else {
            od_queue_unpop_free(core, stay, slot);
        }
        od_dispatch_offer(core, stay);
        return;
    }
    lane_insert(core, stay, record->lane, slot, false);
    od_lane_review(core, stay, record->lane);
}

void od_queue_behind(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_lane_at(&core->lanes, record->lane)->out--;
    lane_insert(core, stay, record->lane, slot, false);
}

void od_queue_retag(struct od_core *core, struct od_stay *stay, uint32_t slot, uint64_t tag, uint32_t size_bytes)
{
    struct od_record *record = od_record_at(&core->records, slot);
    count(core, stay, record, UINT64_MAX);
    if (record->tag) {
        od_budget_hold(core, stay, -(int64_t)record->size_bytes);
    }
    record->tag = tag;
    record->size_bytes = size_bytes;
    if (tag) {
        od_budget_hold(core, stay, size_bytes);
    }
    count(core, stay, record, 1);
}

static void into_heap(struct od_core *core, struct od_stay *stay, uint32_t slot, int64_t due_ms)
{
    struct od_record *record = od_record_at(&core->records, slot);
    record->due_ms = due_ms;
    od_wait_enter(core, stay, slot);
}

void od_park(struct od_core *core, struct od_stay *stay, uint32_t slot, int64_t due_ms)
{
    od_move(core, stay, slot, OD_RECORD_PARKED);
    into_heap(core, stay, slot, due_ms);
}

void od_park_in_lane(struct od_core *core, struct od_stay *stay, uint32_t slot, int64_t due_ms)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_move(core, stay, slot, OD_RECORD_PARKED);
    if (record->lane != OD_SLOT_NONE) {
        lane_insert(core, stay, record->lane, slot, false);
    }
    into_heap(core, stay, slot, due_ms);
}

void od_queue_new_parked(struct od_core *core, struct od_stay *stay, uint32_t slot, int64_t due_ms)
{
    struct od_record *record = od_record_at(&core->records, slot);
    uint32_t lane = lane_for(core, stay, record);
    record->flags &= (uint8_t)~OD_FLAG_KEYED;
    record->due_wall_ms = 0;
    record->lane = lane;
    if (core->nomem) {
        return;
    }
    od_park_in_lane(core, stay, slot, due_ms);
    if (lane != OD_SLOT_NONE) {
        od_lane_review(core, stay, lane);
    }
}

void od_unpark(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_assert(record->tag != 0);
    core->counters.early += record->due_ms > core->now_ms;
    record->flags &= (uint8_t)~OD_FLAG_RELIEF;
    od_move(core, stay, slot, OD_RECORD_QUEUED);
    if (record->flags & OD_FLAG_IN_LANE) {
        od_lane_review(core, stay, record->lane);
    } else {
        join(core, stay, slot, false);
    }
}

/* ---- the end of a record ---- */

void od_queue_detach(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    if (record->place != OD_SLOT_NONE) {
        od_wait_leave(core, stay, slot);
    }
    if (!(record->flags & OD_FLAG_IN_LANE)) {
        return;
    }
    uint32_t lane = record->lane;
    for (uint32_t left = od_lane_at(&core->lanes, lane)->count; left > 0; left--) {
        uint32_t other = od_queue_pop_lane(core, stay, lane);
        if (other != slot) {
            lane_insert(core, stay, lane, other, true);
        }
    }
    record->lane = OD_SLOT_NONE;
    od_lane_review(core, stay, lane);
}

static void end(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    if (record->state == OD_RECORD_COPYING) {
        od_copy_leave(core, slot);
    }
    if (record->state == OD_RECORD_PARKED) {
        od_reread_over(core, stay, record);
    }
    if (record->flags & OD_FLAG_ATTEMPTED) {
        stay->attempted--;
    }
    od_move(core, stay, slot, OD_RECORD_DONE);
    if (record->tag) {
        od_effect_push(core, OD_EFFECT_FORGET, stay->id)->tag = record->tag;
        od_budget_hold(core, stay, -(int64_t)record->size_bytes);
    }
    record->lane = OD_SLOT_NONE;
    od_records_remove(&core->records, slot);
    od_stay_touch(core, stay);
}

void od_finish(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    od_assert(record->place == OD_SLOT_NONE && !(record->flags & OD_FLAG_IN_LANE));
    if (record->copy_hash) {
        od_copies_seen_remove(core, stay, slot, true);
    }
    if (!(record->flags & OD_FLAG_STALE)) {
        od_window_done(&stay->window, record->offset, record->leader_epoch);
        od_commit_changed(core, stay);
        if (stay->map_blocked) {
            stay->map_blocked = false;
            od_dispatch_offer(core, stay);
        }
    }
    end(core, stay, slot);
}

void od_abandon(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    if (record->copy_hash) {
        od_copies_seen_remove(core, stay, slot, false);
    }
    od_fault_forgotten(core, stay, od_record_id(&core->records, slot));
    end(core, stay, slot);
}

/* Empties a lane's queue; what was in it has no lane any more. */
static void lane_clear(struct od_core *core, struct od_stay *stay, uint32_t lane)
{
    for (uint32_t slot; (slot = od_queue_pop_lane(core, stay, lane)) != OD_SLOT_NONE;) {
        od_record_at(&core->records, slot)->lane = OD_SLOT_NONE;
    }
    od_lane_review(core, stay, lane);
}

static void leave_lane(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    uint32_t lane = record->lane;
    if (record->flags & OD_FLAG_IN_LANE) {
        lane_clear(core, stay, lane);
    } else if (lane != OD_SLOT_NONE) {
        record->lane = OD_SLOT_NONE;
        od_lane_at(&core->lanes, lane)->out--;
        od_lane_review(core, stay, lane);
    }
}

void od_abandon_all(struct od_core *core, struct od_stay *stay, bool keep_busy)
{
    uint32_t slot;
    stay->free = OD_FIFO_EMPTY;
    for (int64_t at = stay->window.base; (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE; at++) {
        struct od_record *record = od_record_at(&core->records, slot);
        bool busy = record->state == OD_RECORD_RUNNING || record->state == OD_RECORD_COPYING;
        if (keep_busy && busy) {
            record->flags |= OD_FLAG_STALE;
            uint64_t id = od_record_id(&core->records, slot);
            core->nomem |= !od_vec_push(&stay->stale, id);
            continue;
        }
        leave_lane(core, stay, slot);
        od_queue_detach(core, stay, slot);
        od_abandon(core, stay, slot);
    }
    if (keep_busy) {
        return;
    }
    for (size_t i = 0; i < stay->stale.count; i++) {
        slot = od_records_find(&core->records, stay->stale.items[i]);
        if (slot != OD_SLOT_NONE) {
            leave_lane(core, stay, slot);
            od_queue_detach(core, stay, slot);
            od_abandon(core, stay, slot);
        }
    }
    od_vec_clear(&stay->stale);
}

/* A new id: the old one is not known any more. */
static void rename_record(struct od_core *core, uint32_t slot)
{
    struct od_record *record = od_record_at(&core->records, slot);
    core->records.last_use += core->records.last_use == UINT32_MAX ? 2 : 1;
    record->use = core->records.last_use;
}

void od_queue_give_up_running(struct od_core *core, struct od_stay *stay)
{
    uint32_t slot;
    for (int64_t at = stay->window.base;
         stay->ready && stay->running > 0 && (slot = od_window_next(&stay->window, &at)) != OD_SLOT_NONE; at++) {
        if (od_record_at(&core->records, slot)->state == OD_RECORD_RUNNING) {
            leave_lane(core, stay, slot);
            od_fault_forgotten(core, stay, od_record_id(&core->records, slot));
            rename_record(core, slot);
            od_move(core, stay, slot, OD_RECORD_QUEUED); /* in no list */
        }
    }
    for (size_t i = 0; i < stay->stale.count; i++) {
        slot = od_records_find(&core->records, stay->stale.items[i]);
        if (slot != OD_SLOT_NONE && od_record_at(&core->records, slot)->state == OD_RECORD_RUNNING) {
            leave_lane(core, stay, slot);
            od_abandon(core, stay, slot);
        }
    }
}
