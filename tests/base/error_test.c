#include "base/error.h"

#include <string.h>

#include "base/cm.h"

static void carries_code_and_sentence(void **state)
{
    (void)state;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(od_fail(&error, ORDERLY_CONFIG, "%s is %d", "x", 5), ORDERLY_CONFIG);
    assert_int_equal(error.code, ORDERLY_CONFIG);
    assert_int_equal(error.kafka_code, 0);
    assert_string_equal(error.text, "x is 5");
    assert_int_equal(od_fail_kafka(&error, ORDERLY_KAFKA, 29, "no"), ORDERLY_KAFKA);
    assert_int_equal(error.kafka_code, 29);
    od_error_clear(&error);
    assert_int_equal(error.code, ORDERLY_OK);
    assert_string_equal(error.text, "");
    assert_int_equal(od_fail(NULL, ORDERLY_LIMIT, "nobody listens"), ORDERLY_LIMIT);
}

static void cuts_long_sentences_between_characters(void **state)
{
    (void)state;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    char text[600];
    memset(text, 'a', sizeof text);
    /* A character of two bytes over the last place. */
    text[sizeof error.text - 2] = '\xc3';
    text[sizeof error.text - 1] = '\xa9';
    text[sizeof text - 1] = '\0';
    (void)od_fail(&error, ORDERLY_CONFIG, "%s", text);
    assert_int_equal(strlen(error.text), sizeof error.text - 2);
}

static void writes_no_more_than_an_older_program_gave(void **state)
{
    (void)state;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    error.size = offsetof(struct orderly_error, text) + 16;
    memset(error.text, '#', sizeof error.text);
    (void)od_fail(&error, ORDERLY_CONFIG, "0123456789012345678901234567890");
    assert_string_equal(error.text, "012345678901234");
    assert_int_equal(error.text[16], '#');
}

static void every_code_has_a_text(void **state)
{
    (void)state;
    for (int code = ORDERLY_OK; code <= ORDERLY_FATAL; code++)
        for (int other = ORDERLY_OK; other < code; other++)
            assert_string_not_equal(orderly_strerror((enum orderly_err)code),
                                    orderly_strerror((enum orderly_err)other));
    assert_string_equal(orderly_strerror((enum orderly_err)999), "unknown error");
    assert_string_equal(orderly_version(), ORDERLY_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(carries_code_and_sentence),
        cmocka_unit_test(cuts_long_sentences_between_characters),
        cmocka_unit_test(writes_no_more_than_an_older_program_gave),
        cmocka_unit_test(every_code_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
