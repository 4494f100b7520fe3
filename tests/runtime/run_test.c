/* The run face over the scripted engine: outcomes, order, jobs, the end. */
#include "face.h"

#include <stdlib.h>

static enum orderly_outcome ack(struct orderly_record *record, void *userdata)
{
    (void)record;
    atomic_fetch_add((atomic_int *)userdata, 1);
    return ORDERLY_ACK;
}

static void every_record_is_handled_once_and_committed(void **state)
{
    (void)state;
    atomic_int handled = 0;
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1000, 10);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &handled, .handle = ack, .workers = 4});
    assert_true(fake_wait_committed(0, 1000));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_true(fake_left());
    assert_int_equal(atomic_load(&handled), 1000);
    face_free(orderly);
}

/* ---- order ---- */

struct order {
    atomic_llong last[10];
    atomic_int running[10];
    atomic_int broken, handled;
};

static enum orderly_outcome check_order(struct orderly_record *record, void *userdata)
{
    struct order *order = userdata;
    int64_t offset = orderly_record_offset(record);
    size_t key = (size_t)(offset % 10);
    if (atomic_fetch_add(&order->running[key], 1) != 0 || atomic_exchange(&order->last[key], offset) >= offset) {
        atomic_fetch_add(&order->broken, 1);
    }
    atomic_fetch_sub(&order->running[key], 1);
    atomic_fetch_add(&order->handled, 1);
    return ORDERLY_ACK;
}

static void records_of_a_key_run_one_at_a_time_and_in_order(void **state)
{
    (void)state;
    struct order order = {0};
    struct run run;
    for (size_t i = 0; i < 10; i++) {
        atomic_store(&order.last[i], -1);
    }
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 5000, 10);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &order, .handle = check_order, .workers = 4});
    assert_true(fake_wait_committed(0, 5000));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&order.broken), 0);
    assert_int_equal(atomic_load(&order.handled), 5000);
    face_free(orderly);
}

/* ---- outcomes ---- */

struct twice {
    struct orderly_record *kept; /* of the first run */
    atomic_int runs, attempts, wrong;
};

static enum orderly_outcome retry_once(struct orderly_record *record, void *userdata)
{
    struct twice *twice = userdata;
    int run = atomic_fetch_add(&twice->runs, 1);
    atomic_store(&twice->attempts, (int)orderly_record_attempt(record));
    if (run == 0) {
        twice->kept = orderly_record_ref(record);
        orderly_record_set_delay(record, 10);
        return ORDERLY_RETRY;
    }
    /* The old reference must not settle, cancel or fail the new run. */
    if (orderly_mark(twice->kept) != ORDERLY_INVALID ||
        orderly_record_set_error(twice->kept, "x", NULL) != ORDERLY_INVALID) {
        atomic_fetch_add(&twice->wrong, 1);
    }
    return ORDERLY_ACK;
}

static void a_retry_in_its_lane_runs_again_and_an_old_reference_cannot_touch_it(void **state)
{
    (void)state;
    struct twice twice = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 1);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &twice, .handle = retry_once});
    assert_true(fake_wait_committed(0, 1));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&twice.runs), 2);
    assert_int_equal(atomic_load(&twice.attempts), 2);
    assert_int_equal(atomic_load(&twice.wrong), 0);
    orderly_free(orderly);
    assert_string_equal(orderly_record_topic(twice.kept), "t"); /* its bytes outlive the member */
    assert_int_equal(orderly_mark(twice.kept), ORDERLY_INVALID);
    orderly_record_unref(twice.kept);
    assert_int_equal(fake_messages(), 0);
}

static enum orderly_outcome fail_with_class(struct orderly_record *record, void *userdata)
{
    (void)userdata;
    assert_int_equal(orderly_record_set_error(record, "ValidationError", "no such country"), ORDERLY_OK);
    return ORDERLY_RETRY;
}

static void an_error_class_of_retry_never_goes_to_the_dead_letters_at_once(void **state)
{
    (void)state;
    struct run run;
    char class_name[64];
    const char *more[] = {"retry.never=ValidationError", NULL};
    struct orderly *orderly = fake_member(more, NULL, NULL);
    fake_append(0, 1, 1);
    run_begin(&run, orderly, &(struct orderly_handler){.handle = fail_with_class});
    assert_true(fake_wait_copies(OD_COPY_DEAD_LETTER, 1));
    assert_true(fake_wait_committed(0, 1));
    fake_last_class(class_name, sizeof class_name);
    assert_string_equal(class_name, "ValidationError");
    assert_true(metric_of(orderly, "orderly_dead_letters_total", "topic=\"t\",class=\"ValidationError\"") == 1);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(fake_copies(OD_COPY_RETRY), 0);
    face_free(orderly);
}

static enum orderly_outcome say_nothing(struct orderly_record *record, void *userdata)
{
    (void)record;
    atomic_fetch_add((atomic_int *)userdata, 1);
    return ORDERLY_UNSET;
}

static void an_outcome_that_is_unset_is_held_and_never_acked(void **state)
{
    (void)state;
    struct run run;
    atomic_int handled = 0;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 3, 0);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &handled, .handle = say_nothing});
    assert_true(wait_count(&handled, 1));
    assert_true(wait_condition(orderly, "handler_fault"));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_true(fake_committed(0) <= 0);
    face_free(orderly);
}

static enum orderly_outcome settle_inside(struct orderly_record *record, void *userdata)
{
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    settlement.outcome = ORDERLY_DROP;
    if (orderly_settle(record, &settlement) != ORDERLY_OK || orderly_settle(record, &settlement) != ORDERLY_INVALID) {
        atomic_fetch_add((atomic_int *)userdata, 1);
    }
    return ORDERLY_RETRY; /* comes too late */
}

static void what_a_handler_settles_itself_counts_and_its_return_does_not(void **state)
{
    (void)state;
    struct run run;
    atomic_int wrong = 0;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 20, 2);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &wrong, .handle = settle_inside, .workers = 2});
    assert_true(fake_wait_committed(0, 20));
    assert_true(metric_of(orderly, "orderly_settled_total", "topic=\"t\",outcome=\"drop\"") == 20);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&wrong), 0);
    face_free(orderly);
}

/* ---- pending ---- */

static void pending_records_are_more_than_threads_and_settle_from_anywhere(void **state)
{
    (void)state;
    struct pending pending = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 50, 0);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &pending, .handle = pending_keep, .workers = 1});
    assert_true(wait_count(&pending.count, 50));
    for (int i = 49; i >= 0; i--) {
        assert_int_equal(orderly_mark(pending.records[i]), ORDERLY_OK);
        assert_int_equal(orderly_mark(pending.records[i]), ORDERLY_INVALID);
        orderly_record_unref(pending.records[i]);
    }
    assert_true(fake_wait_committed(0, 50));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
}

static void the_last_reference_gone_without_an_outcome_releases(void **state)
{
    (void)state;
    struct pending pending = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 1);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &pending, .handle = pending_keep, .workers = 1});
    assert_true(wait_count(&pending.count, 1));
    orderly_record_unref(pending.records[0]);
    assert_true(wait_count(&pending.count, 2)); /* it comes back after its back-off */
    assert_int_equal(orderly_record_attempt(pending.records[1]), 1);
    assert_int_equal(orderly_mark(pending.records[1]), ORDERLY_OK);
    orderly_record_unref(pending.records[1]);
    assert_true(fake_wait_committed(0, 1));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
}

/* ---- batches ---- */

struct batches {
    atomic_int records, calls, too_large;
};

static void take_batch(struct orderly_record **records, size_t count, enum orderly_outcome *outcomes, void *userdata)
{
    struct batches *batches = userdata;
    atomic_fetch_add(&batches->calls, 1);
    atomic_fetch_add(&batches->too_large, count > 16);
    for (size_t i = 0; i < count; i++) {
        atomic_fetch_add(&batches->records, orderly_record_value(records[i]).size > 0);
        outcomes[i] = ORDERLY_ACK;
    }
}

static void a_batch_handler_gets_at_most_batch_max_records(void **state)
{
    (void)state;
    struct batches batches = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 500, 0);
    run_begin(
        &run, orderly,
        &(struct orderly_handler){.userdata = &batches, .handle_batch = take_batch, .batch_max = 16, .workers = 2});
    assert_true(fake_wait_committed(0, 500));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&batches.records), 500);
    assert_int_equal(atomic_load(&batches.too_large), 0);
    assert_true(atomic_load(&batches.calls) < 500);
    face_free(orderly);
}

/* ---- the end ---- */

static enum orderly_outcome wait_at_door(struct orderly_record *record, void *userdata)
{
    (void)record;
    door_wait(userdata);
    return ORDERLY_ACK;
}

static void closing_lets_running_work_finish_and_commits_it(void **state)
{
    (void)state;
    struct door door = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 2, 0);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &door, .handle = wait_at_door, .workers = 2});
    assert_true(door_wait_waiting(&door, 2));
    assert_int_equal(orderly_close(orderly), ORDERLY_OK);
    assert_int_equal(orderly_close(orderly), ORDERLY_OK); /* idempotent */
    fake_append(0, 1, 0);
    door_open(&door);
    assert_int_equal(run_join(&run), ORDERLY_OK);
    assert_int_equal(fake_committed(0), 2);
    face_free(orderly);
}

static void a_drain_that_takes_too_long_says_so_and_free_leaves_the_running_handler_alone(void **state)
{
    (void)state;
    struct door door = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 0);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &door, .handle = wait_at_door, .workers = 1});
    assert_true(door_wait_waiting(&door, 1));
    assert_int_equal(orderly_drain(orderly, 50), ORDERLY_TIMEOUT);
    assert_int_equal(run_join(&run), ORDERLY_TIMEOUT);
    assert_true(strlen(run.error.text) > 0);
    assert_true(fake_committed(0) <= 0);
    orderly_free(orderly);
    assert_int_equal(fake_messages(), 1); /* the handler still has it */
    door_open(&door);
    assert_true(wait_count(&door.passed, 1));
    while (fake_messages() > 0) {
    }
}

static void an_ending_fault_ends_the_run_with_its_code_and_sentence(void **state)
{
    (void)state;
    atomic_int handled = 0;
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &handled, .handle = ack});
    assert_true(fake_wait_assigned(0, true));
    fake_fault(ORDERLY_FENCED, true, "another member has this group.instance.id");
    assert_int_equal(run_join(&run), ORDERLY_FENCED);
    assert_int_equal(run.error.kafka_code, 42);
    assert_string_equal(run.error.text, "another member has this group.instance.id");
    struct orderly_error last = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_last_error(orderly, &last), ORDERLY_OK);
    assert_int_equal(last.code, ORDERLY_FENCED);
    face_free(orderly);
}

static void a_start_that_fails_ends_the_run(void **state)
{
    (void)state;
    atomic_int handled = 0;
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_fail_start(ORDERLY_CONFIG);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &handled, .handle = ack});
    assert_int_equal(run_join(&run), ORDERLY_CONFIG);
    assert_string_equal(run.error.text, "scripted");
    face_free(orderly);
}

/* ---- wrong use in a handler ---- */

static enum orderly_outcome misuse(struct orderly_record *record, void *userdata)
{
    (void)record;
    struct run *run = userdata;
    struct orderly_batch *batch = NULL;
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    handler.handle = ack;
    assert_int_equal(orderly_poll(run->orderly, 1, 0, &batch), ORDERLY_STATE);
    assert_int_equal(orderly_drain(run->orderly, 0), ORDERLY_STATE);
    assert_int_equal(orderly_run(run->orderly, &handler, NULL), ORDERLY_STATE);
    orderly_free(run->orderly); /* refused: closes only */
    return ORDERLY_ACK;
}

static void drain_poll_run_and_free_are_refused_in_a_handler(void **state)
{
    (void)state;
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 0);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &run, .handle = misuse});
    assert_int_equal(run_join(&run), ORDERLY_OK);
    assert_int_equal(fake_committed(0), 1);
    face_free(orderly);
}

static void poll_and_run_exclude_each_other(void **state)
{
    (void)state;
    struct run run;
    atomic_int handled = 0;
    struct orderly_batch *batch = NULL;
    struct orderly_handler handler = {.size = sizeof handler, .userdata = &handled, .handle = ack};
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    run_begin(&run, orderly, &handler);
    assert_true(fake_wait_assigned(0, true));
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_STATE);
    assert_int_equal(orderly_run(orderly, &handler, NULL), ORDERLY_STATE);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);

    fake_reset();
    orderly = fake_member(NULL, NULL, NULL);
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    assert_int_equal(orderly_run(orderly, &handler, NULL), ORDERLY_STATE);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_record_is_handled_once_and_committed, face_reset),
        cmocka_unit_test_setup(records_of_a_key_run_one_at_a_time_and_in_order, face_reset),
        cmocka_unit_test_setup(a_retry_in_its_lane_runs_again_and_an_old_reference_cannot_touch_it, face_reset),
        cmocka_unit_test_setup(an_error_class_of_retry_never_goes_to_the_dead_letters_at_once, face_reset),
        cmocka_unit_test_setup(an_outcome_that_is_unset_is_held_and_never_acked, face_reset),
        cmocka_unit_test_setup(what_a_handler_settles_itself_counts_and_its_return_does_not, face_reset),
        cmocka_unit_test_setup(pending_records_are_more_than_threads_and_settle_from_anywhere, face_reset),
        cmocka_unit_test_setup(the_last_reference_gone_without_an_outcome_releases, face_reset),
        cmocka_unit_test_setup(a_batch_handler_gets_at_most_batch_max_records, face_reset),
        cmocka_unit_test_setup(closing_lets_running_work_finish_and_commits_it, face_reset),
        cmocka_unit_test_setup(a_drain_that_takes_too_long_says_so_and_free_leaves_the_running_handler_alone,
                               face_reset),
        cmocka_unit_test_setup(an_ending_fault_ends_the_run_with_its_code_and_sentence, face_reset),
        cmocka_unit_test_setup(a_start_that_fails_ends_the_run, face_reset),
        cmocka_unit_test_setup(drain_poll_run_and_free_are_refused_in_a_handler, face_reset),
        cmocka_unit_test_setup(poll_and_run_exclude_each_other, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
