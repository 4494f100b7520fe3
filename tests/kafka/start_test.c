/* What a start refuses, and with which sentence; what a pattern finds. */
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

#define OFFSET_COMMIT 8 /* ApiKey */

static struct broker broker;

static void assert_ends(struct rig *rig, enum orderly_err code, const char *part)
{
    rigs_until(rig->faults > 0, rig);
    if (rig->fault.code != code || !strstr(rig->fault_text, part)) {
        fail_msg("fault %d: %s", (int)rig->fault.code, rig->fault_text);
    }
    assert_true(rig->fault.ends);
    rig_leave(rig);
    assert_int_equal(rig->faults, 1);
    rig_stop(rig);
}

static void an_unknown_topic_ends_the_start(void **state)
{
    (void)state;
    struct rig rig;
    const char *const settings[] = {"start=earliest", NULL};
    rig_make(&rig, &broker, fresh_name("g"), fresh_name("nowhere"), settings);
    rig_start(&rig);
    assert_ends(&rig, ORDERLY_UNKNOWN_TOPIC, "unknown topic nowhere");
}

static void a_missing_retry_topic_ends_the_start_with_the_command(void **state)
{
    (void)state;
    struct rig rig;
    const char *const settings[] = {"start=earliest", NULL};
    const char *topic = fresh_name("t");
    broker_topic(&broker, topic, 1);
    rig_make(&rig, &broker, fresh_name("g"), topic, settings);
    rig_start(&rig);
    assert_ends(&rig, ORDERLY_CONFIG, "orderly topics create --brokers");
}

static void a_retry_topic_that_forgets_too_soon_ends_the_start(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"retention.ms", "86400000"}, {"retention.bytes", "1000000"}, {"cleanup.policy", "compact"}};
    const char *const settings[] = {"start=earliest", NULL};
    if (!broker_is_real(&broker)) {
        skip();
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        char name[300];
        char part[100];
        const char *topic = fresh_name("t");
        const char *group = fresh_name("g");
        broker_topic(&broker, topic, 1);
        snprintf(name, sizeof name, "%s.%s.dlt", topic, group);
        broker_topic(&broker, name, 1);
        snprintf(name, sizeof name, "%s.%s.retry", topic, group);
        broker_topic_with(&broker, name, 1, cases[i][0], cases[i][1]);
        snprintf(part, sizeof part, "%s=%s", cases[i][0], cases[i][1]);
        rig_make(&rig, &broker, group, topic, settings);
        rig_start(&rig);
        assert_ends(&rig, ORDERLY_CONFIG, part);
    }
}

static void a_topic_that_comes_in_time_is_waited_for(void **state)
{
    (void)state;
    struct rig rig;
    const char *const settings[] = {"start=earliest", NULL};
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    rig_make(&rig, &broker, group, topic, settings);
    rig_start(&rig);
    rigs_until(rig.engine->subscription.missing_since_ms > 0, &rig);
    broker_hospital(&broker, topic, group, 1);
    rigs_until(rig_owned(&rig) == 2, &rig);
    assert_int_equal(rig.faults, 0);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void without_start_a_new_group_ends(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    broker_hospital(&broker, topic, group, 1);
    rig_make(&rig, &broker, group, topic, NULL);
    rig_start(&rig);
    assert_ends(&rig, ORDERLY_NO_OFFSET, "set `start`");
}

static void latest_begins_at_the_end(void **state)
{
    (void)state;
    struct rig rig;
    const char *const settings[] = {"start=latest", NULL};
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    char retry[300];
    broker_hospital(&broker, topic, group, 1);
    broker_produce_many(&broker, topic, 0, 5);
    snprintf(retry, sizeof retry, "%s.%s.retry", topic, group);
    broker_produce_many(&broker, retry, 0, 3);
    rig_make(&rig, &broker, group, topic, settings);
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 2, &rig);
    assert_int_equal(rig_stay(&rig, topic, 0)->position, 5);
    assert_false(rig_stay(&rig, topic, 0)->resolved); /* it was committed before */
    assert_true(rig_stay(&rig, topic, 0)->leader_epoch >=
                0); /* so that it is noticed should the log be cut off below it */
    assert_int_equal(rig_stay(&rig, retry, 0)->position, 0); /* a retry topic is always read from its beginning */
    broker_produce_many(&broker, topic, 0, 2);
    rigs_until(rig_count_records(&rig, topic) == 2, &rig);
    rigs_until(od_engine_end(rig.engine, rig_stay(&rig, topic, 0)->id) == 7, &rig);
    rig_leave(&rig);
    rig_stop(&rig);
}

/* The first member commits for all: who comes later neither skips what came since nor takes its partitions for new ones. */
static void a_new_group_begins_at_one_place(void **state)
{
    (void)state;
    struct rig first;
    struct rig second;
    const char *const settings[] = {"start=latest", "kafka.group.protocol=consumer", NULL};
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    broker_hospital(&broker, topic, group, 4);
    for (int p = 0; p < 4; p++) {
        broker_produce_many(&broker, topic, p, 5);
    }
    rig_make(&first, &broker, group, topic, settings);
    rig_start(&first);
    rigs_until(rig_owned(&first) == 8, &first);
    for (int p = 0; p < 4; p++) {
        assert_int_equal(rig_stay(&first, topic, p)->position, 5);
        broker_produce_many(&broker, topic, p, 2);
    }
    rig_make(&second, &broker, group, topic, settings);
    rig_start(&second);
    rigs_until(rig_owned(&second) == 4 && rig_owned(&first) == 4, &first, &second);
    for (int p = 0; p < 4; p++) {
        struct seen_stay *stay = rig_stay(&second, topic, p);
        assert_true(!stay || stay->position == 5);
        assert_true(!stay || !stay->resolved);
    }
    rig_leave(&first);
    rig_leave(&second);
    rig_stop(&first);
    rig_stop(&second);
}

/* An attempt to commit the beginning may succeed late: the next one must not say something else. */
static void where_a_new_group_begins_is_found_once(void **state)
{
    (void)state;
    struct rig rig;
    const char *const settings[] = {"start=latest", NULL};
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    if (broker_is_real(&broker)) {
        skip();
    }
    broker_hospital(&broker, topic, group, 1);
    broker_produce_many(&broker, topic, 0, 5);
    rd_kafka_mock_push_request_errors(broker.cluster, OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE);
    rig_make(&rig, &broker, group, topic, settings);
    rig_start(&rig);
    rigs_until(rig.engine->topics.list.count > 0 && rig.engine->topics.list.items[0]->founding.wait_ms > 0, &rig);
    broker_produce_many(&broker, topic, 0, 2);
    rigs_until(rig_owned(&rig) == 2, &rig);
    assert_int_equal(rig_stay(&rig, topic, 0)->position, 5);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void no_broker_ends_the_start_in_time(void **state)
{
    (void)state;
    struct rig rig;
    struct broker nobody = {.bootstrap = "127.0.0.1:1"};
    const char *const settings[] = {"start=earliest", "start_timeout=1s", NULL};
    rig_make(&rig, &nobody, "g", "t", settings);
    rig_start(&rig);
    assert_ends(&rig, ORDERLY_KAFKA, "no broker of 127.0.0.1:1");
}

static void a_property_that_librdkafka_refuses_is_a_configuration_error(void **state)
{
    (void)state;
    struct orderly_config *config = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct od_settings settings;
    struct od_engine *engine = NULL;
    struct od_engine_sink sink = {NULL, NULL, NULL, NULL, 0};
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "kafka.bootstrap.servers", "x", &error), ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "kafka.group.id", "g", &error), ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "topics", "t", &error), ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "kafka.fetch.wait.max.ms", "many", &error), ORDERLY_OK);
    assert_int_equal(od_settings_finish(config, &settings, &error), ORDERLY_OK);
    assert_int_equal(od_engine_new(&settings, &sink, &engine, &error), ORDERLY_CONFIG);
    assert_non_null(strstr(error.text, "kafka.fetch.wait.max.ms"));
    od_settings_fini(&settings);
    orderly_config_free(config);
}

static void a_pattern_finds_topics_but_never_a_hospital(void **state)
{
    (void)state;
    struct rig rig;
    char pattern[100];
    char first[100];
    char second[100];
    char other[200];
    const char *const settings[] = {"start=earliest", NULL};
    const char *base = fresh_name("p");
    const char *group = fresh_name("g");
    snprintf(pattern, sizeof pattern, "^%s\\..*", base);
    snprintf(first, sizeof first, "%s.one", base);
    snprintf(second, sizeof second, "%s.two", base);
    snprintf(other, sizeof other, "%s.x.another-group.retry", base);
    broker_hospital(&broker, first, group, 1);
    broker_topic(&broker, other, 1);
    rig_make(&rig, &broker, group, pattern, settings);
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 2, &rig);
    assert_null(rig_stay(&rig, other, 0));
    broker_hospital(&broker, second, group, 1); /* found at the next look */
    rigs_until(rig_stay(&rig, second, 0) && rig_stay(&rig, second, 0)->ready, &rig);
    assert_string_equal(od_engine_source(rig.engine, 1), second);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void names_of_hospitals_are_recognised(void **state)
{
    (void)state;
    struct od_settings settings = {.retry_topic = (char[]){"{topic}.{group}.retry"},
                                   .dead_letter_topic = (char[]){"dead-{topic}-of-{group}"}};
    assert_true(od_topics_hospital(&settings, "orders.billing.retry"));
    assert_true(od_topics_hospital(&settings, "dead-orders-of-billing"));
    assert_false(od_topics_hospital(&settings, "dead-orders"));
    assert_false(od_topics_hospital(&settings, "orders"));
    assert_false(od_topics_hospital(&settings, "orders.retry.log"));
    assert_true(od_topics_hospital(&settings, "orders.dlt"));
}

/* A topic that is not there: told, with its name, and read once it is. */
static void an_added_topic_that_does_not_exist_is_told_and_waited_for(void **state)
{
    (void)state;
    struct rig rig;
    const char *const settings[] = {"start=earliest", NULL};
    const char *first = fresh_name("t");
    const char *second = fresh_name("t");
    const char *group = fresh_name("g");
    broker_hospital(&broker, first, group, 1);
    rig_make(&rig, &broker, group, first, settings);
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 2, &rig);
    assert_int_equal(od_engine_add_topics(rig.engine, &second, 1), ORDERLY_OK);
    rigs_until(rig.faults > 0, &rig);
    assert_int_equal(rig.fault.code, ORDERLY_UNKNOWN_TOPIC);
    assert_false(rig.fault.ends);
    assert_non_null(strstr(rig.fault_text, second));
    broker_hospital(&broker, second, group, 1);
    rigs_until(rig_owned(&rig) == 4, &rig);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void a_truncated_log_says_where_it_parts(void **state)
{
    (void)state;
    assert_int_equal(
        od_reset_diverges(
            "t [0]: Partition log truncation detected at offset 2000 (leader epoch 0): broker end offset is 1000 "
            "(offset leader epoch 0). Reset to INVALID."),
        1000);
    assert_int_equal(
        od_reset_diverges(
            "No epoch found less or equal to offset 20 (leader epoch 0): broker end offset is -1 (offset leader "
            "epoch -1). Reset using configured policy."),
        0);
    assert_int_equal(od_reset_diverges("Broker: Offset out of range"), -1);
    assert_int_equal(od_reset_diverges("Partition log truncation detected"), -1);
}

static void topics_come_and_go(void **state)
{
    (void)state;
    struct rig rig;
    const char *const settings[] = {"start=earliest", NULL};
    const char *first = fresh_name("t");
    const char *second = fresh_name("t");
    const char *group = fresh_name("g");
    broker_hospital(&broker, first, group, 1);
    broker_hospital(&broker, second, group, 1);
    rig_make(&rig, &broker, group, first, settings);
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 2, &rig);
    assert_int_equal(od_engine_add_topics(rig.engine, &second, 1), ORDERLY_OK);
    rigs_until(rig_owned(&rig) == 4, &rig);
    assert_int_equal(od_engine_remove_topics(rig.engine, &first, 1), ORDERLY_OK);
    rigs_until(rig_owned(&rig) == 2, &rig);
    assert_true(rig_stay(&rig, first, 0)->gone);
    rig_leave(&rig);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_hospitals_are_recognised),
        cmocka_unit_test(a_truncated_log_says_where_it_parts),
        cmocka_unit_test(an_unknown_topic_ends_the_start),
        cmocka_unit_test(a_missing_retry_topic_ends_the_start_with_the_command),
        cmocka_unit_test(a_retry_topic_that_forgets_too_soon_ends_the_start),
        cmocka_unit_test(a_topic_that_comes_in_time_is_waited_for),
        cmocka_unit_test(without_start_a_new_group_ends),
        cmocka_unit_test(latest_begins_at_the_end),
        cmocka_unit_test(a_new_group_begins_at_one_place),
        cmocka_unit_test(where_a_new_group_begins_is_found_once),
        cmocka_unit_test(no_broker_ends_the_start_in_time),
        cmocka_unit_test(a_property_that_librdkafka_refuses_is_a_configuration_error),
        cmocka_unit_test(a_pattern_finds_topics_but_never_a_hospital),
        cmocka_unit_test(an_added_topic_that_does_not_exist_is_told_and_waited_for),
        cmocka_unit_test(topics_come_and_go),
    };
    broker_start(&broker, 1);
    int failed = cmocka_run_group_tests_name("kafka.start", tests, NULL, NULL);
    broker_stop(&broker);
    return failed;
}
