/* `orderly dlt list|show|replay|purge`. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/letter.h"
#include "cli/move.h"
#include "cli/table.h"
#include "orderly/admin.h"

struct dlt {
    const struct od_args *args;
    struct orderly_config *config;
    struct orderly_admin *admin;
    struct orderly_needs *needs;
    char group[256], progress[300];
    struct od_where where;
    int64_t timeout_ms, limit;
};

/* ---- list, show ------------------------------------------------------------------------------------------------ */

static void add_row(struct od_table *table, const struct od_letter *letter)
{
    char text[64], time[32];
    od_format_time(letter->at_ms, time);
    od_table_add(table, "%s", letter->topic);
    od_table_add(table, "%d:%" PRId64, (int)letter->partition, letter->offset);
    od_table_add(table, "%s", time);
    od_letter_text(orderly_record_key(letter->record), text, 32);
    od_table_add(table, "%s", text);
    od_table_add(table, "%" PRId64, letter->attempts);
    od_table_add(table, "%" PRId64, letter->replays);
    od_table_add(table, "%s", letter->class_name);
    od_letter_text((struct orderly_bytes){letter->error, strlen(letter->error)}, text, sizeof text);
    od_table_add(table, "%s", text);
}

/* Calls it for each record of a topic that matches, up to a limit; *left falls. */
static enum orderly_err each_letter(struct dlt *dlt, const char *topic, int64_t *left, struct od_table *table,
                                    struct orderly_error *error)
{
    struct orderly_reader *reader = NULL;
    struct orderly_record *record = NULL;
    int32_t partition = dlt->where.has_offsets ? dlt->where.partition : -1;
    int64_t from = dlt->where.has_offsets ? dlt->where.first : -2;
    enum orderly_err err = orderly_reader_new(dlt->admin, topic, partition, from, &reader, error);
    while (!err && *left > 0) {
        err = orderly_reader_next(reader, dlt->timeout_ms, &record, error);
        if (err) {
            break;
        }
        struct od_letter letter;
        od_letter_read(&letter, record);
        if (od_where_matches(&dlt->where, &letter)) {
            (*left)--;
            if (table) {
                add_row(table, &letter);
            } else {
                json_t *object = od_letter_json(&letter, false);
                json_dumpf(object, stdout, JSON_COMPACT);
                putchar('\n');
                json_decref(object);
            }
        }
        orderly_record_unref(record);
    }
    orderly_reader_free(reader);
    return err == ORDERLY_CLOSED ? ORDERLY_OK : err;
}

static int list(struct dlt *dlt)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    bool json = od_args_has(dlt->args, "json");
    int64_t left = dlt->limit ? dlt->limit : 100, limit = left;
    struct od_table table;
    enum orderly_err err = ORDERLY_OK;
    if (!json) {
        od_table_init(&table, "topic|place|at|key|>attempts|>replays|class|error");
    }
    for (size_t i = 0; i < dlt->needs->count && !err; i++) {
        const struct orderly_need *need = &dlt->needs->list[i];
        if (need->kind == ORDERLY_NEED_DEAD_LETTER && need->found.exists) {
            err = each_letter(dlt, need->name, &left, json ? NULL : &table, &error);
        }
    }
    if (!json) {
        od_table_print(&table, stdout);
    }
    if (!err && !left && !od_args_has(dlt->args, "limit")) {
        od_talk("the first %" PRId64 "; --limit N shows more", limit);
    }
    return err ? od_talk_error(dlt->args, err, &error) : OD_EXIT_OK;
}

static enum orderly_err find_letter(struct dlt *dlt, const char *topic, struct orderly_record **ret,
                                    struct orderly_error *error)
{
    struct orderly_reader *reader = NULL;
    struct orderly_record *record = NULL;
    enum orderly_err err =
        orderly_reader_new(dlt->admin, topic, dlt->where.partition, dlt->where.first, &reader, error);
    err = err ? err : orderly_reader_next(reader, dlt->timeout_ms, &record, error);
    orderly_reader_free(reader);
    if (!err && orderly_record_offset(record) != dlt->where.first) {
        orderly_record_unref(record);
        err = ORDERLY_CLOSED;
    }
    if (!err) {
        *ret = record;
    }
    return err;
}

static int show(struct dlt *dlt)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_record *record = NULL;
    long partition = 0;
    long long offset = 0;
    char rest = 0;
    if (dlt->args->word_count != 2 || sscanf(dlt->args->words[1], "%ld:%lld%c", &partition, &offset, &rest) != 2 ||
        partition < 0 || offset < 0) {
        return od_talk_failure(dlt->args, OD_EXIT_USAGE,
                               "show which? PARTITION:OFFSET, as `orderly dlt list` prints it");
    }
    dlt->where.partition = (int32_t)partition;
    dlt->where.first = offset;
    for (size_t i = 0; i < dlt->needs->count && !record; i++) {
        const struct orderly_need *need = &dlt->needs->list[i];
        if (need->kind != ORDERLY_NEED_DEAD_LETTER || !need->found.exists) {
            continue;
        }
        enum orderly_err err = find_letter(dlt, need->name, &record, &error);
        if (err && err != ORDERLY_CLOSED) {
            return od_talk_error(dlt->args, err, &error);
        }
    }
    if (!record) {
        return od_talk_failure(dlt->args, OD_EXIT_FAILURE, "there is no dead letter at %ld:%lld", partition, offset);
    }
    struct od_letter letter;
    od_letter_read(&letter, record);
    if (od_args_has(dlt->args, "json")) {
        json_t *object = od_letter_json(&letter, true);
        json_dumpf(object, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(object);
    } else {
        od_letter_show(stdout, &letter);
    }
    orderly_record_unref(record);
    return OD_EXIT_OK;
}

/* ---- replay ----------------------------------------------------------------------------------------------------- */

static const struct orderly_need *need_of(const struct dlt *dlt, const char *source, enum orderly_need_kind kind)
{
    for (size_t i = 0; i < dlt->needs->count; i++) {
        if (dlt->needs->list[i].kind == kind && !strcmp(dlt->needs->list[i].source, source)) {
            return &dlt->needs->list[i];
        }
    }
    return NULL;
}

static int replay_topic(struct dlt *dlt, const struct orderly_need *dead, struct od_move *move, int64_t *moved)
{
    bool to_origin = move->kind == OD_MOVE_TO_ORIGIN;
    const struct orderly_need *target =
        need_of(dlt, dead->source, to_origin ? ORDERLY_NEED_SOURCE : ORDERLY_NEED_RETRY);
    int64_t count = 0, durable = 0;
    char question[600];
    if (!target || !target->found.exists) {
        return od_talk_failure(dlt->args, OD_EXIT_CONFIG, "%s",
                               target ? target->problem : "there is no topic to replay to");
    }
    move->topic = dead->name;
    move->target = target->name;
    move->target_partitions = target->found.partitions;
    int code = od_move_count(move, &count);
    if (code || !count) {
        return code;
    }
    if (move->dry_run) {
        od_talk("%" PRId64 " records of %s would go to %s", count, dead->name, target->name);
        *moved += count;
        return OD_EXIT_OK;
    }
    snprintf(question, sizeof question, "Replay %" PRId64 " records of %s to %s?", count, dead->name, target->name);
    if (!od_args_has(dlt->args, "yes") && od_is_terminal(stderr) && !od_confirm(question)) {
        return od_talk_failure(dlt->args, OD_EXIT_FAILURE, "nothing was replayed");
    }
    code = od_move_run(move, count, &durable);
    *moved += durable;
    return code;
}

static int replay(struct dlt *dlt)
{
    const char *to = od_args_text(dlt->args, "to");
    char header[128] = "retry-after";
    int64_t rate = 0, moved = 0;
    int code = OD_EXIT_OK;
    if (to && strcmp(to, "retry") != 0 && strcmp(to, "origin") != 0) {
        return od_talk_failure(dlt->args, OD_EXIT_USAGE, "--to %s: retry or origin is wanted", to);
    }
    if (!od_args_number(dlt->args, "rate", 1, 10000000, 0, &rate) ||
        orderly_config_get(dlt->config, "retry.header", header, sizeof header)) {
        return OD_EXIT_USAGE;
    }
    struct od_move move = {.args = dlt->args,
                           .admin = dlt->admin,
                           .progress_group = dlt->progress,
                           .group = dlt->group,
                           .retry_header = header,
                           .where = dlt->where,
                           .rate = rate,
                           .kind = to && !strcmp(to, "origin") ? OD_MOVE_TO_ORIGIN : OD_MOVE_TO_RETRY,
                           .dry_run = od_args_has(dlt->args, "dry-run")};
    for (size_t i = 0; i < dlt->needs->count && !code; i++) {
        const struct orderly_need *need = &dlt->needs->list[i];
        if (need->kind != ORDERLY_NEED_DEAD_LETTER || !need->found.exists) {
            continue;
        }
        move.limit = dlt->limit ? dlt->limit - moved : 0;
        if (!dlt->limit || move.limit > 0) {
            code = replay_topic(dlt, need, &move, &moved);
        }
    }
    if (!move.dry_run) {
        od_talk("%" PRId64 " record%s replayed", moved, moved == 1 ? "" : "s");
    }
    return code;
}

/* ---- purge ------------------------------------------------------------------------------------------------------- */

/* Up to where each partition has been replayed: the watermark of the group that remembers. */
static enum orderly_err read_progress(struct dlt *dlt, const char *topic, struct orderly_group_lags **ret,
                                      struct orderly_error *error)
{
    struct orderly_config *config = NULL;
    struct orderly_admin *admin = NULL;
    int code = od_cli_config(dlt->args, &config);
    if (code) {
        return ORDERLY_CONFIG;
    }
    enum orderly_err err = orderly_config_set(config, "kafka.group.id", dlt->progress, error);
    err = err ? err : orderly_config_set(config, "topics", topic, error);
    err = err ? err : orderly_admin_new(config, dlt->timeout_ms, &admin, error);
    err = err ? err : orderly_admin_lag(admin, ret, error);
    orderly_admin_free(admin);
    orderly_config_free(config);
    return err;
}

static int purge_topic(struct dlt *dlt, const char *topic, int64_t *purged)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_group_lags *lags = NULL;
    bool all = od_args_has(dlt->args, "all"), dry = od_args_has(dlt->args, "dry-run");
    enum orderly_err err = read_progress(dlt, topic, &lags, &error);
    for (size_t i = 0; !err && i < lags->count; i++) {
        const struct orderly_group_lag *lag = &lags->list[i];
        int64_t before = all ? lag->end : lag->committed;
        if (strcmp(lag->topic, topic) != 0 || before <= lag->begin) {
            continue;
        }
        struct orderly_partition partition = {topic, lag->partition};
        if (dry) {
            od_talk("%s/%d: records below offset %" PRId64 " would be deleted", topic, (int)lag->partition, before);
        } else {
            err = orderly_admin_delete_records(dlt->admin, &partition, before, &error);
        }
        *purged += err ? 0 : before - lag->begin;
    }
    orderly_group_lags_free(lags);
    return err ? od_talk_error(dlt->args, err, &error) : OD_EXIT_OK;
}

static int purge(struct dlt *dlt)
{
    int64_t purged = 0;
    int code = OD_EXIT_OK;
    bool dry = od_args_has(dlt->args, "dry-run");
    if (od_args_has(dlt->args, "where") || od_args_has(dlt->args, "limit")) {
        return od_talk_failure(
            dlt->args, OD_EXIT_USAGE,
            "Kafka deletes whole beginnings of partitions only: purge takes no --where and no --limit");
    }
    if (!dry && !od_args_has(dlt->args, "yes") &&
        !od_confirm(od_args_has(dlt->args, "all") ? "Delete all dead letters, those never replayed too?"
                                                  : "Delete the dead letters that were replayed?")) {
        return od_talk_failure(dlt->args, OD_EXIT_FAILURE, "nothing was deleted; --yes does it without asking");
    }
    for (size_t i = 0; i < dlt->needs->count && !code; i++) {
        const struct orderly_need *need = &dlt->needs->list[i];
        if (need->kind == ORDERLY_NEED_DEAD_LETTER && need->found.exists) {
            code = purge_topic(dlt, need->name, &purged);
        }
    }
    if (!code) {
        od_talk("%" PRId64 " offsets %s", purged, dry ? "would be deleted" : "deleted");
    }
    return code;
}

int od_dlt_command(const struct od_args *args)
{
    static const struct {
        const char *verb;
        int (*run)(struct dlt *);
    } verbs[] = {{"list", list}, {"show", show}, {"replay", replay}, {"purge", purge}};
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct dlt dlt = {.args = args};
    if (!od_where_parse(args, &dlt.where) || !od_args_duration(args, "timeout", 10000, &dlt.timeout_ms) ||
        !od_args_number(args, "limit", 1, INT64_MAX, 0, &dlt.limit)) {
        return OD_EXIT_USAGE;
    }
    int code =
        od_cli_admin(args, OD_NEED_BROKERS | OD_NEED_GROUP | OD_NEED_TOPICS, dlt.timeout_ms, &dlt.config, &dlt.admin);
    if (code) {
        return code;
    }
    enum orderly_err err = orderly_config_get(dlt.config, "kafka.group.id", dlt.group, sizeof dlt.group);
    snprintf(dlt.progress, sizeof dlt.progress, "%s.replay", dlt.group);
    err = err ? err : orderly_admin_needs(dlt.admin, &dlt.needs, &error);
    code = err ? od_talk_error(args, err, &error) : OD_EXIT_OK;
    for (size_t i = 0; !code && i < sizeof verbs / sizeof *verbs; i++) {
        if (!strcmp(verbs[i].verb, od_args_verb(args))) {
            code = verbs[i].run(&dlt);
            break;
        }
    }
    orderly_needs_free(dlt.needs);
    orderly_admin_free(dlt.admin);
    orderly_config_free(dlt.config);
    return code;
}
