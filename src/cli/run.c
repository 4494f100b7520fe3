/* `orderly run`: settings from the command line, then the daemon. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon/address.h"
#include "daemon/config_file.h"
#include "daemon/http_request.h"
#include "daemon/setting.h"

/* A configuration for each entry of `sources:`, and its topics as a list. All owned. */
struct sources {
    struct od_daemon_source *list;
    struct orderly_config **configs;
    struct od_words *topics;
    size_t count;
};

static void sources_fini(struct sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        orderly_config_free(sources->configs[i]);
        od_words_fini(&sources->topics[i]);
    }
    free(sources->list);
    free(sources->configs);
    free(sources->topics);
    *sources = (struct sources){0};
}

/* Appends the texts of a list setting: "a,b", or JSON, as files give it. */
static bool add_list(struct od_words *words, const struct od_value *value)
{
    struct od_words list = {0};
    bool ok = !value || od_words_parse(value->value, &list);
    for (size_t i = 0; i < list.count && ok; i++) {
        ok = od_words_add(words, list.items[i]);
    }
    od_words_fini(&list);
    return ok;
}

static enum orderly_err add_source(struct sources *sources, const struct od_values *all, const struct od_values *own,
                                   struct orderly_error *error)
{
    size_t i = sources->count;
    struct od_words *topics = &sources->topics[i];
    enum orderly_err err = orderly_config_new(&sources->configs[i]);
    sources->count++;
    if (!err &&
        (!add_list(topics, od_values_get(own, "topics")) || !add_list(topics, od_values_get(own, "patterns")))) {
        err = ORDERLY_NOMEM;
    }
    if (!err) {
        err = od_values_apply(all, sources->configs[i], error);
    }
    if (!err) {
        err = od_values_apply(own, sources->configs[i], error);
    }
    if (err) {
        return err;
    }
    sources->list[i] = (struct od_daemon_source){
        .config = sources->configs[i], .topics = (const char *const *)topics->items, .topic_count = topics->count};
    return ORDERLY_OK;
}

static enum orderly_err make_sources(const struct od_values *values, struct sources *sources,
                                     struct orderly_error *error)
{
    sources->list = calloc(values->source_count + 1, sizeof *sources->list);
    sources->configs = calloc(values->source_count + 1, sizeof(struct orderly_config *));
    sources->topics = calloc(values->source_count + 1, sizeof *sources->topics);
    enum orderly_err err = sources->list && sources->configs && sources->topics ? ORDERLY_OK : ORDERLY_NOMEM;
    for (size_t i = 0; i < values->source_count && !err; i++) {
        err = add_source(sources, values, &values->sources[i], error);
    }
    return err;
}

/* What SIGHUP compares with: the command line, and what it gave at the start. */
struct started {
    const struct od_args *args;
    const struct od_values *values;
};

static enum orderly_err reload(void *userdata, struct orderly_config **ret, size_t *ret_ignored,
                               struct orderly_error *error)
{
    const struct started *started = userdata;
    struct od_values values = {0};
    struct orderly_config *config = NULL;
    enum orderly_err err = ORDERLY_CONFIG;
    if (od_cli_values(started->args, &values)) {
        *error = (struct orderly_error){sizeof *error, err, 0, "the settings were not read again: see above"};
        return err;
    }
    err = orderly_config_new(&config);
    err = err ? err : od_values_apply(&values, config, error);
    err = err ? err : orderly_config_check(config, error);
    if (err) {
        orderly_config_free(config);
    } else {
        *ret_ignored = od_values_say_ignored(started->values, &values);
        *ret = config;
    }
    od_values_fini(&values);
    return err;
}

static int choose_handler(const struct od_args *args, struct od_daemon_options *options)
{
    bool exec = od_args_has(args, "exec"), stream = od_args_has(args, "stream"), http = od_args_has(args, "http");
    if (exec + stream + http > 1) {
        return od_talk_failure(args, OD_EXIT_USAGE, "one of --exec, --stream and --http, not several");
    }
    if (http && args->has_rest) {
        return od_talk_failure(args, OD_EXIT_USAGE, "a command after -- and --http exclude each other");
    }
    if (args->has_rest && !args->rest_count) {
        return od_talk_failure(args, OD_EXIT_USAGE, "the handler's command is missing after --");
    }
    if ((exec || stream) && !args->has_rest) {
        return od_talk_failure(args, OD_EXIT_USAGE, "--%s needs the handler's command after --, such as -- ./handler",
                               exec ? "exec" : "stream");
    }
    options->command = args->rest;
    options->command_count = args->rest_count;
    options->handler = http             ? OD_HANDLER_HTTP
                       : stream         ? OD_HANDLER_STREAM
                       : args->has_rest ? OD_HANDLER_EXEC
                                        : OD_HANDLER_NONE;
    return OD_EXIT_OK;
}

static int run_values(const struct od_args *args, const struct od_values *values, struct od_daemon_options *options)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    struct sources sources = {0};
    int code = OD_EXIT_CONFIG;
    enum orderly_err err = orderly_config_new(&config);
    err = err ? err : od_values_apply(values, config, &error);
    err = err ? err : make_sources(values, &sources, &error);
    err = err ? err : orderly_config_check(config, &error);
    if (err) {
        code = od_talk_error(args, err, &error);
    } else {
        options->config = config;
        options->sources = sources.list;
        options->source_count = sources.count;
        code = od_daemon_run(options);
    }
    sources_fini(&sources);
    orderly_config_free(config);
    return code;
}

/* Options whose values the table of settings takes as any text. */
static int check_options(const struct od_args *args)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    const char *admin = od_args_text(args, "admin"), *url = od_args_text(args, "http");
    if (admin && od_address_check(admin, &error)) {
        return od_talk_failure(args, OD_EXIT_USAGE, "option --admin: %s", error.text);
    }
    if (url && od_http_url_check(url, &error)) {
        return od_talk_failure(args, OD_EXIT_USAGE, "option --http: %s", error.text);
    }
    return OD_EXIT_OK;
}

int od_run_command(const struct od_args *args)
{
    struct od_values values = {0};
    struct od_daemon_options options = {.create_topics = od_args_has(args, "create-topics"),
                                        .exit_at_end = od_args_has(args, "exit-at-end")};
    struct started started = {args, &values};
    int code = choose_handler(args, &options);
    code = code ? code : check_options(args);
    if (code) {
        return code;
    }
    code = od_cli_values(args, &values);
    if (code) {
        return code;
    }
    if (values.source_count && od_args_has(args, "topic")) {
        od_values_fini(&values);
        return od_talk_failure(args, OD_EXIT_USAGE,
                               "the file has sources, each with its own topics: --topic has no place");
    }
    if (od_args_has(args, "config")) {
        options.reload = reload;
        options.reload_userdata = &started;
    }
    code = run_values(args, &values, &options);
    od_values_fini(&values);
    return code;
}
