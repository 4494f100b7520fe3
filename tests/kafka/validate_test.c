/* Where reading begins, the leader is asked whether the log below is the one that was committed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "kafka/rig.h"

#define OFFSET_FOR_LEADER_EPOCH 23

static struct broker broker;
static const char *const settings[] = {"start=earliest", NULL};

/* A group that has committed `offset`, of the epoch of what is there. */
static void commit(const char *topic, const char *group, int64_t offset)
{
    struct rig rig;
    rig_make(&rig, &broker, group, topic, settings);
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 2 && rig_count_records(&rig, topic) > 0, &rig);
    od_engine_commit(rig.engine, rig_stay(&rig, topic, 0)->id, offset, 0, "", 0, 1);
    od_engine_flush(rig.engine);
    rigs_until(rig.commits.count == 1, &rig);
    assert_int_equal(rig.commits.items[0].result, OD_COMMIT_OK);
    rig_leave(&rig);
    rig_stop(&rig);
}

static size_t questions(void)
{
    size_t count = 0, found = 0;
    rd_kafka_mock_request_t **list = rd_kafka_mock_get_requests(broker.cluster, &count);
    for (size_t i = 0; i < count; i++) {
        found += rd_kafka_mock_request_api_key(list[i]) == OFFSET_FOR_LEADER_EPOCH;
    }
    rd_kafka_mock_request_destroy_array(list, count);
    return found;
}

static void begin(struct rig *rig, const char **ret_topic, int64_t offset)
{
    const char *group = fresh_name("g");
    *ret_topic = fresh_name("t");
    broker_hospital(&broker, *ret_topic, group, 1);
    broker_produce_many(&broker, *ret_topic, 0, 10);
    commit(*ret_topic, group, offset);
    rig_make(rig, &broker, group, *ret_topic, settings);
    rig->keep_records = true;
}

static void a_committed_position_is_read_once_the_leader_knows_it(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin(&rig, &topic, 4);
    rd_kafka_mock_start_request_tracking(broker.cluster);
    rd_kafka_mock_clear_requests(broker.cluster);
    rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_FOR_LEADER_EPOCH, 1,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    rig_start(&rig);
    rigs_until(rig_count_records(&rig, topic) == 6, &rig);
    assert_true(questions() >= 2); /* the refused one, and one that was answered */
    assert_int_equal(rig.records.items[0].fetched.offset, 4);
    assert_int_equal(rig.seeks, 0);
    rd_kafka_mock_stop_request_tracking(broker.cluster);
    rig_leave(&rig);
    rig_stop(&rig);
}

/* The mock knows no epoch of which it has no records: as if all that was read had gone. */
static void a_log_that_has_gone_is_read_from_its_beginning(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin(&rig, &topic, 4);
    rd_kafka_mock_partition_set_leader(broker.cluster, topic, 0, 1);
    rig_start(&rig);
    rigs_until(rig.seeks == 1, &rig);
    rigs_until(rig_count_records(&rig, topic) == 10, &rig);
    assert_int_equal(rig.records.items[0].fetched.offset, 0);
    rig_leave(&rig);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_committed_position_is_read_once_the_leader_knows_it),
        cmocka_unit_test(a_log_that_has_gone_is_read_from_its_beginning),
    };
    broker_start(&broker, 1);
    int failed = cmocka_run_group_tests_name("kafka.validate", tests, NULL, NULL);
    broker_stop(&broker);
    return failed;
}
