/* The gate: what a held batch keeps waiting. */
#include "runtime/gate.h"

#include <string.h>

#include "runtime/ask.h"
#include "runtime/member.h"

void od_gate_fill(struct od_loop *loop, struct orderly_gate *ret)
{
    *ret = (struct orderly_gate)ORDERLY_GATE_INIT;
    ret->left_ms = INT64_MAX;
    if (loop->core == NULL) {
        return;
    }
    struct od_core_totals totals;
    od_core_totals(loop->core, &totals);
    ret->held = totals.gate_held;
    ret->held_ms = totals.gate_held ? loop->now_ms - totals.gate_held_since_ms : 0;
    if (totals.gate_until_ms != INT64_MAX) { /* the core's own time is that of its last step */
        ret->left_ms = totals.gate_until_ms > loop->now_ms ? totals.gate_until_ms - loop->now_ms : 0;
    }
    ret->waiting = totals.waiting;
    struct orderly *orderly = loop->orderly;
    pthread_mutex_lock(&orderly->mutex);
    for (size_t i = 0; i < orderly->leases.count; i++) {
        ret->records_out += (size_t)atomic_load(&orderly->leases.items[i]->out);
    }
    pthread_mutex_unlock(&orderly->mutex);
}

static enum orderly_err look(struct od_loop *loop, void *argument)
{
    od_gate_fill(loop, argument);
    return ORDERLY_OK;
}

enum orderly_err orderly_gate(struct orderly *orderly, struct orderly_gate *ret)
{
    if (orderly == NULL || ret == NULL || ret->size < sizeof(size_t)) {
        return ORDERLY_INVALID;
    }
    struct orderly_gate gate;
    enum orderly_err error = od_ask(orderly, look, &gate);
    if (error == ORDERLY_OK) {
        size_t size = ret->size < sizeof gate ? ret->size : sizeof gate;
        gate.size = ret->size;
        memcpy(ret, &gate, size);
    }
    return error;
}

void orderly_allow_rebalance(struct orderly *orderly)
{
    if (orderly != NULL) {
        enum orderly_err error = od_inbox_post(&orderly->inbox, (struct od_post){.type = OD_POST_ALLOW});
        (void)error; /* no loop: nothing is held; out of memory: the gate's deadline opens it */
    }
}
