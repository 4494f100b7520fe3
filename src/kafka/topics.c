/* The topics we know: sources in the order they were named, each with its retry and its dead-letter topic. */
#include "kafka/inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void od_topics_fini(struct od_topics *topics)
{
    for (size_t i = 0; i < topics->list.count; i++) {
        od_founding_forget(topics->list.items[i]);
        free(topics->list.items[i]->name);
        free(topics->list.items[i]);
    }
    od_vec_fini(&topics->list);
    od_vec_fini(&topics->sources);
}

uint32_t od_topics_find(const struct od_topics *topics, const char *name)
{
    for (size_t i = 0; i < topics->list.count; i++) {
        if (strcmp(topics->list.items[i]->name, name) == 0) {
            return (uint32_t)i;
        }
    }
    return OD_NO_TOPIC;
}

static enum orderly_err add_topic(struct od_topics *topics, char *name, enum od_topic_role role, uint32_t source,
                                  uint32_t *ret)
{
    uint32_t found = name ? od_topics_find(topics, name) : OD_NO_TOPIC;
    if (found != OD_NO_TOPIC) { /* two sources may share a retry topic: it belongs to the first */
        free(name);
        *ret = found;
        return ORDERLY_OK;
    }
    struct od_topic *topic = calloc(1, sizeof *topic);
    if (!name || !topic || !od_vec_push(&topics->list, topic)) {
        free(name);
        free(topic);
        return ORDERLY_NOMEM;
    }
    topic->name = name;
    topic->role = role;
    topic->source = source;
    topic->partitions = -1;
    topic->err = RD_KAFKA_RESP_ERR__NOENT;
    *ret = (uint32_t)(topics->list.count - 1);
    return ORDERLY_OK;
}

static enum orderly_err add_derived(struct od_topics *topics, const struct od_settings *settings, const char *template,
                                    const char *name, enum od_topic_role role, uint32_t source, uint32_t *ret)
{
    char *derived = NULL;
    *ret = OD_NO_TOPIC;
    if (template[0] == '\0') {
        return ORDERLY_OK;
    }
    enum orderly_err result = od_topic_name(template, name, settings->group, &derived);
    return result == ORDERLY_OK ? add_topic(topics, derived, role, source, ret) : result;
}

enum orderly_err od_topics_add(struct od_topics *topics, const struct od_settings *settings, const char *name,
                               uint32_t *ret_source)
{
    uint32_t known = od_topics_find(topics, name);
    if (known != OD_NO_TOPIC && topics->list.items[known]->role == OD_ROLE_SOURCE) {
        topics->list.items[known]->removed = false;
        *ret_source = topics->list.items[known]->source;
        return ORDERLY_OK;
    }
    uint32_t index = (uint32_t)topics->sources.count;
    struct od_source source = {OD_NO_TOPIC, OD_NO_TOPIC, OD_NO_TOPIC};
    enum orderly_err result = add_topic(topics, od_text_copy(name), OD_ROLE_SOURCE, index, &source.topic);
    if (result == ORDERLY_OK && settings->retry_attempts > 1) {
        result = add_derived(topics, settings, settings->retry_topic, name, OD_ROLE_RETRY, index, &source.retry);
    }
    if (result == ORDERLY_OK) {
        result = add_derived(topics, settings, settings->dead_letter_topic, name, OD_ROLE_DEAD_LETTER, index,
                             &source.dead_letter);
    }
    if (result != ORDERLY_OK) {
        return result;
    }
    if (!od_vec_push(&topics->sources, source)) {
        return ORDERLY_NOMEM;
    }
    *ret_source = index;
    return ORDERLY_OK;
}

/* "{topic}.{group}.retry" with any topic and any group: what the template has before, between and after its names must be there, in order. */
static bool like_template(const char *template, const char *name)
{
    const char *at = name;
    bool names = false; /* a name of at least one character may lie before the next literal */
    while (*template) {
        if (*template == '{') {
            const char *end = strchr(template, '}');
            if (end) {
                names = true;
                template = end + 1;
                continue;
            }
        }
        size_t literal = strcspn(template, "{");
        if (literal == 0) {
            literal = 1; /* a brace that opens nothing */
        }
        const char *found = NULL;
        bool last = template[literal] == '\0';
        for (const char *each = at + (names ? 1 : 0); *at && *each; each++) {
            if (strncmp(each, template, literal) == 0 && (!last || each[literal] == '\0')) {
                found = each;
                break;
            }
            if (!names) {
                break;
            }
        }
        if (!found) {
            return false;
        }
        at = found + literal;
        names = false;
        template += literal;
    }
    return names ? *at != '\0' : *at == '\0';
}

bool od_topics_hospital(const struct od_settings *settings, const char *name)
{
    const char *const endings[] = {".retry", ".dlt", "-retry", "-dlt"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (od_text_ends(name, endings[i])) {
            return true;
        }
    }
    return like_template(settings->retry_topic, name) || like_template(settings->dead_letter_topic, name);
}
