/* Wrong use: an error code, never a crash, a hang or an ack. */
#include "face.h"

static const struct orderly_partition first_partition = {"t", 0};
static const struct orderly_partition unknown_partition = {"nowhere", 0};
static const struct orderly_partition no_topic = {NULL, 0};
static const struct orderly_partition whole_topic = {"t", -1};

static void null_is_no_record(void **state)
{
    (void)state;
    struct orderly_record_view view = ORDERLY_RECORD_VIEW_INIT;
    int fd;
    assert_int_equal(orderly_record_view(NULL, &view), ORDERLY_INVALID);
    assert_null(orderly_record_topic(NULL));
    assert_int_equal(orderly_record_partition(NULL), -1);
    assert_int_equal(orderly_record_offset(NULL), -1);
    assert_int_equal(orderly_record_timestamp_ms(NULL), -1);
    assert_null(orderly_record_key(NULL).data);
    assert_null(orderly_record_value(NULL).data);
    assert_int_equal(orderly_record_header_count(NULL), 0);
    assert_null(orderly_record_header(NULL, 0).name);
    assert_null(orderly_record_header_named(NULL, "x").data);
    assert_int_equal(orderly_record_leader_epoch(NULL), -1);
    assert_int_equal(orderly_record_attempt(NULL), 0);
    assert_int_equal(orderly_record_due_ms(NULL), 0);
    assert_null(orderly_record_origin_topic(NULL));
    assert_int_equal(orderly_record_origin_partition(NULL), -1);
    assert_int_equal(orderly_record_origin_offset(NULL), -1);
    assert_int_equal(orderly_record_origin_timestamp_ms(NULL), -1);
    assert_null(orderly_record_idempotency_key(NULL));
    assert_int_equal(orderly_record_fence(NULL), 0);
    assert_false(orderly_record_cancelled(NULL, NULL, NULL));
    assert_int_equal(orderly_record_cancel_fd(NULL, &fd), ORDERLY_INVALID);
    assert_int_equal(orderly_record_sleep(NULL, 0), ORDERLY_INVALID);
    assert_int_equal(orderly_record_extend(NULL, 0), ORDERLY_INVALID);
    assert_int_equal(orderly_record_set_error(NULL, "a", "b"), ORDERLY_INVALID);
    orderly_record_set_delay(NULL, 1);
    assert_null(orderly_record_ref(NULL));
    orderly_record_unref(NULL);
}

static void null_is_invalid_everywhere(void **state)
{
    (void)state;
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    struct orderly_batch *batch = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_backlog backlog = ORDERLY_BACKLOG_INIT;
    struct orderly_member member = ORDERLY_MEMBER_INIT;
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    struct orderly_partition *partitions;
    struct orderly_lag *lags;
    struct orderly_stats *stats;
    struct orderly *orderly;
    const struct orderly_slice *slices;
    const char *topics[] = {"t"};
    size_t count;
    int64_t offset;
    int fd;

    assert_int_equal(orderly_new(NULL, &orderly, &error), ORDERLY_INVALID);
    assert_int_equal(orderly_close(NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_drain(NULL, 0), ORDERLY_INVALID);
    orderly_free(NULL);
    assert_int_equal(orderly_poll(NULL, 1, 0, &batch), ORDERLY_INVALID);
    assert_int_equal(orderly_last_error(NULL, &error), ORDERLY_INVALID);
    orderly_allow_rebalance(NULL);
    orderly_wake(NULL);
    assert_int_equal(orderly_gate(NULL, &gate), ORDERLY_INVALID);
    assert_int_equal(orderly_poll_fd(NULL), -1);
    assert_int_equal(orderly_batch_count(NULL), 0);
    assert_null(orderly_batch_record(NULL, 0));
    assert_int_equal(orderly_batch_slices(NULL, &slices), 0);
    orderly_batch_free(NULL);
    assert_int_equal(orderly_settle(NULL, &settlement), ORDERLY_INVALID);
    assert_int_equal(orderly_mark(NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_mark_batch(NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_mark_offset(NULL, &first_partition, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_commit(NULL, NULL, 0, 0, &error), ORDERLY_INVALID);
    assert_int_equal(error.code, ORDERLY_INVALID);
    assert_int_equal(orderly_commit_async(NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_committed(NULL, &first_partition, &offset), ORDERLY_INVALID);
    assert_int_equal(orderly_uncommitted(NULL, &first_partition, &backlog), ORDERLY_INVALID);
    assert_int_equal(orderly_sleep(NULL, &first_partition, 0), ORDERLY_INVALID);
    assert_int_equal(orderly_quit_fd(NULL, &first_partition, &fd), ORDERLY_INVALID);
    assert_int_equal(orderly_settle_wait(NULL, NULL, 0, 0), ORDERLY_INVALID);
    assert_int_equal(orderly_run(NULL, &handler, &error), ORDERLY_INVALID);
    assert_int_equal(orderly_assignment(NULL, &partitions, &count), ORDERLY_INVALID);
    orderly_assignment_free(NULL, 0);
    assert_int_equal(orderly_member(NULL, &member), ORDERLY_INVALID);
    assert_int_equal(orderly_stats(NULL, &stats), ORDERLY_INVALID);
    orderly_stats_free(NULL);
    assert_int_equal(orderly_pause(NULL, NULL, 0, "r"), ORDERLY_INVALID);
    assert_int_equal(orderly_resume(NULL, NULL, 0, "r"), ORDERLY_INVALID);
    assert_int_equal(orderly_seek(NULL, &first_partition, 0), ORDERLY_INVALID);
    assert_int_equal(orderly_add_topics(NULL, topics, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_remove_topics(NULL, topics, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_set_concurrency(NULL, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_lag(NULL, &lags, &count), ORDERLY_INVALID);
    orderly_lag_free(NULL, 0);
}

static enum orderly_outcome handle(struct orderly_record *record, void *userdata)
{
    (void)record;
    (void)userdata;
    return ORDERLY_ACK;
}

static void handle_batch(struct orderly_record **records, size_t count, enum orderly_outcome *outcomes, void *userdata)
{
    (void)records;
    (void)count;
    (void)outcomes;
    (void)userdata;
}

static void arguments_out_of_range_are_invalid(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_backlog no_size = {0};
    struct orderly_gate gate = {0};
    const char *no_topics[] = {NULL}, *empty_topic[] = {""};
    int64_t offset;
    int fd;

    assert_int_equal(orderly_poll(orderly, 0, 0, &batch), ORDERLY_INVALID);
    assert_int_equal(orderly_poll(orderly, 1, 0, NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_run(orderly, NULL, &error), ORDERLY_INVALID);
    assert_int_equal(orderly_run(orderly, &handler, &error), ORDERLY_INVALID); /* neither */
    assert_true(strlen(error.text) > 0);
    handler.handle = handle;
    handler.handle_batch = handle_batch;
    assert_int_equal(orderly_run(orderly, &handler, &error), ORDERLY_INVALID); /* both */
    handler.handle_batch = NULL;
    handler.workers = 1000000;
    assert_int_equal(orderly_run(orderly, &handler, &error), ORDERLY_INVALID);
    handler.workers = 1;
    handler.timeout_ms = -1;
    assert_int_equal(orderly_run(orderly, &handler, &error), ORDERLY_INVALID);
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_INVALID);
    assert_int_equal(orderly_uncommitted(orderly, &first_partition, &no_size), ORDERLY_INVALID);
    assert_int_equal(orderly_mark_offset(orderly, &first_partition, -1), ORDERLY_INVALID);
    assert_int_equal(orderly_mark_offset(orderly, &whole_topic, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_mark_offset(orderly, &no_topic, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_commit(orderly, NULL, 1, 0, NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_committed(orderly, &whole_topic, &offset), ORDERLY_INVALID);
    assert_int_equal(orderly_committed(orderly, NULL, &offset), ORDERLY_INVALID);
    assert_int_equal(orderly_sleep(orderly, &whole_topic, 0), ORDERLY_INVALID);
    assert_int_equal(orderly_sleep(orderly, &first_partition, -1), ORDERLY_INVALID);
    assert_int_equal(orderly_quit_fd(orderly, NULL, &fd), ORDERLY_INVALID);
    assert_int_equal(orderly_settle_wait(orderly, NULL, 1, 0), ORDERLY_INVALID);
    assert_int_equal(orderly_settle_wait(orderly, &no_topic, 1, 0), ORDERLY_INVALID);
    assert_int_equal(orderly_pause(orderly, NULL, 1, "r"), ORDERLY_INVALID);
    assert_int_equal(orderly_pause(orderly, &no_topic, 1, "r"), ORDERLY_INVALID);
    assert_int_equal(orderly_seek(orderly, &first_partition, -1), ORDERLY_INVALID);
    assert_int_equal(orderly_seek(orderly, &whole_topic, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_add_topics(orderly, NULL, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_add_topics(orderly, no_topics, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_remove_topics(orderly, empty_topic, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_set_concurrency(orderly, 0), ORDERLY_INVALID);
    assert_int_equal(orderly_set_concurrency(orderly, 1000001), ORDERLY_INVALID);
    assert_int_equal(orderly_set_rate(NULL, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_property_check(NULL, "1", NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_property_check("fetch.mni.bytes", "1", NULL), ORDERLY_UNSUPPORTED);
    assert_int_equal(orderly_property_check("fetch.min.bytes", "many", NULL), ORDERLY_CONFIG);
    assert_int_equal(orderly_property_check("enable.auto.commit", "true", NULL), ORDERLY_CONFIG);
    assert_int_equal(orderly_property_check("fetch.min.bytes", "1", NULL), ORDERLY_OK);
    assert_int_equal(orderly_set_rate(orderly, 1000000001), ORDERLY_INVALID);
    orderly_free(orderly);
}

static void partitions_that_are_not_ours_are_stale(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_backlog backlog = ORDERLY_BACKLOG_INIT;
    struct orderly_batch *batch = NULL;
    int64_t offset;
    int fd;
    for (int started = 0; started < 2; started++) {
        assert_int_equal(orderly_mark_offset(orderly, &unknown_partition, 1), ORDERLY_STALE);
        assert_int_equal(orderly_commit(orderly, &unknown_partition, 1, 0, NULL), ORDERLY_STALE);
        assert_int_equal(orderly_committed(orderly, &unknown_partition, &offset), ORDERLY_STALE);
        assert_int_equal(orderly_uncommitted(orderly, &unknown_partition, &backlog), ORDERLY_STALE);
        assert_int_equal(orderly_sleep(orderly, &unknown_partition, 0), ORDERLY_STALE);
        assert_int_equal(orderly_quit_fd(orderly, &unknown_partition, &fd), ORDERLY_STALE);
        assert_int_equal(orderly_settle_wait(orderly, &unknown_partition, 1, 0), ORDERLY_OK); /* nothing is out */
        assert_int_equal(orderly_pause(orderly, &unknown_partition, 1, "r"), ORDERLY_STALE);
        assert_int_equal(orderly_resume(orderly, &unknown_partition, 1, "r"), ORDERLY_STALE);
        assert_int_equal(orderly_seek(orderly, &unknown_partition, 1), ORDERLY_STALE);
        assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    }
    face_free(orderly);
}

static void settling_twice_unset_and_pending_are_invalid(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    struct orderly_record *record = orderly_batch_record(batch, 0);
    assert_int_equal(orderly_settle(record, NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_settle(record, &settlement), ORDERLY_INVALID); /* UNSET */
    settlement.outcome = ORDERLY_PENDING;
    assert_int_equal(orderly_settle(record, &settlement), ORDERLY_INVALID);
    settlement.outcome = (enum orderly_outcome)77;
    assert_int_equal(orderly_settle(record, &settlement), ORDERLY_INVALID);
    settlement.outcome = ORDERLY_RETRY;
    settlement.delay_ms = -2;
    assert_int_equal(orderly_settle(record, &settlement), ORDERLY_INVALID);
    settlement.outcome = ORDERLY_ACK;
    settlement.size = 3;
    assert_int_equal(orderly_settle(record, &settlement), ORDERLY_INVALID);
    settlement.size = offsetof(struct orderly_settlement, delay_ms); /* an older, shorter one */
    assert_int_equal(orderly_settle(record, &settlement), ORDERLY_OK);
    assert_int_equal(orderly_settle(record, &settlement), ORDERLY_INVALID);
    assert_int_equal(orderly_mark(record), ORDERLY_INVALID);
    assert_int_equal(orderly_record_extend(record, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK); /* nothing left to mark */
    orderly_batch_free(batch);
    assert_true(fake_wait_committed(0, 1));
    face_free(orderly);
}

static void a_closed_object_answers_and_does_nothing(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_batch *batch = NULL;
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    struct orderly_member member = ORDERLY_MEMBER_INIT;
    struct orderly_stats *stats = NULL;
    struct orderly_partition *partitions = NULL;
    struct orderly_lag *lags = NULL;
    const char *topics[] = {"u"};
    size_t count = 1;
    handler.handle = handle;
    fake_append(0, 1, 0);
    struct orderly_batch *held = poll_some(orderly, 1);
    assert_int_equal(orderly_drain(orderly, 10), ORDERLY_TIMEOUT); /* one record is out */
    assert_int_equal(orderly_drain(orderly, 10), ORDERLY_TIMEOUT); /* the same answer again */
    assert_int_equal(orderly_mark_batch(held), ORDERLY_STALE);
    orderly_batch_free(held);
    assert_int_equal(orderly_poll(orderly, 1, -1, &batch), ORDERLY_CLOSED);
    assert_int_equal(orderly_run(orderly, &handler, NULL), ORDERLY_STATE);
    assert_int_equal(orderly_close(orderly), ORDERLY_OK);
    orderly_allow_rebalance(orderly);
    orderly_wake(orderly);
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_int_equal(gate.records_out, 0);
    assert_int_equal(orderly_commit(orderly, NULL, 0, -1, NULL), ORDERLY_CLOSED);
    assert_int_equal(orderly_commit_async(orderly), ORDERLY_CLOSED);
    assert_int_equal(orderly_mark_offset(orderly, &first_partition, 1), ORDERLY_STALE);
    assert_int_equal(orderly_sleep(orderly, &first_partition, 10), ORDERLY_CLOSED);
    assert_int_equal(orderly_settle_wait(orderly, NULL, 0, -1), ORDERLY_OK);
    assert_int_equal(orderly_pause(orderly, NULL, 0, "r"), ORDERLY_OK);
    assert_int_equal(orderly_seek(orderly, &first_partition, 1), ORDERLY_STALE);
    assert_int_equal(orderly_add_topics(orderly, topics, 1), ORDERLY_CLOSED);
    assert_int_equal(orderly_set_concurrency(orderly, 5), ORDERLY_OK);
    assert_int_equal(orderly_member(orderly, &member), ORDERLY_OK);
    assert_int_equal(orderly_stats(orderly, &stats), ORDERLY_OK);
    orderly_stats_free(stats);
    assert_int_equal(orderly_assignment(orderly, &partitions, &count), ORDERLY_OK);
    assert_int_equal(count, 0);
    orderly_assignment_free(partitions, count);
    assert_int_equal(orderly_lag(orderly, &lags, &count), ORDERLY_OK);
    assert_int_equal(count, 0);
    orderly_lag_free(lags, count);
    face_free(orderly);
}

static void an_object_that_never_started_closes_drains_and_frees(void **state)
{
    (void)state;
    struct orderly_batch *batch = NULL;
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    handler.handle = handle;
    orderly_free(fake_member(NULL, NULL, NULL));
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    assert_int_equal(orderly_drain(orderly, -1), ORDERLY_OK);
    assert_int_equal(orderly_poll(orderly, 1, -1, &batch), ORDERLY_CLOSED);
    orderly_free(orderly);
    orderly = fake_member(NULL, NULL, NULL);
    assert_int_equal(orderly_close(orderly), ORDERLY_OK);
    assert_int_equal(orderly_run(orderly, &handler, &error), ORDERLY_CLOSED);
    assert_int_equal(error.code, ORDERLY_CLOSED);
    orderly_free(orderly);
}

static void a_member_that_cannot_be_made_says_why(void **state)
{
    (void)state;
    struct orderly_config *config = fake_config(NULL);
    struct orderly *orderly = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    fake_fail_new(ORDERLY_CONFIG);
    assert_int_equal(orderly_new(config, &orderly, &error), ORDERLY_CONFIG);
    assert_null(orderly);
    fake_fail_new(ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "kafka.group.id", "", &error), ORDERLY_OK);
    assert_int_equal(orderly_new(config, &orderly, &error), ORDERLY_CONFIG); /* no group */
    assert_true(strlen(error.text) > 0);
    assert_null(orderly);
    orderly_config_free(config);
}

static void leaving_that_is_never_answered_does_not_hang_for_ever(void **state)
{
    (void)state;
    const char *more[] = {"close_timeout=100ms", "commit.timeout=100ms", "rebalance.drain_timeout=50ms", NULL};
    struct orderly *orderly = fake_member(more, NULL, NULL);
    fake_append(0, 3, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    fake_hang_leave(true);
    assert_int_equal(orderly_drain(orderly, -1), ORDERLY_TIMEOUT);
    orderly_batch_free(batch);
    face_free(orderly);
}

static void *poll_too(void *opaque)
{
    struct orderly_batch *batch = NULL;
    enum orderly_err error;
    do { /* refused for as long as the other one is inside */
        error = orderly_poll(opaque, 1, -1, &batch);
    } while (error == ORDERLY_STATE);
    return (void *)(uintptr_t)error;
}

static void two_threads_cannot_poll_at_once(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = NULL;
    pthread_t thread;
    void *first = NULL;
    enum orderly_err second;
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    assert_int_equal(pthread_create(&thread, NULL, poll_too, orderly), 0);
    do { /* until the other one is inside */
        second = orderly_poll(orderly, 1, 1, &batch);
    } while (second == ORDERLY_TIMEOUT);
    assert_int_equal(second, ORDERLY_STATE);
    orderly_wake(orderly);
    pthread_join(thread, &first);
    assert_int_equal((uintptr_t)first, ORDERLY_INTERRUPTED);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(null_is_no_record, face_reset),
        cmocka_unit_test_setup(null_is_invalid_everywhere, face_reset),
        cmocka_unit_test_setup(arguments_out_of_range_are_invalid, face_reset),
        cmocka_unit_test_setup(partitions_that_are_not_ours_are_stale, face_reset),
        cmocka_unit_test_setup(settling_twice_unset_and_pending_are_invalid, face_reset),
        cmocka_unit_test_setup(a_closed_object_answers_and_does_nothing, face_reset),
        cmocka_unit_test_setup(an_object_that_never_started_closes_drains_and_frees, face_reset),
        cmocka_unit_test_setup(a_member_that_cannot_be_made_says_why, face_reset),
        cmocka_unit_test_setup(leaving_that_is_never_answered_does_not_hang_for_ever, face_reset),
        cmocka_unit_test_setup(two_threads_cannot_poll_at_once, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
