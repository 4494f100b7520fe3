/* What the demo shows while it runs: a frame that is redrawn on a terminal, plain lines elsewhere. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cli/demo.h"

#define FRAME_MS 200
#define LINE_MS 2000

void od_demo_view_event(struct od_demo_view *view, const char *format, ...)
{
    char text[140];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    double seconds = (double)(od_monotonic_ms() - view->begun_ms) / 1000;
    if (!view->live) {
        printf("%5.1f s  %s\n", seconds, text);
        fflush(stdout);
        return;
    }
    size_t last = sizeof view->events / sizeof *view->events - 1;
    memmove(view->events[0], view->events[1], last * sizeof *view->events);
    snprintf(view->events[last], sizeof *view->events, "%5.1f s  %s", seconds, text);
}

struct sums {
    size_t produced, running, waiting;
};

/* What the journal and the producer say now. */
static struct sums sum_up(const struct od_demo_check *check)
{
    struct sums sums = {0};
    int64_t now_ms = od_now_ms();
    for (size_t i = 0; i < check->count; i++) {
        const struct od_demo_record *record = &check->records[i];
        sums.produced += record->produced_ms > 0;
        sums.running += record->runs > 0 && record->last_end_ms == 0;
        sums.waiting += record->runs == 0 && record->due_ms > now_ms;
        sums.waiting += record->last_end_ms > 0 && !od_demo_finished(record);
    }
    return sums;
}

static void draw_bar(const char *name, size_t value, size_t whole, const char *colour)
{
    bool coloured = od_has_colour(stdout);
    size_t wide = whole ? value * 40 / whole : 0;
    wide = wide > 40 ? 40 : wide;
    printf("  %-20s %6zu  %s", name, value, coloured ? colour : "");
    for (size_t i = 0; i < 40; i++) {
        fputs(i < wide || (i == 0 && value) ? "█" : "·", stdout);
    }
    printf("%s\033[K\n", coloured ? "\033[0m" : "");
}

static void draw_members(const struct od_demo_members *members)
{
    printf("  members             ");
    for (size_t i = 0; i < members->count; i++) {
        const struct od_demo_member *member = &members->list[i];
        if (!member->gone) {
            printf(" %s%s", member->name, member->leaving ? " (leaving)" : "");
        }
    }
    printf("\033[K\n");
}

static void draw_frame(struct od_demo_view *view, const struct od_demo_check *check,
                       const struct od_demo_members *members, const struct sums *sums)
{
    const size_t events = sizeof view->events / sizeof *view->events;
    if (view->begun) {
        printf("\033[%zuA", 8 + events);
    }
    view->begun = true;
    printf("orderly demo, %.0f s\033[K\n", (double)(od_monotonic_ms() - view->begun_ms) / 1000);
    draw_bar("written", sums->produced, check->count, "\033[34m");
    draw_bar("done", check->report.done, check->count, "\033[32m");
    draw_bar("running", sums->running, 48, "\033[36m");
    draw_bar("waiting for retry", sums->waiting, 150, "\033[33m");
    draw_bar("dead letters", check->report.dead, 60, "\033[31m");
    draw_members(members);
    printf("\033[K\n");
    for (size_t i = 0; i < events; i++) {
        printf("  %s\033[K\n", view->events[i]);
    }
    fflush(stdout);
}

void od_demo_view_draw(struct od_demo_view *view, const struct od_demo_check *check,
                       const struct od_demo_members *members, bool now)
{
    int64_t at_ms = od_monotonic_ms();
    if (!now && at_ms - view->drawn_ms < (view->live ? FRAME_MS : LINE_MS)) {
        return;
    }
    struct sums sums = sum_up(check);
    view->drawn_ms = at_ms;
    if (view->live) {
        draw_frame(view, check, members, &sums);
    } else {
        printf("%5.1f s  written %zu, done %zu, running %zu, waiting for retry %zu, dead letters %zu\n",
               (double)(at_ms - view->begun_ms) / 1000, sums.produced, check->report.done, sums.running, sums.waiting,
               check->report.dead);
        fflush(stdout);
    }
}
