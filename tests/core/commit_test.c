#include "lab.h"

#include <stdlib.h>

#include "core/offset_map.h"

/* A stay with `count` records that all run; every second one has ended, the first never does. Returns the records. */
static uint64_t *every_second(struct lab *lab, size_t count)
{
    uint64_t *records = calloc(count, sizeof *records), *ended = calloc(count, sizeof *ended);
    size_t runs = 0, ends = 0;
    assert_non_null(records);
    assert_non_null(ended);
    lab_fetch(lab, 1, 0, count, 100, 0);
    for (size_t i = 0; i < lab->effects.run_count; i++) {
        records[runs++] = lab->effects.runs[i].record;
    }
    assert_int_equal(runs, count);
    for (size_t i = 1; i < count; i += 2) {
        ended[ends++] = records[i];
    }
    lab_settle(lab, ended, ends, ORDERLY_ACK);
    free(ended);
    return records;
}

static void a_long_map_goes_at_its_own_interval_and_the_offset_with_it(void **state)
{
    (void)state;
    struct lab lab;
    lab_init(&lab, (const char *const[]){"concurrency", "16000", NULL});
    lab_assign(&lab, 1, OD_TOPIC_SOURCE, 0);
    uint64_t *records = every_second(&lab, 12000);
    lab_tick(&lab, lab.now + 1000);
    const struct od_effect *commit = lab_effect(&lab, OD_EFFECT_COMMIT, 0);
    assert_non_null(commit);
    assert_int_equal(commit->offset, 0);
    assert_true(commit->commit.text_size > 1024);
    int64_t sent = lab.now;
    lab_committed(&lab, 1, commit->commit.sequence);

    /* The watermark moves; the map stays long: nothing goes before map_interval, since an offset alone would forget the map. */
    lab_settle(&lab, records, 1, ORDERLY_ACK);
    for (int64_t at = sent + 500; at < sent + 5000; at += 500) {
        lab_tick(&lab, at);
        assert_null(lab_effect(&lab, OD_EFFECT_COMMIT, 0));
    }
    lab_tick(&lab, sent + 5000);
    commit = lab_effect(&lab, OD_EFFECT_COMMIT, 0);
    assert_non_null(commit);
    assert_int_equal(commit->offset, 2);
    assert_true(commit->commit.text_size > 1024);
    lab_committed(&lab, 1, commit->commit.sequence);

    /* But always at a revoke. */
    lab_settle(&lab, records + 2, 1, ORDERLY_ACK);
    uint32_t id = 1;
    lab_step(&lab, (struct od_event){.type = OD_EVENT_REVOKE, .partitions = {&id, 1, lab.now + 280000, false}});
    lab_settle(&lab, records + 4, 1, ORDERLY_RELEASE);
    lab_tick(&lab, lab.now + 30000);
    commit = lab_effect(&lab, OD_EFFECT_COMMIT, 0);
    assert_non_null(commit);
    assert_int_equal(commit->offset, 4);
    struct od_offset_map map;
    assert_int_equal(od_offset_map_decode(&map, commit->commit.text, commit->commit.text_size, 4, 0), ORDERLY_OK);
    assert_int_equal(map.refusal, OD_MAP_ACCEPTED);
    for (int64_t at = 4; at < 12000; at++) {
        assert_int_equal(od_offset_map_done(&map, at, 1), at % 2);
    }
    od_offset_map_fini(&map);
    free(records);
    lab_fini(&lab);
}

static void nothing_is_committed_twice(void **state)
{
    (void)state;
    struct lab lab;
    lab_init(&lab, (const char *const[]){NULL});
    lab_assign(&lab, 1, OD_TOPIC_SOURCE, 0);
    uint64_t *records = every_second(&lab, 10);
    lab_tick(&lab, lab.now + 1000);
    const struct od_effect *commit = lab_effect(&lab, OD_EFFECT_COMMIT, 0);
    assert_non_null(commit);
    lab_committed(&lab, 1, commit->commit.sequence);
    for (int i = 0; i < 20; i++) {
        lab_tick(&lab, lab.now + 1000);
        assert_null(lab_effect(&lab, OD_EFFECT_COMMIT, 0));
    }
    assert_int_equal(od_core_counters(lab.core)->commits, 1);
    free(records);
    lab_fini(&lab);
}

static void an_answer_of_another_sequence_is_ignored(void **state)
{
    (void)state;
    struct lab lab;
    struct od_core_partition view;
    lab_init(&lab, (const char *const[]){NULL});
    lab_assign(&lab, 1, OD_TOPIC_SOURCE, 0);
    uint64_t *records = every_second(&lab, 2);
    lab_settle(&lab, records, 1, ORDERLY_ACK);
    lab_tick(&lab, lab.now + 1000);
    const struct od_effect *commit = lab_effect(&lab, OD_EFFECT_COMMIT, 0);
    assert_non_null(commit);
    uint64_t sequence = commit->commit.sequence;
    lab_committed(&lab, 1, sequence + 1);
    assert_true(od_core_partition(lab.core, 1, &view));
    assert_int_equal(view.committed, 0);
    lab_committed(&lab, 1, sequence);
    assert_true(od_core_partition(lab.core, 1, &view));
    assert_int_equal(view.committed, 2);
    free(records);
    lab_fini(&lab);
}

static const struct od_effect *next_commit(struct lab *lab)
{
    lab_tick(lab, lab->now + 1000);
    const struct od_effect *commit = lab_effect(lab, OD_EFFECT_COMMIT, 0);
    assert_non_null(commit);
    lab_committed(lab, 1, commit->commit.sequence);
    return commit;
}

/* Offsets [first, next): what is not in `list` is no record. */
static void read_up_to(struct lab *lab, const struct od_fetched *list, size_t count, int64_t next, int32_t leader_epoch)
{
    lab_step(lab, (struct od_event){
                      .type = OD_EVENT_FETCHED,
                      .fetched = {
                          .id = 1, .list = list, .count = count, .next_offset = next, .leader_epoch = leader_epoch}});
}

static void an_offset_goes_with_the_highest_epoch_read(void **state)
{
    (void)state;
    struct lab lab;
    struct od_assign assign = {1, 0, 1, OD_TOPIC_SOURCE};
    lab_init(&lab, (const char *const[]){NULL});
    lab_step(&lab, (struct od_event){.type = OD_EVENT_ASSIGNED, .assigned = {&assign, 1}});
    lab_step(&lab, (struct od_event){.type = OD_EVENT_READY, .ready = {.id = 1, .position = 10, .leader_epoch = 3}});

    /* Nothing has been handled: the epoch of before stays. */
    struct od_fetched records[] = {{.tag = 1, .offset = 12, .leader_epoch = 4, .size_bytes = 10},
                                   {.tag = 2, .offset = 13, .leader_epoch = 6, .size_bytes = 10}};
    read_up_to(&lab, NULL, 0, 12, -1);
    const struct od_effect *commit = next_commit(&lab);
    assert_int_equal(commit->offset, 12);
    assert_int_equal(commit->commit.leader_epoch, 3);

    /* A record that still runs counts: an offset may come to stand behind a gap before it, of an epoch that nobody tells. */
    read_up_to(&lab, records, 2, 14, -1);
    assert_int_equal(lab.effects.run_count, 2);
    uint64_t runs[] = {lab.effects.runs[0].record, lab.effects.runs[1].record};
    assert_int_equal(lab.effects.runs[1].tag, 2);
    lab_settle(&lab, &runs[1], 1, ORDERLY_ACK);
    commit = next_commit(&lab);
    assert_int_equal(commit->offset, 12);
    assert_int_equal(commit->commit.leader_epoch, 6);

    /* Control records at the end of the log, of a later leader. */
    read_up_to(&lab, NULL, 0, 15, 7);
    lab_settle(&lab, &runs[0], 1, ORDERLY_ACK);
    commit = next_commit(&lab);
    assert_int_equal(commit->offset, 15);
    assert_int_equal(commit->commit.leader_epoch, 7);

    /* Of another place nothing is known. */
    lab_step(&lab, (struct od_event){.type = OD_EVENT_SEEK, .position = {.id = 1, .offset = 5}});
    commit = next_commit(&lab);
    assert_int_equal(commit->offset, 5);
    assert_int_equal(commit->commit.leader_epoch, -1);
    lab_fini(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_map_goes_at_its_own_interval_and_the_offset_with_it),
        cmocka_unit_test(nothing_is_committed_twice),
        cmocka_unit_test(an_answer_of_another_sequence_is_ignored),
        cmocka_unit_test(an_offset_goes_with_the_highest_epoch_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
