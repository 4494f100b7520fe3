/*
 * Statistics: a copy of all metrics (contracts.md 9), named states and partitions, made on the loop. Texts live in the copy: lists of the
 * public struct, and one chain of blocks for the names and labels.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/ask.h"
#include "runtime/log.h"
#include "runtime/member.h"

#define BLOCK_SIZE 8192

struct text_block {
    struct text_block *next;
    size_t used;
    char text[BLOCK_SIZE];
};

/* The public struct is the first member: orderly_stats_free() gets it. */
struct stats_copy {
    struct orderly_stats stats;
    struct text_block *blocks;
    OD_VEC(struct orderly_metric) metrics;
    OD_VEC(struct orderly_condition) conditions;
    OD_VEC(struct orderly_partition_stats) partitions;
    bool failed; /* out of memory */
};

/* What is summed up over the partitions of one source topic. */
struct source_sums {
    uint64_t running, parked;
    int64_t oldest_ms, lag, waiting;
    bool used;
};

/* ---- building ---- */

static const char *text_of(struct stats_copy *copy, const char *format, ...) __attribute__((format(printf, 2, 3)));

static const char *text_of(struct stats_copy *copy, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    size = size > sizeof text ? sizeof text : size;
    struct text_block *block = copy->blocks;
    if (block == NULL || block->used + size > BLOCK_SIZE) {
        block = malloc(sizeof *block);
        if (block == NULL) {
            copy->failed = true;
            return "";
        }
        block->next = copy->blocks;
        block->used = 0;
        copy->blocks = block;
    }
    char *place = block->text + block->used;
    memcpy(place, text, size);
    place[size - 1] = '\0';
    block->used += size;
    return place;
}

static void metric(struct stats_copy *copy, const char *name, const char *type, const char *labels, double value)
{
    struct orderly_metric one = {.name = name, .labels = labels, .type = type, .value = value};
    copy->failed |= !od_vec_push(&copy->metrics, one);
}

static void counter(struct stats_copy *copy, const char *name, uint64_t value)
{
    metric(copy, name, "counter", "", (double)value);
}

static void histogram(struct stats_copy *copy, const char *name, const struct od_meter *meter)
{
    const char *bucket = text_of(copy, "%s_bucket", name);
    uint64_t sum = 0;
    for (size_t i = 0; i < OD_METER_BUCKETS; i++) {
        sum += meter->counts[i];
        metric(copy, bucket, "histogram", text_of(copy, "le=\"%g\"", (double)od_meter_bounds_us[i] / 1e6), (double)sum);
    }
    metric(copy, bucket, "histogram", "le=\"+Inf\"", (double)meter->count);
    metric(copy, text_of(copy, "%s_sum", name), "histogram", "", meter->sum_us / 1e6);
    metric(copy, text_of(copy, "%s_count", name), "histogram", "", (double)meter->count);
}

/* A label's value may hold anything: escaped as Prometheus wants it. */
static void escape(char *to, size_t size, const char *from)
{
    size_t used = 0;
    for (; *from != '\0' && used + 3 < size; from++) {
        if (*from == '\\' || *from == '"' || *from == '\n') {
            to[used++] = '\\';
        }
        to[used++] = *from == '\n' ? 'n' : *from;
    }
    to[used] = '\0';
}

static int64_t to_wall(const struct od_loop *loop, int64_t monotonic_ms)
{
    return loop->wall_ms - (loop->now_ms - monotonic_ms);
}

/* ---- partitions and their conditions ---- */

static void condition(struct stats_copy *copy, const struct od_loop *loop, enum od_named_state state,
                      const struct orderly_partition *partition, int64_t since_ms, int64_t offset)
{
    struct orderly_condition one = {.name = od_named_state_word(state),
                                    .since_ms = to_wall(loop, since_ms),
                                    .offset = offset,
                                    .text = od_log_state_text(state)};
    if (partition != NULL) {
        one.partition = *partition;
    } else {
        one.partition.partition = -1;
    }
    copy->failed |= !od_vec_push(&copy->conditions, one);
}

static void partition_stats(struct stats_copy *copy, struct od_loop *loop, const struct od_lease *lease,
                            struct source_sums *sums)
{
    struct od_core_partition core;
    if (loop->core == NULL || !od_core_partition(loop->core, lease->id, &core)) {
        return;
    }
    struct orderly_partition_stats one = {.partition = {text_of(copy, "%s", lease->topic), lease->partition},
                                          .state = core.state,
                                          .retry = lease->kind == OD_TOPIC_RETRY,
                                          .committed = core.committed,
                                          .position = core.position,
                                          .end = od_engine_end(loop->engine, lease->id),
                                          .queued = core.queued,
                                          .running = core.running,
                                          .parked = core.parked,
                                          .done_above = core.done_above,
                                          .oldest_running_ms =
                                              core.oldest_started_ms != 0 ? loop->now_ms - core.oldest_started_ms : 0,
                                          .next_due_ms = core.next_due_ms != 0 ? to_wall(loop, core.next_due_ms) : 0};
    copy->failed |= !od_vec_push(&copy->partitions, one);
    for (unsigned state = 0; state < OD_STATE_COUNT; state++) {
        if ((core.states >> state & 1) != 0) {
            condition(copy, loop, (enum od_named_state)state, &one.partition, core.state_since_ms[state],
                      core.state_offset[state]);
        }
    }
    sums->used = true;
    sums->running += core.running;
    sums->parked += core.parked;
    if (one.oldest_running_ms > sums->oldest_ms) {
        sums->oldest_ms = one.oldest_running_ms;
    }
    int64_t from = core.watermark > core.committed ? core.watermark : core.committed;
    if (one.end >= 0 && from >= 0 && one.end > from) {
        int64_t unfinished = one.end - from - (int64_t)core.done_above;
        sums->lag += one.retry ? 0 : unfinished;
        sums->waiting += unfinished - (int64_t)core.parked;
    }
}

/* ---- metrics ---- */

static const char *const outcome_words[] = {[ORDERLY_UNSET] = "unset",     [ORDERLY_ACK] = "ack",
                                            [ORDERLY_RETRY] = "retry",     [ORDERLY_DEAD_LETTER] = "dead-letter",
                                            [ORDERLY_RELEASE] = "release", [ORDERLY_DROP] = "drop",
                                            [ORDERLY_HOLD] = "hold",       [ORDERLY_THROTTLE] = "throttle"};

static void source_metrics(struct stats_copy *copy, const struct od_loop *loop, uint32_t source,
                           const struct source_sums *sums)
{
    const struct od_source_counts *counts = &loop->meters.sources[source];
    const char *topic = od_engine_source(loop->engine, source);
    const char *label = text_of(copy, "topic=\"%s\"", topic);
    metric(copy, "orderly_records_fetched_total", "counter", text_of(copy, "topic=\"%s\",stage=\"source\"", topic),
           (double)counts->fetched[0]);
    metric(copy, "orderly_records_fetched_total", "counter", text_of(copy, "topic=\"%s\",stage=\"retry\"", topic),
           (double)counts->fetched[1]);
    metric(copy, "orderly_attempts_total", "counter", label, (double)counts->attempts);
    for (size_t i = 0; i < sizeof outcome_words / sizeof *outcome_words; i++) {
        metric(copy, "orderly_settled_total", "counter",
               text_of(copy, "topic=\"%s\",outcome=\"%s\"", topic, outcome_words[i]), (double)counts->settled[i]);
    }
    if (!sums->used) {
        return; /* no partition of it is ours: no series for those */
    }
    metric(copy, "orderly_records_in_flight", "gauge", label, (double)sums->running);
    metric(copy, "orderly_oldest_in_flight_seconds", "gauge", label, (double)sums->oldest_ms / 1e3);
    metric(copy, "orderly_retry_parked", "gauge", label, (double)sums->parked);
    metric(copy, "orderly_lag", "gauge", label, (double)sums->lag);
    int64_t behind_ms =
        sums->lag > 0 && counts->acked_timestamp_ms > 0 ? loop->wall_ms - counts->acked_timestamp_ms : 0;
    metric(copy, "orderly_lag_seconds", "gauge", label, behind_ms > 0 ? (double)behind_ms / 1e3 : 0);
    metric(copy, "orderly_ready_backlog", "gauge", label, sums->waiting > 0 ? (double)sums->waiting : 0);
}

static void member_metrics(struct stats_copy *copy, const struct od_loop *loop)
{
    struct od_core_totals totals = {0};
    static const struct od_core_counters none;
    const struct od_core_counters *counters = loop->core != NULL ? od_core_counters(loop->core) : &none;
    if (loop->core != NULL) {
        od_core_totals(loop->core, &totals);
    }
    metric(copy, "orderly_rebalances_total", "counter", "kind=\"assign\"", (double)counters->assigns);
    metric(copy, "orderly_rebalances_total", "counter", "kind=\"revoke\"", (double)counters->revokes);
    metric(copy, "orderly_rebalances_total", "counter", "kind=\"lost\"", (double)counters->losts);
    counter(copy, "orderly_released_total", counters->released);
    counter(copy, "orderly_late_outcomes_total", counters->late_outcomes);
    counter(copy, "orderly_skipped_total", counters->skipped);
    counter(copy, "orderly_duplicate_copies_total", counters->duplicate_copies);
    counter(copy, "orderly_copies_total", counters->copies);
    counter(copy, "orderly_copy_failures_total", counters->copy_failures);
    counter(copy, "orderly_reliefs_total", counters->reliefs);
    counter(copy, "orderly_rereads_total", counters->rereads);
    counter(copy, "orderly_records_lost_total", counters->records_lost);
    counter(copy, "orderly_gate_forced_total", counters->gate_forced);
    counter(copy, "orderly_drains_cut_total", counters->drains_cut);
    counter(copy, "orderly_early_retries_total", counters->early);
    counter(copy, "orderly_left_uncommitted_total", counters->left_uncommitted);
    counter(copy, "orderly_commits_total", counters->commits);
    static const char *const failures[] = {[OD_COMMIT_AGAIN] = "error=\"again\"",
                                           [OD_COMMIT_OVERTAKEN] = "error=\"overtaken\"",
                                           [OD_COMMIT_FENCED] = "error=\"fenced\"",
                                           [OD_COMMIT_MAP_TOO_LARGE] = "error=\"map-too-large\"",
                                           [OD_COMMIT_REFUSED] = "error=\"refused\""};
    for (size_t i = OD_COMMIT_AGAIN; i <= OD_COMMIT_REFUSED; i++) {
        metric(copy, "orderly_commit_failures_total", "counter", failures[i], (double)loop->commit_failures[i]);
    }
    metric(copy, "orderly_memory_bytes", "gauge", "kind=\"records\"", (double)totals.bytes_held);
    metric(copy, "orderly_memory_bytes", "gauge", "kind=\"copies\"", (double)totals.bytes_copying);
    metric(copy, "orderly_build_info", "gauge",
           text_of(copy, "version=\"%s\",librdkafka=\"%s\"", orderly_version(), orderly_engine_version()), 1);
}

static void class_metrics(struct stats_copy *copy, const struct od_loop *loop)
{
    for (size_t i = 0; i < loop->meters.class_count; i++) {
        const struct od_class_count *count = &loop->meters.classes[i];
        char name[2 * sizeof count->name];
        escape(name, sizeof name, count->name);
        metric(copy, "orderly_dead_letters_total", "counter",
               text_of(copy, "topic=\"%s\",class=\"%s\"", od_engine_source(loop->engine, count->source), name),
               (double)count->count);
    }
}

static void histograms(struct stats_copy *copy, const struct od_meters *meters)
{
    histogram(copy, "orderly_attempt_duration_seconds", &meters->attempt);
    histogram(copy, "orderly_end_to_end_seconds", &meters->end_to_end);
    histogram(copy, "orderly_queue_wait_seconds", &meters->queue_wait);
    histogram(copy, "orderly_retry_lateness_seconds", &meters->lateness);
    histogram(copy, "orderly_rebalance_duration_seconds", &meters->rebalance);
    histogram(copy, "orderly_gate_held_seconds", &meters->gate);
    histogram(copy, "orderly_drain_seconds", &meters->drain);
}

static void member_conditions(struct stats_copy *copy, const struct od_loop *loop)
{
    uint32_t states = loop->core != NULL ? od_core_states(loop->core) : 0;
    if (od_deadlines_stuck(&loop->orderly->deadlines) > 0) {
        states |= UINT32_C(1) << OD_STATE_STUCK;
    }
    for (unsigned state = 0; state < OD_STATE_COUNT; state++) {
        if ((states >> state & 1) != 0) {
            condition(copy, loop, (enum od_named_state)state, NULL, loop->state_since_ms[state], -1);
        }
    }
}

static enum orderly_err collect(struct od_loop *loop, void *argument)
{
    struct stats_copy *copy = argument;
    size_t cursor = 0;
    uint64_t id, value;
    while (od_map_next(&loop->leases, &cursor, &id, &value)) {
        od_meters_source(&loop->meters, ((const struct od_lease *)(uintptr_t)value)->source);
    }
    struct source_sums *sums = calloc(loop->meters.source_count + 1, sizeof *sums);
    if (sums == NULL) {
        return ORDERLY_NOMEM;
    }
    cursor = 0;
    while (od_map_next(&loop->leases, &cursor, &id, &value)) {
        const struct od_lease *lease = (const struct od_lease *)(uintptr_t)value;
        if (lease->source < loop->meters.source_count) {
            partition_stats(copy, loop, lease, &sums[lease->source]);
        }
    }
    for (uint32_t i = 0; i < loop->meters.source_count; i++) {
        source_metrics(copy, loop, i, &sums[i]);
    }
    free(sums);
    class_metrics(copy, loop);
    member_metrics(copy, loop);
    histograms(copy, &loop->meters);
    member_conditions(copy, loop);
    return copy->failed ? ORDERLY_NOMEM : ORDERLY_OK;
}

static int by_partition(const void *a, const void *b)
{
    const struct orderly_partition_stats *left = a, *right = b;
    int order = strcmp(left->partition.topic, right->partition.topic);
    return order != 0 ? order
                      : (left->partition.partition > right->partition.partition) -
                            (left->partition.partition < right->partition.partition);
}

enum orderly_err orderly_stats(struct orderly *orderly, struct orderly_stats **ret)
{
    if (orderly == NULL || ret == NULL) {
        return ORDERLY_INVALID;
    }
    struct stats_copy *copy = calloc(1, sizeof *copy);
    if (copy == NULL) {
        return ORDERLY_NOMEM;
    }
    enum orderly_err error = od_ask(orderly, collect, copy);
    if (error != ORDERLY_OK) {
        orderly_stats_free(&copy->stats);
        return error;
    }
    if (copy->partitions.count > 0) {
        qsort(copy->partitions.items, copy->partitions.count, sizeof *copy->partitions.items, by_partition);
    }
    copy->stats = (struct orderly_stats){.size = sizeof copy->stats,
                                         .metric_count = copy->metrics.count,
                                         .condition_count = copy->conditions.count,
                                         .partition_count = copy->partitions.count,
                                         .metrics = copy->metrics.items,
                                         .conditions = copy->conditions.items,
                                         .partitions = copy->partitions.items};
    *ret = &copy->stats;
    return ORDERLY_OK;
}

void orderly_stats_free(struct orderly_stats *stats)
{
    if (stats == NULL) {
        return;
    }
    struct stats_copy *copy = (struct stats_copy *)(void *)stats;
    while (copy->blocks != NULL) {
        struct text_block *block = copy->blocks;
        copy->blocks = block->next;
        free(block);
    }
    od_vec_fini(&copy->metrics);
    od_vec_fini(&copy->conditions);
    od_vec_fini(&copy->partitions);
    free(copy);
}
