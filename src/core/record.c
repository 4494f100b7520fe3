/* The slab of records, and which moves between their states are allowed. */
#include "core/record.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_SIZE (1u << OD_RECORDS_CHUNK_BITS)

_Static_assert(sizeof(struct od_record) <= 80, "a million parked records must stay cheap");

#define TO(state) (1u << OD_RECORD_##state)

static const uint8_t moves[OD_RECORD_STATES] = {
    [OD_RECORD_FETCHED] = TO(QUEUED) | TO(PARKED) | TO(DONE),
    [OD_RECORD_QUEUED] = TO(RUNNING) | TO(PARKED) | TO(DONE),
    [OD_RECORD_RUNNING] = TO(QUEUED) | TO(PARKED) | TO(COPYING) | TO(DONE),
    [OD_RECORD_PARKED] = TO(QUEUED) | TO(COPYING) | TO(DONE),
    [OD_RECORD_COPYING] = TO(PARKED) | TO(DONE),
    [OD_RECORD_DONE] = 0,
};

bool od_record_may_move(enum od_record_state from, enum od_record_state to)
{
    return from < OD_RECORD_STATES && to < OD_RECORD_STATES && (moves[from] & (1u << to));
}

void od_record_move(struct od_record *record, enum od_record_state to)
{
    od_assert(od_record_may_move(record->state, to));
    record->state = (uint8_t)to;
}

static void free_chunks(struct od_records *records)
{
    for (size_t i = 0; i < records->chunk_count; i++) {
        free(records->chunks[i]);
    }
    records->chunk_count = 0;
}

void od_records_fini(struct od_records *records)
{
    free_chunks(records);
    free(records->chunks);
    *records = (struct od_records){0};
}

/* A chunk more; its slots become the free list, lowest first. The list is meaningless while there is no chunk. */
static bool add_chunk(struct od_records *records)
{
    if (records->chunk_count == records->chunk_room) {
        size_t room = records->chunk_room ? 2 * records->chunk_room : 8;
        struct od_record **chunks = realloc(records->chunks, room * sizeof *chunks);
        if (!chunks) {
            return false;
        }
        records->chunks = chunks;
        records->chunk_room = room;
    }
    struct od_record *chunk = malloc(CHUNK_SIZE * sizeof *chunk);
    if (!chunk) {
        return false;
    }
    uint32_t first = (uint32_t)records->chunk_count << OD_RECORDS_CHUNK_BITS;
    od_assert(first < OD_SLOT_NONE - CHUNK_SIZE);
    for (uint32_t i = 0; i < CHUNK_SIZE; i++) {
        chunk[i].use = 0;
        chunk[i].next = i + 1 < CHUNK_SIZE ? first + i + 1 : OD_SLOT_NONE;
    }
    records->chunks[records->chunk_count++] = chunk;
    records->free = first;
    return true;
}

uint32_t od_records_add(struct od_records *records)
{
    bool full = records->count == (records->chunk_count << OD_RECORDS_CHUNK_BITS);
    if (full && !add_chunk(records)) {
        return OD_SLOT_NONE;
    }
    uint32_t slot = records->free;
    struct od_record *record = od_record_at(records, slot);
    records->free = record->next;
    records->count++;
    if (++records->last_use == 0) {
        records->last_use = 1;
    }
    memset(record, 0, sizeof *record);
    record->use = records->last_use;
    record->lane = record->next = record->place = OD_SLOT_NONE;
    return slot;
}

void od_records_remove(struct od_records *records, uint32_t slot)
{
    struct od_record *record = od_record_at(records, slot);
    od_assert(record->use != 0 && record->state == OD_RECORD_DONE && record->place == OD_SLOT_NONE);
    record->use = 0;
    record->next = records->free;
    records->free = slot;
    /* A few chunks stay, so that a trickle does not allocate for each record. */
    if (--records->count == 0 && records->chunk_count > 16) {
        free_chunks(records);
    }
}

uint32_t od_records_find(const struct od_records *records, uint64_t id)
{
    uint32_t slot = od_record_slot(id), use = (uint32_t)(id >> 32);
    if (use == 0 || slot >> OD_RECORDS_CHUNK_BITS >= records->chunk_count) {
        return OD_SLOT_NONE;
    }
    return od_record_at(records, slot)->use == use ? slot : OD_SLOT_NONE;
}
