/* The checker of the demo: what became of each record, from what the handlers wrote. Asks the product nothing. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/demo.h"

/* A step of the number of records that wait for their time. */
struct od_demo_wait {
    int64_t at_ms;
    int step;
};

void od_demo_check_init(struct od_demo_check *check, struct od_demo_record *records, size_t count, FILE *journal)
{
    *check = (struct od_demo_check){.records = records, .count = count, .journal = journal};
    check->report.earliest_ms = INT64_MAX;
    check->report.latest_ms = INT64_MIN;
}

void od_demo_check_fini(struct od_demo_check *check)
{
    free(check->waits);
    check->waits = NULL;
}

static void add_wait(struct od_demo_check *check, int64_t from_ms, int64_t to_ms)
{
    if (check->wait_count + 2 > check->wait_room) {
        size_t room = check->wait_room ? check->wait_room * 2 : 256;
        struct od_demo_wait *waits = realloc(check->waits, room * sizeof *waits);
        if (!waits) {
            return;
        }
        check->waits = waits;
        check->wait_room = room;
    }
    check->waits[check->wait_count++] = (struct od_demo_wait){from_ms, 1};
    check->waits[check->wait_count++] = (struct od_demo_wait){to_ms, -1};
}

/* Runs until the record is over, as planned. */
static int planned_runs(const struct od_demo_record *record)
{
    switch (record->kind) {
    case OD_DEMO_ACK:
    case OD_DEMO_POISON:
        return 1;
    case OD_DEMO_RETRY:
        return record->failures + 1;
    case OD_DEMO_CRASH:
    case OD_DEMO_HANG:
        return 2;
    case OD_DEMO_HOPELESS:
        return OD_DEMO_ATTEMPTS;
    }
    return 0;
}

static bool planned_dead(const struct od_demo_record *record)
{
    return record->kind == OD_DEMO_POISON || record->kind == OD_DEMO_HOPELESS;
}

bool od_demo_finished(const struct od_demo_record *record)
{
    return record->last_attempt >= planned_runs(record) && record->last_end_ms > 0 &&
           (planned_dead(record) ? record->last_code != 0 : record->last_code == 0);
}

/* When this run was due: asked for by the handler, or by the header of the hospital topic; 0: nothing was said. */
static int64_t due_of(const struct od_demo_record *record, int attempt)
{
    if (attempt == 1) {
        return record->due_ms;
    }
    return record->kind == OD_DEMO_RETRY && record->last_end_ms ? record->last_end_ms + record->delay_ms : 0;
}

static void take_time(struct od_demo_check *check, const struct od_demo_record *record, int attempt, int64_t now_ms)
{
    struct od_demo_report *report = &check->report;
    int64_t due = due_of(record, attempt);
    int64_t since = attempt == 1 ? record->produced_ms : record->last_end_ms;
    if (attempt > 1 || due) {
        add_wait(check, since ? since : now_ms, now_ms);
    }
    if (!due) {
        return;
    }
    int64_t after = now_ms - due;
    report->early += after < 0;
    report->earliest_ms = after < report->earliest_ms ? after : report->earliest_ms;
    report->latest_ms = after > report->latest_ms ? after : report->latest_ms;
}

/* First runs of one key come one after the other, in the order in which they were written. */
static void take_order(struct od_demo_check *check, size_t id, int64_t now_ms)
{
    struct od_demo_record *record = &check->records[id];
    if (record->hospital) {
        return; /* waits for its time, and is passed by what is due earlier */
    }
    int *last = &check->last_of_key[record->key % 64];
    if (*last) {
        const struct od_demo_record *before = &check->records[*last - 1];
        /* A run that hangs, or was cut, leaves no end of its own. */
        bool ended = before->kind == OD_DEMO_HANG || (before->first_end_ms && before->first_end_ms <= now_ms);
        if ((size_t)*last - 1 > id || !ended) {
            check->report.out_of_order++;
            od_talk("record %zu began before record %d of its key had ended", id, *last - 1);
        }
    }
    *last = (int)id + 1;
}

static void take_begin(struct od_demo_check *check, size_t id, int attempt, int64_t now_ms)
{
    struct od_demo_record *record = &check->records[id];
    check->report.runs++;
    record->runs++;
    if (attempt <= record->last_attempt || od_demo_finished(record)) {
        record->repeats++;
        check->report.repeated++;
    }
    if (record->runs == 1) {
        record->first_begin_ms = now_ms;
        take_order(check, id, now_ms);
    }
    take_time(check, record, attempt, now_ms);
    record->last_attempt = attempt;
    record->last_end_ms = 0;
}

static void take_end(struct od_demo_check *check, size_t id, int attempt, int64_t now_ms, int code)
{
    struct od_demo_record *record = &check->records[id];
    bool before = od_demo_finished(record);
    record->ends++;
    record->last_end_ms = now_ms;
    record->last_code = code;
    if (attempt == 1) {
        record->first_end_ms = now_ms;
    }
    if (!before && od_demo_finished(record)) {
        check->report.finished++;
        check->report.dead += planned_dead(record);
        check->report.done += !planned_dead(record);
    }
}

void od_demo_check_read(struct od_demo_check *check)
{
    char line[128];
    clearerr(check->journal);
    for (;;) {
        long at = ftell(check->journal);
        if (!fgets(line, sizeof line, check->journal) || !strchr(line, '\n')) {
            fseek(check->journal, at, SEEK_SET); /* half a line: next time */
            return;
        }
        size_t id = 0;
        int attempt = 0, code = 0;
        int64_t now_ms = 0;
        if (sscanf(line, "B %zu %d %" SCNd64, &id, &attempt, &now_ms) == 3 && id < check->count) {
            take_begin(check, id, attempt, now_ms);
        } else if (sscanf(line, "E %zu %d %" SCNd64 " %d", &id, &attempt, &now_ms, &code) == 4 && id < check->count) {
            take_end(check, id, attempt, now_ms, code);
        } else {
            check->report.wrong++;
        }
    }
}

static int by_time(const void *a, const void *b)
{
    const struct od_demo_wait *x = a, *y = b;
    if (x->at_ms != y->at_ms) {
        return x->at_ms < y->at_ms ? -1 : 1;
    }
    return x->step - y->step;
}

static void say_wrong(size_t id, const struct od_demo_record *record)
{
    od_talk(
        "record %zu (kind %d, %d failures, works %d ms): %d runs of %d, %d of them repeated, the last attempt %d ended "
        "with %d",
        id, (int)record->kind, record->failures, record->work_ms, record->runs, planned_runs(record), record->repeats,
        record->last_attempt, record->last_end_ms ? record->last_code : -1);
}

void od_demo_check_finish(struct od_demo_check *check)
{
    struct od_demo_report *report = &check->report;
    size_t waiting = 0;
    report->produced = check->count;
    for (size_t i = 0; i < check->count; i++) {
        const struct od_demo_record *record = &check->records[i];
        report->retried += record->last_attempt > 1;
        bool more = record->runs - record->repeats > planned_runs(record);
        report->lost += record->runs == 0;
        report->wrong += record->runs > 0 && (more || !od_demo_finished(record));
        if (more || record->repeats || !od_demo_finished(record)) {
            say_wrong(i, record);
        }
    }
    if (check->wait_count) {
        qsort(check->waits, check->wait_count, sizeof *check->waits, by_time);
    }
    for (size_t i = 0; i < check->wait_count; i++) {
        waiting = check->waits[i].step > 0 ? waiting + 1 : waiting - 1;
        report->parked_peak = waiting > report->parked_peak ? waiting : report->parked_peak;
    }
}

static bool print_zero(const char *name, size_t value, const char *promise)
{
    const char *red = od_has_colour(stdout) && value ? "\033[1;31m" : "", *plain = *red ? "\033[0m" : "";
    printf("  %-26s %s%8zu%s   %s\n", name, red, value, plain, value ? promise : "as promised");
    return value == 0;
}

bool od_demo_print_summary(const struct od_demo_report *report, size_t restarts)
{
    printf("\nsummary, from what the handlers wrote down\n");
    printf("  %-26s %8zu\n", "records in", report->produced);
    printf("  %-26s %8zu   in %zu runs\n", "done", report->done, report->runs);
    printf("  %-26s %8zu   at least once\n", "retried", report->retried);
    printf("  %-26s %8zu   waiting for their time at once\n", "parked at peak", report->parked_peak);
    printf("  %-26s %8zu\n", "dead-lettered", report->dead);
    printf("  %-26s %8zu   members replaced, one after the other\n", "rolling restart", restarts);
    if (report->earliest_ms != INT64_MAX) {
        printf("  %-26s %+8" PRId64 "   ms; the latest %+" PRId64 " ms\n", "earliest retry, to its time",
               report->earliest_ms, report->latest_ms);
    }
    bool good = print_zero("lost", report->lost, "never ran");
    good &= print_zero("repeated", report->repeated, "ran again although they had ended, or twice at once");
    good &= print_zero("early", report->early, "ran before their time");
    good &= print_zero("out of order in their key", report->out_of_order, "first runs only");
    good &= print_zero("another fate than planned", report->wrong, "see the journal (--keep)");
    good &= report->done + report->dead == report->produced && report->produced > 0;
    printf("%s\n", good ? "all is as promised" : "NOT as promised");
    return good;
}
