/* Values by name with their origins: set, looked up, put on a configuration, shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_file.h"
#include "daemon/log.h"

#define KAFKA "kafka."
#define HIDDEN "***"

enum { LONGEST_SHOWN = 4096 };

static enum orderly_err out_of_memory(struct orderly_error *error)
{
    if (error && error->size >= sizeof *error) {
        error->code = ORDERLY_NOMEM;
        (void)snprintf(error->text, sizeof error->text, "out of memory");
    }
    return ORDERLY_NOMEM;
}

static void value_fini(struct od_value *value)
{
    free(value->name);
    free(value->value);
    free(value->origin);
}

void od_values_fini(struct od_values *values)
{
    for (size_t i = 0; i < values->count; i++)
        value_fini(&values->items[i]);
    free(values->items);
    for (size_t i = 0; i < values->source_count; i++)
        od_values_fini(&values->sources[i]);
    free(values->sources);
    for (size_t i = 0; i < values->note_count; i++)
        free(values->notes[i]);
    free(values->notes);
    *values = (struct od_values){0};
}

static struct od_value *find(const struct od_values *values, const char *name)
{
    for (size_t i = 0; i < values->count; i++)
        if (strcmp(values->items[i].name, name) == 0)
            return &values->items[i];
    return NULL;
}

const struct od_value *od_values_get(const struct od_values *values, const char *name)
{
    return find(values, name);
}

/* The library knows what a value may be. */
static enum orderly_err check(const char *name, const char *value, struct orderly_error *error)
{
    struct orderly_config *config = NULL;
    if (orderly_config_new(&config))
        return out_of_memory(error);
    enum orderly_err err = orderly_config_set(config, name, value, error);
    orderly_config_free(config);
    if (!err && strncmp(name, KAFKA, strlen(KAFKA)) == 0)
        err = orderly_property_check(name + strlen(KAFKA), value, error);
    return err;
}

static bool store(struct od_values *values, struct od_value value)
{
    struct od_value *old = find(values, value.name);
    if (old) {
        value_fini(old);
        *old = value;
        return true;
    }
    struct od_value *grown = realloc(values->items, (values->count + 1) * sizeof *grown);
    if (!grown)
        return false;
    values->items = grown;
    values->items[values->count++] = value;
    return true;
}

enum orderly_err od_values_set(struct od_values *values, const char *name, const char *value, const char *origin,
                               struct orderly_error *error)
{
    enum orderly_err err = check(name, value, error);
    if (err)
        return err;
    struct od_value copy = {strdup(name), strdup(value), strdup(origin)};
    if (copy.name && copy.value && copy.origin && store(values, copy))
        return ORDERLY_OK;
    value_fini(&copy);
    return out_of_memory(error);
}

enum orderly_err od_values_apply(const struct od_values *values, struct orderly_config *config,
                                 struct orderly_error *error)
{
    for (size_t i = 0; i < values->count; i++) {
        const struct od_value *value = &values->items[i];
        struct orderly_error reason = ORDERLY_ERROR_INIT;
        enum orderly_err err = orderly_config_set(config, value->name, value->value, &reason);
        if (!err)
            continue;
        if (error && error->size >= sizeof *error) {
            error->code = err;
            (void)snprintf(error->text, sizeof error->text, "%.150s: %.350s", value->origin, reason.text);
        }
        return err;
    }
    return ORDERLY_OK;
}

static bool ends(const char *text, const char *suffix)
{
    size_t size = strlen(text), end = strlen(suffix);
    return size >= end && strcmp(text + size - end, suffix) == 0;
}

static bool secret_property(const char *name)
{
    return ends(name, "password") || ends(name, "secret") || ends(name, "passphrase") || ends(name, ".pem") ||
           ends(name, "oauthbearer.config") || ends(name, "jaas.config");
}

/* A URL without user, password and query; everything else is hidden whole. */
static void show_secret(const char *value, char *buffer, size_t size)
{
    const char *scheme = strstr(value, "://");
    if (*value == '\0' || !scheme) {
        (void)snprintf(buffer, size, "%s", *value ? HIDDEN : "");
        return;
    }
    const char *host = scheme + 3;
    const char *user = memchr(host, '@', strcspn(host, "/?#"));
    const char *path = user ? user + 1 : host;
    size_t shown = strcspn(path, "?#");
    (void)snprintf(buffer, size, "%.*s%s%.*s%s", (int)(host - value), value, user ? HIDDEN "@" : "", (int)shown, path,
                   path[shown] ? "?" HIDDEN : "");
}

static void show(const char *name, const char *value, const char *origin, bool secret, od_values_visit *each,
                 void *userdata)
{
    char buffer[LONGEST_SHOWN];
    if (secret)
        show_secret(value, buffer, sizeof buffer);
    each(name, secret ? buffer : value, origin, userdata);
}

void od_values_effective(const struct od_values *values, od_values_visit *each, void *userdata)
{
    for (size_t i = 0; i < orderly_setting_count(); i++) {
        struct orderly_setting row = ORDERLY_SETTING_INIT;
        if (orderly_setting_at(i, &row))
            continue;
        const struct od_value *value = find(values, row.name);
        show(row.name, value ? value->value : row.default_value, value ? value->origin : "default", row.secret, each,
             userdata);
    }
    for (size_t i = 0; i < values->count; i++) {
        const struct od_value *value = &values->items[i];
        if (strncmp(value->name, KAFKA, strlen(KAFKA)) == 0)
            show(value->name, value->value, value->origin, secret_property(value->name), each, userdata);
    }
}

/* ---- What changed --------------------------------------------------------------------------------------- */

static bool same(const struct od_value *a, const struct od_value *b)
{
    return a && b && strcmp(a->value, b->value) == 0;
}

/* What differs of `before`, and what only `after` has; of names that begin with `prefix`. */
static size_t say_differences(const struct od_values *before, const struct od_values *after, const char *prefix,
                              const char *where)
{
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        const struct od_values *from = pass == 0 ? before : after, *to = pass == 0 ? after : before;
        for (size_t i = 0; i < from->count; i++) {
            const struct od_value *value = &from->items[i], *other = find(to, value->name);
            if (strncmp(value->name, prefix, strlen(prefix)) != 0 || same(value, other) || (pass == 1 && other))
                continue;
            od_say_info("daemon", "%s%s changed: ignored until a restart", where, value->name);
            count++;
        }
    }
    return count;
}

size_t od_values_say_ignored(const struct od_values *before, const struct od_values *after)
{
    size_t count = say_differences(before, after, KAFKA, "");
    for (size_t i = 0; i < before->source_count && i < after->source_count; i++) {
        char where[32];
        (void)snprintf(where, sizeof where, "sources[%zu]: ", i);
        count += say_differences(&before->sources[i], &after->sources[i], "", where);
    }
    if (before->source_count != after->source_count) {
        od_say_info("daemon", "sources changed from %zu to %zu entries: ignored until a restart", before->source_count,
                    after->source_count);
        count++;
    }
    return count;
}
