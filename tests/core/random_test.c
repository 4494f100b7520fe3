/*
 * Random events against one core, and a model that knows what may be said: tags are given back exactly once, nothing runs twice at once or
 * early, lanes and concurrency hold, a commit never passes what is unfinished, memory and window stay within their limits, time moves on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/config.h"
#include "random_model.h"

/* In place of the weak one: says which seed. */
void od_panic(const char *file, int line, const char *expression)
{
    fprintf(stderr, "seed %llu: %s:%d: assertion failed: %s\n", (unsigned long long)model_seed, file, line, expression);
    abort();
}

static uint64_t below(struct world *w, uint64_t bound)
{
    return od_random_below(&w->random, bound);
}

static struct stay *any_stay(struct world *w)
{
    struct stay *found = NULL;
    uint64_t seen = 0;
    for (size_t i = 0; i < w->stays.count; i++) {
        struct stay *stay = &w->stays.items[i];
        if (stay->live && !stay->ending && below(w, ++seen) == 0) {
            found = stay;
        }
    }
    return found;
}

static void assign(struct world *w)
{
    size_t live = 0;
    for (size_t i = 0; i < w->stays.count; i++) {
        live += w->stays.items[i].live;
    }
    if (live >= MODEL_STAYS) {
        return;
    }
    struct stay stay = {.id = ++w->last_id,
                        .live = true,
                        .next = (int64_t)below(w, 100),
                        .kind = below(w, 2) ? OD_TOPIC_RETRY : OD_TOPIC_SOURCE};
    struct od_assign one = {stay.id, (uint32_t)below(w, 2), (int32_t)stay.id, stay.kind};
    check(w, od_vec_push(&w->stays, stay));
    struct od_event event = {.type = OD_EVENT_ASSIGNED, .assigned = {&one, 1}};
    model_step(w, &event);
}

static void ready(struct world *w, struct stay *stay)
{
    stay->ready = true;
    stay->floor = stay->next;
    struct od_event event = {.type = OD_EVENT_READY,
                             .ready = {.id = stay->id, .position = stay->next, .resolved = below(w, 2)}};
    model_step(w, &event);
}

static void fetch(struct world *w, struct stay *stay)
{
    struct od_fetched list[64];
    size_t count = below(w, 64);
    count = count < stay->credit ? count : stay->credit;
    int64_t bytes = 0;
    size_t took = 0;
    for (; took < count && bytes < stay->credit_bytes; took++) {
        stay->next += below(w, 5) == 0 ? (int64_t)below(w, 4) : 0;
        uint32_t size = (uint32_t)below(w, 4) ? 100 : 30000;
        int64_t wait = stay->kind == OD_TOPIC_RETRY && below(w, 2) ? (int64_t)below(w, 20000) : 0;
        struct item item = {
            .offset = stay->next, .stay = stay->id, .size = size, .tag = w->tags.count, .due = w->now + wait};
        uint8_t held = TAG_HELD;
        check(w, od_vec_push(&w->items, item) && od_vec_push(&w->tags, held));
        list[took] = (struct od_fetched){.tag = item.tag,
                                         .offset = stay->next++,
                                         .leader_epoch = 1,
                                         .size_bytes = size,
                                         .has_key = below(w, 4) > 0,
                                         .key_hash = below(w, 6),
                                         .due_ms = wait ? w->now + wait + MODEL_WALL : 0,
                                         .delay_ms = wait,
                                         .attempts = wait ? 1 : 0};
        bytes += size;
    }
    stay->credit -= (uint32_t)took;
    stay->credit_bytes -= bytes;
    struct od_event event = {.type = OD_EVENT_FETCHED,
                             .fetched = {stay->id, list, took, stay->next + (int64_t)below(w, 2), true, 0}};
    stay->next = event.fetched.next_offset;
    model_step(w, &event);
}

static enum orderly_outcome outcome(struct world *w)
{
    static const enum orderly_outcome rare[] = {ORDERLY_RETRY, ORDERLY_RETRY, ORDERLY_DEAD_LETTER, ORDERLY_RELEASE,
                                                ORDERLY_DROP,  ORDERLY_HOLD,  ORDERLY_THROTTLE,    ORDERLY_UNSET};
    return below(w, 4) ? ORDERLY_ACK : rare[below(w, sizeof rare / sizeof *rare)];
}

static void judge(struct world *w, struct item *item, const struct od_settled *settled)
{
    const struct stay *stay = model_stay_of(w, item->stay);
    w->running--;
    item->fate = FATE_WAITS;
    if (item->offset < stay->floor || settled->not_run) {
        return;
    }
    if (settled->outcome == ORDERLY_ACK || settled->outcome == ORDERLY_DROP) {
        item->fate = FATE_DONE;
        w->done++;
    } else if (settled->outcome == ORDERLY_DEAD_LETTER || settled->outcome == ORDERLY_RETRY) {
        bool lane = w->settings.retry_in == OD_RETRY_IN_LANE && settled->outcome == ORDERLY_RETRY && !settled->never;
        item->fate = lane ? FATE_WAITS : FATE_COPIES;
        item->due = lane && settled->delay_ms > 0 ? w->now + settled->delay_ms : 0;
    }
}

static void settle(struct world *w)
{
    struct od_settled list[32];
    size_t count = 0, most = 1 + below(w, 31);
    for (size_t i = w->items.count; i-- > 0 && count < most;) {
        struct item *item = &w->items.items[i];
        if (item->fate != FATE_RUNS || below(w, 3) == 0) {
            continue;
        }
        list[count] = (struct od_settled){.record = item->record,
                                          .outcome = outcome(w),
                                          .not_run = below(w, 20) == 0,
                                          .never = w->settings.retry_in == OD_RETRY_IN_TOPIC && below(w, 10) == 0,
                                          .delay_ms = below(w, 2) ? (int64_t)below(w, 5000) : -1,
                                          .run_us = (int64_t)below(w, 100)};
        judge(w, item, &list[count]);
        count++;
    }
    if (w->late.count && below(w, 2)) {
        list[count++] = (struct od_settled){.record = od_vec_pop(&w->late), .outcome = ORDERLY_ACK, .delay_ms = -1};
    }
    if (count > 31) {
        count = 31;
    }
    struct od_event event = {.type = OD_EVENT_SETTLED, .settled = {list, count}};
    model_step(w, &event);
}

static void copied(struct world *w)
{
    if (!w->copies.count) {
        return;
    }
    size_t at = below(w, w->copies.count);
    uint64_t record = w->copies.items[at];
    od_vec_remove_swap(&w->copies, at);
    struct item *item = model_by_record(w, record);
    struct od_event event = {.type = OD_EVENT_COPIED,
                             .copied = {record, below(w, 3) ? OD_COPY_OK : (enum od_copy_result)below(w, 4)}};
    if (event.copied.result == OD_COPY_OK && item && item->fate == FATE_COPIES) {
        item->fate = FATE_DONE;
        w->done++;
    }
    if (event.copied.result >= OD_COPY_TOO_LARGE && item && item->fate == FATE_COPIES && item->relief) {
        item->fate = FATE_WAITS; /* a favour that was not granted */
    }
    model_step(w, &event);
    if (item && item->fate == FATE_COPIES && event.copied.result >= OD_COPY_TOO_LARGE && below(w, 4) == 0) {
        struct od_event reset = {.type = OD_EVENT_RESET_GUARD};
        model_step(w, &reset);
    }
}

static void reread(struct world *w)
{
    if (!w->rereads.count) {
        return;
    }
    uint64_t record = od_vec_pop(&w->rereads);
    struct item *item = model_by_record(w, record);
    uint8_t held = TAG_HELD;
    struct od_event event = {
        .type = OD_EVENT_REREAD,
        .reread = {record, below(w, 4) ? OD_REREAD_OK : OD_REREAD_AGAIN, 0, item ? item->size : 100}};
    if (event.reread.result == OD_REREAD_OK) {
        event.reread.tag = w->tags.count;
        check(w, od_vec_push(&w->tags, held));
        if (item && w->tags.items[item->tag] == TAG_LET_GO) {
            item->tag = event.reread.tag;
        }
    }
    model_step(w, &event);
}

static void committed(struct world *w, bool well)
{
    for (size_t i = 0; i < w->stays.count; i++) {
        struct stay *stay = &w->stays.items[i];
        if (stay->live && stay->commit && (well || below(w, 2))) {
            struct od_event event = {.type = OD_EVENT_COMMITTED, .committed = {stay->id, stay->commit, OD_COMMIT_OK}};
            if (!well && below(w, 4) == 0) {
                event.committed.result =
                    (enum od_commit_result[]){OD_COMMIT_AGAIN, OD_COMMIT_OVERTAKEN, OD_COMMIT_REFUSED}[below(w, 3)];
            }
            stay->commit = 0;
            model_step(w, &event);
        }
    }
}

static void end_some(struct world *w, bool revoke)
{
    uint32_t ids[MODEL_STAYS];
    size_t count = 0;
    if (revoke && w->revoke_open) {
        return;
    }
    for (size_t i = 0; i < w->stays.count; i++) {
        struct stay *stay = &w->stays.items[i];
        if (stay->live && (!revoke || !stay->ending) && below(w, 2)) {
            stay->ending = true;
            ids[count++] = stay->id;
        }
    }
    if (!count) {
        return;
    }
    struct od_event event = {.type = revoke ? OD_EVENT_REVOKE : OD_EVENT_LOST,
                             .partitions = {ids, count, w->now + 60000 + (int64_t)below(w, 200000), below(w, 2)}};
    if (revoke) {
        w->revoke_open = true;
        od_vec_clear(&w->revoking);
        for (size_t i = 0; i < count; i++) {
            check(w, od_vec_push(&w->revoking, ids[i]));
        }
    } else {
        for (size_t i = w->revoking.count; i-- > 0;) {
            for (size_t k = 0; k < count; k++) {
                if (i < w->revoking.count && w->revoking.items[i] == ids[k]) {
                    od_vec_remove_swap(&w->revoking, i);
                }
            }
        }
    }
    for (size_t k = 0; !revoke && k < count; k++) {
        model_cut(w, ids[k]);
    }
    model_step(w, &event);
    if (w->revoke_open && w->revoking.count == 0) {
        w->revoke_open = false; /* all of it was lost: no answer comes */
    }
}

static void some_event(struct world *w)
{
    struct stay *stay = any_stay(w);
    struct od_event event = {.type = OD_EVENT_TICK};
    switch (below(w, 10)) {
    case 0:
        event.type = below(w, 2) ? OD_EVENT_PAUSE : OD_EVENT_RESUME;
        event.pause.ids = stay ? &stay->id : NULL;
        event.pause.count = stay != NULL;
        event.pause.reason = (uint32_t)below(w, 2);
        break;
    case 1:
        event.type = below(w, 4) ? OD_EVENT_CONFIRMED : OD_EVENT_SUSPECT;
        break;
    case 2:
        event.type = OD_EVENT_COMMIT_WANT;
        event.commit_want.token = below(w, 1000);
        break;
    case 3:
        event.type = OD_EVENT_GATE;
        event.gate.taken = below(w, 2);
        break;
    case 4:
        event.type = OD_EVENT_RESET_GUARD;
        break;
    case 5:
        if (stay && stay->ready && below(w, 10) == 0) {
            event.type = OD_EVENT_SEEK;
            event.position.id = stay->id;
            event.position.offset = stay->next + 10; /* forward only: an offset names one record here */
        }
        break;
    default:
        break;
    }
    model_step(w, &event);
}

static void turn(struct world *w)
{
    struct stay *stay = any_stay(w);
    struct od_event event = {.type = OD_EVENT_TICK};
    int64_t at = od_core_deadline(w->core);
    switch (below(w, 14)) {
    case 0:
        w->now += (int64_t)below(w, 500);
        w->now = at < w->now ? at : w->now;
        model_step(w, &event);
        break;
    case 1:
        w->now = at < w->now + 30000 ? at : w->now;
        model_step(w, &event);
        break;
    case 2:
        assign(w);
        break;
    case 3:
    case 4:
    case 5:
        if (stay && !stay->ready) {
            ready(w, stay);
        } else if (stay) {
            fetch(w, stay);
        }
        break;
    case 6:
        copied(w);
        break;
    case 7:
        committed(w, false);
        break;
    case 8:
        reread(w);
        break;
    case 9:
        if (w->callbacks.count) {
            event.type = OD_EVENT_CALLBACK_DONE;
            event.callback.sequence = w->callbacks.items[0];
            memmove(w->callbacks.items, w->callbacks.items + 1, --w->callbacks.count * sizeof(uint64_t));
            model_step(w, &event);
        }
        break;
    case 10:
        if (below(w, 12) == 0) {
            end_some(w, below(w, 3) > 0);
        }
        break;
    case 11:
        some_event(w);
        break;
    case 12:
        if (w->config.poll_face) {
            event.type = OD_EVENT_WANT;
            event.number.n = w->want = below(w, 50);
            model_step(w, &event);
        }
        break;
    default:
        settle(w);
        break;
    }
}

/* Leaves, with everybody helping; it must end. */
static void finish(struct world *w)
{
    struct od_event event = {.type = OD_EVENT_CONFIRMED};
    model_step(w, &event);
    w->closing = true;
    event = (struct od_event){.type = OD_EVENT_CLOSE, .close = {w->now + 100000}};
    model_step(w, &event);
    for (unsigned turns = 0; !w->closed; turns++) {
        check(w, turns < 3000);
        event = (struct od_event){.type = OD_EVENT_TICK};
        int64_t at = od_core_deadline(w->core);
        w->now = at == INT64_MAX ? w->now + 1 : at;
        model_step(w, &event);
        settle(w);
        copied(w);
        committed(w, true);
        while (w->callbacks.count) {
            event = (struct od_event){.type = OD_EVENT_CALLBACK_DONE, .callback = {od_vec_pop(&w->callbacks)}};
            model_step(w, &event);
        }
        if (w->leaving) {
            event = (struct od_event){.type = OD_EVENT_LEFT};
            model_step(w, &event);
        }
    }
    while (w->rereads.count) {
        reread(w);
    }
    struct od_core_totals totals;
    od_core_totals(w->core, &totals);
    check(w, totals.queued + totals.running + totals.parked + totals.copying == 0);
    check(w, totals.bytes_held == 0 && totals.bytes_copying == 0);
    for (size_t i = 1; i < w->tags.count; i++) {
        check(w, w->tags.items[i] != TAG_HELD);
    }
}

static void settings_of(struct world *w)
{
    static const char *const orders[] = {"key", "partition", "none"};
    static const char *const windows[] = {"10", "200", "100000"};
    static const char *const parked[] = {"5", "100", "1000000"};
    static const char *const maps[] = {"64", "100", "4000"};
    static const char *const policies[] = {"drain", "finish", "immediate"};
    const char *pairs[][2] = {{"kafka.group.id", "g"},
                              {"kafka.bootstrap.servers", "localhost:1"},
                              {"topics", "t"},
                              {"order", orders[below(w, 3)]},
                              {"retry.in", below(w, 2) ? "lane" : "topic"},
                              {"memory.records", "1MiB"},
                              {"limits.window", windows[below(w, 3)]},
                              {"limits.parked", parked[below(w, 3)]},
                              {"limits.offset_map", maps[below(w, 3)]},
                              {"limits.lane", below(w, 2) ? "3" : "1000"},
                              {"rebalance.policy", policies[below(w, 3)]},
                              {"relief.min_interval", "1s"},
                              {"limits.releases", "2"},
                              {"dead_letter.max_rate", below(w, 2) ? "10%" : "100%"},
                              {"rate.records_per_second", below(w, 4) ? "0" : "50"},
                              {"concurrency", below(w, 2) ? "5" : "64"},
                              {"block_rebalance_on_poll", below(w, 2) ? "true" : "false"},
                              {"dead_letter.oversize", below(w, 2) ? "stop" : "reference"}};
    struct orderly_config *config;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_config_new(&config), ORDERLY_OK);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (orderly_config_set(config, pairs[i][0], pairs[i][1], &error) != ORDERLY_OK) {
            fail_msg("%s", error.text);
        }
    }
    if (od_settings_finish(config, &w->settings, &error) != ORDERLY_OK) {
        fail_msg("%s", error.text);
    }
    orderly_config_free(config);
}

static void one_seed(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    uint8_t none = TAG_GONE;
    od_random_init(&w->random, seed);
    settings_of(w);
    check(w, od_vec_push(&w->tags, none));
    w->now = 1000;
    w->config = (struct od_core_config){.settings = &w->settings,
                                        .poll_face = below(w, 3) == 0,
                                        .workers = 1 + (uint32_t)below(w, 4),
                                        .batch_max = below(w, 4) ? 0 : 4,
                                        .batch_wait_ms = 20,
                                        .has_assigned = below(w, 2),
                                        .has_revoked = below(w, 2),
                                        .has_lost = below(w, 2),
                                        .seed = seed};
    check(w, od_core_new(&w->config, &w->core) == ORDERLY_OK);
    unsigned turns = 200 + (unsigned)below(w, 600);
    for (unsigned i = 0; i < turns; i++) {
        turn(w);
    }
    finish(w);
    od_core_free(w->core);
    od_effects_fini(&w->effects);
    od_settings_fini(&w->settings);
    od_vec_fini(&w->stays);
    od_vec_fini(&w->items);
    od_vec_fini(&w->tags);
    od_vec_fini(&w->copies);
    od_vec_fini(&w->rereads);
    od_vec_fini(&w->callbacks);
    od_vec_fini(&w->late);
    od_vec_fini(&w->revoking);
    free(w);
}

static void random_events_break_no_rule(void **state)
{
    (void)state;
    const char *from = getenv("ORDERLY_SEED"), *count = getenv("ORDERLY_SEEDS");
    uint64_t first = from ? strtoull(from, NULL, 10) : 1;
    uint64_t seeds = count ? strtoull(count, NULL, 10) : from ? 1 : 400;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        model_seed = seed;
        one_seed(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_events_break_no_rule)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
