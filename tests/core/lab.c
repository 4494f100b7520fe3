/* A core on the bench. */
#include "lab.h"

#include <stdlib.h>
#include <string.h>

void lab_init(struct lab *lab, const char *const *pairs)
{
    static const char *const usual[] = {
        "kafka.group.id", "g", "kafka.bootstrap.servers", "localhost:1", "topics", "t", "order", "none", NULL};
    struct orderly_config *config;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    memset(lab, 0, sizeof *lab);
    lab->now = 1000;
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    for (const char *const *list = usual; list; list = list == usual ? pairs : NULL) {
        for (size_t i = 0; list[i]; i += 2) {
            if (orderly_config_set(config, list[i], list[i + 1], &error)) {
                fail_msg("%s", error.text);
            }
        }
    }
    if (od_settings_finish(config, &lab->settings, &error)) {
        fail_msg("%s", error.text);
    }
    orderly_config_free(config);
    struct od_core_config core_config = {.settings = &lab->settings, .workers = 2, .seed = 1};
    assert_int_equal(od_core_new(&core_config, &lab->core), ORDERLY_OK);
}

void lab_fini(struct lab *lab)
{
    od_core_free(lab->core);
    od_effects_fini(&lab->effects);
    od_settings_fini(&lab->settings);
}

void lab_step(struct lab *lab, struct od_event event)
{
    event.now_ms = lab->now;
    event.wall_ms = lab->now + 1000000000;
    assert_int_equal(od_core_step(lab->core, &event, &lab->effects), ORDERLY_OK);
}

void lab_assign(struct lab *lab, uint32_t id, enum od_topic_kind kind, int64_t position)
{
    struct od_assign assign = {id, 0, (int32_t)id, kind};
    lab_step(lab, (struct od_event){.type = OD_EVENT_ASSIGNED, .assigned = {&assign, 1}});
    lab_step(lab, (struct od_event){.type = OD_EVENT_READY, .ready = {.id = id, .position = position}});
}

void lab_fetch(struct lab *lab, uint32_t id, int64_t first, size_t count, uint32_t size, int64_t due_in)
{
    struct od_fetched *list = calloc(count ? count : 1, sizeof *list);
    assert_non_null(list);
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct od_fetched){.tag = ++lab->last_tag,
                                      .offset = first + (int64_t)i,
                                      .leader_epoch = 1,
                                      .size_bytes = size,
                                      .has_key = true,
                                      .key_hash = (uint64_t)first + i,
                                      .due_ms = due_in ? lab->now + 1000000000 + due_in : 0,
                                      .delay_ms = due_in};
    }
    lab_step(lab, (struct od_event){.type = OD_EVENT_FETCHED,
                                    .fetched = {id, list, count, first + (int64_t)count, true, 0}});
    free(list);
}

void lab_settle(struct lab *lab, const uint64_t *records, size_t count, enum orderly_outcome outcome)
{
    struct od_settled *list = calloc(count ? count : 1, sizeof *list);
    assert_non_null(list);
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct od_settled){.record = records[i], .outcome = outcome, .delay_ms = -1, .run_us = 10};
    }
    lab_step(lab, (struct od_event){.type = OD_EVENT_SETTLED, .settled = {list, count}});
    free(list);
}

void lab_tick(struct lab *lab, int64_t at)
{
    lab->now = at;
    lab_step(lab, (struct od_event){.type = OD_EVENT_TICK});
}

void lab_committed(struct lab *lab, uint32_t id, uint64_t sequence)
{
    lab_step(lab, (struct od_event){.type = OD_EVENT_COMMITTED, .committed = {id, sequence, OD_COMMIT_OK}});
}

const struct od_effect *lab_effect(const struct lab *lab, enum od_effect_type type, size_t n)
{
    for (size_t i = 0; i < lab->effects.count; i++) {
        if (lab->effects.list[i].type == type && n-- == 0) {
            return &lab->effects.list[i];
        }
    }
    return NULL;
}
