/* Tests of src/cli/options.c and nearest.c. What is said on stderr is caught in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"

static const struct od_option options[] = {{"topic", "NAME", "a topic", "topics"}, {"json", NULL, "JSON", NULL},
                                           {"limit", "N", "a number", NULL},       {"wait", "TIME", "a duration", NULL},
                                           {"X", "P=V", "a property", NULL},       OD_OPTION_END};
static const struct od_command plain = {.name = "try", .options = options};
static const struct od_command with_rest = {.name = "try", .options = options, .rest = true};
static const struct od_command with_verbs = {.name = "try", .options = options, .verbs = "list|show"};

static char said[512];

/* Parses words that end with NULL; what was said on stderr is in `said`. */
static bool parse(const struct od_command *command, struct od_args *args, const char *const *words)
{
    int count = 0, saved = dup(STDERR_FILENO);
    FILE *file = tmpfile();
    assert_non_null(file);
    while (words[count]) {
        count++;
    }
    fflush(stderr);
    dup2(fileno(file), STDERR_FILENO);
    bool good = od_args_parse(command, count, (char *const *)(uintptr_t)words, args);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    size_t size = fread(said, 1, sizeof said - 1, file);
    said[size] = '\0';
    fclose(file);
    return good;
}
#define PARSE(command, args, ...) parse(command, args, (const char *const[]){__VA_ARGS__, NULL})

static void takes_values_flags_and_repeats_in_order(void **state)
{
    (void)state;
    struct od_args args;
    assert_true(PARSE(&plain, &args, "--topic", "a", "--json", "--topic=b", "-X", "p=1"));
    assert_int_equal(args.count, 4);
    assert_string_equal(args.items[0].value, "a");
    assert_string_equal(args.items[2].value, "b");
    assert_string_equal(od_args_text(&args, "topic"), "b");
    assert_string_equal(od_args_text(&args, "X"), "p=1");
    assert_true(od_args_has(&args, "json"));
    assert_false(od_args_has(&args, "limit"));
    od_args_fini(&args);
}

static void a_mistyped_option_is_told_with_the_nearest(void **state)
{
    (void)state;
    struct od_args args;
    assert_false(PARSE(&plain, &args, "--tpoic", "a"));
    assert_non_null(strstr(said, "did you mean --topic?"));
    od_args_fini(&args);
    assert_false(PARSE(&plain, &args, "--zebra"));
    assert_non_null(strstr(said, "--help"));
    od_args_fini(&args);
}

static void options_are_exact(void **state)
{
    (void)state;
    struct od_args args;
    assert_false(PARSE(&plain, &args, "--top", "a"));
    od_args_fini(&args);
    assert_false(PARSE(&plain, &args, "-t", "a"));
    assert_non_null(strstr(said, "in full"));
    od_args_fini(&args);
    assert_false(PARSE(&plain, &args, "--X", "p=1"));
    od_args_fini(&args);
}

static void a_missing_or_unwanted_value_is_told(void **state)
{
    (void)state;
    struct od_args args;
    assert_false(PARSE(&plain, &args, "--topic"));
    assert_non_null(strstr(said, "needs a value"));
    od_args_fini(&args);
    assert_false(PARSE(&with_rest, &args, "--topic", "--", "./handler"));
    assert_non_null(strstr(said, "needs a value"));
    od_args_fini(&args);
    assert_false(PARSE(&plain, &args, "--json=yes"));
    assert_non_null(strstr(said, "takes no value"));
    od_args_fini(&args);
}

static void what_follows_two_dashes_is_left_alone(void **state)
{
    (void)state;
    struct od_args args;
    assert_true(PARSE(&with_rest, &args, "--json", "--", "./handler", "--fast", "--"));
    assert_int_equal(args.rest_count, 3);
    assert_string_equal(args.rest[1], "--fast");
    od_args_fini(&args);
    assert_false(PARSE(&plain, &args, "--", "x"));
    od_args_fini(&args);
    assert_false(PARSE(&with_rest, &args, "./handler"));
    assert_non_null(strstr(said, "goes after --"));
    od_args_fini(&args);
}

static void verbs_are_checked(void **state)
{
    (void)state;
    struct od_args args;
    assert_true(PARSE(&with_verbs, &args, "show"));
    assert_string_equal(od_args_verb(&args), "show");
    od_args_fini(&args);
    assert_false(PARSE(&with_verbs, &args, "lst"));
    assert_non_null(strstr(said, "did you mean 'list'"));
    od_args_fini(&args);
    assert_false(PARSE(&with_verbs, &args, "--json"));
    assert_non_null(strstr(said, "list show"));
    od_args_fini(&args);
    assert_false(PARSE(&with_verbs, &args, "list", "extra"));
    od_args_fini(&args);
}

static void numbers_and_durations_have_bounds_and_units(void **state)
{
    (void)state;
    struct od_args args;
    int64_t value = 0;
    assert_true(PARSE(&plain, &args, "--limit", "7", "--wait", "1.5s"));
    assert_true(od_args_number(&args, "limit", 1, 10, 3, &value));
    assert_int_equal(value, 7);
    assert_true(od_args_duration(&args, "wait", 1, &value));
    assert_int_equal(value, 1500);
    od_args_fini(&args);
    static const char *const bad[] = {"0", "11", "x", "7x", ""};
    for (size_t i = 0; i < 5; i++) {
        char text[8];
        snprintf(text, sizeof text, "%s", bad[i]);
        assert_true(PARSE(&plain, &args, "--limit", text));
        assert_false(od_args_number(&args, "limit", 1, 10, 3, &value));
        od_args_fini(&args);
    }
    static const char *const unitless[] = {"10", "10parsec", "-1s", "s"};
    for (size_t i = 0; i < 4; i++) {
        char text[16];
        snprintf(text, sizeof text, "%s", unitless[i]);
        assert_true(PARSE(&plain, &args, "--wait", text));
        assert_false(od_args_duration(&args, "wait", 1, &value));
        od_args_fini(&args);
    }
    assert_true(PARSE(&plain, &args, "--json"));
    assert_true(od_args_number(&args, "limit", 1, 10, 3, &value));
    assert_int_equal(value, 3);
    od_args_fini(&args);
}

static void help_needs_nothing_else(void **state)
{
    (void)state;
    struct od_args args;
    assert_true(PARSE(&with_verbs, &args, "--help"));
    assert_true(args.help);
    od_args_fini(&args);
}

static const char *nearest(const char *typed)
{
    static const char *const names[] = {"run", "demo", "broker", "retry", "resume", "status"};
    struct od_nearest best = {NULL, 0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        od_nearest_offer(&best, typed, names[i]);
    }
    return best.name;
}

static void the_nearest_name_is_near(void **state)
{
    (void)state;
    assert_string_equal(nearest("rnu"), "run");
    assert_string_equal(nearest("brokr"), "broker");
    assert_string_equal(nearest("retyr"), "retry");
    assert_string_equal(nearest("stat"), "status");
    assert_null(nearest("kangaroo"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_values_flags_and_repeats_in_order),
        cmocka_unit_test(a_mistyped_option_is_told_with_the_nearest),
        cmocka_unit_test(options_are_exact),
        cmocka_unit_test(a_missing_or_unwanted_value_is_told),
        cmocka_unit_test(what_follows_two_dashes_is_left_alone),
        cmocka_unit_test(verbs_are_checked),
        cmocka_unit_test(numbers_and_durations_have_bounds_and_units),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(the_nearest_name_is_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
