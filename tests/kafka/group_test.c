/* Joining, offsets, records, commits, rebalances, leaving. Every test is run with the cooperative and the consumer protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/rig.h"

static struct broker broker;
static const char *const *protocol;

static const char *const cooperative[] = {"start=earliest", NULL};
/* The mock evicts who has not joined again a second before the session would end. */
static const char *const eager[] = {"start=earliest", "kafka.partition.assignment.strategy=range",
                                    "kafka.session.timeout.ms=4000", NULL};
static const char *const consumer[] = {"start=earliest", "kafka.group.protocol=consumer", NULL};

static void a_member_reads_everything_and_commits(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    broker_hospital(&broker, topic, group, 3);
    for (int32_t p = 0; p < 3; p++) {
        broker_produce_many(&broker, topic, p, 100);
    }
    rig_make(&rig, &broker, group, topic, protocol);
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 6, &rig);
    assert_true(rig_stay(&rig, topic, 0)->resolved);
    assert_int_equal(rig_stay(&rig, topic, 0)->position, 0);
    assert_int_equal(rig_stay(&rig, topic, 0)->kind, OD_TOPIC_SOURCE);
    rigs_until(rig_count_records(&rig, topic) == 300, &rig);
    assert_int_equal(rig.early_records, 0);
    od_engine_commit(rig.engine, rig_stay(&rig, topic, 1)->id, 42, 0, "1map", 4, 7);
    od_engine_flush(rig.engine);
    rigs_until(rig.commits.count == 1, &rig);
    assert_int_equal(rig.commits.items[0].result, OD_COMMIT_OK);
    assert_int_equal(rig.commits.items[0].sequence, 7);
    rig_leave(&rig);
    rig_stop(&rig);

    rig_make(&rig, &broker, group, topic, protocol);
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 6, &rig);
    struct seen_stay *stay = rig_stay(&rig, topic, 1);
    assert_false(stay->resolved);
    assert_int_equal(stay->position, 42);
    assert_string_equal(stay->map, "1map");
    assert_true(rig_stay(&rig, topic, 0)->resolved); /* not new to the topic: from its beginning */
    rigs_until(rig_count_records(&rig, topic) == 258, &rig);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void a_revoke_is_held_until_the_core_answers(void **state)
{
    (void)state;
    struct rig first;
    struct rig second;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    broker_hospital(&broker, topic, group, 4);
    broker_produce_many(&broker, topic, 0, 10);
    rig_make(&first, &broker, group, topic, protocol);
    rig_make(&second, &broker, group, topic, protocol);
    first.hold_revokes = true;
    rig_start(&first);
    rigs_until(rig_owned(&first) == 8, &first);
    rig_start(&second);
    rigs_until(first.open_revoke.count > 0, &first, &second);
    int64_t until = rig_now() + 500; /* more than two heartbeats */
    rigs_until(rig_now() > until, &first, &second);
    assert_int_equal(first.losts, 0);
    assert_true(first.revoke_deadline > until);
    struct seen_stay *held = rig_stay_by_id(&first, first.open_revoke.items[0]);
    od_engine_commit(first.engine, held->id, held->position, -1, "1x", 2, 1);
    od_engine_flush(first.engine);
    rigs_until(first.commits.count > 0, &first, &second);
    if (protocol != eager ||
        broker_is_real(&broker)) { /* the mock refuses commits while a group prepares to rebalance */
        assert_int_equal(first.commits.items[0].result, OD_COMMIT_OK);
    }
    rig_answer_revoke(&first);
    first.hold_revokes = false;
    rigs_until(rig_owned(&first) == 4 && rig_owned(&second) == 4, &first, &second);
    rig_leave(&second);
    rigs_until(rig_owned(&first) == 8, &first);
    rig_leave(&first);
    rig_stop(&first);
    rig_stop(&second);
}

static void leaving_is_told_and_ends_the_membership(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    struct orderly_member member = {.size = sizeof member};
    broker_hospital(&broker, topic, group, 2);
    rig_make(&rig, &broker, group, topic, protocol);
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 4, &rig);
    od_engine_member(rig.engine, &member);
    assert_string_equal(member.state, "stable");
    assert_string_equal(member.protocol, protocol == eager      ? "classic-eager"
                                         : protocol == consumer ? "consumer"
                                                                : "classic-cooperative");
    assert_true(member.member_id[0] && member.generation >= 0);
    rig_leave(&rig);
    assert_int_equal(od_engine_state(rig.engine), OD_ENGINE_LEFT);
    rig_stop(&rig);
}

static void members_come_and_go_and_nothing_is_left_behind(void **state)
{
    (void)state;
    struct rig first;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    broker_hospital(&broker, topic, group, 4);
    rig_make(&first, &broker, group, topic, protocol);
    rig_start(&first);
    rigs_until(rig_owned(&first) == 8, &first);
    for (int round = 0; round < 10; round++) {
        struct rig second;
        size_t read = first.records.count;
        rig_make(&second, &broker, group, topic, protocol);
        rig_start(&second);
        rigs_until(rig_owned(&first) == 4 && rig_owned(&second) == 4, &first, &second);
        rig_leave(&second);
        rig_stop(&second);
        rigs_until(rig_owned(&first) == 8, &first);
        broker_produce_many(&broker, topic, round % 4, 3);
        rigs_until(first.records.count >= read + 3, &first); /* every partition is still read */
    }
    rig_leave(&first);
    rig_stop(&first);
}

static void an_engine_that_never_started_leaves(void **state)
{
    (void)state;
    struct rig rig;
    rig_make(&rig, &broker, "g", "t", protocol);
    rig_leave(&rig);
    rig_stop(&rig);
}

static int use_cooperative(void **state)
{
    (void)state;
    protocol = cooperative;
    return 0;
}

static int use_eager(void **state)
{
    (void)state;
    protocol = eager;
    return 0;
}

static int use_consumer(void **state)
{
    (void)state;
    protocol = consumer;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_member_reads_everything_and_commits, use_cooperative),
        cmocka_unit_test_setup(a_member_reads_everything_and_commits, use_consumer),
        cmocka_unit_test_setup(a_member_reads_everything_and_commits, use_eager),
        cmocka_unit_test_setup(leaving_is_told_and_ends_the_membership, use_cooperative),
        cmocka_unit_test_setup(leaving_is_told_and_ends_the_membership, use_consumer),
        cmocka_unit_test_setup(leaving_is_told_and_ends_the_membership, use_eager),
        cmocka_unit_test_setup(a_revoke_is_held_until_the_core_answers, use_consumer),
        cmocka_unit_test_setup(a_revoke_is_held_until_the_core_answers, use_cooperative),
        cmocka_unit_test_setup(a_revoke_is_held_until_the_core_answers, use_eager),
        cmocka_unit_test_setup(members_come_and_go_and_nothing_is_left_behind, use_consumer),
        cmocka_unit_test_setup(an_engine_that_never_started_leaves, use_cooperative),
    };
    broker_start(&broker, 1);
    int failed = cmocka_run_group_tests_name("kafka.group", tests, NULL, NULL);
    broker_stop(&broker);
    return failed;
}
