/* rebalance.policy: the same meaning in both faces. Without a `revoked` callback the library does by itself what the policy says. */
#include "face.h"

static const struct orderly_partition first_partition = {"t", 0};

/* A piece of work on one record, in a handler or on a thread beside a poll. */
struct work {
    struct orderly *orderly;
    struct orderly_record *record;
    struct door door;
    atomic_int told, ended;
    enum orderly_err settled;
};

/* ---- the poll face ---- */

static void *work_beside(void *opaque)
{
    struct work *work = opaque;
    enum orderly_err slept = orderly_sleep(work->orderly, &first_partition, 600000);
    atomic_store(&work->told, slept == ORDERLY_CANCELLED);
    work->settled = orderly_mark(work->record);
    orderly_record_unref(work->record);
    atomic_fetch_add(&work->ended, 1);
    return NULL;
}

static struct orderly_record *take_one(struct orderly *orderly)
{
    struct orderly_batch *batch = poll_some(orderly, 1);
    struct orderly_record *record = orderly_record_ref(orderly_batch_record(batch, 0));
    orderly_batch_free(batch);
    return record;
}

static void in_the_poll_face_drain_tells_waits_and_commits(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.policy=drain", NULL};
    pthread_t thread;
    fake_append(0, 1, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    struct work work = {.orderly = orderly, .record = take_one(orderly)};
    assert_int_equal(pthread_create(&thread, NULL, work_beside, &work), 0);
    fake_revoke(-1, 200000);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&work.told), 1);
    assert_int_equal(work.settled, ORDERLY_OK);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(fake_committed(0), 1);
    face_free(orderly);
}

static bool has_drained(void *orderly)
{
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    return orderly_gate(orderly, &gate) == ORDERLY_OK && gate.records_out == 1;
}

static void in_the_poll_face_finish_tells_nothing_and_waits(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.policy=finish", NULL};
    struct orderly_batch *batch = NULL;
    fake_append(0, 2, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    struct orderly_record *record = take_one(orderly);
    fake_revoke(-1, 200000);
    assert_true(fake_wait_revoke_told());
    assert_true(fake_wait(has_drained, orderly));
    assert_int_equal(orderly_sleep(orderly, &first_partition, 20), ORDERLY_OK); /* nobody tells a worker to quit */
    assert_false(orderly_record_cancelled(record, NULL, NULL));
    assert_int_equal(orderly_poll(orderly, 1, 20, &batch), ORDERLY_TIMEOUT); /* nothing new is begun */
    assert_true(fake_is_assigned(0));
    assert_int_equal(orderly_mark(record), ORDERLY_OK);
    orderly_record_unref(record);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(fake_committed(0), 1);
    face_free(orderly);
}

static void in_the_poll_face_immediate_lets_go_at_once(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.policy=immediate", NULL};
    fake_append(0, 2, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    struct orderly_record *done = take_one(orderly);
    struct orderly_record *running = take_one(orderly);
    assert_int_equal(orderly_mark(done), ORDERLY_OK);
    orderly_record_unref(done);
    fake_revoke(-1, 200000);
    assert_true(fake_wait_assigned(0, false)); /* although one is out */
    assert_int_equal(fake_committed(0), 1);
    assert_int_equal(orderly_mark(running), ORDERLY_STALE);
    orderly_record_unref(running);
    assert_true(metric_of(orderly, "orderly_late_outcomes_total", NULL) == 1);
    face_free(orderly);
}

/* ---- the run face ---- */

static enum orderly_outcome sleep_or_quit(struct orderly_record *record, void *userdata)
{
    struct work *work = userdata;
    atomic_fetch_add(&work->door.waiting, 1);
    atomic_store(&work->told, orderly_record_sleep(record, 600000) == ORDERLY_CANCELLED);
    return ORDERLY_ACK;
}

static void in_the_run_face_drain_tells_waits_and_commits(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.policy=drain", NULL};
    struct work work = {0};
    struct run run;
    fake_append(0, 1, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &work, .handle = sleep_or_quit, .workers = 1});
    assert_true(door_wait_waiting(&work.door, 1));
    fake_revoke(-1, 200000);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(atomic_load(&work.told), 1);
    assert_int_equal(fake_committed(0), 1);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
}

static enum orderly_outcome look_at_the_door(struct orderly_record *record, void *userdata)
{
    struct work *work = userdata;
    door_wait(&work->door);
    atomic_fetch_add(&work->told, orderly_record_cancelled(record, NULL, NULL));
    atomic_fetch_add(&work->ended, 1);
    return ORDERLY_ACK;
}

static void in_the_run_face_finish_tells_nothing_and_waits(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.policy=finish", NULL};
    struct work work = {0};
    struct run run;
    fake_append(0, 1, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &work, .handle = look_at_the_door, .workers = 1});
    assert_true(door_wait_waiting(&work.door, 1));
    fake_revoke(-1, 200000);
    assert_true(fake_wait_revoke_told());
    assert_true(fake_wait(has_drained, orderly));
    assert_true(fake_is_assigned(0));
    door_open(&work.door);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(atomic_load(&work.told), 0);
    assert_int_equal(fake_committed(0), 1);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
}

static void in_the_run_face_immediate_lets_go_at_once(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.policy=immediate", NULL};
    struct work work = {0};
    struct run run;
    fake_append(0, 1, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &work, .handle = look_at_the_door, .workers = 1});
    assert_true(door_wait_waiting(&work.door, 1));
    fake_revoke(-1, 200000);
    assert_true(fake_wait_assigned(0, false)); /* although it runs */
    door_open(&work.door);
    assert_true(wait_count(&work.ended, 1));
    assert_int_equal(orderly_settle_wait(orderly, NULL, 0, FAKE_WAIT_MS), ORDERLY_OK);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_true(fake_committed(0) <= 0);
    assert_true(metric_of(orderly, "orderly_late_outcomes_total", NULL) == 1);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(in_the_poll_face_drain_tells_waits_and_commits, face_reset),
        cmocka_unit_test_setup(in_the_poll_face_finish_tells_nothing_and_waits, face_reset),
        cmocka_unit_test_setup(in_the_poll_face_immediate_lets_go_at_once, face_reset),
        cmocka_unit_test_setup(in_the_run_face_drain_tells_waits_and_commits, face_reset),
        cmocka_unit_test_setup(in_the_run_face_finish_tells_nothing_and_waits, face_reset),
        cmocka_unit_test_setup(in_the_run_face_immediate_lets_go_at_once, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
