/* What is said to people on stderr, and how times are written. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

void od_talk(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}

static void say_prefix(const struct od_args *args)
{
    const char *name = args && args->command ? args->command->name : NULL;
    const char *bold = od_has_colour(stderr) ? "\033[1;31m" : "", *plain = *bold ? "\033[0m" : "";
    fprintf(stderr, "%sorderly%s%s:%s ", bold, name ? " " : "", name ? name : "", plain);
}

int od_talk_failure(const struct od_args *args, int code, const char *format, ...)
{
    va_list list;
    say_prefix(args);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    return code;
}

int od_talk_error(const struct od_args *args, enum orderly_err err, const struct orderly_error *error)
{
    const char *text = error && *error->text ? error->text : orderly_strerror(err);
    int code = OD_EXIT_FAILURE;
    switch (err) {
    case ORDERLY_CONFIG:
    case ORDERLY_UNKNOWN_TOPIC:
    case ORDERLY_NO_OFFSET:
        code = OD_EXIT_CONFIG;
        break;
    case ORDERLY_TIMEOUT:
        code = OD_EXIT_TEMPORARY;
        break;
    case ORDERLY_OK:
    case ORDERLY_NOMEM:
    case ORDERLY_INVALID:
    case ORDERLY_STATE:
    case ORDERLY_INTERRUPTED:
    case ORDERLY_CLOSED:
    case ORDERLY_CANCELLED:
    case ORDERLY_STALE:
    case ORDERLY_FENCED:
    case ORDERLY_AUTH:
    case ORDERLY_LIMIT:
    case ORDERLY_UNSUPPORTED:
    case ORDERLY_KAFKA:
    case ORDERLY_FATAL:
    default:
        break;
    }
    return od_talk_failure(args, code, "%s", text);
}

bool od_is_terminal(FILE *stream)
{
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) && (!term || strcmp(term, "dumb") != 0);
}

bool od_has_colour(FILE *stream)
{
    const char *no = getenv("NO_COLOR");
    return od_is_terminal(stream) && (!no || !*no);
}

bool od_confirm(const char *question)
{
    char answer[16];
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        return false;
    }
    fprintf(stderr, "%s [y/N] ", question);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

int od_finish_output(const struct od_args *args, int code)
{
    if (fflush(stdout) || ferror(stdout)) {
        return od_talk_failure(args, OD_EXIT_FAILURE, "the output could not be written");
    }
    return code;
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t od_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t od_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

void od_format_time(int64_t unix_ms, char ret[32])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    int ms = (int)(unix_ms % 1000);
    if (ms < 0) {
        ms += 1000;
        seconds--;
    }
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t used = strftime(ret, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(ret + used, 32 - used, ".%03dZ", ms);
}

void od_format_age(int64_t ms, char ret[32])
{
    long long s = (long long)(ms < 0 ? 0 : ms) / 1000;
    if (ms < 10000) {
        snprintf(ret, 32, "%.1f s", (double)(ms < 0 ? 0 : ms) / 1000);
    } else if (s < 120) {
        snprintf(ret, 32, "%lld s", s);
    } else if (s < 7200) {
        snprintf(ret, 32, "%lld min", s / 60);
    } else if (s < 172800) {
        snprintf(ret, 32, "%lld h %lld min", s / 3600, s / 60 % 60);
    } else {
        snprintf(ret, 32, "%lld d", s / 86400);
    }
}
