/* Reads settings of a configuration: see setting.h. */
#include "daemon/setting.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bytes.h"

struct unit {
    const char *name;
    double factor;
};

static const struct unit TIMES[] = {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}};
static const struct unit SIZES[] = {
    {"", 1}, {"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824},
};

char *od_setting_text(const struct orderly_config *config, const char *name)
{
    size_t size = 256;

    for (;;) {
        char *text = malloc(size);
        enum orderly_err err;

        if (text == NULL) {
            return NULL;
        }
        err = orderly_config_get(config, name, text, size);
        if (err == ORDERLY_OK) {
            return text;
        }
        if (err != ORDERLY_LIMIT || size > ((size_t)1 << 24)) {
            text[0] = '\0';
            return text;
        }
        free(text);
        size *= 4;
    }
}

static bool parse_with(const char *text, const struct unit *units, size_t count, int64_t *ret)
{
    char *end = NULL;
    double number;

    if (!isdigit((unsigned char)text[0])) {
        return false;
    }
    errno = 0;
    number = strtod(text, &end);
    if (errno != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].name) == 0 && number * units[i].factor < 9e15) {
            *ret = (int64_t)(number * units[i].factor + 0.5);
            return true;
        }
    }
    return false;
}

bool od_duration_parse(const char *text, int64_t *ret_ms)
{
    return parse_with(text, TIMES, sizeof TIMES / sizeof *TIMES, ret_ms);
}

int64_t od_setting_duration(const struct orderly_config *config, const char *name, int64_t none)
{
    char *text = od_setting_text(config, name);
    int64_t value;

    if (text == NULL || !od_duration_parse(text, &value)) {
        value = none;
    }
    free(text);
    return value;
}

int64_t od_setting_number(const struct orderly_config *config, const char *name, int64_t none)
{
    char *text = od_setting_text(config, name);
    int64_t value;

    if (text == NULL || !parse_with(text, SIZES, sizeof SIZES / sizeof *SIZES, &value)) {
        value = none;
    }
    free(text);
    return value;
}

int64_t od_setting_decimal(const struct orderly_config *config, const char *name, int64_t none)
{
    char *text = od_setting_text(config, name);
    char *end = text;
    double value = text != NULL ? strtod(text, &end) : 0;

    if (text == NULL || end == text || *end != '\0' || !(value >= 0 && value < 1e12)) {
        free(text);
        return none;
    }
    free(text);
    return (int64_t)(value * 1000 + 0.5);
}

static bool add_pair(struct od_words *words, const char *name, const json_t *value)
{
    struct od_bytes pair = {0};
    bool ok = true;

    od_bytes_format(&pair, "%s=", name);
    if (json_is_string(value)) {
        od_bytes_text(&pair, json_string_value(value));
    } else if (json_is_integer(value)) {
        od_bytes_format(&pair, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_boolean(value)) {
        od_bytes_text(&pair, json_is_true(value) ? "true" : "false");
    } else {
        ok = false;
    }
    ok = ok && od_bytes_end(&pair) != NULL && od_words_add(words, pair.data);
    od_bytes_fini(&pair);
    return ok;
}

static bool parse_json(const char *text, struct od_words *words)
{
    json_t *root = json_loads(text, 0, NULL);
    const char *name;
    json_t *value;
    size_t i;
    bool ok = json_is_array(root) || json_is_object(root);

    if (json_is_array(root)) {
        json_array_foreach(root, i, value)
        {
            ok = ok && json_is_string(value) && od_words_add(words, json_string_value(value));
        }
    } else if (json_is_object(root)) {
        json_object_foreach(root, name, value)
        {
            ok = ok && add_pair(words, name, value);
        }
    }
    json_decref(root);
    return ok;
}

static bool parse_list(const char *text, struct od_words *words)
{
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        size_t from = 0, to = size;
        char *word;
        bool ok;

        while (from < to && isspace((unsigned char)text[from])) {
            from++;
        }
        while (to > from && isspace((unsigned char)text[to - 1])) {
            to--;
        }
        word = strndup(text + from, to - from);
        ok = word != NULL && od_words_add(words, word);
        free(word);
        if (!ok) {
            return false;
        }
        text += size + (text[size] == ',');
    }
    return true;
}

bool od_words_parse(const char *text, struct od_words *ret)
{
    struct od_words words = {0};
    bool ok;

    while (isspace((unsigned char)*text)) {
        text++;
    }
    ok = *text == '[' || *text == '{' ? parse_json(text, &words) : parse_list(text, &words);
    if (!ok) {
        od_words_fini(&words);
        return false;
    }
    *ret = words;
    return true;
}

bool od_setting_words(const struct orderly_config *config, const char *name, struct od_words *ret)
{
    char *text = od_setting_text(config, name);
    bool ok = text != NULL && od_words_parse(text, ret);

    free(text);
    return ok;
}
