/* A lease: one assignment of one partition. */
#include "runtime/lease.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/member.h"

struct od_lease *od_lease_new(struct orderly *orderly, const struct od_assign *assign, const char *topic)
{
    size_t size = strlen(topic) + 1;
    struct od_lease *lease = calloc(1, sizeof *lease + size);
    if (lease == NULL) {
        return NULL;
    }
    memcpy(lease->topic, topic, size);
    lease->orderly = orderly;
    od_member_ref(orderly);
    atomic_init(&lease->refs, 1);
    lease->id = assign->id;
    lease->source = assign->topic;
    lease->partition = assign->partition;
    lease->kind = assign->kind;
    lease->quit_fd = -1;
    return lease;
}

void od_lease_ref(struct od_lease *lease)
{
    atomic_fetch_add_explicit(&lease->refs, 1, memory_order_relaxed);
}

void od_lease_unref(struct od_lease *lease)
{
    if (lease != NULL && atomic_fetch_sub_explicit(&lease->refs, 1, memory_order_acq_rel) == 1) {
        struct orderly *orderly = lease->orderly;
        if (lease->quit_fd >= 0) {
            close(lease->quit_fd);
        }
        free(lease);
        od_member_unref(orderly);
    }
}

void od_lease_came_back(struct od_lease *lease, uint64_t count)
{
    if (atomic_fetch_sub(&lease->out, count) == count) {
        od_member_ring(lease->orderly);
    }
}

/* Over, and nobody has anything of it. */
static bool is_past(const struct od_lease *lease)
{
    return atomic_load(&lease->closed) && atomic_load(&lease->out) == 0;
}

/* A closed lease whose quit fd was asked for keeps it until the next one of its partition is asked for its own. */
static void retire(struct orderly *orderly, struct od_lease *lease)
{
    if (lease->quit_fd >= 0 && od_vec_push(&orderly->quits, lease)) {
        return;
    }
    od_lease_unref(lease);
}

bool od_leases_add(struct orderly *orderly, struct od_lease *lease)
{
    struct od_leases *leases = &orderly->leases;
    for (size_t i = leases->count; i-- > 0;) {
        if (is_past(leases->items[i])) {
            struct od_lease *past = leases->items[i];
            od_vec_remove_swap(leases, i);
            retire(orderly, past);
        }
    }
    if (!od_vec_push(leases, lease)) {
        return false;
    }
    od_lease_ref(lease);
    return true;
}

void od_leases_fini(struct od_leases *leases)
{
    for (size_t i = 0; i < leases->count; i++) {
        od_lease_unref(leases->items[i]);
    }
    od_vec_fini(leases);
}

bool od_lease_matches(const struct od_lease *lease, const struct orderly_partition *name)
{
    return (name->partition < 0 || name->partition == lease->partition) && strcmp(lease->topic, name->topic) == 0;
}

struct od_lease *od_leases_find(struct orderly *orderly, const struct orderly_partition *name)
{
    for (size_t i = 0; i < orderly->leases.count; i++) {
        struct od_lease *lease = orderly->leases.items[i];
        if (!atomic_load(&lease->closed) && od_lease_matches(lease, name)) {
            return lease;
        }
    }
    return NULL;
}

/* Whether any of the names (count 0: all) means this lease. */
static bool is_meant(const struct od_lease *lease, const struct orderly_partition *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (od_lease_matches(lease, &names[i])) {
            return true;
        }
    }
    return count == 0;
}

enum orderly_err od_leases_resolve(struct orderly *orderly, const struct orderly_partition *names, size_t count,
                                   uint32_t **ret_ids, size_t *ret_count)
{
    for (size_t i = 0; i < count; i++) {
        if (names == NULL || names[i].topic == NULL) {
            return ORDERLY_INVALID;
        }
    }
    pthread_mutex_lock(&orderly->mutex);
    enum orderly_err error = ORDERLY_STALE;
    size_t found = 0;
    uint32_t *ids = calloc(orderly->leases.count + 1, sizeof *ids);
    if (ids == NULL) {
        error = ORDERLY_NOMEM;
        goto done;
    }
    for (size_t i = 0; i < orderly->leases.count; i++) {
        const struct od_lease *lease = orderly->leases.items[i];
        if (!atomic_load(&lease->closed) && is_meant(lease, names, count)) {
            ids[found++] = lease->id;
        }
    }
    if (found > 0 || count == 0) {
        *ret_ids = ids;
        *ret_count = found;
        ids = NULL;
        error = ORDERLY_OK;
    }
done:
    pthread_mutex_unlock(&orderly->mutex);
    free(ids);
    return error;
}

enum orderly_err od_leases_resolve_one(struct orderly *orderly, const struct orderly_partition *name, uint32_t *ret_id)
{
    if (name == NULL || name->topic == NULL || name->partition < 0) {
        return ORDERLY_INVALID;
    }
    pthread_mutex_lock(&orderly->mutex);
    const struct od_lease *lease = od_leases_find(orderly, name);
    if (lease != NULL) {
        *ret_id = lease->id;
    }
    pthread_mutex_unlock(&orderly->mutex);
    return lease != NULL ? ORDERLY_OK : ORDERLY_STALE;
}
