/* The members of the demo: `orderly run` processes, this program again. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

/* In the child: a group of its own (Ctrl-C is for us, who then ask them to leave), and an end with ours, however that comes: the broker ends then too. */
static void become_member(const struct od_demo_member *member, char *const *argv, pid_t demo)
{
    sigset_t none;
    int input = open("/dev/null", O_RDONLY);
    int log = open(member->log, O_WRONLY | O_CREAT | O_APPEND, 0644);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == demo && input >= 0 && log >= 0 && dup2(input, STDIN_FILENO) >= 0 &&
        dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0) {
        execv("/proc/self/exe", argv);
    }
    _exit(126);
}

static int spawn(const struct od_demo_member *member, char *const *argv)
{
    pid_t demo = getpid(), pid = fork();

    if (pid == 0) {
        become_member(member, argv, demo);
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
