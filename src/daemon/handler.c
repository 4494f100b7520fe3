/* What all handlers share: their options, and the choice of the kind. See handler.h. */
#include "daemon/handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/setting.h"

void od_words_fini(struct od_words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        free(words->items[i]);
    }
    free(words->items);
    *words = (struct od_words){0};
}

bool od_words_add(struct od_words *words, const char *text)
{
    char **items = realloc(words->items, (words->count + 2) * sizeof *items);

    if (items == NULL) {
        return false;
    }
    words->items = items;
    items[words->count] = strdup(text);
    if (items[words->count] == NULL) {
        return false;
    }
    items[++words->count] = NULL;
    return true;
}

bool od_words_copy(struct od_words *ret, const struct od_words *from)
{
    *ret = (struct od_words){0};
    for (size_t i = 0; i < from->count; i++) {
        if (!od_words_add(ret, from->items[i])) {
            od_words_fini(ret);
            return false;
        }
    }
    return true;
}

static enum orderly_err refuse(struct orderly_error *error, enum orderly_err code, const char *text)
{
    error->code = code;
    snprintf(error->text, sizeof error->text, "%s", text);
    return code;
}

/* A setting "handler.KIND.FIELD". */
static const char *setting_name(char buffer[64], const char *kind, const char *field)
{
    snprintf(buffer, 64, "handler.%s.%s", kind, field);
    return buffer;
}

static bool is_set(const struct orderly_config *config, const char *name)
{
    char *text = od_setting_text(config, name);
    bool set = text != NULL && text[0] != '\0';

    free(text);
    return set;
}

/* The one kind whose command or URL is set. */
static enum orderly_err choose_kind(const struct orderly_config *config, enum od_handler_kind *ret,
                                    struct orderly_error *error)
{
    bool exec = is_set(config, "handler.exec.command");
    bool stream = is_set(config, "handler.stream.command");
    bool http = is_set(config, "handler.http.url");

    if (exec + stream + http == 0) {
        return refuse(error, ORDERLY_CONFIG,
                      "no handler: give a command behind `--`, or --http URL, or set handler.exec.command, "
                      "handler.stream.command or handler.http.url");
    }
    if (exec + stream + http > 1) {
        return refuse(
            error, ORDERLY_CONFIG,
            "more than one handler: set one of handler.exec.command, handler.stream.command and handler.http.url");
    }
    *ret = exec ? OD_HANDLER_EXEC : stream ? OD_HANDLER_STREAM : OD_HANDLER_HTTP;
    return ORDERLY_OK;
}

static enum orderly_err read_command(struct od_handler_options *options, const struct orderly_config *config,
                                     const char *kind, const char *const *command, size_t count,
                                     struct orderly_error *error)
{
    char name[64];

    for (size_t i = 0; i < count; i++) {
        if (!od_words_add(&options->command, command[i])) {
            return ORDERLY_NOMEM;
        }
    }
    if (count == 0 && !od_setting_words(config, setting_name(name, kind, "command"), &options->command)) {
        return refuse(error, ORDERLY_CONFIG, "the handler's command is not a list of texts");
    }
    if (options->command.count == 0 || options->command.items[0][0] == '\0') {
        return refuse(error, ORDERLY_CONFIG, "the handler's command is empty");
    }
    if (!od_setting_words(config, setting_name(name, kind, "env"), &options->env)) {
        return refuse(error, ORDERLY_CONFIG, "the handler's env is not a map of names to texts");
    }
    for (size_t i = 0; i < options->env.count; i++) {
        if (strchr(options->env.items[i], '=') == NULL || options->env.items[i][0] == '=') {
            return refuse(error, ORDERLY_CONFIG, "the handler's env holds an entry that is not NAME=VALUE");
        }
    }
    return ORDERLY_OK;
}

static enum orderly_err read_http(struct od_handler_options *options, const struct orderly_config *config,
                                  struct orderly_error *error)
{
    options->url = od_setting_text(config, "handler.http.url");
    if (options->url == NULL) {
        return ORDERLY_NOMEM;
    }
    options->max_answer = od_setting_number(config, "handler.http.max_answer", 65536);
    if (!od_setting_words(config, "handler.http.status", &options->status) ||
        !od_setting_words(config, "handler.http.headers", &options->headers)) {
        return refuse(error, ORDERLY_CONFIG, "handler.http.status or handler.http.headers cannot be read");
    }
    return ORDERLY_OK;
}

static enum orderly_err read_all(struct od_handler_options *options, const struct orderly_config *config,
                                 const char *const *command, size_t count, struct orderly_error *error)
{
    const char *kind = options->kind == OD_HANDLER_EXEC     ? "exec"
                       : options->kind == OD_HANDLER_STREAM ? "stream"
                                                            : "http";
    char name[64];

    options->name = strdup("handler");
    options->group = od_setting_text(config, "kafka.group.id");
    if (options->name == NULL || options->group == NULL) {
        return ORDERLY_NOMEM;
    }
    options->timeout_ms = od_setting_duration(config, setting_name(name, kind, "timeout"), 0);
    options->kill_grace_ms = od_setting_duration(config, "handler.exec.kill_grace", 5000);
    options->lost_grace_ms = od_setting_duration(config, "rebalance.lost_grace", 1000);
    options->drain_timeout_ms = od_setting_duration(config, "rebalance.drain_timeout", 30000);
    options->max_crashes = od_setting_number(config, "handler.exec.max_crashes", 3);
    options->processes = od_setting_number(config, "handler.stream.processes", 1);
    options->max_line = od_setting_number(config, "handler.stream.max_line", 1 << 20);
    options->backoff_first_ms = od_setting_duration(config, "retry.backoff.first", 1000);
    options->backoff_max_ms = od_setting_duration(config, "retry.backoff.max", 600000);
    options->backoff_factor = od_setting_decimal(config, "retry.backoff.factor", 2000);
    options->max_in_flight = od_setting_number(config, "concurrency", 64);
    if (options->max_in_flight < 1) {
        options->max_in_flight = 1;
    }
    if (options->kind == OD_HANDLER_HTTP) {
        return read_http(options, config, error);
    }
    return read_command(options, config, kind, command, count, error);
}

enum orderly_err od_handler_options_init(struct od_handler_options *ret, const struct orderly_config *config,
                                         enum od_handler_kind kind, const char *const *command, size_t command_count,
                                         struct orderly_error *error)
{
    enum orderly_err err = ORDERLY_OK;

    *ret = (struct od_handler_options){.kind = kind};
    if (kind == OD_HANDLER_NONE && command_count > 0) {
        ret->kind = OD_HANDLER_EXEC;
    } else if (kind == OD_HANDLER_NONE) {
        err = choose_kind(config, &ret->kind, error);
    }
    if (err == ORDERLY_OK) {
        err = read_all(ret, config, command, command_count, error);
    }
    if (err == ORDERLY_NOMEM) {
        refuse(error, ORDERLY_NOMEM, orderly_strerror(ORDERLY_NOMEM));
    }
    if (err != ORDERLY_OK) {
        od_handler_options_fini(ret);
    }
    return err;
}

void od_handler_options_fini(struct od_handler_options *options)
{
    free(options->name);
    free(options->group);
    free(options->url);
    od_words_fini(&options->command);
    od_words_fini(&options->env);
    od_words_fini(&options->status);
    od_words_fini(&options->headers);
    *options = (struct od_handler_options){0};
}
