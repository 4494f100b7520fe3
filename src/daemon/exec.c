/*
 * The exec handler: one process for each record (contracts.md 3 and 10).
 *
 * One event thread owns all children. It starts them, so that PR_SET_PDEATHSIG means the end of the program; it feeds and
 * reads them through epoll, knows of their end by pidfd, and settles. Workers only put records into the queue.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/crashes.h"
#include "daemon/exec_child.h"
#include "daemon/handler.h"
#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/verdict.h"

enum { EVENTS = 128 };

struct exec {
    struct od_handler base;
    const struct od_handler_options *options;
    struct od_exec_common common;
    struct od_crashes crashes;
    struct od_exec_child *children, *dead; /* dead: freed after the events at hand */
    struct od_queue queue;                 /* shared with the workers */
    struct orderly_record *unstarted;      /* waits for the end of a child: the machine has no room for one more */
    bool shortage_said;
    pthread_t thread;
    bool threaded;
};

static struct exec *of(struct od_handler *handler)
{
    return (struct exec *)(void *)handler; /* base is its first member */
}

/* ---- The event thread --------------------------------------------------------------------------------- */

static void link_child(struct exec *exec, struct od_exec_child *child)
{
    child->previous = NULL;
    child->next = exec->children;
    if (child->next != NULL) {
        child->next->previous = child;
    }
    exec->children = child;
}

static void bury(struct exec *exec, struct od_exec_child *child)
{
    if (child->previous != NULL) {
        child->previous->next = child->next;
    } else {
        exec->children = child->next;
    }
    if (child->next != NULL) {
        child->next->previous = child->previous;
    }
    child->next = exec->dead;
    exec->dead = child;
}

static void free_dead(struct exec *exec)
{
    while (exec->dead != NULL) {
        struct od_exec_child *child = exec->dead;

        exec->dead = child->next;
        od_exec_child_free(child);
    }
}

static void say_end(const struct exec *exec, const struct od_verdict *verdict, const struct orderly_record *record)
{
    if (od_say_level() >= ORDERLY_LOG_DEBUG) {
        od_say_debug("handler", "%s: %s/%d/%lld: %s%s%s%s%s", exec->options->name, orderly_record_topic(record),
                     (int)orderly_record_partition(record), (long long)orderly_record_offset(record),
                     od_outcome_name(verdict->outcome), verdict->error_class[0] != '\0' ? " " : "",
                     verdict->error_class, verdict->text[0] != '\0' ? ": " : "", verdict->text);
    }
}

static void on_end(struct exec *exec, struct od_exec_child *child)
{
    const char *key = orderly_record_idempotency_key(child->record);
    struct od_answer answer = OD_ANSWER_INIT;
    struct od_verdict verdict;
    struct od_exec_end end;
    char problem[200];

    od_exec_child_reap(&exec->common, child, &end, &answer, problem, sizeof problem);
    end.max_crashes = exec->options->max_crashes;
    if (od_exec_end_is_crash(&end)) {
        end.crashes = od_crashes_add(&exec->crashes, key);
    } else if (end.kill != OD_KILL_CANCEL) {
        od_crashes_forget(&exec->crashes, key);
    }
    od_exec_end_judge(&end, &verdict);
    if (verdict.outcome == ORDERLY_DEAD_LETTER) {
        od_crashes_forget(&exec->crashes, key);
    }
    if (verdict.outcome == ORDERLY_ACK && end.tail_size > 0) {
        od_verdict_text(&verdict, "", end.tail, end.tail_size); /* for the log alone */
    }
    say_end(exec, &verdict, child->record);
    if (verdict.outcome == ORDERLY_ACK) {
        verdict.text[0] = '\0';
    }
    od_queue_ended(&exec->queue, &verdict, child->record);
    od_answer_fini(&answer);
    bury(exec, child);
}

/* The command cannot be run, or the machine is out of something: no fault of the record. */
static void on_start_failed(struct exec *exec, struct orderly_record *record, int error)
{
    struct od_verdict verdict = OD_VERDICT_INIT;
    const char *text = strerror(error);

    verdict.outcome = ORDERLY_HOLD;
    verdict.blame = OD_BLAME_FAULT;
    snprintf(verdict.error_class, sizeof verdict.error_class, "%s", error == E2BIG ? "too-large" : "not-started");
    od_verdict_text(&verdict, exec->common.path, text, strlen(text));
    od_queue_ended(&exec->queue, &verdict, record);
}

/* Of what there will be more when another child has ended. */
static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == EAGAIN || error == ENOMEM;
}

/* No fault of the handler: as many run as the machine lets run. */
static void wait_for_room(struct exec *exec, struct orderly_record *record, int error)
{
    exec->unstarted = record;
    if (!exec->shortage_said) {
        exec->shortage_said = true;
        od_say_warning("handler",
                       "%s: %s: no more processes at once than there are now; each needs five descriptors (ulimit -n), "
                       "or lower concurrency (said once)",
                       exec->common.path, strerror(error));
    }
}

static struct orderly_record *next_record(struct exec *exec)
{
    struct orderly_record *record = exec->unstarted;

    exec->unstarted = NULL;
    if (record != NULL && (od_queue_closed(&exec->queue) || orderly_record_cancelled(record, NULL, NULL))) {
        struct od_verdict verdict = OD_VERDICT_INIT;

        verdict.outcome = ORDERLY_RELEASE;
        verdict.blame = OD_BLAME_NEUTRAL;
        od_queue_ended(&exec->queue, &verdict, record);
        record = NULL;
    }
    return record != NULL ? record : od_queue_next(&exec->queue);
}

static void start_waiting(struct exec *exec)
{
    struct orderly_record *record;

    while ((record = next_record(exec)) != NULL) {
        struct od_exec_child *child;
        int error = od_exec_child_start(&exec->common, record, &child);

        if (error == 0) {
            link_child(exec, child);
        } else if (is_shortage(error) && exec->children != NULL) {
            wait_for_room(exec, record, error);
            return;
        } else {
            on_start_failed(exec, record, error);
        }
    }
}

/* Signals that are due; returns for how long epoll may wait. */
static int act(struct exec *exec, bool killing)
{
    int64_t now_ms = od_clock_ms();
    int64_t next_ms = od_queue_check(&exec->queue, now_ms);

    if (exec->unstarted != NULL) {
        next_ms = od_clock_soonest(next_ms, now_ms + OD_EXEC_RECHECK_MS); /* it may be cancelled meanwhile */
    }
    for (struct od_exec_child *child = exec->children; child != NULL; child = child->next) {
        int64_t child_ms;

        if (killing && !child->sent_kill) {
            od_exec_child_kill(child);
        }
        child_ms = od_exec_child_act(&exec->common, child, now_ms);
        next_ms = child_ms < next_ms ? child_ms : next_ms;
    }
    if (next_ms == INT64_MAX) {
        return -1;
    }
    return next_ms <= now_ms ? 0 : next_ms - now_ms > 60000 ? 60000 : (int)(next_ms - now_ms);
}

static void *event_thread(void *argument)
{
    struct exec *exec = argument;

    for (;;) {
        struct epoll_event events[EVENTS];
        bool killing = od_queue_killing(&exec->queue);
        int count;

        start_waiting(exec);
        if (killing && exec->children == NULL) {
            return NULL;
        }
        count = epoll_wait(exec->common.epoll, events, EVENTS, act(exec, killing));
        for (int i = 0; i < count; i++) {
            struct od_exec_watch *watch = events[i].data.ptr;

            if (watch == NULL) {
                od_queue_woken(&exec->queue);
            } else if (od_exec_child_ready(&exec->common, watch)) {
                on_end(exec, watch->child);
            }
        }
        free_dead(exec);
    }
}

/* ---- The handler -------------------------------------------------------------------------------------- */

static enum orderly_outcome exec_handle(struct od_handler *handler, struct orderly_record *record)
{
    return od_queue_put(&of(handler)->queue, record);
}

static void exec_state(struct od_handler *handler, struct od_handler_state *ret)
{
    struct exec *exec = of(handler);

    od_queue_state(&exec->queue, ret);
    ret->name = exec->options->name;
    ret->kind = "exec";
}

static void exec_resume(struct od_handler *handler)
{
    od_queue_resume(&of(handler)->queue);
}

static void exec_close(struct od_handler *handler)
{
    od_queue_close(&of(handler)->queue);
}

static void exec_free(struct od_handler *handler)
{
    struct exec *exec = of(handler);

    if (exec->threaded) {
        od_queue_kill(&exec->queue);
        pthread_join(exec->thread, NULL);
    }
    free_dead(exec);
    od_queue_fini(&exec->queue);
    od_crashes_fini(&exec->crashes);
    od_spawner_fini(&exec->common.spawner);
    od_exec_env_fini(&exec->common.scratch);
    od_words_fini(&exec->common.env);
    od_words_fini(&exec->common.argv);
    free(exec->common.path);
    if (exec->common.epoll >= 0) {
        close(exec->common.epoll);
    }
    free(exec);
}

static const struct od_handler_ops EXEC_OPS = {
    .kind = "exec",
    .handle = exec_handle,
    .state = exec_state,
    .resume = exec_resume,
    .close = exec_close,
    .free = exec_free,
};

static bool start_thread(struct exec *exec)
{
    sigset_t all, old;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&exec->thread, NULL, event_thread, exec);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    exec->threaded = error == 0;
    return exec->threaded;
}

static enum orderly_err prepare(struct exec *exec, struct orderly_error *error)
{
    const struct od_handler_options *options = exec->options;
    struct epoll_event wake = {.events = EPOLLIN, .data = {.ptr = NULL}};

    exec->common.path = od_spawn_find(options->command.items[0]);
    if (exec->common.path == NULL) {
        error->code = ORDERLY_CONFIG;
        snprintf(
            error->text, sizeof error->text,
            "the command \"%.200s\" was not found: not on PATH, and no program of that name relative to the working "
            "directory (give its path, and make it executable)",
            options->command.items[0]);
        return ORDERLY_CONFIG;
    }
    if (!od_words_copy(&exec->common.argv, &options->command) || !od_exec_env_base(&exec->common.env, &options->env) ||
        od_spawner_init(&exec->common.spawner) != ORDERLY_OK) {
        return ORDERLY_NOMEM;
    }
    exec->common.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (exec->common.epoll < 0 || !od_queue_init(&exec->queue, options) ||
        epoll_ctl(exec->common.epoll, EPOLL_CTL_ADD, exec->queue.wake_fd, &wake) != 0) {
        return ORDERLY_LIMIT;
    }
    return start_thread(exec) ? ORDERLY_OK : ORDERLY_LIMIT;
}

enum orderly_err od_exec_new(const struct od_handler_options *options, struct od_handler **ret,
                             struct orderly_error *error)
{
    struct exec *exec = calloc(1, sizeof *exec);
    enum orderly_err err;

    if (exec == NULL) {
        return ORDERLY_NOMEM;
    }
    exec->base.ops = &EXEC_OPS;
    exec->options = options;
    exec->common.options = options;
    exec->common.epoll = -1;
    exec->queue.wake_fd = -1;
    err = prepare(exec, error);
    if (err != ORDERLY_OK) {
        if (err != ORDERLY_CONFIG) {
            error->code = err;
            snprintf(error->text, sizeof error->text, "the handler could not be started: %s", orderly_strerror(err));
        }
        exec_free(&exec->base);
        return err;
    }
    *ret = &exec->base;
    return ORDERLY_OK;
}
