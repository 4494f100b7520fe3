/*
 * Which copies (header orderly-copy) are known: a copy that was written twice, since its first answer was lost, is run once.
 *
 * Of live records a set of slots, whose keys are in the records: 4 bytes a place, at most half full. Of done ones a small cache, looked up by hash,
 * that counts as long as the stay of the done one lasts. A relief copy carries the same header as the record it
 * relieves: it takes that record's place in the set, and the relieved record leaves no trace.
 */
#include <stdlib.h>
#include <string.h>

#include "core/state.h"

enum { RECENT = 4096 };

struct recent {
    uint64_t hash;
    int64_t offset;
    uint32_t stay_id;
};

struct od_copies_seen {
    uint32_t *slots;
    uint32_t room, count;
    struct recent recent[RECENT];
};

static uint32_t place_of(const struct od_core *core, uint64_t hash)
{
    const struct od_copies_seen *seen = core->copies_seen;
    uint32_t mask = seen->room - 1, at = (uint32_t)od_hash_u64(hash) & mask;
    while (seen->slots[at] != OD_SLOT_NONE && od_record_at(&core->records, seen->slots[at])->copy_hash != hash) {
        at = (at + 1) & mask;
    }
    return at;
}

static bool grow(struct od_core *core)
{
    struct od_copies_seen *seen = core->copies_seen;
    uint32_t old_room = seen->room, room = old_room ? old_room * 2 : 256;
    uint32_t *old = seen->slots, *slots = malloc(room * sizeof *slots);
    if (!slots) {
        return false;
    }
    memset(slots, 0xff, room * sizeof *slots);
    seen->slots = slots;
    seen->room = room;
    for (uint32_t i = 0; i < old_room; i++) {
        if (old[i] != OD_SLOT_NONE) {
            slots[place_of(core, od_record_at(&core->records, old[i])->copy_hash)] = old[i];
        }
    }
    free(old);
    return true;
}

static bool ensure(struct od_core *core)
{
    if (!core->copies_seen) {
        core->copies_seen = calloc(1, sizeof *core->copies_seen);
    }
    struct od_copies_seen *seen = core->copies_seen;
    return seen && ((uint64_t)(seen->count + 1) * 2 <= seen->room || grow(core));
}

void od_copies_seen_free(struct od_core *core)
{
    if (core->copies_seen) {
        free(core->copies_seen->slots);
        free(core->copies_seen);
    }
}

bool od_copies_seen_add(struct od_core *core, struct od_stay *stay, uint32_t slot)
{
    if (!ensure(core)) {
        core->nomem = true;
        return true;
    }
    struct od_copies_seen *seen = core->copies_seen;
    uint64_t hash = od_record_at(&core->records, slot)->copy_hash;
    uint32_t at = place_of(core, hash);
    if (seen->slots[at] != OD_SLOT_NONE) {
        const struct od_record *other = od_record_at(&core->records, seen->slots[at]);
        bool relieved = other->state == OD_RECORD_COPYING && other->copy_kind == OD_COPY_RELIEF;
        if (!relieved && !(other->flags & OD_FLAG_STALE)) {
            return false;
        }
        seen->slots[at] = slot;
        return true;
    }
    const struct recent *recent = &seen->recent[od_hash_u64(hash) % RECENT];
    /* A second copy stands behind the first; the same place read once more (after a seek) is no copy of itself. */
    if (recent->hash == hash && recent->stay_id == stay->id &&
        recent->offset < od_record_at(&core->records, slot)->offset) {
        return false;
    }
    seen->slots[at] = slot;
    seen->count++;
    return true;
}

/* Removal without tombstones: what follows in the cluster moves up. */
static void remove_at(struct od_core *core, uint32_t hole)
{
    struct od_copies_seen *seen = core->copies_seen;
    uint32_t mask = seen->room - 1;
    seen->slots[hole] = OD_SLOT_NONE;
    seen->count--;
    for (uint32_t at = (hole + 1) & mask; seen->slots[at] != OD_SLOT_NONE; at = (at + 1) & mask) {
        uint32_t slot = seen->slots[at];
        seen->slots[at] = OD_SLOT_NONE;
        seen->slots[place_of(core, od_record_at(&core->records, slot)->copy_hash)] = slot;
    }
}

void od_copies_seen_remove(struct od_core *core, struct od_stay *stay, uint32_t slot, bool done)
{
    struct od_copies_seen *seen = core->copies_seen;
    const struct od_record *record = od_record_at(&core->records, slot);
    if (!seen || !seen->room) {
        return;
    }
    uint32_t at = place_of(core, record->copy_hash);
    if (seen->slots[at] != slot) {
        return; /* its relief copy has taken its place */
    }
    remove_at(core, at);
    bool relieved = record->state == OD_RECORD_COPYING && record->copy_kind == OD_COPY_RELIEF;
    if (done && !relieved) {
        seen->recent[od_hash_u64(record->copy_hash) % RECENT] =
            (struct recent){record->copy_hash, record->offset, stay->id};
    }
}
