/* Signals of the daemon: see signals.h. */
#include "daemon/signals.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/log.h"

/* How often lines of log that were left out are looked for. */
enum { LOOK_MS = 2000 };

static void taken(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void od_signals_block(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    sigset_t set;

    taken(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGCHLD, &standard, NULL); /* one that was inherited as ignored would reap our children */
}

static void on_signal(struct od_signals *signals, int number)
{
    const char *name = number == SIGTERM ? "SIGTERM" : number == SIGINT ? "SIGINT" : "SIGHUP";

    if (number == SIGHUP) {
        signals->reload(signals->userdata);
        return;
    }
    if (signals->draining) {
        od_say_warning("daemon", "%s again: ending at once, what runs is lost to this process and runs again", name);
        _exit(OD_EXIT_TEMPORARY);
    }
    signals->draining = true;
    signals->drain(name, signals->userdata);
}

static void *signal_thread(void *argument)
{
    struct od_signals *signals = argument;
    struct pollfd fds[2] = {{.fd = signals->fd, .events = POLLIN}, {.fd = signals->stop_fd, .events = POLLIN}};

    for (;;) {
        struct signalfd_siginfo info;

        if (poll(fds, 2, LOOK_MS) < 0) {
            continue;
        }
        od_say_left_out(false);
        if (fds[1].revents != 0) {
            return NULL;
        }
        if (read(signals->fd, &info, sizeof info) == sizeof info) {
            on_signal(signals, (int)info.ssi_signo);
        }
    }
}

enum orderly_err od_signals_start(struct od_signals *signals)
{
    sigset_t set;

    taken(&set);
    signals->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    signals->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (signals->fd >= 0 && signals->stop_fd >= 0) {
        signals->threaded = pthread_create(&signals->thread, NULL, signal_thread, signals) == 0;
    }
    if (!signals->threaded) {
        od_signals_stop(signals);
        return ORDERLY_LIMIT;
    }
    return ORDERLY_OK;
}

void od_signals_stop(struct od_signals *signals)
{
    uint64_t one = 1;

    if (signals->threaded) {
        (void)!write(signals->stop_fd, &one, sizeof one);
        pthread_join(signals->thread, NULL);
        signals->threaded = false;
    }
    if (signals->fd >= 0) {
        close(signals->fd);
    }
    if (signals->stop_fd >= 0) {
        close(signals->stop_fd);
    }
    signals->fd = -1;
    signals->stop_fd = -1;
}
