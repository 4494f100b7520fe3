/*
 * The stream handler: long-lived processes that speak JSON lines (contracts.md 4 and 10).
 *
 * One event thread owns all processes and deliveries. A process that breaks the protocol, or that has to be killed for one
 * record, gives its other records back without blame.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/crashes.h"
#include "daemon/exec_end.h"
#include "daemon/exec_env.h"
#include "daemon/handler.h"
#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/stream_delivery.h"
#include "daemon/stream_process.h"
#include "daemon/verdict.h"

enum { EVENTS = 128 };

static const int64_t BACKOFF_FIRST_MS = 1000, BACKOFF_MAX_MS = 60000;

struct stream {
    struct od_handler base;
    const struct od_handler_options *options;
    struct od_stream_common common;
    struct od_crashes crashes;
    struct od_stream_process *processes;
    size_t process_count;
    struct od_stream_deliveries deliveries;
    struct od_queue queue; /* shared with the workers */
    bool unknown_said, killed_told, threaded;
    pthread_t thread;
};

static struct stream *of(struct od_handler *handler)
{
    return (struct stream *)(void *)handler; /* base is its first member */
}

/* ---- Answers ------------------------------------------------------------------------------------------ */

static void settle(struct stream *stream, struct od_stream_delivery *delivery, const struct od_verdict *verdict)
{
    struct orderly_record *record = od_stream_delivery_end(&stream->deliveries, &stream->common, delivery);

    od_queue_ended(&stream->queue, verdict, record);
}

static void on_answer(struct stream *stream, struct od_stream_delivery *delivery, const struct od_answer *answer)
{
    struct od_verdict verdict = OD_VERDICT_INIT;

    od_crashes_forget(&stream->crashes, orderly_record_idempotency_key(delivery->record));
    delivery->process->backoff_ms = 0; /* it works */
    verdict.outcome = answer->outcome;
    verdict.delay_ms = answer->after_ms;
    if (answer->outcome != ORDERLY_ACK) {
        const char *class = answer->error_class[0] != '\0' ? answer->error_class : od_outcome_name(answer->outcome);

        snprintf(verdict.error_class, sizeof verdict.error_class, "%s", class);
        if (answer->message != NULL) {
            od_verdict_text(&verdict, "", answer->message, strlen(answer->message));
        }
    }
    settle(stream, delivery, &verdict);
}

static void on_unknown(struct stream *stream, const struct od_stream_process *process, const char *id)
{
    if (!stream->unknown_said) {
        stream->unknown_said = true;
        od_say_warning("handler", "process %d answered id \"%s\", which it does not have: ignored (said once)",
                       (int)process->pid, id);
    }
}

static void on_hello(struct stream *stream, struct od_stream_process *process, const struct od_stream_said *said)
{
    int64_t most = stream->common.share;

    if (process->max_in_flight > 0) {
        od_stream_process_fault(&stream->common, process, "a second hello", od_clock_ms());
        return;
    }
    if (process->state != OD_STREAM_GREETING) {
        return; /* it was told to go before it could answer */
    }
    if (said->max_in_flight > 0 && said->max_in_flight < most) {
        most = said->max_in_flight;
    }
    process->max_in_flight = (size_t)most;
    process->base64 = said->base64;
    process->state = OD_STREAM_READY;
    od_say_info("handler", "process %d is ready%s%s: %lld records at a time", (int)process->pid,
                said->name[0] != '\0' ? ", it calls itself " : "", said->name, (long long)most);
}

static void on_line(struct stream *stream, struct od_stream_process *process, const char *line, size_t size)
{
    struct od_stream_delivery *delivery;
    struct od_stream_said said;

    od_stream_parse(&said, line, size);
    if (process->state == OD_STREAM_GREETING && said.kind != OD_STREAM_HELLO && said.kind != OD_STREAM_BAD) {
        od_stream_process_fault(&stream->common, process, "something else than hello as its first line", od_clock_ms());
    }
    switch (said.kind) {
    case OD_STREAM_HELLO:
        on_hello(stream, process, &said);
        break;
    case OD_STREAM_ANSWER:
    case OD_STREAM_EXTEND:
        delivery = od_stream_delivery_find(&stream->deliveries, process, said.id);
        if (delivery == NULL) {
            on_unknown(stream, process, said.id);
        } else if (said.kind == OD_STREAM_ANSWER) {
            on_answer(stream, delivery, &said.answer);
        } else if (said.extend_ms >= 0) {
            od_stream_delivery_extend(delivery, said.extend_ms);
        }
        break;
    case OD_STREAM_BYE:
        process->said_bye = true;
        if (process->state == OD_STREAM_READY) {
            process->state = OD_STREAM_LEAVING;
        }
        break;
    case OD_STREAM_PONG:
        break; /* that it said something was noted when it was read */
    case OD_STREAM_BAD: {
        char problem[300];

        snprintf(problem, sizeof problem, "a line that cannot be read: %s", said.problem);
        od_stream_process_fault(&stream->common, process, problem, od_clock_ms());
        break;
    }
    }
    od_answer_fini(&said.answer);
}

static void read_lines(struct stream *stream, struct od_stream_process *process)
{
    const char *line;
    size_t at = 0, size;

    while (!process->fault && od_stream_process_line(&stream->common, process, &at, &line, &size)) {
        on_line(stream, process, line, size);
    }
}

/* ---- The end of a process ----------------------------------------------------------------------------- */

/* Code: of its exit, or minus the signal. Ours: it died of a signal of ours. */
struct end {
    int code;
    bool ours;
    size_t unanswered;
};

/* What the end of its process means for a record that was not answered. */
static void judge(struct stream *stream, struct od_stream_delivery *delivery, const struct end *how_it_ended,
                  struct od_verdict *verdict)
{
    int end = how_it_ended->code;
    struct od_stream_process *process = delivery->process;
    const char *key = orderly_record_idempotency_key(delivery->record);
    struct od_answer answer = OD_ANSWER_INIT;
    struct od_exec_end how = {
        .code = end > 0 ? end : 0,
        .signal = end < 0 ? -end : 0,
        .answer = &answer,
        .tail = "",
        .max_crashes = stream->options->max_crashes,
    };

    *verdict = (struct od_verdict)OD_VERDICT_INIT;
    if (delivery->timed_out) {
        verdict->outcome = ORDERLY_RETRY;
        snprintf(verdict->error_class, sizeof verdict->error_class, "timeout");
        od_verdict_text(verdict, "timeout", "", 0);
    } else if (process->fault) {
        verdict->outcome = ORDERLY_HOLD;
        verdict->blame = OD_BLAME_FAULT;
        snprintf(verdict->error_class, sizeof verdict->error_class, "protocol");
        od_verdict_text(verdict, "", process->problem, strlen(process->problem));
    } else if (how_it_ended->ours || end == 0) {
        verdict->outcome = ORDERLY_RELEASE;
        verdict->blame = OD_BLAME_NEUTRAL;
    } else {
        if (end < 0 && how_it_ended->unanswered == 1) {
            how.crashes = od_crashes_add(&stream->crashes, key); /* of several nobody knows which one did it */
        }
        od_exec_end_judge(&how, verdict);
        if (verdict->outcome == ORDERLY_DEAD_LETTER && how_it_ended->unanswered > 1) {
            verdict->outcome = ORDERLY_RETRY; /* and nobody knows either which one it meant */
        }
    }
}

static void say_end(struct stream *stream, const struct od_stream_process *process, const struct end *end)
{
    char name[16];

    if (process->fault) {
        od_say_error("handler", "process %d broke the protocol: %s", (int)process->pid, process->problem);
    } else if (end->code < 0 && !end->ours) {
        od_say_error("handler", "process %d was killed by %s with %zu records unanswered", (int)process->pid,
                     od_signal_name(-end->code, name, sizeof name), end->unanswered);
    } else if (end->code > 0) {
        od_say_error("handler", "process %d ended with code %d, %zu records unanswered", (int)process->pid, end->code,
                     end->unanswered);
    } else {
        od_say_debug("handler", "%s: process %d has ended", stream->options->name, (int)process->pid);
    }
}

/* When it is started again: at once after a good life, else later and later. */
static void schedule(struct od_stream_process *process, bool good)
{
    int64_t now_ms = od_clock_ms();

    if (good && now_ms - process->started_ms >= BACKOFF_FIRST_MS) {
        process->start_ms = now_ms;
        return;
    }
    process->backoff_ms =
        process->backoff_ms <= 0 ? BACKOFF_FIRST_MS : od_clock_soonest(process->backoff_ms * 2, BACKOFF_MAX_MS);
    process->start_ms = now_ms + process->backoff_ms;
}

/* It ended with nothing in its hands: no record tells the breaker. */
static void tell_of_end(struct stream *stream, const struct od_stream_process *process, const struct end *end)
{
    struct od_verdict verdict = OD_VERDICT_INIT;

    if (end->unanswered > 0 || !(process->fault || (end->code != 0 && !end->ours))) {
        return;
    }
    verdict.blame = end->code == 255 ? OD_BLAME_STOP : OD_BLAME_FAULT;
    if (process->fault) {
        snprintf(verdict.error_class, sizeof verdict.error_class, "protocol");
        od_verdict_text(&verdict, "", process->problem, strlen(process->problem));
    } else if (end->code < 0) {
        char name[16];

        snprintf(verdict.error_class, sizeof verdict.error_class, "crash-%s",
                 od_signal_name(-end->code, name, sizeof name));
    } else {
        snprintf(verdict.error_class, sizeof verdict.error_class, "exit-%d", end->code);
    }
    od_queue_tell(&stream->queue, &verdict);
}

static void on_end(struct stream *stream, struct od_stream_process *process)
{
    struct end end = {0};

    end.code = od_stream_process_reap(&stream->common, process, &end.ours);
    read_lines(stream, process); /* what it said before it went counts */
    end.unanswered = process->in_flight;
    say_end(stream, process, &end);
    for (struct od_stream_delivery *next, *at = stream->deliveries.list; at != NULL; at = next) {
        next = at->next;
        if (at->process == process) {
            struct od_verdict verdict;

            judge(stream, at, &end, &verdict);
            settle(stream, at, &verdict);
        }
    }
    tell_of_end(stream, process, &end);
    process->state = OD_STREAM_WAITING;
    schedule(process, !process->fault && (end.ours || end.code == 0));
}

/* ---- The event thread --------------------------------------------------------------------------------- */

static int64_t start_processes(struct stream *stream, int64_t now_ms)
{
    int64_t next_ms = INT64_MAX;

    if (od_queue_stopped(&stream->queue)) {
        return INT64_MAX;
    }
    for (size_t i = 0; i < stream->process_count; i++) {
        struct od_stream_process *process = &stream->processes[i];
        int error;

        if (process->state != OD_STREAM_WAITING) {
            continue;
        }
        if (now_ms >= process->start_ms) {
            error = od_stream_process_start(&stream->common, process);
            if (error != 0) {
                od_say_error("handler", "%s cannot be started: %s", stream->common.path, strerror(error));
                schedule(process, false);
            }
        }
        if (process->state == OD_STREAM_WAITING) {
            next_ms = od_clock_soonest(next_ms, process->start_ms);
        }
    }
    return next_ms;
}

/* The one that has the most room; NULL: none has. */
static struct od_stream_process *roomy(struct stream *stream)
{
    struct od_stream_process *best = NULL;

    for (size_t i = 0; i < stream->process_count; i++) {
        struct od_stream_process *process = &stream->processes[i];

        if (process->state == OD_STREAM_READY && !process->quiet && process->in_flight < process->max_in_flight &&
            (best == NULL || process->in_flight < best->in_flight)) {
            best = process;
        }
    }
    return best;
}

/* Gives records to processes that have room. */
static void dispatch(struct stream *stream)
{
    struct od_stream_process *process;

    while ((process = roomy(stream)) != NULL) {
        struct orderly_record *record = od_queue_next(&stream->queue);

        if (record == NULL) {
            return;
        }
        if (od_stream_delivery_new(&stream->deliveries, &stream->common, process, record) == NULL) {
            struct od_verdict verdict = OD_VERDICT_INIT;

            verdict.outcome = ORDERLY_HOLD;
            verdict.blame = OD_BLAME_NEUTRAL;
            od_queue_ended(&stream->queue, &verdict, record);
            return;
        }
    }
}

/* The handler is freed: all processes end, gently at first. */
static void end_processes(struct stream *stream, int64_t now_ms)
{
    int64_t grace_ms = stream->options->kill_grace_ms;

    for (size_t i = 0; i < stream->process_count && !stream->killed_told; i++) {
        struct od_stream_process *process = &stream->processes[i];

        if (process->state == OD_STREAM_WAITING) {
            continue;
        }
        process->terminate_ms = now_ms;
        process->term_ms = od_clock_soonest(process->term_ms, now_ms + (process->in_flight > 0 ? 0 : grace_ms / 2));
        process->kill_ms = od_clock_soonest(process->kill_ms, now_ms + (process->in_flight > 0 ? 0 : grace_ms));
    }
    stream->killed_told = true;
}

static bool all_ended(const struct stream *stream)
{
    for (size_t i = 0; i < stream->process_count; i++) {
        if (stream->processes[i].state != OD_STREAM_WAITING) {
            return false;
        }
    }
    return true;
}

/* What is due; returns for how long epoll may wait. */
static int act(struct stream *stream)
{
    int64_t now_ms = od_clock_ms(), next_ms = INT64_MAX, queue_ms;

    for (struct od_stream_delivery *at = stream->deliveries.list; at != NULL; at = at->next) {
        next_ms = od_clock_soonest(next_ms, od_stream_delivery_act(&stream->common, at, now_ms));
    }
    for (size_t i = 0; i < stream->process_count; i++) {
        next_ms = od_clock_soonest(next_ms, od_stream_process_act(&stream->common, &stream->processes[i], now_ms));
    }
    if (!stream->killed_told) {
        next_ms = od_clock_soonest(next_ms, start_processes(stream, now_ms));
    }
    queue_ms = od_queue_check(&stream->queue, now_ms);
    if (roomy(stream) == NULL && queue_ms < now_ms + OD_STREAM_RECHECK_MS) {
        queue_ms = queue_ms == INT64_MAX ? queue_ms : now_ms + OD_STREAM_RECHECK_MS; /* nothing could be done with it */
    }
    next_ms = od_clock_soonest(next_ms, queue_ms);
    if (next_ms == INT64_MAX) {
        return -1;
    }
    return next_ms <= now_ms ? 0 : next_ms - now_ms > 60000 ? 60000 : (int)(next_ms - now_ms);
}

static void on_event(struct stream *stream, struct od_stream_watch *watch)
{
    struct od_stream_process *process = watch->owner;

    if (watch->fd < 0) {
        return; /* closed while this event was on its way */
    }
    switch (watch->kind) {
    case OD_STREAM_PID:
        on_end(stream, process);
        break;
    case OD_STREAM_IN:
        od_stream_process_writable(&stream->common, process);
        break;
    case OD_STREAM_OUT:
        od_stream_process_read(&stream->common, process, od_clock_ms());
        read_lines(stream, process);
        break;
    case OD_STREAM_ERR:
        od_stream_process_errors(&stream->common, process);
        break;
    case OD_STREAM_CANCEL:
        od_stream_delivery_cancelled(&stream->common, watch->owner, od_clock_ms());
        break;
    }
}

static void *event_thread(void *argument)
{
    struct stream *stream = argument;

    for (;;) {
        struct epoll_event events[EVENTS];
        int count;

        if (od_queue_killing(&stream->queue)) {
            end_processes(stream, od_clock_ms());
            if (all_ended(stream)) {
                return NULL;
            }
        }
        dispatch(stream);
        count = epoll_wait(stream->common.epoll, events, EVENTS, act(stream));
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                od_queue_woken(&stream->queue);
            } else {
                on_event(stream, events[i].data.ptr);
            }
        }
        od_stream_deliveries_free_dead(&stream->deliveries);
    }
}

/* ---- The handler -------------------------------------------------------------------------------------- */

static enum orderly_outcome stream_handle(struct od_handler *handler, struct orderly_record *record)
{
    return od_queue_put(&of(handler)->queue, record);
}

static void stream_state(struct od_handler *handler, struct od_handler_state *ret)
{
    struct stream *stream = of(handler);

    od_queue_state(&stream->queue, ret);
    ret->name = stream->options->name;
    ret->kind = "stream";
}

static void stream_resume(struct od_handler *handler)
{
    od_queue_resume(&of(handler)->queue);
}

static void stream_close(struct od_handler *handler)
{
    od_queue_close(&of(handler)->queue);
}

static void stream_free(struct od_handler *handler)
{
    struct stream *stream = of(handler);

    if (stream->threaded) {
        od_queue_kill(&stream->queue);
        pthread_join(stream->thread, NULL);
    }
    od_stream_deliveries_free_dead(&stream->deliveries);
    for (size_t i = 0; i < stream->process_count; i++) {
        od_stream_process_fini(&stream->common, &stream->processes[i]);
    }
    free(stream->processes);
    od_queue_fini(&stream->queue);
    od_crashes_fini(&stream->crashes);
    od_spawner_fini(&stream->common.spawner);
    od_words_fini(&stream->common.env);
    od_words_fini(&stream->common.argv);
    free(stream->common.path);
    if (stream->common.epoll >= 0) {
        close(stream->common.epoll);
    }
    free(stream);
}

static const struct od_handler_ops STREAM_OPS = {
    .kind = "stream",
    .handle = stream_handle,
    .state = stream_state,
    .resume = stream_resume,
    .close = stream_close,
    .free = stream_free,
};

static enum orderly_err make_processes(struct stream *stream)
{
    size_t count = stream->options->processes > 0 ? (size_t)stream->options->processes : 1;

    stream->processes = calloc(count, sizeof *stream->processes);
    if (stream->processes == NULL) {
        return ORDERLY_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        od_stream_process_init(&stream->processes[i], i + 1);
    }
    stream->process_count = count;
    stream->common.share = (stream->options->max_in_flight + (int64_t)count - 1) / (int64_t)count;
    return ORDERLY_OK;
}

static enum orderly_err start_thread(struct stream *stream)
{
    sigset_t all, old;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&stream->thread, NULL, event_thread, stream);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    stream->threaded = error == 0;
    return stream->threaded ? ORDERLY_OK : ORDERLY_LIMIT;
}

static enum orderly_err prepare(struct stream *stream, struct orderly_error *error)
{
    const struct od_handler_options *options = stream->options;
    struct epoll_event wake = {.events = EPOLLIN, .data = {.ptr = NULL}};
    enum orderly_err err;

    stream->common.path = od_spawn_find(options->command.items[0]);
    if (stream->common.path == NULL) {
        error->code = ORDERLY_CONFIG;
        snprintf(error->text, sizeof error->text, OD_SPAWN_NOT_FOUND, options->command.items[0]);
        return ORDERLY_CONFIG;
    }
    if (!od_words_copy(&stream->common.argv, &options->command) ||
        !od_exec_env_base(&stream->common.env, &options->env) ||
        od_spawner_init(&stream->common.spawner) != ORDERLY_OK) {
        return ORDERLY_NOMEM;
    }
    err = make_processes(stream);
    if (err != ORDERLY_OK) {
        return err;
    }
    stream->common.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (stream->common.epoll < 0 || !od_queue_init(&stream->queue, options) ||
        epoll_ctl(stream->common.epoll, EPOLL_CTL_ADD, stream->queue.wake_fd, &wake) != 0) {
        return ORDERLY_LIMIT;
    }
    return start_thread(stream);
}

enum orderly_err od_stream_new(const struct od_handler_options *options, struct od_handler **ret,
                               struct orderly_error *error)
{
    struct stream *stream = calloc(1, sizeof *stream);
    enum orderly_err err;

    if (stream == NULL) {
        return ORDERLY_NOMEM;
    }
    *stream = (struct stream){.base = {&STREAM_OPS}, .options = options, .common = {.options = options, .epoll = -1}};
    stream->queue.wake_fd = -1;
    err = prepare(stream, error);
    if (err != ORDERLY_OK) {
        if (err != ORDERLY_CONFIG) {
            error->code = err;
            snprintf(error->text, sizeof error->text, "the handler could not be started: %s", orderly_strerror(err));
        }
        stream_free(&stream->base);
        return err;
    }
    *ret = &stream->base;
    return ORDERLY_OK;
}
