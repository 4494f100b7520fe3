/*
 * One long-lived process of a stream handler: started, greeted, fed lines, told to go, reaped. All by the event thread.
 *
 *   waiting --time--> greeting --hello--> ready --bye | quiet--> leaving
 *      ^                 |                  |                       |
 *      |                 +-----protocol fault, deadline, close------+--> ending --exit--+
 *      +--------------------------------------------------------------------------------+
 */
#ifndef OD_DAEMON_STREAM_PROCESS_H
#define OD_DAEMON_STREAM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/bytes.h"
#include "daemon/handler.h"
#include "daemon/spawn.h"
#include "daemon/stream_wire.h"
#include "orderly/orderly.h"

#define OD_STREAM_GREETING_MS INT64_C(30000) /* for the answer to hello */
#define OD_STREAM_PING_MS INT64_C(30000)     /* of silence, with nothing to do; as long again for the answer */

enum od_stream_state {
    OD_STREAM_WAITING,
    OD_STREAM_GREETING,
    OD_STREAM_READY,
    OD_STREAM_LEAVING, /* gets no more records */
    OD_STREAM_ENDING   /* was sent a signal, or closed its end */
};

enum od_stream_watch_kind { OD_STREAM_PID, OD_STREAM_IN, OD_STREAM_OUT, OD_STREAM_ERR, OD_STREAM_CANCEL };

/* A descriptor that epoll knows; -1: none. Owner: a process, or for CANCEL a delivery. */
struct od_stream_watch {
    void *owner;
    enum od_stream_watch_kind kind;
    int fd;
};

struct od_stream_process {
    size_t number; /* from 1 */
    enum od_stream_state state;
    pid_t pid;
    struct od_stream_watch watch[4];
    struct od_bytes outbox, inbox, errors; /* outbox: what is not written yet */
    bool writing;                          /* epoll waits for room */
    size_t in_flight, max_in_flight;
    bool base64, quiet, said_bye, sent_terminate, sent_term, sent_kill, fault;
    char problem[300];            /* fault: what was wrong */
    int64_t start_ms, backoff_ms; /* waiting: when to start */
    int64_t started_ms;
    int64_t greeted_by_ms, heard_ms;        /* od_clock_ms */
    int64_t ping_ms, ping_number;           /* when the unanswered ping was sent; 0: none */
    int64_t terminate_ms, term_ms, kill_ms; /* INT64_MAX: never */
};

/* What all processes of a handler share. */
struct od_stream_common {
    const struct od_handler_options *options;
    char *path;
    struct od_words argv, env;
    struct od_spawner spawner;
    int64_t share; /* records in flight for one process */
    int epoll;
};

void od_stream_process_init(struct od_stream_process *, size_t number);
/* Starts it and says hello. 0, or an errno. */
int od_stream_process_start(struct od_stream_common *, struct od_stream_process *);
/* Writes what is in the outbox, now and when there is room. */
void od_stream_process_flush(struct od_stream_common *, struct od_stream_process *);
/* Its stdin has room. */
void od_stream_process_writable(struct od_stream_common *, struct od_stream_process *);
/* Its stderr has lines: they go to the log. */
void od_stream_process_errors(struct od_stream_common *, struct od_stream_process *);
/* Reads its stdout into the inbox; false when there is nothing now. At the end of it the process is ending. */
bool od_stream_process_read(struct od_stream_common *, struct od_stream_process *, int64_t now_ms);
/* Takes the next line out of the inbox; it stays valid until the next read. False: none. A line that is too long is a fault. */
bool od_stream_process_line(struct od_stream_common *, struct od_stream_process *, size_t *at, const char **ret,
                            size_t *ret_size);
/* It broke the protocol: TERM now, KILL after kill_grace. */
void od_stream_process_fault(struct od_stream_common *, struct od_stream_process *, const char *problem,
                             int64_t now_ms);
/* Signals and pings that are due. Returns when to come back. */
int64_t od_stream_process_act(struct od_stream_common *, struct od_stream_process *, int64_t now_ms);
/* It has ended: reaps it. Returns its exit code, or minus the signal; `ret_ours`: it died of our signal. The inbox may hold lines still. */
int od_stream_process_reap(struct od_stream_common *, struct od_stream_process *, bool *ret_ours);
void od_stream_process_fini(struct od_stream_common *, struct od_stream_process *);

#endif
