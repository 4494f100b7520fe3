/* A record in a handler's hands: what it says, time, cancellation, the end of its partition. */
#include "face.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

struct hand {
    struct orderly *orderly;
    struct door door;
    atomic_int wrong, cancelled, returned, stale;
    atomic_int reason;
    atomic_int runs;
};

static void check(struct hand *hand, bool good)
{
    atomic_fetch_add(&hand->wrong, !good);
}

/* ---- what it says ---- */

static enum orderly_outcome look(struct orderly_record *record, void *userdata)
{
    struct hand *hand = userdata;
    struct orderly_record_view view = ORDERLY_RECORD_VIEW_INIT;
    struct orderly_record_view short_view = {.size = offsetof(struct orderly_record_view, offset)};
    enum orderly_reason reason = ORDERLY_REASON_LOST;
    int64_t left_ms = 0;
    check(hand, orderly_record_view(record, &view) == ORDERLY_OK);
    check(hand, orderly_record_view(record, &short_view) == ORDERLY_OK && short_view.offset == 0);
    check(hand, strcmp(view.topic, "t") == 0 && strcmp(orderly_record_topic(record), "t") == 0);
    check(hand, view.partition == 0 && orderly_record_partition(record) == 0);
    check(hand, view.offset == 0 && orderly_record_offset(record) == 0);
    check(hand, view.timestamp_ms == orderly_record_timestamp_ms(record) && view.timestamp_ms > 0);
    check(hand, view.key.size == 2 && memcmp(orderly_record_key(record).data, "k0", 2) == 0);
    check(hand, view.value.size == 2 && memcmp(orderly_record_value(record).data, "v0", 2) == 0);
    check(hand, view.header_count == 1 && orderly_record_header_count(record) == 1);
    check(hand, strcmp(orderly_record_header(record, 0).name, "h") == 0);
    check(hand, orderly_record_header(record, 1).name == NULL);
    check(hand, orderly_record_header_named(record, "h").size == 1);
    check(hand, orderly_record_header_named(record, "none").data == NULL);
    check(hand, view.leader_epoch == 1 && orderly_record_leader_epoch(record) == 1);
    check(hand, view.attempt == 1 && orderly_record_attempt(record) == 1);
    check(hand, view.due_ms == 0 && orderly_record_due_ms(record) == 0);
    check(hand, strcmp(view.origin_topic, "t") == 0 && strcmp(orderly_record_origin_topic(record), "t") == 0);
    check(hand, view.origin_partition == 0 && orderly_record_origin_partition(record) == 0);
    check(hand, view.origin_offset == 0 && orderly_record_origin_offset(record) == 0);
    check(hand, view.origin_timestamp_ms == orderly_record_origin_timestamp_ms(record));
    check(hand, strcmp(view.idempotency_key, orderly_record_idempotency_key(record)) == 0);
    check(hand, view.fence == 7 && orderly_record_fence(record) == 7);
    check(hand, !orderly_record_cancelled(record, &reason, &left_ms));
    check(hand, reason == ORDERLY_REASON_NONE && left_ms == INT64_MAX);
    check(hand, orderly_record_sleep(record, 1) == ORDERLY_OK);
    return ORDERLY_ACK;
}

static void a_record_says_everything_about_itself(void **state)
{
    (void)state;
    struct hand hand = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 1);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &hand, .handle = look});
    assert_true(fake_wait_committed(0, 1));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&hand.wrong), 0);
    face_free(orderly);
}

/* ---- cancellation ---- */

static enum orderly_outcome wait_for_cancel(struct orderly_record *record, void *userdata)
{
    struct hand *hand = userdata;
    enum orderly_reason reason = ORDERLY_REASON_NONE;
    int64_t left_ms = -1;
    int fd = -1, again = -1;
    check(hand, orderly_record_cancel_fd(record, &fd) == ORDERLY_OK);
    check(hand, orderly_record_cancel_fd(record, &again) == ORDERLY_OK && fd == again);
    atomic_fetch_add(&hand->door.waiting, 1);
    struct pollfd one = {.fd = fd, .events = POLLIN};
    check(hand, poll(&one, 1, FAKE_WAIT_MS) == 1);
    check(hand, orderly_record_cancelled(record, &reason, &left_ms) && left_ms >= 0);
    atomic_store(&hand->reason, (int)reason);
    check(hand, orderly_record_sleep(record, 60000) == ORDERLY_CANCELLED);
    atomic_fetch_add(&hand->returned, 1);
    return ORDERLY_RELEASE;
}

static void cancel_at_a_revoke(void **state)
{
    (void)state;
    struct hand hand = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 3, 1);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &hand, .handle = wait_for_cancel, .workers = 1});
    assert_true(door_wait_waiting(&hand.door, 1));
    fake_revoke(-1, 250000);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(atomic_load(&hand.reason), ORDERLY_REASON_REVOKED);
    assert_int_equal(atomic_load(&hand.returned), 1); /* the others of its lane never started */
    assert_true(fake_committed(0) <= 0);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&hand.wrong), 0);
    face_free(orderly);
}

static void records_that_no_worker_has_begun_do_not_hold_up_a_revoke(void **state)
{
    (void)state;
    struct hand hand = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 60, 0); /* no lanes: all are given to the one worker */
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &hand, .handle = wait_for_cancel, .workers = 1});
    assert_true(door_wait_waiting(&hand.door, 1));
    fake_revoke(-1, 250000);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(atomic_load(&hand.returned), 1);
    assert_int_equal(orderly_settle_wait(orderly, NULL, 0, FAKE_WAIT_MS), ORDERLY_OK);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
}

static enum orderly_outcome settle_late(struct orderly_record *record, void *userdata)
{
    struct hand *hand = userdata;
    door_wait(&hand->door);
    atomic_fetch_add(&hand->stale, orderly_mark(record) == ORDERLY_STALE);
    atomic_fetch_add(&hand->stale, orderly_record_extend(record, 10) == ORDERLY_STALE);
    return ORDERLY_ACK;
}

static void after_a_loss_a_running_handler_keeps_its_record_and_its_outcome_is_stale(void **state)
{
    (void)state;
    struct hand hand = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 1);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &hand, .handle = settle_late, .workers = 1});
    assert_true(door_wait_waiting(&hand.door, 1));
    fake_lose(-1, false);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(fake_messages(), 1);
    door_open(&hand.door);
    assert_int_equal(orderly_settle_wait(orderly, NULL, 0, FAKE_WAIT_MS), ORDERLY_OK);
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&hand.stale), 2);
    assert_true(fake_committed(0) <= 0);
    assert_true(metric_of(orderly, "orderly_late_outcomes_total", NULL) == 1);
    face_free(orderly);
}

/* ---- the handler's own time ---- */

static enum orderly_outcome run_into_timeout(struct orderly_record *record, void *userdata)
{
    struct hand *hand = userdata;
    enum orderly_reason reason = ORDERLY_REASON_NONE;
    int64_t left_ms = -1;
    if (atomic_fetch_add(&hand->runs, 1) > 0) {
        return ORDERLY_ACK;
    }
    check(hand, !orderly_record_cancelled(record, &reason, &left_ms) && left_ms <= 30);
    check(hand, orderly_record_sleep(record, 60000) == ORDERLY_CANCELLED);
    check(hand, orderly_record_cancelled(record, &reason, &left_ms) && reason == ORDERLY_REASON_TIMEOUT);
    orderly_record_set_delay(record, 1);
    return ORDERLY_RETRY;
}

static void at_its_deadline_a_handler_is_told_with_reason_timeout_and_the_retry_has_that_class(void **state)
{
    (void)state;
    struct hand hand = {0};
    struct run run;
    char class_name[64];
    const char *more[] = {"retry.in=topic", "order=none", NULL};
    struct orderly *orderly = fake_member(more, NULL, NULL);
    fake_append(0, 1, 0);
    run_begin(&run, orderly,
              &(struct orderly_handler){.userdata = &hand, .handle = run_into_timeout, .workers = 1, .timeout_ms = 30});
    assert_true(fake_wait_copies(OD_COPY_RETRY, 1));
    fake_last_class(class_name, sizeof class_name);
    assert_string_equal(class_name, "timeout");
    assert_true(fake_wait_committed(0, 1));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&hand.wrong), 0);
    face_free(orderly);
}

static enum orderly_outcome extend_and_sleep(struct orderly_record *record, void *userdata)
{
    struct hand *hand = userdata;
    check(hand, orderly_record_extend(record, 600000) == ORDERLY_OK);
    check(hand, orderly_record_sleep(record, 60) == ORDERLY_OK);
    return ORDERLY_ACK;
}

static void extend_moves_the_deadline(void **state)
{
    (void)state;
    struct hand hand = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 0);
    run_begin(&run, orderly,
              &(struct orderly_handler){.userdata = &hand, .handle = extend_and_sleep, .workers = 1, .timeout_ms = 20});
    assert_true(fake_wait_committed(0, 1));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&hand.wrong), 0);
    face_free(orderly);
}

static enum orderly_outcome ignore_everything(struct orderly_record *record, void *userdata)
{
    struct hand *hand = userdata;
    (void)record;
    door_wait(&hand->door);
    return ORDERLY_ACK;
}

static bool is_not_stuck(void *orderly)
{
    return !has_condition(orderly, "stuck");
}

static void a_handler_that_ignores_its_cancel_is_reported_as_stuck_and_never_settled_for_it(void **state)
{
    (void)state;
    struct hand hand = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 0);
    run_begin(
        &run, orderly,
        &(struct orderly_handler){
            .userdata = &hand, .handle = ignore_everything, .workers = 1, .timeout_ms = 10, .stuck_grace_ms = 10});
    assert_true(wait_condition(orderly, "stuck"));
    assert_true(fake_committed(0) <= 0);
    door_open(&hand.door);
    assert_true(fake_wait_committed(0, 1));
    assert_true(fake_wait(is_not_stuck, orderly));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
}

/* ---- no descriptors left ---- */

static enum orderly_outcome without_descriptors(struct orderly_record *record, void *userdata)
{
    struct hand *hand = userdata;
    struct rlimit old, none;
    int fd = -1;
    check(hand, getrlimit(RLIMIT_NOFILE, &old) == 0);
    none = old;
    none.rlim_cur = 3;
    check(hand, setrlimit(RLIMIT_NOFILE, &none) == 0);
    check(hand, orderly_record_cancel_fd(record, &fd) == ORDERLY_LIMIT);
    check(hand, orderly_quit_fd(hand->orderly, &(struct orderly_partition){"t", 0}, &fd) == ORDERLY_LIMIT);
    check(hand, setrlimit(RLIMIT_NOFILE, &old) == 0);
    check(hand, orderly_record_cancel_fd(record, &fd) == ORDERLY_OK);
    return ORDERLY_ACK;
}

static void out_of_descriptors_is_a_limit(void **state)
{
    (void)state;
    struct hand hand = {0};
    struct run run;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    hand.orderly = orderly;
    fake_append(0, 1, 0);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &hand, .handle = without_descriptors, .workers = 1});
    assert_true(fake_wait_committed(0, 1));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&hand.wrong), 0);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_record_says_everything_about_itself, face_reset),
        cmocka_unit_test_setup(cancel_at_a_revoke, face_reset),
        cmocka_unit_test_setup(records_that_no_worker_has_begun_do_not_hold_up_a_revoke, face_reset),
        cmocka_unit_test_setup(after_a_loss_a_running_handler_keeps_its_record_and_its_outcome_is_stale, face_reset),
        cmocka_unit_test_setup(at_its_deadline_a_handler_is_told_with_reason_timeout_and_the_retry_has_that_class,
                               face_reset),
        cmocka_unit_test_setup(extend_moves_the_deadline, face_reset),
        cmocka_unit_test_setup(a_handler_that_ignores_its_cancel_is_reported_as_stuck_and_never_settled_for_it,
                               face_reset),
        cmocka_unit_test_setup(out_of_descriptors_is_a_limit, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
