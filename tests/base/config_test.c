#include "base/config.h"

#include <string.h>

#include "base/cm.h"
#include "base/oom.h"

static struct orderly_config *made(void)
{
    struct orderly_config *config = NULL;
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    return config;
}

static void set(struct orderly_config *config, const char *name, const char *value)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (orderly_config_set(config, name, value, &error))
        fail_msg("%s", error.text);
}

static const char *refusal(struct orderly_config *config, const char *name, const char *value)
{
    static struct orderly_error error;
    error = (struct orderly_error)ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_config_set(config, name, value, &error), ORDERLY_CONFIG);
    return error.text;
}

static void begins_with_the_defaults(void **state)
{
    (void)state;
    struct orderly_config *config = made();
    char text[64];
    assert_int_equal(orderly_config_get(config, "retry.attempts", text, sizeof text), ORDERLY_OK);
    assert_string_equal(text, "8");
    assert_false(od_config_is_set(config, "retry.attempts"));
    assert_int_equal(orderly_config_get(config, "kafka.group.id", text, sizeof text), ORDERLY_CONFIG);
    assert_int_equal(orderly_config_get(config, "wibble", text, sizeof text), ORDERLY_CONFIG);
    orderly_config_free(config);
    orderly_config_free(NULL);
}

static void gives_back_what_was_set_last(void **state)
{
    (void)state;
    struct orderly_config *config = made();
    char text[8];
    set(config, "retry.attempts", "3");
    set(config, "retry.attempts", "8");
    assert_true(od_config_is_set(config, "retry.attempts"));
    assert_int_equal(orderly_config_get(config, "retry.attempts", text, sizeof text), ORDERLY_OK);
    assert_string_equal(text, "8");
    set(config, "retry.header", "1234567");
    assert_int_equal(orderly_config_get(config, "retry.header", text, 8), ORDERLY_OK);
    assert_int_equal(orderly_config_get(config, "retry.header", text, 7), ORDERLY_LIMIT);
    orderly_config_free(config);
}

static void refusals_name_the_setting_and_the_way_out(void **state)
{
    (void)state;
    struct orderly_config *config = made();
    assert_string_equal(refusal(config, "retry.atempts", "3"),
                        "unknown setting \"retry.atempts\"; did you mean retry.attempts?");
    assert_string_equal(refusal(config, "wibble", "3"), "unknown setting \"wibble\"");
    assert_string_equal(refusal(config, "retry.attempts", "three"), "retry.attempts: \"three\" is not a whole number");
    assert_string_equal(refusal(config, "delivery", "transactional"),
                        "delivery: transactional is reserved and not built yet; use at-least-once");
    assert_string_equal(refusal(config, "kafka.auto.offset.reset", "earliest"),
                        "kafka.auto.offset.reset=earliest is refused: where a new group begins is the setting `start`");
    assert_non_null(strstr(refusal(config, "kafka.enable.auto.commit", "true"), "commits by itself"));
    assert_non_null(strstr(refusal(config, "kafka.", "true"), "missing"));
    assert_false(od_config_is_set(config, "retry.attempts"));
    set(config, "kafka.enable.auto.commit", "false");
    orderly_config_free(config);
}

static void properties_come_in_the_order_of_setting(void **state)
{
    (void)state;
    struct orderly_config *config = made();
    const char *name, *value;
    set(config, "kafka.group.id", "g");
    set(config, "concurrency", "5");
    set(config, "kafka.linger.ms", "1");
    set(config, "kafka.queue.buffering.max.ms", "7");
    assert_true(od_config_property(config, 0, &name, &value));
    assert_string_equal(name, "group.id");
    assert_string_equal(value, "g");
    assert_true(od_config_property(config, 1, &name, &value));
    assert_string_equal(name, "linger.ms");
    assert_string_equal(value, "7");
    assert_false(od_config_property(config, 2, &name, &value));
    orderly_config_free(config);
}

static void assigned(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)self;
    (void)list;
    (void)count;
    (void)userdata;
}

static void callbacks_of_older_programs_are_filled_up(void **state)
{
    (void)state;
    struct orderly_config *config = made();
    int mine;
    void *userdata = &mine;
    assert_null(od_config_callbacks(config, &userdata)->assigned);
    assert_null(userdata);
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    callbacks.assigned = callbacks.revoked = callbacks.lost = assigned;
    callbacks.size = offsetof(struct orderly_callbacks, lost);
    assert_int_equal(orderly_config_callbacks(config, &callbacks, &mine), ORDERLY_OK);
    const struct orderly_callbacks *copy = od_config_callbacks(config, &userdata);
    assert_ptr_equal(userdata, &mine);
    assert_true(copy->assigned == assigned && copy->revoked == assigned);
    assert_null(copy->lost);
    assert_int_equal(copy->size, sizeof *copy);
    orderly_config_free(config);
}

static void wrong_use_is_an_error_code(void **state)
{
    (void)state;
    struct orderly_config *config = made();
    struct orderly_callbacks callbacks = {0};
    char text[4];
    assert_int_equal(orderly_config_new(NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_config_set(NULL, "a", "b", NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_config_set(config, NULL, "b", NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_config_set(config, "order", NULL, NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_config_get(NULL, "order", text, 4), ORDERLY_INVALID);
    assert_int_equal(orderly_config_get(config, "order", NULL, 4), ORDERLY_INVALID);
    assert_int_equal(orderly_config_get(config, "order", text, 0), ORDERLY_LIMIT);
    assert_int_equal(orderly_config_callbacks(config, NULL, NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_config_callbacks(config, &callbacks, NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_config_check(NULL, NULL), ORDERLY_INVALID);
    orderly_config_free(config);
}

static void copies_are_whole(void **state)
{
    (void)state;
    struct orderly_config *config = made(), *copy = NULL;
    set(config, "order", "none");
    set(config, "kafka.group.id", "g");
    assert_int_equal(od_config_copy(config, &copy), ORDERLY_OK);
    orderly_config_free(config);
    assert_string_equal(od_config_text(copy, "order"), "none");
    assert_string_equal(od_config_text(copy, "kafka.group.id"), "g");
    orderly_config_free(copy);
}

static void plaintext_to_another_machine_is_noticed(void **state)
{
    (void)state;
    struct orderly_config *config = made();
    assert_false(od_config_plaintext(config));
    set(config, "kafka.bootstrap.servers", "localhost:1");
    assert_false(od_config_plaintext(config));
    set(config, "kafka.bootstrap.servers", "kafka:1");
    assert_true(od_config_plaintext(config));
    set(config, "kafka.security.protocol", "ssl");
    assert_false(od_config_plaintext(config));
    orderly_config_free(config);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    if (!oom_possible())
        skip();
    unsigned n = 1;
    for (bool failed = true; failed; n++) {
        struct orderly_config *config = NULL, *copy = NULL;
        oom_arm(n);
        enum orderly_err err = orderly_config_new(&config);
        if (!err)
            err = orderly_config_set(config, "topics", "a,b", NULL);
        if (!err)
            err = orderly_config_set(config, "topics", "a,b,c", NULL);
        if (!err)
            err = od_config_copy(config, &copy);
        failed = oom_disarm();
        assert_int_equal(err, failed ? ORDERLY_NOMEM : ORDERLY_OK);
        orderly_config_free(config);
        orderly_config_free(copy);
    }
    assert_true(n > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_the_defaults),
        cmocka_unit_test(gives_back_what_was_set_last),
        cmocka_unit_test(refusals_name_the_setting_and_the_way_out),
        cmocka_unit_test(properties_come_in_the_order_of_setting),
        cmocka_unit_test(callbacks_of_older_programs_are_filled_up),
        cmocka_unit_test(wrong_use_is_an_error_code),
        cmocka_unit_test(copies_are_whole),
        cmocka_unit_test(plaintext_to_another_machine_is_noticed),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
