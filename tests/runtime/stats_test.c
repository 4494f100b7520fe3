/* orderly_stats(): all metrics, states and partitions, as a copy. */
#include "face.h"

#include <stdio.h>

static const struct orderly_partition first_partition = {"t", 0};

/* What contracts promise of the library (the daemon adds orderly_breaker_open). */
static const char *const promised[] = {
    "orderly_records_fetched_total",
    "orderly_records_in_flight",
    "orderly_oldest_in_flight_seconds",
    "orderly_attempts_total",
    "orderly_attempt_duration_seconds_count",
    "orderly_attempt_duration_seconds_sum",
    "orderly_attempt_duration_seconds_bucket",
    "orderly_end_to_end_seconds_count",
    "orderly_queue_wait_seconds_count",
    "orderly_settled_total",
    "orderly_retry_parked",
    "orderly_retry_lateness_seconds_count",
    "orderly_dead_letters_total",
    "orderly_lag",
    "orderly_lag_seconds",
    "orderly_ready_backlog",
    "orderly_rebalances_total",
    "orderly_rebalance_duration_seconds_count",
    "orderly_gate_held_seconds_count",
    "orderly_drain_seconds_count",
    "orderly_released_total",
    "orderly_late_outcomes_total",
    "orderly_left_uncommitted_total",
    "orderly_commits_total",
    "orderly_commit_failures_total",
    "orderly_memory_bytes",
    "orderly_build_info",
};

static struct orderly_stats *stats_of(struct orderly *orderly)
{
    struct orderly_stats *stats = NULL;
    assert_int_equal(orderly_stats(orderly, &stats), ORDERLY_OK);
    return stats;
}

static void settle(struct orderly_record *record, enum orderly_outcome outcome)
{
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    settlement.outcome = outcome;
    settlement.delay_ms = outcome == ORDERLY_RETRY ? 600000 : -1;
    settlement.error_class = "Busy";
    assert_int_equal(orderly_settle(record, &settlement), ORDERLY_OK);
}

static void every_promised_metric_is_there_and_counts(void **state)
{
    (void)state;
    fake_set_committed(0, 0);
    fake_append(0, 6, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = poll_some(orderly, 5);
    assert_int_equal(orderly_batch_count(batch), 5);
    settle(orderly_batch_record(batch, 0), ORDERLY_ACK);
    settle(orderly_batch_record(batch, 1), ORDERLY_DEAD_LETTER);
    settle(orderly_batch_record(batch, 2), ORDERLY_DROP);
    settle(orderly_batch_record(batch, 3), ORDERLY_RETRY);
    assert_true(fake_wait_committed(0, 3));
    for (size_t i = 0; i < sizeof promised / sizeof *promised; i++) {
        if (metric_of(orderly, promised[i], NULL) < 0) {
            fail_msg("%s is missing", promised[i]);
        }
    }
    assert_true(metric_of(orderly, "orderly_records_fetched_total", "topic=\"t\",stage=\"source\"") == 6);
    assert_true(metric_of(orderly, "orderly_records_in_flight", "topic=\"t\"") == 1);
    assert_true(metric_of(orderly, "orderly_retry_parked", "topic=\"t\"") == 1);
    assert_true(metric_of(orderly, "orderly_settled_total", "topic=\"t\",outcome=\"ack\"") == 1);
    assert_true(metric_of(orderly, "orderly_settled_total", "topic=\"t\",outcome=\"drop\"") == 1);
    assert_true(metric_of(orderly, "orderly_settled_total", "topic=\"t\",outcome=\"retry\"") == 1);
    assert_true(metric_of(orderly, "orderly_settled_total", "topic=\"t\",outcome=\"dead-letter\"") == 1);
    assert_true(metric_of(orderly, "orderly_dead_letters_total", "topic=\"t\",class=\"Busy\"") == 1);
    assert_true(metric_of(orderly, "orderly_attempt_duration_seconds_count", NULL) == 4);
    assert_true(metric_of(orderly, "orderly_rebalances_total", "kind=\"assign\"") == 1);
    assert_true(metric_of(orderly, "orderly_commits_total", NULL) >= 1);
    orderly_batch_free(batch);
    face_free(orderly);
}

static void histograms_rise_to_their_count(void **state)
{
    (void)state;
    fake_append(0, 50, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    for (size_t seen = 0; seen < 50;) {
        struct orderly_batch *batch = poll_some(orderly, 50);
        seen += orderly_batch_count(batch);
        assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
        orderly_batch_free(batch);
    }
    assert_true(fake_wait_committed(0, 50));
    struct orderly_stats *stats = stats_of(orderly);
    double last = 0;
    size_t buckets = 0;
    for (size_t i = 0; i < stats->metric_count; i++) {
        const struct orderly_metric *metric = &stats->metrics[i];
        if (strcmp(metric->name, "orderly_attempt_duration_seconds_bucket") == 0) {
            assert_string_equal(metric->type, "histogram");
            assert_true(metric->value >= last);
            last = metric->value;
            buckets++;
        }
    }
    assert_true(buckets > 5);
    assert_true(last == 50); /* le="+Inf" */
    orderly_stats_free(stats);
    face_free(orderly);
}

static void partitions_are_told_and_it_is_a_copy(void **state)
{
    (void)state;
    fake_assigned_at_start(2);
    fake_set_committed(0, 0);
    fake_set_committed(1, 0);
    fake_append(0, 3, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = poll_some(orderly, 3);
    assert_int_equal(orderly_batch_count(batch), 3);
    settle(orderly_batch_record(batch, 1), ORDERLY_RETRY);
    settle(orderly_batch_record(batch, 2), ORDERLY_ACK);
    assert_int_equal(orderly_pause(orderly, &first_partition, 1, "test"), ORDERLY_OK);
    struct orderly_stats *stats = stats_of(orderly);
    assert_int_equal(stats->partition_count, 2);
    const struct orderly_partition_stats *first =
        &stats->partitions[stats->partitions[0].partition.partition == 0 ? 0 : 1];
    assert_string_equal(first->partition.topic, "t");
    assert_string_equal(first->state, "paused");
    assert_false(first->retry);
    assert_int_equal(first->committed, 0);
    assert_int_equal(first->position, 3);
    assert_int_equal(first->end, 3);
    assert_int_equal(first->running, 1);
    assert_int_equal(first->parked, 1);
    assert_int_equal(first->done_above, 1);
    assert_true(first->next_due_ms > 1700000000000);
    assert_true(stats->condition_count >= 1);
    bool paused = false;
    for (size_t i = 0; i < stats->condition_count; i++) {
        const struct orderly_condition *condition = &stats->conditions[i];
        paused = paused || (strcmp(condition->name, "paused") == 0 && condition->since_ms > 1700000000000 &&
                            condition->partition.partition == 0 && strlen(condition->text) > 0);
    }
    assert_true(paused);
    orderly_batch_free(batch);
    face_free(orderly);
    assert_string_equal(first->partition.topic, "t"); /* a copy */
    orderly_stats_free(stats);
}

static void a_partition_that_went_has_no_series(void **state)
{
    (void)state;
    fake_assigned_at_start(2);
    fake_append(0, 3, 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = poll_some(orderly, 3);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    fake_revoke(0, 10000);
    assert_true(fake_wait_assigned(0, false));
    struct orderly_stats *stats = stats_of(orderly);
    assert_int_equal(stats->partition_count, 1);
    assert_int_equal(stats->partitions[0].partition.partition, 1);
    orderly_stats_free(stats);
    assert_true(metric_of(orderly, "orderly_lag", "topic=\"t\"") == 0);
    assert_true(metric_of(orderly, "orderly_rebalances_total", "kind=\"revoke\"") == 1);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_promised_metric_is_there_and_counts, face_reset),
        cmocka_unit_test_setup(histograms_rise_to_their_count, face_reset),
        cmocka_unit_test_setup(partitions_are_told_and_it_is_a_copy, face_reset),
        cmocka_unit_test_setup(a_partition_that_went_has_no_series, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
