/* Starting a program at the cost of vfork: see spawn.h. */
#include "daemon/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif

#ifndef __has_feature
#define __has_feature(name) 0
#endif
/* ThreadSanitizer takes a clone() for a fork, although this one shares our memory: glibc's other name goes past it. */
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
extern int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
#define clone_child __clone
#else
#define clone_child clone
#endif

enum { STACK_SIZE = 64 * 1024, SIGNALS = 64 };

/* Nothing may watch the child, which borrows our memory: no instrumentation, no interposed libc functions. */
#define UNWATCHED __attribute__((no_sanitize("address", "thread", "undefined"), noinline))

/* What the kernel calls struct sigaction; all zero is SIG_DFL. */
struct kernel_sigaction {
    uintptr_t handler;
    unsigned long flags;
    uintptr_t restorer;
    uint64_t mask;
};

struct child {
    const struct od_spawn *spawn;
    const struct rlimit *files;
    pid_t parent;
    int error;
};

static struct rlimit original_files;
static bool limit_raised;

void od_spawn_raise_limit(void)
{
    struct rlimit files;

    if (limit_raised || getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return;
    }
    original_files = files;
    files.rlim_cur = files.rlim_max;
    limit_raised = setrlimit(RLIMIT_NOFILE, &files) == 0;
}

enum orderly_err od_spawner_init(struct od_spawner *spawner)
{
    void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (stack == MAP_FAILED) {
        spawner->stack = NULL;
        return ORDERLY_NOMEM;
    }
    spawner->stack = stack;
    return ORDERLY_OK;
}

void od_spawner_fini(struct od_spawner *spawner)
{
    if (spawner->stack != NULL) {
        munmap(spawner->stack, STACK_SIZE);
    }
    spawner->stack = NULL;
}

/* Moves the given descriptors to 0..3. None of them is below 3 itself: the program keeps 0, 1, 2 open. */
UNWATCHED static int place_fds(const int fds[4])
{
    for (int to = 0; to < 4; to++) {
        if (fds[to] < 0) {
            continue;
        }
        if (fds[to] == to) {
            if (syscall(SYS_fcntl, to, F_SETFD, 0) != 0) {
                return errno;
            }
        } else if (syscall(SYS_dup3, fds[to], to, 0) != to) {
            return errno;
        }
    }
    /* Everything of ours is close-on-exec; this is for descriptors of libraries that forgot it. */
    syscall(SYS_close_range, fds[3] < 0 ? 3u : 4u, ~0u, 0u);
    return 0;
}

UNWATCHED static void reset_signals(void)
{
    struct kernel_sigaction standard;
    uint64_t none = 0;

    standard.handler = 0;
    standard.flags = 0;
    standard.restorer = 0;
    standard.mask = 0;
    for (int number = 1; number <= SIGNALS; number++) {
        if (number != SIGKILL && number != SIGSTOP) {
            syscall(SYS_rt_sigaction, number, &standard, NULL, sizeof standard.mask);
        }
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

UNWATCHED static int child_main(void *argument)
{
    struct child *child = argument;
    int error;

    if (syscall(SYS_setpgid, 0, 0) != 0) {
        child->error = errno;
        syscall(SYS_exit, 127);
    }
    syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if ((pid_t)syscall(SYS_getppid) != child->parent) {
        syscall(SYS_exit, 127); /* it died before the line above */
    }
    if (child->files != NULL) {
        syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, child->files, NULL);
    }
    error = place_fds(child->spawn->fds);
    if (error == 0) {
        reset_signals();
        syscall(SYS_execve, child->spawn->path, child->spawn->argv, child->spawn->envp);
        error = errno;
    }
    child->error = error;
    syscall(SYS_exit, 127);
    return 127;
}

int od_spawner_start(struct od_spawner *spawner, const struct od_spawn *spawn, pid_t *ret_pid, int *ret_pidfd)
{
    struct child child = {
        .spawn = spawn,
        .files = limit_raised ? &original_files : NULL,
        .parent = getpid(),
        .error = 0,
    };
    char *top = (char *)spawner->stack + STACK_SIZE;
    int pidfd = -1;
    pid_t pid = clone_child(child_main, top, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &pidfd);

    if (pid < 0) {
        return errno;
    }
    if (child.error != 0) {
        siginfo_t info;

        while (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0 && errno == EINTR) {
        }
        close(pidfd);
        return child.error;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

static bool is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

static char *join(const char *folder, size_t size, const char *name)
{
    char *path = NULL;

    if (size == 0) {
        folder = ".";
        size = 1;
    }
    return asprintf(&path, "%.*s/%s", (int)size, folder, name) < 0 ? NULL : path;
}

static char *find_in_path(const char *command)
{
    const char *path = getenv("PATH");

    if (path == NULL) {
        path = "/usr/local/bin:/usr/bin:/bin";
    }
    for (;;) {
        size_t size = strcspn(path, ":");
        char *candidate = join(path, size, command);

        if (candidate != NULL && is_program(candidate)) {
            return candidate;
        }
        free(candidate);
        if (path[size] == '\0') {
            return NULL;
        }
        path += size + 1;
    }
}

/* Absolute, but with symbolic links as they are: a program may go by the name it was called with. */
static char *make_absolute(char *path)
{
    char *folder, *absolute;

    if (path == NULL || path[0] == '/') {
        return path;
    }
    folder = getcwd(NULL, 0);
    absolute = folder == NULL ? NULL : join(folder, strlen(folder), path);
    free(folder);
    free(path);
    return absolute;
}

char *od_spawn_find(const char *command)
{
    if (command[0] == '\0') {
        return NULL;
    }
    if (strchr(command, '/') == NULL) {
        char *found = find_in_path(command);

        if (found != NULL) {
            return make_absolute(found);
        }
    }
    return is_program(command) ? make_absolute(strdup(command)) : NULL;
}
