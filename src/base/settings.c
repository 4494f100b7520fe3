/* The typed values: read from the texts by the table, copied, freed. */
#include "base/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/settings_table.h"
#include "base/text.h"
#include "base/text_list.h"

static void *field_of(struct od_settings *settings, const struct od_setting *row)
{
    return (char *)settings + row->field;
}

void od_settings_fini(struct od_settings *settings)
{
    for (size_t i = 0; i < od_setting_count(); i++) {
        const struct od_setting *row = od_setting_at(i);
        if (row->field == OD_NO_FIELD)
            continue;
        if (row->type == ORDERLY_SETTING_TEXT)
            free(*(char **)field_of(settings, row));
        else if (row->type == ORDERLY_SETTING_LIST)
            od_text_list_fini(field_of(settings, row));
    }
    free(settings->group);
    free(settings->brokers);
    for (size_t i = 0; i < settings->property_count; i++) {
        free(settings->properties[i].name);
        free(settings->properties[i].value);
    }
    free(settings->properties);
    *settings = (struct od_settings){0};
}

/* What the copy must own itself, made empty in it. */
static enum orderly_err copy_field(const struct od_setting *row, const void *from, void *to)
{
    if (row->type == ORDERLY_SETTING_LIST)
        return od_text_list_copy(from, to);
    char *copy = od_text_copy(*(char *const *)from);
    memcpy(to, &copy, sizeof copy);
    return copy ? ORDERLY_OK : ORDERLY_NOMEM;
}

static bool is_owned(const struct od_setting *row)
{
    return row->field != OD_NO_FIELD && (row->type == ORDERLY_SETTING_TEXT || row->type == ORDERLY_SETTING_LIST);
}

static enum orderly_err copy_properties(const struct od_settings *settings, struct od_settings *copy)
{
    if (settings->property_count == 0)
        return ORDERLY_OK;
    copy->properties = calloc(settings->property_count, sizeof *copy->properties);
    if (!copy->properties)
        return ORDERLY_NOMEM;
    for (size_t i = 0; i < settings->property_count; i++) {
        struct od_property *property = &copy->properties[copy->property_count++];
        property->name = od_text_copy(settings->properties[i].name);
        property->value = od_text_copy(settings->properties[i].value);
        if (!property->name || !property->value)
            return ORDERLY_NOMEM;
    }
    return ORDERLY_OK;
}

enum orderly_err od_settings_copy(const struct od_settings *settings, struct od_settings *ret)
{
    struct od_settings copy = *settings;
    enum orderly_err err = ORDERLY_OK;
    for (size_t i = 0; i < od_setting_count(); i++) {
        const struct od_setting *row = od_setting_at(i);
        if (is_owned(row))
            memset(field_of(&copy, row), 0,
                   row->type == ORDERLY_SETTING_LIST ? sizeof(struct od_text_list) : sizeof(char *));
    }
    copy.group = od_text_copy(settings->group);
    copy.brokers = od_text_copy(settings->brokers);
    copy.properties = NULL;
    copy.property_count = 0;
    if (!copy.group || !copy.brokers)
        err = ORDERLY_NOMEM;
    for (size_t i = 0; !err && i < od_setting_count(); i++) {
        const struct od_setting *row = od_setting_at(i);
        if (is_owned(row))
            err = copy_field(row, (const char *)settings + row->field, field_of(&copy, row));
    }
    if (!err)
        err = copy_properties(settings, &copy);
    if (err) {
        od_settings_fini(&copy);
        return err;
    }
    *ret = copy;
    return ORDERLY_OK;
}

/* Choices are enums that begin at 0; one without a default has 0 for "not said" and begins at 1. */
static void set_choice(const struct od_setting *row, int64_t place, bool said, void *field)
{
    int value = (int)place + (*row->default_value == '\0' && said);
    memcpy(field, &value, sizeof value);
}

static enum orderly_err read_row(const struct od_setting *row, const char *text, struct od_settings *settings,
                                 struct orderly_error *error)
{
    void *field = field_of(settings, row);
    int64_t number = 0;
    bool said = *text != '\0' || row->type != ORDERLY_SETTING_CHOICE;
    enum orderly_err err = said ? od_setting_parse(row, text, &number, error) : ORDERLY_OK;
    if (err)
        return err;
    switch (row->type) {
    case ORDERLY_SETTING_TEXT: {
        char *copy = od_text_copy(text);
        memcpy(field, &copy, sizeof copy);
        return copy ? ORDERLY_OK : od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    case ORDERLY_SETTING_LIST:
        err = od_text_list_parse(text, field);
        return err ? od_fail(error, err, "%s: out of memory", row->name) : ORDERLY_OK;
    case ORDERLY_SETTING_BOOL:
        *(bool *)field = number != 0;
        return ORDERLY_OK;
    case ORDERLY_SETTING_CHOICE:
        set_choice(row, number, said, field);
        return ORDERLY_OK;
    case ORDERLY_SETTING_NUMBER:
    case ORDERLY_SETTING_DECIMAL:
    case ORDERLY_SETTING_PERCENT:
    case ORDERLY_SETTING_DURATION:
    case ORDERLY_SETTING_BYTES:
        break;
    }
    *(int64_t *)field = number;
    return ORDERLY_OK;
}

static char *copy_or_empty(const char *text)
{
    return od_text_copy(text ? text : "");
}

static bool read_properties(const struct orderly_config *config, struct od_settings *settings)
{
    const char *name, *value;
    size_t count = 0;
    while (od_config_property(config, count, &name, &value))
        count++;
    settings->group = copy_or_empty(od_config_text(config, "kafka.group.id"));
    settings->brokers = copy_or_empty(od_config_text(config, "kafka.bootstrap.servers"));
    /* Room for what od_settings_finish() may add. */
    settings->properties = calloc(count + 2, sizeof *settings->properties);
    if (!settings->group || !settings->brokers || !settings->properties)
        return false;
    for (size_t i = 0; od_config_property(config, i, &name, &value); i++) {
        if (strcmp(name, "group.id") == 0 || strcmp(name, "bootstrap.servers") == 0)
            continue;
        struct od_property *property = &settings->properties[settings->property_count++];
        property->name = od_text_copy(name);
        property->value = od_text_copy(value);
        if (!property->name || !property->value)
            return false;
    }
    return true;
}

static void drop_item(struct od_text_list *list, size_t i)
{
    memmove(&list->items[i], &list->items[i + 1], (list->count - i - 1) * sizeof *list->items);
    list->count--;
}

static void drop_repeated(struct od_text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        for (size_t j = list->count - 1; j > i; j--)
            if (strcmp(list->items[i], list->items[j]) == 0) {
                free(list->items[j]);
                drop_item(list, j);
            }
}

/* Topics that begin with ^ become patterns. */
static bool sort_topics(struct od_settings *settings)
{
    struct od_text_list *topics = &settings->topics, *patterns = &settings->patterns;
    if (topics->count) {
        char **grown = realloc(patterns->items, (patterns->count + topics->count) * sizeof *patterns->items);
        if (!grown)
            return false;
        patterns->items = grown;
    }
    for (size_t i = 0; i < topics->count;) {
        if (topics->items[i][0] != '^') {
            i++;
            continue;
        }
        patterns->items[patterns->count++] = topics->items[i];
        drop_item(topics, i);
    }
    drop_repeated(topics);
    drop_repeated(patterns);
    return true;
}

static int64_t milliseconds(const struct orderly_config *config, const char *name, int64_t unset)
{
    const char *text = od_config_text(config, name);
    int64_t number = unset;
    if (text && !od_text_to_i64(text, 1, INT32_MAX, &number))
        return 0;
    return number;
}

enum orderly_err od_settings_read(const struct orderly_config *config, struct od_settings *ret,
                                  struct orderly_error *error)
{
    struct od_settings settings = {0};
    enum orderly_err err = ORDERLY_OK;
    for (size_t i = 0; !err && i < od_setting_count(); i++) {
        const struct od_setting *row = od_setting_at(i);
        if (row->field != OD_NO_FIELD)
            err = read_row(row, od_config_text(config, row->name), &settings, error);
    }
    if (!err && !(read_properties(config, &settings) && sort_topics(&settings)))
        err = od_fail(error, ORDERLY_NOMEM, "out of memory");
    if (err) {
        od_settings_fini(&settings);
        return err;
    }
    settings.max_poll_interval = milliseconds(config, "kafka.max.poll.interval.ms", 300000);
    settings.session_timeout = milliseconds(config, "kafka.session.timeout.ms", 45000);
    settings.heartbeat_interval = milliseconds(config, "kafka.heartbeat.interval.ms", 3000);
    *ret = settings;
    return ORDERLY_OK;
}
