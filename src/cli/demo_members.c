/* The members of the demo: `orderly run` processes, this program again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/demo.h"

static void say_tail(const struct od_demo_member *member)
{
    char line[512], last[3][512] = {"", "", ""};
    FILE *file = fopen(member->log, "r");
    if (!file) {
        return;
    }
    for (size_t i = 0; fgets(line, sizeof line, file); i++) {
        memmove(last[0], last[1], 2 * sizeof *last);
        memcpy(last[2], line, sizeof line);
    }
    fclose(file);
    for (size_t i = 0; i < 3; i++) {
        if (*last[i]) {
            fprintf(stderr, "    %s", last[i]);
        }
    }
}

static int spawn(struct od_demo_member *member, char *const *argv)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    pid_t pid = -1;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    /* A group of its own: Ctrl-C is for us, who then ask them to leave. */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, member->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    int failed = posix_spawn(&pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        errno = failed;
        return -1;
    }
    return pid;
}

bool od_demo_start_member(struct od_demo_members *members)
{
    if (members->count == OD_DEMO_MEMBERS_MAX) {
        return true;
    }
    struct od_demo_member *member = &members->list[members->count];
    char self[512], timeout[64], attempts[64];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0) {
        od_talk("orderly demo: /proc/self/exe cannot be read: %s", strerror(errno));
        return false;
    }
    self[size] = '\0';
    *member = (struct od_demo_member){0};
    snprintf(member->name, sizeof member->name, "m%zu", members->count + 1);
    snprintf(member->log, sizeof member->log, "%.250s/m%zu.log", members->folder, members->count + 1);
    snprintf(timeout, sizeof timeout, "handler.exec.timeout=%dms", OD_DEMO_TIMEOUT_MS);
    snprintf(attempts, sizeof attempts, "retry.attempts=%d", OD_DEMO_ATTEMPTS);
    const char *const words[] = {"orderly",
                                 "run",
                                 "--brokers",
                                 members->brokers,
                                 "--group",
                                 "demo",
                                 "--topic",
                                 "ward",
                                 "--topic",
                                 "hospital",
                                 "--start",
                                 "earliest",
                                 "--order",
                                 "key",
                                 "--concurrency",
                                 "12",
                                 "--log-format",
                                 "text",
                                 "--set",
                                 "retry.in=topic",
                                 "--set",
                                 "retry.honour_retry_after=true",
                                 "--set",
                                 attempts,
                                 "--set",
                                 "retry.backoff.first=300ms",
                                 "--set",
                                 "dead_letter.max_rate=100%",
                                 "--set",
                                 timeout,
                                 "--set",
                                 "handler.exec.kill_grace=200ms",
                                 "-X",
                                 "group.protocol=consumer",
                                 "--",
                                 self,
                                 "demo",
                                 "--handler",
                                 members->journal,
                                 NULL};
    member->pid = spawn(member, (char *const *)(uintptr_t)words);
    if (member->pid < 0) {
        od_talk("orderly demo: a member could not be started: %s", strerror(errno));
        return false;
    }
    members->count++;
    return true;
}

void od_demo_stop_member(struct od_demo_member *member)
{
    if (!member->gone && !member->leaving) {
        member->leaving = true;
        kill(member->pid, SIGTERM);
    }
}

bool od_demo_watch_members(struct od_demo_members *members)
{
    bool good = true;
    for (size_t i = 0; i < members->count; i++) {
        struct od_demo_member *member = &members->list[i];
        int status = 0;
        if (member->gone || waitpid(member->pid, &status, WNOHANG) != member->pid) {
            continue;
        }
        member->gone = true;
        member->status = status;
        if (!member->leaving || !WIFEXITED(status) || WEXITSTATUS(status)) {
            od_talk("orderly demo: member %s ended with %s %d:", member->name,
                    WIFEXITED(status) ? "exit code" : "signal",
                    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
            say_tail(member);
            good = false;
        }
    }
    return good;
}

bool od_demo_page(const struct od_demo_members *members, char *ret, size_t size)
{
    char line[512];
    for (size_t i = members->count; i > 0; i--) {
        FILE *file = members->list[i - 1].gone ? NULL : fopen(members->list[i - 1].log, "r");
        while (file && fgets(line, sizeof line, file)) {
            char *page = strstr(line, "http://");
            if (page && strstr(line, "status page at")) {
                page[strcspn(page, ", \n")] = '\0';
                snprintf(ret, size, "%s", page);
                fclose(file);
                return true;
            }
        }
        if (file) {
            fclose(file);
        }
    }
    return false;
}

bool od_demo_all_gone(const struct od_demo_members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        if (!members->list[i].gone) {
            return false;
        }
    }
    return true;
}

void od_demo_kill_members(struct od_demo_members *members)
{
    for (size_t i = 0; i < members->count; i++) {
        struct od_demo_member *member = &members->list[i];
        if (!member->gone) {
            kill(member->pid, SIGKILL);
            waitpid(member->pid, &member->status, 0);
            member->gone = true;
        }
    }
}
