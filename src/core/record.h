/*
 * The core's records: a slab of small structs. A slot is reused; an id (slot and use count) never names two records, so a late
 * outcome of a record that is gone is recognised.
 *
 *     fetched -> queued -> running -> copying -> done
 *                  ^  ^       |  |       |
 *                  |  +-------+  +-------|----> done          (ack, drop)
 *                  |          v          v
 *                  +------- parked <-----+      (retry in its lane; a copy never goes back but to parked: relief given up)
 *
 * Whatever is given up (revoke, lost, seek) goes to done from any state.
 */
#ifndef OD_CORE_RECORD_H
#define OD_CORE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

#define OD_SLOT_NONE UINT32_MAX

enum od_record_state {
    OD_RECORD_FETCHED, /* just added, in no list */
    OD_RECORD_QUEUED,  /* in its lane, or ready without one */
    OD_RECORD_RUNNING, /* in a job */
    OD_RECORD_PARKED,  /* in the heap of due times, held, or both; not before its time */
    OD_RECORD_COPYING, /* a retry, dead-letter or relief copy is on its way */
    OD_RECORD_DONE,    /* over; its slot goes back with od_records_remove */
    OD_RECORD_STATES
};

/* 80 bytes: a million parked records must stay cheap. */
struct od_record {
    uint64_t tag; /* the edge's; 0: its bytes were let go */
    int64_t offset;
    union {
        int64_t due_ms;     /* parked: monotonic */
        int64_t started_ms; /* running: monotonic */
        int64_t again_ms;   /* copying: when the copy is tried again */
    };
    union {
        int64_t due_wall_ms; /* copying: Unix; 0: none. What a copy carries */
        uint64_t key_hash;   /* before it joins a lane: fetched, or parked for its due time */
    };
    uint64_t copy_hash; /* header orderly-copy; 0: none */
    uint32_t use;       /* half of the id; 0: the slot is free */
    uint32_t size_bytes;
    int32_t leader_epoch;
    uint32_t assignment; /* the core's own index of the stay */
    uint32_t lane;       /* index into od_lanes; OD_SLOT_NONE: none */
    uint32_t next;       /* in a lane, a list, or the free list */
    uint32_t place;      /* in the parked heap; OD_SLOT_NONE: not there */
    uint32_t delay_ms;   /* it was parked with; 0: unknown, or more than 49 days */
    uint16_t attempts;   /* spent */
    uint16_t releases;   /* in a row */
    uint8_t state;       /* enum od_record_state */
    uint8_t flags;       /* the core's */
    uint8_t copy_kind;   /* of the copy on its way */
    uint8_t copy_tries;
};

/* A zeroed one is empty. Records do not move while they live. */
struct od_records {
    struct od_record **chunks;
    size_t chunk_count, chunk_room;
    uint32_t free, count, last_use;
};

enum { OD_RECORDS_CHUNK_BITS = 10 };

void od_records_fini(struct od_records *);
/* A zeroed record in state FETCHED, with place, lane and next set to OD_SLOT_NONE; OD_SLOT_NONE when out of memory. */
uint32_t od_records_add(struct od_records *);
/* The record must be DONE, in no lane and no heap. When the last one goes the memory goes too. */
void od_records_remove(struct od_records *, uint32_t slot);

static inline struct od_record *od_record_at(const struct od_records *records, uint32_t slot)
{
    return &records->chunks[slot >> OD_RECORDS_CHUNK_BITS][slot & ((1u << OD_RECORDS_CHUNK_BITS) - 1)];
}

/* Never 0. */
static inline uint64_t od_record_id(const struct od_records *records, uint32_t slot)
{
    return (uint64_t)od_record_at(records, slot)->use << 32 | slot;
}

static inline uint32_t od_record_slot(uint64_t id)
{
    return (uint32_t)id;
}

/* OD_SLOT_NONE: that record is gone. Any number may be asked. */
uint32_t od_records_find(const struct od_records *, uint64_t id);

/* Asserts that the table above allows it. */
void od_record_move(struct od_record *, enum od_record_state to);
bool od_record_may_move(enum od_record_state from, enum od_record_state to);

#endif
