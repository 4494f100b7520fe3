#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/parked.h"

static uint32_t park(struct od_parked *parked, struct od_records *records, int64_t due_ms, uint32_t assignment,
                     int64_t offset)
{
    uint32_t slot = od_records_add(records);
    struct od_record *record = od_record_at(records, slot);
    record->due_ms = due_ms;
    record->assignment = assignment;
    record->offset = offset;
    assert_true(od_parked_push(parked, records, slot));
    return slot;
}

static void nothing_comes_out_before_its_time(void **state)
{
    (void)state;
    struct od_records records = {0};
    struct od_parked parked = {0};
    assert_true(od_parked_due(&parked, &records) == INT64_MAX);
    assert_int_equal(od_parked_pop(&parked, &records, INT64_MAX), OD_SLOT_NONE);
    uint32_t late = park(&parked, &records, 300000, 1, 0);
    uint32_t soon = park(&parked, &records, 200, 1, 1);
    assert_int_equal(od_parked_due(&parked, &records), 200);
    assert_int_equal(od_parked_pop(&parked, &records, 199), OD_SLOT_NONE);
    assert_int_equal(od_parked_pop(&parked, &records, 200), soon);
    assert_int_equal(od_record_at(&records, soon)->place, OD_SLOT_NONE);
    assert_int_equal(od_parked_pop(&parked, &records, 299999), OD_SLOT_NONE);
    assert_int_equal(od_parked_pop(&parked, &records, 300000), late);
    od_parked_fini(&parked);
    od_records_fini(&records);
}

static void ties_go_by_stay_then_offset(void **state)
{
    (void)state;
    struct od_records records = {0};
    struct od_parked parked = {0};
    uint32_t d = park(&parked, &records, 5, 2, 1), b = park(&parked, &records, 5, 1, 20);
    uint32_t c = park(&parked, &records, 5, 2, 0), a = park(&parked, &records, 5, 1, 10);
    uint32_t want[] = {a, b, c, d};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(od_parked_pop(&parked, &records, 5), want[i]);
    }
    od_parked_fini(&parked);
    od_records_fini(&records);
}

static void mixed_delays_and_removals_keep_the_order(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    static uint32_t slots[COUNT];
    struct od_random random;
    od_random_init(&random, 4);
    struct od_records records = {0};
    struct od_parked parked = {0};
    for (int i = 0; i < COUNT; i++) {
        slots[i] = park(&parked, &records, (int64_t)od_random_below(&random, 1000), 1, i);
    }
    uint32_t removed = 0;
    for (int i = 0; i < COUNT; i++) {
        if (od_random_chance(&random, 400)) {
            od_parked_remove(&parked, &records, slots[i]);
            removed++;
        }
    }
    int64_t last = -1, last_offset = -1;
    uint32_t popped = 0, slot;
    while ((slot = od_parked_pop(&parked, &records, 1000)) != OD_SLOT_NONE) {
        struct od_record *record = od_record_at(&records, slot);
        assert_true(record->due_ms > last || (record->due_ms == last && record->offset > last_offset));
        last = record->due_ms;
        last_offset = record->offset;
        popped++;
    }
    assert_true(removed > 0);
    assert_int_equal(popped + removed, COUNT);
    od_parked_fini(&parked);
    od_records_fini(&records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_comes_out_before_its_time),
        cmocka_unit_test(ties_go_by_stay_then_offset),
        cmocka_unit_test(mixed_delays_and_removals_keep_the_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
