#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/retry_policy.h"

static struct od_settings usual(void)
{
    return (struct od_settings){.retry_attempts = 8,
                                .backoff_first = 1000,
                                .backoff_factor = 2000,
                                .backoff_max = 600000,
                                .backoff_jitter = 0,
                                .retry_max_delay = 86400000};
}

static void attempts_are_bounded_then_the_dead_letters(void **state)
{
    (void)state;
    struct od_settings s = usual();
    assert_int_equal(od_retry_verdict(&s, ORDERLY_RETRY, 0, false), OD_VERDICT_RETRY);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_RETRY, 6, false), OD_VERDICT_RETRY);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_RETRY, 7, false), OD_VERDICT_DEAD_LETTER);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_RETRY, 4000000000u, false), OD_VERDICT_DEAD_LETTER);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_RETRY, 0, true), OD_VERDICT_DEAD_LETTER);
    s.retry_attempts = 1;
    assert_int_equal(od_retry_verdict(&s, ORDERLY_RETRY, 0, false), OD_VERDICT_DEAD_LETTER);
}

static void each_outcome_has_its_verdict(void **state)
{
    (void)state;
    struct od_settings s = usual();
    assert_int_equal(od_retry_verdict(&s, ORDERLY_ACK, 100, true), OD_VERDICT_DONE);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_DROP, 100, true), OD_VERDICT_DONE);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_DEAD_LETTER, 0, false), OD_VERDICT_DEAD_LETTER);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_RELEASE, 100, true), OD_VERDICT_RELEASE);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_THROTTLE, 100, false), OD_VERDICT_THROTTLE);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_HOLD, 100, false), OD_VERDICT_HOLD);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_UNSET, 100, false), OD_VERDICT_HOLD);
    assert_int_equal(od_retry_verdict(&s, ORDERLY_PENDING, 100, false), OD_VERDICT_HOLD);
    assert_int_equal(od_retry_verdict(&s, (enum orderly_outcome)77, 100, false), OD_VERDICT_HOLD);
}

static void the_back_off_grows_to_its_maximum(void **state)
{
    (void)state;
    struct od_settings s = usual();
    struct od_random random;
    od_random_init(&random, 1);
    assert_int_equal(od_retry_backoff(&s, 1, &random), 1000);
    assert_int_equal(od_retry_backoff(&s, 2, &random), 2000);
    assert_int_equal(od_retry_backoff(&s, 5, &random), 16000);
    assert_int_equal(od_retry_backoff(&s, 11, &random), 600000);
    assert_int_equal(od_retry_backoff(&s, UINT32_MAX, &random), 600000);
    s.backoff_factor = 1500;
    assert_int_equal(od_retry_backoff(&s, 3, &random), 2250);
    s.backoff_factor = 1000;
    assert_int_equal(od_retry_backoff(&s, UINT32_MAX, &random), 1000);
    s.retry_max_delay = 10;
    assert_int_equal(od_retry_backoff(&s, 1, &random), 10);
}

static void jitter_spreads_to_both_sides(void **state)
{
    (void)state;
    struct od_settings s = usual();
    s.backoff_jitter = 200;
    struct od_random random;
    od_random_init(&random, 3);
    int64_t low = INT64_MAX, high = 0;
    for (int i = 0; i < 2000; i++) {
        int64_t delay = od_retry_backoff(&s, 1, &random);
        low = delay < low ? delay : low;
        high = delay > high ? delay : high;
    }
    assert_in_range(low, 800, 810);
    assert_in_range(high, 1190, 1200);
}

static void a_wish_of_the_handler_is_kept_within_the_limits(void **state)
{
    (void)state;
    struct od_settings s = usual();
    struct od_random random;
    od_random_init(&random, 1);
    assert_int_equal(od_retry_delay(&s, 90000, 0, 5000, 1, &random), 90000);
    assert_int_equal(od_retry_delay(&s, 0, 99999, 5000, 1, &random), 0);
    assert_int_equal(od_retry_delay(&s, INT64_MAX, 0, 5000, 1, &random), 86400000);
    assert_int_equal(od_retry_delay(&s, -1, 6000, 5000, 1, &random), 1000);
    assert_int_equal(od_retry_delay(&s, -1, 4000, 5000, 1, &random), 0);
    assert_int_equal(od_retry_delay(&s, -1, INT64_MAX, 5000, 1, &random), 86400000);
    assert_int_equal(od_retry_delay(&s, -1, 0, 5000, 3, &random), 4000);
}

static void a_wait_is_clamped_between_nothing_and_its_delay(void **state)
{
    (void)state;
    struct od_settings s = usual();
    bool clamped;
    assert_int_equal(od_retry_wait(&s, 7000, 5000, 3000, &clamped), 2000);
    assert_false(clamped);
    assert_int_equal(od_retry_wait(&s, 4000, 5000, 3000, &clamped), 0);
    assert_false(clamped);
    /* A clock far behind: the delay is the most it can be. */
    assert_int_equal(od_retry_wait(&s, 7000000, 5000, 3000, &clamped), 3000);
    assert_true(clamped);
    assert_int_equal(od_retry_wait(&s, INT64_MAX, 5000, 0, &clamped), 86400000);
    assert_true(clamped);
    assert_int_equal(od_retry_wait(&s, 5001, 5000, -1, NULL), 1);
}

static void doubling_stops_at_its_maximum(void **state)
{
    (void)state;
    assert_int_equal(od_doubling(1000, 60000, 1), 1000);
    assert_int_equal(od_doubling(1000, 60000, 2), 2000);
    assert_int_equal(od_doubling(1000, 60000, 6), 32000);
    assert_int_equal(od_doubling(1000, 60000, 7), 60000);
    assert_int_equal(od_doubling(1000, 60000, UINT32_MAX), 60000);
    assert_int_equal(od_doubling(1000, 500, 1), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attempts_are_bounded_then_the_dead_letters),
        cmocka_unit_test(each_outcome_has_its_verdict),
        cmocka_unit_test(the_back_off_grows_to_its_maximum),
        cmocka_unit_test(jitter_spreads_to_both_sides),
        cmocka_unit_test(a_wish_of_the_handler_is_kept_within_the_limits),
        cmocka_unit_test(a_wait_is_clamped_between_nothing_and_its_delay),
        cmocka_unit_test(doubling_stops_at_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
