/* src/daemon/exec*.c: the table of exit codes, and what a child gets; with real children. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/exec_fixture.h"
#include "daemon/fake_record.h"
#include "daemon/handler.h"

/* One record through `sh -c SCRIPT`; settled text stays valid until the next call. */
static const struct fake_settled *run(const char *script, const char *key, const char *value)
{
    static struct fake_settled settled;
    struct orderly_record *record = fake_record_new(key, value);
    struct fixture fixture;

    exec_prepare(&fixture, script);
    exec_start(&fixture);
    exec_give(&fixture, record);
    settled = *fake_record_wait(record, PATIENCE_S);
    exec_end(&fixture);
    assert_int_equal(fake_record_references(record), 0);
    fake_record_free(record);
    return &settled;
}

/* ---- The table ---------------------------------------------------------------------------------------- */

struct code_row {
    int code;
    enum orderly_outcome outcome;
    enum od_breaker_state breaker;
};

static void exit_codes_are_those_of_the_table(void **state)
{
    static const struct code_row rows[] = {
        {0, ORDERLY_ACK, OD_BREAKER_CLOSED},           {75, ORDERLY_RETRY, OD_BREAKER_CLOSED},
        {111, ORDERLY_RETRY, OD_BREAKER_CLOSED},       {65, ORDERLY_DEAD_LETTER, OD_BREAKER_CLOSED},
        {100, ORDERLY_DEAD_LETTER, OD_BREAKER_CLOSED}, {69, ORDERLY_THROTTLE, OD_BREAKER_THROTTLED},
        {64, ORDERLY_HOLD, OD_BREAKER_OPEN},           {77, ORDERLY_HOLD, OD_BREAKER_OPEN},
        {78, ORDERLY_HOLD, OD_BREAKER_OPEN},           {126, ORDERLY_HOLD, OD_BREAKER_OPEN},
        {127, ORDERLY_HOLD, OD_BREAKER_OPEN},          {255, ORDERLY_HOLD, OD_BREAKER_STOPPED},
        {1, ORDERLY_RETRY, OD_BREAKER_CLOSED},         {70, ORDERLY_RETRY, OD_BREAKER_CLOSED},
        {143, ORDERLY_RETRY, OD_BREAKER_CLOSED},       {254, ORDERLY_RETRY, OD_BREAKER_CLOSED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct orderly_record *record = fake_record_new("k", "v");
        const struct fake_settled *settled;
        struct od_handler_state now;
        struct fixture fixture;
        char script[32], class[32];

        snprintf(script, sizeof script, "exit %d", rows[i].code);
        snprintf(class, sizeof class, "exit-%d", rows[i].code);
        exec_prepare(&fixture, script);
        exec_start(&fixture);
        exec_give(&fixture, record);
        settled = fake_record_wait(record, PATIENCE_S);
        assert_int_equal(settled->outcome, rows[i].outcome);
        assert_string_equal(settled->error_class, rows[i].code == 0 ? "" : class);
        do { /* the breaker is told right after the record is settled */
            fixture.handler->ops->state(fixture.handler, &now);
        } while (now.running > 0);
        assert_int_equal(now.breaker, rows[i].breaker);
        assert_int_equal(now.faults, rows[i].outcome == ORDERLY_HOLD);
        exec_end(&fixture);
        fake_record_free(record);
    }
}

static void the_end_of_stderr_is_the_reason(void **state)
{
    const struct fake_settled *settled = run("i=0; while [ $i -lt 2000 ]; do echo line $i >&2; i=$((i+1)); done;"
                                             "printf 'no stock \\377 left\\n' >&2; exit 65",
                                             "k", "v");
    size_t size = strlen(settled->text);

    (void)state;
    assert_true(size > 100 && size <= 4096);
    assert_string_equal(settled->text + size - strlen("no stock \xEF\xBF\xBD left"), "no stock \xEF\xBF\xBD left");
    assert_null(strstr(settled->text, "line 0\n"));
}

static void the_result_line_decides_with_code_0(void **state)
{
    const struct fake_settled *settled = run(
        "echo '{\"outcome\":\"retry\",\"after_ms\":90000,\"error\":{\"class\":\"UpstreamBusy\",\"message\":\"come later\"}}'"
        " >&$ORDERLY_RESULT_FD",
        "k", "v");

    (void)state;
    assert_int_equal(settled->outcome, ORDERLY_RETRY);
    assert_int_equal(settled->delay_ms, 90000);
    assert_string_equal(settled->error_class, "UpstreamBusy");
    assert_string_equal(settled->text, "come later");
    assert_int_equal(run("echo '{\"outcome\":\"drop\"}' >&3", "k", "v")->outcome, ORDERLY_DROP);
    assert_int_equal(run("echo '{\"outcome\":\"release\"}' >&3", "k", "v")->outcome, ORDERLY_RELEASE);
    assert_int_equal(run("echo '{\"outcome\":\"dead-letter\"}' >&3", "k", "v")->outcome, ORDERLY_DEAD_LETTER);
    assert_int_equal(run("echo '{}' >&3", "k", "v")->outcome, ORDERLY_ACK);
}

static void a_code_other_than_0_wins_over_the_line_which_adds_delay_and_error(void **state)
{
    const struct fake_settled *settled = run(
        "echo '{\"outcome\":\"ack\",\"after_ms\":1500,\"error\":{\"class\":\"Slow\"}}' >&3; echo noise >&2; exit 75",
        "k", "v");

    (void)state;
    assert_int_equal(settled->outcome, ORDERLY_RETRY);
    assert_int_equal(settled->delay_ms, 1500);
    assert_string_equal(settled->error_class, "Slow");
    assert_string_equal(settled->text, "noise");
}

static void a_result_that_is_none_holds_the_record(void **state)
{
    const struct fake_settled *settled = run("echo '{\"outcome\":\"maybe\"}' >&3", "k", "v");

    (void)state;
    assert_int_equal(settled->outcome, ORDERLY_HOLD);
    assert_string_equal(settled->error_class, "bad-result");
    assert_non_null(strstr(settled->text, "maybe"));
    assert_int_equal(run("echo nonsense >&3", "k", "v")->outcome, ORDERLY_HOLD);
    assert_int_equal(run("echo nonsense >&3; exit 65", "k", "v")->outcome, ORDERLY_DEAD_LETTER);
    assert_int_equal(run("head -c 100000 /dev/zero >&3", "k", "v")->outcome, ORDERLY_HOLD);
}

static void a_crash_is_named_and_counted_for_one_record_in_a_row(void **state)
{
    struct orderly_record *records[5];
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "read x; test \"$x\" = fine && exit 1; echo oops >&2; kill -SEGV $$");
    exec_start(&fixture);
    for (int i = 0; i < 5; i++) {
        records[i] = fake_record_new("k", i == 2 ? "fine\n" : "bad\n");
        fake_record_key_name(records[i], "one");
        exec_give(&fixture, records[i]);
        fake_record_wait(records[i], PATIENCE_S);
    }
    assert_int_equal(fake_record_wait(records[0], 1)->outcome, ORDERLY_RETRY);
    assert_string_equal(fake_record_wait(records[0], 1)->error_class, "crash-SIGSEGV");
    assert_string_equal(fake_record_wait(records[0], 1)->text, "crash:SIGSEGV: oops");
    assert_int_equal(fake_record_wait(records[4], 1)->outcome, ORDERLY_RETRY); /* 2, then another end, then 2 */
    for (int i = 0; i < 5; i++) {
        fake_record_free(records[i]);
    }
    records[0] = fake_record_new("k", "bad\n");
    fake_record_key_name(records[0], "one");
    exec_give(&fixture, records[0]);
    assert_int_equal(fake_record_wait(records[0], PATIENCE_S)->outcome, ORDERLY_DEAD_LETTER);
    exec_end(&fixture);
    fake_record_free(records[0]);
}

/* ---- What a child gets -------------------------------------------------------------------------------- */

static void stdin_is_the_value_to_its_last_byte(void **state)
{
    size_t size = 3000001;
    char *data = malloc(size);
    struct orderly_record *record;
    struct fixture fixture;

    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < size; i++) {
        data[i] = (char)(i * 7 + i / 251);
    }
    record = fake_record_bytes((struct orderly_bytes){NULL, 0}, (struct orderly_bytes){data, size});
    exec_prepare(&fixture, "cat > $DIR/value; cksum < $DIR/value > $DIR/sum; test $(wc -c < $DIR/value) = 3000001");
    exec_start(&fixture);
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    {
        char path[128];
        char *read_back = malloc(size);
        FILE *file;

        snprintf(path, sizeof path, "%s/value", fixture.folder);
        file = fopen(path, "rb");
        assert_non_null(file);
        assert_non_null(read_back);
        assert_int_equal(fread(read_back, 1, size, file), size);
        fclose(file);
        assert_int_equal(memcmp(data, read_back, size), 0);
        free(read_back);
    }
    exec_end(&fixture);
    fake_record_free(record);
    free(data);
}

static void a_child_that_does_not_read_is_fine(void **state)
{
    size_t size = 1000000;
    char *data = calloc(1, size);
    struct orderly_record *record;
    struct fixture fixture;

    (void)state;
    assert_non_null(data);
    record = fake_record_bytes((struct orderly_bytes){NULL, 0}, (struct orderly_bytes){data, size});
    exec_prepare(&fixture, "exec <&-; exit 0");
    exec_start(&fixture);
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    exec_end(&fixture);
    fake_record_free(record);
    free(data);
}

static void the_environment_is_the_contract_and_nothing_of_ours(void **state)
{
    static const char script[] =
        "env | grep -v ^ORDERLY_HEADERS | sort > $DIR/env; printf '%s' \"$ORDERLY_HEADERS\" > $DIR/headers";
    static const char binary[] = {'\xff', '\0', 'x'};
    struct orderly_record *record = fake_record_new("c-17", NULL);
    char command[1024], text[4096] = "";
    struct fixture fixture;
    FILE *file;

    (void)state;
    setenv("SECRET_OF_THE_DAEMON", "x", 1);
    fake_record_read_from(record, "orders.billing.retry", 1, 5);
    fake_record_header(record, "traceparent", (struct orderly_bytes){"00-abc-01", 9});
    fake_record_header(record, "q\"", (struct orderly_bytes){"a\nb", 3});
    fake_record_header(record, "null", (struct orderly_bytes){NULL, 0});
    fake_record_header(record, "bin", (struct orderly_bytes){binary, 3});
    exec_prepare(&fixture, script);
    fixture.options.timeout_ms = 3600000;
    exec_start(&fixture);
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    snprintf(command, sizeof command, "cat %s/headers %s/env", fixture.folder, fixture.folder);
    file = popen(command, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    pclose(file);
    assert_non_null(strstr(text, "[[\"traceparent\",\"00-abc-01\"],[\"q\\\"\",\"a\\nb\"],[\"null\",null],"
                                 "[\"bin\",{\"base64\":\"/wB4\"}]]"));
    assert_non_null(strstr(text, "\nORDERLY_KEY=c-17\n"));
    assert_non_null(strstr(text, "\nORDERLY_TOPIC=orders\n"));
    assert_non_null(strstr(text, "\nORDERLY_PARTITION=3\n"));
    assert_non_null(strstr(text, "\nORDERLY_OFFSET=88"));
    assert_non_null(strstr(text, "\nORDERLY_TIMESTAMP=2026-01-01T00:00:00.123Z\n"));
    assert_non_null(strstr(text, "\nORDERLY_ATTEMPT=2\n"));
    assert_non_null(strstr(text, "\nORDERLY_FENCE=41\n"));
    assert_non_null(strstr(text, "\nORDERLY_IDEMPOTENCY_KEY=orders/3/"));
    assert_non_null(strstr(text, "\nORDERLY_READ_FROM=orders.billing.retry/1/5\n"));
    assert_non_null(strstr(text, "\nORDERLY_RESULT_FD=3\n"));
    assert_non_null(strstr(text, "\nORDERLY_VALUE_NULL=1\n"));
    assert_non_null(strstr(text, "\nORDERLY_DEADLINE=20"));
    assert_non_null(strstr(text, "\nTRACEPARENT=00-abc-01\n"));
    assert_non_null(strstr(text, "\nPATH="));
    assert_null(strstr(text, "SECRET_OF_THE_DAEMON"));
    exec_end(&fixture);
    fake_record_free(record);
}

static void keys_that_are_no_text_go_as_base64_and_null_keys_not_at_all(void **state)
{
    struct orderly_record *record = fake_record_bytes((struct orderly_bytes){"a\0b", 3}, (struct orderly_bytes){"", 0});
    struct fixture fixture;

    (void)state;
    assert_int_equal(run("test -z \"${ORDERLY_KEY+set}${ORDERLY_KEY_BASE64+set}\"", NULL, "v")->outcome, ORDERLY_ACK);
    assert_int_equal(run("test -n \"${ORDERLY_KEY+set}\" -a -z \"$ORDERLY_KEY\"", "", "v")->outcome, ORDERLY_ACK);
    assert_int_equal(run("test -z \"${ORDERLY_VALUE_NULL+set}\"", "k", "")->outcome, ORDERLY_ACK);
    exec_prepare(&fixture, "test -z \"${ORDERLY_KEY+set}\" -a \"$ORDERLY_KEY_BASE64\" = YQBi");
    exec_start(&fixture);
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    exec_end(&fixture);
    fake_record_free(record);
}

static void too_much_is_left_out_headers_first_and_named(void **state)
{
    size_t size = 100000;
    char *large = malloc(size + 1);
    struct orderly_record *record;
    struct fixture fixture;

    (void)state;
    assert_non_null(large);
    memset(large, 'x', size);
    large[size] = '\0';
    record = fake_record_new("k", "v");
    fake_record_header(record, "large", (struct orderly_bytes){large, size});
    exec_prepare(&fixture,
                 "test \"$ORDERLY_OMITTED\" = headers -a \"$ORDERLY_KEY\" = k -a -z \"${ORDERLY_HEADERS+set}\"");
    exec_start(&fixture);
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    exec_end(&fixture);
    fake_record_free(record);
    assert_int_equal(run("test \"$ORDERLY_OMITTED\" = headers,key -a -z \"${ORDERLY_KEY+set}\"", large, "v")->outcome,
                     ORDERLY_ACK);
    free(large);
}

static void signals_are_as_a_program_expects_them(void **state)
{
    (void)state;
    /* Blocked and ignored ones would be inherited; children of shells could then not be interrupted. */
    assert_int_equal(run("grep -q 'SigBlk:.0000000000000000' /proc/self/status && "
                         "grep -q 'SigIgn:.0000000000000000' /proc/self/status",
                         "k", "v")
                         ->outcome,
                     ORDERLY_ACK);
    assert_int_equal(run("test \"$(ls /proc/self/fd | tr '\\n' ' ')\" = '0 1 2 3 4 ' ", "k", "v")->outcome,
                     ORDERLY_ACK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_codes_are_those_of_the_table),
        cmocka_unit_test(the_end_of_stderr_is_the_reason),
        cmocka_unit_test(the_result_line_decides_with_code_0),
        cmocka_unit_test(a_code_other_than_0_wins_over_the_line_which_adds_delay_and_error),
        cmocka_unit_test(a_result_that_is_none_holds_the_record),
        cmocka_unit_test(a_crash_is_named_and_counted_for_one_record_in_a_row),
        cmocka_unit_test(stdin_is_the_value_to_its_last_byte),
        cmocka_unit_test(a_child_that_does_not_read_is_fine),
        cmocka_unit_test(the_environment_is_the_contract_and_nothing_of_ours),
        cmocka_unit_test(keys_that_are_no_text_go_as_base64_and_null_keys_not_at_all),
        cmocka_unit_test(too_much_is_left_out_headers_first_and_named),
        cmocka_unit_test(signals_are_as_a_program_expects_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
