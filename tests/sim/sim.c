/* One history: the clock, the queue of what comes, failing with a sentence. */
#include "sim/sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct sim *current; /* for od_panic */

void sim_fail(struct sim *sim, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim->reason, sizeof sim->reason, format, arguments);
    va_end(arguments);
    sim_say(sim, "FAILED: %s", sim->reason);
    longjmp(sim->out, 1);
}

/* A broken assertion of the core is a failed history, with its transcript. */
void od_panic(const char *file, int line, const char *expression)
{
    const char *slash = strrchr(file, '/');
    if (!current) {
        fprintf(stderr, "%s:%d: %s\n", file, line, expression);
        abort();
    }
    sim_fail(current, "assertion at %s:%d: %s", slash ? slash + 1 : file, line, expression);
}

void sim_say(struct sim *sim, const char *format, ...)
{
    if (!sim->transcript) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    fprintf(sim->transcript, "%9.3f  ", (double)sim->now / 1000.0);
    vfprintf(sim->transcript, format, arguments);
    fputc('\n', sim->transcript);
    va_end(arguments);
}

bool sim_chance(struct sim *sim, uint32_t thousandths)
{
    return od_random_chance(&sim->random, thousandths);
}

int64_t sim_between(struct sim *sim, int64_t low, int64_t high)
{
    return od_random_between(&sim->random, low, high);
}

/* ---- the queue: a binary heap by time, then by the order of pushing */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void push(struct sim *sim, struct sim_event event)
{
    if (!od_vec_push(&sim->heap, event)) {
        abort();
    }
    size_t at = sim->heap.count - 1;
    for (struct sim_event *heap = sim->heap.items; at && before(&event, &heap[(at - 1) / 2]); at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = event;
    }
}

void sim_at(struct sim *sim, int64_t delay, sim_action *action, struct sim_event event)
{
    event.at = sim->now + (delay > 0 ? delay : 0);
    event.seq = ++sim->seq;
    event.action = action;
    push(sim, event);
}

void sim_at_first(struct sim *sim, int64_t delay, sim_action *action, struct sim_event event)
{
    event.at = sim->now + delay;
    event.seq = 0;
    event.action = action;
    push(sim, event);
}

static struct sim_event pop(struct sim *sim)
{
    struct sim_event *heap = sim->heap.items, first = heap[0], last = od_vec_pop(&sim->heap);
    size_t at = 0, count = sim->heap.count;
    while (2 * at + 1 < count) {
        size_t child = 2 * at + 1;
        child += child + 1 < count && before(&heap[child + 1], &heap[child]);
        if (!before(&heap[child], &last)) {
            break;
        }
        heap[at] = heap[child];
        at = child;
    }
    if (count) {
        heap[at] = last;
    }
    return first;
}

/* ---- one history */

/* What comes to a frozen member waits for its thaw. */
static void deliver(struct sim *sim, const struct sim_event *event)
{
    if (event->incarnation) {
        const struct sim_member *member = &sim->members[event->member];
        if (!member->alive || member->incarnation != event->incarnation) {
            return;
        }
        if (member->frozen) {
            struct sim_event later = *event;
            later.at = member->thaw_at; /* the thaw itself comes first then */
            push(sim, later);
            return;
        }
    }
    event->action(sim, event);
}

static void play(struct sim *sim)
{
    while (sim->heap.count) {
        struct sim_event event = pop(sim);
        sim->now = event.at;
        if (++sim->counts.events > 2000000) {
            sim_fail(sim, "two million events: something turns in a circle");
        }
        deliver(sim, &event);
        if (sim->healed && sim->now > sim->end_at) {
            break;
        }
    }
    sim_check_finished(sim);
}

static void release(struct sim *sim)
{
    for (int i = 0; i < SIM_MEMBERS; i++) {
        struct sim_member *member = &sim->members[i];
        od_core_free(member->core);
        od_effects_fini(&member->effects);
        od_vec_fini(&member->revoking);
        od_vec_fini(&member->batch);
    }
    for (size_t i = 0; i < sim->partitions.count; i++) {
        od_vec_fini(&sim->partitions.items[i].log);
    }
    for (size_t i = 0; i < sim->stays.count; i++) {
        od_offset_map_fini(&sim->stays.items[i].map);
    }
    for (size_t i = 0; i < sim->jobs.count; i++) {
        od_vec_fini(&sim->jobs.items[i].stopped_lanes);
    }
    od_vec_fini(&sim->partitions);
    od_vec_fini(&sim->stays);
    od_vec_fini(&sim->tags);
    od_vec_fini(&sim->runs);
    od_vec_fini(&sim->active);
    od_vec_fini(&sim->jobs);
    od_vec_fini(&sim->heap);
    od_vec_fini(&sim->texts);
}

bool sim_history(uint64_t seed, const struct sim_situation *situation, FILE *transcript, struct sim_counts *counts,
                 char reason[512])
{
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim) {
        abort();
    }
    sim->seed = seed;
    sim->situation = situation;
    sim->transcript = transcript;
    od_random_init(&sim->random, seed * UINT64_C(0x9e3779b97f4a7c15) + 1);
    current = sim;
    bool right = setjmp(sim->out) == 0;
    if (right) {
        sim_draw(sim);
        play(sim);
    }
    current = NULL;
    memcpy(reason, sim->reason, sizeof sim->reason);
    uint64_t *sum = (uint64_t *)(void *)counts;
    const uint64_t *add = (const uint64_t *)(const void *)&sim->counts;
    for (size_t i = 0; i < sizeof *counts / sizeof *sum; i++) {
        sum[i] += add[i];
    }
    release(sim);
    free(sim);
    return right;
}
