/* The application's callbacks, one at a time on a thread of its own: what is out, and what waits for it. */
#include "core/state.h"

uint64_t od_callback_begin(struct od_core *core, enum od_callback kind, const uint32_t *ids, size_t count)
{
    struct od_callback_out out = {.sequence = ++core->callback_sequence, .kind = kind};
    for (size_t i = 0; i < count; i++) {
        core->nomem |= !od_vec_push(&out.ids, ids[i]);
    }
    size_t first = core->effects->id_count;
    for (size_t i = 0; i < out.ids.count; i++) {
        od_effect_id(core, out.ids.items[i]);
    }
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_CALLBACK, 0);
    effect->ids.first = first;
    effect->ids.count = count;
    effect->ids.callback = kind;
    effect->ids.sequence = out.sequence;
    if (core->nomem || !od_vec_push(&core->callbacks, out)) {
        core->nomem = true;
        od_vec_fini(&out.ids);
    }
    return core->callback_sequence;
}

static void assigned_returned(struct od_core *core, const struct od_callback_out *out)
{
    for (size_t i = 0; i < out->ids.count; i++) {
        struct od_stay *stay = od_stay_find(core, out->ids.items[i]);
        if (stay) {
            stay->assigned_pending = false;
            od_dispatch_offer(core, stay);
        }
    }
}

static void overrun_returned(struct od_core *core)
{
    if (--core->callbacks_overrun > 0) {
        return;
    }
    if (core->waiting == ORDERLY_WAITING_LOST && !core->hold.open) {
        core->waiting = ORDERLY_WAITING_NONE;
    }
    od_named_leave(core, NULL, OD_STATE_CALLBACK_BLOCKED);
    for (size_t i = 0; i < core->stays.count; i++) {
        struct od_stay *stay = core->stays.items[i];
        if (stay) {
            od_named_leave(core, stay, OD_STATE_CALLBACK_BLOCKED);
            od_dispatch_offer(core, stay);
        }
    }
}

void od_callback_done(struct od_core *core, const struct od_event *event)
{
    uint64_t sequence = event->callback.sequence;
    size_t i = 0;
    while (i < core->callbacks.count && core->callbacks.items[i].sequence != sequence) {
        i++;
    }
    if (i == core->callbacks.count) {
        return;
    }
    struct od_callback_out out = core->callbacks.items[i];
    od_vec_remove_swap(&core->callbacks, i);
    if (out.kind == OD_CALLBACK_ASSIGNED) {
        assigned_returned(core, &out);
    }
    if (out.overrun) {
        overrun_returned(core);
    }
    od_vec_fini(&out.ids);
    if (core->hold.open && core->hold.callback == sequence) {
        od_drain_callback_done(core);
    }
    od_close_callback_done(core, sequence);
}
