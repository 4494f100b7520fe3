/*
 * Memory that runs out: each allocation of a member's life fails once, each in a life of its own. An error code or a repeat, never a crash, a
 * hang, or an offset committed that was not acked. (Under the sanitizers malloc is theirs: then this is one life without a failure.)
 */
#include "face.h"

#include <errno.h>

#include "fake_script.h"

#define RECORDS 6

static const struct orderly_partition first_partition = {"t", 0};

static atomic_int countdown;
static atomic_bool fired;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool possible = false;
#else
static const bool possible = true;

static bool fails(void)
{
    if (fake_exempt > 0 || atomic_load_explicit(&countdown, memory_order_relaxed) <= 0 ||
        atomic_fetch_sub(&countdown, 1) != 1) {
        return false;
    }
    atomic_store(&fired, true);
    errno = ENOMEM;
    return true;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
#endif

static void ignore_partitions(struct orderly *orderly, const struct orderly_partition *partitions, size_t count,
                              void *userdata)
{
    (void)orderly;
    (void)partitions;
    (void)count;
    (void)userdata;
}

static void ignore_position(struct orderly *orderly, const struct orderly_partition *partition, int64_t *offset,
                            void *userdata)
{
    (void)orderly;
    (void)partition;
    (void)offset;
    (void)userdata;
}

static void ignore_committed(struct orderly *orderly, const struct orderly_offset *offsets, size_t count,
                             void *userdata)
{
    (void)orderly;
    (void)offsets;
    (void)count;
    (void)userdata;
}

static struct orderly *make(struct orderly_config *config)
{
    struct orderly *orderly = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    enum orderly_err result = orderly_new(config, &orderly, &error);
    assert_true(result == ORDERLY_OK || result == ORDERLY_NOMEM);
    assert_true((result == ORDERLY_OK) == (orderly != NULL));
    return orderly;
}

static void ask_everything(struct orderly *orderly)
{
    struct orderly_stats *stats = NULL;
    struct orderly_partition *partitions = NULL;
    struct orderly_lag *lags = NULL;
    size_t count = 0;
    if (orderly_stats(orderly, &stats) == ORDERLY_OK) {
        orderly_stats_free(stats);
    }
    if (orderly_assignment(orderly, &partitions, &count) == ORDERLY_OK) {
        orderly_assignment_free(partitions, count);
    }
    if (orderly_lag(orderly, &lags, &count) == ORDERLY_OK) {
        orderly_lag_free(lags, count);
    }
    (void)!orderly_pause(orderly, &first_partition, 1, "r");
    (void)!orderly_resume(orderly, &first_partition, 1, "r");
}

/* Polls, acks every other record, retries the others. Returns how many were acked below the first that was not. */
static int64_t poll_face(struct orderly *orderly)
{
    int64_t acked = 0;
    for (int round = 0; round < 2 * RECORDS && acked < RECORDS; round++) {
        struct orderly_batch *batch = NULL;
        enum orderly_err error = orderly_poll(orderly, 2, 100, &batch);
        if (error != ORDERLY_OK) {
            assert_true(error == ORDERLY_TIMEOUT || error == ORDERLY_NOMEM || error == ORDERLY_CLOSED ||
                        error == ORDERLY_LIMIT);
            break;
        }
        for (size_t i = 0; i < orderly_batch_count(batch); i++) {
            struct orderly_record *record = orderly_batch_record(batch, i);
            (void)!orderly_record_set_error(record, "c", "t");
            int64_t offset = orderly_record_offset(record);
            enum orderly_err settled = orderly_mark(record);
            assert_true(settled == ORDERLY_OK || settled == ORDERLY_STALE);
            acked = settled == ORDERLY_OK && offset == acked ? acked + 1 : acked;
        }
        orderly_batch_free(batch);
        ask_everything(orderly);
        (void)!orderly_commit(orderly, NULL, 0, 100, NULL);
    }
    return acked;
}

static void one_life_polling(struct orderly_config *config)
{
    fake_reset();
    fake_set_committed(0, 0);
    fake_append(0, RECORDS, 2);
    struct orderly *orderly = make(config);
    if (orderly == NULL) {
        return;
    }
    int64_t acked = poll_face(orderly);
    enum orderly_err end = orderly_drain(orderly, 200);
    assert_true(end == ORDERLY_OK || end == ORDERLY_NOMEM || end == ORDERLY_TIMEOUT || end == ORDERLY_LIMIT);
    assert_true(fake_committed(0) <= acked);
    orderly_free(orderly);
}

static atomic_int handled;

static enum orderly_outcome handle(struct orderly_record *record, void *userdata)
{
    struct orderly *orderly = userdata;
    (void)record;
    if (atomic_fetch_add(&handled, 1) + 1 == RECORDS) {
        (void)!orderly_close(orderly);
    }
    return ORDERLY_ACK;
}

static bool all_handled(void *userdata)
{
    (void)userdata;
    return atomic_load(&handled) >= RECORDS;
}

/* Where a failure keeps a record from ever coming, time ends the run. */
static void *close_later(void *orderly)
{
    (void)fake_wait_within(all_handled, NULL, 300);
    (void)!orderly_close(orderly);
    return NULL;
}

static void one_life_running(struct orderly_config *config)
{
    fake_reset();
    fake_set_committed(0, 0);
    fake_append(0, RECORDS, 2);
    atomic_store(&handled, 0);
    struct orderly *orderly = make(config);
    if (orderly == NULL) {
        return;
    }
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    pthread_t thread;
    handler.handle = handle;
    handler.userdata = orderly;
    handler.workers = 1;
    bool helped = pthread_create(&thread, NULL, close_later, orderly) == 0;
    if (helped) {
        enum orderly_err end = orderly_run(orderly, &handler, NULL);
        assert_true(end == ORDERLY_OK || end == ORDERLY_NOMEM || end == ORDERLY_LIMIT || end == ORDERLY_CLOSED ||
                    end == ORDERLY_TIMEOUT); /* close_timeout is short */
        pthread_join(thread, NULL);
    }
    assert_true(fake_committed(0) <= atomic_load(&handled));
    orderly_free(orderly);
}

static void sweep(void (*life)(struct orderly_config *), unsigned least)
{
    const char *more[] = {"close_timeout=200ms", "commit.timeout=100ms", "rebalance.drain_timeout=50ms", NULL};
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    callbacks.assigned = callbacks.revoked = callbacks.lost = ignore_partitions;
    callbacks.position = ignore_position;
    callbacks.committed = ignore_committed;
    unsigned n = 0;
    for (bool hit = true; hit && n < 5000; n++) {
        struct orderly_config *config = fake_config(more);
        assert_int_equal(orderly_config_callbacks(config, &callbacks, NULL), ORDERLY_OK);
        atomic_store(&fired, false);
        atomic_store(&countdown, (int)n + 1);
        life(config);
        atomic_store(&countdown, 0);
        hit = atomic_load(&fired);
        orderly_config_free(config);
    }
    assert_true(n > least || !possible);
}

static void each_failed_allocation_of_the_poll_face_is_survived(void **state)
{
    (void)state;
    sweep(one_life_polling, 50);
}

static void each_failed_allocation_of_the_run_face_is_survived(void **state)
{
    (void)state;
    sweep(one_life_running, 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_failed_allocation_of_the_poll_face_is_survived, face_reset),
        cmocka_unit_test_setup(each_failed_allocation_of_the_run_face_is_survived, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
