/* Every function of <orderly/admin.h> that the other tests leave out, on the embedded broker; what that broker cannot do is UNSUPPORTED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "orderly/admin.h"
#include "orderly/testing.h"

struct fixture {
    struct orderly_broker *broker;
    struct orderly_config *config;
    struct orderly_admin *admin;
};

static struct orderly_bytes bytes(const char *text)
{
    return (struct orderly_bytes){text, strlen(text)};
}

static int begin(void **state)
{
    static struct fixture f;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_config_new(&f.config), ORDERLY_OK);
    assert_int_equal(orderly_broker_new(1, &f.broker, NULL), ORDERLY_OK);
    const char *const pairs[][2] = {{"kafka.bootstrap.servers", orderly_broker_bootstrap(f.broker)},
                                    {"kafka.group.id", "doctors"},
                                    {"topics", "ward"}};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(orderly_config_set(f.config, pairs[i][0], pairs[i][1], &error), ORDERLY_OK);
    }
    assert_int_equal(orderly_admin_new(f.config, 10000, &f.admin, &error), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(f.broker, "ward", 1), ORDERLY_OK);
    *state = &f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    orderly_admin_free(f->admin);
    orderly_config_free(f->config);
    orderly_broker_free(f->broker);
    return 0;
}

static void fill(struct fixture *f, int count)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    for (int i = 0; i < count; i++) {
        assert_int_equal(orderly_admin_queue(f->admin, "ward", 0, bytes("key"), bytes("value"), NULL, 0, &error),
                         ORDERLY_OK);
    }
    assert_int_equal(orderly_admin_flush(f->admin, &error), ORDERLY_OK);
}

static void a_cluster_and_its_topics_are_described(void **state)
{
    struct fixture *f = *state;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_cluster cluster;
    struct orderly_topic topic;
    char retry[256], dead_letter[256];
    assert_int_equal(orderly_admin_cluster(f->admin, &cluster, &error), ORDERLY_OK);
    assert_int_equal(cluster.brokers, 1);
    assert_int_equal(orderly_admin_topic(f->admin, "ward", &topic, &error), ORDERLY_OK);
    assert_true(topic.exists);
    assert_int_equal(topic.partitions, 1);
    assert_int_equal(orderly_admin_names(f->admin, "ward", retry, dead_letter, &error), ORDERLY_OK);
    assert_string_equal(retry, "ward.doctors.retry");
    assert_string_equal(dead_letter, "ward.doctors.dlt");
    assert_int_equal(orderly_admin_create(f->admin, retry, 2, -1, NULL, 0, &error), ORDERLY_OK);
    assert_int_equal(orderly_admin_topic(f->admin, retry, &topic, &error), ORDERLY_OK);
    assert_true(topic.exists);
}

static void what_the_broker_cannot_do_is_unsupported(void **state)
{
    struct fixture *f = *state;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_group *group = NULL;
    assert_int_equal(orderly_admin_group(f->admin, &group, &error), ORDERLY_UNSUPPORTED);
    assert_int_equal(error.code, ORDERLY_UNSUPPORTED);
    assert_non_null(strstr(error.text, "cannot do that"));
    assert_null(group);
    orderly_group_free(NULL);
    error = (struct orderly_error)ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_admin_delete_records(f->admin, &(struct orderly_partition){"ward", 0}, 1, &error),
                     ORDERLY_UNSUPPORTED);
    assert_true(strlen(error.text) > 0);
}

static void a_reader_ends_at_the_end_found_when_it_was_made(void **state)
{
    struct fixture *f = *state;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_reader *reader = NULL;
    struct orderly_record *record = NULL;
    fill(f, 3);
    assert_int_equal(orderly_reader_new(f->admin, "ward", -1, -2, &reader, &error), ORDERLY_OK);
    fill(f, 2);
    for (int64_t i = 0; i < 3; i++) {
        assert_int_equal(orderly_reader_next(reader, 10000, &record, &error), ORDERLY_OK);
        assert_true(orderly_record_offset(record) == i);
        assert_int_equal(orderly_record_value(record).size, 5);
        orderly_record_unref(record);
    }
    assert_int_equal(orderly_reader_next(reader, 10000, &record, &error), ORDERLY_CLOSED);
    orderly_reader_free(reader);
    orderly_reader_free(NULL);
}

static void a_mover_copies_each_record_once_and_remembers_it(void **state)
{
    struct fixture *f = *state;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_mover *mover = NULL;
    struct orderly_record *record = NULL;
    struct orderly_reader *reader = NULL;
    fill(f, 2);
    assert_int_equal(orderly_broker_create_topic(f->broker, "other", 1), ORDERLY_OK);
    assert_int_equal(orderly_mover_new(f->admin, "porters", "ward", &mover, &error), ORDERLY_OK);
    assert_int_equal(orderly_mover_next(mover, &record, &error), ORDERLY_OK);
    assert_int_equal(orderly_mover_copy(mover, record, "other", 0, NULL, 0, &error), ORDERLY_OK);
    orderly_record_unref(record);
    assert_int_equal(orderly_mover_next(mover, &record, &error), ORDERLY_OK);
    assert_int_equal(orderly_mover_drop(mover, record, &error), ORDERLY_OK);
    orderly_record_unref(record);
    assert_int_equal(orderly_mover_commit(mover, &error), ORDERLY_OK);
    assert_int_equal(orderly_mover_next(mover, &record, &error), ORDERLY_CLOSED);
    orderly_mover_free(mover);
    orderly_mover_free(NULL);
    assert_int_equal(orderly_mover_new(f->admin, "porters", "ward", &mover, &error), ORDERLY_OK);
    assert_int_equal(orderly_mover_next(mover, &record, &error), ORDERLY_CLOSED); /* done, and known to be */
    orderly_mover_free(mover);
    assert_int_equal(orderly_reader_new(f->admin, "other", 0, -2, &reader, &error), ORDERLY_OK);
    assert_int_equal(orderly_reader_next(reader, 10000, &record, &error), ORDERLY_OK);
    orderly_record_unref(record);
    assert_int_equal(orderly_reader_next(reader, 10000, &record, &error), ORDERLY_CLOSED);
    orderly_reader_free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cluster_and_its_topics_are_described, begin, end),
        cmocka_unit_test_setup_teardown(what_the_broker_cannot_do_is_unsupported, begin, end),
        cmocka_unit_test_setup_teardown(a_reader_ends_at_the_end_found_when_it_was_made, begin, end),
        cmocka_unit_test_setup_teardown(a_mover_copies_each_record_once_and_remembers_it, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
