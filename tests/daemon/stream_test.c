/* src/daemon/stream*.c, with real processes that are small shell scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/exec_fixture.h"
#include "daemon/fake_record.h"
#include "daemon/handler.h"
#include "daemon/stream_wire.h"

/* Reads hello, answers it; then, for each line, $line and $id. Every line is kept in $DIR/lines. */
#define WORKER                                                                                                         \
    "read -r hello; echo \"$hello\" >> $DIR/lines;"                                                                    \
    "echo '{\"hello\":{\"name\":\"test\",\"max_in_flight\":4,\"codec\":\"utf8\"}}'; touch $DIR/up;"                    \
    "while read -r line; do echo \"$line\" >> $DIR/lines; id=${line#*'\"id\":\"'}; id=${id%%'\"'*};"                   \
    "case $line in *'\"ping\"'*) continue;; *'\"terminate\"'*) touch $DIR/terminated; echo '{\"bye\":true}'; exit 0;;" \
    " *'\"quiet\"'*) touch $DIR/quiet; continue;; esac;"

static void prepare(struct fixture *fixture, const char *script)
{
    exec_prepare(fixture, script);
    fixture->options.kind = OD_HANDLER_STREAM;
    fixture->options.processes = 1;
    fixture->options.max_in_flight = 8;
    fixture->options.max_line = 4096;
    fixture->options.kill_grace_ms = 2000;
}

static void begin(struct fixture *fixture)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;

    assert_int_equal(od_stream_new(&fixture->options, &fixture->handler, &error), ORDERLY_OK);
}

static void start(struct fixture *fixture, const char *script)
{
    prepare(fixture, script);
    begin(fixture);
}

/* The lines the process read, as one text. */
static char *lines(const struct fixture *fixture)
{
    static char text[65536];
    char path[128];
    FILE *file;
    size_t size;

    snprintf(path, sizeof path, "%s/lines", fixture->folder);
    file = fopen(path, "r");
    assert_non_null(file);
    size = fread(text, 1, sizeof text - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

static void records_are_answered_by_id_in_any_order(void **state)
{
    struct orderly_record *a = fake_record_new("a", "first"), *b = fake_record_new("b", "second");
    struct fixture fixture;

    (void)state;
    start(&fixture, WORKER "case $line in *first*) keep=$id;; *second*) echo '{\"id\":\"'$id'\",\"outcome\":\"ack\"}';"
                           "echo '{\"id\":\"'$keep'\",\"outcome\":\"retry\",\"after_ms\":90000,"
                           "\"error\":{\"class\":\"UpstreamBusy\",\"message\":\"later\"}}';; esac; done");
    exec_give(&fixture, a);
    exec_give(&fixture, b);
    assert_int_equal(fake_record_wait(b, PATIENCE_S)->outcome, ORDERLY_ACK);
    assert_int_equal(fake_record_wait(a, PATIENCE_S)->outcome, ORDERLY_RETRY);
    assert_int_equal(fake_record_wait(a, 1)->delay_ms, 90000);
    assert_string_equal(fake_record_wait(a, 1)->error_class, "UpstreamBusy");
    assert_string_equal(fake_record_wait(a, 1)->text, "later");
    assert_non_null(strstr(lines(&fixture), "{\"orderly\":1,\"hello\":{\"group\":\"billing\",\"max_in_flight\":8,"
                                            "\"codecs\":[\"utf8\",\"base64\"],\"grace_ms\":2000}}"));
    exec_end(&fixture);
    fake_record_free(a);
    fake_record_free(b);
}

static void no_more_are_out_than_the_process_wants(void **state)
{
    enum { COUNT = 9 };
    struct orderly_record *records[COUNT];
    struct od_handler_state now;
    struct fixture fixture;

    (void)state;
    start(&fixture, WORKER "n=$((n+1)); ids=\"$ids $id\"; test $n = 4 && touch $DIR/four;"
                           "case $n in [123]) ;; *) while [ ! -e $DIR/go ]; do sleep 0.02; done;"
                           "for i in $ids; do echo '{\"id\":\"'$i'\",\"outcome\":\"ack\"}'; done; ids=;; esac; done");
    for (int i = 0; i < COUNT; i++) {
        records[i] = fake_record_new("k", "v");
        exec_give(&fixture, records[i]);
    }
    exec_wait_for_file(&fixture, "four");
    fixture.handler->ops->state(fixture.handler, &now);
    assert_int_equal(now.running, 4);
    assert_int_equal(now.waiting, COUNT - 4);
    {
        char path[128];

        snprintf(path, sizeof path, "%s/go", fixture.folder);
        fclose(fopen(path, "w"));
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(fake_record_wait(records[i], PATIENCE_S)->outcome, ORDERLY_ACK);
    }
    exec_end(&fixture);
    for (int i = 0; i < COUNT; i++) {
        fake_record_free(records[i]);
    }
}

static void a_malformed_line_holds_without_attempts_and_restarts_the_process(void **state)
{
    struct orderly_record *a = fake_record_new("a", "v"), *b = fake_record_new("b", "v");
    struct fixture fixture;

    (void)state;
    start(&fixture, WORKER "test -e $DIR/once && { echo '{\"id\":\"'$id'\",\"outcome\":\"ack\"}'; continue; };"
                           "touch $DIR/once; echo 'hello world'; done");
    exec_give(&fixture, a);
    assert_int_equal(fake_record_wait(a, PATIENCE_S)->outcome, ORDERLY_HOLD);
    assert_string_equal(fake_record_wait(a, 1)->error_class, "protocol");
    exec_give(&fixture, b);
    assert_int_equal(fake_record_wait(b, PATIENCE_S)->outcome, ORDERLY_ACK);
    exec_end(&fixture);
    fake_record_free(a);
    fake_record_free(b);
}

static void a_line_that_is_too_long_is_malformed(void **state)
{
    struct orderly_record *record = fake_record_new("a", "v");
    struct fixture fixture;

    (void)state;
    start(&fixture, WORKER "head -c 10000 /dev/zero | tr '\\0' x; done");
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_HOLD);
    assert_non_null(strstr(fake_record_wait(record, 1)->text, "max_line"));
    exec_end(&fixture);
    fake_record_free(record);
}

static void unknown_ids_are_ignored(void **state)
{
    struct orderly_record *record = fake_record_new("a", "v");
    struct fixture fixture;

    (void)state;
    start(&fixture, WORKER "echo '{\"id\":\"77\",\"outcome\":\"ack\"}'; echo '{\"id\":\"nope\",\"outcome\":\"drop\"}';"
                           "echo '{\"id\":\"'$id'\",\"outcome\":\"dead-letter\"}'; done");
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_DEAD_LETTER);
    exec_end(&fixture);
    fake_record_free(record);
}

static void extend_moves_the_deadline(void **state)
{
    struct orderly_record *record = fake_record_new("a", "v");
    struct fixture fixture;

    (void)state;
    prepare(&fixture, WORKER "echo '{\"id\":\"'$id'\",\"extend_ms\":600000,\"progress\":0.4,\"note\":\"page 4\"}';"
                             "sleep 2; echo '{\"id\":\"'$id'\",\"outcome\":\"ack\"}'; done");
    fixture.options.timeout_ms = 1500;
    begin(&fixture);
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    assert_int_equal(fake_record_extended(record), 600000);
    exec_end(&fixture);
    fake_record_free(record);
}

static void at_its_deadline_it_is_cancelled_and_then_killed_and_others_are_released(void **state)
{
    struct orderly_record *slow = fake_record_new("a", "slow"), *other = fake_record_new("b", "other");
    struct fixture fixture;

    (void)state;
    prepare(&fixture, WORKER "case $line in *cancel*) touch $DIR/cancelled;; *other*) touch $DIR/other;; esac; done");
    fixture.options.timeout_ms = 1000;
    fixture.options.kill_grace_ms = 2000;
    begin(&fixture);
    exec_give(&fixture, slow);
    exec_wait_for_file(&fixture, "lines");
    exec_give(&fixture, other);
    fake_record_cancel(other, ORDERLY_REASON_REVOKED, 3600000);
    assert_int_equal(fake_record_wait(slow, PATIENCE_S)->outcome, ORDERLY_RETRY);
    assert_string_equal(fake_record_wait(slow, 1)->error_class, "timeout");
    assert_int_equal(fake_record_wait(other, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    assert_non_null(strstr(lines(&fixture), "\"cancel\":\"timeout\"}"));
    exec_end(&fixture);
    fake_record_free(slow);
    fake_record_free(other);
}

static void a_revoke_cancels_the_record_and_its_answer_counts(void **state)
{
    struct orderly_record *record = fake_record_new("a", "v");
    struct fixture fixture;

    (void)state;
    start(&fixture,
          WORKER "case $line in *'\"cancel\":\"revoked\"'*) echo '{\"id\":\"'$id'\",\"outcome\":\"release\"}';;"
                 "*) touch $DIR/got;; esac; done");
    exec_give(&fixture, record);
    exec_wait_for_file(&fixture, "got");
    fake_record_cancel(record, ORDERLY_REASON_REVOKED, 60000);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    exec_end(&fixture);
    fake_record_free(record);
}

static void a_lost_record_that_is_not_let_go_costs_the_process(void **state)
{
    struct orderly_record *record = fake_record_new("a", "v");
    struct fixture fixture;

    (void)state;
    prepare(&fixture, WORKER "touch $DIR/got; done");
    fixture.options.lost_grace_ms = 100;
    begin(&fixture);
    exec_give(&fixture, record);
    exec_wait_for_file(&fixture, "got");
    fake_record_cancel(record, ORDERLY_REASON_LOST, 0);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    exec_end(&fixture);
    fake_record_free(record);
}

static void leaving_says_quiet_then_terminate_and_releases_the_rest(void **state)
{
    struct orderly_record *record = fake_record_new("a", "v");
    struct fixture fixture;

    (void)state;
    prepare(&fixture, WORKER "touch $DIR/got; done");
    fixture.options.kill_grace_ms = 60000; /* more than is left: terminate at once, TERM at half time */
    begin(&fixture);
    exec_give(&fixture, record);
    exec_wait_for_file(&fixture, "got");
    fake_record_cancel(record, ORDERLY_REASON_CLOSING, 30000);
    exec_wait_for_file(&fixture, "quiet");
    exec_wait_for_file(&fixture, "terminated");
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    exec_end(&fixture);
    fake_record_free(record);
}

static void a_process_that_dies_spends_an_attempt_and_is_started_again(void **state)
{
    struct orderly_record *a = fake_record_new("a", "v"), *b = fake_record_new("b", "v");
    struct fixture fixture;

    (void)state;
    start(&fixture, WORKER "test -e $DIR/once && { echo '{\"id\":\"'$id'\",\"outcome\":\"ack\"}'; continue; };"
                           "touch $DIR/once; kill -SEGV $$; done");
    exec_give(&fixture, a);
    assert_int_equal(fake_record_wait(a, PATIENCE_S)->outcome, ORDERLY_RETRY);
    assert_string_equal(fake_record_wait(a, 1)->error_class, "crash-SIGSEGV");
    exec_give(&fixture, b);
    assert_int_equal(fake_record_wait(b, PATIENCE_S)->outcome, ORDERLY_ACK);
    exec_end(&fixture);
    fake_record_free(a);
    fake_record_free(b);
}

static void an_end_for_one_of_several_records_makes_no_dead_letters(void **state)
{
    struct orderly_record *a = fake_record_new("a", "first"), *b = fake_record_new("b", "second");
    struct orderly_record *alone = fake_record_new("c", "alone");
    struct fixture fixture;

    (void)state;
    start(&fixture, WORKER "case $line in *second*|*alone*) exit 65;; esac; done");
    exec_give(&fixture, a);
    exec_give(&fixture, b);
    assert_int_equal(fake_record_wait(a, PATIENCE_S)->outcome, ORDERLY_RETRY);
    assert_int_equal(fake_record_wait(b, PATIENCE_S)->outcome, ORDERLY_RETRY);
    assert_string_equal(fake_record_wait(a, 1)->error_class, "exit-65");
    exec_give(&fixture, alone);
    assert_int_equal(fake_record_wait(alone, PATIENCE_S)->outcome, ORDERLY_DEAD_LETTER);
    exec_end(&fixture);
    fake_record_free(a);
    fake_record_free(b);
    fake_record_free(alone);
}

static void an_answer_written_before_the_end_counts(void **state)
{
    struct orderly_record *record = fake_record_new("a", "v");
    struct fixture fixture;

    (void)state;
    start(&fixture, WORKER "echo '{\"id\":\"'$id'\",\"outcome\":\"ack\"}'; exit 3; done");
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    exec_end(&fixture);
    fake_record_free(record);
}

static void a_program_that_is_no_handler_opens_the_breaker(void **state)
{
    struct orderly_record *record = fake_record_new("a", "v");
    struct od_handler_state now;
    struct fixture fixture;

    (void)state;
    start(&fixture, "touch $DIR/up; echo 'Usage: something else'; exit 2");
    exec_wait_for_file(&fixture, "up");
    do {
        fixture.handler->ops->state(fixture.handler, &now);
    } while (now.faults == 0);
    assert_int_equal(now.breaker, OD_BREAKER_OPEN);
    assert_non_null(strstr(now.text, "protocol"));
    exec_give(&fixture, record);
    assert_false(fake_record_is_settled(record));
    exec_end(&fixture);
    assert_int_equal(fake_record_wait(record, 1)->outcome, ORDERLY_RELEASE);
    fake_record_free(record);
}

static void a_delivery_line_holds_the_whole_record(void **state)
{
    static const char binary[] = {'\xff', '\0', 'x'};
    struct orderly_record *record =
        fake_record_bytes((struct orderly_bytes){NULL, 0}, (struct orderly_bytes){binary, sizeof binary});
    struct od_bytes line = {0};
    const char *text;

    (void)state;
    fake_record_header(record, "k", (struct orderly_bytes){"v\"", 2});
    fake_record_header(record, "n", (struct orderly_bytes){NULL, 0});
    od_stream_delivery(&line, 0x7f3a, record, INT64_C(1767225601000), false);
    text = od_bytes_end(&line);
    assert_non_null(text);
    assert_non_null(strstr(text, "{\"id\":\"7f3a\",\"topic\":\"orders\",\"partition\":3,\"offset\":"));
    assert_non_null(strstr(text, ",\"key\":null,\"timestamp\":\"2026-01-01T00:00:00.123Z\",\"attempt\":2,"
                                 "\"deadline\":\"2026-01-01T00:00:01.000Z\",\"idempotency_key\":\"orders/3/"));
    assert_non_null(strstr(text, "\"fence\":41,\"read_from\":\"orders/3/"));
    assert_non_null(strstr(text, ",\"headers\":[[\"k\",\"v\\\"\"],[\"n\",null]],\"value_base64\":\"/wB4\"}\n"));
    od_bytes_clear(&line);
    fake_record_free(record);
    record = fake_record_new("key", "value");
    od_stream_delivery(&line, 1, record, 0, true);
    text = od_bytes_end(&line);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"key_base64\":\"a2V5\""));
    assert_non_null(strstr(text, "\"value_base64\":\"dmFsdWU=\""));
    assert_null(strstr(text, "deadline"));
    od_bytes_fini(&line);
    fake_record_free(record);
}

struct parse_row {
    const char *line;
    enum od_stream_kind kind;
};

static void lines_are_read_or_refused(void **state)
{
    static const struct parse_row rows[] = {
        {"{\"hello\":{}}", OD_STREAM_HELLO},
        {"{\"hello\":{\"max_in_flight\":0}}", OD_STREAM_BAD},
        {"{\"hello\":{\"codec\":\"latin1\"}}", OD_STREAM_BAD},
        {"{\"hello\":7}", OD_STREAM_BAD},
        {"{\"id\":\"1\",\"outcome\":\"ack\"}", OD_STREAM_ANSWER},
        {"{\"id\":\"1\",\"outcome\":\"perhaps\"}", OD_STREAM_BAD},
        {"{\"id\":\"1\",\"outcome\":1}", OD_STREAM_BAD},
        {"{\"id\":1,\"outcome\":\"ack\"}", OD_STREAM_BAD},
        {"{\"id\":\"1\"}", OD_STREAM_BAD},
        {"{\"id\":\"1\",\"extend_ms\":5}", OD_STREAM_EXTEND},
        {"{\"id\":\"1\",\"extend_ms\":-5}", OD_STREAM_BAD},
        {"{\"id\":\"1\",\"progress\":0.5}", OD_STREAM_EXTEND},
        {"{\"id\":\"1\",\"outcome\":\"retry\",\"after_ms\":\"soon\"}", OD_STREAM_BAD},
        {"{\"id\":\"1\",\"outcome\":\"retry\",\"error\":\"x\"}", OD_STREAM_BAD},
        {"{\"bye\":true}", OD_STREAM_BYE},
        {"{\"pong\":17}", OD_STREAM_PONG},
        {"{\"pang\":17}", OD_STREAM_BAD},
        {"[]", OD_STREAM_BAD},
        {"nonsense", OD_STREAM_BAD},
        {"", OD_STREAM_BAD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct od_stream_said said;

        od_stream_parse(&said, rows[i].line, strlen(rows[i].line));
        if (said.kind != rows[i].kind || (said.kind == OD_STREAM_BAD && said.problem[0] == '\0')) {
            fail_msg("%s: %d", rows[i].line, (int)said.kind);
        }
        od_answer_fini(&said.answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_answered_by_id_in_any_order),
        cmocka_unit_test(no_more_are_out_than_the_process_wants),
        cmocka_unit_test(a_malformed_line_holds_without_attempts_and_restarts_the_process),
        cmocka_unit_test(a_line_that_is_too_long_is_malformed),
        cmocka_unit_test(unknown_ids_are_ignored),
        cmocka_unit_test(extend_moves_the_deadline),
        cmocka_unit_test(at_its_deadline_it_is_cancelled_and_then_killed_and_others_are_released),
        cmocka_unit_test(a_revoke_cancels_the_record_and_its_answer_counts),
        cmocka_unit_test(a_lost_record_that_is_not_let_go_costs_the_process),
        cmocka_unit_test(leaving_says_quiet_then_terminate_and_releases_the_rest),
        cmocka_unit_test(a_process_that_dies_spends_an_attempt_and_is_started_again),
        cmocka_unit_test(an_end_for_one_of_several_records_makes_no_dead_letters),
        cmocka_unit_test(an_answer_written_before_the_end_counts),
        cmocka_unit_test(a_program_that_is_no_handler_opens_the_breaker),
        cmocka_unit_test(a_delivery_line_holds_the_whole_record),
        cmocka_unit_test(lines_are_read_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
