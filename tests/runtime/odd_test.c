/* Odd uses that an application may come upon: answers, never a hang. */
#include "face.h"

#include <stdio.h>
#include <stdlib.h>

static const struct orderly_partition first_partition = {"t", 0};

/* ---- in callbacks.log ---- */

struct logging {
    struct orderly *orderly;
    atomic_int lines, wrong;
};

static void ask_in_log(int level, const char *area, const char *text, void *userdata)
{
    struct logging *logging = userdata;
    struct orderly *orderly = logging->orderly;
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    struct orderly_batch *batch = NULL;
    struct orderly_stats *stats = NULL;
    int64_t offset = 0;
    (void)level;
    (void)area;
    (void)text;
    if (orderly == NULL) {
        return;
    }
    atomic_fetch_add(&logging->lines, 1);
    atomic_fetch_add(&logging->wrong, orderly_gate(orderly, &gate) != ORDERLY_STATE);
    atomic_fetch_add(&logging->wrong, orderly_stats(orderly, &stats) != ORDERLY_STATE);
    atomic_fetch_add(&logging->wrong, orderly_poll(orderly, 1, -1, &batch) != ORDERLY_STATE);
    atomic_fetch_add(&logging->wrong, orderly_drain(orderly, -1) != ORDERLY_STATE);
    atomic_fetch_add(&logging->wrong, orderly_commit(orderly, NULL, 0, -1, NULL) != ORDERLY_STATE);
    atomic_fetch_add(&logging->wrong, orderly_settle_wait(orderly, NULL, 0, -1) != ORDERLY_STATE);
    atomic_fetch_add(&logging->wrong, orderly_sleep(orderly, &first_partition, 10) != ORDERLY_STATE);
    atomic_fetch_add(&logging->wrong, orderly_pause(orderly, NULL, 0, "x") != ORDERLY_STATE);
    atomic_fetch_add(&logging->wrong, orderly_poll_fd(orderly) != -1);
    enum orderly_err error = orderly_committed(orderly, &first_partition, &offset);
    atomic_fetch_add(&logging->wrong, error != ORDERLY_STATE && error != ORDERLY_STALE);
    orderly_wake(orderly);
}

static void what_waits_is_refused_in_the_log_callback(void **state)
{
    (void)state;
    struct logging logging = {0};
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    struct orderly_batch *batch = NULL;
    callbacks.log = ask_in_log;
    struct orderly *orderly = fake_member(NULL, &callbacks, &logging);
    logging.orderly = orderly;
    fake_append(0, 2, 0);
    enum orderly_err polled;
    do {
        polled = orderly_poll(orderly, 1, FAKE_WAIT_MS, &batch);
    } while (polled == ORDERLY_INTERRUPTED);
    assert_int_equal(polled, ORDERLY_OK);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    assert_int_equal(orderly_seek(orderly, &first_partition, 1), ORDERLY_OK); /* logs */
    fake_revoke(-1, 100000);
    assert_true(fake_wait_assigned(0, false));
    face_free(orderly);
    assert_true(atomic_load(&logging.lines) >= 3);
    assert_int_equal(atomic_load(&logging.wrong), 0);
}

/* ---- reasons to pause ---- */

static void start(struct orderly *orderly)
{
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
}

static enum orderly_err pause_for(struct orderly *orderly, int number)
{
    char reason[32];
    snprintf(reason, sizeof reason, "reason %d", number);
    return orderly_pause(orderly, &first_partition, 1, reason);
}

static enum orderly_err resume_for(struct orderly *orderly, int number)
{
    char reason[32];
    snprintf(reason, sizeof reason, "reason %d", number);
    return orderly_resume(orderly, &first_partition, 1, reason);
}

static void a_resume_never_clears_the_pause_of_another_reason_however_many_there_are(void **state)
{
    (void)state;
    struct orderly_batch *batch = NULL;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    start(orderly);
    int paused = 0;
    while (pause_for(orderly, paused) == ORDERLY_OK) {
        paused++;
        assert_true(paused <= 64);
    }
    assert_int_equal(paused, 62);
    assert_int_equal(pause_for(orderly, paused), ORDERLY_LIMIT);
    assert_int_equal(resume_for(orderly, 1000), ORDERLY_OK); /* was never paused for that */
    fake_append(0, 1, 0);
    for (int i = 1; i < paused; i++) {
        assert_int_equal(resume_for(orderly, i), ORDERLY_OK);
    }
    assert_int_equal(orderly_poll(orderly, 1, 10, &batch), ORDERLY_TIMEOUT);
    assert_int_equal(resume_for(orderly, 0), ORDERLY_OK);
    batch = poll_some(orderly, 1);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    /* One after the other there may be any number. */
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pause_for(orderly, 2000 + i), ORDERLY_OK);
        assert_int_equal(resume_for(orderly, 2000 + i), ORDERLY_OK);
    }
    start(orderly);
    face_free(orderly);
}

/* ---- ends ---- */

static void *drain_it(void *orderly)
{
    return (void *)(uintptr_t)orderly_drain(orderly, -1);
}

static void many_threads_may_drain_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    void *result = NULL;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    start(orderly);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, drain_it, orderly), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], &result);
        assert_int_equal((uintptr_t)result, ORDERLY_OK);
    }
    assert_true(fake_left());
    face_free(orderly);
}

/* ---- free while others wait inside ---- */

struct waiter {
    struct orderly *orderly;
    atomic_int *begun;
    enum orderly_err result;
};

static void *wait_in_poll(void *opaque)
{
    struct waiter *waiter = opaque;
    struct orderly_batch *batch = NULL;
    atomic_fetch_add(waiter->begun, 1);
    waiter->result = orderly_poll(waiter->orderly, 1, -1, &batch);
    return NULL;
}

static void *wait_in_commit(void *opaque)
{
    struct waiter *waiter = opaque;
    atomic_fetch_add(waiter->begun, 1);
    waiter->result = orderly_commit(waiter->orderly, NULL, 0, -1, NULL);
    return NULL;
}

static void *wait_in_settle_wait(void *opaque)
{
    struct waiter *waiter = opaque;
    atomic_fetch_add(waiter->begun, 1);
    waiter->result = orderly_settle_wait(waiter->orderly, NULL, 0, -1);
    return NULL;
}

static void *wait_in_sleep(void *opaque)
{
    struct waiter *waiter = opaque;
    atomic_fetch_add(waiter->begun, 1);
    waiter->result = orderly_sleep(waiter->orderly, &first_partition, INT64_MAX);
    return NULL;
}

static bool is_polled(void *orderly)
{
    struct orderly_batch *batch = NULL;
    enum orderly_err error = orderly_poll(orderly, 1, 0, &batch);
    orderly_batch_free(batch);
    return error == ORDERLY_STATE; /* another one is inside */
}

static void whoever_waits_inside_is_let_go_by_a_free(void **state)
{
    (void)state;
    static void *(*const ways[])(void *) = {wait_in_poll, wait_in_commit, wait_in_settle_wait, wait_in_sleep};
    const char *more[] = {"commit.interval=never", "close_timeout=50ms", "commit.timeout=20ms",
                          "rebalance.drain_timeout=20ms", NULL};
    struct waiter waiters[4];
    pthread_t threads[4];
    atomic_int begun = 0;
    fake_set_committed(0, 0);
    fake_append(0, 2, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    struct orderly_batch *batch = poll_some(orderly, 2);
    assert_int_equal(orderly_batch_count(batch), 2);
    assert_int_equal(orderly_mark(orderly_batch_record(batch, 0)), ORDERLY_OK);
    fake_hold_commits(true);
    for (int i = 0; i < 4; i++) {
        waiters[i] = (struct waiter){.orderly = orderly, .begun = &begun, .result = ORDERLY_OK};
        assert_int_equal(pthread_create(&threads[i], NULL, ways[i], &waiters[i]), 0);
    }
    assert_true(wait_count(&begun, 4));
    assert_true(fake_wait(is_polled, orderly));
    assert_true(fake_wait_committed(0, 1)); /* sent, and never answered */
    orderly_free(orderly);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(waiters[0].result, ORDERLY_CLOSED);
    assert_true(waiters[1].result == ORDERLY_CLOSED || waiters[1].result == ORDERLY_STALE);
    assert_int_equal(waiters[2].result, ORDERLY_OK); /* nothing of a partition of ours is out any more */
    assert_int_equal(waiters[3].result, ORDERLY_CLOSED);
    orderly_batch_free(batch);
    assert_int_equal(fake_messages(), 0);
}

/* ---- settlements ---- */

static void delays_and_texts_beyond_all_bounds_are_cut(void **state)
{
    (void)state;
    const char *more[] = {"retry.max_delay=10ms", "retry.attempts=10", NULL};
    static const int64_t delays[] = {INT64_MAX, 0, -1}, dues[] = {0, INT64_MAX, 1};
    char class_text[2000], *text = calloc(1, 100000);
    assert_non_null(text);
    memset(class_text, 'c', sizeof class_text - 1);
    class_text[sizeof class_text - 1] = '\0';
    memset(text, 't', 99999);
    fake_append(0, 1, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        struct orderly_settlement again = ORDERLY_SETTLEMENT_INIT;
        struct orderly_batch *batch = poll_some(orderly, 1);
        again.outcome = ORDERLY_RETRY;
        again.delay_ms = delays[i];
        again.due_ms = dues[i];
        again.error_class = class_text;
        again.error_text = text;
        assert_int_equal(orderly_record_attempt(orderly_batch_record(batch, 0)), i + 1);
        assert_int_equal(orderly_settle(orderly_batch_record(batch, 0), &again), ORDERLY_OK);
        orderly_batch_free(batch);
    }
    struct orderly_batch *batch = poll_some(orderly, 1); /* each came back within max_delay */
    struct orderly_settlement dead = ORDERLY_SETTLEMENT_INIT;
    dead.outcome = ORDERLY_DEAD_LETTER;
    dead.error_class = "a\"b\\c\nd";
    assert_int_equal(orderly_settle(orderly_batch_record(batch, 0), &dead), ORDERLY_OK);
    orderly_batch_free(batch);
    assert_true(fake_wait_committed(0, 1));
    assert_true(metric_of(orderly, "orderly_dead_letters_total", "topic=\"t\",class=\"a\\\"b\\\\c\\nd\"") == 1);
    face_free(orderly);
    free(text);
}

static void two_members_in_one_process_do_not_touch_each_other(void **state)
{
    (void)state;
    struct orderly_batch *batch = NULL;
    struct orderly *first = fake_member(NULL, NULL, NULL);
    struct orderly *second = fake_member(NULL, NULL, NULL); /* never polled: never joins */
    start(first);
    orderly_wake(second);
    assert_int_equal(orderly_close(second), ORDERLY_OK);
    fake_append(0, 1, 0);
    batch = poll_some(first, 1);
    orderly_free(second);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    assert_true(fake_wait_committed(0, 2));
    face_free(first);
}

static void a_cap_beyond_all_bounds_and_a_timeout_beyond_all_time_are_fine(void **state)
{
    (void)state;
    struct orderly_batch *batch = NULL;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 10, 0);
    assert_int_equal(orderly_poll(orderly, SIZE_MAX, INT64_MAX, &batch), ORDERLY_OK);
    assert_true(orderly_batch_count(batch) <= 10);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    assert_int_equal(orderly_commit(orderly, NULL, 0, INT64_MAX, NULL), ORDERLY_OK);
    assert_int_equal(orderly_mark_offset(orderly, &first_partition, INT64_MAX),
                     ORDERLY_OK); /* no more than was handed out */
    assert_int_equal(orderly_commit(orderly, NULL, 0, -1, NULL), ORDERLY_OK);
    assert_true(fake_committed(0) <= 10);
    assert_int_equal(orderly_seek(orderly, &first_partition, INT64_MAX), ORDERLY_OK);
    assert_int_equal(orderly_seek(orderly, &first_partition, 0), ORDERLY_OK);
    batch = poll_some(orderly, 1);
    assert_int_equal(orderly_record_offset(orderly_batch_record(batch, 0)), 0);
    orderly_batch_free(batch);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_waits_is_refused_in_the_log_callback, face_reset),
        cmocka_unit_test_setup(a_resume_never_clears_the_pause_of_another_reason_however_many_there_are, face_reset),
        cmocka_unit_test_setup(many_threads_may_drain_at_once, face_reset),
        cmocka_unit_test_setup(whoever_waits_inside_is_let_go_by_a_free, face_reset),
        cmocka_unit_test_setup(delays_and_texts_beyond_all_bounds_are_cut, face_reset),
        cmocka_unit_test_setup(two_members_in_one_process_do_not_touch_each_other, face_reset),
        cmocka_unit_test_setup(a_cap_beyond_all_bounds_and_a_timeout_beyond_all_time_are_fine, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
