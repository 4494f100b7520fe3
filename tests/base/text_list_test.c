#include "base/text_list.h"

#include <string.h>

#include "base/cm.h"
#include "base/oom.h"
#include "base/random.h"

/* Items joined by |; "!" when refused. */
static const char *items(const char *text)
{
    static char joined[256];
    struct od_text_list list = {0};
    joined[0] = '\0';
    if (od_text_list_parse(text, &list))
        return "!";
    for (size_t i = 0; i < list.count; i++) {
        if (i)
            strcat(joined, "|");
        strcat(joined, list.items[i]);
    }
    od_text_list_fini(&list);
    return joined;
}

static void commas_separate_and_blanks_do_not_count(void **state)
{
    (void)state;
    assert_string_equal(items(""), "");
    assert_string_equal(items(" , ,"), "");
    assert_string_equal(items("a"), "a");
    assert_string_equal(items(" a , b c,,d "), "a|b c|d");
    assert_string_equal(items("a\\,b,c"), "a,b|c");
    assert_string_equal(items("^orders\\..*,x\\"), "^orders\\..*|x\\");
}

static void json_says_everything_else(void **state)
{
    (void)state;
    assert_string_equal(items("[]"), "");
    assert_string_equal(items(" [ \"a,b\" , \" c \", 5, true, -1.5e3 ] "), "a,b| c |5|true|-1.5e3");
    assert_string_equal(items("[\"\\u00e9\\n\\ud83d\\ude00\\\\\\\"\"]"), "\xC3\xA9\n\xF0\x9F\x98\x80\\\"");
    assert_string_equal(items("{\"A\":\"x=y\",\"409\":\"ack\", \"N\":1}"), "A=x=y|409=ack|N=1");
    assert_string_equal(items("{}"), "");
}

static void broken_json_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"[",
                                      "[\"a\"",
                                      "[\"a\",]",
                                      "[\"a\"]x",
                                      "[a]",
                                      "[null]",
                                      "[\"\\x\"]",
                                      "[\"\\u12\"]",
                                      "[\"\\u0000\"]",
                                      "[\"\\ud800\"]",
                                      "[\"\\ud800\\u0041\"]",
                                      "[\"\n\"]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{a:1}",
                                      "{\"a\":[1]}",
                                      "[[\"a\"]]",
                                      "[\"a\" \"b\"]",
                                      "[\"\\"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_string_equal(items(bad[i]), "!");
}

static void survives_any_text(void **state)
{
    (void)state;
    static const char alphabet[] = "[]{}\",:\\u0d8a e1-.t\n";
    struct od_random random;
    od_random_init(&random, 4);
    unsigned good = 0;
    for (unsigned i = 0; i < 50000; i++) {
        char text[24];
        size_t size = od_random_below(&random, sizeof text);
        for (size_t j = 0; j < size; j++)
            text[j] = alphabet[od_random_below(&random, sizeof alphabet - 1)];
        text[size] = '\0';
        struct od_text_list list = {0};
        if (od_text_list_parse(text, &list) == ORDERLY_OK)
            good++;
        od_text_list_fini(&list);
    }
    assert_in_range(good, 1000, 49999);
}

static void copies_are_independent_and_leak_nothing_out_of_memory(void **state)
{
    (void)state;
    struct od_text_list list = {0}, copy = {0};
    assert_int_equal(od_text_list_parse("a,b,c", &list), ORDERLY_OK);
    assert_int_equal(od_text_list_copy(&list, &copy), ORDERLY_OK);
    assert_true(copy.items[1] != list.items[1]);
    assert_true(od_text_list_has(&copy, "b"));
    assert_false(od_text_list_has(&copy, "d"));
    od_text_list_fini(&copy);
    for (unsigned n = 1; oom_possible(); n++) {
        oom_arm(n);
        enum orderly_err err = od_text_list_parse("[\"a\",\"b\"]", &copy);
        if (!oom_disarm()) {
            assert_int_equal(err, ORDERLY_OK);
            od_text_list_fini(&copy);
            assert_true(n > 3);
            break;
        }
        assert_int_equal(err, ORDERLY_NOMEM);
    }
    for (unsigned n = 1; oom_possible() && n <= 4; n++) {
        oom_arm(n);
        assert_int_equal(od_text_list_copy(&list, &copy), ORDERLY_NOMEM);
        assert_true(oom_disarm());
    }
    od_text_list_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_separate_and_blanks_do_not_count),
        cmocka_unit_test(json_says_everything_else),
        cmocka_unit_test(broken_json_is_refused),
        cmocka_unit_test(survives_any_text),
        cmocka_unit_test(copies_are_independent_and_leak_nothing_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
