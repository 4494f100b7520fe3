/* Metrics in Prometheus' text format: see metrics.h. */
#include "daemon/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct help {
    const char *name, *text;
};

static const struct help HELPS[] = {
    {"orderly_records_fetched_total", "Records read from Kafka, from the source or from the retry topic."},
    {"orderly_records_in_flight", "Records that run now."},
    {"orderly_oldest_in_flight_seconds", "How long the oldest running record has run."},
    {"orderly_attempts_total", "Runs of handlers that were started."},
    {"orderly_attempt_duration_seconds", "How long runs took."},
    {"orderly_end_to_end_seconds", "From a record's timestamp to its outcome."},
    {"orderly_queue_wait_seconds", "From fetched, or due, to started."},
    {"orderly_settled_total", "Outcomes."},
    {"orderly_retry_parked", "Records that wait for their time."},
    {"orderly_retry_lateness_seconds", "From due to started."},
    {"orderly_dead_letters_total", "Records written to the dead-letter topic, by class of error."},
    {"orderly_lag", "Records between the committed offset and the end."},
    {"orderly_lag_seconds", "Age of the oldest record that is not done."},
    {"orderly_ready_backlog", "Lag plus due retries minus waiting ones: scale on this."},
    {"orderly_rebalances_total", "Rebalances, by kind."},
    {"orderly_rebalance_duration_seconds", "How long rebalances took."},
    {"orderly_gate_held_seconds", "How long a held batch kept a rebalance waiting."},
    {"orderly_drain_seconds", "How long draining revoked partitions took."},
    {"orderly_released_total", "Records given back without blame."},
    {"orderly_late_outcomes_total", "Outcomes after the partition had gone; they moved nothing."},
    {"orderly_commits_total", "Commits that Kafka acknowledged."},
    {"orderly_commit_failures_total", "Commits that failed, by error."},
    {"orderly_drains_cut_total", "Drains that ended with records still running."},
    {"orderly_left_uncommitted_total",
     "Records done and not committed when their partition went: commit.interval is never."},
    {"orderly_gate_forced_total", "Times the gate was opened by force."},
    {"orderly_copies_total", "Copies written to retry and dead-letter topics."},
    {"orderly_copy_failures_total", "Copies that could not be written at first."},
    {"orderly_duplicate_copies_total", "Second copies of one record that were recognised and not run."},
    {"orderly_early_retries_total", "Retries that came back before their time and waited."},
    {"orderly_records_lost_total", "Parked records that retention removed before their time."},
    {"orderly_reliefs_total", "Parked records copied to the end of the retry topic, so that the window moves."},
    {"orderly_rereads_total", "Records whose payload was let go and read again."},
    {"orderly_skipped_total", "Records that the offset map says are done, not run again."},
    {"orderly_breaker_open", "1 while a handler is not given work because it is at fault or stopped."},
    {"orderly_memory_bytes", "Memory by what holds it."},
    {"orderly_build_info", "1; the versions are labels."},
};

/* The name under which HELP and TYPE stand: a histogram's samples carry suffixes. */
static size_t base_size(const struct orderly_metric *metric)
{
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    size_t size = strlen(metric->name);

    for (size_t i = 0; strcmp(metric->type, "histogram") == 0 && i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t suffix = strlen(suffixes[i]);

        if (size > suffix && strcmp(metric->name + size - suffix, suffixes[i]) == 0) {
            return size - suffix;
        }
    }
    return size;
}

static bool same_family(const struct orderly_metric *a, const struct orderly_metric *b)
{
    size_t size = base_size(a);

    return size == base_size(b) && strncmp(a->name, b->name, size) == 0;
}

static void add_head(struct od_bytes *out, const char *name, size_t size, const char *type)
{
    for (size_t i = 0; i < sizeof HELPS / sizeof *HELPS; i++) {
        if (strlen(HELPS[i].name) == size && strncmp(HELPS[i].name, name, size) == 0) {
            od_bytes_format(out, "# HELP %s %s\n", HELPS[i].name, HELPS[i].text);
        }
    }
    od_bytes_format(out, "# TYPE %.*s %s\n", (int)size, name, type);
}

static void add_value(struct od_bytes *out, double value)
{
    if (isinf(value)) {
        od_bytes_text(out, value > 0 ? "+Inf" : "-Inf");
    } else if (isnan(value)) {
        od_bytes_text(out, "NaN");
    } else if (fabs(value) < 1e15 && value >= (double)(int64_t)value && value <= (double)(int64_t)value) {
        od_bytes_format(out, "%" PRId64, (int64_t)value);
    } else {
        od_bytes_format(out, "%.9g", value);
    }
}

static void add_sample(struct od_bytes *out, const char *name, const char *labels, double value)
{
    od_bytes_text(out, name);
    if (labels != NULL && labels[0] != '\0') {
        od_bytes_format(out, "{%s}", labels);
    }
    od_bytes_byte(out, ' ');
    add_value(out, value);
    od_bytes_byte(out, '\n');
}

static bool is_first_of_family(const struct orderly_stats *stats, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (same_family(&stats->metrics[j], &stats->metrics[i])) {
            return false;
        }
    }
    return true;
}

/* A family's samples have to stand together, in whatever order they come. */
static void add_families(struct od_bytes *out, const struct orderly_stats *stats)
{
    for (size_t i = 0; i < stats->metric_count; i++) {
        const struct orderly_metric *first = &stats->metrics[i];

        if (!is_first_of_family(stats, i)) {
            continue;
        }
        add_head(out, first->name, base_size(first), first->type);
        for (size_t j = i; j < stats->metric_count; j++) {
            if (same_family(first, &stats->metrics[j])) {
                add_sample(out, stats->metrics[j].name, stats->metrics[j].labels, stats->metrics[j].value);
            }
        }
    }
}

static bool has(const struct orderly_stats *stats, const char *name)
{
    for (size_t i = 0; i < stats->metric_count; i++) {
        if (strcmp(stats->metrics[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void add_handlers(struct od_bytes *out, const struct od_handler_state *handlers, size_t count)
{
    static const char name[] = "orderly_breaker_open";

    add_head(out, name, strlen(name), "gauge");
    for (size_t i = 0; i < count; i++) {
        bool open = handlers[i].breaker != OD_BREAKER_CLOSED && handlers[i].breaker != OD_BREAKER_THROTTLED;

        od_bytes_format(out, "%s{handler=", name);
        od_bytes_json_text(out, handlers[i].name);
        od_bytes_format(out, "} %d\n", open);
    }
}

void od_metrics_text(struct od_bytes *out, const struct orderly_stats *stats, const struct od_handler_state *handlers,
                     size_t handler_count)
{
    static const char build[] = "orderly_build_info";

    add_families(out, stats);
    if (!has(stats, "orderly_breaker_open")) {
        add_handlers(out, handlers, handler_count);
    }
    if (!has(stats, build)) {
        add_head(out, build, strlen(build), "gauge");
        od_bytes_format(out, "%s{version=\"%s\",librdkafka=\"%s\"} 1\n", build, orderly_version(),
                        orderly_engine_version());
    }
}
