#include "base/heap.h"

#include "base/cm.h"
#include "base/oom.h"
#include "base/random.h"

enum { MOST = 500 };

static void pops_by_key_and_then_by_seq(void **state)
{
    (void)state;
    struct od_heap heap = {0};
    struct od_heap_entry entry, last = {INT64_MIN, 0, 0};
    struct od_random random;
    od_random_init(&random, 7);
    for (uint64_t i = 0; i < 2000; i++)
        assert_true(od_heap_push(&heap, (struct od_heap_entry){od_random_between(&random, -50, 50), i, i}));
    assert_int_equal(heap.count, 2000);
    while (od_heap_pop(&heap, &entry)) {
        assert_true(last.key < entry.key || (last.key == entry.key && last.seq < entry.seq) || last.key == INT64_MIN);
        last = entry;
    }
    assert_null(od_heap_peek(&heap));
    od_heap_fini(&heap);
}

static size_t where[MOST];

static void note(void *userdata, uint64_t value, size_t index)
{
    assert_ptr_equal(userdata, where);
    where[value] = index;
}

static void check_places(const struct od_heap *heap)
{
    size_t found = 0;
    for (size_t i = 0; i < MOST; i++) {
        if (where[i] == OD_HEAP_NOWHERE)
            continue;
        assert_true(where[i] < heap->count);
        assert_int_equal(heap->entries[where[i]].value, i);
        found++;
    }
    assert_int_equal(found, heap->count);
}

/* Against the simplest model: a table of keys. */
static void tells_each_entry_its_place_while_entries_come_and_go(void **state)
{
    (void)state;
    struct od_heap heap;
    struct od_random random;
    int64_t keys[MOST];
    od_random_init(&random, 11);
    od_heap_init(&heap, note, where);
    for (size_t i = 0; i < MOST; i++)
        where[i] = OD_HEAP_NOWHERE;
    for (unsigned turn = 0; turn < 5000; turn++) {
        size_t value = od_random_below(&random, MOST);
        int64_t key = od_random_between(&random, 0, 1000);
        if (where[value] == OD_HEAP_NOWHERE)
            assert_true(od_heap_push(&heap, (struct od_heap_entry){key, turn, value}));
        else if (od_random_chance(&random, 500))
            assert_int_equal(od_heap_remove(&heap, where[value]).value, value);
        else
            od_heap_rekey(&heap, where[value], key);
        if (where[value] != OD_HEAP_NOWHERE)
            keys[value] = key;
        int64_t least = INT64_MAX;
        for (size_t i = 0; i < MOST; i++)
            if (where[i] != OD_HEAP_NOWHERE && keys[i] < least)
                least = keys[i];
        if (heap.count)
            assert_int_equal(od_heap_peek(&heap)->key, least);
        if (turn % 50 == 0)
            check_places(&heap);
    }
    od_heap_fini(&heap);
}

static void pushes_within_the_reserve_cannot_fail(void **state)
{
    (void)state;
    struct od_heap heap = {0};
    if (!oom_possible())
        skip();
    oom_arm(1);
    assert_false(od_heap_push(&heap, (struct od_heap_entry){1, 1, 1}));
    assert_true(oom_disarm());
    assert_int_equal(heap.count, 0);
    assert_true(od_heap_reserve(&heap, 100));
    oom_arm(1);
    for (uint64_t i = 0; i < 100; i++)
        assert_true(od_heap_push(&heap, (struct od_heap_entry){1, i, i}));
    assert_false(oom_disarm());
    od_heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pops_by_key_and_then_by_seq),
        cmocka_unit_test(tells_each_entry_its_place_while_entries_come_and_go),
        cmocka_unit_test(pushes_within_the_reserve_cannot_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
