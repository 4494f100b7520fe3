/* Commits: each class of error by injection, several in one request, never without a membership. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/inside.h"
#include "kafka/rig.h"

#define OFFSET_COMMIT 8

static struct broker broker;
static const char *const settings[] = {"start=earliest", NULL};

static void begin(struct rig *rig, const char **ret_topic, int partitions)
{
    const char *group = fresh_name("g");
    *ret_topic = fresh_name("t");
    broker_hospital(&broker, *ret_topic, group, partitions);
    rig_make(rig, &broker, group, *ret_topic, settings);
    rig_start(rig);
    rigs_until(rig_owned(rig) == 2 * (size_t)partitions, rig);
}

static void end(struct rig *rig)
{
    rig_leave(rig);
    rig_stop(rig);
}

static enum od_commit_result commit_one(struct rig *rig, uint32_t id, int64_t offset)
{
    size_t before = rig->commits.count;
    od_engine_commit(rig->engine, id, offset, -1, "1", 1, 1);
    od_engine_flush(rig->engine);
    rigs_until(rig->commits.count > before, rig);
    return rig->commits.items[before].result;
}

static void errors_are_told_by_class(void **state)
{
    (void)state;
    static const struct {
        rd_kafka_resp_err_t err;
        enum od_commit_result result;
    } cases[] = {
        {RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, OD_COMMIT_MAP_TOO_LARGE},
        {RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, OD_COMMIT_OVERTAKEN},
        {RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH, OD_COMMIT_OVERTAKEN},
        {RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE, OD_COMMIT_REFUSED},
    };
    struct rig rig;
    const char *topic;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin(&rig, &topic, 1);
    uint32_t id = rig_stay(&rig, topic, 0)->id;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_COMMIT, 1, cases[i].err);
        enum od_commit_result result = commit_one(&rig, id, (int64_t)i + 1);
        if (result != cases[i].result) {
            fail_msg("%s: %d", rd_kafka_err2name(cases[i].err), (int)result);
        }
    }
    end(&rig);
}

static void a_coordinator_that_moves_is_waited_for(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin(&rig, &topic, 1);
    rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_COMMIT, 2, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                                      RD_KAFKA_RESP_ERR__TRANSPORT);
    enum od_commit_result result = OD_COMMIT_AGAIN;
    for (int i = 0; i < 100 && result == OD_COMMIT_AGAIN; i++) {
        result = commit_one(&rig, rig_stay(&rig, topic, 0)->id, 1);
    }
    assert_int_equal(result, OD_COMMIT_OK);
    end(&rig);
}

static void who_is_no_member_any_more_has_committed_nothing(void **state)
{
    (void)state;
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
                                                 RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH,
                                                 RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID};
    if (broker_is_real(&broker)) {
        skip();
    }
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        struct rig rig;
        const char *topic;
        begin(&rig, &topic, 1);
        rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_COMMIT, 1, errors[i]);
        enum od_commit_result result = commit_one(&rig, rig_stay(&rig, topic, 0)->id, 1);
        if (result != OD_COMMIT_FENCED) {
            fail_msg("%s: %d", rd_kafka_err2name(errors[i]), (int)result);
        }
        end(&rig);
    }
}

/* What a coordinator says while it moves, loads or is short of something: the offset goes with one of the next attempts. */
static void what_passes_by_itself_is_no_refusal(void **state)
{
    (void)state;
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                                                 RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
                                                 RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                                                 RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                                                 RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
                                                 RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                                 RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR};
    struct rig rig;
    const char *topic;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin(&rig, &topic, 1);
    uint32_t id = rig_stay(&rig, topic, 0)->id;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_COMMIT, 2, errors[i], errors[i]);
        enum od_commit_result result = OD_COMMIT_AGAIN;
        for (int tries = 0; tries < 100 && result == OD_COMMIT_AGAIN; tries++) {
            result = commit_one(&rig, id, (int64_t)i + 1);
        }
        if (result != OD_COMMIT_OK || rig.faults > 0 || rig.losts > 0) {
            fail_msg("%s: %d", rd_kafka_err2name(errors[i]), (int)result);
        }
    }
    end(&rig);
}

/* An error that ends the run, with its code. */
static void assert_commit_ends(rd_kafka_resp_err_t err, enum orderly_err code, const char *const *with)
{
    struct rig rig;
    const char *group = fresh_name("g"), *topic = fresh_name("t");
    broker_hospital(&broker, topic, group, 1);
    rig_make(&rig, &broker, group, topic, with);
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 2, &rig);
    rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_COMMIT, 1, err);
    assert_int_not_equal(commit_one(&rig, rig_stay(&rig, topic, 0)->id, 1), OD_COMMIT_OK);
    rigs_until(rig.faults > 0, &rig);
    assert_int_equal(rig.fault.code, code);
    assert_true(rig.fault.ends);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void what_no_waiting_mends_ends_the_run(void **state)
{
    (void)state;
    static const char *const instance[] = {"start=earliest", "kafka.group.instance.id=i1", NULL};
    if (broker_is_real(&broker)) {
        skip();
    }
    assert_commit_ends(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ORDERLY_AUTH, settings);
    assert_commit_ends(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ORDERLY_AUTH, settings);
    assert_commit_ends(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, ORDERLY_FENCED, instance);
}

static void all_partitions_of_a_step_are_answered(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic;
    char text[4001];
    enum { partitions = 135 }; /* 540 KB of maps: more than one request */
    memset(text, 'm', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    text[0] = '1';
    begin(&rig, &topic, partitions);
    for (int32_t p = 0; p < partitions; p++) {
        od_engine_commit(rig.engine, rig_stay(&rig, topic, p)->id, p + 1, 0, text, 4000, (uint64_t)p);
    }
    od_engine_flush(rig.engine);
    rigs_until(rig.commits.count == partitions, &rig);
    for (size_t i = 0; i < partitions; i++) {
        assert_int_equal(rig.commits.items[i].result, OD_COMMIT_OK);
    }
    end(&rig);
}

static void nothing_is_committed_without_a_membership(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic;
    begin(&rig, &topic, 1);
    uint32_t id = rig_stay(&rig, topic, 0)->id;
    rig_leave(&rig);
    od_engine_commit(rig.engine, id, 1, -1, "", 0, 9);
    od_engine_flush(rig.engine);
    rigs_until(rig.commits.count == 1, &rig);
    assert_int_equal(rig.commits.items[0].result, OD_COMMIT_FENCED);
    rig_stop(&rig);
}

static void a_fenced_commit_that_nobody_notices_ends_in_a_new_member(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin(&rig, &topic, 1);
    rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(commit_one(&rig, rig_stay(&rig, topic, 0)->id, 1), OD_COMMIT_FENCED);
    rigs_until(rig.losts == 1, &rig);
    rigs_until(rig_owned(&rig) == 2, &rig);
    assert_int_equal(commit_one(&rig, rig_stay(&rig, topic, 0)->id, 1), OD_COMMIT_OK);
    end(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_told_by_class),
        cmocka_unit_test(a_coordinator_that_moves_is_waited_for),
        cmocka_unit_test(who_is_no_member_any_more_has_committed_nothing),
        cmocka_unit_test(what_passes_by_itself_is_no_refusal),
        cmocka_unit_test(what_no_waiting_mends_ends_the_run),
        cmocka_unit_test(all_partitions_of_a_step_are_answered),
        cmocka_unit_test(nothing_is_committed_without_a_membership),
        cmocka_unit_test(a_fenced_commit_that_nobody_notices_ends_in_a_new_member),
    };
    broker_start(&broker, 1);
    int failed = cmocka_run_group_tests_name("kafka.commit", tests, NULL, NULL);
    broker_stop(&broker);
    return failed;
}
