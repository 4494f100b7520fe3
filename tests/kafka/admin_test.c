/* Tests of the admin face on the embedded broker. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "orderly/admin.h"
#include "orderly/testing.h"

struct fixture {
    struct orderly_broker *broker;
    struct orderly_config *config;
    struct orderly_admin *admin;
    char topic[64];
};

static struct orderly_bytes bytes(const char *text)
{
    return (struct orderly_bytes){text, strlen(text)};
}

static void set(struct fixture *f, const char *name, const char *value)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (orderly_config_set(f->config, name, value, &error)) {
        fail_msg("%s=%s: %s", name, value, error.text);
    }
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    assert_int_equal(orderly_config_new(&f->config), ORDERLY_OK);
    assert_int_equal(orderly_broker_new(1, &f->broker, NULL), ORDERLY_OK);
    snprintf(f->topic, sizeof f->topic, "ward-%lld", (long long)time(NULL));
    set(f, "kafka.bootstrap.servers", orderly_broker_bootstrap(f->broker));
    set(f, "kafka.group.id", "doctors");
    set(f, "topics", f->topic);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    orderly_admin_free(f->admin);
    orderly_config_free(f->config);
    orderly_broker_free(f->broker);
    free(f);
    return 0;
}

static void open_admin(struct fixture *f)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (orderly_admin_new(f->config, 10000, &f->admin, &error)) {
        fail_msg("%s", error.text);
    }
}

static void a_missing_topic_is_told_with_what_creates_it(void **state)
{
    struct fixture *f = *state;
    open_admin(f);
    assert_int_equal(orderly_broker_create_topic(f->broker, f->topic, 3), ORDERLY_OK);
    struct orderly_needs *needs = NULL;
    assert_int_equal(orderly_admin_needs(f->admin, &needs, NULL), ORDERLY_OK);
    assert_int_equal(needs->count, 3);
    assert_int_equal(needs->list[0].kind, ORDERLY_NEED_SOURCE);
    assert_string_equal(needs->list[0].problem, "");
    assert_int_equal(needs->list[0].found.partitions, 3);
    assert_true(*needs->list[0].found.id); /* what offset maps are bound to */
    char name[160];
    snprintf(name, sizeof name, "%s.doctors.retry", f->topic);
    assert_string_equal(needs->list[1].name, name);
    assert_int_equal(needs->list[1].partitions, 3);
    assert_non_null(strstr(needs->list[1].problem, "orderly topics create"));
    snprintf(name, sizeof name, "%s.doctors.dlt", f->topic);
    assert_string_equal(needs->list[2].name, name);

    assert_int_equal(orderly_admin_provide(f->admin, needs, NULL), ORDERLY_OK);
    orderly_needs_free(needs);
    assert_int_equal(orderly_admin_needs(f->admin, &needs, NULL), ORDERLY_OK);
    for (size_t i = 0; i < needs->count; i++) {
        assert_string_equal(needs->list[i].problem, "");
        assert_true(needs->list[i].found.exists);
    }
    orderly_needs_free(needs);
}

static void nothing_is_made_for_a_source_that_does_not_exist(void **state)
{
    struct fixture *f = *state;
    open_admin(f);
    struct orderly_needs *needs = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_admin_needs(f->admin, &needs, NULL), ORDERLY_OK);
    assert_non_null(strstr(needs->list[0].problem, "does not exist"));
    assert_int_equal(orderly_admin_provide(f->admin, needs, &error), ORDERLY_UNKNOWN_TOPIC);
    assert_non_null(strstr(error.text, f->topic));
    orderly_needs_free(needs);
    struct orderly_topics *topics = NULL;
    assert_int_equal(orderly_admin_list(f->admin, &topics, NULL), ORDERLY_OK);
    assert_int_equal(topics->count, 0);
    orderly_topics_free(topics);
}

static void a_pattern_leaves_retry_and_dead_letter_topics_out(void **state)
{
    struct fixture *f = *state;
    set(f, "topics", "^ward");
    open_admin(f);
    const char *const names[] = {"ward-a", "ward-b", "ward-a.doctors.retry", "ward-a.nurses.dlt", "kitchen"};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(orderly_broker_create_topic(f->broker, names[i], 1), ORDERLY_OK);
    }
    struct orderly_needs *needs = NULL;
    assert_int_equal(orderly_admin_needs(f->admin, &needs, NULL), ORDERLY_OK);
    size_t sources = 0;
    for (size_t i = 0; i < needs->count; i++) {
        sources += needs->list[i].kind == ORDERLY_NEED_SOURCE;
    }
    assert_int_equal(sources, 2);
    orderly_needs_free(needs);
}

static void a_broker_that_is_away_is_a_timeout_with_its_address(void **state)
{
    struct fixture *f = *state;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    set(f, "kafka.bootstrap.servers", "127.0.0.1:1");
    assert_int_equal(orderly_admin_new(f->config, 300, &f->admin, &error), ORDERLY_OK);
    struct orderly_topics *topics = NULL;
    assert_int_equal(orderly_admin_list(f->admin, &topics, &error), ORDERLY_TIMEOUT);
    assert_non_null(strstr(error.text, "127.0.0.1:1"));
}

static void without_brokers_it_says_which_option_is_missing(void **state)
{
    (void)state;
    struct orderly_config *config = NULL;
    struct orderly_admin *admin = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    assert_int_equal(orderly_admin_new(config, 300, &admin, &error), ORDERLY_CONFIG);
    assert_non_null(strstr(error.text, "--brokers"));
    orderly_config_free(config);
}

static void lag_counts_what_was_written(void **state)
{
    struct fixture *f = *state;
    open_admin(f);
    assert_int_equal(orderly_broker_create_topic(f->broker, f->topic, 2), ORDERLY_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(orderly_admin_produce(f->admin, f->topic, 1, bytes("k"), bytes("v"), NULL, 0, NULL),
                         ORDERLY_OK);
    }
    struct orderly_group_lags *lags = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (orderly_admin_lag(f->admin, &lags, &error)) {
        fail_msg("%s", error.text);
    }
    assert_int_equal(lags->count, 2);
    assert_int_equal(lags->list[1].end, 3);
    assert_int_equal(lags->list[1].begin, 0);
    assert_int_equal(lags->list[1].committed, -1);
    assert_int_equal(lags->list[0].end, 0);
    orderly_group_lags_free(lags);
}

/* librdkafka 2.14.2 follows a NULL here when the question comes from a handle without a group. */
static void offsets_are_read_although_the_coordinator_still_loads(void **state)
{
    struct fixture *f = *state;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    open_admin(f);
    assert_int_equal(orderly_broker_create_topic(f->broker, f->topic, 1), ORDERLY_OK);
    static const int answers[] = {14, 15,
                                  16}; /* COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR */
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct orderly_group_lags *lags = NULL;
        assert_int_equal(orderly_broker_fail(f->broker, ORDERLY_REQUEST_OFFSET_FETCH, answers[i], 2), ORDERLY_OK);
        if (orderly_admin_lag(f->admin, &lags, &error)) {
            fail_msg("%s", error.text);
        }
        assert_int_equal(lags->count, 1);
        orderly_group_lags_free(lags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_missing_topic_is_told_with_what_creates_it, begin, end),
        cmocka_unit_test_setup_teardown(nothing_is_made_for_a_source_that_does_not_exist, begin, end),
        cmocka_unit_test_setup_teardown(a_pattern_leaves_retry_and_dead_letter_topics_out, begin, end),
        cmocka_unit_test_setup_teardown(a_broker_that_is_away_is_a_timeout_with_its_address, begin, end),
        cmocka_unit_test(without_brokers_it_says_which_option_is_missing),
        cmocka_unit_test_setup_teardown(lag_counts_what_was_written, begin, end),
        cmocka_unit_test_setup_teardown(offsets_are_read_although_the_coordinator_still_loads, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
