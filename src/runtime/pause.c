/*
 * Pause and resume. The core knows reasons as bits; their texts are here. The place of a reason that no partition is paused for any more is given to
 * the next new one, so that an application may make up as many as it likes, one after the other.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/ask.h"
#include "runtime/member.h"

/* The bit of a reason's text, from 1; 0: it is not known, and not to be. Errors: LIMIT (all are in use), NOMEM. */
static enum orderly_err number_of(struct od_loop *loop, const char *reason, bool add, uint32_t *ret)
{
    uint64_t used = loop->core != NULL ? od_core_pauses(loop->core) : 0;
    size_t at = OD_REASONS;
    for (size_t i = 0; i < OD_REASONS; i++) {
        if (loop->reasons[i] != NULL && strcmp(loop->reasons[i], reason) == 0) {
            *ret = (uint32_t)i + 1;
            return ORDERLY_OK;
        }
        bool free_place = loop->reasons[i] == NULL || (used & UINT64_C(1) << (i + 1)) == 0;
        at = at == OD_REASONS && free_place ? i : at;
    }
    *ret = 0;
    if (!add) {
        return ORDERLY_OK; /* nothing is paused for it */
    }
    if (at == OD_REASONS) {
        return ORDERLY_LIMIT;
    }
    char *text = strdup(reason);
    if (text == NULL) {
        return ORDERLY_NOMEM;
    }
    free(loop->reasons[at]);
    loop->reasons[at] = text;
    *ret = (uint32_t)at + 1;
    return ORDERLY_OK;
}

struct pausing {
    enum od_event_type type;
    uint32_t *ids;
    size_t count;
    const char *reason;
    bool reset_guard;
};

static enum orderly_err do_pause(struct od_loop *loop, void *argument)
{
    const struct pausing *pausing = argument;
    uint32_t reason = 0;
    enum orderly_err error = number_of(loop, pausing->reason, pausing->type == OD_EVENT_PAUSE, &reason);
    if (error != ORDERLY_OK) {
        return error;
    }
    if (pausing->type == OD_EVENT_PAUSE) {
        od_poll_give_back(loop, true);
    }
    if (reason != 0) {
        od_loop_step(loop,
                     &(struct od_event){.type = pausing->type,
                                        .pause = {.ids = pausing->ids, .count = pausing->count, .reason = reason}});
    }
    if (pausing->reset_guard) {
        od_loop_step(loop, &(struct od_event){.type = OD_EVENT_RESET_GUARD});
    }
    return ORDERLY_OK;
}

static enum orderly_err pause(struct orderly *orderly, const struct orderly_partition *partitions, size_t count,
                              const char *reason, enum od_event_type type)
{
    if (orderly == NULL || (count > 0 && partitions == NULL)) {
        return ORDERLY_INVALID;
    }
    struct pausing pausing = {.type = type, .reason = reason != NULL ? reason : ""};
    pausing.reset_guard = type == OD_EVENT_RESUME && reason == NULL;
    enum orderly_err error = ORDERLY_OK;
    if (count > 0) {
        error = od_leases_resolve(orderly, partitions, count, &pausing.ids, &pausing.count);
    }
    if (error == ORDERLY_OK) {
        error = od_ask(orderly, do_pause, &pausing);
    }
    free(pausing.ids);
    return error;
}

enum orderly_err orderly_pause(struct orderly *orderly, const struct orderly_partition *partitions, size_t count,
                               const char *reason)
{
    return pause(orderly, partitions, count, reason, OD_EVENT_PAUSE);
}

enum orderly_err orderly_resume(struct orderly *orderly, const struct orderly_partition *partitions, size_t count,
                                const char *reason)
{
    return pause(orderly, partitions, count, reason, OD_EVENT_RESUME);
}
