#include "base/map.h"

#include "base/cm.h"
#include "base/oom.h"
#include "base/random.h"

enum { KEYS = 300 };

/* Keys that are near each other, equal in their low bits, zero and the largest. */
static uint64_t key_of(size_t i)
{
    return i % 3 == 0 ? i : i % 3 == 1 ? (uint64_t)i << 48 : UINT64_MAX - i;
}

static void agrees_with_a_table_while_keys_come_and_go(void **state)
{
    (void)state;
    struct od_map map = {0};
    struct od_random random;
    bool there[KEYS] = {false};
    uint64_t values[KEYS] = {0};
    od_random_init(&random, 3);
    for (unsigned turn = 0; turn < 50000; turn++) {
        size_t i = od_random_below(&random, KEYS);
        uint64_t value = 0;
        if (od_random_chance(&random, 500)) {
            values[i] = od_random_next(&random);
            assert_true(od_map_put(&map, key_of(i), values[i]));
            there[i] = true;
        } else {
            assert_int_equal(od_map_remove(&map, key_of(i), &value), there[i]);
            if (there[i])
                assert_true(value == values[i]);
            there[i] = false;
        }
        size_t other = od_random_below(&random, KEYS);
        assert_int_equal(od_map_get(&map, key_of(other), &value), there[other]);
        if (there[other])
            assert_true(value == values[other]);
    }
    size_t count = 0, cursor = 0, walked = 0;
    uint64_t key, value;
    for (size_t i = 0; i < KEYS; i++)
        count += there[i];
    while (od_map_next(&map, &cursor, &key, &value)) {
        assert_true(*od_map_at(&map, key) == value);
        walked++;
    }
    assert_int_equal(walked, count);
    assert_int_equal(map.count, count);
    od_map_fini(&map);
}

static void a_value_can_be_changed_in_place(void **state)
{
    (void)state;
    struct od_map map = {0};
    assert_null(od_map_at(&map, 0));
    assert_true(od_map_put(&map, 0, 5));
    *od_map_at(&map, 0) += 1;
    uint64_t value;
    assert_true(od_map_get(&map, 0, &value));
    assert_int_equal(value, 6);
    od_map_clear(&map);
    assert_false(od_map_get(&map, 0, &value));
    od_map_fini(&map);
}

static void is_unchanged_when_memory_runs_out(void **state)
{
    (void)state;
    if (!oom_possible())
        skip();
    for (unsigned n = 1; n <= 2; n++) {
        struct od_map map = {0};
        for (uint64_t i = 0; i < 12; i++)
            assert_true(od_map_put(&map, i, i));
        oom_arm(n);
        assert_false(od_map_put(&map, 100, 1));
        assert_true(oom_disarm());
        assert_int_equal(map.count, 12);
        for (uint64_t i = 0; i < 12; i++)
            assert_true(od_map_get(&map, i, NULL));
        assert_false(od_map_get(&map, 100, NULL));
        od_map_fini(&map);
    }
}

static void puts_within_the_reserve_cannot_fail(void **state)
{
    (void)state;
    struct od_map map = {0};
    assert_true(od_map_reserve(&map, 1000));
    oom_arm(1);
    for (uint64_t i = 0; i < 1000; i++)
        assert_true(od_map_put(&map, i, i));
    assert_false(oom_disarm());
    od_map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_table_while_keys_come_and_go),
        cmocka_unit_test(a_value_can_be_changed_in_place),
        cmocka_unit_test(is_unchanged_when_memory_runs_out),
        cmocka_unit_test(puts_within_the_reserve_cannot_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
