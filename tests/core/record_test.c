#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/record.h"

static void an_id_never_names_two_records(void **state)
{
    (void)state;
    struct od_records records = {0};
    uint32_t first = od_records_add(&records);
    uint64_t id = od_record_id(&records, first);
    assert_true(id != 0);
    assert_int_equal(od_records_find(&records, id), first);
    od_record_move(od_record_at(&records, first), OD_RECORD_DONE);
    od_records_remove(&records, first);
    assert_int_equal(od_records_find(&records, id), OD_SLOT_NONE);
    uint32_t second = od_records_add(&records);
    assert_int_equal(second, first);
    assert_int_equal(od_records_find(&records, id), OD_SLOT_NONE);
    assert_true(od_record_id(&records, second) != id);
    od_records_fini(&records);
}

static void any_number_may_be_asked_for(void **state)
{
    (void)state;
    struct od_records records = {0};
    assert_int_equal(od_records_find(&records, 0), OD_SLOT_NONE);
    assert_int_equal(od_records_find(&records, UINT64_MAX), OD_SLOT_NONE);
    uint32_t slot = od_records_add(&records);
    assert_int_equal(od_records_find(&records, slot), OD_SLOT_NONE);
    assert_int_equal(od_records_find(&records, UINT64_C(1) << 32 | 5000), OD_SLOT_NONE);
    od_records_fini(&records);
}

static void records_do_not_move_and_memory_goes_with_the_last(void **state)
{
    (void)state;
    enum { COUNT = 40000 };
    static uint64_t ids[COUNT];
    struct od_records records = {0};
    struct od_record *early = od_record_at(&records, od_records_add(&records));
    early->offset = 77;
    for (size_t i = 0; i < COUNT; i++) {
        ids[i] = od_record_id(&records, od_records_add(&records));
    }
    assert_int_equal(early->offset, 77);
    assert_int_equal(records.count, COUNT + 1);
    for (size_t i = 0; i < COUNT; i++) {
        uint32_t slot = od_records_find(&records, ids[i]);
        assert_true(slot != OD_SLOT_NONE);
        od_record_move(od_record_at(&records, slot), OD_RECORD_DONE);
        od_records_remove(&records, slot);
    }
    assert_true(records.chunk_count > 0);
    od_record_move(early, OD_RECORD_DONE);
    od_records_remove(&records, 0);
    assert_int_equal(records.chunk_count, 0);
    /* Also across that an old id stays unknown. */
    (void)od_records_add(&records);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(od_records_find(&records, ids[i]), OD_SLOT_NONE);
    }
    od_records_fini(&records);
}

static void only_the_moves_of_the_table_are_allowed(void **state)
{
    (void)state;
    static const char allowed[OD_RECORD_STATES][OD_RECORD_STATES + 1] = {
        /*                    FQRPCD */
        [OD_RECORD_FETCHED] = "010101", [OD_RECORD_QUEUED] = "001101",  [OD_RECORD_RUNNING] = "010111",
        [OD_RECORD_PARKED] = "010011",  [OD_RECORD_COPYING] = "000101", [OD_RECORD_DONE] = "000000",
    };
    for (int from = 0; from < OD_RECORD_STATES; from++) {
        for (int to = 0; to < OD_RECORD_STATES; to++) {
            assert_int_equal(od_record_may_move((enum od_record_state)from, (enum od_record_state)to),
                             allowed[from][to] == '1');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_never_names_two_records),
        cmocka_unit_test(any_number_may_be_asked_for),
        cmocka_unit_test(records_do_not_move_and_memory_goes_with_the_last),
        cmocka_unit_test(only_the_moves_of_the_table_are_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
