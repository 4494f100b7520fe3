#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/lane.h"

static uint32_t record_of(struct od_records *records, int64_t offset)
{
    uint32_t slot = od_records_add(records);
    od_record_at(records, slot)->offset = offset;
    return slot;
}

static void a_lane_is_first_in_first_out(void **state)
{
    (void)state;
    struct od_records records = {0};
    struct od_lanes lanes = {0};
    uint32_t lane = od_lanes_get(&lanes, 1, 42);
    uint32_t slots[4];
    for (int i = 0; i < 4; i++) {
        slots[i] = record_of(&records, i);
        od_lane_push(&lanes, &records, lane, slots[i]);
    }
    assert_int_equal(od_lane_at(&lanes, lane)->count, 4);
    assert_int_equal(od_lane_peek(&lanes, lane), slots[0]);
    assert_int_equal(od_lane_pop(&lanes, &records, lane), slots[0]);
    assert_int_equal(od_lane_pop(&lanes, &records, lane), slots[1]);
    od_lane_push_front(&lanes, &records, lane, slots[1]);
    od_lane_insert(&lanes, &records, lane, slots[0]);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(od_record_at(&records, slots[i])->lane, lane);
        assert_int_equal(od_lane_pop(&lanes, &records, lane), slots[i]);
    }
    assert_int_equal(od_lane_pop(&lanes, &records, lane), OD_SLOT_NONE);
    od_lane_push_front(&lanes, &records, lane, slots[2]);
    od_lane_push(&lanes, &records, lane, slots[3]);
    assert_int_equal(od_lane_pop(&lanes, &records, lane), slots[2]);
    assert_int_equal(od_lane_pop(&lanes, &records, lane), slots[3]);
    od_lanes_fini(&lanes);
    od_records_fini(&records);
}

static void a_record_is_put_back_where_its_offset_belongs(void **state)
{
    (void)state;
    struct od_records records = {0};
    struct od_lanes lanes = {0};
    uint32_t lane = od_lanes_get(&lanes, 1, 0);
    static const int64_t offsets[] = {5, 1, 9, 3, 7};
    for (size_t i = 0; i < 5; i++) {
        od_lane_insert(&lanes, &records, lane, record_of(&records, offsets[i]));
    }
    for (int64_t want = 1; want <= 9; want += 2) {
        assert_int_equal(od_record_at(&records, od_lane_pop(&lanes, &records, lane))->offset, want);
    }
    od_lanes_fini(&lanes);
    od_records_fini(&records);
}

static void lanes_are_told_apart_by_stay_and_key(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct od_lanes lanes = {0};
    static uint32_t made[2][COUNT];
    for (uint32_t a = 0; a < 2; a++) {
        for (uint64_t k = 0; k < COUNT; k++) {
            made[a][k] = od_lanes_get(&lanes, a, k);
        }
    }
    assert_int_equal(lanes.count, 2 * COUNT);
    for (uint32_t a = 0; a < 2; a++) {
        for (uint64_t k = 0; k < COUNT; k++) {
            assert_int_equal(od_lanes_find(&lanes, a, k), made[a][k]);
            assert_int_equal(od_lanes_get(&lanes, a, k), made[a][k]);
        }
    }
    assert_int_equal(od_lanes_find(&lanes, 2, 0), OD_SLOT_NONE);
    for (uint64_t k = 0; k < COUNT; k++) {
        od_lanes_remove(&lanes, made[0][k]);
    }
    for (uint64_t k = 0; k < COUNT; k++) {
        assert_int_equal(od_lanes_find(&lanes, 0, k), OD_SLOT_NONE);
        assert_int_equal(od_lanes_find(&lanes, 1, k), made[1][k]);
    }
    /* Removed ones are used again. */
    uint32_t room = lanes.room;
    for (uint64_t k = 0; k < COUNT; k++) {
        assert_true(od_lanes_get(&lanes, 7, k) != OD_SLOT_NONE);
    }
    assert_int_equal(lanes.room, room);
    od_lanes_fini(&lanes);
}

static void a_list_gives_lanes_in_turn(void **state)
{
    (void)state;
    struct od_lanes lanes = {0};
    struct od_lane_list list = OD_LANE_LIST_EMPTY;
    uint32_t lane[5];
    for (uint64_t i = 0; i < 5; i++) {
        lane[i] = od_lanes_get(&lanes, 1, i);
        od_lane_list_push(&list, &lanes, lane[i]);
    }
    od_lane_list_remove(&list, &lanes, lane[2]);
    od_lane_list_remove(&list, &lanes, lane[4]);
    assert_int_equal(od_lane_list_pop(&list, &lanes), lane[0]);
    od_lane_list_push(&list, &lanes, lane[0]);
    assert_int_equal(list.count, 3);
    assert_int_equal(od_lane_list_pop(&list, &lanes), lane[1]);
    assert_int_equal(od_lane_list_pop(&list, &lanes), lane[3]);
    assert_int_equal(od_lane_list_pop(&list, &lanes), lane[0]);
    assert_int_equal(od_lane_list_pop(&list, &lanes), OD_SLOT_NONE);
    od_lanes_fini(&lanes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_is_first_in_first_out),
        cmocka_unit_test(a_record_is_put_back_where_its_offset_belongs),
        cmocka_unit_test(lanes_are_told_apart_by_stay_and_key),
        cmocka_unit_test(a_list_gives_lanes_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
