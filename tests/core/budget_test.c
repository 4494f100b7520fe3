#include "lab.h"

#include <stdlib.h>

enum { MANY = 1000 };

struct credit {
    uint32_t records;
    int64_t bytes;
};

static void note_credits(const struct lab *lab, struct credit *credits)
{
    const struct od_effect *effect;
    for (size_t i = 0; (effect = lab_effect(lab, OD_EFFECT_FETCH, i)); i++) {
        credits[effect->id] = (struct credit){effect->fetch.records, effect->fetch.bytes};
    }
}

static int64_t sum(const struct credit *credits)
{
    int64_t bytes = 0;
    for (size_t i = 0; i <= MANY; i++) {
        bytes += credits[i].bytes;
    }
    return bytes;
}

static void credits_of_a_thousand_partitions_stay_within_the_memory(void **state)
{
    (void)state;
    struct lab lab;
    struct od_core_totals totals;
    struct credit *credits = calloc(MANY + 1, sizeof *credits);
    int64_t *next = calloc(MANY + 1, sizeof *next);
    lab_init(&lab, (const char *const[]){"memory.records", "64MiB", "concurrency", "10", NULL});
    for (uint32_t id = 1; id <= MANY; id++) {
        struct od_assign assign = {id, 0, (int32_t)id, OD_TOPIC_SOURCE};
        lab_step(&lab, (struct od_event){.type = OD_EVENT_ASSIGNED, .assigned = {&assign, 1}});
        note_credits(&lab, credits);
        lab_step(&lab, (struct od_event){.type = OD_EVENT_READY, .ready = {.id = id}});
        note_credits(&lab, credits);
        assert_true(sum(credits) <= lab.settings.memory_records / 8 * 7);
    }
    /* Everybody hands over all that the credits allow, a record of 3,000 bytes more each. */
    for (int round = 0; round < 3; round++) {
        for (uint32_t id = 1; id <= MANY; id++) {
            size_t count = credits[id].bytes > 0 ? (size_t)(credits[id].bytes + 2999) / 3000 : 0;
            count = count < credits[id].records ? count : credits[id].records;
            credits[id] = (struct credit){0};
            lab_fetch(&lab, id, next[id], count, 3000, 0);
            next[id] += (int64_t)count;
            note_credits(&lab, credits);
        }
    }
    od_core_totals(lab.core, &totals);
    assert_true((int64_t)totals.bytes_held <= lab.settings.memory_records / 8 * 7 + MANY * 3000);
    assert_true((int64_t)totals.bytes_held >= lab.settings.memory_records / 2); /* and it is used */
    free(credits);
    free(next);
    lab_fini(&lab);
}

static void the_share_of_who_leaves_goes_to_who_stays(void **state)
{
    (void)state;
    struct lab lab;
    struct credit credits[MANY + 1] = {{0, 0}};
    uint32_t id = 2;
    lab_init(&lab, (const char *const[]){"memory.records", "64MiB", NULL});
    lab_assign(&lab, 1, OD_TOPIC_SOURCE, 0);
    lab_assign(&lab, 2, OD_TOPIC_SOURCE, 0);
    note_credits(&lab, credits);
    int64_t half = credits[2].bytes;
    lab_fetch(&lab, 1, 0, 10, 1000, 0);
    lab_step(&lab, (struct od_event){.type = OD_EVENT_LOST, .partitions = {&id, 1, 0, false}});
    note_credits(&lab, credits);
    assert_int_equal(credits[1].bytes, 2 * half - 10000);
    lab_fini(&lab);
}

static void copies_have_an_eighth_of_their_own(void **state)
{
    (void)state;
    struct lab lab;
    uint64_t records[20];
    lab_init(&lab, (const char *const[]){"memory.records", "1MiB", NULL});
    lab_assign(&lab, 1, OD_TOPIC_SOURCE, 0);
    lab_fetch(&lab, 1, 0, 20, 40000, 0);
    for (size_t i = 0; i < 20; i++) {
        records[i] = lab.effects.runs[i].record;
    }
    lab_settle(&lab, records, 20, ORDERLY_RETRY);
    assert_non_null(lab_effect(&lab, OD_EFFECT_COPY, 2));
    assert_null(lab_effect(&lab, OD_EFFECT_COPY, 3)); /* 3 * 40,000 fit into 131,072 */
    uint64_t first = lab_effect(&lab, OD_EFFECT_COPY, 0)->record;
    for (size_t done = 0; done < 20; done++) {
        lab_step(&lab, (struct od_event){.type = OD_EVENT_COPIED, .copied = {first, OD_COPY_OK}});
        const struct od_effect *next = lab_effect(&lab, OD_EFFECT_COPY, 0);
        assert_true(next != NULL || done >= 17);
        first = records[done + 1 < 20 ? done + 1 : 19];
    }
    struct od_core_totals totals;
    od_core_totals(lab.core, &totals);
    assert_int_equal(totals.bytes_held, 0);
    assert_int_equal(totals.bytes_copying, 0);
    lab_fini(&lab);
}

static void a_record_larger_than_everything_still_gets_through(void **state)
{
    (void)state;
    struct lab lab;
    lab_init(&lab, (const char *const[]){"memory.records", "1MiB", NULL});
    lab_assign(&lab, 1, OD_TOPIC_SOURCE, 0);
    lab_fetch(&lab, 1, 0, 1, 5000000, 0);
    assert_int_equal(lab.effects.run_count, 1);
    uint64_t record = lab.effects.runs[0].record;
    lab_settle(&lab, &record, 1, ORDERLY_DEAD_LETTER);
    assert_non_null(lab_effect(&lab, OD_EFFECT_COPY, 0));
    lab_step(&lab, (struct od_event){.type = OD_EVENT_COPIED, .copied = {record, OD_COPY_OK}});
    const struct od_effect *fetch = lab_effect(&lab, OD_EFFECT_FETCH, 0);
    assert_non_null(fetch);
    assert_true(fetch->fetch.bytes > 0);
    lab_fini(&lab);
}

/* What runs is done a millisecond later, `count` records a millisecond. */
static void run_for(struct lab *lab, int64_t ms, size_t count, int64_t *next, struct credit *credits)
{
    uint64_t *records = calloc(count, sizeof *records);
    for (int64_t end = lab->now + ms; lab->now < end;) {
        lab_fetch(lab, 1, *next, count, 100, 0);
        *next += (int64_t)count;
        note_credits(lab, credits);
        size_t started = lab->effects.run_count;
        for (size_t i = 0; i < started; i++) {
            records[i] = lab->effects.runs[i].record;
        }
        lab_tick(lab, lab->now + 1);
        note_credits(lab, credits);
        lab_settle(lab, records, started, ORDERLY_ACK);
        note_credits(lab, credits);
    }
    free(records);
}

static void little_is_read_ahead_while_records_start_fast(void **state)
{
    (void)state;
    struct lab lab;
    struct credit *credits = calloc(MANY + 1, sizeof *credits);
    int64_t next = 0;
    lab_init(&lab, (const char *const[]){"order", "none", "concurrency", "1000", NULL});
    for (uint32_t id = 1; id <= 4; id++) {
        lab_assign(&lab, id, OD_TOPIC_SOURCE, 0);
        note_credits(&lab, credits);
    }
    run_for(&lab, 500, 5, &next, credits);
    for (uint32_t id = 1; id <= 4; id++) {
        assert_true(credits[id].records > 4000);
    }
    run_for(&lab, 500, 100, &next, credits);
    for (uint32_t id = 1; id <= 4; id++) {
        assert_true(credits[id].records > 0 && credits[id].records <= 1024);
    }
    run_for(&lab, 500, 5, &next, credits);
    for (uint32_t id = 1; id <= 4; id++) {
        assert_true(credits[id].records > 4000);
    }
    lab_fini(&lab);
    free(credits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credits_of_a_thousand_partitions_stay_within_the_memory),
        cmocka_unit_test(the_share_of_who_leaves_goes_to_who_stays),
        cmocka_unit_test(copies_have_an_eighth_of_their_own),
        cmocka_unit_test(a_record_larger_than_everything_still_gets_through),
        cmocka_unit_test(little_is_read_ahead_while_records_start_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
