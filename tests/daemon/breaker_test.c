/* src/daemon/breaker.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/breaker.h"

static void a_fault_opens_it_and_a_good_probe_closes_it(void **state)
{
    struct od_breaker breaker;

    (void)state;
    od_breaker_init(&breaker);
    assert_true(od_breaker_admit(&breaker, 0));
    assert_true(od_breaker_fault(&breaker, 10));
    assert_false(od_breaker_admit(&breaker, 1009));
    assert_int_equal(od_breaker_next_ms(&breaker), 1010);
    assert_true(od_breaker_admit(&breaker, 1010));
    assert_false(od_breaker_admit(&breaker, 1011)); /* one probe at a time */
    assert_true(od_breaker_good(&breaker, 1012));
    assert_true(od_breaker_admit(&breaker, 1012));
    assert_int_equal(breaker.opened, 1);
}

static void pauses_double_up_to_a_minute(void **state)
{
    struct od_breaker breaker;
    int64_t now_ms = 0, pause_ms = 1000;

    (void)state;
    od_breaker_init(&breaker);
    for (int i = 0; i < 10; i++) {
        od_breaker_fault(&breaker, now_ms);
        assert_int_equal(od_breaker_next_ms(&breaker), now_ms + pause_ms);
        now_ms += pause_ms;
        assert_true(od_breaker_admit(&breaker, now_ms));
        pause_ms = pause_ms * 2 > 60000 ? 60000 : pause_ms * 2;
    }
    assert_int_equal(breaker.opened, 1); /* it never closed in between */
}

static void faults_of_records_that_ran_before_do_not_lengthen_the_pause(void **state)
{
    struct od_breaker breaker;

    (void)state;
    od_breaker_init(&breaker);
    assert_true(od_breaker_fault(&breaker, 0));
    assert_false(od_breaker_fault(&breaker, 500));
    assert_int_equal(od_breaker_next_ms(&breaker), 1000);
}

static void a_released_probe_lets_another_one_through(void **state)
{
    struct od_breaker breaker;

    (void)state;
    od_breaker_init(&breaker);
    od_breaker_fault(&breaker, 0);
    assert_true(od_breaker_admit(&breaker, 1000));
    od_breaker_neutral(&breaker);
    assert_true(od_breaker_admit(&breaker, 1001));
}

static void failures_in_a_row_open_it(void **state)
{
    struct od_breaker breaker;

    (void)state;
    od_breaker_init(&breaker);
    for (int i = 0; i < OD_BREAKER_FAILURES - 1; i++) {
        assert_false(od_breaker_failure(&breaker, 0));
    }
    od_breaker_good(&breaker, 0);
    for (int i = 0; i < OD_BREAKER_FAILURES - 1; i++) {
        assert_false(od_breaker_failure(&breaker, 0));
    }
    assert_true(od_breaker_failure(&breaker, 0));
    assert_false(od_breaker_admit(&breaker, 1));
}

static void a_throttle_pauses_without_blame(void **state)
{
    struct od_breaker breaker;

    (void)state;
    od_breaker_init(&breaker);
    od_breaker_throttle(&breaker, 0, 300);
    assert_false(od_breaker_admit(&breaker, 299));
    od_breaker_throttle(&breaker, 100, 100); /* a shorter one does not end it */
    assert_false(od_breaker_admit(&breaker, 299));
    assert_true(od_breaker_admit(&breaker, 300));
    assert_int_equal(breaker.opened, 0);
    od_breaker_throttle(&breaker, 400, -1);
    od_breaker_throttle(&breaker, 401, -1); /* its neighbour says the same */
    assert_int_equal(od_breaker_next_ms(&breaker), 1400);
    assert_true(od_breaker_admit(&breaker, 1400));
    od_breaker_throttle(&breaker, 1400, -1);
    assert_int_equal(od_breaker_next_ms(&breaker), 3400);
}

static void stopped_stays_stopped_until_resumed(void **state)
{
    struct od_breaker breaker;

    (void)state;
    od_breaker_init(&breaker);
    od_breaker_stop(&breaker);
    assert_false(od_breaker_admit(&breaker, INT64_MAX - 1));
    assert_false(od_breaker_good(&breaker, 0));
    od_breaker_throttle(&breaker, 0, 5);
    od_breaker_fault(&breaker, 0);
    assert_false(od_breaker_admit(&breaker, INT64_MAX - 1));
    assert_true(od_breaker_next_ms(&breaker) == INT64_MAX);
    od_breaker_resume(&breaker);
    assert_true(od_breaker_admit(&breaker, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_opens_it_and_a_good_probe_closes_it),
        cmocka_unit_test(pauses_double_up_to_a_minute),
        cmocka_unit_test(faults_of_records_that_ran_before_do_not_lengthen_the_pause),
        cmocka_unit_test(a_released_probe_lets_another_one_through),
        cmocka_unit_test(failures_in_a_row_open_it),
        cmocka_unit_test(a_throttle_pauses_without_blame),
        cmocka_unit_test(stopped_stays_stopped_until_resumed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
