/* `orderly topics list|check|create`: what a group needs in Kafka. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "orderly/admin.h"

static const char *kind_name(enum orderly_need_kind kind)
{
    switch (kind) {
    case ORDERLY_NEED_SOURCE:
        return "source";
    case ORDERLY_NEED_RETRY:
        return "retry";
    case ORDERLY_NEED_DEAD_LETTER:
        return "dead-letter";
    }
    return "?";
}

static void format_retention(int64_t ms, char ret[32])
{
    if (ms == INT64_MIN) {
        snprintf(ret, 32, "?");
    } else if (ms < 0) {
        snprintf(ret, 32, "none");
    } else {
        od_format_age(ms, ret);
    }
}

static void print_json(const struct orderly_needs *needs)
{
    for (size_t i = 0; i < needs->count; i++) {
        const struct orderly_need *need = &needs->list[i];
        const struct orderly_topic *found = &need->found;
        json_t *object = json_pack("{s:s, s:s, s:s, s:b, s:i, s:i, s:s, s:s}", "topic", need->name, "kind",
                                   kind_name(need->kind), "source", need->source, "exists", (int)found->exists,
                                   "partitions", (int)found->partitions, "replication", (int)found->replication,
                                   "cleanup_policy", found->cleanup_policy, "problem", need->problem);
        if (found->retention_ms != INT64_MIN) {
            json_object_set_new(object, "retention_ms", json_integer(found->retention_ms));
        }
        if (found->max_message_bytes >= 0) {
            json_object_set_new(object, "max_message_bytes", json_integer(found->max_message_bytes));
        }
        json_dumpf(object, stdout, JSON_COMPACT);
        fputc('\n', stdout);
        json_decref(object);
    }
}

static void print_table(const struct orderly_needs *needs)
{
    struct od_table table;
    char retention[32];
    od_table_init(&table, "topic|kind|>partitions|>replicas|cleanup|retention|state");
    for (size_t i = 0; i < needs->count; i++) {
        const struct orderly_need *need = &needs->list[i];
        const struct orderly_topic *found = &need->found;
        format_retention(found->retention_ms, retention);
        od_table_add(&table, "%s", need->name);
        od_table_add(&table, "%s", kind_name(need->kind));
        od_table_add(&table, "%d", (int)found->partitions);
        od_table_add(&table, "%d", (int)found->replication);
        od_table_add(&table, "%s", *found->cleanup_policy ? found->cleanup_policy : "?");
        od_table_add(&table, "%s", found->exists ? retention : "-");
        od_table_add(&table, "%s", !found->exists ? "missing" : *need->problem ? "to mend" : "ok");
    }
    od_table_print(&table, stdout);
}

static size_t say_problems(const struct orderly_needs *needs)
{
    size_t problems = 0;
    for (size_t i = 0; i < needs->count; i++) {
        if (*needs->list[i].problem) {
            od_talk("%s", needs->list[i].problem);
            problems++;
        }
    }
    return problems;
}

static int create(const struct od_args *args, struct orderly_admin *admin, struct orderly_needs **needs)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    enum orderly_err err = orderly_admin_provide(admin, *needs, &error);
    if (err) {
        return od_talk_error(args, err, &error);
    }
    for (size_t i = 0; i < (*needs)->count; i++) {
        const struct orderly_need *need = &(*needs)->list[i];
        if (!need->found.exists && need->kind != ORDERLY_NEED_SOURCE) {
            od_talk("created %s with %d partitions", need->name, (int)need->partitions);
        }
    }
    orderly_needs_free(*needs);
    *needs = NULL;
    err = orderly_admin_needs(admin, needs, &error);
    return err ? od_talk_error(args, err, &error) : OD_EXIT_OK;
}

int od_topics_command(const struct od_args *args)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    struct orderly_admin *admin = NULL;
    struct orderly_needs *needs = NULL;
    int64_t timeout_ms = 0;
    if (!od_args_duration(args, "timeout", 10000, &timeout_ms)) {
        return OD_EXIT_USAGE;
    }
    int code = od_cli_admin(args, OD_NEED_BROKERS | OD_NEED_GROUP | OD_NEED_TOPICS, timeout_ms, &config, &admin);
    if (code) {
        return code;
    }
    enum orderly_err err = orderly_admin_needs(admin, &needs, &error);
    code = err ? od_talk_error(args, err, &error) : OD_EXIT_OK;
    if (!code && !needs->count) {
        code = od_talk_failure(args, OD_EXIT_CONFIG, "no topic matches");
    }
    if (!code && !strcmp(od_args_verb(args), "create")) {
        code = create(args, admin, &needs);
    }
    if (!code) {
        if (od_args_has(args, "json")) {
            print_json(needs);
        } else {
            print_table(needs);
        }
        if (say_problems(needs) && strcmp(od_args_verb(args), "list") != 0) {
            code = OD_EXIT_CONFIG;
        }
    }
    orderly_needs_free(needs);
    orderly_admin_free(admin);
    orderly_config_free(config);
    return code;
}
