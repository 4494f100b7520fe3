/* Control: who this member is, what it has, what it should not read, where it should read. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "runtime/ask.h"
#include "runtime/log.h"
#include "runtime/member.h"

#define CONCURRENCY_MAX 1000000
#define RATE_MAX 1000000000

/* ---- assignment and member ---- */

enum orderly_err orderly_assignment(struct orderly *orderly, struct orderly_partition **ret_list, size_t *ret_count)
{
    if (orderly == NULL || ret_list == NULL || ret_count == NULL) {
        return ORDERLY_INVALID;
    }
    enum orderly_err error = ORDERLY_OK;
    pthread_mutex_lock(&orderly->mutex);
    const struct od_leases *leases = &orderly->leases;
    size_t count = 0;
    struct orderly_partition *list = calloc(leases->count + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < leases->count; i++) {
        const struct od_lease *lease = leases->items[i];
        if (atomic_load(&lease->closed)) {
            continue;
        }
        list[count] = (struct orderly_partition){strdup(lease->topic), lease->partition};
        if (list[count++].topic == NULL) {
            error = ORDERLY_NOMEM;
            break;
        }
    }
    pthread_mutex_unlock(&orderly->mutex);
    if (list == NULL || error != ORDERLY_OK) {
        orderly_assignment_free(list, count);
        return ORDERLY_NOMEM;
    }
    *ret_list = list;
    *ret_count = count;
    return ORDERLY_OK;
}

void orderly_assignment_free(struct orderly_partition *list, size_t count)
{
    for (size_t i = 0; list != NULL && i < count; i++) {
        free((void *)(uintptr_t)list[i].topic);
    }
    free(list);
}

static enum orderly_err look_member(struct od_loop *loop, void *argument)
{
    od_engine_member(loop->engine, argument);
    return ORDERLY_OK;
}

enum orderly_err orderly_member(struct orderly *orderly, struct orderly_member *ret)
{
    if (orderly == NULL || ret == NULL || ret->size < sizeof(size_t)) {
        return ORDERLY_INVALID;
    }
    struct orderly_member member = ORDERLY_MEMBER_INIT;
    enum orderly_err error = od_ask(orderly, look_member, &member);
    if (error == ORDERLY_OK) {
        size_t size = ret->size < sizeof member ? ret->size : sizeof member;
        member.size = ret->size;
        memcpy(ret, &member, size);
    }
    return error;
}

/* ---- seek ---- */

struct seeking {
    uint32_t id;
    int64_t offset;
};

static enum orderly_err do_seek(struct od_loop *loop, void *argument)
{
    const struct seeking *seeking = argument;
    struct od_lease *lease = od_loop_lease(loop, seeking->id);
    if (lease == NULL) {
        return ORDERLY_STALE;
    }
    od_log(loop->orderly, ORDERLY_LOG_INFO, "seek", "%s/%d: reading goes on at offset %lld; what is out is stale",
           lease->topic, (int)lease->partition, (long long)seeking->offset);
    od_poll_give_back(loop, true);
    od_loop_step(loop,
                 &(struct od_event){.type = OD_EVENT_SEEK, .position = {.id = seeking->id, .offset = seeking->offset}});
    return ORDERLY_OK;
}

enum orderly_err orderly_seek(struct orderly *orderly, const struct orderly_partition *partition, int64_t offset)
{
    if (orderly == NULL || offset < 0) {
        return ORDERLY_INVALID;
    }
    struct seeking seeking = {.offset = offset};
    enum orderly_err error = od_leases_resolve_one(orderly, partition, &seeking.id);
    return error != ORDERLY_OK ? error : od_ask(orderly, do_seek, &seeking);
}

/* ---- topics ---- */

struct topics {
    const char *const *list;
    size_t count;
    bool remove;
};

static enum orderly_err do_topics(struct od_loop *loop, void *argument)
{
    const struct topics *topics = argument;
    return topics->remove ? od_engine_remove_topics(loop->engine, topics->list, topics->count)
                          : od_engine_add_topics(loop->engine, topics->list, topics->count);
}

static enum orderly_err change_topics(struct orderly *orderly, const char *const *list, size_t count, bool remove)
{
    if (orderly == NULL || list == NULL || count == 0) {
        return ORDERLY_INVALID;
    }
    for (size_t i = 0; i < count; i++) {
        if (list[i] == NULL || list[i][0] == '\0') {
            return ORDERLY_INVALID;
        }
    }
    if (atomic_load(&orderly->closing)) {
        return ORDERLY_CLOSED;
    }
    return od_ask(orderly, do_topics, &(struct topics){list, count, remove});
}

enum orderly_err orderly_add_topics(struct orderly *orderly, const char *const *topics, size_t count)
{
    return change_topics(orderly, topics, count, false);
}

enum orderly_err orderly_remove_topics(struct orderly *orderly, const char *const *topics, size_t count)
{
    return change_topics(orderly, topics, count, true);
}

/* ---- concurrency and rate ---- */

static enum orderly_err do_concurrency(struct od_loop *loop, void *argument)
{
    uint32_t concurrency = *(const uint32_t *)argument;
    loop->orderly->settings.concurrency = concurrency;
    od_loop_step(loop, &(struct od_event){.type = OD_EVENT_CONCURRENCY, .number = {concurrency}});
    return ORDERLY_OK;
}

enum orderly_err orderly_set_concurrency(struct orderly *orderly, uint32_t concurrency)
{
    if (orderly == NULL || concurrency == 0 || concurrency > CONCURRENCY_MAX) {
        return ORDERLY_INVALID;
    }
    return od_ask(orderly, do_concurrency, &concurrency);
}

static enum orderly_err do_rate(struct od_loop *loop, void *argument)
{
    uint32_t rate = *(const uint32_t *)argument;
    loop->orderly->settings.rate = rate;
    od_loop_step(loop, &(struct od_event){.type = OD_EVENT_RATE, .number = {rate}});
    return ORDERLY_OK;
}

enum orderly_err orderly_set_rate(struct orderly *orderly, uint32_t records_per_second)
{
    if (orderly == NULL || records_per_second > RATE_MAX) {
        return ORDERLY_INVALID;
    }
    return od_ask(orderly, do_rate, &records_per_second);
}

/* ---- lag ---- */

struct lags {
    struct orderly_lag *list;
    size_t count;
};

static enum orderly_err look_lag(struct od_loop *loop, void *argument)
{
    struct lags *lags = argument;
    lags->list = calloc(loop->leases.count + 1, sizeof *lags->list);
    if (lags->list == NULL) {
        return ORDERLY_NOMEM;
    }
    size_t cursor = 0;
    uint64_t id, value;
    while (od_map_next(&loop->leases, &cursor, &id, &value)) {
        const struct od_lease *lease = (const struct od_lease *)(uintptr_t)value;
        struct od_core_partition partition;
        if (loop->core == NULL || !od_core_partition(loop->core, (uint32_t)id, &partition)) {
            continue;
        }
        char *topic = strdup(lease->topic);
        if (topic == NULL) {
            return ORDERLY_NOMEM;
        }
        lags->list[lags->count++] = (struct orderly_lag){.partition = {topic, lease->partition},
                                                         .end = od_engine_end(loop->engine, (uint32_t)id),
                                                         .committed = partition.committed,
                                                         .done_above = partition.done_above,
                                                         .parked = partition.parked};
    }
    return ORDERLY_OK;
}

enum orderly_err orderly_lag(struct orderly *orderly, struct orderly_lag **ret_list, size_t *ret_count)
{
    if (orderly == NULL || ret_list == NULL || ret_count == NULL) {
        return ORDERLY_INVALID;
    }
    struct lags lags = {0};
    enum orderly_err error = od_ask(orderly, look_lag, &lags);
    if (error != ORDERLY_OK) {
        orderly_lag_free(lags.list, lags.count);
        return error;
    }
    *ret_list = lags.list;
    *ret_count = lags.count;
    return ORDERLY_OK;
}

void orderly_lag_free(struct orderly_lag *list, size_t count)
{
    for (size_t i = 0; list != NULL && i < count; i++) {
        free((void *)(uintptr_t)list[i].partition.topic);
    }
    free(list);
}
