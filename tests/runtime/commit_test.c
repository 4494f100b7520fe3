/* What is settled and what is committed, over the scripted engine. */
#include "face.h"

static const struct orderly_partition first_partition = {"t", 0};
static const char *const only_when_asked[] = {"commit.interval=never", NULL};

static void mark_all(struct orderly_batch *batch)
{
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
}

/* A batch of exactly so many. */
static struct orderly_batch *poll_exactly(struct orderly *orderly, size_t count)
{
    struct orderly_batch *batch = poll_some(orderly, count);
    assert_int_equal(orderly_batch_count(batch), count);
    return batch;
}

static void mark_batch_acks_what_is_not_settled_yet(void **state)
{
    (void)state;
    struct orderly_settlement drop = ORDERLY_SETTLEMENT_INIT;
    drop.outcome = ORDERLY_DROP;
    fake_append(0, 4, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = poll_exactly(orderly, 4);
    assert_int_equal(orderly_settle(orderly_batch_record(batch, 1), &drop), ORDERLY_OK);
    mark_all(batch);
    assert_true(fake_wait_committed(0, 4));
    assert_true(metric_of(orderly, "orderly_settled_total", "topic=\"t\",outcome=\"ack\"") == 3);
    assert_true(metric_of(orderly, "orderly_settled_total", "topic=\"t\",outcome=\"drop\"") == 1);
    face_free(orderly);
}

struct committer {
    struct orderly *orderly;
    atomic_int begun, done;
    enum orderly_err result;
};

static void *commit_all(void *opaque)
{
    struct committer *committer = opaque;
    atomic_fetch_add(&committer->begun, 1);
    committer->result = orderly_commit(committer->orderly, NULL, 0, FAKE_WAIT_MS, NULL);
    atomic_fetch_add(&committer->done, 1);
    return NULL;
}

static void a_commit_waits_for_one_in_flight_and_then_has_all_that_was_settled(void **state)
{
    (void)state;
    pthread_t thread;
    fake_set_committed(0, 0);
    fake_append(0, 2, 0);
    struct orderly *orderly = fake_member(only_when_asked, NULL, NULL);
    struct orderly_batch *first = poll_exactly(orderly, 1), *second = poll_exactly(orderly, 1);
    struct committer committer = {.orderly = orderly};
    mark_all(first);
    fake_hold_commits(true);
    assert_int_equal(orderly_commit_async(orderly), ORDERLY_OK);
    assert_true(fake_wait_committed(0, 1)); /* written, and not answered */
    mark_all(second);
    assert_int_equal(pthread_create(&thread, NULL, commit_all, &committer), 0);
    assert_true(wait_count(&committer.begun, 1));
    assert_int_equal(orderly_commit(orderly, NULL, 0, 20, NULL), ORDERLY_TIMEOUT);
    assert_int_equal(atomic_load(&committer.done), 0);
    assert_int_equal(fake_committed(0), 1); /* one at a time */
    fake_hold_commits(false);
    pthread_join(thread, NULL);
    assert_int_equal(committer.result, ORDERLY_OK);
    assert_int_equal(fake_committed(0), 2);
    face_free(orderly);
}

static void a_commit_does_not_wait_for_a_rebalance_that_waits_for_it(void **state)
{
    (void)state;
    const char *more[] = {"block_rebalance_on_poll=true", "commit.interval=never", NULL};
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    fake_append(0, 2, 0);
    struct orderly *orderly = fake_member(more, NULL, NULL);
    struct orderly_batch *batch = poll_exactly(orderly, 2);
    fake_revoke(-1, 100000);
    assert_true(fake_wait_revoke_told());
    assert_int_equal(orderly_mark(orderly_batch_record(batch, 0)), ORDERLY_OK);
    assert_int_equal(orderly_commit(orderly, &first_partition, 1, FAKE_WAIT_MS, NULL), ORDERLY_OK);
    assert_int_equal(fake_committed(0), 1);
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_true(gate.held); /* it still waits */
    assert_int_equal(gate.waiting, ORDERLY_WAITING_REVOKE);
    assert_true(fake_is_assigned(0));
    mark_all(batch);
    orderly_allow_rebalance(orderly);
    assert_true(fake_wait_assigned(0, false));
    face_free(orderly);
}

static void what_commit_interval_never_leaves_uncommitted_is_counted(void **state)
{
    (void)state;
    fake_set_committed(0, 0);
    fake_append(0, 5, 0);
    struct orderly *orderly = fake_member(only_when_asked, NULL, NULL);
    mark_all(poll_exactly(orderly, 2));
    assert_int_equal(orderly_commit(orderly, NULL, 0, FAKE_WAIT_MS, NULL), ORDERLY_OK);
    mark_all(poll_exactly(orderly, 3));
    assert_true(metric_of(orderly, "orderly_left_uncommitted_total", NULL) == 0);
    fake_revoke(-1, 10000);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(fake_committed(0), 2);
    assert_true(metric_of(orderly, "orderly_left_uncommitted_total", NULL) == 3);
    face_free(orderly);
}

static void what_is_not_committed_is_seen_also_before_the_first_commit_and_after_a_seek(void **state)
{
    (void)state;
    struct orderly_backlog backlog = ORDERLY_BACKLOG_INIT;
    fake_append(0, 6, 0); /* a group that is new to the topic */
    struct orderly *orderly = fake_member(only_when_asked, NULL, NULL);
    mark_all(poll_exactly(orderly, 4));
    assert_int_equal(orderly_uncommitted(orderly, &first_partition, &backlog), ORDERLY_OK);
    assert_int_equal(backlog.done_above, 4);
    assert_int_equal(orderly_commit(orderly, NULL, 0, FAKE_WAIT_MS, NULL), ORDERLY_OK);
    assert_int_equal(orderly_uncommitted(orderly, &first_partition, &backlog), ORDERLY_OK);
    assert_int_equal(backlog.done_above, 0);
    assert_int_equal(orderly_seek(orderly, &first_partition, 1), ORDERLY_OK);
    mark_all(poll_exactly(orderly, 2));
    assert_int_equal(orderly_uncommitted(orderly, &first_partition, &backlog), ORDERLY_OK);
    assert_int_equal(backlog.done_above, 2);
    face_free(orderly);
}

static void a_seek_may_take_the_commit_back(void **state)
{
    (void)state;
    int64_t committed = -1;
    fake_append(0, 6, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    mark_all(poll_exactly(orderly, 6));
    assert_true(fake_wait_committed(0, 6));
    assert_int_equal(orderly_seek(orderly, &first_partition, 2), ORDERLY_OK);
    struct orderly_batch *batch = poll_exactly(orderly, 4);
    assert_int_equal(orderly_record_offset(orderly_batch_record(batch, 0)), 2);
    assert_int_equal(orderly_mark(orderly_batch_record(batch, 0)), ORDERLY_OK);
    assert_int_equal(orderly_commit(orderly, NULL, 0, FAKE_WAIT_MS, NULL), ORDERLY_OK);
    assert_int_equal(orderly_committed(orderly, &first_partition, &committed), ORDERLY_OK);
    assert_int_equal(committed, 3);
    assert_int_equal(fake_committed(0), 3);
    mark_all(batch);
    assert_true(fake_wait_committed(0, 6));
    face_free(orderly);
}

static void settle_wait_ends_when_all_is_settled_or_released(void **state)
{
    (void)state;
    fake_assigned_at_start(2);
    fake_append(0, 2, 0);
    fake_append(1, 1, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    static const struct orderly_partition both[] = {{"t", 0}, {"t", 1}};
    struct orderly_record *records[3] = {0};
    for (size_t got = 0; got < 3;) {
        struct orderly_batch *batch = poll_some(orderly, 3);
        for (size_t i = 0; i < orderly_batch_count(batch); i++) {
            struct orderly_record *record = orderly_batch_record(batch, i);
            size_t at = orderly_record_partition(record) == 1 ? 2 : (size_t)orderly_record_offset(record);
            records[at] = orderly_record_ref(record);
            got++;
        }
        orderly_batch_free(batch);
    }
    assert_int_equal(orderly_pause(orderly, NULL, 0, "test"), ORDERLY_OK); /* what is released does not come again */
    assert_int_equal(orderly_settle_wait(orderly, both, 2, 5), ORDERLY_TIMEOUT);
    assert_int_equal(orderly_mark(records[0]), ORDERLY_OK);
    orderly_record_unref(records[0]);
    assert_int_equal(orderly_settle_wait(orderly, both, 1, 5), ORDERLY_TIMEOUT);
    orderly_record_unref(records[1]); /* released */
    assert_int_equal(orderly_settle_wait(orderly, both, 1, FAKE_WAIT_MS), ORDERLY_OK);
    assert_int_equal(orderly_settle_wait(orderly, both, 2, 5), ORDERLY_TIMEOUT);
    assert_int_equal(orderly_settle_wait(orderly, NULL, 0, 5), ORDERLY_TIMEOUT);
    assert_int_equal(orderly_mark(records[2]), ORDERLY_OK);
    orderly_record_unref(records[2]);
    assert_int_equal(orderly_settle_wait(orderly, NULL, 0, FAKE_WAIT_MS), ORDERLY_OK);
    face_free(orderly);
}

/* ---- any thread, any order ---- */

struct settler {
    struct orderly_record *records[64];
    size_t count, step;
    enum orderly_err wrong;
};

static void *settle_mixed(void *opaque)
{
    struct settler *settler = opaque;
    for (size_t i = 0; i < settler->count; i++) {
        enum orderly_err error = orderly_mark(settler->records[i * settler->step % settler->count]);
        settler->wrong = error != ORDERLY_OK ? error : settler->wrong;
    }
    return NULL;
}

static void outcomes_come_from_any_thread_in_any_order(void **state)
{
    (void)state;
    struct settler settlers[4] = {{.step = 5}, {.step = 7}, {.step = 11}, {.step = 63}};
    pthread_t threads[4];
    fake_append(0, 256, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    for (size_t got = 0; got < 256;) {
        struct orderly_batch *batch = poll_some(orderly, 256);
        for (size_t i = 0; i < orderly_batch_count(batch); i++, got++) {
            struct settler *settler = &settlers[got % 4];
            settler->records[settler->count++] = orderly_record_ref(orderly_batch_record(batch, i));
        }
        orderly_batch_free(batch);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, settle_mixed, &settlers[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(settlers[i].wrong, ORDERLY_OK);
        for (size_t j = 0; j < settlers[i].count; j++) {
            orderly_record_unref(settlers[i].records[j]);
        }
    }
    assert_true(fake_wait_committed(0, 256));
    assert_true(metric_of(orderly, "orderly_settled_total", "topic=\"t\",outcome=\"ack\"") == 256);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(mark_batch_acks_what_is_not_settled_yet, face_reset),
        cmocka_unit_test_setup(a_commit_waits_for_one_in_flight_and_then_has_all_that_was_settled, face_reset),
        cmocka_unit_test_setup(a_commit_does_not_wait_for_a_rebalance_that_waits_for_it, face_reset),
        cmocka_unit_test_setup(what_commit_interval_never_leaves_uncommitted_is_counted, face_reset),
        cmocka_unit_test_setup(what_is_not_committed_is_seen_also_before_the_first_commit_and_after_a_seek, face_reset),
        cmocka_unit_test_setup(a_seek_may_take_the_commit_back, face_reset),
        cmocka_unit_test_setup(settle_wait_ends_when_all_is_settled_or_released, face_reset),
        cmocka_unit_test_setup(outcomes_come_from_any_thread_in_any_order, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
