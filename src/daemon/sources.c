/* The sources of one daemon: see sources.h. */
#include "daemon/sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bytes.h"
#include "daemon/log.h"
#include "daemon/setting.h"

static const int64_t IN_FLIGHT_NO_LIMIT = 1000000;

/* Settings that the one member cannot have once for each source. */
static const char *const SHARED[] = {"order", "retry.", "dead_letter."};

static enum orderly_err add_topics(struct od_source *source, const struct od_daemon_source *from,
                                   struct orderly_error *error)
{
    source->patterns = calloc(from->topic_count + 1, sizeof *source->patterns);
    if (source->patterns == NULL) {
        return ORDERLY_NOMEM;
    }
    for (size_t i = 0; i < from->topic_count; i++) {
        if (from->topics[i][0] != '^') {
            if (!od_words_add(&source->topics, from->topics[i])) {
                return ORDERLY_NOMEM;
            }
        } else if (regcomp(&source->patterns[source->pattern_count], from->topics[i], REG_EXTENDED | REG_NOSUB) == 0) {
            source->pattern_count++;
        } else {
            error->code = ORDERLY_CONFIG;
            snprintf(error->text, sizeof error->text, "topics: \"%.200s\" is no regular expression", from->topics[i]);
            return ORDERLY_CONFIG;
        }
    }
    return ORDERLY_OK;
}

static bool is_shared(const char *name)
{
    for (size_t i = 0; i < sizeof SHARED / sizeof *SHARED; i++) {
        size_t size = strlen(SHARED[i]);

        if (SHARED[i][size - 1] == '.' ? strncmp(name, SHARED[i], size) == 0 : strcmp(name, SHARED[i]) == 0) {
            return true;
        }
    }
    return false;
}

enum orderly_err od_sources_check_shared(const struct orderly_config *all, const struct orderly_config *one,
                                         struct orderly_error *error)
{
    for (size_t i = 0; i < orderly_setting_count(); i++) {
        struct orderly_setting setting = ORDERLY_SETTING_INIT;
        char *a, *b;
        bool same;

        if (orderly_setting_at(i, &setting) != ORDERLY_OK || !is_shared(setting.name)) {
            continue;
        }
        a = od_setting_text(all, setting.name);
        b = od_setting_text(one, setting.name);
        same = a != NULL && b != NULL && strcmp(a, b) == 0;
        free(a);
        free(b);
        if (!same) {
            error->code = ORDERLY_CONFIG;
            snprintf(
                error->text, sizeof error->text,
                "sources: %s has to be the same for all of them: set it at the top level, or run one daemon for each",
                setting.name);
            return ORDERLY_CONFIG;
        }
    }
    return ORDERLY_OK;
}

/* All topics of all sources, for the one subscription. */
static enum orderly_err subscribe_all(const struct od_daemon_options *options, struct orderly_error *error)
{
    struct od_bytes topics = {0}, patterns = {0};
    enum orderly_err err = ORDERLY_NOMEM;

    for (size_t i = 0; i < options->source_count; i++) {
        for (size_t j = 0; j < options->sources[i].topic_count; j++) {
            const char *topic = options->sources[i].topics[j];
            struct od_bytes *list = topic[0] == '^' ? &patterns : &topics;

            /* As a JSON list: a pattern may hold commas. */
            od_bytes_text(list, list->size > 0 ? "," : "[");
            od_bytes_json_text(list, topic);
        }
    }
    od_bytes_text(&topics, topics.size > 0 ? "]" : "");
    od_bytes_text(&patterns, patterns.size > 0 ? "]" : "");
    if (od_bytes_end(&topics) != NULL && od_bytes_end(&patterns) != NULL) {
        err = orderly_config_set(options->config, "topics", topics.data, error);
        if (err == ORDERLY_OK) {
            err = orderly_config_set(options->config, "patterns", patterns.data, error);
        }
    }
    od_bytes_fini(&topics);
    od_bytes_fini(&patterns);
    return err;
}

/* "handler", or "handler-2" when there are several. */
static enum orderly_err name_it(struct od_source *source, size_t i)
{
    char *name = NULL;

    if (asprintf(&name, "handler-%zu", i + 1) < 0) {
        return ORDERLY_NOMEM;
    }
    free(source->options.name);
    source->options.name = name;
    return ORDERLY_OK;
}

static enum orderly_err start_one(struct od_source *source, const struct od_daemon_options *options, size_t i,
                                  struct orderly_error *error)
{
    const struct od_daemon_source *from = options->source_count > 0 ? &options->sources[i] : NULL;
    enum orderly_err err;

    err = od_handler_options_init(&source->options, from != NULL ? from->config : options->config, options->handler,
                                  options->command, options->command_count, error);
    if (err == ORDERLY_OK && from != NULL) {
        err = add_topics(source, from, error);
    }
    if (err == ORDERLY_OK && from != NULL) {
        err = od_sources_check_shared(options->config, from->config, error);
    }
    if (err == ORDERLY_OK && options->source_count > 1) {
        err = name_it(source, i);
    } else if (err == ORDERLY_OK && source->options.kind != OD_HANDLER_STREAM) {
        source->options.max_in_flight = IN_FLIGHT_NO_LIMIT; /* the library's limit is the same, and may change */
    }
    return err == ORDERLY_OK ? od_handler_new(&source->options, &source->handler, error) : err;
}

enum orderly_err od_sources_init(struct od_sources *sources, const struct od_daemon_options *options,
                                 struct orderly_error *error)
{
    size_t count = options->source_count > 0 ? options->source_count : 1;
    enum orderly_err err = ORDERLY_OK;

    *sources = (struct od_sources){.list = calloc(count, sizeof *sources->list)};
    if (sources->list == NULL) {
        return ORDERLY_NOMEM;
    }
    for (size_t i = 0; i < count && err == ORDERLY_OK; i++) {
        sources->count = i + 1;
        err = start_one(&sources->list[i], options, i, error);
    }
    if (err == ORDERLY_OK && options->source_count > 0) {
        err = subscribe_all(options, error);
    }
    if (err != ORDERLY_OK) {
        od_sources_fini(sources);
    }
    return err;
}

void od_sources_fini(struct od_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        struct od_source *source = &sources->list[i];

        if (source->handler != NULL) {
            source->handler->ops->free(source->handler);
        }
        for (size_t j = 0; j < source->pattern_count; j++) {
            regfree(&source->patterns[j]);
        }
        free(source->patterns);
        od_words_fini(&source->topics);
        od_handler_options_fini(&source->options);
    }
    free(sources->list);
    *sources = (struct od_sources){0};
}

static bool serves(const struct od_source *source, const char *topic)
{
    for (size_t i = 0; i < source->topics.count; i++) {
        if (strcmp(source->topics.items[i], topic) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < source->pattern_count; i++) {
        if (regexec(&source->patterns[i], topic, 0, NULL, 0) == 0) {
            return true;
        }
    }
    return source->topics.count == 0 && source->pattern_count == 0;
}

enum orderly_outcome od_sources_handle(struct orderly_record *record, void *userdata)
{
    struct od_sources *sources = userdata;
    const char *topic = sources->count > 1 ? orderly_record_origin_topic(record) : "";

    for (size_t i = 0; i < sources->count; i++) {
        struct od_source *source = &sources->list[i];

        if (sources->count == 1 || serves(source, topic)) {
            return source->handler->ops->handle(source->handler, record);
        }
    }
    od_say_error("handler", "no source names topic %s: the record is held", topic);
    if (orderly_record_set_error(record, "no-source", "no source names this topic") != ORDERLY_OK) {
        od_say_error("handler", "out of memory");
    }
    return ORDERLY_HOLD;
}

void od_sources_close(struct od_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        sources->list[i].handler->ops->close(sources->list[i].handler);
    }
}

void od_sources_resume(struct od_sources *sources)
{
    for (size_t i = 0; i < sources->count; i++) {
        sources->list[i].handler->ops->resume(sources->list[i].handler);
    }
}
