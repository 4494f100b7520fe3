/* Partition workers: sleeping until there is a reason not to, a descriptor that says so, waiting for what was handed out. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/member.h"

static bool is_name(const struct orderly_partition *partition)
{
    return partition != NULL && partition->topic != NULL && partition->partition >= 0;
}

enum orderly_err orderly_sleep(struct orderly *orderly, const struct orderly_partition *partition, int64_t ms)
{
    if (orderly == NULL || !is_name(partition) || ms < 0) {
        return ORDERLY_INVALID;
    }
    if (od_log_inside()) {
        return ORDERLY_STATE;
    }
    int64_t until_ms = od_clock_after(od_clock_ms(), ms);
    enum orderly_err result = ORDERLY_OK;
    pthread_mutex_lock(&orderly->mutex);
    struct od_lease *lease = od_leases_find(orderly, partition);
    if (lease == NULL) {
        result = atomic_load(&orderly->closing) ? ORDERLY_CLOSED : ORDERLY_STALE;
        goto done;
    }
    od_lease_ref(lease);
    for (bool in_time = true;;) {
        int reason = atomic_load(&lease->quit);
        if (reason == ORDERLY_REASON_CLOSING || atomic_load(&orderly->closing)) {
            result = ORDERLY_CLOSED;
            break;
        }
        if (reason != ORDERLY_REASON_NONE) {
            result = ORDERLY_CANCELLED;
            break;
        }
        if (!in_time) {
            break;
        }
        in_time = od_member_wait(orderly, until_ms);
    }
done:
    pthread_mutex_unlock(&orderly->mutex);
    od_lease_unref(lease);
    return result;
}

/* With the mutex: an older lease of this partition keeps its descriptor no longer. Returns it, to be given back without the mutex. */
static struct od_lease *take_older(struct orderly *orderly, const struct od_lease *lease)
{
    struct orderly_partition name = {lease->topic, lease->partition};
    for (size_t i = 0; i < orderly->quits.count; i++) {
        struct od_lease *older = orderly->quits.items[i];
        if (od_lease_matches(older, &name)) {
            od_vec_remove_swap(&orderly->quits, i);
            return older;
        }
    }
    return NULL;
}

enum orderly_err orderly_quit_fd(struct orderly *orderly, const struct orderly_partition *partition, int *ret_fd)
{
    if (orderly == NULL || !is_name(partition) || ret_fd == NULL) {
        return ORDERLY_INVALID;
    }
    enum orderly_err result = ORDERLY_STALE;
    struct od_lease *older = NULL;
    pthread_mutex_lock(&orderly->mutex);
    struct od_lease *lease = od_leases_find(orderly, partition);
    if (lease != NULL && lease->quit_fd < 0) {
        bool must_go = atomic_load(&lease->quit) != ORDERLY_REASON_NONE;
        lease->quit_fd = eventfd(must_go, EFD_CLOEXEC | EFD_NONBLOCK);
        older = take_older(orderly, lease);
    }
    if (lease != NULL) {
        result = lease->quit_fd >= 0 ? ORDERLY_OK : ORDERLY_LIMIT;
    }
    if (result == ORDERLY_OK) {
        *ret_fd = lease->quit_fd;
    }
    pthread_mutex_unlock(&orderly->mutex);
    od_lease_unref(older);
    return result;
}

/* With the mutex. Leases that are over count too, while something of them is out. */
static uint64_t count_out(struct orderly *orderly, const struct orderly_partition *partitions, size_t count)
{
    uint64_t out = 0;
    for (size_t i = 0; i < orderly->leases.count; i++) {
        const struct od_lease *lease = orderly->leases.items[i];
        bool meant = count == 0;
        for (size_t j = 0; j < count && !meant; j++) {
            meant = od_lease_matches(lease, &partitions[j]);
        }
        out += meant ? atomic_load(&lease->out) : 0;
    }
    return out;
}

enum orderly_err orderly_settle_wait(struct orderly *orderly, const struct orderly_partition *partitions, size_t count,
                                     int64_t timeout_ms)
{
    if (orderly == NULL || (count > 0 && partitions == NULL)) {
        return ORDERLY_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (partitions[i].topic == NULL) {
            return ORDERLY_INVALID;
        }
    }
    if (od_log_inside()) {
        return ORDERLY_STATE;
    }
    int64_t until_ms = od_clock_after(od_clock_ms(), timeout_ms);
    bool in_time = true;
    od_member_ref(orderly);
    pthread_mutex_lock(&orderly->mutex);
    atomic_fetch_add(&orderly->waiters, 1);
    uint64_t out = count_out(orderly, partitions, count);
    while (out > 0 && in_time) {
        in_time = od_member_wait(orderly, until_ms);
        out = count_out(orderly, partitions, count);
    }
    atomic_fetch_sub(&orderly->waiters, 1);
    pthread_mutex_unlock(&orderly->mutex);
    od_member_unref(orderly);
    return out == 0 ? ORDERLY_OK : ORDERLY_TIMEOUT;
}
