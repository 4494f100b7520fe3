/*
 * One child of an exec handler: its pipes, its time, the signals it is sent. All by the handler's event thread.
 *
 * When it must go:
 *   own time over         TERM now, KILL after kill_grace
 *   revoked, closing      TERM when kill_grace is left, KILL when nothing is left
 *   lost                  TERM now, KILL after lost_grace
 */
#ifndef OD_DAEMON_EXEC_CHILD_H
#define OD_DAEMON_EXEC_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/bytes.h"
#include "daemon/exec_end.h"
#include "daemon/exec_env.h"
#include "daemon/handler.h"
#include "daemon/spawn.h"
#include "orderly/orderly.h"

enum od_exec_watch_kind { OD_EXEC_PID, OD_EXEC_IN, OD_EXEC_ERR, OD_EXEC_RESULT, OD_EXEC_CANCEL, OD_EXEC_WATCHES };

#define OD_EXEC_TAIL 4096
#define OD_EXEC_ANSWER_MAX ((size_t)64 * 1024)
#define OD_EXEC_RECHECK_MS 250 /* a cancelled child: whether the reason or the time left has changed */

/* A descriptor that epoll knows; -1: none. */
struct od_exec_watch {
    struct od_exec_child *child;
    enum od_exec_watch_kind kind;
    int fd;
};

struct od_exec_child {
    struct od_exec_child *previous, *next;
    struct orderly_record *record; /* one reference */
    struct od_exec_watch watch[OD_EXEC_WATCHES];
    pid_t pid;
    struct orderly_bytes value; /* of the record; what is not written yet */
    char *tail;                 /* the end of stderr: up to twice OD_EXEC_TAIL bytes */
    size_t tail_size;
    struct od_bytes answer;
    bool answer_long;
    int64_t deadline_ms, term_ms, kill_ms, recheck_ms; /* od_clock_ms; INT64_MAX: never */
    enum od_kill cause;                                /* why the first signal was sent */
    bool sent_term, sent_kill;
};

/* What all children of a handler share. */
struct od_exec_common {
    const struct od_handler_options *options;
    char *path;           /* of the command */
    struct od_words argv; /* with a NULL behind it */
    struct od_words env;  /* what every child gets */
    struct od_spawner spawner;
    struct od_exec_env scratch;
    int epoll;
};

/* Starts one; takes the reference on success. 0, or an errno. */
int od_exec_child_start(struct od_exec_common *, struct orderly_record *, struct od_exec_child **ret);
/* A descriptor is ready. True when the child has ended: then judge and free it. */
bool od_exec_child_ready(struct od_exec_common *, struct od_exec_watch *);
/* Signals that are due. Returns when to come back. */
int64_t od_exec_child_act(struct od_exec_common *, struct od_exec_child *, int64_t now_ms);
/* Kills it at once, as a cancel does. */
void od_exec_child_kill(struct od_exec_child *);
/* It has ended: kills what is left of its group, reaps it, reads what is left. `answer`, `problem` are filled for the judgement. */
void od_exec_child_reap(struct od_exec_common *, struct od_exec_child *, struct od_exec_end *ret,
                        struct od_answer *answer, char *problem, size_t problem_size);
void od_exec_child_free(struct od_exec_child *);

#endif
