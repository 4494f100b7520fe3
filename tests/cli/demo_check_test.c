/* The demo's checker finds what is planted: a checker that never finds anything proves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/demo.h"

#define RECORDS 4

struct fixture {
    struct od_demo_record records[RECORDS];
    struct od_demo_check check;
};

/*
 * 0: works; 1: of the same key, after it; 2: asks for one retry after 100 ms; 3: hospital, due at 1500. Each was written at 1000.
 */
static const char good[] = "B 0 1 1010\nE 0 1 1020 0\nB 1 1 1021\nE 1 1 1030 0\n"
                           "B 2 1 1010\nE 2 1 1020 75\nB 2 2 1120\nE 2 2 1130 0\nB 3 1 1500\nE 3 1 1510 0\n";

static void run(struct fixture *f, const char *journal)
{
    *f = (struct fixture){0};
    for (size_t i = 0; i < RECORDS; i++) {
        f->records[i] = (struct od_demo_record){.kind = OD_DEMO_ACK, .key = i < 2 ? 1 : (int)i, .produced_ms = 1000};
    }
    f->records[2].kind = OD_DEMO_RETRY;
    f->records[2].failures = 1;
    f->records[2].delay_ms = 100;
    f->records[3].hospital = true;
    f->records[3].due_ms = 1500;
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs(journal, file);
    rewind(file);
    od_demo_check_init(&f->check, f->records, RECORDS, file);
    od_demo_check_read(&f->check);
    od_demo_check_finish(&f->check);
    od_demo_check_fini(&f->check);
    fclose(file);
}

static bool is_good(const struct od_demo_report *report)
{
    FILE *saved = stdout;
    stdout = fopen("/dev/null", "w");
    bool result = od_demo_print_summary(report, 1);
    fclose(stdout);
    stdout = saved;
    return result;
}

static void a_good_course_is_good(void **state)
{
    (void)state;
    struct fixture f;
    run(&f, good);
    assert_int_equal(f.check.report.done, 4);
    assert_int_equal(f.check.report.retried, 1);
    assert_int_equal(f.check.report.runs, 5);
    assert_int_equal(f.check.report.parked_peak, 2);
    assert_int_equal(f.check.report.earliest_ms, 0);
    assert_true(is_good(&f.check.report));
}

static void a_record_that_never_ran_is_lost(void **state)
{
    (void)state;
    struct fixture f;
    run(&f,
        "B 0 1 1010\nE 0 1 1020 0\nB 2 1 1010\nE 2 1 1020 75\nB 2 2 1120\nE 2 2 1130 0\nB 3 1 1500\nE 3 1 1510 0\n");
    assert_int_equal(f.check.report.lost, 1);
    assert_false(is_good(&f.check.report));
}

static void a_run_after_the_end_is_a_repetition(void **state)
{
    (void)state;
    struct fixture f;
    char journal[512];
    snprintf(journal, sizeof journal, "%s%s", good, "B 0 1 1600\nE 0 1 1610 0\n");
    run(&f, journal);
    assert_int_equal(f.check.report.repeated, 1);
    assert_false(is_good(&f.check.report));
}

static void the_same_attempt_twice_is_a_repetition(void **state)
{
    (void)state;
    struct fixture f;
    run(&f,
        "B 0 1 1010\nE 0 1 1020 0\nB 1 1 1021\nE 1 1 1030 0\n"
        "B 2 1 1010\nE 2 1 1020 75\nB 2 1 1130\nE 2 1 1140 75\nB 2 2 1250\nE 2 2 1260 0\nB 3 1 1500\nE 3 1 1510 0\n");
    assert_int_equal(f.check.report.repeated, 1);
}

static void a_retry_and_a_hospital_record_before_their_time_are_early(void **state)
{
    (void)state;
    struct fixture f;
    run(&f, "B 0 1 1010\nE 0 1 1020 0\nB 1 1 1021\nE 1 1 1030 0\n"
            "B 2 1 1010\nE 2 1 1020 75\nB 2 2 1119\nE 2 2 1130 0\nB 3 1 1490\nE 3 1 1510 0\n");
    assert_int_equal(f.check.report.early, 2);
    assert_int_equal(f.check.report.earliest_ms, -10);
    assert_false(is_good(&f.check.report));
}

static void records_of_a_key_that_overlap_or_overtake_are_out_of_order(void **state)
{
    (void)state;
    struct fixture f;
    run(&f, "B 0 1 1010\nB 1 1 1015\nE 0 1 1020 0\nE 1 1 1030 0\n"
            "B 2 1 1010\nE 2 1 1020 75\nB 2 2 1120\nE 2 2 1130 0\nB 3 1 1500\nE 3 1 1510 0\n");
    assert_int_equal(f.check.report.out_of_order, 1);
    run(&f, "B 1 1 1010\nE 1 1 1012 0\nB 0 1 1015\nE 0 1 1020 0\n"
            "B 2 1 1010\nE 2 1 1020 75\nB 2 2 1120\nE 2 2 1130 0\nB 3 1 1500\nE 3 1 1510 0\n");
    assert_int_equal(f.check.report.out_of_order, 1);
    assert_false(is_good(&f.check.report));
}

static void an_end_that_was_not_planned_is_wrong(void **state)
{
    (void)state;
    struct fixture f;
    run(&f, "B 0 1 1010\nE 0 1 1020 1\nB 1 1 1021\nE 1 1 1030 0\n"
            "B 2 1 1010\nE 2 1 1020 75\nB 2 2 1120\nE 2 2 1130 0\nB 3 1 1500\n");
    assert_int_equal(f.check.report.wrong, 2);
    assert_false(is_good(&f.check.report));
}

static void half_a_line_waits_for_its_rest(void **state)
{
    (void)state;
    struct od_demo_record record = {.kind = OD_DEMO_ACK, .produced_ms = 1000};
    struct od_demo_check check;
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs("B 0 1 1010\nE 0 1 10", file);
    rewind(file);
    od_demo_check_init(&check, &record, 1, file);
    od_demo_check_read(&check);
    assert_int_equal(check.report.wrong, 0);
    assert_int_equal(check.report.finished, 0);
    long at = ftell(file);
    fseek(file, 0, SEEK_END);
    fputs("20 0\n", file);
    fseek(file, at, SEEK_SET);
    od_demo_check_read(&check);
    assert_int_equal(check.report.finished, 1);
    od_demo_check_fini(&check);
    fclose(file);
}

static void a_value_says_the_plan(void **state)
{
    (void)state;
    char text[96];
    size_t id = 0;
    struct od_demo_record plan = {.kind = OD_DEMO_RETRY, .failures = 2, .delay_ms = 300, .work_ms = 5}, read;
    od_demo_value(&plan, 17, text, sizeof text);
    assert_true(od_demo_parse(text, &read, &id));
    assert_int_equal(id, 17);
    assert_int_equal(read.kind, OD_DEMO_RETRY);
    assert_int_equal(read.failures, 2);
    assert_int_equal(read.delay_ms, 300);
    assert_false(od_demo_parse("17 Z 0 0 0", &read, &id));
    assert_false(od_demo_parse("", &read, &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_course_is_good),
        cmocka_unit_test(a_record_that_never_ran_is_lost),
        cmocka_unit_test(a_run_after_the_end_is_a_repetition),
        cmocka_unit_test(the_same_attempt_twice_is_a_repetition),
        cmocka_unit_test(a_retry_and_a_hospital_record_before_their_time_are_early),
        cmocka_unit_test(records_of_a_key_that_overlap_or_overtake_are_out_of_order),
        cmocka_unit_test(an_end_that_was_not_planned_is_wrong),
        cmocka_unit_test(half_a_line_waits_for_its_rest),
        cmocka_unit_test(a_value_says_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
