/*
 * struct orderly_config: values as text, in the order in which they were first set. Each is checked when it is set; what must fit
 * together is checked by od_settings_finish().
 */
#include "base/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/property.h"
#include "base/settings_table.h"
#include "base/text.h"
#include "base/utf8.h"
#include "base/vec.h"

#define KAFKA "kafka."

struct entry {
    char *name, *value;
};

struct orderly_config {
    OD_VEC(struct entry) entries;
    struct orderly_callbacks callbacks;
    void *userdata;
};

enum orderly_err orderly_config_new(struct orderly_config **ret)
{
    if (!ret)
        return ORDERLY_INVALID;
    struct orderly_config *config = calloc(1, sizeof *config);
    if (!config)
        return ORDERLY_NOMEM;
    config->callbacks.size = sizeof config->callbacks;
    *ret = config;
    return ORDERLY_OK;
}

void orderly_config_free(struct orderly_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->entries.count; i++) {
        free(config->entries.items[i].name);
        free(config->entries.items[i].value);
    }
    od_vec_fini(&config->entries);
    free(config);
}

static struct entry *find(const struct orderly_config *config, const char *name)
{
    for (size_t i = 0; i < config->entries.count; i++) {
        struct entry *entry = &config->entries.items[i];
        if (strcmp(entry->name, name) == 0)
            return entry;
        if (od_text_starts(name, KAFKA) && od_text_starts(entry->name, KAFKA) &&
            od_property_same(name + strlen(KAFKA), entry->name + strlen(KAFKA)))
            return entry;
    }
    return NULL;
}

static enum orderly_err store(struct orderly_config *config, const char *name, const char *value)
{
    struct entry *old = find(config, name);
    struct entry entry = {old ? NULL : od_text_copy(name), od_text_copy(value)};
    if (!entry.value || (!old && !entry.name))
        goto out_of_memory;
    if (old) {
        free(old->value);
        old->value = entry.value;
        return ORDERLY_OK;
    }
    if (od_vec_push(&config->entries, entry))
        return ORDERLY_OK;
out_of_memory:
    free(entry.name);
    free(entry.value);
    return ORDERLY_NOMEM;
}

static enum orderly_err check_property(const char *name, const char *value, struct orderly_error *error)
{
    if (*name == '\0')
        return od_fail(error, ORDERLY_CONFIG, "kafka.: the name of a property is missing");
    const char *reason = od_property_refused(name, value);
    if (reason)
        return od_fail(error, ORDERLY_CONFIG, "kafka.%.100s%s%.60s is refused: %s", name, *value ? "=" : "", value,
                       reason);
    return ORDERLY_OK;
}

static enum orderly_err check(const char *name, const char *value, struct orderly_error *error)
{
    if (!od_utf8_valid(name, strlen(name)))
        return od_fail(error, ORDERLY_CONFIG, "the name of a setting is not valid UTF-8");
    if (od_text_starts(name, KAFKA))
        return check_property(name + strlen(KAFKA), value, error);
    const struct od_setting *row = od_setting_find(name);
    if (!row) {
        const char *meant = od_setting_suggest(name);
        return od_fail(error, ORDERLY_CONFIG, "unknown setting \"%.100s\"%s%s%s", name, meant ? "; did you mean " : "",
                       meant ? meant : "", meant ? "?" : "");
    }
    int64_t number;
    enum orderly_err err = od_setting_parse(row, value, &number, error);
    if (!err && strcmp(name, "delivery") == 0 && number != 0)
        return od_fail(error, ORDERLY_CONFIG,
                       "delivery: transactional is reserved and not built yet; use at-least-once");
    return err;
}

enum orderly_err orderly_config_set(struct orderly_config *config, const char *name, const char *value,
                                    struct orderly_error *error)
{
    if (!config || !name || !value)
        return od_fail(error, ORDERLY_INVALID, "config, name and value must be given");
    enum orderly_err err = check(name, value, error);
    if (err)
        return err;
    err = store(config, name, value);
    return err ? od_fail(error, err, "out of memory") : err;
}

const char *od_config_text(const struct orderly_config *config, const char *name)
{
    const struct entry *entry = find(config, name);
    if (entry)
        return entry->value;
    const struct od_setting *row = od_setting_find(name);
    return row ? row->default_value : NULL;
}

bool od_config_is_set(const struct orderly_config *config, const char *name)
{
    return find(config, name) != NULL;
}

enum orderly_err orderly_config_get(const struct orderly_config *config, const char *name, char *buffer, size_t size)
{
    if (!config || !name || !buffer)
        return ORDERLY_INVALID;
    const char *text = od_config_text(config, name);
    if (!text)
        return ORDERLY_CONFIG;
    size_t length = strlen(text);
    if (length >= size)
        return ORDERLY_LIMIT;
    memcpy(buffer, text, length + 1);
    return ORDERLY_OK;
}

enum orderly_err orderly_config_callbacks(struct orderly_config *config, const struct orderly_callbacks *callbacks,
                                          void *userdata)
{
    /* The size is the struct of the caller's header: whole pointers after `size`. */
    if (!config || !callbacks || callbacks->size < sizeof callbacks->size)
        return ORDERLY_INVALID;
    struct orderly_callbacks full = {0};
    memcpy(&full, callbacks, callbacks->size < sizeof full ? callbacks->size : sizeof full);
    full.size = sizeof full;
    config->callbacks = full;
    config->userdata = userdata;
    return ORDERLY_OK;
}

const struct orderly_callbacks *od_config_callbacks(const struct orderly_config *config, void **ret_userdata)
{
    if (ret_userdata)
        *ret_userdata = config->userdata;
    return &config->callbacks;
}

bool od_config_property(const struct orderly_config *config, size_t i, const char **ret_name, const char **ret_value)
{
    for (size_t at = 0; at < config->entries.count; at++) {
        const struct entry *entry = &config->entries.items[at];
        if (!od_text_starts(entry->name, KAFKA) || i-- > 0)
            continue;
        *ret_name = entry->name + strlen(KAFKA);
        *ret_value = entry->value;
        return true;
    }
    return false;
}

enum orderly_err od_config_copy(const struct orderly_config *config, struct orderly_config **ret)
{
    struct orderly_config *copy;
    enum orderly_err err = orderly_config_new(&copy);
    if (err)
        return err;
    copy->callbacks = config->callbacks;
    copy->userdata = config->userdata;
    for (size_t i = 0; !err && i < config->entries.count; i++)
        err = store(copy, config->entries.items[i].name, config->entries.items[i].value);
    if (err) {
        orderly_config_free(copy);
        return err;
    }
    *ret = copy;
    return ORDERLY_OK;
}

bool od_config_plaintext(const struct orderly_config *config)
{
    const char *protocol = od_config_text(config, KAFKA "security.protocol");
    const char *brokers = od_config_text(config, KAFKA "bootstrap.servers");
    return (!protocol || od_text_equal_nocase(protocol, "plaintext")) && brokers && !od_brokers_loopback(brokers);
}
