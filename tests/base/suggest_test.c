#include "base/suggest.h"

#include "base/cm.h"

static const char *closest(const char *typed)
{
    static const char *const names[] = {"run",    "retry",  "resume",         "pause",
                                        "status", "topics", "retry.attempts", "concurrency"};
    struct od_suggest suggest = {.typed = typed};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        od_suggest_offer(&suggest, names[i]);
    return suggest.best ? suggest.best : "";
}

static void finds_the_name_with_the_fewest_mistakes(void **state)
{
    (void)state;
    assert_string_equal(closest("rnu"), "run");
    assert_string_equal(closest("resme"), "resume");
    assert_string_equal(closest("statsu"), "status");
    assert_string_equal(closest("retry.atempts"), "retry.attempts");
    assert_string_equal(closest("concurency"), "concurrency");
    assert_string_equal(closest("topic"), "topics");
}

static void does_not_guess_wildly(void **state)
{
    (void)state;
    assert_string_equal(closest(""), "");
    assert_string_equal(closest("xyzzy"), "");
    assert_string_equal(closest("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                "aaaaaaaaaaa"),
                        "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_name_with_the_fewest_mistakes),
        cmocka_unit_test(does_not_guess_wildly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
