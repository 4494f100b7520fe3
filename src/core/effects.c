/* The list of effects of one step. */
#include "core/effects.h"

#include <stdlib.h>
#include <string.h>

#include "core/state.h"

static bool grow(void **list, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) {
        return true;
    }
    size_t want = *capacity ? *capacity * 2 : 64;
    void *bigger = realloc(*list, want * size);
    if (!bigger) {
        return false;
    }
    *list = bigger;
    *capacity = want;
    return true;
}

struct od_effect *od_effect_push(struct od_core *core, enum od_effect_type type, uint32_t id)
{
    struct od_effects *effects = core->effects;
    struct od_effect *effect = &core->scratch_effect;
    void *list = effects->list;
    if (grow(&list, &effects->capacity, effects->count, sizeof *effects->list)) {
        effects->list = list;
        effect = &effects->list[effects->count++];
    } else {
        core->nomem = true;
    }
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    effect->id = id;
    return effect;
}

void od_effect_id(struct od_core *core, uint32_t id)
{
    struct od_effects *effects = core->effects;
    void *ids = effects->ids;
    if (!grow(&ids, &effects->id_capacity, effects->id_count, sizeof *effects->ids)) {
        core->nomem = true;
        return;
    }
    effects->ids = ids;
    effects->ids[effects->id_count++] = id;
}

void od_effect_run(struct od_core *core, struct od_run run)
{
    struct od_effects *effects = core->effects;
    void *runs = effects->runs;
    if (!grow(&runs, &effects->run_capacity, effects->run_count, sizeof *effects->runs)) {
        core->nomem = true;
        return;
    }
    effects->runs = runs;
    effects->runs[effects->run_count++] = run;
}

struct od_effect *od_effect_tell(struct od_core *core, enum od_tell tell, uint32_t id, int64_t offset, int64_t a,
                                 int64_t b)
{
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_TELL, id);
    effect->offset = offset;
    effect->tell.tell = tell;
    effect->tell.a = a;
    effect->tell.b = b;
    return effect;
}

void od_effects_fini(struct od_effects *effects)
{
    free(effects->list);
    free(effects->runs);
    free(effects->ids);
    memset(effects, 0, sizeof *effects);
}
