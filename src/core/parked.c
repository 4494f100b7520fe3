/* A heap of record slots by due time. */
#include "core/parked.h"

#include <stdlib.h>

enum { ARITY = 4 }; /* records are far apart in memory: fewer levels, fewer misses */

void od_parked_fini(struct od_parked *parked)
{
    free(parked->slots);
    *parked = (struct od_parked){0};
}

static bool before(const struct od_record *a, const struct od_record *b)
{
    if (a->due_ms != b->due_ms) {
        return a->due_ms < b->due_ms;
    }
    if (a->assignment != b->assignment) {
        return a->assignment < b->assignment;
    }
    return a->offset < b->offset;
}

static void put(struct od_parked *parked, struct od_record *record, uint32_t slot, uint32_t place)
{
    parked->slots[place] = slot;
    record->place = place;
}

static void rise(struct od_parked *parked, struct od_records *records, uint32_t slot, uint32_t place)
{
    struct od_record *record = od_record_at(records, slot);
    while (place > 0) {
        uint32_t parent = (place - 1) / ARITY, other = parked->slots[parent];
        if (!before(record, od_record_at(records, other))) {
            break;
        }
        put(parked, od_record_at(records, other), other, place);
        place = parent;
    }
    put(parked, record, slot, place);
}

/* The place of the first of the children that begin at `first`. */
static uint32_t first_child(const struct od_parked *parked, const struct od_records *records, uint32_t first)
{
    uint32_t best = first;
    for (uint32_t i = first + 1; i < first + ARITY && i < parked->count; i++) {
        if (before(od_record_at(records, parked->slots[i]), od_record_at(records, parked->slots[best]))) {
            best = i;
        }
    }
    return best;
}

static void sink(struct od_parked *parked, struct od_records *records, uint32_t slot, uint32_t place)
{
    struct od_record *record = od_record_at(records, slot);
    while (ARITY * place + 1 < parked->count) {
        uint32_t child = first_child(parked, records, ARITY * place + 1);
        uint32_t other = parked->slots[child];
        if (!before(od_record_at(records, other), record)) {
            break;
        }
        put(parked, od_record_at(records, other), other, place);
        place = child;
    }
    put(parked, record, slot, place);
}

bool od_parked_push(struct od_parked *parked, struct od_records *records, uint32_t slot)
{
    od_assert(od_record_at(records, slot)->place == OD_SLOT_NONE);
    if (parked->count == parked->room) {
        uint32_t room = parked->room ? parked->room + parked->room / 2 : 64;
        uint32_t *slots = realloc(parked->slots, room * sizeof *slots);
        if (!slots) {
            return false;
        }
        parked->slots = slots;
        parked->room = room;
    }
    rise(parked, records, slot, parked->count++);
    return true;
}

void od_parked_remove(struct od_parked *parked, struct od_records *records, uint32_t slot)
{
    struct od_record *record = od_record_at(records, slot);
    uint32_t place = record->place;
    od_assert(place < parked->count && parked->slots[place] == slot);
    record->place = OD_SLOT_NONE;
    uint32_t last = parked->slots[--parked->count];
    if (last == slot) {
        return;
    }
    if (place > 0 && before(od_record_at(records, last), od_record_at(records, parked->slots[(place - 1) / ARITY]))) {
        rise(parked, records, last, place);
    } else {
        sink(parked, records, last, place);
    }
}

int64_t od_parked_due(const struct od_parked *parked, const struct od_records *records)
{
    return parked->count ? od_record_at(records, parked->slots[0])->due_ms : INT64_MAX;
}

uint32_t od_parked_pop(struct od_parked *parked, struct od_records *records, int64_t now_ms)
{
    if (od_parked_due(parked, records) > now_ms || !parked->count) {
        return OD_SLOT_NONE;
    }
    uint32_t slot = parked->slots[0];
    od_parked_remove(parked, records, slot);
    return slot;
}
