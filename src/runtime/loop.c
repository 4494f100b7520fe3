/* The loop: its turns. What it does with effects is in perform.c. */
#include "runtime/loop.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/error.h"
#include "runtime/ask.h"
#include "runtime/clock.h"
#include "runtime/commit.h"
#include "runtime/log.h"
#include "runtime/member.h"
#include "runtime/record.h"

/* A turn at least this often: so that a process that stood still is noticed. */
#define TURN_MAX_MS 500
/* After the close deadline: the engine has this long to leave. */
#define LEAVE_GRACE_MS 12000

void od_loop_clock(struct od_loop *loop)
{
    od_clock_both(&loop->now_ms, &loop->wall_ms);
}

struct od_lease *od_loop_lease(struct od_loop *loop, uint32_t id)
{
    if (id != loop->last_id) {
        uint64_t lease = 0;
        if (!od_map_get(&loop->leases, id, &lease)) {
            return NULL;
        }
        loop->last_id = id;
        loop->last_lease = (struct od_lease *)(uintptr_t)lease;
    }
    return loop->last_lease;
}

/* ---- faults ---- */

static void fail(struct od_loop *loop, enum orderly_err code, int kafka_code, bool ends, const char *text)
{
    struct orderly *orderly = loop->orderly;
    od_log(orderly, ends ? ORDERLY_LOG_ERROR : ORDERLY_LOG_WARNING, "engine", "%s", text);
    pthread_mutex_lock(&orderly->mutex);
    od_fail_kafka(&orderly->last_error, code, kafka_code, "%s", text);
    if (ends && orderly->fatal == ORDERLY_OK) {
        orderly->fatal = code;
    }
    pthread_mutex_unlock(&orderly->mutex);
    loop->poll_fault = code;
    if (ends) {
        atomic_store(&orderly->closing, true);
    }
}

void od_loop_fault(void *opaque, const struct od_engine_fault *fault)
{
    struct od_loop *loop = opaque;
    loop->engine_faults++;
    fail(loop, fault->code, fault->kafka_code, fault->ends, fault->text);
}

void od_loop_out_of_memory(struct od_loop *loop)
{
    if (!loop->broken) {
        loop->broken = true;
        loop->ended = true;
        loop->result = ORDERLY_NOMEM;
        fail(loop, ORDERLY_NOMEM, 0, true, "out of memory: the member stops; nothing is committed that is not done");
    }
}

/* ---- stepping ---- */

/* The text of a commit is the core's until its next step: kept when its effects wait for the engine to return. */
static bool keep_texts(struct od_step *step)
{
    step->text_count = 0;
    for (size_t i = 0; i < step->effects.count; i++) {
        struct od_effect *effect = &step->effects.list[i];
        if (effect->type != OD_EFFECT_COMMIT || effect->commit.text_size == 0) {
            continue;
        }
        if (step->text_count == step->text_room) {
            size_t room = step->text_room * 2 + 8;
            char **texts = realloc(step->texts, room * sizeof *texts);
            if (texts == NULL) {
                return false;
            }
            step->texts = texts;
            step->text_room = room;
        }
        char *text = malloc(effect->commit.text_size);
        if (text == NULL) {
            return false;
        }
        memcpy(text, effect->commit.text, effect->commit.text_size);
        step->texts[step->text_count++] = text;
        effect->commit.text = text;
    }
    return true;
}

static struct od_step *next_step(struct od_loop *loop)
{
    if (loop->step_used == loop->step_count) {
        size_t count = loop->step_count * 2 + 16;
        struct od_step *steps = realloc(loop->steps, count * sizeof *steps);
        if (steps == NULL) {
            return NULL;
        }
        memset(steps + loop->step_count, 0, (count - loop->step_count) * sizeof *steps);
        loop->steps = steps;
        loop->step_count = count;
    }
    return &loop->steps[loop->step_used++];
}

void od_loop_step(struct od_loop *loop, struct od_event *event)
{
    if (loop->broken || loop->core == NULL) {
        for (size_t i = 0; event->type == OD_EVENT_FETCHED && i < event->fetched.count; i++) {
            od_message_free((struct od_message *)(uintptr_t)event->fetched.list[i].tag);
        }
        return;
    }
    event->now_ms = loop->now_ms;
    event->wall_ms = loop->wall_ms;
    struct od_step *step = next_step(loop);
    if (step == NULL || od_core_step(loop->core, event, &step->effects) != ORDERLY_OK ||
        (loop->serving && !keep_texts(step))) {
        od_loop_out_of_memory(loop);
        return;
    }
    if (!loop->serving) {
        od_loop_perform(loop);
    }
}

static void assigned(struct od_loop *loop, const struct od_event *event)
{
    struct orderly *orderly = loop->orderly;
    for (size_t i = 0; i < event->assigned.count; i++) {
        const struct od_assign *assign = &event->assigned.list[i];
        int32_t partition;
        const char *topic = od_engine_topic(loop->engine, assign->id, &partition);
        struct od_lease *lease = od_lease_new(orderly, assign, topic);
        if (lease == NULL || !od_map_put(&loop->leases, assign->id, (uint64_t)(uintptr_t)lease)) {
            od_lease_unref(lease);
            od_loop_out_of_memory(loop);
            return;
        }
        pthread_mutex_lock(&orderly->mutex);
        bool added = od_leases_add(orderly, lease);
        pthread_mutex_unlock(&orderly->mutex);
        if (!added) {
            od_loop_out_of_memory(loop);
            return;
        }
    }
    od_log(orderly, ORDERLY_LOG_INFO, "rebalance", "assigned %zu partition%s", event->assigned.count,
           event->assigned.count == 1 ? "" : "s");
}

static void log_partitions(struct od_loop *loop, const struct od_event *event, const char *what)
{
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < event->partitions.count && used < sizeof names - 1; i++) {
        const struct od_lease *lease = od_loop_lease(loop, event->partitions.ids[i]);
        if (lease != NULL) {
            int written = snprintf(names + used, sizeof names - used, "%s%s/%d", used > 0 ? " " : "", lease->topic,
                                   (int)lease->partition);
            used += written > 0 ? (size_t)written : 0;
        }
    }
    od_log(loop->orderly, ORDERLY_LOG_INFO, "rebalance", "%s %zu partition%s: %s%s", what, event->partitions.count,
           event->partitions.count == 1 ? "" : "s", names, used >= sizeof names - 1 ? "..." : "");
}

static void committed(struct od_loop *loop, const struct od_event *event)
{
    struct od_lease *lease = od_loop_lease(loop, event->committed.id);
    if (lease != NULL) {
        od_commit_heard(loop, lease, event->committed.result);
    }
}

static void count_fetched(struct od_loop *loop, const struct od_event *event)
{
    const struct od_lease *lease = od_loop_lease(loop, event->fetched.id);
    if (lease != NULL) {
        od_meters_source(&loop->meters, lease->source)->fetched[lease->kind == OD_TOPIC_RETRY] += event->fetched.count;
    }
}

void od_loop_event(void *opaque, struct od_event *event)
{
    struct od_loop *loop = opaque;
    switch ((int)event->type) {
    case OD_EVENT_ASSIGNED:
        assigned(loop, event);
        break;
    case OD_EVENT_REVOKE:
        loop->rebalance_since_ms = loop->now_ms;
        log_partitions(loop, event, "asked to give up");
        od_poll_give_back(loop, true);
        break;
    case OD_EVENT_LOST:
        log_partitions(loop, event, "lost");
        for (size_t i = 0; i < event->partitions.count; i++) {
            struct od_lease *lease = od_loop_lease(loop, event->partitions.ids[i]);
            if (lease != NULL) {
                atomic_store(&lease->lost, true);
                lease->no_more = true;
            }
        }
        od_poll_give_back(loop, true);
        break;
    case OD_EVENT_COMMITTED:
        committed(loop, event);
        break;
    case OD_EVENT_FETCHED:
        count_fetched(loop, event);
        break;
    default:
        break;
    }
    od_loop_step(loop, event);
}

/* ---- the inbox ---- */

static bool is_never(const struct od_settings *settings, const char *error_class)
{
    for (size_t i = 0; error_class != NULL && i < settings->retry_never.count; i++) {
        if (strcmp(settings->retry_never.items[i], error_class) == 0) {
            return true;
        }
    }
    return false;
}

static void measure(struct od_loop *loop, const struct orderly_record *record, enum orderly_outcome outcome)
{
    struct od_source_counts *counts = od_meters_source(&loop->meters, record->lease->source);
    counts->settled[outcome]++;
    counts->attempts += outcome != ORDERLY_RELEASE;
    od_meter_add(&loop->meters.attempt, record->run_us);
    od_meter_add(&loop->meters.queue_wait, record->wait_us);
    if (outcome == ORDERLY_ACK) {
        int64_t written_ms = orderly_record_timestamp_ms(record);
        counts->acked_timestamp_ms = written_ms;
        od_meter_add(&loop->meters.end_to_end, (loop->wall_ms - written_ms) * 1000);
    }
}

/* Copies say when it was tried. */
static void note_attempt(const struct od_loop *loop, struct orderly_record *base, enum orderly_outcome outcome)
{
    base->last_attempt_ms = loop->wall_ms;
    if (base->first_attempt_ms == 0 && outcome != ORDERLY_RELEASE) {
        base->first_attempt_ms = loop->wall_ms; /* retried in its lane it has several here */
    }
}

static struct od_settled take_settled(struct od_loop *loop, struct orderly_record *record)
{
    struct orderly_record *base = record->base != NULL ? record->base : record;
    unsigned state = atomic_load(&record->state);
    bool late = state == OD_RECORD_STALE_SETTLED;
    struct od_settled settled = {.record = record->id,
                                 .outcome = late ? ORDERLY_RELEASE : (enum orderly_outcome)(state - OD_RECORD_SETTLED),
                                 .not_run = record->not_run,
                                 .delay_ms = record->delay_ms,
                                 .due_ms = record->due_ms,
                                 .run_us = record->run_us};
    if (record->not_run) {
        /* as if it had never been begun */
    } else {
        if (base->has_copy_text || atomic_load_explicit(&record->has_text, memory_order_relaxed)) {
            od_record_keep_texts(record);
            settled.never = settled.outcome == ORDERLY_RETRY && is_never(&loop->orderly->settings, base->copy_class);
        }
        if (settled.outcome != ORDERLY_ACK) {
            note_attempt(loop, base, settled.outcome);
        }
        measure(loop, record, settled.outcome);
    }
    if (base->run == record && base != record) {
        base->run = NULL;
        od_record_drop(record);
    }
    od_record_drop(record);
    return settled;
}

void od_loop_settled(struct od_loop *loop, struct orderly_record *first)
{
    size_t count = 0;
    while (first != NULL) {
        struct orderly_record *record = first;
        if (count == loop->settled_room) {
            size_t room = loop->settled_room * 2 + 256;
            struct od_settled *settled = realloc(loop->settled, room * sizeof *settled);
            if (settled == NULL) {
                od_loop_out_of_memory(loop);
                return;
            }
            loop->settled = settled;
            loop->settled_room = room;
        }
        first = record->next;
        __builtin_prefetch(first);
        loop->settled[count++] = take_settled(loop, record);
    }
    if (count > 0) {
        od_loop_step(loop,
                     &(struct od_event){.type = OD_EVENT_SETTLED, .settled = {.list = loop->settled, .count = count}});
    }
}

/* Leaves by that time; the gate is given back. A second, earlier time replaces the first. */
static void leave_by(struct od_loop *loop, int64_t until_ms)
{
    od_poll_give_back(loop, true);
    od_poll_gate(loop, false);
    if (!loop->close_told || until_ms < loop->close_until_ms) {
        loop->close_told = true;
        loop->close_until_ms = until_ms;
        od_loop_step(loop, &(struct od_event){.type = OD_EVENT_CLOSE, .close = {.deadline_ms = until_ms}});
    }
}

static void receive(struct od_loop *loop, const struct od_post *post)
{
    struct od_event event = {.type = OD_EVENT_TICK};
    switch (post->type) {
    case OD_POST_ASK:
        od_ask_answer(loop, post->pointer);
        return;
    case OD_POST_ALLOW:
        od_poll_gate(loop, false);
        return;
    case OD_POST_POLL:
        od_poll_begin(loop);
        return;
    case OD_POST_COMMIT:
        od_commit_begin(loop, post->pointer, post->a);
        return;
    case OD_POST_CLOSE:
        leave_by(loop, post->b);
        return;
    case OD_POST_UNRUN:
        od_loop_step(loop, &(struct od_event){.type = OD_EVENT_SETTLED,
                                              .settled = {.list = &(struct od_settled){.record = post->a,
                                                                                       .outcome = ORDERLY_RELEASE,
                                                                                       .not_run = true,
                                                                                       .delay_ms = -1,
                                                                                       .run_us = -1},
                                                          .count = 1}});
        return;
    case OD_POST_CALLBACK_DONE:
        event.type = OD_EVENT_CALLBACK_DONE;
        event.callback.sequence = post->a;
        break;
    case OD_POST_POSITION:
        event.type = OD_EVENT_POSITION;
        event.position.id = (uint32_t)post->a;
        event.position.offset = post->b;
        break;
    case OD_POST_MARK_OFFSET:
        event.type = OD_EVENT_MARK_OFFSET;
        event.position.id = (uint32_t)post->a;
        event.position.offset = post->b;
        break;
    }
    loop->marking = post->type == OD_POST_MARK_OFFSET;
    od_loop_step(loop, &event);
    loop->marking = false;
}

static void read_inbox(struct od_loop *loop)
{
    struct orderly_record *first;
    if (!od_inbox_take(&loop->orderly->inbox, &first, &loop->posts)) {
        od_loop_out_of_memory(loop);
    }
    od_loop_clock(loop); /* not before anything that was taken: delays count from now */
    if (first != NULL) {
        od_loop_settled(loop, first);
    }
    for (size_t i = 0; i < loop->posts.count; i++) {
        receive(loop, &loop->posts.items[i]);
    }
}

/* ---- turns ---- */

static void notice_standing_still(struct od_loop *loop)
{
    int64_t boot_ms = od_clock_boot_ms();
    int64_t stood_ms = boot_ms - loop->boot_ms;
    loop->boot_ms = boot_ms;
    if (stood_ms > loop->orderly->settings.session_timeout) {
        od_log(loop->orderly, ORDERLY_LOG_WARNING, "loop",
               "the process stood still for %lld ms, longer than session.timeout.ms: nothing is started or committed "
               "until the broker has confirmed the membership",
               (long long)stood_ms);
        od_engine_stood_still(loop->engine, stood_ms);
    }
}

static void serve(struct od_loop *loop)
{
    loop->serving = true;
    od_engine_serve(loop->engine, loop->now_ms, loop->wall_ms);
    loop->serving = false;
    od_loop_perform(loop);
}

static void check_close(struct od_loop *loop)
{
    struct orderly *orderly = loop->orderly;
    if (!loop->close_told && atomic_load(&orderly->closing)) {
        const struct od_settings *settings = &orderly->settings;
        int64_t within_ms = settings->close_timeout;
        if (orderly->fatal != ORDERLY_OK && within_ms > settings->drain_timeout) {
            within_ms = settings->drain_timeout;
        }
        leave_by(loop, od_clock_after(loop->now_ms, within_ms));
        od_member_ring(orderly); /* sleepers of partitions */
    }
    if (loop->close_told && !loop->ended &&
        loop->now_ms > od_clock_after(loop->close_until_ms, orderly->settings.commit_timeout + LEAVE_GRACE_MS)) {
        od_log(orderly, ORDERLY_LOG_ERROR, "close", "leaving the group took too long: it is left without an answer");
        od_loop_step(loop, &(struct od_event){.type = OD_EVENT_LEFT}); /* the core gives back what it holds */
        loop->ended = true;
        loop->result = ORDERLY_TIMEOUT;
    }
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Sleeps until there is something to do. True: the engine has something, or its time has come. */
static bool wait_turn(struct od_loop *loop, int64_t until_ms)
{
    int64_t engine_ms = od_engine_deadline(loop->engine, loop->now_ms);
    until_ms = earlier(until_ms, engine_ms);
    until_ms = earlier(until_ms, od_core_deadline(loop->core));
    if (loop->polling) {
        until_ms = earlier(until_ms, loop->poll_until_ms);
    }
    int64_t wait_ms = until_ms - od_clock_ms();
    wait_ms = wait_ms < 0 ? 0 : earlier(wait_ms, TURN_MAX_MS);
    if (wait_ms > 0 && !od_inbox_sleep(&loop->orderly->inbox)) {
        wait_ms = 0;
    }
    struct pollfd fds[2] = {{.fd = loop->orderly->inbox.fd, .events = POLLIN},
                            {.fd = od_engine_fd(loop->engine), .events = POLLIN}};
    int ready = poll(fds, 2, (int)wait_ms);
    od_inbox_awake(&loop->orderly->inbox, ready > 0 && fds[0].revents != 0);
    od_loop_clock(loop);
    return (ready > 0 && fds[1].revents != 0) || loop->now_ms >= engine_ms;
}

static void turn(struct od_loop *loop)
{
    int64_t handlers_ms = od_deadlines_expire(loop->orderly, loop->now_ms);
    bool engine = wait_turn(loop, handlers_ms);
    notice_standing_still(loop);
    read_inbox(loop);
    check_close(loop);
    if (engine && !loop->ended) {
        serve(loop);
    }
    if (!loop->ended && loop->now_ms >= od_core_deadline(loop->core)) {
        od_loop_step(loop, &(struct od_event){.type = OD_EVENT_TICK});
    }
    od_poll_end_turn(loop);
}

/* The end: who asked gets an answer, who settles from now on is too late. */
static void finish(struct od_loop *loop)
{
    struct orderly *orderly = loop->orderly;
    pthread_mutex_lock(&orderly->idle);
    od_inbox_open(&orderly->inbox, false);
    read_inbox(loop);
    od_poll_end(loop);
    od_commit_end(orderly);
    size_t cursor = 0;
    uint64_t id, lease;
    while (od_map_next(&loop->leases, &cursor, &id, &lease)) {
        atomic_store(&((struct od_lease *)(uintptr_t)lease)->closed, true);
        if (!loop->broken) { /* else records may need it that the core has not forgotten: better kept for ever */
            od_lease_unref((struct od_lease *)(uintptr_t)lease);
        }
    }
    od_map_clear(&loop->leases);
    loop->last_id = 0;
    pthread_mutex_lock(&orderly->mutex);
    orderly->phase = OD_PHASE_ENDED;
    orderly->result = orderly->fatal != ORDERLY_OK ? orderly->fatal : loop->result;
    pthread_cond_broadcast(&orderly->bell);
    pthread_mutex_unlock(&orderly->mutex);
    pthread_mutex_unlock(&orderly->idle);
}

static void *loop_main(void *opaque)
{
    struct orderly *orderly = opaque;
    struct od_loop *loop = &orderly->loop;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    pthread_setname_np(pthread_self(), "orderly-loop");
    od_block_keep(true);
    od_loop_clock(loop);
    loop->boot_ms = od_clock_boot_ms();
    enum orderly_err started = od_engine_start(loop->engine, &error);
    if (started != ORDERLY_OK) {
        fail(loop, started, error.kafka_code, true, error.text);
    }
    while (!loop->ended) {
        turn(loop);
    }
    finish(loop);
    od_block_keep(false);
    od_member_unref(orderly);
    return NULL;
}

enum orderly_err od_loop_start(struct orderly *orderly)
{
    struct od_loop *loop = &orderly->loop;
    loop->config.settings = &orderly->settings;
    enum orderly_err error = od_core_new(&loop->config, &loop->core);
    if (error != ORDERLY_OK) {
        return error;
    }
    od_inbox_open(&orderly->inbox, true);
    od_member_ref(orderly);
    if (pthread_create(&loop->thread, NULL, loop_main, orderly) != 0) {
        od_inbox_open(&orderly->inbox, false);
        od_member_unref(orderly);
        od_core_free(loop->core);
        loop->core = NULL;
        return ORDERLY_LIMIT;
    }
    loop->started = true;
    return ORDERLY_OK;
}

void od_loop_retire(struct od_loop *loop)
{
    od_core_free(loop->core);
    od_engine_free(loop->engine);
    loop->core = NULL;
    loop->engine = NULL;
}

void od_loop_fini(struct od_loop *loop)
{
    od_loop_retire(loop);
    for (size_t i = 0; i < loop->step_count; i++) {
        od_effects_fini(&loop->steps[i].effects);
        free(loop->steps[i].texts);
    }
    free(loop->steps);
    od_map_fini(&loop->leases);
    free(loop->posts.items);
    free(loop->settled);
    for (size_t i = 0; i < OD_REASONS; i++) {
        free(loop->reasons[i]);
    }
    od_meters_fini(&loop->meters);
}
