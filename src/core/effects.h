/* The list of effects of one step, as the core fills it. A push that finds no memory marks the list as failed; the step then ends in NOMEM. */
#ifndef OD_CORE_EFFECTS_H
#define OD_CORE_EFFECTS_H

#include "core/core.h"

struct od_core;

/* A new zeroed effect at the end of the list, borrowed until the next push. Out of memory: a scratch effect, and the step fails. */
struct od_effect *od_effect_push(struct od_core *, enum od_effect_type, uint32_t id);
/* Appends an assignment id to effects->ids; an effect that was pushed names them by first and count. */
void od_effect_id(struct od_core *, uint32_t id);
/* Appends a record to effects->runs. */
void od_effect_run(struct od_core *, struct od_run);
/* A TELL. `offset` -1: none. Borrowed until the next push. */
struct od_effect *od_effect_tell(struct od_core *, enum od_tell, uint32_t id, int64_t offset, int64_t a, int64_t b);

#endif
