/* `orderly top`: a running daemon, live. Redraws on a terminal; elsewhere one look follows the other. */
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/admin_client.h"
#include "cli/status_print.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static size_t rows_for_partitions(void)
{
    struct winsize size = {0};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 30) {
        return 8;
    }
    return (size_t)size.ws_row - 22;
}

static void draw(const json_t *status, const json_t *before, bool live)
{
    if (live) {
        fputs("\033[H\033[2J", stdout);
    }
    od_status_print(stdout, status, before, live ? rows_for_partitions() : 0);
    if (!live) {
        fputc('\n', stdout);
    }
    fflush(stdout);
}

int od_top_command(const struct od_args *args)
{
    int64_t interval_ms = 0, count = 0;
    if (!od_args_duration(args, "interval", 1000, &interval_ms) ||
        !od_args_number(args, "count", 1, 1000000000, 0, &count)) {
        return OD_EXIT_USAGE;
    }
    struct sigaction action = {.sa_handler = on_interrupt};
    struct timespec pause = {(time_t)(interval_ms / 1000), (long)(interval_ms % 1000) * 1000000};
    bool live = od_is_terminal(stdout);
    json_t *status = NULL, *before = NULL;
    int code = OD_EXIT_OK;
    sigaction(SIGINT, &action, NULL);
    for (int64_t i = 0; !interrupted && (!count || i < count); i++) {
        if (i > 0) {
            nanosleep(&pause, NULL);
        }
        json_decref(before);
        before = status;
        status = NULL;
        code = interrupted ? OD_EXIT_OK : od_admin_get(args, "/api/v1/status", &status);
        if (code || !status) {
            break;
        }
        draw(status, before, live);
    }
    json_decref(status);
    json_decref(before);
    return code;
}
