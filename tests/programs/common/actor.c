/* Members in one process whose history is kept. */
#include "common/actor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/doing.h"

static void note(struct test_actor *a, enum test_act act, int32_t partition, int64_t offset)
{
    pthread_mutex_lock(&a->lock);
    if (a->entry_count == a->capacity) {
        a->capacity = a->capacity == 0 ? 256 : a->capacity * 2;
        a->entries = realloc(a->entries, a->capacity * sizeof *a->entries);
    }
    a->entries[a->entry_count++] = (struct test_entry_of_actor){act, partition, offset, test_now_us()};
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* Partition p of the retry topic is noted as TEST_OF_RETRY + p. */
static void note_all(struct test_actor *a, enum test_act act, const struct orderly_partition *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool source = strcmp(list[i].topic, a->topic) == 0;

        note(a, act, source ? list[i].partition : TEST_OF_RETRY + list[i].partition, -1);
    }
}

static void on_assigned(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    struct test_actor *a = userdata;

    (void)self;
    note_all(a, TEST_ASSIGNED, list, count);
    if (a->assigned != NULL && count > 0) {
        a->assigned(a);
    }
    note_all(a, TEST_ASSIGNED_END, list, count);
}

static void on_revoked(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    struct test_actor *a = userdata;

    (void)self;
    note_all(a, TEST_REVOKED, list, count);
    if (a->revoked != NULL && count > 0) {
        a->revoked(a, list, count);
    }
    note_all(a, TEST_REVOKED_END, list, count);
}

static void on_lost(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    struct test_actor *a = userdata;

    (void)self;
    note_all(a, TEST_LOST, list, count);
}

static void on_waiting(struct orderly *self, const struct orderly_gate *gate, void *userdata)
{
    (void)self;
    note(userdata, TEST_WAITING, -1, gate->left_ms);
}

static void on_committed(struct orderly *self, const struct orderly_offset *list, size_t count, void *userdata)
{
    struct test_actor *a = userdata;

    (void)self;
    for (size_t i = 0; i < count; i++) {
        if (list[i].error == ORDERLY_OK && strcmp(list[i].partition.topic, a->topic) == 0) {
            note(a, TEST_COMMITTED, list[i].partition.partition, list[i].offset);
        }
    }
}

static void on_log(int level, const char *area, const char *text, void *userdata)
{
    struct test_actor *a = userdata;

    fprintf(stderr, "%lld %s %d %s: %s\n", (long long)(test_wall_us() / 1000), a->name, level, area, text);
    if (strstr(text, "gate") != NULL && strstr(text, "forced") != NULL) {
        note(a, TEST_FORCED, -1, -1);
    }
}

void test_actor_new(struct test_actor *a, const char *name, ...)
{
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    pthread_condattr_t monotonic;
    va_list settings;

    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &monotonic);
    a->name = name;
    a->topic = test_world.topic;
    if (orderly_config_new(&a->config) != ORDERLY_OK) {
        abort();
    }
    callbacks.assigned = on_assigned;
    callbacks.revoked = on_revoked;
    callbacks.lost = on_lost;
    callbacks.rebalance_waiting = on_waiting;
    callbacks.committed = on_committed;
    callbacks.log = on_log;
    if (orderly_config_callbacks(a->config, &callbacks, a) != ORDERLY_OK ||
        orderly_config_set(a->config, "kafka.bootstrap.servers", test_world.brokers, &error) != ORDERLY_OK ||
        orderly_config_set(a->config, "kafka.group.id", test_world.group, &error) != ORDERLY_OK ||
        orderly_config_set(a->config, "topics", test_world.topic, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(2);
    }
    test_set_pair(a->config, "start=earliest");
    test_set_pair(a->config, "block_rebalance_on_poll=true");
    for (size_t i = 0; i < test_world_setting_count; i++) {
        test_set_pair(a->config, test_world_settings[i]);
    }
    va_start(settings, name);
    for (const char *pair = va_arg(settings, const char *); pair != NULL; pair = va_arg(settings, const char *)) {
        test_set_pair(a->config, pair);
    }
    va_end(settings);
    if (orderly_new(a->config, &a->member, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s: %s\n", name, error.text);
        exit(2);
    }
}

enum orderly_err test_actor_poll(struct test_actor *a, size_t max, int64_t timeout_ms, struct orderly_batch **ret)
{
    enum orderly_err error = orderly_poll(a->member, max, timeout_ms, ret);

    for (size_t i = 0; error == ORDERLY_OK && i < orderly_batch_count(*ret); i++) {
        const struct orderly_record *record = orderly_batch_record(*ret, i);

        note(a, TEST_RECORD, orderly_record_partition(record), orderly_record_offset(record));
    }
    return error;
}

struct orderly_batch *test_actor_batch(struct test_actor *a, size_t max)
{
    struct orderly_batch *batch = NULL;
    struct orderly_error why = ORDERLY_ERROR_INIT;
    int64_t deadline = test_now_us() + 30000000;
    enum orderly_err error;

    do {
        error = test_actor_poll(a, max, 1000, &batch);
    } while (error == ORDERLY_TIMEOUT && test_now_us() < deadline);
    if (error != ORDERLY_OK) {
        (void)!orderly_last_error(a->member, &why);
    }
    TEST_NEEDS(error == ORDERLY_OK, "%s gets records (%s %s)", a->name, orderly_strerror(error), why.text);
    return batch;
}

void test_actor_take(struct test_actor *a, size_t n, struct orderly_record **ret)
{
    for (size_t got = 0; got < n;) {
        struct orderly_batch *batch = test_actor_batch(a, n - got);

        for (size_t i = 0; i < orderly_batch_count(batch); i++) {
            ret[got++] = orderly_record_ref(orderly_batch_record(batch, i));
        }
        orderly_batch_free(batch);
    }
}

size_t test_mark_all(struct orderly_record **records, size_t n, enum orderly_err expected)
{
    size_t so = 0;

    for (size_t i = 0; i < n; i++) {
        so += orderly_mark(records[i]) == expected;
        orderly_record_unref(records[i]);
    }
    return so;
}

bool test_actor_poll_until(struct test_actor *a, enum test_act act, size_t n, int64_t timeout_ms)
{
    int64_t deadline = test_now_us() + timeout_ms * 1000;

    while (test_actor_count(a, act) < n && test_now_us() < deadline) {
        struct orderly_batch *batch = NULL;

        if (test_actor_poll(a, 100, 100, &batch) == ORDERLY_OK) {
            (void)!orderly_mark_batch(batch);
            orderly_batch_free(batch);
        }
        orderly_allow_rebalance(a->member);
    }
    return test_actor_count(a, act) >= n;
}

static void *background(void *argument)
{
    struct test_actor *a = argument;

    for (;;) {
        struct orderly_batch *batch = NULL;

        a->ended = test_actor_poll(a, 100, -1, &batch);
        if (a->ended == ORDERLY_OK) {
            (void)!orderly_mark_batch(batch);
            orderly_batch_free(batch);
            orderly_allow_rebalance(a->member);
        } else if (a->ended != ORDERLY_INTERRUPTED && a->ended != ORDERLY_TIMEOUT) {
            return NULL;
        }
    }
}

void test_actor_background(struct test_actor *a)
{
    a->in_background = true;
    pthread_create(&a->thread, NULL, background, a);
}

static size_t count_of(const struct test_actor *a, enum test_act act)
{
    size_t count = 0;

    for (size_t i = 0; i < a->entry_count; i++) {
        count += a->entries[i].act == act;
    }
    return count;
}

bool test_actor_wait(struct test_actor *a, enum test_act act, size_t n, int64_t timeout_ms)
{
    struct timespec deadline;
    bool there;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000;
    deadline.tv_sec += deadline.tv_nsec / 1000000000;
    deadline.tv_nsec %= 1000000000;
    pthread_mutex_lock(&a->lock);
    while (!(there = count_of(a, act) >= n)) {
        if (pthread_cond_timedwait(&a->changed, &a->lock, &deadline) != 0) {
            there = count_of(a, act) >= n;
            break;
        }
    }
    pthread_mutex_unlock(&a->lock);
    return there;
}

size_t test_actor_count(struct test_actor *a, enum test_act act)
{
    pthread_mutex_lock(&a->lock);
    size_t count = count_of(a, act);
    pthread_mutex_unlock(&a->lock);
    return count;
}

size_t test_actor_find(struct test_actor *a, enum test_act act, int32_t partition, size_t from)
{
    size_t at = SIZE_MAX;

    pthread_mutex_lock(&a->lock);
    for (size_t i = from; i < a->entry_count && at == SIZE_MAX; i++) {
        if (a->entries[i].act == act && (partition < 0 || a->entries[i].partition == partition)) {
            at = i;
        }
    }
    pthread_mutex_unlock(&a->lock);
    return at;
}

struct test_entry_of_actor test_actor_entry(struct test_actor *a, size_t at)
{
    pthread_mutex_lock(&a->lock);
    struct test_entry_of_actor entry = a->entries[at];
    pthread_mutex_unlock(&a->lock);
    return entry;
}

size_t test_actor_length(struct test_actor *a)
{
    pthread_mutex_lock(&a->lock);
    size_t length = a->entry_count;
    pthread_mutex_unlock(&a->lock);
    return length;
}

enum orderly_err test_actor_end(struct test_actor *a)
{
    enum orderly_err error = orderly_drain(a->member, 20000);

    if (a->in_background) {
        pthread_join(a->thread, NULL);
    }
    orderly_free(a->member);
    orderly_config_free(a->config);
    a->member = NULL;
    return error;
}

double test_actor_metric(struct test_actor *a, const char *name)
{
    struct orderly_stats *stats = NULL;
    double sum = 0;

    if (orderly_stats(a->member, &stats) == ORDERLY_OK) {
        for (size_t i = 0; i < stats->metric_count; i++) {
            sum += strcmp(stats->metrics[i].name, name) == 0 ? stats->metrics[i].value : 0;
        }
        orderly_stats_free(stats);
    }
    return sum;
}
