/* What a running daemon tells of itself: see status.h. */
#include "daemon/status.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/setting.h"

bool od_status_ready(const struct od_status *status, char *why, size_t size)
{
    struct orderly_member member = ORDERLY_MEMBER_INIT;

    if (status->leaving) {
        snprintf(why, size, "leaving the group");
        return false;
    }
    if (orderly_member(status->orderly, &member) != ORDERLY_OK) {
        snprintf(why, size, "the member does not answer");
        return false;
    }
    if (strcmp(member.state, "stable") != 0 && strcmp(member.state, "holding") != 0) {
        snprintf(why, size, "%s", member.state[0] != '\0' ? member.state : "starting");
        return false;
    }
    for (size_t i = 0; i < status->sources->count; i++) {
        struct od_handler *handler = status->sources->list[i].handler;
        struct od_handler_state state;

        handler->ops->state(handler, &state);
        if (state.breaker == OD_BREAKER_STOPPED || state.breaker == OD_BREAKER_OPEN) {
            snprintf(why, size, "%s is %s (%s)", state.name, od_breaker_state_name(state.breaker), state.text);
            return false;
        }
    }
    snprintf(why, size, "ready");
    return true;
}

/* ---- Pieces of JSON ----------------------------------------------------------------------------------- */

static void name_it(struct od_bytes *out, const char *name)
{
    if (out->size > 0 && strchr("{[", out->data[out->size - 1]) == NULL) {
        od_bytes_byte(out, ',');
    }
    if (name != NULL) {
        od_bytes_format(out, "\"%s\":", name);
    }
}

static void add_text(struct od_bytes *out, const char *name, const char *value)
{
    name_it(out, name);
    if (value == NULL) {
        od_bytes_text(out, "null");
    } else {
        od_bytes_json_text(out, value);
    }
}

static void add_number(struct od_bytes *out, const char *name, int64_t value)
{
    name_it(out, name);
    od_bytes_format(out, "%" PRId64, value);
}

static void add_bool(struct od_bytes *out, const char *name, bool value)
{
    name_it(out, name);
    od_bytes_text(out, value ? "true" : "false");
}

static void add_time(struct od_bytes *out, const char *name, int64_t unix_ms)
{
    name_it(out, name);
    od_bytes_byte(out, '"');
    od_bytes_time(out, unix_ms);
    od_bytes_byte(out, '"');
}

static void begin(struct od_bytes *out, const char *name, char bracket)
{
    name_it(out, name);
    od_bytes_byte(out, bracket);
}

/* ---- Parts of the status ------------------------------------------------------------------------------ */

static void add_member(struct od_bytes *out, struct orderly *orderly)
{
    struct orderly_member member = ORDERLY_MEMBER_INIT;

    if (orderly_member(orderly, &member) != ORDERLY_OK) {
        snprintf(member.state, sizeof member.state, "unknown");
    }
    begin(out, "member", '{');
    add_text(out, "id", member.member_id);
    add_number(out, "generation", member.generation);
    add_text(out, "protocol", member.protocol);
    add_text(out, "state", member.state);
    od_bytes_byte(out, '}');
}

static void add_handlers(struct od_bytes *out, const struct od_sources *sources)
{
    begin(out, "handlers", '[');
    for (size_t i = 0; i < sources->count; i++) {
        struct od_handler *handler = sources->list[i].handler;
        struct od_handler_state state;

        handler->ops->state(handler, &state);
        begin(out, NULL, '{');
        add_text(out, "name", state.name);
        add_text(out, "kind", state.kind);
        add_text(out, "breaker", od_breaker_state_name(state.breaker));
        add_number(out, "breaker_left_ms", state.breaker_left_ms);
        add_text(out, "text", state.text);
        add_number(out, "waiting", (int64_t)state.waiting);
        add_number(out, "running", (int64_t)state.running);
        add_number(out, "started", (int64_t)state.started);
        add_number(out, "faults", (int64_t)state.faults);
        add_number(out, "late", (int64_t)state.late);
        od_bytes_byte(out, '}');
    }
    od_bytes_byte(out, ']');
}

static void add_partition(struct od_bytes *out, const struct orderly_partition_stats *stats)
{
    int64_t lag = stats->end >= 0 && stats->committed >= 0 ? stats->end - stats->committed : -1;

    begin(out, NULL, '{');
    add_text(out, "topic", stats->partition.topic);
    add_number(out, "partition", stats->partition.partition);
    add_text(out, "state", stats->state);
    add_bool(out, "retry", stats->retry);
    add_number(out, "committed", stats->committed);
    add_number(out, "position", stats->position);
    add_number(out, "end", stats->end);
    add_number(out, "lag", lag);
    add_number(out, "queued", (int64_t)stats->queued);
    add_number(out, "running", (int64_t)stats->running);
    add_number(out, "parked", (int64_t)stats->parked);
    add_number(out, "done_above", (int64_t)stats->done_above);
    add_number(out, "oldest_running_ms", stats->oldest_running_ms);
    add_number(out, "next_due_ms", stats->next_due_ms);
    od_bytes_byte(out, '}');
}

static void add_condition(struct od_bytes *out, const struct orderly_condition *condition)
{
    begin(out, NULL, '{');
    add_text(out, "name", condition->name);
    add_text(out, "topic", condition->partition.topic);
    add_number(out, "partition", condition->partition.partition);
    add_number(out, "offset", condition->offset);
    add_number(out, "since_ms", condition->since_ms);
    add_text(out, "text", condition->text != NULL ? condition->text : "");
    od_bytes_byte(out, '}');
}

static void add_metric(struct od_bytes *out, const struct orderly_metric *metric)
{
    begin(out, NULL, '{');
    add_text(out, "name", metric->name);
    add_text(out, "labels", metric->labels != NULL ? metric->labels : "");
    add_text(out, "type", metric->type);
    name_it(out, "value");
    if (isfinite(metric->value)) {
        od_bytes_format(out, "%.15g", metric->value);
    } else {
        od_bytes_text(out, "null");
    }
    od_bytes_byte(out, '}');
}

static void add_stats(struct od_bytes *out, const struct orderly_stats *stats)
{
    begin(out, "partitions", '[');
    for (size_t i = 0; i < stats->partition_count; i++) {
        add_partition(out, &stats->partitions[i]);
    }
    od_bytes_byte(out, ']');
    begin(out, "conditions", '[');
    for (size_t i = 0; i < stats->condition_count; i++) {
        add_condition(out, &stats->conditions[i]);
    }
    od_bytes_byte(out, ']');
    begin(out, "metrics", '[');
    for (size_t i = 0; i < stats->metric_count; i++) {
        add_metric(out, &stats->metrics[i]);
    }
    od_bytes_byte(out, ']');
}

/* Every limit with its value and what happens when it is met. */
static void add_limits(struct od_bytes *out, const struct orderly_config *config)
{
    begin(out, "limits", '[');
    for (size_t i = 0; i < orderly_setting_count(); i++) {
        struct orderly_setting setting = ORDERLY_SETTING_INIT;
        char *value;

        if (orderly_setting_at(i, &setting) != ORDERLY_OK || setting.when_met == NULL || setting.secret) {
            continue;
        }
        value = od_setting_text(config, setting.name);
        begin(out, NULL, '{');
        add_text(out, "name", setting.name);
        add_text(out, "value", value);
        add_text(out, "text", setting.text);
        add_text(out, "when_met", setting.when_met);
        od_bytes_byte(out, '}');
        free(value);
    }
    od_bytes_byte(out, ']');
}

bool od_status_json(const struct od_status *status, struct od_bytes *out)
{
    struct orderly_stats *stats = NULL;
    int64_t now_ms = od_clock_wall_ms();
    char why[512];
    bool ready = od_status_ready(status, why, sizeof why);

    if (orderly_stats(status->orderly, &stats) != ORDERLY_OK) {
        return false;
    }
    od_bytes_byte(out, '{');
    add_text(out, "orderly", orderly_version());
    add_text(out, "librdkafka", orderly_engine_version());
    add_text(out, "group", status->group);
    add_time(out, "started", status->started_ms);
    add_time(out, "now", now_ms);
    add_number(out, "uptime_ms", now_ms - status->started_ms);
    add_bool(out, "ready", ready);
    add_text(out, "ready_text", why);
    add_bool(out, "draining", status->leaving);
    add_member(out, status->orderly);
    add_handlers(out, status->sources);
    add_stats(out, stats);
    add_limits(out, status->config);
    od_bytes_text(out, "}\n");
    orderly_stats_free(stats);
    return !out->failed;
}
