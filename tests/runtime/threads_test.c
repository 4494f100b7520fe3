/* Any function from any thread at once: ThreadSanitizer looks on. */
#include "face.h"

#include <stdlib.h>
#include <unistd.h>

static const struct orderly_partition first_partition = {"t", 0};
static const struct orderly_partition both[] = {{"t", 0}, {"t", 1}};

enum { ROUNDS = 200, RECORDS = 400 };

struct crowd {
    struct orderly *orderly;
    atomic_bool over;
    atomic_int wrong, handled;
};

static void check(struct crowd *crowd, bool good)
{
    atomic_fetch_add(&crowd->wrong, !good);
}

static bool is_fine(enum orderly_err error)
{
    return error == ORDERLY_OK || error == ORDERLY_STALE || error == ORDERLY_CLOSED || error == ORDERLY_TIMEOUT ||
           error == ORDERLY_CANCELLED || error == ORDERLY_NO_OFFSET || error == ORDERLY_FENCED ||
           error == ORDERLY_LIMIT;
}

static void *look(void *opaque)
{
    struct crowd *crowd = opaque;
    struct orderly *orderly = crowd->orderly;
    for (int i = 0; i < ROUNDS && !atomic_load(&crowd->over); i++) {
        struct orderly_gate gate = ORDERLY_GATE_INIT;
        struct orderly_backlog backlog = ORDERLY_BACKLOG_INIT;
        struct orderly_member member = ORDERLY_MEMBER_INIT;
        struct orderly_error error = ORDERLY_ERROR_INIT;
        struct orderly_stats *stats = NULL;
        struct orderly_partition *list = NULL;
        struct orderly_lag *lags = NULL;
        size_t count = 0;
        int64_t offset = 0;
        int fd = -1;
        check(crowd, orderly_gate(orderly, &gate) == ORDERLY_OK);
        check(crowd, is_fine(orderly_uncommitted(orderly, &first_partition, &backlog)));
        check(crowd, orderly_member(orderly, &member) == ORDERLY_OK);
        check(crowd, orderly_last_error(orderly, &error) == ORDERLY_OK);
        check(crowd, is_fine(orderly_committed(orderly, &first_partition, &offset)));
        check(crowd, is_fine(orderly_quit_fd(orderly, &first_partition, &fd)));
        check(crowd, orderly_stats(orderly, &stats) == ORDERLY_OK);
        orderly_stats_free(stats);
        check(crowd, orderly_assignment(orderly, &list, &count) == ORDERLY_OK);
        orderly_assignment_free(list, count);
        check(crowd, orderly_lag(orderly, &lags, &count) == ORDERLY_OK);
        orderly_lag_free(lags, count);
    }
    return NULL;
}

static void *change(void *opaque)
{
    struct crowd *crowd = opaque;
    struct orderly *orderly = crowd->orderly;
    static const char *const topics[] = {"u"};
    for (int i = 0; i < ROUNDS && !atomic_load(&crowd->over); i++) {
        check(crowd, is_fine(orderly_pause(orderly, both, 2, "crowd")));
        check(crowd, is_fine(orderly_resume(orderly, both, 2, "crowd")));
        check(crowd, orderly_set_concurrency(orderly, 10 + (uint32_t)i) == ORDERLY_OK);
        check(crowd, orderly_set_rate(orderly, 0) == ORDERLY_OK);
        check(crowd, is_fine(orderly_add_topics(orderly, topics, 1)));
        check(crowd, is_fine(orderly_remove_topics(orderly, topics, 1)));
        check(crowd, is_fine(orderly_mark_offset(orderly, &both[1], i)));
        check(crowd, is_fine(orderly_sleep(orderly, &first_partition, 0)));
        orderly_wake(orderly);
        orderly_allow_rebalance(orderly);
    }
    check(crowd, is_fine(orderly_resume(orderly, NULL, 0, "crowd")));
    return NULL;
}

static void *commit(void *opaque)
{
    struct crowd *crowd = opaque;
    for (int i = 0; i < ROUNDS && !atomic_load(&crowd->over); i++) {
        check(crowd, is_fine(orderly_commit(crowd->orderly, NULL, 0, FAKE_WAIT_MS, NULL)));
        check(crowd, is_fine(orderly_commit_async(crowd->orderly)));
        check(crowd, is_fine(orderly_settle_wait(crowd->orderly, &first_partition, 1, 0)));
    }
    return NULL;
}

static void *settle(void *opaque)
{
    struct orderly_record *record = opaque;
    struct orderly_settlement end = ORDERLY_SETTLEMENT_INIT;
    int fd = -1;
    end.outcome = ORDERLY_ACK;
    end.error_class = "c";
    (void)orderly_record_cancelled(record, NULL, NULL);
    (void)!orderly_record_cancel_fd(record, &fd);
    (void)!orderly_record_extend(record, 1000);
    (void)!orderly_record_set_error(record, "c", "t");
    return (void *)(uintptr_t)orderly_settle(record, &end);
}

/* Two threads settle one record: one of them does. */
static void settle_twice(struct crowd *crowd, struct orderly_record *record)
{
    pthread_t threads[2];
    void *results[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, settle, record), 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], &results[i]);
    }
    enum orderly_err a = (enum orderly_err)(uintptr_t)results[0], b = (enum orderly_err)(uintptr_t)results[1];
    check(crowd, a == ORDERLY_INVALID || b == ORDERLY_INVALID);
    check(crowd, is_fine(a) || is_fine(b));
}

static void every_function_may_be_called_from_any_thread_at_once(void **state)
{
    (void)state;
    static void *(*const parts[])(void *) = {look, change, commit, look, commit};
    pthread_t threads[sizeof parts / sizeof *parts];
    struct crowd crowd = {0};
    fake_assigned_at_start(2);
    fake_append(0, RECORDS, 10);
    fake_append(1, RECORDS, 10);
    struct orderly *orderly = crowd.orderly = fake_member(NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, parts[i], &crowd), 0);
    }
    for (int polls = 0; fake_committed(0) < RECORDS || fake_committed(1) < RECORDS; polls++) {
        struct orderly_batch *batch = NULL;
        enum orderly_err error = orderly_poll(orderly, 50, 10, &batch);
        if (error == ORDERLY_OK) {
            if (polls % 16 == 0) {
                settle_twice(&crowd, orderly_batch_record(batch, 0));
            }
            enum orderly_err marked = orderly_mark_batch(batch);
            check(&crowd, marked == ORDERLY_OK || marked == ORDERLY_STALE);
        } else {
            check(&crowd, error == ORDERLY_TIMEOUT || error == ORDERLY_INTERRUPTED);
        }
        orderly_batch_free(batch);
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&crowd.wrong), 0);
    face_free(orderly);
}

static enum orderly_outcome handle(struct orderly_record *record, void *userdata)
{
    struct crowd *crowd = userdata;
    (void)orderly_record_value(record);
    check(crowd, is_fine(orderly_record_sleep(record, 0)));
    atomic_fetch_add(&crowd->handled, 1);
    orderly_record_set_delay(record, 0);
    return orderly_record_attempt(record) == 1 && orderly_record_offset(record) % 7 == 0 ? ORDERLY_RETRY : ORDERLY_ACK;
}

static void the_run_face_is_looked_at_and_changed_from_any_thread(void **state)
{
    (void)state;
    static void *(*const parts[])(void *) = {look, change, commit};
    pthread_t threads[sizeof parts / sizeof *parts];
    struct crowd crowd = {0};
    struct run run;
    fake_assigned_at_start(2);
    fake_append(0, RECORDS, 10);
    struct orderly *orderly = crowd.orderly = fake_member(NULL, NULL, NULL);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &crowd, .handle = handle, .workers = 4});
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, parts[i], &crowd), 0);
    }
    assert_true(wait_count(&crowd.handled, RECORDS / 2));
    fake_lose(1, false); /* and a partition goes meanwhile */
    atomic_store(&crowd.over, true);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&crowd.wrong), 0);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_function_may_be_called_from_any_thread_at_once, face_reset),
        cmocka_unit_test_setup(the_run_face_is_looked_at_and_changed_from_any_thread, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
