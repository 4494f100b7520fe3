/* `orderly check`: settings alone, or with --connect what they find in Kafka; the tables in force. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/check_outcomes.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "daemon/address.h"
#include "daemon/config_file.h"
#include "daemon/http_request.h"
#include "daemon/sources.h"
#include "orderly/admin.h"

struct printer {
    struct od_table table;
    bool json;
};

static void print_object(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    json_decref(object);
}

static void visit(const char *name, const char *value, const char *origin, void *userdata)
{
    struct printer *printer = userdata;
    if (printer->json) {
        print_object(json_pack("{s:s, s:s, s:s}", "name", name, "value", value, "origin", origin));
        return;
    }
    od_table_add(&printer->table, "%s", name);
    od_table_add(&printer->table, "%s", *value ? value : "-");
    od_table_add(&printer->table, "%s", origin);
}

static void print_effective(const struct od_args *args, const struct od_values *values)
{
    struct printer printer = {.json = od_args_has(args, "json")};
    if (!printer.json) {
        od_table_init(&printer.table, "setting|value|from");
    }
    od_values_effective(values, visit, &printer);
    if (!printer.json) {
        od_table_print(&printer.table, stdout);
    }
    for (size_t i = 0; i < values->source_count; i++) {
        if (!printer.json) {
            printf("\nsource %zu:\n", i + 1);
        }
        for (size_t v = 0; v < values->sources[i].count; v++) {
            const struct od_value *value = &values->sources[i].items[v];
            if (printer.json) {
                print_object(json_pack("{s:i, s:s, s:s, s:s}", "source", (int)i + 1, "name", value->name, "value",
                                       value->value, "origin", value->origin));
            } else {
                printf("  %s = %s  (%s)\n", value->name, value->value, value->origin);
            }
        }
    }
}

static const char *unit_of(enum orderly_setting_type type)
{
    switch (type) {
    case ORDERLY_SETTING_DURATION:
        return "time";
    case ORDERLY_SETTING_BYTES:
        return "bytes";
    case ORDERLY_SETTING_PERCENT:
        return "percent";
    case ORDERLY_SETTING_NUMBER:
        return "count";
    case ORDERLY_SETTING_DECIMAL:
        return "factor";
    case ORDERLY_SETTING_TEXT:
    case ORDERLY_SETTING_LIST:
    case ORDERLY_SETTING_BOOL:
    case ORDERLY_SETTING_CHOICE:
        return "";
    }
    return "";
}

static void print_limits(const struct od_args *args, const struct od_values *values)
{
    bool json = od_args_has(args, "json");
    struct od_table table;
    if (!json) {
        od_table_init(&table, "limit|unit|default|value|when it is met");
    }
    for (size_t i = 0; i < orderly_setting_count(); i++) {
        struct orderly_setting setting = ORDERLY_SETTING_INIT;
        if (orderly_setting_at(i, &setting) || !setting.when_met) {
            continue;
        }
        const struct od_value *set = od_values_get(values, setting.name);
        const char *value = set ? set->value : setting.default_value;
        if (json) {
            print_object(json_pack("{s:s, s:s, s:s, s:s, s:s}", "limit", setting.name, "unit", unit_of(setting.type),
                                   "default", setting.default_value, "value", value, "when_met", setting.when_met));
            continue;
        }
        od_table_add(&table, "%s", setting.name);
        od_table_add(&table, "%s", unit_of(setting.type));
        od_table_add(&table, "%s", setting.default_value);
        od_table_add(&table, "%s", value);
        od_table_add(&table, "%s", setting.when_met);
    }
    if (!json) {
        od_table_print(&table, stdout);
    }
}

/* Things that are allowed and surprise people. */
static void say_notes(const struct od_values *values)
{
    const struct od_value *in = od_values_get(values, "retry.in"), *order = od_values_get(values, "order");
    bool ordered = !order || strcmp(order->value, "none") != 0;
    if (in && !strcmp(in->value, "topic") && ordered) {
        od_talk(
            "note: with retry.in: topic the order holds for first attempts only: a retried record comes after the ones "
            "that passed it");
    }
}

/* What passes when brokers come back: no reason not to start, but none to be content. */
static size_t check_replicas(const struct orderly_need *need)
{
    const struct orderly_topic *found = &need->found;
    if (found->exists && found->leaderless > 0) {
        printf(
            "mend: topic %s: nobody leads %d of its %d partitions, they are neither read nor written: start the brokers "
            "that hold their replicas\n",
            need->name, (int)found->leaderless, (int)found->partitions);
        return 1;
    }
    if (need->kind != ORDERLY_NEED_SOURCE && found->in_sync >= 0 && found->in_sync < found->min_in_sync) {
        printf(
            "mend: topic %s: a partition has %d replicas in sync, min.insync.replicas is %d: no copy is written to it until "
            "more of the brokers that hold it are back\n",
            need->name, (int)found->in_sync, (int)found->min_in_sync);
        return 1;
    }
    return 0;
}

static size_t check_needs(struct orderly_admin *admin, struct orderly_error *error, enum orderly_err *ret)
{
    struct orderly_needs *needs = NULL;
    size_t problems = 0;
    *ret = orderly_admin_needs(admin, &needs, error);
    if (*ret) {
        return 0;
    }
    for (size_t i = 0; i < needs->count; i++) {
        const struct orderly_need *need = &needs->list[i];
        if (*need->problem) {
            printf("mend: %s\n", need->problem);
            problems++;
        } else if (check_replicas(need)) {
            problems++;
        } else {
            printf("ok: topic %s, %d partitions, %d replicas\n", need->name, (int)need->found.partitions,
                   (int)need->found.replication);
        }
    }
    if (!needs->count) {
        printf("mend: no topic matches what `topics` and `patterns` say\n");
        problems++;
    }
    orderly_needs_free(needs);
    return problems;
}

/* The protocol that the settings ask for: "consumer", or "classic" with its strategies. */
static void wanted_protocol(const struct orderly_config *config, char protocol[64], char strategies[256])
{
    if (orderly_config_get(config, "kafka.group.protocol", protocol, 64) || !*protocol) {
        snprintf(protocol, 64, "classic");
    }
    if (orderly_config_get(config, "kafka.partition.assignment.strategy", strategies, 256) || !*strategies) {
        snprintf(strategies, 256, "cooperative-sticky");
    }
}

/* Members that others left running: with another protocol, ours would be refused or disturb them. */
static size_t check_protocol(const struct orderly_config *config, const struct orderly_group *group)
{
    char protocol[64] = "", strategies[256] = "";
    wanted_protocol(config, protocol, strategies);
    if (!group->count) {
        return 0;
    }
    if (strcasecmp(group->type, protocol) != 0) {
        printf("mend: the members of group %s speak the %s group protocol, these settings the %s one: set "
               "kafka.group.protocol to the same\n",
               group->name, group->type, protocol);
        return 1;
    }
    if (!strcmp(protocol, "classic") && *group->protocol && !strstr(strategies, group->protocol)) {
        printf("mend: the members of group %s use the assignor %s, these settings %s: set "
               "kafka.partition.assignment.strategy=%s, or stop them first\n",
               group->name, group->protocol, strategies, group->protocol);
        return 1;
    }
    return 0;
}

static size_t check_group(struct orderly_admin *admin, const struct orderly_config *config)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_group *group = NULL;
    enum orderly_err err = orderly_admin_group(admin, &group, &error);
    if (err == ORDERLY_UNSUPPORTED) {
        printf("ok: the broker does not describe groups\n");
        return 0;
    }
    if (err) {
        printf("mend: %s\n", error.text);
        return 1;
    }
    size_t problems = check_protocol(config, group);
    if (group->rights_known && !group->may_read) {
        printf("mend: this user may not join group %s: give it the ACL for Read on that group\n", group->name);
        problems++;
    }
    if (!problems && !strcmp(group->state, "none")) {
        printf("ok: group %s is new\n", group->name);
    } else if (!problems) {
        printf("ok: group %s is %s%s%s%s%s, %zu members\n", group->name, group->state,
               *group->protocol ? ", protocol " : "", group->protocol, *group->coordinator ? ", coordinator " : "",
               group->coordinator, group->count);
    }
    orderly_group_free(group);
    return problems;
}

/* What the brokers can do of what the settings ask for. */
static size_t check_abilities(const struct orderly_config *config, const struct orderly_cluster *cluster)
{
    char protocol[64] = "", strategies[256] = "", assignor[64] = "";
    wanted_protocol(config, protocol, strategies);
    if (strcmp(protocol, "consumer") != 0 || !cluster->configs_known) {
        return 0;
    }
    if (!strstr(cluster->protocols, "consumer")) {
        printf(
            "mend: the brokers do not speak the consumer group protocol: it needs Kafka 4.0 or later, and `consumer` in "
            "their group.coordinator.rebalance.protocols; or leave out kafka.group.protocol\n");
        return 1;
    }
    if (orderly_config_get(config, "kafka.group.remote.assignor", assignor, sizeof assignor) || !*assignor) {
        snprintf(assignor, sizeof assignor, "range");
    }
    if (!strcasestr(cluster->assignors, assignor)) {
        printf(
            "mend: the brokers do not have the assignor %s: set kafka.group.remote.assignor to one of %s, or add it to "
            "their group.consumer.assignors\n",
            assignor, cluster->assignors);
        return 1;
    }
    return 0;
}

static size_t check_cluster(struct orderly_admin *admin, const struct orderly_config *config,
                            struct orderly_error *error, enum orderly_err *ret)
{
    struct orderly_cluster cluster;
    *ret = orderly_admin_cluster(admin, &cluster, error);
    if (*ret) {
        return 0;
    }
    printf("ok: cluster %s, %d broker%s%s%s\n", cluster.id, (int)cluster.brokers, cluster.brokers == 1 ? "" : "s",
           *cluster.version ? ", Kafka " : "", cluster.version);
    return check_abilities(config, &cluster);
}

/* Offsets: the right to read them, and texts in the commits that are not ours. */
static size_t check_offsets(struct orderly_admin *admin)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_group_lags *lags = NULL;
    size_t problems = 0;
    enum orderly_err err = orderly_admin_lag(admin, &lags, &error);
    if (err == ORDERLY_UNKNOWN_TOPIC) {
        return 0; /* was told with the topics */
    }
    if (err) {
        printf("mend: %s\n", error.text);
        return 1;
    }
    for (size_t i = 0; i < lags->count; i++) {
        const struct orderly_group_lag *lag = &lags->list[i];
        if (*lag->map && strcmp(lag->map, "ok") != 0) {
            printf("mend: %s/%d: the offset map in the group's commit is refused (%s): records above offset %" PRId64
                   " run again; does another program commit for this group?\n",
                   lag->topic, (int)lag->partition, lag->map, lag->committed);
            problems++;
        }
    }
    printf("ok: offsets of %zu partitions read\n", lags->count);
    orderly_group_lags_free(lags);
    return problems;
}

static int check_connect(const struct od_args *args)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    struct orderly_admin *admin = NULL;
    int64_t timeout_ms = 0;
    if (!od_args_duration(args, "timeout", 10000, &timeout_ms)) {
        return OD_EXIT_USAGE;
    }
    int code = od_cli_admin(args, OD_NEED_BROKERS | OD_NEED_GROUP | OD_NEED_TOPICS, timeout_ms, &config, &admin);
    if (code) {
        return code;
    }
    enum orderly_err err;
    size_t problems = check_cluster(admin, config, &error, &err);
    if (!err) {
        problems += check_needs(admin, &error, &err);
    }
    if (err) {
        code = od_talk_error(args, err, &error);
    } else {
        problems += check_group(admin, config);
        problems += check_offsets(admin);
        code = problems ? OD_EXIT_CONFIG : OD_EXIT_OK;
    }
    if (problems) {
        fflush(stdout);
        od_talk_failure(args, code, "%zu thing%s to mend", problems, problems == 1 ? "" : "s");
    }
    orderly_admin_free(admin);
    orderly_config_free(config);
    return code;
}

static bool names_handler(const struct orderly_config *config)
{
    static const char *const settings[] = {"handler.exec.command", "handler.stream.command", "handler.http.url"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char text[4];
        enum orderly_err got = orderly_config_get(config, settings[i], text, sizeof text);
        if (got == ORDERLY_LIMIT || (!got && *text)) {
            return true;
        }
    }
    return false;
}

/* None is fine: it may come behind `--`. */
static enum orderly_err check_handler(const struct orderly_config *config, struct orderly_error *error)
{
    struct od_handler_options options;
    struct od_http_target target;
    if (!names_handler(config)) {
        return ORDERLY_OK;
    }
    enum orderly_err err = od_handler_options_init(&options, config, OD_HANDLER_NONE, NULL, 0, error);
    if (err) {
        return err;
    }
    if (options.kind == OD_HANDLER_HTTP) {
        err = od_http_target_init(&target, &options, error);
        od_http_target_fini(&target);
    }
    od_handler_options_fini(&options);
    return err;
}

/* The handler of each source: what it sets itself, over what the top level sets. */
static enum orderly_err check_sources(const struct od_values *values, const struct orderly_config *all,
                                      struct orderly_error *error)
{
    enum orderly_err err = ORDERLY_OK;
    for (size_t i = 0; i < values->source_count && !err; i++) {
        struct orderly_config *config = NULL;
        err = orderly_config_new(&config);
        err = err ? err : od_values_apply(values, config, error);
        err = err ? err : od_values_apply(&values->sources[i], config, error);
        err = err ? err : od_sources_check_shared(all, config, error);
        err = err ? err : check_handler(config, error);
        orderly_config_free(config);
    }
    return err;
}

static enum orderly_err check_listen(const struct orderly_config *config, struct orderly_error *error)
{
    char listen[300];
    enum orderly_err err = orderly_config_get(config, "admin.listen", listen, sizeof listen);
    return err ? err : od_address_check(listen, error);
}

static int check_settings(const struct od_args *args, const struct od_values *values)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    enum orderly_err err = orderly_config_new(&config);
    err = err ? err : od_values_apply(values, config, &error);
    if (!err && values->source_count) {
        /* Topics are the sources' there; for the checks any one will do. */
        const struct od_value *topics = od_values_get(&values->sources[0], "topics");
        err = orderly_config_set(config, "topics", topics ? topics->value : "", &error);
    }
    err = err ? err : orderly_config_check(config, &error);
    err = err ? err : check_handler(config, &error);
    err = err ? err : check_sources(values, config, &error);
    err = err ? err : check_listen(config, &error);
    orderly_config_free(config);
    if (err) {
        return od_talk_error(args, err, &error);
    }
    say_notes(values);
    return OD_EXIT_OK;
}

int od_check_command(const struct od_args *args)
{
    struct od_values values = {0};
    bool tables = false;
    int code = od_cli_values(args, &values);
    if (code) {
        return code;
    }
    if (od_args_has(args, "effective")) {
        print_effective(args, &values);
        tables = true;
    }
    if (od_args_has(args, "limits")) {
        print_limits(args, &values);
        tables = true;
    }
    if (od_args_has(args, "outcomes")) {
        code = od_check_print_outcomes(args, &values);
        tables = true;
    }
    if (!code && (!tables || od_args_has(args, "connect"))) {
        code = check_settings(args, &values);
        if (!code && od_args_has(args, "connect")) {
            code = check_connect(args);
        }
        if (!code) {
            od_talk("orderly check: all is well%s",
                    od_args_has(args, "connect") ? "" : " with the settings; --connect looks at Kafka too");
        }
    }
    od_values_fini(&values);
    return code;
}
