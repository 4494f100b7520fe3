/* The model of random_test.c. */
#include "random_model.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/offset_map.h"

uint64_t model_seed;

_Noreturn void model_broken(const char *file, int line, const char *what, int64_t now)
{
    fprintf(stderr, "seed %llu, %s:%d: not true at %lld ms: %s\n", (unsigned long long)model_seed, file, line,
            (long long)now, what);
    abort();
}

struct stay *model_stay_of(struct world *w, uint32_t id)
{
    for (size_t i = w->stays.count; i-- > 0;) {
        if (w->stays.items[i].id == id) {
            return &w->stays.items[i];
        }
    }
    return NULL;
}

struct item *model_by_tag(struct world *w, uint64_t tag)
{
    for (size_t i = w->items.count; i-- > 0;) {
        if (w->items.items[i].tag == tag) {
            return &w->items.items[i];
        }
    }
    return NULL;
}

struct item *model_by_record(struct world *w, uint64_t record)
{
    for (size_t i = w->items.count; i-- > 0;) {
        if (w->items.items[i].record == record) {
            return &w->items.items[i];
        }
    }
    return NULL;
}

static void saw_run(struct world *w, const struct od_effect *effect)
{
    for (size_t i = 0; i < effect->run.count; i++) {
        const struct od_run *run = &w->effects.runs[effect->run.first + i];
        struct item *item = model_by_tag(w, run->tag);
        struct stay *stay = model_stay_of(w, run->id);
        check(w, item && w->tags.items[run->tag] == TAG_HELD);
        check(w, stay && stay->ready && !stay->ending && !w->closing);
        check(w, item->fate == FATE_WAITS && item->due <= w->now);
        for (size_t k = 0; run->lane && !w->config.poll_face && k < w->items.count; k++) {
            const struct item *other = &w->items.items[k];
            bool same_job = k + 1 > 0 && other->fate == FATE_RUNS && other->lane == run->lane && other->stay == run->id;
            for (size_t j = 0; same_job && j < i; j++) {
                same_job = w->effects.runs[effect->run.first + j].record != other->record;
            }
            check(w, !same_job || other->tag == item->tag);
        }
        if (w->config.poll_face) {
            check(w, w->want > 0);
            check(w, i == 0 || model_by_tag(w, w->effects.runs[effect->run.first + i - 1].tag)->offset < item->offset);
            w->want--;
        }
        item->fate = FATE_RUNS;
        item->record = run->record;
        item->lane = run->lane;
        w->running++;
        w->runs++;
    }
    check(w, w->config.poll_face || w->running <= (uint64_t)w->settings.concurrency);
}

static void saw_commit(struct world *w, const struct od_effect *effect)
{
    struct stay *stay = model_stay_of(w, effect->id);
    struct od_offset_map map;
    check(w, stay && stay->live && !stay->commit);
    stay->commit = effect->commit.sequence;
    check(w,
          od_offset_map_decode(&map, effect->commit.text, effect->commit.text_size, effect->offset, 0) == ORDERLY_OK);
    check(w, map.refusal == OD_MAP_ACCEPTED || map.refusal == OD_MAP_EMPTY);
    check(w, effect->commit.text_size <= (size_t)w->settings.limit_offset_map);
    for (size_t i = 0; i < w->items.count; i++) {
        const struct item *item = &w->items.items[i];
        if (item->stay == stay->id && item->offset >= stay->floor && item->fate != FATE_DONE) {
            check(w, effect->offset <= item->offset);
            check(w, !od_offset_map_done(&map, item->offset, 1));
        } else if (item->stay == stay->id && item->offset >= stay->floor && item->offset >= effect->offset) {
            check(w,
                  od_offset_map_done(&map, item->offset, 1)); /* the reservation sees to it that nothing is left out */
        }
    }
    od_offset_map_fini(&map);
}

void model_cut(struct world *w, uint32_t id)
{
    for (size_t i = 0; i < w->items.count; i++) {
        struct item *item = &w->items.items[i];
        if (item->stay == id && item->fate == FATE_RUNS) {
            check(w, od_vec_push(&w->late, item->record));
            item->fate = FATE_CUT;
            w->running--;
        }
    }
}

static void close_stay(struct world *w, uint32_t id)
{
    struct stay *stay = model_stay_of(w, id);
    check(w, stay && stay->live);
    model_cut(w, id);
    stay->live = false;
    stay->closed = true;
    for (size_t i = 0; i < w->items.count; i++) {
        struct item *item = &w->items.items[i];
        if (item->stay != id) {
            continue;
        }
        check(w, w->tags.items[item->tag] != TAG_HELD);
        item->fate = FATE_DONE;
    }
}

static void drop(struct world *w, uint64_t tag, enum tag_state to)
{
    check(w, tag > 0 && tag < w->tags.count && w->tags.items[tag] == TAG_HELD);
    w->tags.items[tag] = (uint8_t)to;
}

static void saw_reread(struct world *w, const struct od_effect *effect)
{
    check(w, od_vec_push(&w->rereads, effect->record));
    for (size_t i = 0; i < w->items.count; i++) {
        if (w->items.items[i].stay == effect->id && w->items.items[i].offset == effect->offset) {
            check(w, w->tags.items[w->items.items[i].tag] == TAG_LET_GO);
            w->items.items[i].record = effect->record;
        }
    }
}

static void saw_copy(struct world *w, const struct od_effect *effect)
{
    struct item *item = model_by_tag(w, effect->tag);
    check(w, item && w->tags.items[effect->tag] == TAG_HELD);
    check(w, item->fate == FATE_COPIES || effect->copy.kind == OD_COPY_RELIEF);
    item->fate = FATE_COPIES;
    item->relief = effect->copy.kind == OD_COPY_RELIEF;
    item->record = effect->record;
    check(w, od_vec_push(&w->copies, effect->record));
}

void model_saw(struct world *w, const struct od_effect *effect)
{
    struct stay *stay = effect->id ? model_stay_of(w, effect->id) : NULL;
    switch (effect->type) {
    case OD_EFFECT_FETCH:
        check(w, stay && stay->live);
        stay->credit = effect->fetch.records;
        stay->credit_bytes = effect->fetch.bytes;
        break;
    case OD_EFFECT_REREAD:
        saw_reread(w, effect);
        break;
    case OD_EFFECT_RUN:
        saw_run(w, effect);
        break;
    case OD_EFFECT_COPY:
        saw_copy(w, effect);
        break;
    case OD_EFFECT_COMMIT:
        saw_commit(w, effect);
        break;
    case OD_EFFECT_FORGET:
        drop(w, effect->tag, TAG_GONE);
        break;
    case OD_EFFECT_LET_GO:
        drop(w, effect->tag, TAG_LET_GO);
        break;
    case OD_EFFECT_CALLBACK:
        check(w, od_vec_push(&w->callbacks, effect->ids.sequence));
        break;
    case OD_EFFECT_SEEK:
        check(w, stay && stay->live);
        stay->next = stay->floor = effect->offset;
        stay->credit = 0;
        break;
    case OD_EFFECT_ANSWER_REVOKE:
        check(w, w->revoke_open);
        w->revoke_open = false;
        break;
    case OD_EFFECT_CLOSED_ASSIGNMENT:
        close_stay(w, effect->id);
        break;
    case OD_EFFECT_LEAVE:
        w->leaving = true;
        break;
    case OD_EFFECT_CLOSED:
        w->closed = true;
        break;
    case OD_EFFECT_CANCEL:
        check(w, w->tags.items[effect->tag] == TAG_HELD);
        break;
    case OD_EFFECT_ANSWER_LOST:
    case OD_EFFECT_POSITION:
    case OD_EFFECT_WAITING:
    case OD_EFFECT_COMMIT_DONE:
    case OD_EFFECT_QUIT:
    case OD_EFFECT_RECALL:
        break;
    case OD_EFFECT_TELL:
        if (effect->tell.tell == OD_TELL_DRAIN_CUT) {
            model_cut(w, effect->id);
        }
        break;
    }
}

void model_step(struct world *w, struct od_event *event)
{
    struct od_core_totals totals;
    event->now_ms = w->now;
    event->wall_ms = w->now + MODEL_WALL;
    check(w, od_core_step(w->core, event, &w->effects) == ORDERLY_OK);
    for (size_t i = 0; i < w->effects.count; i++) {
        model_saw(w, &w->effects.list[i]);
    }
    check(w, od_core_deadline(w->core) > w->now);
    od_core_totals(w->core, &totals);
    check(w, od_core_counters(w->core)->early == 0);
    int64_t most = w->settings.memory_records + 40000 * (MODEL_STAYS + 1);
    check(w, (int64_t)(totals.bytes_held + totals.bytes_copying) <= most);
}
