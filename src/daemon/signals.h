/*
 * Signals of the daemon, taken by a thread of their own through signalfd: no handler ever runs in the middle of something.
 * SIGTERM, SIGINT: `drain` the first time, the process ends at once the second time. SIGHUP: `reload`.
 */
#ifndef OD_DAEMON_SIGNALS_H
#define OD_DAEMON_SIGNALS_H

#include <pthread.h>
#include <stdbool.h>

#include "orderly/orderly.h"

struct od_signals {
    int fd, stop_fd;
    pthread_t thread;
    bool threaded, draining;
    void (*drain)(const char *signal_name, void *userdata);
    void (*reload)(void *userdata);
    void *userdata;
};

/* Blocks them in the calling thread, and so in those it starts from now on. SIGPIPE is ignored. */
void od_signals_block(void);
/* Starts the thread; callbacks are called by it. Errors: LIMIT. */
enum orderly_err od_signals_start(struct od_signals *);
void od_signals_stop(struct od_signals *);

#endif
