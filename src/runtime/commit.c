/* Commits as users see them. */
#include "runtime/commit.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "runtime/ask.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/member.h"

/* One orderly_commit() that waits; on its stack, in the object's list, guarded by the object's mutex. */
struct od_commit_wait {
    struct od_commit_wait *next;
    uint64_t token;
    bool done;
    enum orderly_err error;
};

/* ---- the loop's side ---- */

void od_commit_begin(struct od_loop *loop, struct od_commit_ids *ids, uint64_t token)
{
    od_loop_step(loop, &(struct od_event){.type = OD_EVENT_COMMIT_WANT,
                                          .commit_want = {.ids = ids->list, .count = ids->count, .token = token}});
    free(ids->list);
    free(ids);
}

void od_commit_done(struct orderly *orderly, uint64_t token, enum orderly_err error)
{
    pthread_mutex_lock(&orderly->mutex);
    for (struct od_commit_wait *wait = orderly->commit_waits; wait != NULL; wait = wait->next) {
        if (wait->token == token) {
            wait->done = true;
            wait->error = error;
            pthread_cond_broadcast(&orderly->bell);
        }
    }
    pthread_mutex_unlock(&orderly->mutex);
}

void od_commit_end(struct orderly *orderly)
{
    pthread_mutex_lock(&orderly->mutex);
    for (struct od_commit_wait *wait = orderly->commit_waits; wait != NULL; wait = wait->next) {
        if (!wait->done) {
            wait->done = true;
            wait->error = ORDERLY_CLOSED;
        }
    }
    pthread_cond_broadcast(&orderly->bell);
    pthread_mutex_unlock(&orderly->mutex);
}

static enum orderly_err error_of(enum od_commit_result result)
{
    switch (result) {
    case OD_COMMIT_OK:
        return ORDERLY_OK;
    case OD_COMMIT_FENCED:
        return ORDERLY_FENCED;
    case OD_COMMIT_AGAIN:
    case OD_COMMIT_OVERTAKEN:
    case OD_COMMIT_MAP_TOO_LARGE:
    case OD_COMMIT_REFUSED:
        break;
    }
    return ORDERLY_KAFKA;
}

static const char *word_of(enum od_commit_result result)
{
    switch (result) {
    case OD_COMMIT_OK:
        return "ok";
    case OD_COMMIT_AGAIN:
        return "not now; it is tried again";
    case OD_COMMIT_OVERTAKEN:
        return "a rebalance overtook it; it is tried again, and nothing of the partition is started until then";
    case OD_COMMIT_FENCED:
        return "fenced: the group has gone on without this member";
    case OD_COMMIT_MAP_TOO_LARGE:
        return "the offset map is larger than the broker takes; its cap is halved";
    case OD_COMMIT_REFUSED:
        break;
    }
    return "refused; it is tried again";
}

void od_commit_heard(struct od_loop *loop, struct od_lease *lease, enum od_commit_result result)
{
    struct orderly *orderly = loop->orderly;
    if (result != OD_COMMIT_OK) {
        loop->commit_failures[result]++;
        od_log(orderly, ORDERLY_LOG_WARNING, "commit", "%s/%d offset %lld: %s", lease->topic, (int)lease->partition,
               (long long)lease->commit_offset, word_of(result));
    }
    if (orderly->callbacks.committed == NULL || !orderly->callback_queue.started) {
        return;
    }
    struct od_call *call = od_call_new(OD_CALL_COMMITTED, 1);
    if (call == NULL) {
        return;
    }
    od_lease_ref(lease);
    call->leases[0] = lease;
    call->offsets[0] = (struct orderly_offset){
        .partition = {lease->topic, lease->partition}, .offset = lease->commit_offset, .error = error_of(result)};
    od_callbacks_queue(orderly, call);
}

/* ---- the caller's side ---- */

/* Posts a wish to commit. Errors: CLOSED, STALE, INVALID, NOMEM. */
static enum orderly_err post(struct orderly *orderly, const struct orderly_partition *partitions, size_t count,
                             uint64_t token)
{
    struct od_commit_ids *ids = calloc(1, sizeof *ids);
    if (ids == NULL) {
        return ORDERLY_NOMEM;
    }
    enum orderly_err error = ORDERLY_OK;
    if (count > 0) {
        error = od_leases_resolve(orderly, partitions, count, &ids->list, &ids->count);
    }
    if (error == ORDERLY_OK) {
        error = od_inbox_post(&orderly->inbox, (struct od_post){.type = OD_POST_COMMIT, .pointer = ids, .a = token});
    }
    if (error != ORDERLY_OK) {
        free(ids->list);
        free(ids);
    }
    return error;
}

static void forget(struct orderly *orderly, const struct od_commit_wait *wait)
{
    struct od_commit_wait **link = &orderly->commit_waits;
    while (*link != wait) {
        link = &(*link)->next;
    }
    *link = wait->next;
}

enum orderly_err orderly_commit(struct orderly *orderly, const struct orderly_partition *partitions, size_t count,
                                int64_t timeout_ms, struct orderly_error *error)
{
    if (orderly == NULL || (count > 0 && partitions == NULL)) {
        return od_fail(error, ORDERLY_INVALID, "orderly_commit: no object, or a count without a list");
    }
    if (od_log_inside()) {
        return od_fail(error, ORDERLY_STATE, "orderly_commit: not in callbacks.log");
    }
    if (od_callbacks_fenced(orderly, partitions, count)) {
        return od_fail(error, ORDERLY_FENCED, "orderly_commit: %s", orderly_strerror(ORDERLY_FENCED));
    }
    int64_t until_ms = od_clock_after(od_clock_ms(), timeout_ms);
    struct od_commit_wait wait = {.token = 0};
    od_member_ref(orderly);
    pthread_mutex_lock(&orderly->mutex);
    wait.token = ++orderly->commit_token;
    wait.next = orderly->commit_waits;
    orderly->commit_waits = &wait;
    pthread_mutex_unlock(&orderly->mutex);
    enum orderly_err result = post(orderly, partitions, count, wait.token);
    pthread_mutex_lock(&orderly->mutex);
    bool in_time = true;
    while (result == ORDERLY_OK && !wait.done && in_time) {
        in_time = od_member_wait(orderly, until_ms);
    }
    forget(orderly, &wait);
    pthread_mutex_unlock(&orderly->mutex);
    od_member_unref(orderly);
    if (result != ORDERLY_OK || wait.done) {
        result = result != ORDERLY_OK ? result : wait.error;
        return result == ORDERLY_OK ? ORDERLY_OK
                                    : od_fail(error, result, "orderly_commit: %s", orderly_strerror(result));
    }
    return od_fail(error, ORDERLY_TIMEOUT,
                   "orderly_commit: no answer within %lld ms; the commit goes on and may still succeed",
                   (long long)timeout_ms);
}

enum orderly_err orderly_commit_async(struct orderly *orderly)
{
    return orderly == NULL ? ORDERLY_INVALID : post(orderly, NULL, 0, 0);
}

/* ---- looking ---- */

struct committed {
    uint32_t id;
    int64_t offset;
};

static enum orderly_err look_committed(struct od_loop *loop, void *argument)
{
    struct committed *committed = argument;
    struct od_core_partition partition;
    if (loop->core == NULL || !od_core_partition(loop->core, committed->id, &partition)) {
        return ORDERLY_STALE;
    }
    committed->offset = partition.committed;
    return partition.committed < 0 ? ORDERLY_NO_OFFSET : ORDERLY_OK;
}

enum orderly_err orderly_committed(struct orderly *orderly, const struct orderly_partition *partition,
                                   int64_t *ret_offset)
{
    if (orderly == NULL || ret_offset == NULL) {
        return ORDERLY_INVALID;
    }
    struct committed committed = {0};
    enum orderly_err error = od_leases_resolve_one(orderly, partition, &committed.id);
    if (error == ORDERLY_OK) {
        error = od_ask(orderly, look_committed, &committed);
    }
    if (error == ORDERLY_OK) {
        *ret_offset = committed.offset;
    }
    return error;
}

struct uncommitted {
    const uint32_t *ids;
    size_t count;
    struct orderly_backlog backlog;
};

static enum orderly_err look_uncommitted(struct od_loop *loop, void *argument)
{
    struct uncommitted *asked = argument;
    enum orderly_err result = ORDERLY_STALE;
    for (size_t i = 0; i < asked->count; i++) {
        struct od_core_partition partition;
        if (loop->core != NULL && od_core_partition(loop->core, asked->ids[i], &partition)) {
            asked->backlog.done_above += partition.uncommitted;
            asked->backlog.running += partition.running;
            asked->backlog.parked += partition.parked;
            result = ORDERLY_OK;
        }
    }
    return result;
}

enum orderly_err orderly_uncommitted(struct orderly *orderly, const struct orderly_partition *partition,
                                     struct orderly_backlog *ret)
{
    if (orderly == NULL || partition == NULL || ret == NULL || ret->size < sizeof(size_t)) {
        return ORDERLY_INVALID;
    }
    struct uncommitted asked = {.backlog = ORDERLY_BACKLOG_INIT};
    uint32_t *ids = NULL;
    enum orderly_err error = od_leases_resolve(orderly, partition, 1, &ids, &asked.count);
    if (error == ORDERLY_OK) {
        asked.ids = ids;
        error = od_ask(orderly, look_uncommitted, &asked);
    }
    free(ids);
    if (error == ORDERLY_OK) {
        size_t size = ret->size < sizeof asked.backlog ? ret->size : sizeof asked.backlog;
        asked.backlog.size = ret->size;
        memcpy(ret, &asked.backlog, size);
    }
    return error;
}

enum orderly_err orderly_mark_offset(struct orderly *orderly, const struct orderly_partition *partition, int64_t next)
{
    uint32_t id = 0;
    if (orderly == NULL || next < 0) {
        return ORDERLY_INVALID;
    }
    enum orderly_err error = od_leases_resolve_one(orderly, partition, &id);
    if (error == ORDERLY_OK) {
        error = od_inbox_post(&orderly->inbox, (struct od_post){.type = OD_POST_MARK_OFFSET, .a = id, .b = next});
    }
    return error;
}
