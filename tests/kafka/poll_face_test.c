/* The poll face with the public headers alone, on the embedded broker: what a program of a user may do to it. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "orderly/testing.h"

#define WAIT_MS 60000

static struct orderly_broker *broker;

static int begin(void **state)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    (void)state;
    assert_int_equal(orderly_broker_new(1, &broker, &error), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "ward", 2), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "ward.doctors.retry", 2), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "ward.doctors.dlt", 2), ORDERLY_OK);
    return 0;
}

static int end(void **state)
{
    (void)state;
    orderly_broker_free(broker);
    return 0;
}

static void fill(int32_t partition, int count)
{
    for (int i = 0; i < count; i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        assert_int_equal(orderly_broker_produce(broker, "ward", partition, (struct orderly_bytes){NULL, 0},
                                                (struct orderly_bytes){value, strlen(value)}, NULL, 0),
                         ORDERLY_OK);
    }
}

struct heard {
    atomic_int assigned, revoked, lost, waiting;
    atomic_llong left_ms;
};

static void hear_assigned(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)self;
    (void)list;
    atomic_fetch_add(&((struct heard *)userdata)->assigned, (int)count);
}

static void hear_revoked(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)self;
    (void)list;
    atomic_fetch_add(&((struct heard *)userdata)->revoked, (int)count);
}

static void hear_lost(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)self;
    (void)list;
    atomic_fetch_add(&((struct heard *)userdata)->lost, (int)count);
}

static void hear_waiting(struct orderly *self, const struct orderly_gate *gate, void *userdata)
{
    struct heard *heard = userdata;
    (void)self;
    atomic_store(&heard->left_ms, gate->left_ms);
    atomic_fetch_add(&heard->waiting, 1);
}

static void set(struct orderly_config *config, const char *name, const char *value)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (orderly_config_set(config, name, value, &error) != ORDERLY_OK) {
        fail_msg("%s=%s: %s", name, value, error.text);
    }
}

static struct orderly *member(struct heard *heard)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    struct orderly_config *config = NULL;
    struct orderly *orderly = NULL;
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    set(config, "kafka.bootstrap.servers", orderly_broker_bootstrap(broker));
    set(config, "kafka.group.id", "doctors");
    set(config, "kafka.group.protocol", "consumer");
    set(config, "topics", "ward");
    set(config, "start", "earliest");
    set(config, "block_rebalance_on_poll", "true");
    callbacks.assigned = hear_assigned;
    callbacks.revoked = hear_revoked;
    callbacks.lost = hear_lost;
    callbacks.rebalance_waiting = hear_waiting;
    assert_int_equal(orderly_config_callbacks(config, &callbacks, heard), ORDERLY_OK);
    if (orderly_new(config, &orderly, &error) != ORDERLY_OK) {
        fail_msg("%s", error.text);
    }
    orderly_config_free(config);
    return orderly;
}

static bool is_above_zero(void *number)
{
    return atomic_load((atomic_int *)number) > 0;
}

struct polling {
    struct orderly *orderly;
    pthread_t thread;
    atomic_int records;
    atomic_bool over;
};

static void *poll_on(void *opaque)
{
    struct polling *polling = opaque;
    while (!atomic_load(&polling->over)) {
        struct orderly_batch *batch = NULL;
        if (orderly_poll(polling->orderly, 100, 100, &batch) == ORDERLY_OK) {
            (void)!orderly_mark_batch(batch);
            atomic_fetch_add(&polling->records, (int)orderly_batch_count(batch));
        }
        orderly_batch_free(batch);
        orderly_allow_rebalance(polling->orderly);
    }
    return NULL;
}

static void a_held_batch_keeps_its_partition_from_the_member_that_comes(void **state)
{
    (void)state;
    struct heard first_heard = {0}, second_heard = {0};
    struct orderly_batch *batch = NULL;
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    fill(0, 5);
    struct orderly *first = member(&first_heard);
    assert_int_equal(orderly_poll(first, 3, WAIT_MS, &batch), ORDERLY_OK);
    struct polling second = {.orderly = member(&second_heard)};
    assert_int_equal(pthread_create(&second.thread, NULL, poll_on, &second), 0);
    assert_true(orderly_wait_until(is_above_zero, &first_heard.waiting, WAIT_MS));
    assert_true(atomic_load(&first_heard.left_ms) > 0);
    assert_int_equal(orderly_gate(first, &gate), ORDERLY_OK);
    assert_true(gate.held && gate.waiting == ORDERLY_WAITING_REVOKE);
    assert_int_equal(gate.records_out, orderly_batch_count(batch));
    assert_int_equal(atomic_load(&first_heard.revoked), 0);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    orderly_allow_rebalance(first);
    assert_true(orderly_wait_until(is_above_zero, &first_heard.revoked, WAIT_MS));
    assert_true(orderly_wait_until(is_above_zero, &second_heard.assigned, WAIT_MS));
    assert_int_equal(atomic_load(&first_heard.waiting), 1);
    assert_int_equal(orderly_drain(first, -1), ORDERLY_OK);
    orderly_free(first);
    assert_true(orderly_wait_until(is_above_zero, &second.records, WAIT_MS)); /* what the first one left */
    atomic_store(&second.over, true);
    pthread_join(second.thread, NULL);
    assert_int_equal(orderly_drain(second.orderly, -1), ORDERLY_OK);
    orderly_free(second.orderly);
    assert_int_equal(atomic_load(&first_heard.lost) + atomic_load(&second_heard.lost), 0);
    assert_int_equal(atomic_load(&first_heard.revoked), atomic_load(&first_heard.assigned));
    assert_int_equal(atomic_load(&second_heard.revoked), atomic_load(&second_heard.assigned));
}

/* Polls until there are `count`, in however many batches they come; those that were given back meanwhile would come later each time. */
static void poll_all(struct orderly *orderly, struct orderly_record **records, size_t count)
{
    for (size_t have = 0; have < count;) {
        struct orderly_batch *batch = NULL;
        assert_int_equal(orderly_poll(orderly, count - have, WAIT_MS, &batch), ORDERLY_OK);
        for (size_t i = 0; i < orderly_batch_count(batch); i++) {
            records[have++] = orderly_record_ref(orderly_batch_record(batch, i));
        }
        orderly_batch_free(batch);
    }
}

static void a_commit_while_the_broker_is_away_times_out_and_the_next_one_has_it(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_batch *batch = NULL;
    struct orderly_record *records[3];
    int64_t committed = -1;
    fill(0, 3);
    struct orderly *orderly = member(&heard);
    poll_all(orderly, records, 3);
    assert_int_equal(orderly_broker_down(broker, 1), ORDERLY_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(orderly_mark(records[i]), ORDERLY_OK);
        orderly_record_unref(records[i]);
    }
    assert_int_equal(orderly_commit(orderly, NULL, 0, 200, &error), ORDERLY_TIMEOUT);
    assert_true(strlen(error.text) > 0);
    assert_int_equal(orderly_poll(orderly, 1, 50, &batch), ORDERLY_TIMEOUT);
    assert_int_equal(orderly_broker_up(broker, 1), ORDERLY_OK);
    assert_int_equal(orderly_commit(orderly, NULL, 0, WAIT_MS, &error), ORDERLY_OK);
    assert_int_equal(orderly_committed(orderly, &(struct orderly_partition){"ward", 0}, &committed), ORDERLY_OK);
    assert_int_equal(committed, 3);
    assert_int_equal(orderly_drain(orderly, -1), ORDERLY_OK);
    orderly_free(orderly);
}

static void offsets_travel_with_what_is_done_above_them(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct orderly_batch *batch = NULL;
    struct orderly_record *records[5];
    fill(0, 5);
    struct orderly *orderly = member(&heard);
    poll_all(orderly, records, 5);
    for (size_t i = 1; i < 5; i++) {
        assert_int_equal(orderly_mark(records[i]), ORDERLY_OK);
    }
    assert_int_equal(orderly_drain(orderly, 500), ORDERLY_TIMEOUT); /* 0 is still out */
    orderly_free(orderly);
    for (size_t i = 0; i < 5; i++) {
        orderly_record_unref(records[i]);
    }
    fill(0, 1);
    orderly = member(&heard);
    int64_t seen[2] = {-1, -1};
    for (size_t count = 0; count < 2; count++) {
        assert_int_equal(orderly_poll(orderly, 1, WAIT_MS, &batch), ORDERLY_OK);
        seen[count] = orderly_record_offset(orderly_batch_record(batch, 0));
        assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
        orderly_batch_free(batch);
    }
    assert_int_equal(seen[0], 0);
    assert_int_equal(seen[1], 5); /* 1 to 4 are done */
    assert_int_equal(orderly_drain(orderly, -1), ORDERLY_OK);
    orderly_free(orderly);
}

static void what_is_used_after_free_of_the_member_answers(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct orderly_batch *batch = NULL;
    int fd = -1;
    fill(1, 2);
    struct orderly *orderly = member(&heard);
    assert_int_equal(orderly_poll(orderly, 2, WAIT_MS, &batch), ORDERLY_OK);
    struct orderly_record *record = orderly_record_ref(orderly_batch_record(batch, 0));
    assert_int_equal(orderly_record_cancel_fd(record, &fd), ORDERLY_OK);
    assert_int_equal(orderly_drain(orderly, 0), ORDERLY_TIMEOUT); /* a batch is out */
    orderly_free(orderly);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_STALE);
    orderly_batch_free(batch);
    enum orderly_reason reason = ORDERLY_REASON_NONE;
    assert_true(orderly_record_cancelled(record, &reason, NULL));
    assert_int_equal(reason, ORDERLY_REASON_CLOSING);
    assert_string_equal(orderly_record_topic(record), "ward");
    assert_int_equal(orderly_record_sleep(record, 60000), ORDERLY_CANCELLED);
    assert_int_equal(orderly_mark(record), ORDERLY_INVALID);
    orderly_record_unref(record);
    orderly = member(&heard); /* and what nobody settled is there for the next one */
    assert_int_equal(orderly_poll(orderly, 2, WAIT_MS, &batch), ORDERLY_OK);
    assert_int_equal(orderly_record_offset(orderly_batch_record(batch, 0)), 0);
    orderly_batch_free(batch);
    orderly_free(orderly);
}

static bool has_topic(void *opaque)
{
    struct orderly_partition *list = NULL;
    size_t count = 0, found = 0;
    if (orderly_assignment(opaque, &list, &count) == ORDERLY_OK) {
        for (size_t i = 0; i < count; i++) {
            found += strcmp(list[i].topic, "other") == 0;
        }
        orderly_assignment_free(list, count);
    }
    return found > 0;
}

static void topics_are_added_and_removed_all_or_none(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct orderly_batch *batch = NULL;
    static const char *const mixed[][2] = {
        {"other", "no/topic"}, {"other", "ward.doctors.retry"}, {"other", "ward.doctors.dlt"}};
    static const char *const unread[] = {"ward", "nowhere"}, *const other[] = {"other"};
    char long_name[300];
    const char *const too_long[] = {long_name};
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_int_equal(orderly_broker_create_topic(broker, "other", 1), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "other.doctors.retry", 1), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "other.doctors.dlt", 1), ORDERLY_OK);
    fill(0, 1);
    struct orderly *orderly = member(&heard);
    assert_int_equal(orderly_poll(orderly, 1, WAIT_MS, &batch), ORDERLY_OK);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    orderly_allow_rebalance(orderly);
    for (size_t i = 0; i < sizeof mixed / sizeof *mixed; i++) {
        assert_int_equal(orderly_add_topics(orderly, mixed[i], 2), ORDERLY_INVALID);
    }
    assert_int_equal(orderly_add_topics(orderly, too_long, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_remove_topics(orderly, unread, 2), ORDERLY_UNKNOWN_TOPIC);
    assert_int_equal(orderly_remove_topics(orderly, other, 1), ORDERLY_UNKNOWN_TOPIC); /* it was not added by half */
    assert_int_equal(orderly_add_topics(orderly, other, 1), ORDERLY_OK);
    assert_true(orderly_wait_until(has_topic, orderly, WAIT_MS));
    fill(0, 1);
    assert_int_equal(orderly_poll(orderly, 1, WAIT_MS, &batch), ORDERLY_OK); /* ward is still read */
    assert_string_equal(orderly_record_topic(orderly_batch_record(batch, 0)), "ward");
    orderly_batch_free(batch);
    assert_int_equal(orderly_drain(orderly, -1), ORDERLY_OK);
    orderly_free(orderly);
}

/* ---- descriptors run out ---- */

/* Leaves so many. */
static bool leave_descriptors(int spare)
{
    int taken[256], count = 0;
    if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){256, 256}) != 0) {
        return false;
    }
    while (count < 256 && (taken[count] = open("/dev/null", O_RDONLY)) >= 0) {
        count++;
    }
    for (int i = 0; i < spare && i < count; i++) {
        close(taken[i]);
    }
    return spare <= count;
}

/* A life with so few descriptors, in a process of its own. */
static void live_with(int spare, const char *bootstrap)
{
    struct orderly_config *config = NULL;
    struct orderly *orderly = NULL;
    struct orderly_batch *batch = NULL;
    const char *const pairs[][2] = {{"kafka.bootstrap.servers", bootstrap},
                                    {"kafka.group.id", "doctors"},
                                    {"kafka.group.protocol", "consumer"},
                                    {"topics", "ward"},
                                    {"start", "earliest"},
                                    {"close_timeout", "1s"},
                                    {"rebalance.drain_timeout", "500ms"},
                                    {"commit.timeout", "500ms"}};
    enum orderly_err error = orderly_config_new(&config);
    if (error != ORDERLY_OK || !leave_descriptors(spare)) {
        _exit(100);
    }
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (orderly_config_set(config, pairs[i][0], pairs[i][1], NULL) != ORDERLY_OK) {
            _exit(101);
        }
    }
    error = orderly_new(config, &orderly, NULL);
    orderly_config_free(config);
    if (error != ORDERLY_OK) {
        _exit(orderly == NULL && (error == ORDERLY_LIMIT || error == ORDERLY_NOMEM || error == ORDERLY_KAFKA) ? 1
                                                                                                              : 102);
    }
    (void)orderly_poll_fd(orderly);
    error = orderly_poll(orderly, 1, 300, &batch);
    if (error == ORDERLY_OK) {
        (void)!orderly_mark_batch(batch);
        orderly_batch_free(batch);
    }
    (void)!orderly_drain(orderly, 1000);
    orderly_free(orderly);
    _exit(error == ORDERLY_OK ? 0 : error == ORDERLY_INVALID ? 103 : 2);
}

static void with_few_descriptors_there_is_an_error_never_a_crash_or_a_hang(void **state)
{
    (void)state;
    fill(0, 40);
    size_t refused = 0, worked = 0;
#if defined(__SANITIZE_THREAD__)
    skip(); /* it does not follow threads into a forked process */
#endif
    for (int spare = 0; spare < 36; spare += 3) {
        int status = 0;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(50); /* a hang ends so */
            live_with(spare, orderly_broker_bootstrap(broker));
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 2) {
            fail_msg("with %d spare descriptors: status %d", spare, status);
        }
        refused += WEXITSTATUS(status) != 0;
        worked += WEXITSTATUS(status) == 0;
    }
    assert_true(refused > 0);
    print_message("%zu of %zu worked\n", worked, refused + worked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_held_batch_keeps_its_partition_from_the_member_that_comes, begin, end),
        cmocka_unit_test_setup_teardown(a_commit_while_the_broker_is_away_times_out_and_the_next_one_has_it, begin,
                                        end),
        cmocka_unit_test_setup_teardown(offsets_travel_with_what_is_done_above_them, begin, end),
        cmocka_unit_test_setup_teardown(what_is_used_after_free_of_the_member_answers, begin, end),
        cmocka_unit_test_setup_teardown(topics_are_added_and_removed_all_or_none, begin, end),
        cmocka_unit_test_setup_teardown(with_few_descriptors_there_is_an_error_never_a_crash_or_a_hang, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
