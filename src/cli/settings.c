/* From a command line to settings: file, environment, options, in this order; later ones win. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/config_file.h"
#include "orderly/admin.h"

/* A wrong option is 2; a property that orderly refuses is a matter of the settings: 78 (contracts.md 10). */
static int set_value(const struct od_args *args, struct od_values *values, const char *name, const char *value,
                     const char *origin, int code)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (od_values_set(values, name, value, origin, &error)) {
        return od_talk_failure(args, code, "%s: %s", origin, error.text);
    }
    return OD_EXIT_OK;
}

/* "NAME=VALUE" of --set and -X. */
static int set_pair(const struct od_args *args, struct od_values *values, const struct od_arg *item)
{
    bool property = !strcmp(item->option->name, "X");
    const char *dash = property ? "-" : "--";
    const char *equals = strchr(item->value, '=');
    char name[256], origin[320];
    if (!equals || equals == item->value) {
        return od_talk_failure(args, OD_EXIT_USAGE, "%s%s %s: NAME=VALUE is wanted", dash, item->option->name,
                               item->value);
    }
    snprintf(name, sizeof name, "%s%.*s", property ? "kafka." : "", (int)(equals - item->value), item->value);
    snprintf(origin, sizeof origin, "option %s%s", dash, item->option->name);
    return set_value(args, values, name, equals + 1, origin, property ? OD_EXIT_CONFIG : OD_EXIT_USAGE);
}

/* All values of a repeatable list option as one comma-separated text. */
static int set_list(const struct od_args *args, struct od_values *values, const struct od_option *option)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) {
        return od_talk_failure(args, OD_EXIT_FAILURE, "out of memory");
    }
    for (size_t i = 0; i < args->count; i++) {
        if (args->items[i].option == option) {
            fprintf(stream, "%s%s", ftell(stream) ? "," : "", args->items[i].value);
        }
    }
    fclose(stream);
    char origin[64];
    snprintf(origin, sizeof origin, "option --%s", option->name);
    int code = set_value(args, values, option->setting, text, origin, OD_EXIT_USAGE);
    free(text);
    return code;
}

static int set_option(const struct od_args *args, struct od_values *values, const struct od_arg *item)
{
    const struct od_option *option = item->option;
    if (!strcmp(option->name, "set") || !strcmp(option->name, "X")) {
        return set_pair(args, values, item);
    }
    if (!option->setting) {
        return OD_EXIT_OK;
    }
    if (!strcmp(option->setting, "topics")) {
        return set_list(args, values, option);
    }
    char origin[64];
    snprintf(origin, sizeof origin, "option --%s", option->name);
    return set_value(args, values, option->setting, item->value, origin, OD_EXIT_USAGE);
}

int od_cli_values(const struct od_args *args, struct od_values *ret)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct od_values values = {0};
    if (od_config_load(od_args_text(args, "config"), environ, &values, &error)) {
        return od_talk_failure(args, OD_EXIT_CONFIG, "%s", error.text);
    }
    for (size_t i = 0; i < values.note_count; i++) {
        od_talk("orderly: %s", values.notes[i]);
    }
    for (size_t i = 0; i < args->count; i++) {
        int code = set_option(args, &values, &args->items[i]);
        if (code) {
            od_values_fini(&values);
            return code;
        }
    }
    *ret = values;
    return OD_EXIT_OK;
}

int od_cli_config(const struct od_args *args, struct orderly_config **ret)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct od_values values = {0};
    struct orderly_config *config = NULL;
    int code = od_cli_values(args, &values);
    if (code) {
        return code;
    }
    enum orderly_err err = orderly_config_new(&config);
    if (!err) {
        err = od_values_apply(&values, config, &error);
    }
    od_values_fini(&values);
    if (err) {
        orderly_config_free(config);
        return od_talk_failure(args, OD_EXIT_CONFIG, "%s", *error.text ? error.text : orderly_strerror(err));
    }
    *ret = config;
    return OD_EXIT_OK;
}

static bool is_set(const struct orderly_config *config, const char *name)
{
    char text[8];
    enum orderly_err err = orderly_config_get(config, name, text, sizeof text);
    return err == ORDERLY_LIMIT || (!err && *text);
}

int od_cli_admin(const struct od_args *args, unsigned need, int64_t timeout_ms, struct orderly_config **ret_config,
                 struct orderly_admin **ret)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    int code = od_cli_config(args, &config);
    if (code) {
        return code;
    }
    if ((need & OD_NEED_BROKERS) && !is_set(config, "kafka.bootstrap.servers")) {
        code = od_talk_failure(
            args, OD_EXIT_CONFIG,
            "no brokers are named; give --brokers HOST:PORT, or kafka.bootstrap.servers in a --config file");
    } else if ((need & OD_NEED_GROUP) && !is_set(config, "kafka.group.id")) {
        code = od_talk_failure(args, OD_EXIT_CONFIG,
                               "no group is named; give --group NAME, or kafka.group.id in a --config file");
    } else if ((need & OD_NEED_TOPICS) && !is_set(config, "topics") && !is_set(config, "patterns")) {
        code =
            od_talk_failure(args, OD_EXIT_CONFIG, "no topic is named; give --topic NAME, or topics in a --config file");
    } else {
        enum orderly_err err = orderly_admin_new(config, timeout_ms, ret, &error);
        code = err ? od_talk_error(args, err, &error) : OD_EXIT_OK;
    }
    if (code) {
        orderly_config_free(config);
        return code;
    }
    *ret_config = config;
    return OD_EXIT_OK;
}
