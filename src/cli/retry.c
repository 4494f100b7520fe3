/* `orderly retry list|now|drop`: what waits in the retry topics of a group. */
#include <inttypes.h>
#include <string.h>

#include "cli/letter.h"
#include "cli/move.h"
#include "cli/table.h"
#include "orderly/admin.h"

struct retry {
    const struct od_args *args;
    struct orderly_config *config;
    struct orderly_admin *admin;
    struct orderly_needs *needs;
    char group[256], header[128];
    struct od_where where;
    int64_t timeout_ms, limit;
};

static void add_row(struct od_table *table, const struct od_letter *letter)
{
    char text[64], due[32] = "-", wait[32] = "now";
    int64_t left = letter->due_ms - od_now_ms();
    if (letter->due_ms) {
        od_format_time(letter->due_ms, due);
        if (left > 0) {
            od_format_age(left, wait);
        }
    }
    od_table_add(table, "%s", letter->topic);
    od_table_add(table, "%d:%" PRId64, (int)letter->partition, letter->offset);
    od_table_add(table, "%s", due);
    od_table_add(table, "%s", wait);
    od_letter_text(orderly_record_key(letter->record), text, 32);
    od_table_add(table, "%s", text);
    od_table_add(table, "%" PRId64, letter->attempts);
    od_table_add(table, "%s", letter->class_name);
    od_letter_text((struct orderly_bytes){letter->error, strlen(letter->error)}, text, sizeof text);
    od_table_add(table, "%s", text);
}

/* What the group has not done yet: a mover that moves nothing knows that. */
static enum orderly_err list_topic(struct retry *retry, const char *topic, int64_t *left, struct od_table *table,
                                   struct orderly_error *error)
{
    struct orderly_mover *mover = NULL;
    struct orderly_record *record = NULL;
    enum orderly_err err = orderly_mover_new(retry->admin, retry->group, topic, &mover, error);
    while (!err && *left > 0) {
        err = orderly_mover_next(mover, &record, error);
        if (err) {
            break;
        }
        struct od_letter letter;
        od_letter_read(&letter, record);
        if (od_where_matches(&retry->where, &letter)) {
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
    orderly_mover_free(mover);
    return err == ORDERLY_CLOSED ? ORDERLY_OK : err;
}

static int list(struct retry *retry)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    bool json = od_args_has(retry->args, "json");
    int64_t left = retry->limit ? retry->limit : 100;
    struct od_table table;
    enum orderly_err err = ORDERLY_OK;
    if (!json) {
        od_table_init(&table, "topic|place|due|in|key|>attempts|class|error");
    }
    for (size_t i = 0; i < retry->needs->count && !err; i++) {
        const struct orderly_need *need = &retry->needs->list[i];
        if (need->kind == ORDERLY_NEED_RETRY && need->found.exists) {
            err = list_topic(retry, need->name, &left, json ? NULL : &table, &error);
        }
    }
    if (!json) {
        od_table_print(&table, stdout);
    }
    if (!err && !left && !retry->limit) {
        od_talk("the first 100; --limit N shows more");
    }
    return err ? od_talk_error(retry->args, err, &error) : OD_EXIT_OK;
}

static int move_topic(struct retry *retry, const struct orderly_need *need, struct od_move *move, int64_t *moved)
{
    bool drop = move->kind == OD_MOVE_DROP;
    int64_t count = 0, durable = 0;
    char question[400];
    move->topic = move->target = need->name;
    move->target_partitions = need->found.partitions;
    int code = od_move_count(move, &count);
    if (code || !count) {
        return code;
    }
    /* Copies go to the end of the topic that is read: the count keeps them out. */
    move->limit = count;
    snprintf(question, sizeof question,
             drop ? "Drop %" PRId64 " waiting records of %s for ever?" : "Run %" PRId64 " waiting records of %s now?",
             count, need->name);
    if (move->dry_run) {
        od_talk("%" PRId64 " waiting records of %s would be %s", count, need->name, drop ? "dropped" : "run now");
        *moved += count;
        return OD_EXIT_OK;
    }
    if (!od_args_has(retry->args, "yes") && (drop || od_is_terminal(stderr)) && !od_confirm(question)) {
        return od_talk_failure(retry->args, OD_EXIT_FAILURE, "nothing was done; --yes does it without asking");
    }
    code = od_move_run(move, count, &durable);
    *moved += durable;
    return code;
}

static int move(struct retry *retry, enum od_move_kind kind)
{
    struct od_move move = {.args = retry->args,
                           .admin = retry->admin,
                           .progress_group = retry->group,
                           .group = retry->group,
                           .retry_header = retry->header,
                           .where = retry->where,
                           .kind = kind,
                           .dry_run = od_args_has(retry->args, "dry-run")};
    int64_t moved = 0;
    int code = OD_EXIT_OK;
    for (size_t i = 0; i < retry->needs->count && !code; i++) {
        const struct orderly_need *need = &retry->needs->list[i];
        if (need->kind != ORDERLY_NEED_RETRY || !need->found.exists) {
            continue;
        }
        move.limit = retry->limit ? retry->limit - moved : 0;
        if (!retry->limit || move.limit > 0) {
            code = move_topic(retry, need, &move, &moved);
        }
    }
    if (!move.dry_run) {
        const char *due = moved == 1 ? "is due now" : "are due now";
        od_talk("%" PRId64 " record%s %s", moved, moved == 1 ? "" : "s", kind == OD_MOVE_DROP ? "dropped" : due);
    }
    return code;
}

int od_retry_command(const struct od_args *args)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct retry retry = {.args = args};
    const char *verb = od_args_verb(args);
    if (!od_where_parse(args, &retry.where) || !od_args_duration(args, "timeout", 10000, &retry.timeout_ms) ||
        !od_args_number(args, "limit", 1, INT64_MAX, 0, &retry.limit)) {
        return OD_EXIT_USAGE;
    }
    int code = od_cli_admin(args, OD_NEED_BROKERS | OD_NEED_GROUP | OD_NEED_TOPICS, retry.timeout_ms, &retry.config,
                            &retry.admin);
    if (code) {
        return code;
    }
    enum orderly_err err = orderly_config_get(retry.config, "kafka.group.id", retry.group, sizeof retry.group);
    err = err ? err : orderly_config_get(retry.config, "retry.header", retry.header, sizeof retry.header);
    err = err ? err : orderly_admin_needs(retry.admin, &retry.needs, &error);
    if (err) {
        code = od_talk_error(args, err, &error);
    } else if (!strcmp(verb, "list")) {
        code = list(&retry);
    } else {
        code = move(&retry, !strcmp(verb, "drop") ? OD_MOVE_DROP : OD_MOVE_NOW);
    }
    orderly_needs_free(retry.needs);
    orderly_admin_free(retry.admin);
    orderly_config_free(retry.config);
    return code;
}
