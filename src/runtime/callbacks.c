/* The callback thread. */
#include "runtime/callbacks.h"

#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/member.h"

void od_callbacks_init(struct od_callback_queue *queue)
{
    *queue = (struct od_callback_queue){0};
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct od_call *od_call_new(enum od_callback_type type, size_t count)
{
    struct od_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    call->type = type;
    call->count = count;
    call->leases = calloc(count + 1, sizeof(struct od_lease *));
    call->offsets = calloc(count + 1, sizeof *call->offsets);
    if (call->leases == NULL || call->offsets == NULL) {
        free(call->leases);
        free(call->offsets);
        free(call);
        return NULL;
    }
    return call;
}

static void call_free(struct od_call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        od_lease_unref(call->leases[i]);
    }
    free(call->leases);
    free(call->offsets);
    free(call);
}

void od_callbacks_fini(struct od_callback_queue *queue)
{
    while (queue->first != NULL) {
        struct od_call *call = queue->first;
        queue->first = call->next;
        call_free(call);
    }
    pthread_mutex_destroy(&queue->mutex);
    pthread_cond_destroy(&queue->cond);
}

bool od_callbacks_has(const struct orderly *orderly, enum od_callback_type type)
{
    const struct orderly_callbacks *callbacks = &orderly->callbacks;
    switch (type) {
    case OD_CALL_ASSIGNED:
        return callbacks->assigned != NULL;
    case OD_CALL_REVOKED:
        return callbacks->revoked != NULL;
    case OD_CALL_LOST:
        return callbacks->lost != NULL;
    case OD_CALL_POSITION:
        return callbacks->position != NULL;
    case OD_CALL_WAITING:
        return callbacks->rebalance_waiting != NULL;
    case OD_CALL_COMMITTED:
        return callbacks->committed != NULL;
    }
    return false;
}

void od_callbacks_queue(struct orderly *orderly, struct od_call *call)
{
    struct od_callback_queue *queue = &orderly->callback_queue;
    pthread_mutex_lock(&queue->mutex);
    if (queue->last != NULL) {
        queue->last->next = call;
    } else {
        queue->first = call;
    }
    queue->last = call;
    pthread_cond_signal(&queue->cond);
    pthread_mutex_unlock(&queue->mutex);
}

typedef void od_partitions_callback(struct orderly *, const struct orderly_partition *, size_t count, void *userdata);

/* Calls with those leases of a call that `lost` says (or does not say), and marks them ended when it is their end. */
static void call_with(struct orderly *orderly, od_partitions_callback *callback, const struct od_call *call,
                      struct orderly_partition *list, const bool *chosen, bool ends)
{
    size_t count = 0;
    for (size_t i = 0; i < call->count; i++) {
        struct od_lease *lease = call->leases[i];
        if (chosen[i] && !(ends && lease->ended)) {
            list[count++] = (struct orderly_partition){lease->topic, lease->partition};
            lease->ended = lease->ended || ends;
        }
    }
    if (count > 0 && callback != NULL) {
        callback(orderly, list, count, orderly->userdata);
    }
}

/*
 * A partition ends with exactly one of revoked and lost. Which one is decided here, when the call begins: who was evicted while an earlier
 * callback ran is told `lost` and never `revoked`.
 */
static void make_partitions_call(struct orderly *orderly, const struct od_call *call)
{
    struct orderly_partition *list = calloc(call->count + 1, sizeof *list);
    bool *lost = calloc(call->count + 1, sizeof *lost);
    bool *kept = calloc(call->count + 1, sizeof *kept);
    if (list != NULL && lost != NULL && kept != NULL) {
        bool ends = call->type != OD_CALL_ASSIGNED;
        for (size_t i = 0; i < call->count; i++) {
            lost[i] = ends && (call->type == OD_CALL_LOST || atomic_load(&call->leases[i]->lost));
            kept[i] = !lost[i];
        }
        call_with(orderly, orderly->callbacks.lost, call, list, lost, true);
        call_with(orderly, ends ? orderly->callbacks.revoked : orderly->callbacks.assigned, call, list, kept, ends);
    }
    free(list);
    free(lost);
    free(kept);
    enum orderly_err error =
        od_inbox_post(&orderly->inbox, (struct od_post){.type = OD_POST_CALLBACK_DONE, .a = call->sequence});
    (void)error; /* no loop any more: nobody waits for it */
}

static void make_position_call(struct orderly *orderly, const struct od_call *call)
{
    const struct od_lease *lease = call->leases[0];
    int64_t offset = call->offset;
    struct orderly_partition partition = {lease->topic, lease->partition};
    orderly->callbacks.position(orderly, &partition, &offset, orderly->userdata);
    enum orderly_err error = od_inbox_post(
        &orderly->inbox,
        (struct od_post){.type = OD_POST_POSITION, .a = lease->id, .b = offset < 0 ? call->offset : offset});
    (void)error;
}

/* The call that this thread is making. */
static _Thread_local const struct od_call *under_way;

bool od_callbacks_fenced(const struct orderly *orderly, const struct orderly_partition *partitions, size_t count)
{
    const struct od_call *call = under_way;
    bool fenced = false;
    for (size_t i = 0; call != NULL && call->type == OD_CALL_REVOKED && i < call->count; i++) {
        const struct od_lease *lease = call->leases[i];
        bool meant = count == 0;
        for (size_t k = 0; k < count; k++) {
            meant = meant || od_lease_matches(lease, &partitions[k]);
        }
        fenced = fenced || (meant && lease->orderly == orderly && atomic_load(&lease->lost));
    }
    return fenced;
}

static void make(struct orderly *orderly, const struct od_call *call)
{
    under_way = call;
    switch (call->type) {
    case OD_CALL_ASSIGNED:
    case OD_CALL_REVOKED:
    case OD_CALL_LOST:
        make_partitions_call(orderly, call);
        break;
    case OD_CALL_POSITION:
        make_position_call(orderly, call);
        break;
    case OD_CALL_WAITING:
        orderly->callbacks.rebalance_waiting(orderly, &call->gate, orderly->userdata);
        break;
    case OD_CALL_COMMITTED:
        orderly->callbacks.committed(orderly, call->offsets, call->count, orderly->userdata);
        break;
    }
    under_way = NULL;
}

static void *callback_main(void *opaque)
{
    struct orderly *orderly = opaque;
    struct od_callback_queue *queue = &orderly->callback_queue;
    pthread_setname_np(pthread_self(), "orderly-call");
    od_member_set_inside(true);
    pthread_mutex_lock(&queue->mutex);
    for (;;) {
        while (queue->first == NULL && !queue->stop) {
            pthread_cond_wait(&queue->cond, &queue->mutex);
        }
        struct od_call *call = queue->first;
        if (call == NULL) {
            break;
        }
        queue->first = call->next;
        if (queue->first == NULL) {
            queue->last = NULL;
        }
        pthread_mutex_unlock(&queue->mutex);
        make(orderly, call);
        call_free(call);
        pthread_mutex_lock(&queue->mutex);
    }
    queue->ended = true;
    pthread_cond_broadcast(&queue->cond);
    pthread_mutex_unlock(&queue->mutex);
    od_member_unref(orderly);
    return NULL;
}

enum orderly_err od_callbacks_start(struct orderly *orderly)
{
    struct od_callback_queue *queue = &orderly->callback_queue;
    bool any = false;
    for (int type = OD_CALL_ASSIGNED; type <= OD_CALL_COMMITTED; type++) {
        any = any || od_callbacks_has(orderly, (enum od_callback_type)type);
    }
    if (!any) {
        return ORDERLY_OK;
    }
    od_member_ref(orderly);
    if (pthread_create(&queue->thread, NULL, callback_main, orderly) != 0) {
        od_member_unref(orderly);
        return ORDERLY_LIMIT;
    }
    queue->started = true;
    return ORDERLY_OK;
}

void od_callbacks_stop(struct orderly *orderly, int64_t wait_ms)
{
    struct od_callback_queue *queue = &orderly->callback_queue;
    if (!queue->started) {
        return;
    }
    queue->started = false;
    int64_t until_ms = od_clock_after(od_clock_ms(), wait_ms);
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&queue->mutex);
    queue->stop = true;
    pthread_cond_broadcast(&queue->cond);
    while (!queue->ended && od_clock_ms() < until_ms) {
        pthread_cond_timedwait(&queue->cond, &queue->mutex, &until);
    }
    bool ended = queue->ended;
    pthread_mutex_unlock(&queue->mutex);
    if (ended) {
        pthread_join(queue->thread, NULL);
    } else {
        pthread_detach(queue->thread);
    }
}
