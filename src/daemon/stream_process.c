/* One long-lived process of a stream handler: see stream_process.h. */
#include "daemon/stream_process.h"

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

enum { READ_SIZE = 65536, ERROR_LINE = 2048, READS_AT_END = 256 };

/* Out of epoll before it is closed: see unwatch() of exec_child.c. */
static void close_watch(const struct od_stream_common *common, struct od_stream_watch *watch)
{
    if (watch->fd >= 0) {
        epoll_ctl(common->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
        close(watch->fd);
    }
    watch->fd = -1;
}

static bool watch_for(const struct od_stream_common *common, struct od_stream_watch *watch, int operation,
                      uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = watch}};

    return epoll_ctl(common->epoll, operation, watch->fd, &event) == 0;
}

void od_stream_process_init(struct od_stream_process *process, size_t number)
{
    *process = (struct od_stream_process){.number = number, .state = OD_STREAM_WAITING};
    for (int i = 0; i < 4; i++) {
        process->watch[i] = (struct od_stream_watch){process, (enum od_stream_watch_kind)i, -1};
    }
}

void od_stream_process_fini(struct od_stream_common *common, struct od_stream_process *process)
{
    for (int i = 0; i < 4; i++) {
        close_watch(common, &process->watch[i]);
    }
    od_bytes_fini(&process->outbox);
    od_bytes_fini(&process->inbox);
    od_bytes_fini(&process->errors);
}

/* ---- Start -------------------------------------------------------------------------------------------- */

static void begin(struct od_stream_common *common, struct od_stream_process *process)
{
    int64_t now_ms = od_clock_ms();

    od_bytes_clear(&process->outbox);
    od_bytes_clear(&process->inbox);
    od_bytes_clear(&process->errors);
    process->state = OD_STREAM_GREETING;
    process->writing = process->base64 = process->quiet = process->said_bye = false;
    process->sent_terminate = process->sent_term = process->sent_kill = process->fault = false;
    process->greeted_by_ms = now_ms + OD_STREAM_GREETING_MS;
    process->started_ms = now_ms;
    process->heard_ms = now_ms;
    process->ping_ms = 0;
    process->terminate_ms = process->term_ms = process->kill_ms = INT64_MAX;
    process->max_in_flight = 0;
    watch_for(common, &process->watch[OD_STREAM_OUT], EPOLL_CTL_ADD, EPOLLIN);
    watch_for(common, &process->watch[OD_STREAM_ERR], EPOLL_CTL_ADD, EPOLLIN);
    watch_for(common, &process->watch[OD_STREAM_IN], EPOLL_CTL_ADD, 0);
    od_stream_hello(&process->outbox, common->options->group, common->share, common->options->kill_grace_ms);
    od_stream_process_flush(common, process);
}

static int make_pipes(struct od_stream_process *process, int theirs[3])
{
    for (int i = 0; i < 3; i++) {
        struct od_stream_watch *watch = &process->watch[OD_STREAM_IN + i];
        int ends[2], ours = i == 0 ? 1 : 0; /* we write to its stdin, and read the others */

        if (pipe2(ends, O_CLOEXEC) != 0) {
            return errno;
        }
        watch->fd = ends[ours];
        theirs[i] = ends[1 - ours];
        fcntl(ends[ours], F_SETFL, O_NONBLOCK);
    }
    return 0;
}

int od_stream_process_start(struct od_stream_common *common, struct od_stream_process *process)
{
    int theirs[3] = {-1, -1, -1};
    int error = make_pipes(process, theirs);

    if (error == 0) {
        struct od_spawn what = {
            .path = common->path,
            .argv = common->argv.items,
            .envp = common->env.items,
            .fds = {theirs[0], theirs[1], theirs[2], -1},
        };

        error = od_spawner_start(&common->spawner, &what, &process->pid, &process->watch[OD_STREAM_PID].fd);
    }
    for (int i = 0; i < 3; i++) {
        if (theirs[i] >= 0) {
            close(theirs[i]);
        }
    }
    if (error == 0 && !watch_for(common, &process->watch[OD_STREAM_PID], EPOLL_CTL_ADD, EPOLLIN)) {
        /* Without it nobody would notice the end: undo the start. */
        kill(-process->pid, SIGKILL);
        waitid(P_PIDFD, (id_t)process->watch[OD_STREAM_PID].fd, &(siginfo_t){0}, WEXITED);
        error = ENOMEM;
    }
    if (error != 0) {
        for (int i = 0; i < 4; i++) {
            close_watch(common, &process->watch[i]);
        }
        return error;
    }
    begin(common, process);
    return 0;
}

/* ---- Lines out ---------------------------------------------------------------------------------------- */

void od_stream_process_flush(struct od_stream_common *common, struct od_stream_process *process)
{
    struct od_stream_watch *watch = &process->watch[OD_STREAM_IN];
    struct od_bytes *outbox = &process->outbox;
    size_t done = 0;

    if (watch->fd < 0 || outbox->failed) {
        od_bytes_clear(outbox);
        return;
    }
    while (done < outbox->size) {
        ssize_t size = write(watch->fd, outbox->data + done, outbox->size - done);

        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0 && errno == EAGAIN) {
            break;
        }
        if (size < 0) { /* it closed its stdin: its end will be noticed elsewhere */
            close_watch(common, watch);
            od_bytes_clear(outbox);
            return;
        }
        done += (size_t)size;
    }
    od_bytes_shift(outbox, done);
    if (process->writing != (outbox->size > 0)) {
        process->writing = outbox->size > 0;
        watch_for(common, watch, EPOLL_CTL_MOD, process->writing ? EPOLLOUT : 0);
    }
}

void od_stream_process_writable(struct od_stream_common *common, struct od_stream_process *process)
{
    if (process->outbox.size == 0) { /* only an error can be the reason: nobody reads any more */
        close_watch(common, &process->watch[OD_STREAM_IN]);
        return;
    }
    od_stream_process_flush(common, process);
}

/* ---- Lines in ----------------------------------------------------------------------------------------- */

static void log_lines(struct od_stream_process *process, bool all)
{
    struct od_bytes *errors = &process->errors;
    char line[ERROR_LINE + 32];

    while (errors->size > 0) {
        char *newline = memchr(errors->data, '\n', errors->size);
        size_t size = newline != NULL ? (size_t)(newline - errors->data) : errors->size;

        if (newline == NULL && !all && size < ERROR_LINE) {
            return;
        }
        size = size > ERROR_LINE ? ERROR_LINE : size;
        snprintf(line, sizeof line, "[%d] %.*s", (int)process->pid, (int)size, errors->data);
        od_say_whole(ORDERLY_LOG_INFO, "handler", line);
        od_bytes_shift(errors, size + (newline != NULL && errors->data + size == newline));
    }
}

/* One read; false at the end, or when there is nothing now. */
static bool read_into(const struct od_stream_common *common, struct od_stream_watch *watch, struct od_bytes *into)
{
    char buffer[READ_SIZE];
    ssize_t size;

    if (watch->fd < 0) {
        return false;
    }
    do {
        size = read(watch->fd, buffer, sizeof buffer);
    } while (size < 0 && errno == EINTR);
    if (size <= 0) {
        if (size == 0 || errno != EAGAIN) {
            close_watch(common, watch);
        }
        return false;
    }
    od_bytes_add(into, buffer, (size_t)size);
    return true;
}

void od_stream_process_errors(struct od_stream_common *common, struct od_stream_process *process)
{
    read_into(common, &process->watch[OD_STREAM_ERR], &process->errors);
    log_lines(process, process->watch[OD_STREAM_ERR].fd < 0);
}

bool od_stream_process_read(struct od_stream_common *common, struct od_stream_process *process, int64_t now_ms)
{
    bool more = read_into(common, &process->watch[OD_STREAM_OUT], &process->inbox);

    if (more) {
        process->heard_ms = now_ms;
        process->ping_ms = 0;
    } else if (process->watch[OD_STREAM_OUT].fd < 0 && process->state != OD_STREAM_ENDING) {
        /* It will not say anything any more: it should be about to exit. */
        process->state = OD_STREAM_ENDING;
        process->term_ms = od_clock_soonest(process->term_ms, now_ms + common->options->kill_grace_ms / 2);
        process->kill_ms = od_clock_soonest(process->kill_ms, now_ms + common->options->kill_grace_ms);
    }
    return more;
}

bool od_stream_process_line(struct od_stream_common *common, struct od_stream_process *process, size_t *at,
                            const char **ret, size_t *ret_size)
{
    struct od_bytes *inbox = &process->inbox;

    while (*at < inbox->size) {
        char *newline = memchr(inbox->data + *at, '\n', inbox->size - *at);
        size_t size = newline != NULL ? (size_t)(newline - inbox->data) - *at : inbox->size - *at;

        if (size > (size_t)common->options->max_line || inbox->failed) {
            char problem[120];

            snprintf(problem, sizeof problem, "a line longer than handler.stream.max_line (%lld bytes)",
                     (long long)common->options->max_line);
            od_stream_process_fault(common, process, problem, od_clock_ms());
            break;
        }
        if (newline == NULL) {
            break;
        }
        *ret = inbox->data + *at;
        *ret_size = size > 0 && (*ret)[size - 1] == '\r' ? size - 1 : size;
        *at += size + 1;
        if (*ret_size > 0) {
            return true;
        }
    }
    od_bytes_shift(inbox, *at);
    *at = 0;
    return false;
}

/* ---- Being told to go --------------------------------------------------------------------------------- */

void od_stream_process_fault(struct od_stream_common *common, struct od_stream_process *process, const char *problem,
                             int64_t now_ms)
{
    if (process->fault) {
        return;
    }
    process->fault = true;
    process->state = OD_STREAM_ENDING;
    snprintf(process->problem, sizeof process->problem, "%s", problem);
    process->term_ms = od_clock_soonest(process->term_ms, now_ms);
    process->kill_ms = od_clock_soonest(process->kill_ms, now_ms + common->options->kill_grace_ms);
}

static void send_signal(struct od_stream_process *process, int number)
{
    kill(-process->pid, number);
    process->state = OD_STREAM_ENDING;
}

/* Silence of one that has nothing to do: is it still there? Returns when to look again. */
static int64_t ping(struct od_stream_common *common, struct od_stream_process *process, int64_t now_ms)
{
    if (process->state != OD_STREAM_READY || process->in_flight > 0) {
        process->ping_ms = 0;
        process->heard_ms = now_ms;
        return INT64_MAX;
    }
    if (process->ping_ms > 0) {
        if (now_ms >= process->ping_ms + OD_STREAM_PING_MS) {
            od_stream_process_fault(common, process, "no answer to a ping", now_ms);
            return now_ms;
        }
        return process->ping_ms + OD_STREAM_PING_MS;
    }
    if (now_ms >= process->heard_ms + OD_STREAM_PING_MS) {
        process->ping_ms = now_ms;
        od_stream_ping(&process->outbox, ++process->ping_number);
        od_stream_process_flush(common, process);
        return now_ms + OD_STREAM_PING_MS;
    }
    return process->heard_ms + OD_STREAM_PING_MS;
}

int64_t od_stream_process_act(struct od_stream_common *common, struct od_stream_process *process, int64_t now_ms)
{
    int64_t next_ms;

    if (process->state == OD_STREAM_WAITING) {
        return INT64_MAX;
    }
    if (process->state == OD_STREAM_GREETING && now_ms >= process->greeted_by_ms) {
        od_stream_process_fault(common, process, "no answer to hello", now_ms);
    }
    next_ms = ping(common, process, now_ms);
    if (now_ms >= process->terminate_ms && !process->sent_terminate) {
        process->sent_terminate = true;
        process->state = process->state == OD_STREAM_ENDING ? OD_STREAM_ENDING : OD_STREAM_LEAVING;
        od_stream_terminate(&process->outbox, process->kill_ms == INT64_MAX ? 0 : process->kill_ms - now_ms);
        od_stream_process_flush(common, process);
    }
    if (process->sent_terminate && process->in_flight == 0 && process->outbox.size == 0) {
        close_watch(common,
                    &process->watch[OD_STREAM_IN]); /* who does not know `terminate` knows the end of its stdin */
    }
    if (now_ms >= process->term_ms && !process->sent_term) {
        process->sent_term = true;
        send_signal(process, SIGTERM);
        kill(-process->pid, SIGCONT); /* one that is stopped shall hear it */
    }
    if (now_ms >= process->kill_ms && !process->sent_kill) {
        process->sent_kill = true;
        send_signal(process, SIGKILL);
    }
    next_ms = od_clock_soonest(next_ms, process->state == OD_STREAM_GREETING ? process->greeted_by_ms : INT64_MAX);
    next_ms = od_clock_soonest(next_ms, process->sent_terminate ? INT64_MAX : process->terminate_ms);
    next_ms = od_clock_soonest(next_ms, process->sent_term ? INT64_MAX : process->term_ms);
    return od_clock_soonest(next_ms, process->sent_kill ? INT64_MAX : process->kill_ms);
}

/* ---- End ---------------------------------------------------------------------------------------------- */

int od_stream_process_reap(struct od_stream_common *common, struct od_stream_process *process, bool *ret_ours)
{
    siginfo_t info = {0};
    int end;

    /* Before it is reaped its number cannot be anyone else's: whatever it left behind in its group ends here. */
    kill(-process->pid, SIGKILL);
    while (waitid(P_PIDFD, (id_t)process->watch[OD_STREAM_PID].fd, &info, WEXITED) != 0 && errno == EINTR) {
    }
    for (int i = 0; i < READS_AT_END && od_stream_process_read(common, process, od_clock_ms()); i++) {
    }
    for (int i = 0; i < READS_AT_END && read_into(common, &process->watch[OD_STREAM_ERR], &process->errors); i++) {
    }
    log_lines(process, true);
    for (int i = 0; i < 4; i++) {
        close_watch(common, &process->watch[i]);
    }
    end = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
    *ret_ours = (end == -SIGTERM && process->sent_term) || (end == -SIGKILL && process->sent_kill);
    return end;
}
