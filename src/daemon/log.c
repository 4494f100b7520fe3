/* The log of the program: see log.h. */
#include "daemon/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "daemon/bytes.h"
#include "daemon/log_repeats.h"

static const int WAIT_MS = 200; /* for a reader that does not read */
enum { LINE_MAX_BYTES = 16384 };

static atomic_int log_fd = STDERR_FILENO;
static atomic_int log_format = OD_LOG_TEXT;
static atomic_int log_level = ORDERLY_LOG_INFO;
static atomic_ullong log_missed;
static pthread_mutex_t repeats_mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the two below */
static struct od_repeats repeats;
static uint64_t repeats_limit;

void od_say_format_set(enum od_say_format format)
{
    if (format == OD_LOG_AUTO) {
        format = isatty(atomic_load(&log_fd)) ? OD_LOG_TEXT : OD_LOG_JSON;
    }
    atomic_store(&log_format, (int)format);
}

void od_say_level_set(enum orderly_log_level level)
{
    atomic_store(&log_level, (int)level);
}

enum orderly_log_level od_say_level(void)
{
    return (enum orderly_log_level)atomic_load(&log_level);
}

bool od_say_format_parse(const char *word, enum od_say_format *ret)
{
    static const char *const words[] = {"auto", "text", "json"};

    for (int i = 0; i < 3; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum od_say_format)i;
            return true;
        }
    }
    return false;
}

static const char *level_name(int level)
{
    return level <= ORDERLY_LOG_ERROR     ? "error"
           : level <= ORDERLY_LOG_WARNING ? "warning"
           : level <= ORDERLY_LOG_INFO    ? "info"
                                          : "debug";
}

bool od_say_level_parse(const char *word, enum orderly_log_level *ret)
{
    static const enum orderly_log_level levels[] = {ORDERLY_LOG_ERROR, ORDERLY_LOG_WARNING, ORDERLY_LOG_INFO,
                                                    ORDERLY_LOG_DEBUG};

    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcasecmp(word, level_name((int)levels[i])) == 0) {
            *ret = levels[i];
            return true;
        }
    }
    return false;
}

void od_say_fd_set(int fd)
{
    atomic_store(&log_fd, fd);
}

/* One byte of text for people: nothing that moves a cursor or makes a second line. C1 controls are U+0080 to U+009F. */
static void add_printable(struct od_bytes *line, const char *text, size_t size)
{
    const unsigned char *in = (const unsigned char *)text;

    for (size_t i = 0; i < size;) {
        size_t length = od_bytes_sequence(in + i, size - i);

        if (length == 0 || (length == 1 && (in[i] < 0x20 || in[i] == 0x7F)) ||
            (length == 2 && in[i] == 0xC2 && in[i + 1] < 0xA0)) {
            length = length == 0 ? 1 : length;
            if (in[i] == '\n') {
                od_bytes_text(line, "\\n");
            } else if (in[i] == '\t') {
                od_bytes_text(line, "\\t");
            } else {
                od_bytes_format(line, "\\x%02x", in[i + length - 1]);
            }
        } else {
            od_bytes_add(line, in + i, length);
        }
        i += length;
    }
}

static void compose_text(struct od_bytes *line, int64_t now_ms, int level, const char *area, const char *text)
{
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm parts;

    localtime_r(&seconds, &parts);
    od_bytes_format(line, "%02d:%02d:%02d.%03d %-7s %s: ", parts.tm_hour, parts.tm_min, parts.tm_sec,
                    (int)(now_ms % 1000), level_name(level), area);
    add_printable(line, text, strlen(text));
}

static void compose_json(struct od_bytes *line, int64_t now_ms, int level, const char *area, const char *text)
{
    od_bytes_text(line, "{\"time\":\"");
    od_bytes_time(line, now_ms);
    od_bytes_format(line, "\",\"level\":\"%s\",\"area\":", level_name(level));
    od_bytes_json_text(line, area);
    od_bytes_text(line, ",\"text\":");
    od_bytes_json_text(line, text);
    od_bytes_byte(line, '}');
}

/* One write for one line; a pipe that is full is waited for, but not for long. */
static bool write_line(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, data, size);

        if (done > 0) {
            data += done;
            size -= (size_t)done;
        } else if (done < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};

            if (poll(&wait, 1, WAIT_MS) <= 0) {
                return false;
            }
        } else if (done == 0 || errno != EINTR) {
            return false;
        }
    }
    return true;
}

static void emit(int level, const char *area, const char *text)
{
    int64_t now_ms = od_clock_wall_ms();
    struct od_bytes line = {0};

    if (atomic_load(&log_format) == OD_LOG_JSON) {
        compose_json(&line, now_ms, level, area, text);
    } else {
        compose_text(&line, now_ms, level, area, text);
    }
    od_bytes_byte(&line, '\n');
    if (line.failed || !write_line(atomic_load(&log_fd), line.data, line.size)) {
        atomic_fetch_add(&log_missed, 1);
    }
    od_bytes_fini(&line);
}

/* ---- Repeated lines ------------------------------------------------------------------------------------ */

/* Dead letters and records that are lost or cut are named one by one, however many; who asked for debug wants all of it. */
static bool never_left_out(int level, const char *area)
{
    return level >= ORDERLY_LOG_DEBUG || strcmp(area, "dead-letter") == 0 || strcmp(area, "drain") == 0 ||
           (level <= ORDERLY_LOG_ERROR && strcmp(area, "retry") == 0);
}

static void emit_left_out(const struct od_repeat *repeat)
{
    char text[640];

    if (repeat->more > 0) {
        snprintf(text, sizeof text, "and %llu more like it within %d s: %s", (unsigned long long)repeat->more,
                 OD_REPEATS_WINDOW_MS / 1000, repeat->text);
        emit(repeat->level, repeat->area, text);
    }
}

static bool admit(int level, const char *area, const char *text)
{
    struct od_repeat gone;
    bool admitted;

    if (never_left_out(level, area)) {
        return true;
    }
    pthread_mutex_lock(&repeats_mutex);
    admitted = od_repeats_admit(&repeats, repeats_limit, od_clock_ms(), level, area, text, &gone);
    pthread_mutex_unlock(&repeats_mutex);
    emit_left_out(&gone);
    return admitted;
}

void od_say_repeats_set(uint64_t limit)
{
    pthread_mutex_lock(&repeats_mutex);
    repeats_limit = limit;
    pthread_mutex_unlock(&repeats_mutex);
}

void od_say_left_out(bool all)
{
    struct od_repeat repeat;
    bool taken;

    do {
        pthread_mutex_lock(&repeats_mutex);
        taken = od_repeats_take(&repeats, all ? INT64_MAX : od_clock_ms(), &repeat);
        pthread_mutex_unlock(&repeats_mutex);
        if (taken) {
            emit_left_out(&repeat);
        }
    } while (taken);
}

/* ---- Lines --------------------------------------------------------------------------------------------- */

void od_say_whole(int level, const char *area, const char *text)
{
    unsigned long long missed;

    if (level > atomic_load(&log_level)) {
        return;
    }
    missed = atomic_exchange(&log_missed, 0);
    if (missed > 0) {
        char note[80];

        snprintf(note, sizeof note, "%llu lines of log could not be written", missed);
        emit(ORDERLY_LOG_WARNING, "log", note);
    }
    emit(level, area, text);
}

void od_say_line(int level, const char *area, const char *text)
{
    if (area == NULL || area[0] == '\0') {
        area = "orderly";
    }
    if (level <= atomic_load(&log_level) && admit(level, area, text)) {
        od_say_whole(level, area, text);
    }
}

void od_say(int level, const char *area, const char *format, ...)
{
    char text[LINE_MAX_BYTES];
    va_list list;

    if (level > atomic_load(&log_level)) {
        return;
    }
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    od_say_line(level, area, text);
}
