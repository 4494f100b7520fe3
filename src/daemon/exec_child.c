/* One child of an exec handler: see exec_child.h. */
#include "daemon/exec_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/log.h"

enum { READ_SIZE = 16384, READS_AT_END = 64 };

/*
 * Out of epoll before it is closed: closing alone is not enough, since a child that another handler starts at this moment has
 * all our descriptors until its execve, and an event of a child that is freed would still come.
 */
static void unwatch(const struct od_exec_common *common, struct od_exec_watch *watch)
{
    if (watch->fd < 0) {
        return;
    }
    epoll_ctl(common->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
    if (watch->kind != OD_EXEC_CANCEL) { /* that one belongs to the record */
        close(watch->fd);
    }
    watch->fd = -1;
}

static bool add_watch(const struct od_exec_common *common, struct od_exec_watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};

    return epoll_ctl(common->epoll, EPOLL_CTL_ADD, watch->fd, &event) == 0;
}

/* ---- Pipes -------------------------------------------------------------------------------------------- */

/* Writes what fits; true when more is to be written later. */
static bool feed(struct od_exec_child *child)
{
    int fd = child->watch[OD_EXEC_IN].fd;

    while (child->value.size > 0) {
        ssize_t done = write(fd, child->value.data, child->value.size);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return errno == EAGAIN; /* EPIPE: it does not read, which is its business */
        }
        child->value.data = (const char *)child->value.data + done;
        child->value.size -= (size_t)done;
    }
    return false;
}

static void keep_tail(struct od_exec_child *child, const char *data, size_t size)
{
    if (child->tail == NULL) {
        child->tail = malloc(2 * (size_t)OD_EXEC_TAIL);
        if (child->tail == NULL) {
            return;
        }
    }
    if (size > OD_EXEC_TAIL) {
        data += size - OD_EXEC_TAIL;
        size = OD_EXEC_TAIL;
    }
    if (child->tail_size + size > 2 * (size_t)OD_EXEC_TAIL) {
        size_t kept = OD_EXEC_TAIL;

        memmove(child->tail, child->tail + child->tail_size - kept, kept);
        child->tail_size = kept;
    }
    memcpy(child->tail + child->tail_size, data, size);
    child->tail_size += size;
}

static void keep_answer(struct od_exec_child *child, const char *data, size_t size)
{
    if (child->answer.size + size > OD_EXEC_ANSWER_MAX) {
        child->answer_long = true;
        return;
    }
    od_bytes_add(&child->answer, data, size);
}

/* Reads once. False at the end of the stream, or of what there is now. */
static bool read_some(struct od_exec_child *child, struct od_exec_watch *watch, bool *ret_closed)
{
    char buffer[READ_SIZE];
    ssize_t size;

    do {
        size = read(watch->fd, buffer, sizeof buffer);
    } while (size < 0 && errno == EINTR);
    *ret_closed = size == 0 || (size < 0 && errno != EAGAIN);
    if (size <= 0) {
        return false;
    }
    if (watch->kind == OD_EXEC_ERR) {
        keep_tail(child, buffer, (size_t)size);
    } else {
        keep_answer(child, buffer, (size_t)size);
    }
    return true;
}

/* ---- Start -------------------------------------------------------------------------------------------- */

/* The pipes of one start: ours[] is kept, theirs[] becomes 0, 2, 3 of the child. */
struct pipes {
    int ours[3], theirs[3];
};

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
        fds[i] = -1;
    }
}

static int make_pipes(struct pipes *pipes)
{
    *pipes = (struct pipes){{-1, -1, -1}, {-1, -1, -1}};
    for (int i = 0; i < 3; i++) {
        int ends[2];
        int ours = i == 0 ? 1 : 0; /* we write to its stdin, and read the others */

        if (pipe2(ends, O_CLOEXEC) != 0) {
            int error = errno;

            close_all(pipes->ours, 3);
            close_all(pipes->theirs, 3);
            return error;
        }
        pipes->ours[i] = ends[ours];
        pipes->theirs[i] = ends[1 - ours];
        fcntl(ends[ours], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

static struct od_exec_child *new_child(const struct od_exec_common *common, struct orderly_record *record)
{
    struct od_exec_child *child = calloc(1, sizeof *child);

    if (child == NULL) {
        return NULL;
    }
    child->record = record;
    child->value = orderly_record_value(record);
    for (int i = 0; i < OD_EXEC_WATCHES; i++) {
        child->watch[i] = (struct od_exec_watch){child, (enum od_exec_watch_kind)i, -1};
    }
    child->deadline_ms = INT64_MAX;
    child->term_ms = INT64_MAX;
    child->kill_ms = INT64_MAX;
    child->recheck_ms = INT64_MAX;
    if (common->options->timeout_ms > 0) {
        child->deadline_ms = od_clock_ms() + common->options->timeout_ms;
    }
    return child;
}

/* The record tells of a cancel by a descriptor; without one it is asked again and again. */
static void watch_cancel(const struct od_exec_common *common, struct od_exec_child *child)
{
    struct od_exec_watch *watch = &child->watch[OD_EXEC_CANCEL];

    if (orderly_record_cancel_fd(child->record, &watch->fd) != ORDERLY_OK) {
        watch->fd = -1;
    } else if (!add_watch(common, watch, EPOLLIN)) {
        watch->fd = -1;
    }
    if (watch->fd < 0) {
        child->recheck_ms = od_clock_ms() + OD_EXEC_RECHECK_MS;
    }
}

static int spawn(struct od_exec_common *common, struct od_exec_child *child, const struct pipes *pipes)
{
    int64_t deadline_ms = common->options->timeout_ms > 0 ? od_clock_wall_ms() + common->options->timeout_ms : 0;
    struct od_spawn what = {
        .path = common->path,
        .argv = common->argv.items,
        .fds = {pipes->theirs[0], -1, pipes->theirs[1], pipes->theirs[2]},
    };

    if (!od_exec_env_build(&common->scratch, &common->env, child->record, deadline_ms)) {
        return ENOMEM;
    }
    what.envp = common->scratch.list;
    return od_spawner_start(&common->spawner, &what, &child->pid, &child->watch[OD_EXEC_PID].fd);
}

int od_exec_child_start(struct od_exec_common *common, struct orderly_record *record, struct od_exec_child **ret)
{
    struct od_exec_child *child = new_child(common, record);
    struct pipes pipes;
    int error = child == NULL ? ENOMEM : make_pipes(&pipes);

    if (error != 0) {
        free(child);
        return error;
    }
    error = spawn(common, child, &pipes);
    close_all(pipes.theirs, 3);
    if (error != 0) {
        close_all(pipes.ours, 3);
        free(child);
        return error;
    }
    child->watch[OD_EXEC_IN].fd = pipes.ours[0];
    child->watch[OD_EXEC_ERR].fd = pipes.ours[1];
    child->watch[OD_EXEC_RESULT].fd = pipes.ours[2];
    if (!feed(child)) {
        unwatch(common, &child->watch[OD_EXEC_IN]);
    } else if (!add_watch(common, &child->watch[OD_EXEC_IN], EPOLLOUT)) {
        unwatch(common, &child->watch[OD_EXEC_IN]);
    }
    if (!add_watch(common, &child->watch[OD_EXEC_PID], EPOLLIN)) {
        /* Without it nobody would notice the end: undo the start. */
        kill(-child->pid, SIGKILL);
        waitid(P_PIDFD, (id_t)child->watch[OD_EXEC_PID].fd, &(siginfo_t){0}, WEXITED);
        for (int i = 0; i < OD_EXEC_WATCHES; i++) {
            unwatch(common, &child->watch[i]);
        }
        od_exec_child_free(child);
        return ENOMEM;
    }
    add_watch(common, &child->watch[OD_EXEC_ERR], EPOLLIN);
    add_watch(common, &child->watch[OD_EXEC_RESULT], EPOLLIN);
    watch_cancel(common, child);
    *ret = child;
    return 0;
}

/* ---- Life --------------------------------------------------------------------------------------------- */

/* The record was cancelled, or may have been: sets the times of the signals. A later, nearer end wins. */
static void look_at_cancel(const struct od_exec_common *common, struct od_exec_child *child, int64_t now_ms)
{
    enum orderly_reason reason = ORDERLY_REASON_NONE;
    int64_t left_ms = INT64_MAX;
    int64_t grace_ms = common->options->kill_grace_ms;

    child->recheck_ms = now_ms + OD_EXEC_RECHECK_MS;
    if (!orderly_record_cancelled(child->record, &reason, &left_ms)) {
        return;
    }
    if (reason == ORDERLY_REASON_LOST) {
        child->term_ms = now_ms;
        child->kill_ms = od_clock_soonest(child->kill_ms, now_ms + common->options->lost_grace_ms);
    } else if (left_ms < INT64_MAX / 2) {
        left_ms = left_ms > 0 ? left_ms : 0;
        child->term_ms = od_clock_soonest(child->term_ms, now_ms + (left_ms > grace_ms ? left_ms - grace_ms : 0));
        child->kill_ms = od_clock_soonest(child->kill_ms, now_ms + left_ms);
    }
}

bool od_exec_child_ready(struct od_exec_common *common, struct od_exec_watch *watch)
{
    struct od_exec_child *child = watch->child;
    bool closed = false;

    if (watch->fd < 0) {
        return false; /* closed while this event was on its way */
    }
    switch (watch->kind) {
    case OD_EXEC_PID:
        return true;
    case OD_EXEC_IN:
        if (!feed(child)) {
            unwatch(common, watch);
        }
        break;
    case OD_EXEC_ERR:
    case OD_EXEC_RESULT:
        read_some(child, watch, &closed);
        if (closed) {
            unwatch(common, watch);
        }
        break;
    case OD_EXEC_CANCEL:
        unwatch(common, watch); /* it stays readable: from here on the clock asks */
        look_at_cancel(common, child, od_clock_ms());
        break;
    case OD_EXEC_WATCHES:
        break;
    }
    return false;
}

static void signal_group(struct od_exec_child *child, int number, enum od_kill cause)
{
    if (child->cause == OD_KILL_NONE) {
        child->cause = cause;
    }
    kill(-child->pid, number);
}

/* A signal is worth a line: somebody's work is cut. */
static void say_signal(const struct od_exec_child *child, const char *name)
{
    const struct orderly_record *record = child->record;
    enum orderly_reason reason = ORDERLY_REASON_NONE;
    const char *why = "cancelled";

    orderly_record_cancelled(record, &reason, NULL);
    if (child->cause == OD_KILL_TIMEOUT) {
        why = "handler.exec.timeout is over";
    } else if (reason == ORDERLY_REASON_REVOKED) {
        why = "the drain of its partition ends";
    } else if (reason == ORDERLY_REASON_LOST) {
        why = "its partition is lost";
    } else if (reason == ORDERLY_REASON_CLOSING) {
        why = "close_timeout ends";
    }
    od_say_warning("handler", "process %d (%s/%d offset %lld) gets %s: %s", (int)child->pid,
                   orderly_record_topic(record), (int)orderly_record_partition(record),
                   (long long)orderly_record_offset(record), name, why);
}

int64_t od_exec_child_act(struct od_exec_common *common, struct od_exec_child *child, int64_t now_ms)
{
    if (now_ms >= child->recheck_ms) {
        look_at_cancel(common, child, now_ms);
    }
    if (now_ms >= child->deadline_ms) {
        if (!child->sent_term) {
            child->cause = OD_KILL_TIMEOUT;
        }
        child->term_ms = od_clock_soonest(child->term_ms, now_ms);
        child->kill_ms = od_clock_soonest(child->kill_ms, now_ms + common->options->kill_grace_ms);
        child->deadline_ms = INT64_MAX;
    }
    if (now_ms >= child->term_ms && !child->sent_term) {
        child->sent_term = true;
        signal_group(child, SIGTERM, OD_KILL_CANCEL);
        say_signal(child, "TERM");
        kill(-child->pid, SIGCONT); /* one that is stopped shall hear it */
    }
    if (now_ms >= child->kill_ms && !child->sent_kill) {
        child->sent_kill = true;
        child->recheck_ms = INT64_MAX;
        signal_group(child, SIGKILL, OD_KILL_CANCEL);
        say_signal(child, "KILL");
    }
    return od_clock_soonest(
        od_clock_soonest(child->recheck_ms, child->deadline_ms),
        od_clock_soonest(child->sent_term ? INT64_MAX : child->term_ms, child->sent_kill ? INT64_MAX : child->kill_ms));
}

void od_exec_child_kill(struct od_exec_child *child)
{
    child->sent_kill = true;
    signal_group(child, SIGKILL, OD_KILL_CANCEL);
}

/* ---- End ---------------------------------------------------------------------------------------------- */

static void read_rest(struct od_exec_child *child, struct od_exec_watch *watch)
{
    bool closed = watch->fd < 0;

    /* Bounded: something that left the group may still write. */
    for (int i = 0; i < READS_AT_END && !closed && read_some(child, watch, &closed); i++) {
    }
}

static bool blank(const struct od_bytes *bytes)
{
    for (size_t i = 0; i < bytes->size; i++) {
        if ((unsigned char)bytes->data[i] > ' ') {
            return false;
        }
    }
    return true;
}

static void read_answer(struct od_exec_child *child, struct od_exec_end *end, struct od_answer *answer, char *problem,
                        size_t size)
{
    const char *newline;

    if (child->answer_long) {
        snprintf(problem, size, "it is longer than 64 KiB");
        end->answer_problem = problem;
        return;
    }
    if (blank(&child->answer)) {
        return;
    }
    newline = memchr(child->answer.data, '\n', child->answer.size);
    if (!od_answer_parse(answer, child->answer.data,
                         newline != NULL ? (size_t)(newline - child->answer.data) : child->answer.size, problem,
                         size)) {
        end->answer_problem = problem;
    }
}

void od_exec_child_reap(struct od_exec_common *common, struct od_exec_child *child, struct od_exec_end *ret,
                        struct od_answer *answer, char *problem, size_t problem_size)
{
    siginfo_t info = {0};

    /* Before it is reaped its number cannot be anyone else's: whatever it left behind in its group ends here. */
    kill(-child->pid, SIGKILL);
    while (waitid(P_PIDFD, (id_t)child->watch[OD_EXEC_PID].fd, &info, WEXITED) != 0 && errno == EINTR) {
    }
    read_rest(child, &child->watch[OD_EXEC_ERR]);
    read_rest(child, &child->watch[OD_EXEC_RESULT]);
    *ret = (struct od_exec_end){.answer = answer};
    if (info.si_code == CLD_EXITED) {
        ret->code = info.si_status;
    } else {
        ret->signal = info.si_status;
    }
    if ((ret->signal == SIGTERM && child->sent_term) || (ret->signal == SIGKILL && child->sent_kill)) {
        ret->kill = child->cause;
    }
    ret->tail = child->tail;
    ret->tail_size = child->tail_size;
    if (ret->tail_size > OD_EXEC_TAIL) {
        ret->tail += ret->tail_size - OD_EXEC_TAIL;
        ret->tail_size = OD_EXEC_TAIL;
    }
    read_answer(child, ret, answer, problem, problem_size);
    for (int i = 0; i < OD_EXEC_WATCHES; i++) {
        unwatch(common, &child->watch[i]);
    }
}

void od_exec_child_free(struct od_exec_child *child)
{
    if (child == NULL) {
        return;
    }
    free(child->tail);
    od_bytes_fini(&child->answer);
    free(child);
}
