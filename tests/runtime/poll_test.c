/* The poll face over the scripted engine: batches, the gate, settling, committing, partition workers. */
#include "face.h"

#include <poll.h>
#include <sched.h>

#include "runtime/clock.h"

static const struct orderly_partition first_partition = {"t", 0};

static void mark_all(struct orderly_batch *batch)
{
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
}

/* ---- batches ---- */

static void ok_means_records_grouped_by_partition_in_offset_order(void **state)
{
    (void)state;
    fake_assigned_at_start(3);
    for (int32_t i = 0; i < 3; i++) {
        fake_append(i, 200, 5);
    }
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    size_t seen = 0;
    int64_t next[3] = {0};
    while (seen < 600) {
        struct orderly_batch *batch = poll_some(orderly, 50);
        const struct orderly_slice *slices = NULL;
        size_t count = orderly_batch_slices(batch, &slices), total = 0;
        assert_true(orderly_batch_count(batch) <= 50);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(slices[i].first, total);
            total += slices[i].count;
            for (size_t j = slices[i].first; j < total; j++) {
                struct orderly_record *record = orderly_batch_record(batch, j);
                int32_t partition = orderly_record_partition(record);
                assert_int_equal(partition, slices[i].partition.partition);
                assert_true(orderly_record_offset(record) == next[partition]++);
            }
        }
        assert_int_equal(total, orderly_batch_count(batch));
        assert_null(orderly_batch_record(batch, total));
        seen += total;
        mark_all(batch);
    }
    for (int32_t i = 0; i < 3; i++) {
        assert_true(fake_wait_committed(i, 200));
    }
    face_free(orderly);
}

static void a_cap_is_shared_fairly_between_partitions(void **state)
{
    (void)state;
    fake_assigned_at_start(4);
    for (int32_t i = 0; i < 4; i++) {
        fake_append(i, 100, 0);
    }
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = NULL;
    const struct orderly_slice *slices = NULL;
    do { /* until all four have something */
        orderly_batch_free(batch);
        batch = poll_some(orderly, 40);
    } while (orderly_batch_slices(batch, &slices) < 4);
    for (size_t i = 0; i < 4; i++) {
        assert_true(slices[i].count <= 10);
    }
    orderly_batch_free(batch);
    face_free(orderly);
}

static void nothing_to_hand_out_is_a_timeout_and_a_wake_is_interrupted(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = NULL;
    assert_int_equal(orderly_poll(orderly, 10, 0, &batch), ORDERLY_TIMEOUT);
    assert_int_equal(orderly_poll(orderly, 10, 20, &batch), ORDERLY_TIMEOUT);
    orderly_wake(orderly);
    assert_int_equal(orderly_poll(orderly, 10, -1, &batch), ORDERLY_INTERRUPTED);
    assert_int_equal(orderly_poll(orderly, 10, 0, &batch), ORDERLY_TIMEOUT); /* one poll only */
    assert_null(batch);
    face_free(orderly);
}

static void *poll_for_ever(void *opaque)
{
    struct orderly_batch *batch = NULL;
    return (void *)(uintptr_t)orderly_poll(opaque, 10, -1, &batch);
}

static void closing_ends_a_waiting_poll_with_closed(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    pthread_t thread;
    void *result = NULL;
    struct orderly_batch *batch = NULL;
    assert_int_equal(pthread_create(&thread, NULL, poll_for_ever, orderly), 0);
    assert_true(fake_wait_assigned(0, true));
    assert_int_equal(orderly_close(orderly), ORDERLY_OK);
    pthread_join(thread, &result);
    assert_int_equal((uintptr_t)result, ORDERLY_CLOSED);
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_CLOSED);
    face_free(orderly);
}

static void errors_are_returned_and_never_hidden_in_an_empty_batch(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    fake_fault(ORDERLY_UNKNOWN_TOPIC, false, "topic t was deleted");
    assert_int_equal(orderly_poll(orderly, 1, FAKE_WAIT_MS, &batch), ORDERLY_UNKNOWN_TOPIC);
    assert_int_equal(orderly_last_error(orderly, &error), ORDERLY_OK);
    assert_string_equal(error.text, "topic t was deleted");
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT); /* told once */
    fake_fault(ORDERLY_AUTH, true, "not allowed to read");
    assert_int_equal(orderly_poll(orderly, 1, FAKE_WAIT_MS, &batch), ORDERLY_AUTH);
    assert_int_equal(orderly_drain(orderly, -1), ORDERLY_AUTH);
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_AUTH); /* for ever */
    face_free(orderly);
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, timeout_ms) == 1;
}

static void a_batch_freed_without_outcomes_releases_its_records(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 0);
    orderly_batch_free(poll_some(orderly, 10));
    struct orderly_batch *batch = poll_some(orderly, 10); /* after its back-off */
    assert_int_equal(orderly_record_attempt(orderly_batch_record(batch, 0)), 1);
    struct orderly_record *kept = orderly_record_ref(orderly_batch_record(batch, 0));
    orderly_batch_free(batch);
    assert_int_equal(orderly_mark(kept), ORDERLY_OK); /* a reference keeps it out */
    orderly_record_unref(kept);
    assert_true(fake_wait_committed(0, 1));
    face_free(orderly);
}

static void a_retry_comes_back_through_poll(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    settlement.outcome = ORDERLY_RETRY;
    settlement.delay_ms = 5;
    settlement.error_class = "busy";
    fake_append(0, 1, 1);
    struct orderly_batch *batch = poll_some(orderly, 10);
    assert_int_equal(orderly_settle(orderly_batch_record(batch, 0), &settlement), ORDERLY_OK);
    orderly_batch_free(batch);
    batch = poll_some(orderly, 10);
    assert_int_equal(orderly_record_attempt(orderly_batch_record(batch, 0)), 2);
    settlement.outcome = ORDERLY_DEAD_LETTER;
    assert_int_equal(orderly_settle(orderly_batch_record(batch, 0), &settlement), ORDERLY_OK);
    orderly_batch_free(batch);
    assert_true(fake_wait_copies(OD_COPY_DEAD_LETTER, 1));
    assert_true(fake_wait_committed(0, 1));
    face_free(orderly);
}

/* ---- settle and commit ---- */

static void marks_never_pass_over_an_unfinished_record(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_backlog backlog = ORDERLY_BACKLOG_INIT;
    int64_t committed = -1;
    fake_append(0, 10, 0);
    struct orderly_batch *batch = poll_some(orderly, 10);
    assert_int_equal(orderly_batch_count(batch), 10);
    for (size_t i = 10; i-- > 1;) {
        assert_int_equal(orderly_mark(orderly_batch_record(batch, i)), ORDERLY_OK);
    }
    assert_int_equal(orderly_commit(orderly, &first_partition, 1, FAKE_WAIT_MS, NULL), ORDERLY_OK);
    assert_int_equal(orderly_committed(orderly, &first_partition, &committed), ORDERLY_OK);
    assert_int_equal(committed, 0);
    assert_int_equal(orderly_uncommitted(orderly, &first_partition, &backlog), ORDERLY_OK);
    assert_int_equal(backlog.done_above, 9);
    assert_int_equal(backlog.running, 1);
    mark_all(batch);
    assert_int_equal(orderly_commit(orderly, NULL, 0, FAKE_WAIT_MS, NULL), ORDERLY_OK);
    assert_int_equal(orderly_committed(orderly, &first_partition, &committed), ORDERLY_OK);
    assert_int_equal(committed, 10);
    assert_int_equal(fake_committed(0), 10);
    face_free(orderly);
}

static void mark_offset_acks_everything_handed_out_below_it(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 10, 0);
    struct orderly_batch *batch = poll_some(orderly, 10);
    while (orderly_batch_count(batch) < 10) {
        orderly_batch_free(batch);
        batch = poll_some(orderly, 10);
    }
    assert_int_equal(orderly_mark_offset(orderly, &first_partition, 6), ORDERLY_OK);
    assert_true(fake_wait_committed(0, 6));
    assert_int_equal(orderly_mark(orderly_batch_record(batch, 2)), ORDERLY_INVALID); /* settled before */
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    assert_true(fake_wait_committed(0, 10));
    face_free(orderly);
}

static void with_commit_interval_never_nothing_is_committed_unless_asked(void **state)
{
    (void)state;
    const char *more[] = {"commit.interval=never", NULL};
    struct orderly *orderly = fake_member(more, NULL, NULL);
    struct orderly_batch *batch = NULL;
    fake_set_committed(0, 0);
    fake_append(0, 4, 0);
    size_t seen = 0;
    while (seen < 4) {
        batch = poll_some(orderly, 10);
        seen += orderly_batch_count(batch);
        mark_all(batch);
    }
    assert_int_equal(orderly_settle_wait(orderly, NULL, 0, 0), ORDERLY_OK);
    assert_int_equal(fake_committed(0), 0);
    assert_int_equal(orderly_commit(orderly, NULL, 0, FAKE_WAIT_MS, NULL), ORDERLY_OK);
    assert_int_equal(fake_committed(0), 4);
    fake_append(0, 1, 0);
    mark_all(poll_some(orderly, 10));
    fake_revoke(-1, 10000);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(fake_committed(0), 4); /* also not at a revoke */
    face_free(orderly);
}

static void a_commit_that_is_not_answered_times_out_and_a_fenced_one_says_so(void **state)
{
    (void)state;
    const char *more[] = {"commit.interval=never", NULL};
    struct orderly *orderly = fake_member(more, NULL, NULL);
    struct orderly_error error = ORDERLY_ERROR_INIT;
    fake_set_committed(0, 0);
    fake_append(0, 2, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    fake_hold_commits(true);
    mark_all(batch);
    assert_int_equal(orderly_commit(orderly, NULL, 0, 20, &error), ORDERLY_TIMEOUT);
    assert_int_equal(error.code, ORDERLY_TIMEOUT);
    assert_true(strlen(error.text) > 0);
    fake_hold_commits(false);
    assert_int_equal(orderly_commit(orderly, NULL, 0, FAKE_WAIT_MS, &error), ORDERLY_OK);
    mark_all(poll_some(orderly, 1));
    fake_answer_commits(OD_COMMIT_FENCED, -1);
    assert_int_equal(orderly_commit(orderly, NULL, 0, FAKE_WAIT_MS, &error), ORDERLY_FENCED);
    face_free(orderly);
}

static void after_a_revoke_marks_are_stale_counted_and_move_nothing(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.policy=immediate", NULL};
    struct orderly *orderly = fake_member(more, NULL, NULL);
    fake_append(0, 2, 0);
    struct orderly_batch *batch = poll_some(orderly, 10);
    fake_revoke(-1, 10000);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(orderly_mark(orderly_batch_record(batch, 0)), ORDERLY_STALE);
    assert_int_equal(orderly_mark(orderly_batch_record(batch, 0)), ORDERLY_INVALID);
    assert_true(metric_of(orderly, "orderly_late_outcomes_total", NULL) == 1);
    assert_true(fake_committed(0) <= 0);
    assert_int_equal(orderly_mark_offset(orderly, &first_partition, 2), ORDERLY_STALE);
    assert_int_equal(orderly_commit(orderly, &first_partition, 1, 0, NULL), ORDERLY_STALE);
    int64_t committed;
    assert_int_equal(orderly_committed(orderly, &first_partition, &committed), ORDERLY_STALE);
    orderly_batch_free(batch);
    face_free(orderly);
}

static void after_a_seek_what_is_out_is_stale_and_reading_goes_on_there(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    enum orderly_reason reason = ORDERLY_REASON_NONE;
    fake_append(0, 20, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    struct orderly_record *record = orderly_batch_record(batch, 0);
    assert_int_equal(orderly_seek(orderly, &first_partition, 15), ORDERLY_OK);
    assert_true(orderly_record_cancelled(record, &reason, NULL));
    assert_int_equal(reason, ORDERLY_REASON_SEEK);
    assert_int_equal(orderly_record_extend(record, 1000), ORDERLY_STALE);
    assert_int_equal(orderly_mark(record), ORDERLY_STALE);
    orderly_batch_free(batch);
    batch = poll_some(orderly, 10);
    assert_int_equal(orderly_record_offset(orderly_batch_record(batch, 0)), 15);
    size_t seen = orderly_batch_count(batch);
    mark_all(batch);
    while (seen < 5) {
        batch = poll_some(orderly, 10);
        seen += orderly_batch_count(batch);
        mark_all(batch);
    }
    assert_true(fake_wait_committed(0, 20));
    face_free(orderly);
}

/* ---- the gate ---- */

struct heard {
    atomic_int waiting;
    atomic_int left_ms;
};

static void hear_waiting(struct orderly *orderly, const struct orderly_gate *gate, void *userdata)
{
    struct heard *heard = userdata;
    (void)orderly;
    atomic_store(&heard->left_ms, (int)gate->left_ms);
    atomic_fetch_add(&heard->waiting, gate->held && gate->waiting == ORDERLY_WAITING_REVOKE);
}

static void while_a_batch_is_held_no_partition_is_taken_and_the_holder_is_told_once(void **state)
{
    (void)state;
    const char *more[] = {"block_rebalance_on_poll=true", NULL};
    struct heard heard = {0};
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    callbacks.rebalance_waiting = hear_waiting;
    struct orderly *orderly = fake_member(more, &callbacks, &heard);
    fake_append(0, 10, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_true(gate.held);
    assert_int_equal(gate.waiting, ORDERLY_WAITING_NONE);
    assert_int_equal(gate.records_out, 1);
    assert_true(gate.left_ms == INT64_MAX);
    fake_revoke(-1, 250000);
    assert_true(wait_count(&heard.waiting, 1));
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_int_equal(gate.waiting, ORDERLY_WAITING_REVOKE);
    assert_true(gate.left_ms > 0 && gate.left_ms <= 250000);
    int64_t first = gate.left_ms, from = od_clock_ms();
    while (od_clock_ms() < from + 1500) { /* by then the core has nothing to do any more */
        sched_yield();
    }
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_true(gate.left_ms <= first - 1400); /* it is a lower bound at any time */
    assert_true(fake_is_assigned(0));
    mark_all(batch);
    assert_true(fake_is_assigned(0)); /* settled is not given back */
    orderly_allow_rebalance(orderly);
    orderly_allow_rebalance(orderly); /* idempotent */
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(fake_committed(0), 1);
    assert_int_equal(atomic_load(&heard.waiting), 1);
    face_free(orderly);
}

static void one_allow_gives_back_what_all_polls_took(void **state)
{
    (void)state;
    const char *more[] = {"block_rebalance_on_poll=true", NULL};
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    fake_append(0, 3, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    struct orderly_batch *batches[3] = {poll_some(orderly, 1), poll_some(orderly, 1), poll_some(orderly, 1)};
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_int_equal(gate.records_out, 3);
    for (size_t i = 0; i < 3; i++) {
        mark_all(batches[i]);
    }
    fake_revoke(-1, 100000);
    assert_true(fake_wait_revoke_told());
    assert_true(fake_is_assigned(0));
    orderly_allow_rebalance(orderly);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(fake_committed(0), 3);
    face_free(orderly);
}

static void the_gate_is_forced_open_at_its_deadline_and_counted(void **state)
{
    (void)state;
    const char *more[] = {"block_rebalance_on_poll=true", "rebalance.hold_max=50ms", "rebalance.drain_timeout=20ms",
                          "commit.timeout=1s", NULL};
    struct orderly *orderly = fake_member(more, NULL, NULL);
    fake_append(0, 10, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    fake_revoke(-1, 20000);
    assert_true(fake_wait_assigned(0, false));
    assert_true(metric_of(orderly, "orderly_gate_forced_total", NULL) == 1);
    assert_true(metric_of(orderly, "orderly_drains_cut_total", NULL) == 1);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_STALE);
    orderly_batch_free(batch);
    face_free(orderly);
}

static void without_the_setting_a_held_batch_keeps_nothing_waiting(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.drain_timeout=10ms", NULL};
    struct orderly *orderly = fake_member(more, NULL, NULL);
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    fake_append(0, 10, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_false(gate.held);
    fake_revoke(-1, 20000);
    assert_true(fake_wait_assigned(0, false));
    orderly_batch_free(batch);
    face_free(orderly);
}

/* ---- partition workers ---- */

struct worker {
    struct orderly *orderly;
    atomic_int started;
    enum orderly_err slept;
};

static void *sleep_long(void *opaque)
{
    struct worker *worker = opaque;
    atomic_fetch_add(&worker->started, 1);
    worker->slept = orderly_sleep(worker->orderly, &first_partition, 600000);
    return NULL;
}

static void a_partition_worker_sleeps_until_it_must_go_and_its_descriptor_says_so(void **state)
{
    (void)state;
    struct orderly_batch *batch = NULL;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct worker worker = {.orderly = orderly};
    pthread_t thread;
    int fd = -1, again = -1;
    assert_int_equal(orderly_sleep(orderly, &first_partition, 1), ORDERLY_STALE);
    assert_int_equal(orderly_quit_fd(orderly, &first_partition, &fd), ORDERLY_STALE);
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    assert_true(fake_wait_assigned(0, true));
    fake_append(0, 1, 0);
    batch = poll_some(orderly, 1);
    assert_int_equal(orderly_sleep(orderly, &first_partition, 1), ORDERLY_OK);
    assert_int_equal(orderly_quit_fd(orderly, &first_partition, &fd), ORDERLY_OK);
    assert_int_equal(orderly_quit_fd(orderly, &first_partition, &again), ORDERLY_OK);
    assert_int_equal(fd, again);
    assert_false(is_readable(fd, 0));
    assert_int_equal(pthread_create(&thread, NULL, sleep_long, &worker), 0);
    assert_true(wait_count(&worker.started, 1));
    assert_int_equal(orderly_settle_wait(orderly, &first_partition, 1, 10), ORDERLY_TIMEOUT);
    fake_revoke(-1, 200000);
    pthread_join(thread, NULL);
    assert_int_equal(worker.slept, ORDERLY_CANCELLED);
    assert_true(is_readable(fd, FAKE_WAIT_MS));
    assert_true(fake_is_assigned(0)); /* the drain waits for what is out */
    mark_all(batch);
    assert_int_equal(orderly_settle_wait(orderly, &first_partition, 1, FAKE_WAIT_MS), ORDERLY_OK);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(fake_committed(0), 1);
    assert_true(is_readable(fd, 0)); /* it stays ours until the object is freed */
    face_free(orderly);
}

static void a_sleeping_partition_worker_is_told_that_the_member_leaves(void **state)
{
    (void)state;
    struct orderly_batch *batch = NULL;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct worker worker = {.orderly = orderly};
    pthread_t thread;
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    fake_append(0, 1, 0);
    mark_all(poll_some(orderly, 1));
    assert_int_equal(pthread_create(&thread, NULL, sleep_long, &worker), 0);
    assert_true(wait_count(&worker.started, 1));
    assert_int_equal(orderly_close(orderly), ORDERLY_OK);
    pthread_join(thread, NULL);
    assert_int_equal(worker.slept, ORDERLY_CLOSED);
    face_free(orderly);
}

/* ---- control ---- */

static void pauses_are_counted_by_reason_and_end_with_the_assignment(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = NULL;
    assert_int_equal(orderly_pause(orderly, &first_partition, 1, "a"), ORDERLY_STALE);
    fake_append(0, 1, 0);
    mark_all(poll_some(orderly, 1));
    assert_int_equal(orderly_pause(orderly, &first_partition, 1, "a"), ORDERLY_OK);
    assert_int_equal(orderly_pause(orderly, NULL, 0, "b"), ORDERLY_OK);
    fake_append(0, 1, 0);
    assert_int_equal(orderly_resume(orderly, &first_partition, 1, "a"), ORDERLY_OK);
    assert_int_equal(orderly_poll(orderly, 1, 20, &batch), ORDERLY_TIMEOUT);
    assert_true(has_condition(orderly, "paused"));
    assert_int_equal(orderly_resume(orderly, NULL, 0, "b"), ORDERLY_OK);
    mark_all(poll_some(orderly, 1));
    assert_int_equal(orderly_pause(orderly, NULL, 0, "c"), ORDERLY_OK);
    fake_revoke(-1, 10000);
    assert_true(fake_wait_assigned(0, false));
    fake_assign(0);
    fake_append(0, 1, 0);
    mark_all(poll_some(orderly, 1)); /* it did not survive */
    face_free(orderly);
}

static void assignment_member_lag_stats_topics_and_concurrency_answer(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_member member = ORDERLY_MEMBER_INIT;
    struct orderly_partition *partitions = NULL;
    struct orderly_lag *lags = NULL;
    size_t count = 1;
    assert_int_equal(orderly_assignment(orderly, &partitions, &count), ORDERLY_OK);
    assert_int_equal(count, 0);
    orderly_assignment_free(partitions, count);
    assert_int_equal(orderly_member(orderly, &member), ORDERLY_OK);
    assert_string_equal(member.state, "starting");
    assert_int_equal(orderly_set_concurrency(orderly, 3), ORDERLY_OK);
    fake_append(0, 5, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    assert_int_equal(orderly_assignment(orderly, &partitions, &count), ORDERLY_OK);
    assert_int_equal(count, 1);
    assert_string_equal(partitions[0].topic, "t");
    orderly_assignment_free(partitions, count);
    assert_int_equal(orderly_member(orderly, &member), ORDERLY_OK);
    assert_string_equal(member.group, "g");
    assert_int_equal(member.generation, 3);
    assert_int_equal(orderly_lag(orderly, &lags, &count), ORDERLY_OK);
    assert_int_equal(count, 1);
    assert_int_equal(lags[0].end, 5);
    orderly_lag_free(lags, count);
    assert_true(metric_of(orderly, "orderly_records_fetched_total", "topic=\"t\",stage=\"source\"") >= 1);
    assert_true(metric_of(orderly, "orderly_records_in_flight", "topic=\"t\"") == 1);
    assert_true(metric_of(orderly, "orderly_lag", "topic=\"t\"") == 5);
    assert_int_equal(orderly_add_topics(orderly, (const char *const[]){"u"}, 1), ORDERLY_OK);
    assert_int_equal(orderly_remove_topics(orderly, (const char *const[]){"u"}, 1), ORDERLY_OK);
    assert_int_equal(fake_topics_changed(), 2);
    assert_int_equal(orderly_set_concurrency(orderly, 10), ORDERLY_OK);
    assert_int_equal(orderly_set_rate(orderly, 0), ORDERLY_OK);
    orderly_batch_free(batch);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ok_means_records_grouped_by_partition_in_offset_order, face_reset),
        cmocka_unit_test_setup(a_cap_is_shared_fairly_between_partitions, face_reset),
        cmocka_unit_test_setup(nothing_to_hand_out_is_a_timeout_and_a_wake_is_interrupted, face_reset),
        cmocka_unit_test_setup(closing_ends_a_waiting_poll_with_closed, face_reset),
        cmocka_unit_test_setup(errors_are_returned_and_never_hidden_in_an_empty_batch, face_reset),
        cmocka_unit_test_setup(a_batch_freed_without_outcomes_releases_its_records, face_reset),
        cmocka_unit_test_setup(a_retry_comes_back_through_poll, face_reset),
        cmocka_unit_test_setup(marks_never_pass_over_an_unfinished_record, face_reset),
        cmocka_unit_test_setup(mark_offset_acks_everything_handed_out_below_it, face_reset),
        cmocka_unit_test_setup(with_commit_interval_never_nothing_is_committed_unless_asked, face_reset),
        cmocka_unit_test_setup(a_commit_that_is_not_answered_times_out_and_a_fenced_one_says_so, face_reset),
        cmocka_unit_test_setup(after_a_revoke_marks_are_stale_counted_and_move_nothing, face_reset),
        cmocka_unit_test_setup(after_a_seek_what_is_out_is_stale_and_reading_goes_on_there, face_reset),
        cmocka_unit_test_setup(while_a_batch_is_held_no_partition_is_taken_and_the_holder_is_told_once, face_reset),
        cmocka_unit_test_setup(one_allow_gives_back_what_all_polls_took, face_reset),
        cmocka_unit_test_setup(the_gate_is_forced_open_at_its_deadline_and_counted, face_reset),
        cmocka_unit_test_setup(without_the_setting_a_held_batch_keeps_nothing_waiting, face_reset),
        cmocka_unit_test_setup(a_partition_worker_sleeps_until_it_must_go_and_its_descriptor_says_so, face_reset),
        cmocka_unit_test_setup(a_sleeping_partition_worker_is_told_that_the_member_leaves, face_reset),
        cmocka_unit_test_setup(pauses_are_counted_by_reason_and_end_with_the_assignment, face_reset),
        cmocka_unit_test_setup(assignment_member_lag_stats_topics_and_concurrency_answer, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
