#include "base/hash.h"

#include "base/cm.h"
#include "base/random.h"

/* Vectors of the reference implementation: the hashes travel in commit metadata, so they must never change. */
static void is_xxh64(void **state)
{
    (void)state;
    assert_true(od_hash_bytes(NULL, 0, 0) == UINT64_C(0xef46db3751d8e999));
    assert_true(od_hash_text("a") == UINT64_C(0xd24ec4f1a98c6e5b));
    assert_true(od_hash_text("abc") == UINT64_C(0x44bc2cf5ad770999));
    assert_true(od_hash_text("Nobody inspects the spammish repetition") == UINT64_C(0xfbcea83c8a378bf1));
}

static void depends_on_seed_and_every_byte(void **state)
{
    (void)state;
    unsigned char data[100] = {0};
    for (size_t size = 1; size <= sizeof data; size++) {
        uint64_t hash = od_hash_bytes(data, size, 1);
        assert_true(hash != od_hash_bytes(data, size, 2));
        assert_true(hash != od_hash_bytes(data, size - 1, 1));
        data[size - 1] ^= 1;
        assert_true(hash != od_hash_bytes(data, size, 1));
        data[size - 1] ^= 1;
    }
}

static void one_seed_gives_one_history(void **state)
{
    (void)state;
    struct od_random a, b, c;
    od_random_init(&a, 42);
    od_random_init(&b, 42);
    od_random_init(&c, 43);
    assert_true(od_random_next(&a) != od_random_next(&c));
    (void)od_random_next(&b);
    for (unsigned i = 0; i < 100; i++)
        assert_true(od_random_next(&a) == od_random_next(&b));
}

static void random_numbers_keep_their_bounds_and_reach_them(void **state)
{
    (void)state;
    struct od_random random;
    bool low = false, high = false;
    od_random_init(&random, 1);
    for (unsigned i = 0; i < 1000; i++) {
        int64_t x = od_random_between(&random, -2, 2);
        assert_in_range(x + 2, 0, 4);
        low = low || x == -2;
        high = high || x == 2;
    }
    assert_true(low && high);
    assert_int_equal(od_random_below(&random, 0), 0);
    assert_int_equal(od_random_below(&random, 1), 0);
    assert_true(od_random_between(&random, 5, 5) == 5);
    assert_false(od_random_chance(&random, 0));
    assert_true(od_random_chance(&random, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_xxh64),
        cmocka_unit_test(depends_on_seed_and_every_byte),
        cmocka_unit_test(one_seed_gives_one_history),
        cmocka_unit_test(random_numbers_keep_their_bounds_and_reach_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
