/* Performing the core's effects, in their order, by a table. */
#include <stdlib.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "runtime/commit.h"
#include "runtime/gate.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/member.h"
#include "runtime/record.h"

typedef void od_perform(struct od_loop *, const struct od_step *, const struct od_effect *);

static struct orderly_record *base_of(const struct od_effect *effect)
{
    return od_record_of((struct od_message *)(uintptr_t)effect->tag);
}

/* A record that cannot be run goes back to the core as not run. Without memory for that the loop ends (od_inbox_take). */
static void return_unrun(struct od_loop *loop, uint64_t record)
{
    enum orderly_err error = od_inbox_post(&loop->orderly->inbox, (struct od_post){.type = OD_POST_UNRUN, .a = record});
    (void)error;
}

static void append(struct od_chain *chain, struct orderly_record *record)
{
    if (chain->last != NULL) {
        chain->last->job_next = record;
    } else {
        chain->first = record;
    }
    chain->last = record;
    chain->count++;
}

static void append_job(struct od_chain *jobs, struct orderly_record *job)
{
    job->job_queue = NULL;
    if (jobs->last != NULL) {
        jobs->last->job_queue = job;
    } else {
        jobs->first = job;
    }
    jobs->last = job;
    jobs->count++;
}

/* How late a retry is handed out, of those whose due time came with them. */
static void measure_lateness(struct od_loop *loop, const struct od_lease *lease, const struct orderly_record *record)
{
    if (lease->kind != OD_TOPIC_RETRY && !loop->orderly->settings.honour_retry_after) {
        return;
    }
    const struct od_message *message = od_record_message(record);
    int64_t due_ms = od_message_due_ms(message);
    if (due_ms > 0 && record->attempt == od_message_attempts(message) + 1) {
        od_meter_add(&loop->meters.lateness, (loop->wall_ms - due_ms) * 1000);
    }
}

static void perform_run(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    struct orderly_record *job = NULL, *last = NULL;
    uint64_t count = 0;
    int64_t now_us = od_clock_us();
    loop->wanting = false;
    for (size_t i = 0; i < effect->run.count; i++) {
        const struct od_run *run = &step->effects.runs[effect->run.first + i];
        if (i + 2 < effect->run.count) {
            __builtin_prefetch(od_message_room((struct od_message *)(uintptr_t)run[2].tag), 1);
        }
        struct od_lease *lease = od_loop_lease(loop, run->id);
        struct orderly_record *record = lease != NULL ? od_record_begin(run, lease) : NULL;
        if (record == NULL) {
            return_unrun(loop, run->record);
            continue;
        }
        record->queued_us = now_us;
        measure_lateness(loop, lease, record);
        if (loop->config.poll_face) {
            append(&loop->ready, record);
            continue;
        }
        record->counted = true;
        count++;
        if (last != NULL) {
            last->job_next = record;
        } else {
            job = record;
        }
        last = record;
    }
    if (job != NULL) {
        atomic_fetch_add(&job->lease->out, count); /* a job is of one partition */
        append_job(&loop->jobs, job);
    }
}

/* Takes back what no worker has begun. */
static void withdraw(struct od_loop *loop, struct orderly_record *record)
{
    if (!od_record_withdraw(record)) {
        return;
    }
    /* Whoever was to run it has a reference and will leave it out. */
    od_record_ref(record);
    if (!od_inbox_splice(&loop->orderly->inbox, record, record)) {
        od_record_drop(record);
    }
}

static void perform_recall(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    struct orderly_record *base = base_of(effect);
    withdraw(loop, base->run != NULL ? base->run : base);
}

/*
 * First all that have not begun, then those that run: a handler that stops at once must not let its worker begin the next one of those that
 * are about to be cancelled.
 */
static void withdraw_all(struct od_loop *loop, const struct od_step *step, const struct od_effect *from)
{
    for (const struct od_effect *effect = from; effect < step->effects.list + step->effects.count; effect++) {
        if (effect->type == OD_EFFECT_CANCEL) {
            struct orderly_record *base = base_of(effect);
            withdraw(loop, base->run != NULL ? base->run : base);
        }
    }
}

static void perform_cancel(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    if (effect == step->effects.list || effect[-1].type != OD_EFFECT_CANCEL) {
        withdraw_all(loop, step, effect);
    }
    struct orderly_record *base = base_of(effect);
    struct orderly_record *record = base->run != NULL ? base->run : base;
    unsigned state = atomic_load(&record->state);
    if (state == OD_RECORD_OUT || state == OD_RECORD_SOUGHT) {
        od_record_cancel(record, effect->cancel.reason, od_clock_after(loop->now_ms, effect->cancel.left_ms));
    }
}

static void perform_copy(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    struct orderly_record *base = base_of(effect);
    const struct od_lease *lease = od_loop_lease(loop, effect->id);
    if (effect->copy.kind == OD_COPY_DEAD_LETTER && !base->dead && lease != NULL) {
        base->dead = true; /* however often the copy is tried */
        od_meters_dead_letter(&loop->meters, lease->source, base->copy_class);
    }
    struct od_copy_request request = {.record = effect->record,
                                      .id = effect->id,
                                      .message = od_record_message(base),
                                      .kind = effect->copy.kind,
                                      .form = effect->copy.form,
                                      .attempts = effect->copy.attempts,
                                      .due_ms = effect->copy.due_ms,
                                      .delay_ms = effect->copy.delay_ms,
                                      .first_attempt_ms = base->first_attempt_ms,
                                      .last_attempt_ms = base->last_attempt_ms,
                                      .error_class = base->copy_class,
                                      .error_text = base->copy_text};
    od_engine_copy(loop->engine, &request);
}

static void perform_commit(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    struct od_lease *lease = od_loop_lease(loop, effect->id);
    if (lease != NULL) {
        lease->commit_offset = effect->offset;
    }
    od_engine_commit(loop->engine, effect->id, effect->offset, effect->commit.leader_epoch, effect->commit.text,
                     effect->commit.text_size, effect->commit.sequence);
}

static void perform_fetch(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    od_engine_fetch(loop->engine, effect->id, effect->fetch.records, effect->fetch.bytes);
}

static void perform_reread(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    od_engine_reread(loop->engine, effect->record, effect->id, effect->offset);
}

static void perform_seek(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    od_engine_seek(loop->engine, effect->id, effect->offset);
}

static void perform_answer_revoke(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    if (loop->rebalance_since_ms != 0) {
        int64_t took_ms = loop->now_ms - loop->rebalance_since_ms;
        od_meter_add(&loop->meters.rebalance, took_ms * 1000);
        if (loop->drain_since_ms != 0) {
            od_meter_add(&loop->meters.drain, (loop->now_ms - loop->drain_since_ms) * 1000);
        }
        od_log(loop->orderly, ORDERLY_LOG_INFO, "rebalance", "gave up %zu partition%s after %lld ms", effect->ids.count,
               effect->ids.count == 1 ? "" : "s", (long long)took_ms);
    }
    loop->rebalance_since_ms = loop->drain_since_ms = 0;
    od_engine_answer_revoke(loop->engine, step->effects.ids + effect->ids.first, effect->ids.count);
}

static void perform_answer_lost(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    loop->rebalance_since_ms = loop->drain_since_ms = 0;
    od_engine_answer_lost(loop->engine, step->effects.ids + effect->ids.first, effect->ids.count);
}

/* Nobody is told: the core is answered at once. */
static void callback_done(struct od_loop *loop, uint64_t sequence)
{
    enum orderly_err error =
        od_inbox_post(&loop->orderly->inbox, (struct od_post){.type = OD_POST_CALLBACK_DONE, .a = sequence});
    (void)error;
}

static void perform_callback(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    static const enum od_callback_type types[] = {[OD_CALLBACK_ASSIGNED] = OD_CALL_ASSIGNED,
                                                  [OD_CALLBACK_REVOKED] = OD_CALL_REVOKED,
                                                  [OD_CALLBACK_LOST] = OD_CALL_LOST};
    enum od_callback_type type = types[effect->ids.callback];
    struct od_call *call = NULL;
    if (loop->orderly->callback_queue.started) {
        call = od_call_new(type, effect->ids.count);
    }
    size_t count = 0;
    for (size_t i = 0; i < effect->ids.count; i++) {
        struct od_lease *lease = od_loop_lease(loop, step->effects.ids[effect->ids.first + i]);
        if (lease == NULL) {
            continue;
        }
        lease->no_more = lease->no_more || type != OD_CALL_ASSIGNED;
        if (call != NULL) {
            od_lease_ref(lease);
            call->leases[count++] = lease;
        }
    }
    if (call == NULL) {
        callback_done(loop, effect->ids.sequence);
        return;
    }
    call->count = count;
    call->sequence = effect->ids.sequence;
    od_callbacks_queue(loop->orderly, call);
}

static void perform_position(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    struct od_lease *lease = od_loop_lease(loop, effect->id);
    struct od_call *call = NULL;
    if (lease != NULL && od_callbacks_has(loop->orderly, OD_CALL_POSITION)) {
        call = od_call_new(OD_CALL_POSITION, 1);
    }
    if (call == NULL) {
        enum orderly_err error = od_inbox_post(
            &loop->orderly->inbox, (struct od_post){.type = OD_POST_POSITION, .a = effect->id, .b = effect->offset});
        (void)error;
        return;
    }
    od_lease_ref(lease);
    call->leases[0] = lease;
    call->offset = effect->offset;
    od_callbacks_queue(loop->orderly, call);
}

static void perform_waiting(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    struct od_call *call = NULL;
    if (od_callbacks_has(loop->orderly, OD_CALL_WAITING)) {
        call = od_call_new(OD_CALL_WAITING, 0);
    }
    if (call == NULL) {
        return;
    }
    od_gate_fill(loop, &call->gate);
    call->gate.left_ms = effect->waiting.left_ms;
    call->gate.waiting = effect->waiting.waiting;
    od_callbacks_queue(loop->orderly, call);
}

static void perform_forget(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    od_record_forget(base_of(effect), loop->marking);
}

static void perform_commit_done(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    od_commit_done(loop->orderly, effect->done.token, effect->done.error);
}

/* Partition workers must go: a later reason replaces an earlier one. */
static void quit(struct od_loop *loop, struct od_lease *lease, enum orderly_reason reason)
{
    struct orderly *orderly = loop->orderly;
    lease->no_more = true;
    atomic_store(&lease->quit, (int)reason);
    pthread_mutex_lock(&orderly->mutex);
    if (lease->quit_fd >= 0) {
        uint64_t one = 1;
        ssize_t written = write(lease->quit_fd, &one, sizeof one);
        (void)written;
    }
    pthread_mutex_unlock(&orderly->mutex);
    od_member_ring(orderly);
}

static void perform_quit(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    struct od_lease *lease = od_loop_lease(loop, effect->id);
    if (lease != NULL) {
        if (loop->drain_since_ms == 0 && loop->rebalance_since_ms != 0) {
            loop->drain_since_ms = loop->now_ms;
        }
        quit(loop, lease, effect->cancel.reason);
    }
}

static void perform_closed_assignment(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    struct od_lease *lease = od_loop_lease(loop, effect->id);
    if (lease == NULL) {
        return;
    }
    atomic_store(&lease->closed, true);
    int reason = atomic_load(&lease->quit);
    quit(loop, lease, reason != ORDERLY_REASON_NONE ? (enum orderly_reason)reason : ORDERLY_REASON_REVOKED);
    od_map_remove(&loop->leases, effect->id, NULL);
    loop->last_id = 0;
    od_lease_unref(lease);
}

static void perform_leave(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    (void)effect;
    od_engine_leave(loop->engine);
}

static void perform_closed(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    loop->ended = true;
    loop->result = effect->done.error;
}

static void perform_tell(struct od_loop *loop, const struct od_step *step, const struct od_effect *effect)
{
    (void)step;
    if (effect->tell.tell == OD_TELL_STATE_ENTERED && effect->id == 0) {
        loop->state_since_ms[effect->tell.state] = loop->now_ms;
    }
    const struct orderly_record *base = effect->tag != 0 ? base_of(effect) : NULL;
    od_log_tell(loop->orderly, effect, effect->id != 0 ? od_loop_lease(loop, effect->id) : NULL,
                base != NULL ? base->copy_class : NULL, base != NULL ? base->copy_text : NULL);
}

static od_perform *const table[] = {
    [OD_EFFECT_FETCH] = perform_fetch,
    [OD_EFFECT_REREAD] = perform_reread,
    [OD_EFFECT_RUN] = perform_run,
    [OD_EFFECT_CANCEL] = perform_cancel,
    [OD_EFFECT_COPY] = perform_copy,
    [OD_EFFECT_COMMIT] = perform_commit,
    [OD_EFFECT_ANSWER_REVOKE] = perform_answer_revoke,
    [OD_EFFECT_ANSWER_LOST] = perform_answer_lost,
    [OD_EFFECT_CALLBACK] = perform_callback,
    [OD_EFFECT_POSITION] = perform_position,
    [OD_EFFECT_WAITING] = perform_waiting,
    [OD_EFFECT_SEEK] = perform_seek,
    [OD_EFFECT_FORGET] = perform_forget,
    [OD_EFFECT_LET_GO] = perform_forget,
    [OD_EFFECT_COMMIT_DONE] = perform_commit_done,
    [OD_EFFECT_CLOSED_ASSIGNMENT] = perform_closed_assignment,
    [OD_EFFECT_QUIT] = perform_quit,
    [OD_EFFECT_LEAVE] = perform_leave,
    [OD_EFFECT_CLOSED] = perform_closed,
    [OD_EFFECT_TELL] = perform_tell,
    [OD_EFFECT_RECALL] = perform_recall,
};

void od_loop_perform(struct od_loop *loop)
{
    if (loop->step_used == 0) {
        return;
    }
    for (size_t i = 0; i < loop->step_used; i++) {
        struct od_step *step = &loop->steps[i];
        for (size_t j = 0; j < step->effects.count; j++) {
            const struct od_effect *effect = &step->effects.list[j];
            table[effect->type](loop, step, effect);
        }
        for (size_t j = 0; j < step->text_count; j++) {
            free(step->texts[j]);
        }
        step->text_count = 0;
    }
    loop->step_used = 0;
    od_engine_flush(loop->engine);
    if (loop->jobs.count > 0) {
        od_pool_push(&loop->orderly->pool, loop->jobs.first, loop->jobs.last, loop->jobs.count);
        loop->jobs = (struct od_chain){0};
    }
}
