/* Lanes: a hash table of first-in-first-out lists through the records, all by index. */
#include "core/lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

_Static_assert(sizeof(struct od_lane) <= 48, "a million keys may wait");

#define TO(state) (1u << OD_LANE_##state)

static const uint8_t moves[OD_LANE_STATES] = {
    [OD_LANE_IDLE] = TO(QUEUED) | TO(PARKED),
    [OD_LANE_QUEUED] = TO(IDLE) | TO(RUNNING) | TO(PARKED),
    [OD_LANE_RUNNING] = TO(IDLE) | TO(QUEUED) | TO(PARKED),
    [OD_LANE_PARKED] = TO(IDLE) | TO(QUEUED),
};

void od_lane_move(struct od_lane *lane, enum od_lane_state to)
{
    od_assert(to < OD_LANE_STATES && (moves[lane->state] & (1u << to)));
    lane->state = (uint8_t)to;
}

void od_lanes_fini(struct od_lanes *lanes)
{
    free(lanes->lanes);
    free(lanes->buckets);
    *lanes = (struct od_lanes){0};
}

static uint32_t *bucket_of(const struct od_lanes *lanes, uint32_t assignment, uint64_t key_hash)
{
    uint64_t hash = od_hash_u64(key_hash + assignment * UINT64_C(0x9e3779b97f4a7c15));
    return &lanes->buckets[hash & (lanes->bucket_count - 1)];
}

static void rehash(struct od_lanes *lanes)
{
    memset(lanes->buckets, 0xff, lanes->bucket_count * sizeof *lanes->buckets);
    for (uint32_t i = 0; i < lanes->room; i++) {
        struct od_lane *lane = &lanes->lanes[i];
        if (!lane->used) {
            continue;
        }
        uint32_t *bucket = bucket_of(lanes, lane->assignment, lane->key_hash);
        lane->chain = *bucket;
        *bucket = i;
    }
}

/* Twice the lanes and buckets; the new lanes become the free list. Only when none is free. */
static bool grow(struct od_lanes *lanes)
{
    uint32_t room = lanes->room ? 2 * lanes->room : 64;
    uint32_t *buckets = malloc(room * sizeof *buckets);
    struct od_lane *array = buckets ? realloc(lanes->lanes, room * sizeof *array) : NULL;
    if (!array) {
        free(buckets);
        return false;
    }
    for (uint32_t i = lanes->room; i < room; i++) {
        array[i].used = 0;
        array[i].chain = i + 1 < room ? i + 1 : OD_SLOT_NONE;
    }
    free(lanes->buckets);
    lanes->free = lanes->room;
    *lanes = (struct od_lanes){.lanes = array,
                               .room = room,
                               .free = lanes->free,
                               .count = lanes->count,
                               .buckets = buckets,
                               .bucket_count = room};
    rehash(lanes);
    return true;
}

uint32_t od_lanes_find(const struct od_lanes *lanes, uint32_t assignment, uint64_t key_hash)
{
    if (!lanes->count) {
        return OD_SLOT_NONE;
    }
    uint32_t lane = *bucket_of(lanes, assignment, key_hash);
    while (lane != OD_SLOT_NONE &&
           (lanes->lanes[lane].key_hash != key_hash || lanes->lanes[lane].assignment != assignment)) {
        lane = lanes->lanes[lane].chain;
    }
    return lane;
}

uint32_t od_lanes_get(struct od_lanes *lanes, uint32_t assignment, uint64_t key_hash)
{
    uint32_t found = od_lanes_find(lanes, assignment, key_hash);
    if (found != OD_SLOT_NONE) {
        return found;
    }
    if (lanes->count == lanes->room && !grow(lanes)) {
        return OD_SLOT_NONE;
    }
    uint32_t index = lanes->free;
    struct od_lane *lane = &lanes->lanes[index];
    uint32_t *bucket = bucket_of(lanes, assignment, key_hash);
    lanes->free = lane->chain;
    lanes->count++;
    *lane = (struct od_lane){.key_hash = key_hash,
                             .assignment = assignment,
                             .head = OD_SLOT_NONE,
                             .tail = OD_SLOT_NONE,
                             .list_next = OD_SLOT_NONE,
                             .list_prev = OD_SLOT_NONE,
                             .chain = *bucket,
                             .used = 1};
    *bucket = index;
    return index;
}

void od_lanes_remove(struct od_lanes *lanes, uint32_t index)
{
    struct od_lane *lane = &lanes->lanes[index];
    od_assert(lane->used && lane->state == OD_LANE_IDLE && !lane->count && !lane->out && !lane->listed);
    uint32_t *link = bucket_of(lanes, lane->assignment, lane->key_hash);
    while (*link != index) {
        link = &lanes->lanes[*link].chain;
    }
    *link = lane->chain;
    lane->used = 0;
    lane->chain = lanes->free;
    lanes->free = index;
    lanes->count--;
}

void od_lane_push(struct od_lanes *lanes, struct od_records *records, uint32_t index, uint32_t slot)
{
    struct od_lane *lane = &lanes->lanes[index];
    struct od_record *record = od_record_at(records, slot);
    record->lane = index;
    record->next = OD_SLOT_NONE;
    if (lane->tail == OD_SLOT_NONE) {
        lane->head = slot;
    } else {
        od_record_at(records, lane->tail)->next = slot;
    }
    lane->tail = slot;
    lane->count++;
}

void od_lane_push_front(struct od_lanes *lanes, struct od_records *records, uint32_t index, uint32_t slot)
{
    struct od_lane *lane = &lanes->lanes[index];
    struct od_record *record = od_record_at(records, slot);
    record->lane = index;
    record->next = lane->head;
    lane->head = slot;
    if (lane->tail == OD_SLOT_NONE) {
        lane->tail = slot;
    }
    lane->count++;
}

uint32_t od_lane_pop(struct od_lanes *lanes, struct od_records *records, uint32_t index)
{
    struct od_lane *lane = &lanes->lanes[index];
    uint32_t slot = lane->head;
    if (slot == OD_SLOT_NONE) {
        return slot;
    }
    struct od_record *record = od_record_at(records, slot);
    lane->head = record->next;
    if (lane->head == OD_SLOT_NONE) {
        lane->tail = OD_SLOT_NONE;
    }
    record->next = OD_SLOT_NONE;
    lane->count--;
    return slot;
}

void od_lane_insert(struct od_lanes *lanes, struct od_records *records, uint32_t index, uint32_t slot)
{
    struct od_lane *lane = &lanes->lanes[index];
    struct od_record *record = od_record_at(records, slot);
    uint32_t before = OD_SLOT_NONE, after = lane->head;
    while (after != OD_SLOT_NONE && od_record_at(records, after)->offset < record->offset) {
        before = after;
        after = od_record_at(records, after)->next;
    }
    if (before == OD_SLOT_NONE) {
        od_lane_push_front(lanes, records, index, slot);
        return;
    }
    record->lane = index;
    record->next = after;
    od_record_at(records, before)->next = slot;
    if (after == OD_SLOT_NONE) {
        lane->tail = slot;
    }
    lane->count++;
}

void od_lane_list_push(struct od_lane_list *list, struct od_lanes *lanes, uint32_t index)
{
    struct od_lane *lane = &lanes->lanes[index];
    od_assert(!lane->listed);
    lane->listed = 1;
    lane->list_next = OD_SLOT_NONE;
    lane->list_prev = list->tail;
    if (list->tail == OD_SLOT_NONE) {
        list->head = index;
    } else {
        lanes->lanes[list->tail].list_next = index;
    }
    list->tail = index;
    list->count++;
}

void od_lane_list_remove(struct od_lane_list *list, struct od_lanes *lanes, uint32_t index)
{
    struct od_lane *lane = &lanes->lanes[index];
    od_assert(lane->listed && list->count);
    if (lane->list_prev == OD_SLOT_NONE) {
        list->head = lane->list_next;
    } else {
        lanes->lanes[lane->list_prev].list_next = lane->list_next;
    }
    if (lane->list_next == OD_SLOT_NONE) {
        list->tail = lane->list_prev;
    } else {
        lanes->lanes[lane->list_next].list_prev = lane->list_prev;
    }
    lane->listed = 0;
    lane->list_next = lane->list_prev = OD_SLOT_NONE;
    list->count--;
}

uint32_t od_lane_list_pop(struct od_lane_list *list, struct od_lanes *lanes)
{
    uint32_t index = list->head;
    if (index != OD_SLOT_NONE) {
        od_lane_list_remove(list, lanes, index);
    }
    return index;
}
