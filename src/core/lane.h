/*
 * Lanes order records: one lane runs one record at a time, or a chunk of its records in sequence. A lane belongs to a stay and a key
 * hash (order: key), or to the stay alone (order: partition, hash 0); with order: none there are no lanes.
 *
 *     idle <-> queued -> running -> idle | queued | parked          idle: nothing waits, nothing runs; such a lane is removed
 *     idle | queued <-> parked      (its first record waits for its time, its successors behind it)
 */
#ifndef OD_CORE_LANE_H
#define OD_CORE_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/record.h"

enum od_lane_state { OD_LANE_IDLE, OD_LANE_QUEUED, OD_LANE_RUNNING, OD_LANE_PARKED, OD_LANE_STATES };

/* 48 bytes. */
struct od_lane {
    uint64_t key_hash;
    uint32_t assignment;
    uint32_t head, tail;           /* record slots, first in first out */
    uint32_t count;                /* waiting records (parked head included), without what runs */
    uint32_t out;                  /* records of it in jobs; the core counts them */
    uint32_t list_next, list_prev; /* in one od_lane_list */
    uint32_t chain;                /* next in the hash bucket, or in the free list */
    uint32_t spare;                /* the core's */
    uint8_t state;                 /* enum od_lane_state */
    uint8_t listed, used;
};

/* A zeroed one is empty. */
struct od_lanes {
    struct od_lane *lanes;
    uint32_t room, free, count;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two, or 0 */
};

/* Lanes in turn, first in first out: the ready ones of an assignment. Begin with OD_LANE_LIST_EMPTY. */
struct od_lane_list {
    uint32_t head, tail, count;
};
#define OD_LANE_LIST_EMPTY ((struct od_lane_list){OD_SLOT_NONE, OD_SLOT_NONE, 0})

void od_lanes_fini(struct od_lanes *);
/* The lane, made when there is none (state idle, empty); OD_SLOT_NONE when out of memory. Pointers to lanes do not survive this. */
uint32_t od_lanes_get(struct od_lanes *, uint32_t assignment, uint64_t key_hash);
/* OD_SLOT_NONE: none. */
uint32_t od_lanes_find(const struct od_lanes *, uint32_t assignment, uint64_t key_hash);
/* It must be idle, empty and in no list. */
void od_lanes_remove(struct od_lanes *, uint32_t lane);

static inline struct od_lane *od_lane_at(const struct od_lanes *lanes, uint32_t lane)
{
    return &lanes->lanes[lane];
}

/* Asserts that the table above allows it. */
void od_lane_move(struct od_lane *, enum od_lane_state to);

/* The record's `next` is the lane's while it waits; its `lane` is set by push and stays after pop. */
void od_lane_push(struct od_lanes *, struct od_records *, uint32_t lane, uint32_t slot);
void od_lane_push_front(struct od_lanes *, struct od_records *, uint32_t lane, uint32_t slot);
/* OD_SLOT_NONE when empty. */
uint32_t od_lane_pop(struct od_lanes *, struct od_records *, uint32_t lane);
static inline uint32_t od_lane_peek(const struct od_lanes *lanes, uint32_t lane)
{
    return lanes->lanes[lane].head;
}
/* Puts a record where its offset belongs (for what comes back late); the lane is in offset order. */
void od_lane_insert(struct od_lanes *, struct od_records *, uint32_t lane, uint32_t slot);

void od_lane_list_push(struct od_lane_list *, struct od_lanes *, uint32_t lane);
/* OD_SLOT_NONE when empty. */
uint32_t od_lane_list_pop(struct od_lane_list *, struct od_lanes *);
/* It must be in this list. */
void od_lane_list_remove(struct od_lane_list *, struct od_lanes *, uint32_t lane);

#endif
