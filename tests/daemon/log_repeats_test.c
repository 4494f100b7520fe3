/* src/daemon/log_repeats.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/log_repeats.h"

static struct od_repeats repeats;
static struct od_repeat gone;

static int setup(void **state)
{
    (void)state;
    memset(&repeats, 0, sizeof repeats);
    memset(&gone, 0, sizeof gone);
    return 0;
}

static bool admit(int64_t now_ms, const char *text)
{
    return od_repeats_admit(&repeats, 3, now_ms, 2, "state", text, &gone);
}

static void lines_that_differ_in_numbers_are_one_kind(void **state)
{
    struct od_repeat more;
    char text[64];

    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "orders/%d offset %d is in state x", i, i * 7);
        assert_int_equal(admit(i, text), i < 3);
    }
    assert_false(od_repeats_take(&repeats, 9999, &more));
    assert_true(od_repeats_take(&repeats, 10000, &more));
    assert_int_equal(more.more, 997);
    assert_string_equal(more.text, "orders/3 offset 21 is in state x");
    assert_string_equal(more.area, "state");
    assert_int_equal(more.level, 2);
    assert_false(od_repeats_take(&repeats, INT64_MAX, &more));
}

static void other_words_levels_and_areas_are_other_kinds(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(admit(0, "a/1 is in state x"));
    }
    assert_false(admit(0, "a/2 is in state x"));
    assert_true(admit(0, "a/2 is in state y"));
    assert_true(od_repeats_admit(&repeats, 3, 0, 1, "state", "a/2 is in state x", &gone));
    assert_true(od_repeats_admit(&repeats, 3, 0, 2, "retry", "a/2 is in state x", &gone));
}

static void a_new_while_begins_with_what_was_left_out_before(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        admit(0, "a/1");
        assert_int_equal(gone.more, 0);
    }
    assert_true(admit(10000, "a/1"));
    assert_int_equal(gone.more, 2);
    assert_true(admit(10001, "a/1"));
    assert_int_equal(gone.more, 0);
}

static void a_kind_that_goes_for_another_is_said(void **state)
{
    char text[] = "word a";
    uint64_t left_out = 0;

    (void)state;
    for (int i = 0; i < 5; i++) {
        admit(0, "first");
    }
    for (int i = 0; i < OD_REPEATS_KINDS; i++) {
        text[5] = (char)('!' + i);
        if (text[5] >= '0' && text[5] <= '9') {
            text[5] = (char)('a' + 20 + i - ('0' - '!')); /* one kind each */
        }
        admit(1, text);
        left_out += gone.more;
    }
    assert_int_equal(left_out, 2);
}

static void no_limit_admits_all(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(od_repeats_admit(&repeats, 0, 0, 2, "a", "b", &gone));
    }
    assert_false(od_repeats_take(&repeats, INT64_MAX, &gone));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_that_differ_in_numbers_are_one_kind, setup),
        cmocka_unit_test_setup(other_words_levels_and_areas_are_other_kinds, setup),
        cmocka_unit_test_setup(a_new_while_begins_with_what_was_left_out_before, setup),
        cmocka_unit_test_setup(a_kind_that_goes_for_another_is_said, setup),
        cmocka_unit_test_setup(no_limit_admits_all, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
