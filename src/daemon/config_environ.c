/* ORDERLY_RETRY_ATTEMPTS=3 is retry.attempts; ORDERLY_KAFKA_GROUP_ID is kafka.group.id. */
#include "daemon/config_environ.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "ORDERLY_"

enum { NAME = 128 };

static char upper(char c)
{
    if (c == '.' || c == '-')
        return '_';
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool names(const char *variable, size_t size, const char *setting)
{
    for (size_t i = 0; i < size; i++)
        if (setting[i] == '\0' || upper(setting[i]) != variable[i])
            return false;
    return setting[size] == '\0';
}

/* "KAFKA_GROUP_ID" to "kafka.group.id". Of librdkafka's names two keep an underscore. */
static void dotted(const char *variable, size_t size, char ret[NAME])
{
    size_t i = 0;
    for (; i < size && i < NAME - 1; i++) {
        char c = variable[i];
        ret[i] = c == '_' ? '.' : c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    ret[i] = '\0';
    if (strcmp(ret, "kafka.log.level") == 0)
        (void)snprintf(ret, NAME, "kafka.log_level");
}

static bool find_name(const char *variable, size_t size, char ret[NAME])
{
    for (size_t i = 0; i < orderly_setting_count(); i++) {
        struct orderly_setting row = ORDERLY_SETTING_INIT;
        if (orderly_setting_at(i, &row) || !names(variable, size, row.name))
            continue;
        (void)snprintf(ret, NAME, "%s", row.name);
        return true;
    }
    dotted(variable, size, ret);
    return size > 6 && size < NAME && strncmp(variable, "KAFKA_", 6) == 0;
}

/* What orderly itself gives to a handler is no mistake of anybody. */
static bool inside_a_handler(char *const environment[])
{
    for (size_t i = 0; environment[i]; i++)
        if (strncmp(environment[i], PREFIX "IDEMPOTENCY_KEY=", strlen(PREFIX "IDEMPOTENCY_KEY=")) == 0)
            return true;
    return false;
}

static enum orderly_err add_note(struct od_values *values, const char *variable, size_t size, const char *text)
{
    struct orderly_error room;
    char note[sizeof room.text + NAME];
    char **grown = realloc(values->notes, (values->note_count + 1) * sizeof *grown);
    if (!grown)
        return ORDERLY_NOMEM;
    (void)snprintf(note, sizeof note, "environment %.*s: %s", (int)size, variable, text);
    values->notes = grown;
    values->notes[values->note_count] = strdup(note);
    return values->notes[values->note_count] ? (values->note_count++, ORDERLY_OK) : ORDERLY_NOMEM;
}

/* A variable that is no setting is worth a note when it looks like one. */
static enum orderly_err note(struct od_values *values, const char *variable, size_t size, const char *name)
{
    struct orderly_config *config = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    enum orderly_err err = orderly_config_new(&config);
    if (err)
        return err;
    err = orderly_config_set(config, name, "", &error);
    orderly_config_free(config);
    if (err != ORDERLY_CONFIG || !strstr(error.text, "did you mean"))
        return ORDERLY_OK;
    return add_note(values, variable, size, error.text);
}

static enum orderly_err set(struct od_values *values, const char *variable, size_t size, const char *name,
                            const char *value, struct orderly_error *error)
{
    char origin[NAME + 16];
    struct orderly_error reason = ORDERLY_ERROR_INIT;
    (void)snprintf(origin, sizeof origin, "environment %.*s", (int)size, variable);
    enum orderly_err err = od_values_set(values, name, value, origin, &reason);
    if (err == ORDERLY_UNSUPPORTED) /* it may be meant for something else */
        return add_note(values, variable, size, reason.text);
    if (err && error && error->size >= sizeof *error) {
        error->code = err;
        (void)snprintf(error->text, sizeof error->text, "%s: %.350s", origin, reason.text);
    }
    return err;
}

enum orderly_err od_config_environ(char *const environment[], struct od_values *values, struct orderly_error *error)
{
    enum orderly_err err = ORDERLY_OK;
    for (size_t i = 0; !err && environment && environment[i]; i++) {
        const char *variable = environment[i], *equal = strchr(variable, '=');
        char name[NAME];
        if (!equal || equal[1] == '\0' || strncmp(variable, PREFIX, strlen(PREFIX)) != 0)
            continue;
        size_t size = (size_t)(equal - variable), prefix = strlen(PREFIX);
        if (size > NAME)
            continue;
        if (find_name(variable + prefix, size - prefix, name))
            err = set(values, variable, size, name, equal + 1, error);
        else if (!inside_a_handler(environment))
            err = note(values, variable, size, name);
    }
    return err;
}
