/*
 * Starting a program at the cost of vfork: clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD) on a stack of its own.
 *
 * posix_spawn() cannot ask for PR_SET_PDEATHSIG. That signal comes when the *thread* that started the child ends, so only
 * a thread that lives as long as the program may call this. The child leads its own process group.
 */
#ifndef OD_DAEMON_SPAWN_H
#define OD_DAEMON_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "orderly/orderly.h"

/* For printf, with the command. */
#define OD_SPAWN_NOT_FOUND                                                                                                    \
    "the command \"%.200s\" was not found: not on PATH, and no program of that name relative to the working directory (give " \
    "its path, and make it executable)"

struct od_spawner {
    void *stack;
};

struct od_spawn {
    const char *path; /* absolute */
    char *const *argv, *const *envp;
    int fds[4]; /* become 0, 1, 2, 3 of the child; -1: as it is (3: closed) */
};

/* Errors: NOMEM. */
enum orderly_err od_spawner_init(struct od_spawner *);
void od_spawner_fini(struct od_spawner *);
/* 0, or an errno: of the clone, or of the child's execve. All signals must be blocked in the calling thread. */
int od_spawner_start(struct od_spawner *, const struct od_spawn *, pid_t *ret_pid, int *ret_pidfd);

/* The absolute path of a command: as it is, by PATH, or relative to the working directory; malloc'ed. NULL: there is none that can be run. */
char *od_spawn_find(const char *command);
/* Raises the soft limit of descriptors to the hard one, once; children get the old one back. */
void od_spawn_raise_limit(void);

#endif
