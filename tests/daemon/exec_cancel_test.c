/* src/daemon/exec*.c: children that are told to go, and the handler as a whole; with real children. */
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

/* ---- Being told to go --------------------------------------------------------------------------------- */

static void at_its_deadline_it_gets_term_and_is_retried_as_timeout(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "echo at work >&2; exec sleep 1000");
    fixture.options.timeout_ms = 1000;
    exec_start(&fixture);
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RETRY);
    assert_string_equal(fake_record_wait(record, 1)->error_class, "timeout");
    assert_string_equal(fake_record_wait(record, 1)->text, "timeout: at work");
    exec_end(&fixture);
    fake_record_free(record);
}

static void who_ignores_term_is_killed_with_all_of_its_group(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct fixture fixture;
    char command[128];

    (void)state;
    exec_prepare(&fixture,
                 "trap '' TERM; sleep 1000 & echo $! > $DIR/pid; touch $DIR/up; while :; do sleep 1000; done");
    fixture.options.timeout_ms = 300;
    fixture.options.kill_grace_ms = 100;
    exec_start(&fixture);
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RETRY);
    assert_string_equal(fake_record_wait(record, 1)->error_class, "timeout");
    snprintf(command, sizeof command, "! grep -q '^State:.[RSD]' /proc/$(cat %s/pid)/status 2>/dev/null",
             fixture.folder);
    assert_int_equal(system(command), 0);
    exec_end(&fixture);
    fake_record_free(record);
}

static void a_revoke_signals_when_its_time_is_nearly_over_and_releases(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "touch $DIR/up; exec sleep 1000");
    fixture.options.kill_grace_ms = 1000;
    exec_start(&fixture);
    exec_give(&fixture, record);
    exec_wait_for_file(&fixture, "up");
    fake_record_cancel(record, ORDERLY_REASON_REVOKED, 1200);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    exec_end(&fixture);
    fake_record_free(record);
}

static void without_a_descriptor_a_cancel_is_noticed_too(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    fake_record_without_fd(record);
    exec_prepare(&fixture, "touch $DIR/up; exec sleep 1000");
    exec_start(&fixture);
    exec_give(&fixture, record);
    exec_wait_for_file(&fixture, "up");
    fake_record_cancel(record, ORDERLY_REASON_CLOSING, 0);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    exec_end(&fixture);
    fake_record_free(record);
}

static void a_long_drain_lets_it_finish_and_its_code_counts(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "touch $DIR/up; while [ ! -e $DIR/go ]; do sleep 0.02; done; exit 65");
    exec_start(&fixture);
    exec_give(&fixture, record);
    exec_wait_for_file(&fixture, "up");
    fake_record_cancel(record, ORDERLY_REASON_CLOSING, 3600000);
    {
        char path[128];

        snprintf(path, sizeof path, "%s/go", fixture.folder);
        fclose(fopen(path, "w"));
    }
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_DEAD_LETTER);
    exec_end(&fixture);
    fake_record_free(record);
}

static void who_ends_by_itself_after_our_term_counts_by_its_code(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "trap 'exit 0' TERM; touch $DIR/up; while :; do sleep 0.02; done");
    exec_start(&fixture);
    exec_give(&fixture, record);
    exec_wait_for_file(&fixture, "up");
    fake_record_cancel(record, ORDERLY_REASON_REVOKED, 30000);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    exec_end(&fixture);
    fake_record_free(record);
}

static void a_lost_record_gets_kill_after_lost_grace(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "trap '' TERM; touch $DIR/up; while :; do sleep 0.02; done");
    fixture.options.lost_grace_ms = 100;
    exec_start(&fixture);
    exec_give(&fixture, record);
    exec_wait_for_file(&fixture, "up");
    fake_record_cancel(record, ORDERLY_REASON_REVOKED, 3600000);
    fake_record_cancel(record, ORDERLY_REASON_LOST, 0); /* a later, harder reason wins */
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    exec_end(&fixture);
    fake_record_free(record);
}

static void another_signal_than_ours_is_a_crash_also_after_term(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "trap 'kill -ABRT $$' TERM; touch $DIR/up; while :; do sleep 0.02; done");
    exec_start(&fixture);
    exec_give(&fixture, record);
    exec_wait_for_file(&fixture, "up");
    fake_record_cancel(record, ORDERLY_REASON_REVOKED, 30000);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RETRY);
    assert_string_equal(fake_record_wait(record, 1)->error_class, "crash-SIGABRT");
    exec_end(&fixture);
    fake_record_free(record);
}

/* ---- The handler as a whole --------------------------------------------------------------------------- */

static void while_the_breaker_is_open_records_wait_and_a_cancelled_one_is_released(void **state)
{
    struct orderly_record *first = fake_record_new("k", "v"), *second = fake_record_new("k", "v");
    struct od_handler_state now;
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "exit 255");
    exec_start(&fixture);
    exec_give(&fixture, first);
    assert_int_equal(fake_record_wait(first, PATIENCE_S)->outcome, ORDERLY_HOLD);
    exec_give(&fixture, second);
    fixture.handler->ops->state(fixture.handler, &now);
    assert_int_equal(now.waiting, 1);
    fake_record_cancel(second, ORDERLY_REASON_REVOKED, 30000);
    assert_int_equal(fake_record_wait(second, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    fixture.handler->ops->state(fixture.handler, &now);
    assert_int_equal(now.started, 1);
    assert_non_null(strstr(now.text, "exit-255"));
    exec_end(&fixture);
    fake_record_free(first);
    fake_record_free(second);
}

static void resume_starts_a_stopped_handler_again(void **state)
{
    struct orderly_record *first = fake_record_new("k", "v"), *second = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "test -e $DIR/once || { touch $DIR/once; exit 255; }");
    exec_start(&fixture);
    exec_give(&fixture, first);
    assert_int_equal(fake_record_wait(first, PATIENCE_S)->outcome, ORDERLY_HOLD);
    exec_give(&fixture, second);
    fixture.handler->ops->resume(fixture.handler);
    assert_int_equal(fake_record_wait(second, PATIENCE_S)->outcome, ORDERLY_ACK);
    exec_end(&fixture);
    fake_record_free(first);
    fake_record_free(second);
}

static void an_open_breaker_lets_one_through_after_a_while(void **state)
{
    struct orderly_record *first = fake_record_new("k", "v"), *second = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "test -e $DIR/once || { touch $DIR/once; exit 78; }");
    exec_start(&fixture);
    exec_give(&fixture, first);
    assert_int_equal(fake_record_wait(first, PATIENCE_S)->outcome, ORDERLY_HOLD);
    exec_give(&fixture, second);
    assert_int_equal(fake_record_wait(second, PATIENCE_S)->outcome, ORDERLY_ACK);
    exec_end(&fixture);
    fake_record_free(first);
    fake_record_free(second);
}

static void a_command_that_is_gone_later_is_a_handler_fault(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct fixture fixture;
    char path[128];
    FILE *file;

    (void)state;
    exec_prepare(&fixture, "unused");
    snprintf(path, sizeof path, "%s/program", fixture.folder);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs("#!/bin/sh\nexit 0\n", file);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
    od_words_fini(&fixture.options.command);
    assert_true(od_words_add(&fixture.options.command, path));
    exec_start(&fixture);
    assert_int_equal(unlink(path), 0);
    exec_give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_HOLD);
    assert_string_equal(fake_record_wait(record, 1)->error_class, "not-started");
    exec_end(&fixture);
    fake_record_free(record);
}

static void a_command_that_does_not_exist_is_refused_at_the_start(void **state)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "unused");
    od_words_fini(&fixture.options.command);
    assert_true(od_words_add(&fixture.options.command, "no-such-program-of-orderly"));
    assert_int_equal(od_exec_new(&fixture.options, &fixture.handler, &error), ORDERLY_CONFIG);
    assert_non_null(strstr(error.text, "no-such-program-of-orderly"));
    fixture.handler = NULL;
    exec_end(&fixture);
}

static void no_more_run_at_once_than_allowed_and_all_end(void **state)
{
    enum { COUNT = 60 };
    struct orderly_record *records[COUNT];
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "mkdir $DIR/$$ || exit 65; n=$(ls $DIR | wc -l); rmdir $DIR/$$; test $n -le 4 || exit 100");
    fixture.options.max_in_flight = 4;
    exec_start(&fixture);
    for (int i = 0; i < COUNT; i++) {
        records[i] = fake_record_new("k", "v");
        exec_give(&fixture, records[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(fake_record_wait(records[i], PATIENCE_S)->outcome, ORDERLY_ACK);
    }
    exec_end(&fixture);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(fake_record_references(records[i]), 0);
        fake_record_free(records[i]);
    }
}

static void freeing_it_kills_what_runs_and_releases_all(void **state)
{
    struct orderly_record *running = fake_record_new("k", "v"), *waiting = fake_record_new("k", "v");
    struct fixture fixture;

    (void)state;
    exec_prepare(&fixture, "touch $DIR/up; exec sleep 1000");
    fixture.options.max_in_flight = 1;
    exec_start(&fixture);
    exec_give(&fixture, running);
    exec_give(&fixture, waiting);
    exec_wait_for_file(&fixture, "up");
    fixture.handler->ops->close(fixture.handler);
    assert_int_equal(fake_record_wait(waiting, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    assert_false(fake_record_is_settled(running));
    exec_end(&fixture);
    assert_int_equal(fake_record_wait(running, 1)->outcome, ORDERLY_RELEASE);
    fake_record_free(running);
    fake_record_free(waiting);
}

static void outcomes_after_the_partition_has_gone_are_counted(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct od_handler_state now;
    struct fixture fixture;

    (void)state;
    fake_record_stale(record);
    exec_prepare(&fixture, "exit 0");
    exec_start(&fixture);
    exec_give(&fixture, record);
    fake_record_wait(record, PATIENCE_S);
    do {
        fixture.handler->ops->state(fixture.handler, &now);
    } while (now.running > 0);
    assert_int_equal(now.late, 1);
    exec_end(&fixture);
    fake_record_free(record);
}

/* Both start children all the time: each child has, until its execve, the other handler's descriptors too. */
static void two_handlers_do_not_hear_of_each_others_children(void **state)
{
    enum { COUNT = 400 };
    struct orderly_record *records[COUNT];
    struct fixture fixtures[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        exec_prepare(&fixtures[i], "echo x >&2; echo y >&2");
        exec_start(&fixtures[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        records[i] = fake_record_new("k", "v");
        exec_give(&fixtures[i % 2], records[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(fake_record_wait(records[i], PATIENCE_S)->outcome, ORDERLY_ACK);
        fake_record_free(records[i]);
    }
    exec_end(&fixtures[0]);
    exec_end(&fixtures[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_its_deadline_it_gets_term_and_is_retried_as_timeout),
        cmocka_unit_test(who_ignores_term_is_killed_with_all_of_its_group),
        cmocka_unit_test(a_revoke_signals_when_its_time_is_nearly_over_and_releases),
        cmocka_unit_test(without_a_descriptor_a_cancel_is_noticed_too),
        cmocka_unit_test(a_long_drain_lets_it_finish_and_its_code_counts),
        cmocka_unit_test(who_ends_by_itself_after_our_term_counts_by_its_code),
        cmocka_unit_test(a_lost_record_gets_kill_after_lost_grace),
        cmocka_unit_test(another_signal_than_ours_is_a_crash_also_after_term),
        cmocka_unit_test(while_the_breaker_is_open_records_wait_and_a_cancelled_one_is_released),
        cmocka_unit_test(resume_starts_a_stopped_handler_again),
        cmocka_unit_test(an_open_breaker_lets_one_through_after_a_while),
        cmocka_unit_test(a_command_that_is_gone_later_is_a_handler_fault),
        cmocka_unit_test(a_command_that_does_not_exist_is_refused_at_the_start),
        cmocka_unit_test(no_more_run_at_once_than_allowed_and_all_end),
        cmocka_unit_test(two_handlers_do_not_hear_of_each_others_children),
        cmocka_unit_test(freeing_it_kills_what_runs_and_releases_all),
        cmocka_unit_test(outcomes_after_the_partition_has_gone_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
