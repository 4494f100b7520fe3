/* A record used after its last unref: a debug build ends there and says so (runtime/after_unref_test.c: for each function). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/quarantine.h"
#include "orderly/admin.h"
#include "orderly/testing.h"

static const struct orderly_bytes value = {"value", 5};

static struct orderly_record *read_one(void)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_broker *broker = NULL;
    struct orderly_config *config = NULL;
    struct orderly_admin *admin = NULL;
    struct orderly_reader *reader = NULL;
    struct orderly_record *record = NULL;
    assert_int_equal(orderly_broker_new(1, &broker, &error), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "ward", 1), ORDERLY_OK);
    assert_int_equal(orderly_broker_produce(broker, "ward", 0, value, value, NULL, 0), ORDERLY_OK);
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "kafka.bootstrap.servers", orderly_broker_bootstrap(broker), &error),
                     ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "kafka.group.id", "doctors", &error), ORDERLY_OK);
    assert_int_equal(orderly_config_set(config, "topics", "ward", &error), ORDERLY_OK);
    assert_int_equal(orderly_admin_new(config, 10000, &admin, &error), ORDERLY_OK);
    assert_int_equal(orderly_reader_new(admin, "ward", 0, -2, &reader, &error), ORDERLY_OK);
    assert_int_equal(orderly_reader_next(reader, 10000, &record, &error), ORDERLY_OK);
    orderly_reader_free(reader);
    orderly_admin_free(admin);
    orderly_config_free(config);
    orderly_broker_free(broker);
    return record;
}

static void a_record_used_after_its_last_unref_is_reported(void **state)
{
    (void)state;
    struct orderly_record *record = read_one();
    char said[4096] = "";
    size_t size = 0;
    int out[2], status = 0;
    if (!OD_QUARANTINE && !OD_BASE_ADDRESS_SANITIZER) {
        orderly_record_unref(record);
        skip();
    }
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(out[1], STDERR_FILENO);
        orderly_record_unref(record);
        _exit(orderly_record_offset(record) == 0 ? 0 : 1); /* read what is gone */
    }
    close(out[1]);
    for (ssize_t got; size < sizeof said - 1 && (got = read(out[0], said + size, sizeof said - 1 - size)) > 0;) {
        size += (size_t)got;
    }
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_non_null(strstr(said, OD_QUARANTINE ? "a record was used after its last unref" : "heap-use-after-free"));
    orderly_record_unref(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_record_used_after_its_last_unref_is_reported)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
