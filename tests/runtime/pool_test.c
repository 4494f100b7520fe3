/* The pool of the run face: how many at once, and batches. */
#include "face.h"

#include <sched.h>

struct crowd {
    struct door door;
    atomic_int inside, most, calls, records;
};

static enum orderly_outcome stand(struct orderly_record *record, void *userdata)
{
    struct crowd *crowd = userdata;
    (void)record;
    int inside = atomic_fetch_add(&crowd->inside, 1) + 1;
    for (int most = atomic_load(&crowd->most); inside > most;) {
        if (atomic_compare_exchange_weak(&crowd->most, &most, inside)) {
            break;
        }
    }
    door_wait(&crowd->door);
    atomic_fetch_sub(&crowd->inside, 1);
    return ORDERLY_ACK;
}

static int processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

static void with_no_number_of_workers_there_is_one_for_each_processor(void **state)
{
    (void)state;
    const char *more[] = {"order=none", "concurrency=1000", NULL};
    struct crowd crowd = {0};
    struct run run;
    size_t count = (size_t)processors() + 20;
    fake_append(0, count, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &crowd, .handle = stand});
    assert_true(door_wait_waiting(&crowd.door, processors()));
    door_open(&crowd.door);
    assert_true(fake_wait_committed(0, (int64_t)count));
    assert_int_equal(atomic_load(&crowd.most), processors());
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
}

static void end_one(struct pending *pending, int i)
{
    assert_int_equal(orderly_mark(pending->records[i]), ORDERLY_OK);
    orderly_record_unref(pending->records[i]);
}

static bool queue_stands(void *orderly)
{
    return metric_of(orderly, "orderly_records_in_flight", "topic=\"t\"") >= 0;
}

static void no_more_are_in_flight_than_concurrency_says_and_it_changes_at_run_time(void **state)
{
    (void)state;
    const char *more[] = {"order=none", "concurrency=3", NULL};
    struct pending pending = {0};
    struct run run;
    fake_append(0, 20, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &pending, .handle = pending_keep, .workers = 1});
    assert_true(wait_count(&pending.count, 3));
    end_one(&pending, 0);
    assert_true(wait_count(&pending.count, 4));
    assert_true(fake_wait(queue_stands, orderly)); /* a turn of the loop */
    assert_int_equal(atomic_load(&pending.count), 4);
    assert_int_equal(orderly_set_concurrency(orderly, 5), ORDERLY_OK);
    assert_true(wait_count(&pending.count, 6));
    assert_int_equal(orderly_set_concurrency(orderly, 1), ORDERLY_OK);
    for (int i = 1; i < 5; i++) {
        end_one(&pending, i); /* five, then one is in flight */
    }
    assert_true(fake_wait(queue_stands, orderly));
    assert_int_equal(atomic_load(&pending.count), 6);
    for (int i = 5; i < 20; i++) {
        assert_true(wait_count(&pending.count, i + 1));
        assert_int_equal(atomic_load(&pending.count), i + 1);
        end_one(&pending, i);
    }
    assert_true(fake_wait_committed(0, 20));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
}

static void take_all(struct orderly_record **records, size_t count, enum orderly_outcome *outcomes, void *userdata)
{
    struct crowd *crowd = userdata;
    (void)records;
    atomic_fetch_add(&crowd->calls, 1);
    for (size_t i = 0; i < count; i++) {
        atomic_fetch_add(&crowd->records, outcomes[i] == ORDERLY_UNSET);
        outcomes[i] = ORDERLY_ACK;
    }
}

static void a_batch_waits_for_more_until_it_is_full(void **state)
{
    (void)state;
    struct crowd crowd = {0};
    struct run run;
    fake_append(0, 2, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    run_begin(&run, orderly,
              &(struct orderly_handler){
                  .userdata = &crowd, .handle_batch = take_all, .batch_max = 5, .batch_wait_ms = 600000, .workers = 1});
    assert_true(fake_wait_assigned(0, true));
    assert_true(fake_wait(queue_stands, orderly));
    fake_append(0, 3, 0);
    assert_true(fake_wait_committed(0, 5));
    assert_int_equal(atomic_load(&crowd.calls), 1);
    assert_int_equal(atomic_load(&crowd.records), 5); /* outcomes begin as UNSET */
    fake_append(0, 1, 0);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_true(fake_committed(0) >= 5);
    face_free(orderly);
}

static void a_batch_that_is_not_full_goes_when_its_wait_is_over(void **state)
{
    (void)state;
    struct crowd crowd = {0};
    struct run run;
    fake_append(0, 2, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    run_begin(&run, orderly,
              &(struct orderly_handler){
                  .userdata = &crowd, .handle_batch = take_all, .batch_max = 5, .batch_wait_ms = 20, .workers = 1});
    assert_true(fake_wait_committed(0, 2));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
}

static void leave_unset(struct orderly_record **records, size_t count, enum orderly_outcome *outcomes, void *userdata)
{
    struct crowd *crowd = userdata;
    (void)records;
    for (size_t i = 0; i < count; i += 2) {
        outcomes[i] = ORDERLY_ACK;
    }
    atomic_fetch_add(&crowd->calls, 1);
}

static void what_a_batch_handler_leaves_unset_is_held_and_never_acked(void **state)
{
    (void)state;
    struct crowd crowd = {0};
    struct run run;
    fake_append(0, 4, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    run_begin(
        &run, orderly,
        &(struct orderly_handler){
            .userdata = &crowd, .handle_batch = leave_unset, .batch_max = 4, .batch_wait_ms = 1000, .workers = 1});
    assert_true(wait_count(&crowd.calls, 1));
    assert_true(wait_condition(orderly, "handler_fault"));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(fake_committed(0), 1);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(with_no_number_of_workers_there_is_one_for_each_processor, face_reset),
        cmocka_unit_test_setup(no_more_are_in_flight_than_concurrency_says_and_it_changes_at_run_time, face_reset),
        cmocka_unit_test_setup(a_batch_waits_for_more_until_it_is_full, face_reset),
        cmocka_unit_test_setup(a_batch_that_is_not_full_goes_when_its_wait_is_over, face_reset),
        cmocka_unit_test_setup(what_a_batch_handler_leaves_unset_is_held_and_never_acked, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
