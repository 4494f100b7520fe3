#include "base/vec.h"

#include "base/cm.h"
#include "base/oom.h"

struct pair {
    int a, b;
};

static void keeps_what_was_pushed_in_order(void **state)
{
    (void)state;
    OD_VEC(int) vec = {0};
    for (int i = 0; i < 1000; i++)
        assert_true(od_vec_push(&vec, i));
    assert_int_equal(vec.count, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(vec.items[i], i);
    assert_int_equal(od_vec_pop(&vec), 999);
    assert_int_equal(*od_vec_last(&vec), 998);
    od_vec_fini(&vec);
    assert_null(vec.items);
    assert_int_equal(vec.count, 0);
}

static void takes_structs_written_in_place(void **state)
{
    (void)state;
    OD_VEC(struct pair) vec = {0};
    assert_true(od_vec_push(&vec, (struct pair){1, 2}));
    assert_int_equal(vec.items[0].b, 2);
    od_vec_fini(&vec);
}

static void removes_by_moving_the_last(void **state)
{
    (void)state;
    OD_VEC(int) vec = {0};
    for (int i = 0; i < 3; i++)
        assert_true(od_vec_push(&vec, i));
    od_vec_remove_swap(&vec, 0);
    assert_int_equal(vec.count, 2);
    assert_int_equal(vec.items[0], 2);
    assert_int_equal(vec.items[1], 1);
    od_vec_clear(&vec);
    assert_int_equal(vec.count, 0);
    od_vec_fini(&vec);
}

static void is_unchanged_when_memory_runs_out(void **state)
{
    (void)state;
    OD_VEC(int) vec = {0};
    if (!oom_possible())
        skip();
    oom_arm(1);
    bool pushed = od_vec_push(&vec, 1);
    assert_false(pushed);
    assert_true(oom_disarm());
    assert_int_equal(vec.count, 0);
    for (int i = 0; i < 8; i++)
        assert_true(od_vec_push(&vec, i));
    oom_arm(1);
    pushed = od_vec_push(&vec, 8);
    assert_false(pushed);
    assert_true(oom_disarm());
    assert_int_equal(vec.count, 8);
    assert_int_equal(vec.items[7], 7);
    od_vec_fini(&vec);
}

static void refuses_sizes_that_overflow(void **state)
{
    (void)state;
    OD_VEC(struct pair) vec = {0};
    assert_false(od_vec_reserve(&vec, SIZE_MAX / 2));
    assert_null(vec.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_pushed_in_order), cmocka_unit_test(takes_structs_written_in_place),
        cmocka_unit_test(removes_by_moving_the_last),     cmocka_unit_test(is_unchanged_when_memory_runs_out),
        cmocka_unit_test(refuses_sizes_that_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
