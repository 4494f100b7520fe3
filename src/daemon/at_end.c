/* --exit-at-end: see at_end.h. */
#include "daemon/at_end.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/bytes.h"
#include "daemon/log.h"

enum { LOOK_MS = 300, QUIET_MS = 5000 };

static const struct orderly_group_lag *find(const struct orderly_group_lags *lags, const struct orderly_group_lag *like)
{
    for (size_t i = 0; i < lags->count; i++) {
        if (lags->list[i].partition == like->partition && strcmp(lags->list[i].topic, like->topic) == 0) {
            return &lags->list[i];
        }
    }
    return NULL;
}

/* Whether a partition is done up to `end`. An empty one is done although nothing was ever committed. */
static bool done_to(const struct orderly_group_lag *now, int64_t end)
{
    return now->committed >= end || end <= now->begin;
}

bool od_at_end_reached(const struct orderly_group_lags *start, const struct orderly_group_lags *now,
                       bool (*retry)(const char *topic, void *userdata), void *userdata)
{
    for (size_t i = 0; i < now->count; i++) {
        const struct orderly_group_lag *lag = &now->list[i];
        const struct orderly_group_lag *first = find(start, lag);

        if (retry(lag->topic, userdata)) {
            if (!done_to(lag, lag->end)) {
                return false; /* a retry that followed */
            }
        } else if (first != NULL && !done_to(lag, first->end)) {
            return false;
        }
    }
    return true;
}

static bool is_retry(const char *topic, void *userdata)
{
    const struct orderly_needs *needs = userdata;

    for (size_t i = 0; i < needs->count; i++) {
        if (needs->list[i].kind == ORDERLY_NEED_RETRY && strcmp(needs->list[i].name, topic) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Transaction markers and records that were compacted away at the very end are never handed out, so that the committed
 * offset cannot reach the end. What is ours, has nothing out and has not moved for a while is done.
 */
static bool quiet(struct od_at_end *at_end, int64_t now_ms)
{
    struct orderly_stats *stats = NULL;
    uint64_t busy = 0, sum = 1;
    bool known = true;

    if (orderly_stats(at_end->orderly, &stats) != ORDERLY_OK) {
        return false;
    }
    for (size_t i = 0; i < stats->partition_count; i++) {
        const struct orderly_partition_stats *partition = &stats->partitions[i];

        busy += partition->queued + partition->running + partition->parked;
        sum += (uint64_t)partition->position + (uint64_t)partition->committed;
        known = known && partition->position >= 0;
    }
    known = known && stats->condition_count == 0;
    if (busy > 0 || !known || stats->partition_count == 0 || sum != at_end->quiet_sum) {
        at_end->quiet_since_ms = now_ms;
        at_end->quiet_sum = sum;
    }
    orderly_stats_free(stats);
    return now_ms - at_end->quiet_since_ms >= QUIET_MS;
}

/* Whether all partitions that are not done are ours. */
static bool rest_is_ours(struct od_at_end *at_end, const struct orderly_group_lags *now)
{
    struct orderly_partition *list = NULL;
    size_t count = 0;
    bool ours = true;

    if (orderly_assignment(at_end->orderly, &list, &count) != ORDERLY_OK) {
        return false;
    }
    for (size_t i = 0; i < now->count && ours; i++) {
        bool found = done_to(&now->list[i], now->list[i].end);

        for (size_t j = 0; j < count && !found; j++) {
            found = list[j].partition == now->list[i].partition && strcmp(list[j].topic, now->list[i].topic) == 0;
        }
        ours = found;
    }
    orderly_assignment_free(list, count);
    return ours;
}

static bool look(struct od_at_end *at_end, bool *ret_quiet)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_group_lags *now = NULL;
    bool reached;

    *ret_quiet = false;
    if (orderly_admin_lag(at_end->admin, &now, &error) != ORDERLY_OK) {
        od_say_debug("daemon", "the lag of the group cannot be read: %s", error.text);
        return false;
    }
    reached = od_at_end_reached(at_end->start, now, is_retry, at_end->needs);
    if (!reached && quiet(at_end, od_clock_ms()) && rest_is_ours(at_end, now)) {
        *ret_quiet = true;
    }
    orderly_group_lags_free(now);
    return reached;
}

static void *watch_thread(void *argument)
{
    struct od_at_end *at_end = argument;
    struct pollfd stop = {.fd = at_end->stop_fd, .events = POLLIN};
    int times = 0;

    /* Twice in a row: the ends are read before what is committed, and a copy may appear in between. */
    while (times < 2) {
        bool is_quiet;

        if (poll(&stop, 1, LOOK_MS) > 0) {
            return NULL;
        }
        times = look(at_end, &is_quiet) ? times + 1 : 0;
        if (is_quiet) {
            break;
        }
    }
    od_say_info("daemon", "everything up to the end found at the start is done: closing");
    if (orderly_close(at_end->orderly) != ORDERLY_OK) {
        od_say_error("daemon", "the member could not be closed");
    }
    return NULL;
}

enum orderly_err od_at_end_init(struct od_at_end *at_end, struct orderly_admin *admin, struct orderly_error *error)
{
    enum orderly_err err;

    *at_end = (struct od_at_end){.admin = admin, .stop_fd = -1};
    err = orderly_admin_needs(admin, &at_end->needs, error);
    if (err == ORDERLY_OK) {
        err = orderly_admin_lag(admin, &at_end->start, error);
    }
    return err;
}

enum orderly_err od_at_end_start(struct od_at_end *at_end, struct orderly *orderly)
{
    at_end->orderly = orderly;
    at_end->quiet_since_ms = od_clock_ms();
    at_end->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (at_end->stop_fd < 0 || pthread_create(&at_end->thread, NULL, watch_thread, at_end) != 0) {
        return ORDERLY_LIMIT;
    }
    at_end->threaded = true;
    return ORDERLY_OK;
}

void od_at_end_fini(struct od_at_end *at_end)
{
    uint64_t one = 1;

    if (at_end->threaded) {
        (void)!write(at_end->stop_fd, &one, sizeof one);
        pthread_join(at_end->thread, NULL);
    }
    if (at_end->threaded || at_end->stop_fd > 0) {
        close(at_end->stop_fd);
    }
    orderly_group_lags_free(at_end->start);
    orderly_needs_free(at_end->needs);
    *at_end = (struct od_at_end){.stop_fd = -1};
}
