/* src/daemon/bytes.c, log.c, setting.c, crashes.c, answer.c: the small pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/answer.h"
#include "daemon/bytes.h"
#include "daemon/crashes.h"
#include "daemon/log.h"
#include "daemon/setting.h"
#include "daemon/verdict.h"

static void expect(struct od_bytes *bytes, const char *text)
{
    assert_non_null(od_bytes_end(bytes));
    assert_string_equal(bytes->data, text);
    od_bytes_fini(bytes);
}

static void base64_is_padded(void **state)
{
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct od_bytes bytes = {0};

        od_bytes_base64(&bytes, rows[i][0], strlen(rows[i][0]));
        expect(&bytes, rows[i][1]);
    }
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    static const char *const good[] = {"", "a", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {
        "\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80",
        "a\xFF"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(od_bytes_is_utf8(good[i], strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(od_bytes_is_utf8(bad[i], strlen(bad[i])));
    }
    assert_true(od_bytes_is_utf8("a\0b", 3));
    assert_false(od_bytes_is_text((struct orderly_bytes){"a\0b", 3}));
}

static void spellings_are_those_of_their_standards(void **state)
{
    struct od_bytes bytes = {0};

    (void)state;
    od_bytes_json(&bytes, "a\"\\\n\t\r\x01\x7f\xC3\xA4\xFF", 11);
    expect(&bytes, "\"a\\\"\\\\\\n\\t\\r\\u0001\\u007f\xC3\xA4\xEF\xBF\xBD\"");
    od_bytes_percent(&bytes, "az09-._~ /\xC3\xA4", 12);
    expect(&bytes, "az09-._~%20%2F%C3%A4");
    od_bytes_time(&bytes, INT64_C(1767225600007));
    expect(&bytes, "2026-01-01T00:00:00.007Z");
    od_bytes_time(&bytes, -1);
    expect(&bytes, "1969-12-31T23:59:59.999Z");
    od_bytes_clean(&bytes, "a\xFFz\0", 4);
    expect(&bytes, "a\xEF\xBF\xBDz\xEF\xBF\xBD");
}

/* One line of log as it is written. */
static const char *logged(enum od_say_format format, int level, const char *text)
{
    static char line[4096];
    int ends[2];
    ssize_t size;

    assert_int_equal(pipe(ends), 0);
    od_say_fd_set(ends[1]);
    od_say_format_set(format);
    od_say_line(level, "area", text);
    close(ends[1]);
    size = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    od_say_fd_set(2);
    od_say_format_set(OD_LOG_TEXT);
    assert_true(size >= 0);
    line[size] = '\0';
    return line;
}

static void a_line_of_log_is_one_line_whatever_it_holds(void **state)
{
    const char *line = logged(OD_LOG_TEXT, ORDERLY_LOG_WARNING, "a\nb\x1b[31m\xC2\x9B\xFF\t.");

    (void)state;
    assert_string_equal(line + strlen("00:00:00.000 "), "warning area: a\\nb\\x1b[31m\\x9b\\xff\\t.\n");
    line = logged(OD_LOG_JSON, ORDERLY_LOG_ERROR, "a\nb\"\x1b");
    assert_non_null(strstr(line, "Z\",\"level\":\"error\",\"area\":\"area\",\"text\":\"a\\nb\\\"\\u001b\"}\n"));
    assert_int_equal(strncmp(line, "{\"time\":\"2", 10), 0);
    assert_string_equal(strchr(line, '\n'), "\n");
    line = logged(OD_LOG_AUTO, ORDERLY_LOG_INFO, "a pipe is no terminal");
    assert_int_equal(line[0], '{');
}

static void lines_below_the_level_are_not_written(void **state)
{
    enum orderly_log_level level;

    (void)state;
    assert_true(od_say_level_parse("warning", &level));
    assert_false(od_say_level_parse("loud", &level));
    od_say_level_set(level);
    assert_string_equal(logged(OD_LOG_TEXT, ORDERLY_LOG_INFO, "quiet"), "");
    assert_string_not_equal(logged(OD_LOG_TEXT, ORDERLY_LOG_WARNING, "heard"), "");
    od_say_level_set(ORDERLY_LOG_INFO);
}

static void durations_have_units(void **state)
{
    int64_t ms = -7;

    (void)state;
    assert_true(od_duration_parse("250ms", &ms) && ms == 250);
    assert_true(od_duration_parse("1.5s", &ms) && ms == 1500);
    assert_true(od_duration_parse("10m", &ms) && ms == 600000);
    assert_true(od_duration_parse("7d", &ms) && ms == INT64_C(604800000));
    assert_false(od_duration_parse("10", &ms));
    assert_false(od_duration_parse("none", &ms));
    assert_false(od_duration_parse("-5s", &ms));
    assert_false(od_duration_parse("", &ms));
}

static void a_command_is_a_list_or_json_so_that_commas_survive(void **state)
{
    struct od_words words = {0};

    (void)state;
    assert_true(od_words_parse("./handler, --fast,x y", &words));
    assert_int_equal(words.count, 3);
    assert_string_equal(words.items[1], "--fast");
    assert_string_equal(words.items[2], "x y");
    assert_null(words.items[3]);
    od_words_fini(&words);
    assert_true(od_words_parse("[\"sh\",\"-c\",\"a,b\"]", &words));
    assert_int_equal(words.count, 3);
    assert_string_equal(words.items[2], "a,b");
    od_words_fini(&words);
    assert_true(od_words_parse("{\"A\":\"x,y\",\"N\":5}", &words));
    assert_int_equal(words.count, 2);
    assert_string_equal(words.items[0], "A=x,y");
    assert_string_equal(words.items[1], "N=5");
    od_words_fini(&words);
    assert_true(od_words_parse("", &words));
    assert_int_equal(words.count, 0);
    assert_false(od_words_parse("[1]", &words));
    assert_false(od_words_parse("{\"A\":[]}", &words));
    assert_false(od_words_parse("[", &words));
}

static void crashes_are_counted_for_each_record_and_bounded(void **state)
{
    struct od_crashes crashes = {0};
    char key[32];

    (void)state;
    assert_int_equal(od_crashes_add(&crashes, "a"), 1);
    assert_int_equal(od_crashes_add(&crashes, "b"), 1);
    assert_int_equal(od_crashes_add(&crashes, "a"), 2);
    od_crashes_forget(&crashes, "a");
    assert_int_equal(od_crashes_add(&crashes, "a"), 1);
    for (int i = 0; i < OD_CRASHES_MAX; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        od_crashes_add(&crashes, key);
    }
    assert_int_equal(crashes.count, OD_CRASHES_MAX);
    assert_int_equal(od_crashes_add(&crashes, "b"), 1); /* the oldest was forgotten */
    od_crashes_fini(&crashes);
}

static bool reads(struct od_answer *answer, const char *text)
{
    char problem[200];

    return od_answer_parse(answer, text, strlen(text), problem, sizeof problem);
}

static void answers_are_read_with_every_field_optional(void **state)
{
    struct od_answer answer = OD_ANSWER_INIT;

    (void)state;
    assert_true(reads(&answer, "{}"));
    assert_int_equal(answer.outcome, ORDERLY_UNSET);
    assert_int_equal(answer.after_ms, -1);
    assert_true(reads(&answer, "{\"error\":{\"class\":\"a b\\n\xC3\xA4\"}}"));
    assert_string_equal(answer.error_class, "a_b___");
    assert_true(reads(&answer, "{\"after_ms\":1e30}"));
    assert_true(answer.after_ms > 0);
    assert_false(reads(&answer, "{\"after_ms\":true}"));
    assert_false(reads(&answer, "{\"error\":{\"class\":7}}"));
    assert_false(reads(&answer, "[]"));
    od_answer_fini(&answer);
}

static void a_long_reason_keeps_its_end_in_whole_characters(void **state)
{
    struct od_verdict verdict = OD_VERDICT_INIT;
    char *text = malloc(3001);

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < 3000; i++) {
        text[i] = "\xE2\x82\xAC"[i % 3];
    }
    text[3000] = '\n';
    od_verdict_text(&verdict, "timeout", text, 3001);
    assert_int_equal(strncmp(verdict.text, "timeout: \xE2\x82\xAC", 12), 0);
    assert_true(od_bytes_is_utf8(verdict.text, strlen(verdict.text)));
    assert_true(strlen(verdict.text) > sizeof verdict.text - 8);
    od_verdict_text(&verdict, "timeout", " \n", 2);
    assert_string_equal(verdict.text, "timeout");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_is_padded),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(spellings_are_those_of_their_standards),
        cmocka_unit_test(a_line_of_log_is_one_line_whatever_it_holds),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(a_command_is_a_list_or_json_so_that_commas_survive),
        cmocka_unit_test(crashes_are_counted_for_each_record_and_bounded),
        cmocka_unit_test(answers_are_read_with_every_field_optional),
        cmocka_unit_test(a_long_reason_keeps_its_end_in_whole_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
