/* The union of the sources' topics. */
#include "daemon/config_sources.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/setting.h"

enum { REASON = 256 };

/* Its place; the size of the list when it is not there. */
static size_t find(const json_t *list, const char *topic)
{
    size_t i = 0;
    while (i < json_array_size(list) && strcmp(json_string_value(json_array_get(list, i)), topic) != 0)
        i++;
    return i;
}

/* Adds the topics that a setting of a source names; `before`: those of the sources before it. */
static enum orderly_err add(const struct od_values *source, const char *name, size_t before, json_t *topics,
                            char reason[REASON])
{
    const struct od_value *value = od_values_get(source, name);
    struct od_words words = {0};
    enum orderly_err err = ORDERLY_OK;
    if (!value)
        return ORDERLY_OK;
    if (!od_words_parse(value->value, &words))
        return ORDERLY_NOMEM;
    for (size_t i = 0; !err && i < words.count; i++) {
        size_t place = find(topics, words.items[i]);
        if (place < before) {
            (void)snprintf(reason, REASON, "%.100s: \"%.100s\" belongs to another source already", value->origin,
                           words.items[i]);
            err = ORDERLY_CONFIG;
        } else if (place == json_array_size(topics) && json_array_append_new(topics, json_string(words.items[i]))) {
            err = ORDERLY_NOMEM;
        }
    }
    od_words_fini(&words);
    return err;
}

enum orderly_err od_config_join_sources(struct od_values *values, char reason[REASON])
{
    const struct od_value *top = od_values_get(values, "topics");
    if (values->source_count == 0)
        return ORDERLY_OK;
    if (!top)
        top = od_values_get(values, "patterns");
    if (top) {
        (void)snprintf(reason, REASON, "%s (%.100s) beside sources: each source has its own topics", top->name,
                       top->origin);
        return ORDERLY_CONFIG;
    }
    enum orderly_err err = ORDERLY_OK;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    char *text = NULL;
    json_t *topics = json_array();
    for (size_t i = 0; topics && !err && i < values->source_count; i++) {
        size_t before = json_array_size(topics);
        err = add(&values->sources[i], "topics", before, topics, reason);
        if (!err)
            err = add(&values->sources[i], "patterns", before, topics, reason);
    }
    if (!err)
        text = topics ? json_dumps(topics, JSON_COMPACT) : NULL;
    if (!err)
        err = text ? od_values_set(values, "topics", text, "sources", &error) : ORDERLY_NOMEM;
    if (err == ORDERLY_CONFIG && *error.text)
        (void)snprintf(reason, REASON, "%.200s", error.text);
    free(text);
    json_decref(topics);
    return err;
}
