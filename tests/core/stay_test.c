#include "lab.h"

#include "core/state.h"

static void a_stay_moves_only_forward(void **state)
{
    (void)state;
    for (unsigned from = 0; from < OD_STAY_STATES; from++) {
        for (unsigned to = 0; to < OD_STAY_STATES; to++) {
            bool may = od_stay_may_move((enum od_stay_state)from, (enum od_stay_state)to);
            assert_true(!may || to > from);
        }
        assert_int_equal(od_stay_may_move((enum od_stay_state)from, OD_STAY_CLOSED),
                         from != OD_STAY_CLOSED); /* lost, from anywhere */
        assert_non_null(od_stay_state_word((enum od_stay_state)from));
    }
    assert_false(od_stay_may_move(OD_STAY_WAITING, OD_STAY_STATES));
    assert_false(od_stay_may_move(OD_STAY_DRAINING, OD_STAY_CALLBACK));
}

static void the_word_of_a_state_follows_a_revoke(void **state)
{
    (void)state;
    struct lab lab;
    struct od_core_partition view;
    uint32_t id = 1;
    lab_init(&lab, (const char *const[]){NULL});
    assert_false(od_core_partition(lab.core, 1, &view));
    lab_assign(&lab, 1, OD_TOPIC_SOURCE, 5);
    assert_true(od_core_partition(lab.core, 1, &view));
    assert_string_equal(view.state, "active");
    assert_int_equal(view.watermark, 5);
    assert_int_equal(view.oldest_offset, -1);
    lab_step(&lab, (struct od_event){.type = OD_EVENT_PAUSE, .pause = {&id, 1, 3}});
    assert_true(od_core_partition(lab.core, 1, &view));
    assert_string_equal(view.state, "paused");
    lab_step(&lab, (struct od_event){.type = OD_EVENT_RESUME, .pause = {&id, 1, 3}});
    lab_fetch(&lab, 1, 5, 2, 100, 0);
    lab.now += 7;
    lab_step(&lab, (struct od_event){.type = OD_EVENT_REVOKE, .partitions = {&id, 1, 100000, false}});
    assert_true(od_core_partition(lab.core, 1, &view));
    assert_string_equal(view.state, "draining");
    assert_int_equal(view.running, 2);
    assert_int_equal(view.oldest_offset, 5);
    assert_int_equal(view.oldest_started_ms, 1000);
    lab_fini(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stay_moves_only_forward),
        cmocka_unit_test(the_word_of_a_state_follows_a_revoke),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
