/* What is passed in and out: results, structs of older callers, settings, and where things may be called from. */
#include "face.h"

#include <signal.h>

static const struct orderly_partition first_partition = {"t", 0};
static const struct orderly_partition unknown_partition = {"nowhere", 0};

static void results_are_set_only_on_success(void **state)
{
    (void)state;
    char byte = 0;
    void *const untouched = &byte;
    struct orderly_batch *batch = untouched;
    struct orderly_config *bad = fake_config(NULL);
    struct orderly_partition *partitions = untouched;
    struct orderly_lag *lags = untouched;
    struct orderly_stats *stats = untouched;
    struct orderly *orderly = untouched;
    struct orderly_backlog backlog = {sizeof backlog, 7, 7, 7};
    struct orderly_setting setting = {.size = sizeof setting, .name = "kept"};
    int64_t offset = 77;
    int fd = 77;
    size_t count = 77;
    char text[2] = "x";
    assert_int_equal(orderly_config_set(bad, "kafka.group.id", "", NULL), ORDERLY_OK);
    assert_int_equal(orderly_new(bad, &orderly, NULL), ORDERLY_CONFIG);
    assert_ptr_equal(orderly, untouched);
    assert_int_equal(orderly_config_get(bad, "topics.none", text, sizeof text), ORDERLY_CONFIG);
    assert_int_equal(orderly_config_get(bad, "kafka.bootstrap.servers", text, 1), ORDERLY_LIMIT);
    assert_int_equal(orderly_setting_at(100000, &setting), ORDERLY_INVALID);
    assert_string_equal(setting.name, "kept");
    orderly_config_free(bad);

    orderly = fake_member(NULL, NULL, NULL);
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    assert_ptr_equal(batch, untouched);
    assert_int_equal(orderly_committed(orderly, &unknown_partition, &offset), ORDERLY_STALE);
    assert_int_equal(offset, 77);
    assert_int_equal(orderly_uncommitted(orderly, &unknown_partition, &backlog), ORDERLY_STALE);
    assert_int_equal(backlog.running, 7);
    assert_int_equal(orderly_quit_fd(orderly, &unknown_partition, &fd), ORDERLY_STALE);
    assert_int_equal(fd, 77);
    assert_int_equal(orderly_assignment(NULL, &partitions, &count), ORDERLY_INVALID);
    assert_ptr_equal(partitions, untouched);
    assert_int_equal(orderly_lag(NULL, &lags, &count), ORDERLY_INVALID);
    assert_ptr_equal(lags, untouched);
    assert_int_equal(orderly_stats(NULL, &stats), ORDERLY_INVALID);
    assert_ptr_equal(stats, untouched);
    assert_int_equal(count, 77);
    assert_int_equal(orderly_drain(orderly, -1), ORDERLY_OK);
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_CLOSED);
    assert_ptr_equal(batch, untouched);
    face_free(orderly);
}

/* ---- structs of an older header: shorter ---- */

struct older {
    struct orderly *orderly;
    atomic_int handled, assigned, said;
};

static enum orderly_outcome ack_three(struct orderly_record *record, void *userdata)
{
    struct older *older = userdata;
    (void)record;
    if (atomic_fetch_add(&older->handled, 1) == 2) {
        (void)!orderly_close(older->orderly);
    }
    return ORDERLY_ACK;
}

static void count_assigned(struct orderly *orderly, const struct orderly_partition *list, size_t count, void *userdata)
{
    struct older *older = userdata;
    (void)orderly;
    (void)list;
    atomic_fetch_add(&older->assigned, (int)count);
}

static void the_missing_tail_of_a_struct_means_its_defaults(void **state)
{
    (void)state;
    struct older older = {0};
    struct orderly_config *config = fake_config(NULL);
    /* What lies behind the stated size is not looked at. */
    struct orderly_callbacks callbacks;
    memset(&callbacks, 0xff, sizeof callbacks);
    callbacks.size = offsetof(struct orderly_callbacks, revoked);
    callbacks.assigned = count_assigned;
    struct orderly_handler handler;
    memset(&handler, 0xff, sizeof handler);
    handler.size = offsetof(struct orderly_handler, handle_batch);
    handler.userdata = &older;
    handler.handle = ack_three;
    assert_int_equal(orderly_config_callbacks(config, &callbacks, &older), ORDERLY_OK);
    assert_int_equal(orderly_new(config, &older.orderly, NULL), ORDERLY_OK);
    orderly_config_free(config);
    fake_append(0, 3, 0);
    assert_int_equal(orderly_run(older.orderly, &(struct orderly_handler){.handle = ack_three}, NULL),
                     ORDERLY_INVALID); /* no size at all */
    assert_int_equal(orderly_run(older.orderly, &handler, NULL), ORDERLY_OK);
    assert_int_equal(atomic_load(&older.handled), 3);
    assert_int_equal(atomic_load(&older.assigned), 1);
    assert_int_equal(fake_committed(0), 3);
    face_free(older.orderly);
}

static void nothing_is_written_behind_the_stated_size(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_gate gate = {.size = offsetof(struct orderly_gate, waiting), .waiting = ORDERLY_WAITING_LOST};
    struct orderly_member member = {.size = offsetof(struct orderly_member, state), .state = "kept"};
    struct orderly_backlog backlog = {.size = offsetof(struct orderly_backlog, parked), .parked = 77};
    struct orderly_error error = {.size = offsetof(struct orderly_error, kafka_code), .kafka_code = 77, .text = "kept"};
    struct orderly_error last = {.size = offsetof(struct orderly_error, text), .text = "kept"};
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    struct orderly_record_view view = {.size = offsetof(struct orderly_record_view, fence), .fence = 77};
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_false(gate.held);
    assert_int_equal(gate.waiting, ORDERLY_WAITING_LOST);
    assert_int_equal(gate.size, offsetof(struct orderly_gate, waiting));
    assert_int_equal(orderly_member(orderly, &member), ORDERLY_OK);
    assert_string_equal(member.group, "g");
    assert_string_equal(member.state, "kept");
    assert_int_equal(orderly_uncommitted(orderly, &first_partition, &backlog), ORDERLY_OK);
    assert_int_equal(backlog.running, 1);
    assert_int_equal(backlog.parked, 77);
    assert_int_equal(orderly_run(orderly, NULL, &error), ORDERLY_INVALID);
    assert_int_equal(error.kafka_code, 77);
    assert_string_equal(error.text, "kept");
    assert_int_equal(orderly_last_error(orderly, &last), ORDERLY_OK);
    assert_string_equal(last.text, "kept");
    assert_int_equal(orderly_record_view(orderly_batch_record(batch, 0), &view), ORDERLY_OK);
    assert_string_equal(view.topic, "t");
    assert_true(view.fence == 77);
    orderly_batch_free(batch);
    face_free(orderly);
}

/* ---- a member and its settings ---- */

static void a_member_keeps_the_settings_it_was_made_with(void **state)
{
    (void)state;
    struct orderly *orderly = NULL;
    struct orderly_config *config = fake_config(NULL);
    assert_int_equal(orderly_config_set(config, "block_rebalance_on_poll", "true", NULL), ORDERLY_OK);
    assert_int_equal(orderly_new(config, &orderly, NULL), ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "block_rebalance_on_poll", "false", NULL), ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "kafka.group.id", "another", NULL), ORDERLY_OK);
    orderly_config_free(config);
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_true(gate.held);
    orderly_batch_free(batch);
    face_free(orderly);
}

static void nothing_connects_before_the_first_poll_or_run(void **state)
{
    (void)state;
    struct orderly_member member = ORDERLY_MEMBER_INIT;
    struct orderly_batch *batch = NULL;
    struct orderly_stats *stats = NULL;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    assert_true(orderly_poll_fd(orderly) >= 0);
    assert_int_equal(orderly_stats(orderly, &stats), ORDERLY_OK);
    orderly_stats_free(stats);
    assert_int_equal(orderly_member(orderly, &member), ORDERLY_OK);
    assert_string_equal(member.state, "starting");
    assert_false(fake_started());
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    assert_true(fake_started());
    face_free(orderly);
}

/* ---- bytes ---- */

static void a_record_outlives_its_batch_and_its_member(void **state)
{
    (void)state;
    const char *more[] = {"close_timeout=50ms", "rebalance.drain_timeout=20ms", "commit.timeout=20ms", NULL};
    struct orderly *orderly = fake_member(more, NULL, NULL);
    fake_append(0, 2, 2);
    struct orderly_batch *batch = poll_some(orderly, 2);
    assert_int_equal(orderly_batch_count(batch), 2);
    struct orderly_record *kept = orderly_record_ref(orderly_batch_record(batch, 1));
    struct orderly_bytes value = orderly_record_value(kept), key = orderly_record_key(kept);
    orderly_free(orderly); /* closes first; what is out is given up at its end */
    orderly_batch_free(batch);
    assert_memory_equal(value.data, "v1", 2);
    assert_memory_equal(key.data, "k1", 2);
    assert_string_equal(orderly_record_topic(kept), "t");
    assert_int_equal(orderly_mark(kept), ORDERLY_STALE);
    orderly_record_unref(kept);
    assert_int_equal(fake_messages(), 0);
    assert_true(fake_committed(0) <= 0);
}

/* ---- a signal handler ---- */

static struct orderly *to_signal;
static atomic_int signals;

static void on_signal(int number)
{
    atomic_fetch_add(&signals, 1);
    if (number == SIGUSR1) {
        orderly_wake(to_signal);
    } else {
        (void)!orderly_close(to_signal);
    }
}

static void wake_and_close_may_be_called_in_a_signal_handler(void **state)
{
    (void)state;
    struct orderly_batch *batch = NULL;
    struct sigaction action = {.sa_handler = on_signal}, old_1, old_2;
    atomic_store(&signals, 0);
    assert_int_equal(sigaction(SIGUSR1, &action, &old_1), 0);
    assert_int_equal(sigaction(SIGUSR2, &action, &old_2), 0);
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    to_signal = orderly;
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(orderly_poll(orderly, 1, -1, &batch), ORDERLY_INTERRUPTED);
    assert_int_equal(raise(SIGUSR2), 0);
    assert_int_equal(orderly_poll(orderly, 1, -1, &batch), ORDERLY_CLOSED);
    assert_int_equal(atomic_load(&signals), 2);
    assert_int_equal(orderly_drain(orderly, -1), ORDERLY_OK);
    sigaction(SIGUSR1, &old_1, NULL);
    sigaction(SIGUSR2, &old_2, NULL);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(results_are_set_only_on_success, face_reset),
        cmocka_unit_test_setup(the_missing_tail_of_a_struct_means_its_defaults, face_reset),
        cmocka_unit_test_setup(nothing_is_written_behind_the_stated_size, face_reset),
        cmocka_unit_test_setup(a_member_keeps_the_settings_it_was_made_with, face_reset),
        cmocka_unit_test_setup(nothing_connects_before_the_first_poll_or_run, face_reset),
        cmocka_unit_test_setup(a_record_outlives_its_batch_and_its_member, face_reset),
        cmocka_unit_test_setup(wake_and_close_may_be_called_in_a_signal_handler, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
