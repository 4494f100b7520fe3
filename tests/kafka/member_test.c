/* Losing the membership: evicted during a hold, lost with and without, fatal errors, a process that stood still, offsets that cannot be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/inside.h"
#include "kafka/rig.h"

#define OFFSET_FETCH 9
#define HEARTBEAT 12
#define OFFSET_COMMIT 8
#define CONSUMER_GROUP_HEARTBEAT 68

static struct broker broker;
static const char *const classic[] = {"start=earliest", NULL};
static const char *const consumer[] = {"start=earliest", "kafka.group.protocol=consumer", NULL};

static void commit_all(struct rig *rig)
{
    size_t before = rig->commits.count;
    size_t sent = 0;
    for (size_t i = 0; i < rig->stays.count; i++) {
        if (rig->stays.items[i].ready && !rig->stays.items[i].gone) {
            od_engine_commit(rig->engine, rig->stays.items[i].id, rig->stays.items[i].position, -1, "1", 1, sent++);
        }
    }
    od_engine_flush(rig->engine);
    rigs_until(rig->commits.count == before + sent, rig);
}

struct scene {
    struct rig first, second;
    const char *topic, *group;
};

/* The first member holds a revoke that the second one's joining brought. */
static void begin_hold(struct scene *scene, const char *const *settings)
{
    scene->topic = fresh_name("t");
    scene->group = fresh_name("g");
    broker_hospital(&broker, scene->topic, scene->group, 2);
    rig_make(&scene->first, &broker, scene->group, scene->topic, settings);
    rig_make(&scene->second, &broker, scene->group, scene->topic, settings);
    scene->first.hold_revokes = true;
    rig_start(&scene->first);
    rigs_until(rig_owned(&scene->first) == 4, &scene->first);
    commit_all(&scene->first);
    rig_start(&scene->second);
    rigs_until(scene->first.open_revoke.count > 0, &scene->first, &scene->second);
}

static void end(struct scene *scene)
{
    scene->first.hold_revokes = false;
    rigs_until(rig_owned(&scene->first) + rig_owned(&scene->second) == 4, &scene->first, &scene->second);
    rig_leave(&scene->second);
    rig_leave(&scene->first);
    rig_stop(&scene->first);
    rig_stop(&scene->second);
}

static void an_eviction_during_a_hold_is_noticed(void **state)
{
    (void)state;
    struct scene scene;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin_hold(&scene, classic);
    rd_kafka_mock_push_request_errors(broker.cluster, HEARTBEAT, 2, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
                                      RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    rigs_until(scene.first.losts > 0, &scene.first, &scene.second);
    assert_false(scene.first.last_lost_valid);
    end(&scene);
}

static void an_eviction_during_a_hold_is_noticed_by_a_probe(void **state)
{
    (void)state;
    struct scene scene;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin_hold(&scene, consumer);
    rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID);
    rigs_until(scene.first.losts > 0, &scene.first, &scene.second);
    rd_kafka_mock_clear_request_errors(broker.cluster, OFFSET_COMMIT);
    end(&scene);
}

static void a_probe_never_takes_an_offset_back(void **state)
{
    (void)state;
    struct scene scene;
    begin_hold(&scene, classic);
    struct seen_stay *held = rig_stay_by_id(&scene.first, scene.first.open_revoke.items[0]);
    char topic[256];
    int32_t partition = held->partition;
    snprintf(topic, sizeof topic, "%s", held->topic);
    /* Several heartbeats, with commits in between. */
    for (int64_t offset = 1; offset <= 20; offset++) {
        size_t before = scene.first.commits.count;
        od_engine_commit(scene.first.engine, held->id, offset, -1, "1", 1, (uint64_t)offset);
        od_engine_flush(scene.first.engine);
        rigs_until(scene.first.commits.count > before, &scene.first, &scene.second);
        int64_t pause = rig_now() + 40;
        rigs_until(rig_now() > pause, &scene.first, &scene.second);
    }
    rig_answer_revoke(&scene.first);
    scene.first.hold_revokes = false;
    rigs_until(rig_owned(&scene.second) == 2, &scene.first, &scene.second);
    if (scene.first.losts == 0) {
        assert_int_equal(rig_stay(&scene.second, topic, partition)->position, 20);
    }
    end(&scene);
}

/* A member that owns a source of so many partitions and its retry topic; the source's name. */
static const char *own_all(struct rig *rig, const char *const *settings, int partitions)
{
    const char *topic = fresh_name("t"), *group = fresh_name("g");
    broker_hospital(&broker, topic, group, partitions);
    rig_make(rig, &broker, group, topic, settings);
    rig_start(rig);
    rigs_until(rig_owned(rig) == 2 * (size_t)partitions, rig);
    return topic;
}

static void a_fatal_error_loses_everything_and_joins_anew(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = own_all(&rig, classic, 2);
    rd_kafka_test_fatal_error(rig.engine->handle->rk, RD_KAFKA_RESP_ERR__FATAL, "planted");
    rigs_until(rig.losts == 1, &rig);
    assert_false(rig.last_lost_valid);
    assert_int_equal(rig.fault.code, ORDERLY_FATAL);
    assert_false(rig.fault.ends);
    rigs_until(rig_owned(&rig) == 4, &rig);
    broker_produce_many(&broker, topic, 1, 3);
    rigs_until(rig_count_records(&rig, topic) == 3, &rig);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void leaving_does_not_wait_for_a_recovery(void **state)
{
    (void)state;
    struct rig rig;
    (void)own_all(&rig, classic, 2);
    od_recover(rig.engine, ORDERLY_KAFKA, 0, "planted");
    rig_leave(&rig);
    rig_stop(&rig);
}

/* What asks librdkafka's group part and waits for the answer, counted; the answers to rebalances apart. */
static atomic_int asked, answered;
static rd_kafka_queue_t *event_awaited; /* by who asks for the membership, when it is not NULL */

rd_kafka_resp_err_t rd_kafka_subscribe(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *topics)
{
    rd_kafka_resp_err_t (*real)(rd_kafka_t *, const rd_kafka_topic_partition_list_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_subscribe");
    atomic_fetch_add(&asked, 1);
    return real(rk, topics);
}

rd_kafka_consumer_group_metadata_t *rd_kafka_consumer_group_metadata(rd_kafka_t *rk)
{
    rd_kafka_consumer_group_metadata_t *(*real)(rd_kafka_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_consumer_group_metadata");
    atomic_fetch_add(&asked, 1);
    for (int64_t end = rig_now() + 20000; event_awaited && rd_kafka_queue_length(event_awaited) == 0;) {
        assert_true(rig_now() < end);
        sched_yield();
    }
    return real(rk);
}

rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t (*real)(rd_kafka_t *, const rd_kafka_topic_partition_list_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_assign");
    atomic_fetch_add(&answered, 1);
    return real(rk, list);
}

rd_kafka_error_t *rd_kafka_incremental_assign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_error_t *(*real)(rd_kafka_t *, const rd_kafka_topic_partition_list_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_incremental_assign");
    atomic_fetch_add(&answered, 1);
    return real(rk, list);
}

rd_kafka_error_t *rd_kafka_incremental_unassign(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_error_t *(*real)(rd_kafka_t *, const rd_kafka_topic_partition_list_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "rd_kafka_incremental_unassign");
    atomic_fetch_add(&answered, 1);
    return real(rk, list);
}

/* librdkafka drops, without a reply, what its group part is asked while that ends: the loop would wait for ever. */
static void nothing_is_asked_of_a_group_from_the_leave_on(void **state)
{
    (void)state;
    struct rig rig;
    (void)own_all(&rig, consumer, 1);
    assert_true(od_group_refresh(rig.engine));
    rig_leave(&rig);
    int before = atomic_load(&asked);
    assert_true(before > 1);
    od_subscription_apply(rig.engine); /* the topics were described late */
    assert_false(od_group_refresh(rig.engine));
    assert_int_equal(atomic_load(&asked), before);
    rig_stop(&rig);
}

static bool group_was_asked(void)
{
    size_t count = 0;
    bool found = false;
    rd_kafka_mock_request_t **requests = rd_kafka_mock_get_requests(broker.cluster, &count);
    for (size_t i = 0; i < count; i++) {
        found |= rd_kafka_mock_request_api_key(requests[i]) == CONSUMER_GROUP_HEARTBEAT;
    }
    rd_kafka_mock_request_destroy_array(requests, count);
    return found;
}

/* The group's first answer comes so late that the member leaves before it. */
static void begin_to_join(struct rig *rig)
{
    rd_kafka_mock_start_request_tracking(broker.cluster);
    rd_kafka_mock_broker_push_request_error_rtts(broker.cluster, 1, CONSUMER_GROUP_HEARTBEAT, 1,
                                                 RD_KAFKA_RESP_ERR_NO_ERROR, 300);
    rig_start(rig);
    rigs_until(group_was_asked(), rig);
    rd_kafka_mock_stop_request_tracking(broker.cluster);
}

/* librdkafka sends no leave before it has the answer to its first request, with which the group has taken it for a member. */
static void a_member_that_leaves_while_it_joins_has_left(void **state)
{
    (void)state;
    struct rig first, second;
    const char *topic = fresh_name("t"), *group = fresh_name("g");
    if (broker_is_real(&broker)) {
        skip(); /* its first answer comes too soon to be awaited */
    }
    broker_hospital(&broker, topic, group, 1);
    rig_make(&first, &broker, group, topic, consumer);
    rig_make(&second, &broker, group, topic, consumer);
    begin_to_join(&first);
    rig_leave(&first);
    rig_start(&second);
    int64_t start = rig_now();
    rigs_until(rig_owned(&second) == 2, &second);
    assert_in_range(rig_now() - start, 0, 20000); /* not the session, of 30 s and more, of a member that is no more */
    rig_leave(&second);
    rig_stop(&first);
    rig_stop(&second);
}

/*
 * An assign that comes just before the close is followed by a revoke; the answer to the first one ends the group part, and who answers the second one
 * may wait for ever, and its handle with it.
 */
static void who_leaves_answers_once(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t"), *group = fresh_name("g");
    if (broker_is_real(&broker)) {
        skip();
    }
    broker_hospital(&broker, topic, group, 1);
    rig_make(&rig, &broker, group, topic, consumer);
    begin_to_join(&rig);
    int before = atomic_load(&answered);
    event_awaited = rig.engine->handle->consumer;
    od_engine_leave(rig.engine);
    rigs_until(od_leave_begun(rig.engine), &rig);
    event_awaited = NULL;
    rigs_until(rig.lefts == 1, &rig);
    assert_false(rig.unconfirmed);
    rig_stop(&rig);
    assert_int_equal(atomic_load(&answered) - before, 1);
}

static void a_fenced_instance_ends_the_run(void **state)
{
    (void)state;
    struct rig rig;
    (void)own_all(&rig, classic, 1);
    rd_kafka_test_fatal_error(rig.engine->handle->rk, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, "planted");
    rigs_until(rig.faults == 1, &rig);
    assert_int_equal(rig.fault.code, ORDERLY_FENCED);
    assert_true(rig.fault.ends);
    rigs_until(rig.losts == 1, &rig);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void a_member_that_stood_still_is_confirmed_by_the_group(void **state)
{
    (void)state;
    struct rig rig;
    (void)own_all(&rig, classic, 1);
    od_engine_stood_still(rig.engine, 100); /* not long enough to matter */
    rigs_until(rig_now() > 0, &rig);
    assert_int_equal(rig.suspects, 0);
    commit_all(&rig);
    od_engine_stood_still(rig.engine, 60000);
    rigs_until(rig.suspects == 1 && rig.confirmed == 1, &rig);
    assert_int_equal(rig.losts, 0);
    if (!broker_is_real(&broker)) {
        rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION);
        od_engine_stood_still(rig.engine, 60000);
        rigs_until(rig.suspects == 2 && rig.losts >= 1, &rig);
        rigs_until(rig_owned(&rig) == 2, &rig);
    }
    rig_leave(&rig);
    rig_stop(&rig);
}

/* The group went on without it, and all it had was given up already when the standstill was noticed: the doubt ends, or the next stay would never start. */
static void a_doubt_ends_also_when_nothing_is_left_to_lose(void **state)
{
    (void)state;
    struct rig rig;
    (void)own_all(&rig, classic, 1);
    for (size_t i = 0; i < rig.engine->stays.list.count; i++) {
        rig.engine->stays.list.items[i]->closing = true;
    }
    assert_int_equal(rd_kafka_unsubscribe(rig.engine->handle->rk), 0);
    od_engine_stood_still(rig.engine, 60000);
    rigs_until(rig.suspects == 1, &rig);
    rigs_until(rig.confirmed == 1, &rig);
    rigs_until(rig_owned(&rig) == 2, &rig);
    rig_leave(&rig);
    rig_stop(&rig);
}

/* A member whose questions for offsets are refused, with five records to read. */
static const char *begin_without_offsets(struct rig *rig, const char *const *settings, rd_kafka_resp_err_t err)
{
    const char *topic = fresh_name("t"), *group = fresh_name("g");
    broker_hospital(&broker, topic, group, 1);
    broker_produce_many(&broker, topic, 0, 5);
    rig_make(rig, &broker, group, topic, settings);
    for (int i = 0; i < 100; i++) {
        rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_FETCH, 1, err);
    }
    rig_start(rig);
    return topic;
}

/* They are answered, and the records are read. */
static void read_with_offsets(struct rig *rig, const char *topic)
{
    rd_kafka_mock_clear_request_errors(broker.cluster, OFFSET_FETCH);
    rigs_until(rig_count_records(rig, topic) == 5, rig);
}

static void nothing_is_read_before_its_offset_is_known(void **state)
{
    (void)state;
    struct rig rig;
    if (broker_is_real(&broker)) {
        skip();
    }
    const char *topic = begin_without_offsets(&rig, classic, RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND);
    rigs_until(rig.engine->offsets.failing_since_ms > 0 && rig.engine->group.ever_assigned,
               &rig); /* the assign is answered without them */
    assert_int_equal(rig.records.count, 0);
    read_with_offsets(&rig, topic);
    rig_leave(&rig);
    rig_stop(&rig);
}

/* librdkafka (2.14.2) follows a NULL when a handle without a group is told that the coordinator has moved. */
static void a_handle_of_its_own_asks_for_offsets_when_the_coordinator_moves(void **state)
{
    (void)state;
    struct rig rig;
    if (broker_is_real(&broker)) {
        skip();
    }
    const char *topic = begin_without_offsets(&rig, consumer, RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    rigs_until(rig.engine->offsets.spare != NULL, &rig);
    int64_t before = rig.engine->offsets.retry_at_ms;
    rigs_until(rig.engine->offsets.retry_at_ms > before, &rig); /* it has asked, and was told so */
    read_with_offsets(&rig, topic);
    assert_null(rig.engine->offsets.spare);
    rig_leave(&rig);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_eviction_during_a_hold_is_noticed),
        cmocka_unit_test(an_eviction_during_a_hold_is_noticed_by_a_probe),
        cmocka_unit_test(a_probe_never_takes_an_offset_back),
        cmocka_unit_test(a_fatal_error_loses_everything_and_joins_anew),
        cmocka_unit_test(leaving_does_not_wait_for_a_recovery),
        cmocka_unit_test(nothing_is_asked_of_a_group_from_the_leave_on),
        cmocka_unit_test(a_member_that_leaves_while_it_joins_has_left),
        cmocka_unit_test(who_leaves_answers_once),
        cmocka_unit_test(a_fenced_instance_ends_the_run),
        cmocka_unit_test(a_member_that_stood_still_is_confirmed_by_the_group),
        cmocka_unit_test(a_doubt_ends_also_when_nothing_is_left_to_lose),
        cmocka_unit_test(nothing_is_read_before_its_offset_is_known),
        cmocka_unit_test(a_handle_of_its_own_asks_for_offsets_when_the_coordinator_moves),
    };
    broker_start(&broker, 1);
    int failed = cmocka_run_group_tests_name("kafka.member", tests, NULL, NULL);
    broker_stop(&broker);
    return failed;
}
