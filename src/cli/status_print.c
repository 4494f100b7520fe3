/* The status of a daemon for people. */
#include "cli/status_print.h"

#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static int64_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* The sum of a metric's samples whose labels contain `label` ("" for all). */
static double metric(const json_t *status, const char *name, const char *label)
{
    size_t i;
    const json_t *sample;
    double sum = 0;
    json_array_foreach(json_object_get(status, "metrics"), i, sample)
    {
        if (!strcmp(text(sample, "name"), name) && strstr(text(sample, "labels"), label)) {
            sum += json_number_value(json_object_get(sample, "value"));
        }
    }
    return sum;
}

static void print_head(FILE *out, const json_t *status)
{
    const json_t *member = json_object_get(status, "member");
    char age[32];
    od_format_age(number(status, "uptime_ms"), age);
    fprintf(out, "group %s, member %s, %s%s%s, up %s\n", text(status, "group"),
            *text(member, "id") ? text(member, "id") : "-", text(member, "state"),
            *text(member, "protocol") ? ", " : "", text(member, "protocol"), age);
    fprintf(out, "%s%s\n", json_is_true(json_object_get(status, "draining")) ? "draining; " : "",
            text(status, "ready_text"));
}

static void print_counters(FILE *out, const json_t *status, const json_t *before)
{
    static const struct {
        const char *title, *name, *label;
    } rows[] = {{"done", "orderly_settled_total", "outcome=\"ack\""},
                {"retried", "orderly_settled_total", "outcome=\"retry\""},
                {"dead letters", "orderly_settled_total", "outcome=\"dead-letter\""},
                {"fetched", "orderly_records_fetched_total", ""},
                {"commits", "orderly_commits_total", ""},
                {"rebalances", "orderly_rebalances_total", ""}};
    double seconds = before ? (double)(number(status, "uptime_ms") - number(before, "uptime_ms")) / 1000 : 0;
    struct od_table table;
    od_table_init(&table, seconds > 0 ? "|>total|>a second" : "|>total");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double now = metric(status, rows[i].name, rows[i].label);
        od_table_add(&table, "%s", rows[i].title);
        od_table_add(&table, "%.0f", now);
        if (seconds > 0) {
            od_table_add(&table, "%.1f", (now - metric(before, rows[i].name, rows[i].label)) / seconds);
        }
    }
    od_table_print(&table, out);
}

static void print_handlers(FILE *out, const json_t *status)
{
    struct od_table table;
    size_t i;
    const json_t *handler;
    od_table_init(&table, "handler|kind|state|>running|>waiting|>started|>faults|");
    json_array_foreach(json_object_get(status, "handlers"), i, handler)
    {
        od_table_add(&table, "%s", text(handler, "name"));
        od_table_add(&table, "%s", text(handler, "kind"));
        od_table_add(&table, "%s", text(handler, "breaker"));
        od_table_add(&table, "%" PRId64, number(handler, "running"));
        od_table_add(&table, "%" PRId64, number(handler, "waiting"));
        od_table_add(&table, "%" PRId64, number(handler, "started"));
        od_table_add(&table, "%" PRId64, number(handler, "faults"));
        od_table_add(&table, "%s", text(handler, "text"));
    }
    od_table_print(&table, out);
}

static void add_age(struct od_table *table, int64_t ms)
{
    char age[32];
    if (ms <= 0) {
        od_table_add(table, "-");
    } else {
        od_format_age(ms, age);
        od_table_add(table, "%s", age);
    }
}

static void print_partitions(FILE *out, const json_t *status, size_t max_rows)
{
    struct od_table table;
    size_t i, count = json_array_size(json_object_get(status, "partitions"));
    const json_t *row;
    od_table_init(&table, "topic|>partition|state|>lag|>queued|>running|>oldest|>parked|>next due|>done above");
    json_array_foreach(json_object_get(status, "partitions"), i, row)
    {
        int64_t due = number(row, "next_due_ms");
        if (max_rows && i >= max_rows) {
            break;
        }
        od_table_add(&table, "%s", text(row, "topic"));
        od_table_add(&table, "%" PRId64, number(row, "partition"));
        od_table_add(&table, "%s", text(row, "state"));
        if (number(row, "lag") < 0) {
            od_table_add(&table, "-");
        } else {
            od_table_add(&table, "%" PRId64, number(row, "lag"));
        }
        od_table_add(&table, "%" PRId64, number(row, "queued"));
        od_table_add(&table, "%" PRId64, number(row, "running"));
        add_age(&table, number(row, "oldest_running_ms"));
        od_table_add(&table, "%" PRId64, number(row, "parked"));
        add_age(&table, due ? due - od_now_ms() : 0);
        od_table_add(&table, "%" PRId64, number(row, "done_above"));
    }
    od_table_print(&table, out);
    if (max_rows && count > max_rows) {
        fprintf(out, "... and %zu more\n", count - max_rows);
    }
}

static void print_conditions(FILE *out, const json_t *status)
{
    size_t i;
    const json_t *condition;
    const char *red = od_has_colour(out) ? "\033[1;31m" : "", *plain = *red ? "\033[0m" : "";
    json_array_foreach(json_object_get(status, "conditions"), i, condition)
    {
        char age[32];
        od_format_age(od_now_ms() - number(condition, "since_ms"), age);
        fprintf(out, "%s%s%s", red, text(condition, "name"), plain);
        if (*text(condition, "topic")) {
            fprintf(out, " %s/%" PRId64, text(condition, "topic"), number(condition, "partition"));
        }
        fprintf(out, " for %s: %s\n", age, text(condition, "text"));
    }
}

void od_status_print(FILE *out, const json_t *status, const json_t *before, size_t max_rows)
{
    print_head(out, status);
    fputc('\n', out);
    print_counters(out, status, before);
    fputc('\n', out);
    print_handlers(out, status);
    fputc('\n', out);
    print_partitions(out, status, max_rows);
    print_conditions(out, status);
}
