#include "base/settings.h"

#include <string.h>

#include "base/cm.h"
#include "base/oom.h"

/* A configuration with what every one needs, and then name, value pairs up to NULL. */
static struct orderly_config *with(const char *const *pairs)
{
    static const char *const needed[] = {
        "kafka.bootstrap.servers", "localhost:1", "kafka.group.id", "g", "topics", "orders", NULL};
    struct orderly_config *config;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    for (const char *const *list = needed; list; list = list == needed ? pairs : NULL)
        for (size_t i = 0; list[i]; i += 2)
            if (orderly_config_set(config, list[i], list[i + 1], &error))
                fail_msg("%s", error.text);
    return config;
}

#define PAIRS(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

/* The caller ends it. */
static struct od_settings finished(const char *const *pairs)
{
    struct orderly_config *config = with(pairs);
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct od_settings settings;
    if (od_settings_finish(config, &settings, &error))
        fail_msg("%s", error.text);
    assert_int_equal(orderly_config_check(config, &error), ORDERLY_OK);
    orderly_config_free(config);
    return settings;
}

static const char *refusal(const char *const *pairs)
{
    static struct orderly_error error;
    struct orderly_config *config = with(pairs);
    error = (struct orderly_error)ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_config_check(config, &error), ORDERLY_CONFIG);
    orderly_config_free(config);
    return error.text;
}

static const char *property(const struct od_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->property_count; i++)
        if (strcmp(settings->properties[i].name, name) == 0)
            return settings->properties[i].value;
    return "";
}

static void defaults_are_those_of_the_contract(void **state)
{
    (void)state;
    struct od_settings s = finished(PAIRS("kafka.client.id", "me"));
    assert_string_equal(s.group, "g");
    assert_string_equal(s.brokers, "localhost:1");
    assert_int_equal(s.property_count, 1);
    assert_string_equal(property(&s, "client.id"), "me");
    assert_int_equal(s.topics.count, 1);
    assert_int_equal(s.start, OD_START_ERROR);
    assert_int_equal(s.start_timeout, 30000);
    assert_int_equal(s.concurrency, 64);
    assert_int_equal(s.order, OD_ORDER_KEY);
    assert_int_equal(s.retry_in, OD_RETRY_IN_LANE);
    assert_int_equal(s.retry_attempts, 8);
    assert_int_equal(s.backoff_first, 1000);
    assert_int_equal(s.backoff_factor, 2000);
    assert_int_equal(s.backoff_max, 600000);
    assert_int_equal(s.backoff_jitter, 200);
    assert_int_equal(s.retry_max_delay, 86400000);
    assert_string_equal(s.retry_topic, "{topic}.{group}.retry");
    assert_string_equal(s.retry_header, "retry-after");
    assert_false(s.honour_retry_after);
    assert_int_equal(s.max_crashes, 3);
    assert_string_equal(s.dead_letter_topic, "{topic}.{group}.dlt");
    assert_int_equal(s.dead_letter_max_rate, 100);
    assert_int_equal(s.oversize, OD_OVERSIZE_STOP);
    assert_string_equal(s.dead_letter_headers.items[0], "orderly");
    assert_int_equal(s.policy, OD_POLICY_DRAIN);
    assert_int_equal(s.hold_max, 240000);
    assert_int_equal(s.drain_timeout, 30000);
    assert_int_equal(s.lost_grace, 1000);
    assert_int_equal(s.kill_grace, 5000);
    assert_int_equal(s.close_timeout, 600000);
    assert_int_equal(s.commit_interval, 1000);
    assert_int_equal(s.commit_map_interval, 5000);
    assert_int_equal(s.commit_timeout, 10000);
    assert_int_equal(s.memory_records, 268435456);
    assert_int_equal(s.limit_window, 100000);
    assert_int_equal(s.limit_lane, 10000);
    assert_int_equal(s.limit_parked, 1000000);
    assert_int_equal(s.limit_releases, 20);
    assert_int_equal(s.limit_offset_map, 4000);
    assert_int_equal(s.on_lost, OD_ON_LOST_STOP);
    assert_int_equal(s.rate, 0);
    assert_int_equal(s.max_poll_interval, 300000);
    assert_int_equal(s.hold_deadline, 292000);
    od_settings_fini(&s);
    od_settings_fini(&s);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_non_null(strstr(refusal(PAIRS("kafka.group.id", "")), "kafka.group.id is not set"));
    assert_non_null(strstr(refusal(PAIRS("kafka.bootstrap.servers", "")), "kafka.bootstrap.servers is not set"));
    assert_non_null(strstr(refusal(PAIRS("topics", "")), "topics is not set"));
}

static void retry_waits_where_the_order_says(void **state)
{
    (void)state;
    struct od_settings s = finished(PAIRS("order", "none"));
    assert_int_equal(s.retry_in, OD_RETRY_IN_TOPIC);
    od_settings_fini(&s);
    s = finished(PAIRS("order", "partition"));
    assert_int_equal(s.retry_in, OD_RETRY_IN_LANE);
    od_settings_fini(&s);
    s = finished(PAIRS("order", "partition", "retry.in", "topic"));
    assert_int_equal(s.retry_in, OD_RETRY_IN_TOPIC);
    od_settings_fini(&s);
    s = finished(PAIRS("order", "none", "retry.in", "lane"));
    assert_int_equal(s.retry_in, OD_RETRY_IN_LANE);
    od_settings_fini(&s);
}

static void topics_that_are_patterns_are_moved(void **state)
{
    (void)state;
    struct od_settings s = finished(PAIRS("topics", "a,^b\\..*,a,c", "patterns", "^d,^b\\..*"));
    assert_int_equal(s.topics.count, 2);
    assert_string_equal(s.topics.items[0], "a");
    assert_string_equal(s.topics.items[1], "c");
    assert_int_equal(s.patterns.count, 2);
    assert_string_equal(s.patterns.items[0], "^d");
    assert_string_equal(s.patterns.items[1], "^b\\..*");
    od_settings_fini(&s);
    assert_non_null(strstr(refusal(PAIRS("patterns", "orders")), "does not begin with ^"));
    assert_non_null(strstr(refusal(PAIRS("topics", "^(a")), "no regular expression"));
}

static void names_of_topics_must_be_possible(void **state)
{
    (void)state;
    assert_non_null(strstr(refusal(PAIRS("topics", "my topic")), "no legal name of a topic"));
    assert_non_null(strstr(refusal(PAIRS("kafka.group.id", "my group")), "set retry.topic to"));
    assert_non_null(
        strstr(refusal(PAIRS("kafka.group.id", "my group", "retry.topic", "{topic}.r")), "set dead_letter.topic to"));
    assert_non_null(strstr(refusal(PAIRS("topics", "a,a.g.retry")), "is a source topic itself"));
    assert_non_null(strstr(refusal(PAIRS("topics", "a,a.g.dlt")), "consumed again"));
    assert_non_null(strstr(refusal(PAIRS("retry.topic", "x", "dead_letter.topic", "x")), "both give"));
}

static void a_sum_that_does_not_fit_is_shown(void **state)
{
    (void)state;
    assert_string_equal(
        refusal(PAIRS("rebalance.hold_max", "4m", "rebalance.drain_timeout", "2m", "commit.timeout", "10s")),
        "rebalance.hold_max (4m) + rebalance.drain_timeout (2m) + commit.timeout (10s) = 6m10s, but "
        "a rebalance can be held for 4m52s only (kafka.max.poll.interval.ms 5m - heartbeat 3s - "
        "margin): shorten one of them or raise kafka.max.poll.interval.ms");
    assert_non_null(strstr(refusal(PAIRS("rebalance.hold_max", "5m")), "can be held for 4m52s only"));
}

static void defaults_shrink_to_fit(void **state)
{
    (void)state;
    struct od_settings s = finished(PAIRS("kafka.max.poll.interval.ms", "60000"));
    assert_int_equal(s.hold_deadline, 52000);
    assert_in_range(s.hold_max + s.drain_timeout + s.commit_timeout, 51900, 52000);
    assert_true(s.hold_max > s.drain_timeout && s.drain_timeout > s.commit_timeout);
    od_settings_fini(&s);
    s = finished(PAIRS("rebalance.drain_timeout", "4m"));
    assert_int_equal(s.drain_timeout, 240000);
    assert_in_range(s.hold_max + s.commit_timeout, 51900, 52000);
    od_settings_fini(&s);
    s = finished(PAIRS("kafka.max.poll.interval.ms", "3600000", "rebalance.hold_max", "50m"));
    assert_int_equal(s.drain_timeout, 30000);
    od_settings_fini(&s);
    s = finished(PAIRS("rebalance.drain_timeout", "2s", "handler.exec.kill_grace", "5s"));
    assert_int_equal(s.kill_grace, 2000);
    od_settings_fini(&s);
}

static void times_of_the_engine_give_way_or_are_refused(void **state)
{
    (void)state;
    struct od_settings s = finished(PAIRS("kafka.max.poll.interval.ms", "6000"));
    assert_int_equal(s.session_timeout, 6000);
    assert_string_equal(property(&s, "session.timeout.ms"), "6000");
    assert_int_equal(s.heartbeat_interval, 2000);
    assert_string_equal(property(&s, "heartbeat.interval.ms"), "2000");
    od_settings_fini(&s);
    /* The new protocol has these times at the broker, and the engine refuses them. */
    s = finished(PAIRS("kafka.max.poll.interval.ms", "6000", "kafka.group.protocol", "consumer"));
    assert_string_equal(property(&s, "session.timeout.ms"), "");
    assert_string_equal(property(&s, "heartbeat.interval.ms"), "");
    od_settings_fini(&s);
    assert_non_null(strstr(refusal(PAIRS("kafka.max.poll.interval.ms", "6000", "kafka.session.timeout.ms", "7000")),
                           "kafka.session.timeout.ms (7s) is longer than kafka.max.poll.interval.ms (6s)"));
    assert_non_null(strstr(refusal(PAIRS("kafka.session.timeout.ms", "6000", "kafka.heartbeat.interval.ms", "6000")),
                           "must be shorter"));
    assert_non_null(
        strstr(refusal(PAIRS("kafka.max.poll.interval.ms", "5m")), "\"5m\" is not a number of milliseconds"));
}

static void delays_rise(void **state)
{
    (void)state;
    struct od_settings s = finished(PAIRS("retry.backoff.first", "1h"));
    assert_int_equal(s.backoff_max, 3600000);
    od_settings_fini(&s);
    s = finished(PAIRS("retry.backoff.max", "500ms"));
    assert_int_equal(s.backoff_first, 500);
    od_settings_fini(&s);
    s = finished(PAIRS("retry.max_delay", "5m"));
    assert_int_equal(s.backoff_max, 300000);
    od_settings_fini(&s);
    assert_string_equal(refusal(PAIRS("retry.backoff.first", "1h", "retry.backoff.max", "1m")),
                        "retry.backoff.first (1h) is longer than retry.backoff.max (1m)");
    assert_non_null(strstr(refusal(PAIRS("retry.header", "orderly-fence")), "cannot be used"));
}

static void holes_are_opened_only_on_purpose(void **state)
{
    (void)state;
    assert_non_null(
        strstr(refusal(PAIRS("kafka.bootstrap.servers", "kafka:1", "kafka.security.protocol", "SASL_PLAINTEXT")),
               "passwords would travel in the clear"));
    assert_non_null(strstr(refusal(PAIRS("kafka.enable.ssl.certificate.verification", "false")), "insecure: true"));
    struct od_settings s = finished(PAIRS("kafka.security.protocol", "sasl_plaintext"));
    od_settings_fini(&s);
    s = finished(PAIRS("kafka.enable.ssl.certificate.verification", "false", "insecure", "true"));
    assert_true(s.insecure);
    od_settings_fini(&s);
    s = finished(PAIRS("kafka.bootstrap.servers", "kafka:1", "kafka.security.protocol", "sasl_ssl"));
    od_settings_fini(&s);
}

static void tools_read_what_a_member_would_refuse(void **state)
{
    (void)state;
    struct orderly_config *config;
    struct od_settings s;
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    assert_int_equal(od_settings_read(config, &s, NULL), ORDERLY_OK);
    assert_string_equal(s.group, "");
    assert_string_equal(s.brokers, "");
    assert_int_equal(s.topics.count, 0);
    assert_int_equal(s.retry_in, OD_RETRY_IN_DEFAULT);
    od_settings_fini(&s);
    orderly_config_free(config);
}

static void copies_share_nothing(void **state)
{
    (void)state;
    struct od_settings s = finished(PAIRS("kafka.client.id", "me", "retry.never", "A,B")), copy;
    assert_int_equal(od_settings_copy(&s, &copy), ORDERLY_OK);
    od_settings_fini(&s);
    assert_string_equal(copy.group, "g");
    assert_string_equal(property(&copy, "client.id"), "me");
    assert_string_equal(copy.retry_never.items[1], "B");
    assert_string_equal(copy.retry_topic, "{topic}.{group}.retry");
    assert_int_equal(copy.hold_deadline, 292000);
    od_settings_fini(&copy);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    if (!oom_possible())
        skip();
    struct orderly_config *config =
        with(PAIRS("kafka.client.id", "me", "topics", "a,b", "kafka.max.poll.interval.ms", "6000"));
    unsigned n = 1;
    for (bool failed = true; failed; n++) {
        struct od_settings s = {0}, copy = {0};
        oom_arm(n);
        enum orderly_err err = od_settings_finish(config, &s, NULL);
        if (!err)
            err = od_settings_copy(&s, &copy);
        failed = oom_disarm();
        assert_int_equal(err, failed ? ORDERLY_NOMEM : ORDERLY_OK);
        od_settings_fini(&s);
        od_settings_fini(&copy);
    }
    assert_true(n > 30);
    orderly_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_contract),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(retry_waits_where_the_order_says),
        cmocka_unit_test(topics_that_are_patterns_are_moved),
        cmocka_unit_test(names_of_topics_must_be_possible),
        cmocka_unit_test(a_sum_that_does_not_fit_is_shown),
        cmocka_unit_test(defaults_shrink_to_fit),
        cmocka_unit_test(times_of_the_engine_give_way_or_are_refused),
        cmocka_unit_test(delays_rise),
        cmocka_unit_test(holes_are_opened_only_on_purpose),
        cmocka_unit_test(tools_read_what_a_member_would_refuse),
        cmocka_unit_test(copies_share_nothing),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
