/*
 * Parked records by due time: a heap of slots (4 bytes each; the keys are in the records), any delays mixed, taken out of the
 * middle by the record's `place`. Ties: the lower assignment, then the lower offset. To find those that hold a window back walk
 * the window from its base (od_window_next) and look at the state.
 */
#ifndef OD_CORE_PARKED_H
#define OD_CORE_PARKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/record.h"

/* A zeroed one is empty. */
struct od_parked {
    uint32_t *slots;
    uint32_t count, room;
};

void od_parked_fini(struct od_parked *);
/* The record's due_ms, assignment and offset are set and stay while it is here. False: out of memory. */
bool od_parked_push(struct od_parked *, struct od_records *, uint32_t slot);
/* The first due; OD_SLOT_NONE when empty. */
static inline uint32_t od_parked_peek(const struct od_parked *parked)
{
    return parked->count ? parked->slots[0] : OD_SLOT_NONE;
}
/* The first one when it is due at now_ms, else OD_SLOT_NONE. */
uint32_t od_parked_pop(struct od_parked *, struct od_records *, int64_t now_ms);
void od_parked_remove(struct od_parked *, struct od_records *, uint32_t slot);
/* When the first is due; INT64_MAX when empty. */
int64_t od_parked_due(const struct od_parked *, const struct od_records *);

#endif
