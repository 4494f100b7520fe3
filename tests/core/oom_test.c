/* Memory that runs out: the step says so, nothing breaks, and nothing is leaked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../base/oom.c" /* NOLINT(bugprone-suspicious-include): the tests of base own it */
#include "base/config.h"
#include "core/core.h"

enum { RECORDS = 300, RUNS = 4096 };

struct play {
    struct od_core *core;
    struct od_effects effects;
    int64_t now;
    bool failed;
    uint64_t runs[RUNS], copies[RUNS], commit[8], callback;
    size_t run_count, copy_count;
};

static void step(struct play *play, struct od_event *event)
{
    if (play->failed) {
        return;
    }
    event->now_ms = play->now;
    event->wall_ms = play->now + 1000000;
    enum orderly_err error = od_core_step(play->core, event, &play->effects);
    if (error != ORDERLY_OK) {
        assert_int_equal(error, ORDERLY_NOMEM);
        play->failed = true;
        return;
    }
    for (size_t i = 0; i < play->effects.count; i++) {
        const struct od_effect *effect = &play->effects.list[i];
        for (size_t k = 0; effect->type == OD_EFFECT_RUN && k < effect->run.count; k++) {
            play->runs[play->run_count++ % RUNS] = play->effects.runs[effect->run.first + k].record;
        }
        if (effect->type == OD_EFFECT_COPY) {
            play->copies[play->copy_count++ % RUNS] = effect->record;
        } else if (effect->type == OD_EFFECT_COMMIT) {
            play->commit[effect->id] = effect->commit.sequence;
        } else if (effect->type == OD_EFFECT_CALLBACK) {
            play->callback = effect->ids.sequence;
        }
    }
}

static void fetch(struct play *play, uint32_t id, int64_t from, int64_t wait)
{
    static struct od_fetched list[RECORDS];
    for (size_t i = 0; i < RECORDS; i++) {
        list[i] = (struct od_fetched){.tag = 1 + i + (uint64_t)from * 10 + id * 100000,
                                      .offset = from + (int64_t)i,
                                      .leader_epoch = 1,
                                      .size_bytes = 4000,
                                      .has_key = i % 4 > 0,
                                      .key_hash = i % 50,
                                      .due_ms = wait ? play->now + 1000000 + wait : 0,
                                      .delay_ms = wait,
                                      .copy_hash = wait ? i + 1 : 0};
    }
    struct od_event event = {.type = OD_EVENT_FETCHED, .fetched = {id, list, RECORDS, from + RECORDS, true, 0}};
    step(play, &event);
}

static void settle_all(struct play *play)
{
    static struct od_settled list[RUNS];
    size_t count = play->run_count < RUNS ? play->run_count : RUNS;
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct od_settled){.record = play->runs[i],
                                      .outcome = i % 7 == 1   ? ORDERLY_RETRY
                                                 : i % 7 == 2 ? ORDERLY_DEAD_LETTER
                                                 : i % 7 == 3 ? ORDERLY_RELEASE
                                                              : ORDERLY_ACK,
                                      .delay_ms = 500,
                                      .run_us = 10};
    }
    play->run_count = 0;
    struct od_event event = {.type = OD_EVENT_SETTLED, .settled = {list, count}};
    step(play, &event);
}

static void answers(struct play *play)
{
    for (size_t i = 0; i < play->copy_count && i < RUNS; i++) {
        struct od_event event = {.type = OD_EVENT_COPIED,
                                 .copied = {play->copies[i], i % 3 ? OD_COPY_OK : OD_COPY_AGAIN}};
        step(play, &event);
    }
    play->copy_count = 0;
    for (uint32_t id = 1; id < 4; id++) {
        struct od_event event = {.type = OD_EVENT_COMMITTED, .committed = {id, play->commit[id], OD_COMMIT_OK}};
        step(play, &event);
    }
    struct od_event event = {.type = OD_EVENT_CALLBACK_DONE, .callback = {play->callback}};
    step(play, &event);
}

static void scene(struct play *play)
{
    struct od_assign list[] = {{1, 0, 0, OD_TOPIC_SOURCE}, {2, 0, 0, OD_TOPIC_RETRY}, {3, 1, 1, OD_TOPIC_SOURCE}};
    uint32_t ids[] = {1, 2}, third = 3;
    struct od_event event = {.type = OD_EVENT_ASSIGNED, .assigned = {list, 3}};
    step(play, &event);
    for (uint32_t id = 1; id < 4; id++) {
        event = (struct od_event){.type = OD_EVENT_READY, .ready = {.id = id}};
        step(play, &event);
    }
    answers(play);
    for (int round = 0; round < 3; round++) {
        fetch(play, 1, round * RECORDS, 0);
        fetch(play, 2, round * RECORDS, 2000);
        fetch(play, 3, round * RECORDS, 0);
        settle_all(play);
        play->now += 1200;
        answers(play);
        settle_all(play);
        event = (struct od_event){.type = OD_EVENT_COMMIT_WANT, .commit_want = {NULL, 0, 1}};
        step(play, &event);
    }
    event = (struct od_event){.type = OD_EVENT_SEEK, .position = {3, 5000, 0}};
    step(play, &event);
    event = (struct od_event){.type = OD_EVENT_REVOKE, .partitions = {ids, 2, play->now + 100000, false}};
    step(play, &event);
    answers(play);
    settle_all(play);
    answers(play);
    event = (struct od_event){.type = OD_EVENT_LOST, .partitions = {&third, 1, 0, true}};
    step(play, &event);
    answers(play);
    event = (struct od_event){.type = OD_EVENT_CLOSE, .close = {play->now + 100}};
    step(play, &event);
    play->now += 200000;
    answers(play);
    event = (struct od_event){.type = OD_EVENT_LEFT};
    step(play, &event);
}

static void settings_of(struct od_settings *ret, const char *order, const char *in)
{
    const char *pairs[][2] = {{"kafka.group.id", "g"},
                              {"kafka.bootstrap.servers", "localhost:1"},
                              {"topics", "t"},
                              {"order", order},
                              {"retry.in", in},
                              {"memory.records", "1MiB"},
                              {"dead_letter.max_rate", "50%"}};
    struct orderly_config *config;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(orderly_config_set(config, pairs[i][0], pairs[i][1], &error), ORDERLY_OK);
    }
    assert_int_equal(od_settings_finish(config, ret, &error), ORDERLY_OK);
    orderly_config_free(config);
}

/* Every allocation fails once, each in a run of its own, until a run gets through. */
static void sweep(const char *order, const char *in)
{
    struct od_settings settings;
    settings_of(&settings, order, in);
    struct od_core_config config = {
        .settings = &settings, .workers = 2, .has_assigned = true, .has_revoked = true, .has_lost = true};
    unsigned n = 1;
    for (bool hit = true; hit; n++) {
        static struct play play;
        memset(&play, 0, sizeof play);
        play.now = 1000;
        oom_arm(n);
        enum orderly_err error = od_core_new(&config, &play.core);
        if (error == ORDERLY_OK) {
            scene(&play);
        }
        hit = oom_disarm();
        assert_int_equal(hit, error != ORDERLY_OK || play.failed);
        if (error == ORDERLY_OK) {
            od_core_free(play.core);
        }
        od_effects_fini(&play.effects);
    }
    assert_true(n > 50 || !oom_possible());
    od_settings_fini(&settings);
}

static void each_failed_allocation_ends_in_nomem(void **state)
{
    (void)state;
    sweep("key", "lane");
    sweep("none", "topic");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_failed_allocation_ends_in_nomem)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
