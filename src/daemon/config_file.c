/*
 * The YAML file: a tree of mappings whose paths are the names of settings. Parsed by libfyaml; references are resolved after
 * that, so nothing in them can change the shape of the file. Errors show the place: line, column, the line, a caret.
 */
#include "daemon/config_file.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_environ.h"
#include "daemon/config_expand.h"
#include "daemon/config_sources.h"

enum {
    LARGEST_FILE = 1 << 20,
    NAME = 256,
    DEPTH = 8,
    SENTENCE = 320,
    SHOWN = 72, /* columns of a line that are shown */
    REASON = 256
};

/* A place in the file, from 0; line -1: not known. */
struct place {
    int line, column;
};

struct walk {
    const char *path, *text;
    char *const *environment;
    struct od_values *values; /* the top level's, or those of the source in work */
    bool in_source;
    struct orderly_error *error;
};

/* One pair of a mapping: the full name of its setting, and where its key stands. */
struct item {
    char name[NAME];
    struct place key;
    struct fy_node *value;
};

static void line_at(const char *text, int line, const char **ret, int *ret_size)
{
    while (line-- > 0) {
        const char *end = strchr(text, '\n');
        if (!end)
            break;
        text = end + 1;
    }
    *ret = text;
    *ret_size = (int)strcspn(text, "\r\n");
}

static enum orderly_err fail_at(const struct walk *walk, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "FILE:LINE:COLUMN: sentence", the line, a caret. A long line is shown from shortly before the place on. */
static enum orderly_err fail_at(const struct walk *walk, struct place place, const char *format, ...)
{
    struct orderly_error *error = walk->error;
    char sentence[SENTENCE];
    const char *line;
    int size, from = 0;
    va_list arguments;
    if (!error || error->size < sizeof *error)
        return ORDERLY_CONFIG;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    error->code = ORDERLY_CONFIG;
    if (place.line < 0) {
        (void)snprintf(error->text, sizeof error->text, "%.100s: %s", walk->path, sentence);
        return ORDERLY_CONFIG;
    }
    line_at(walk->text, place.line, &line, &size);
    if (place.column > SHOWN - 16)
        from = place.column - 16;
    if (from > size)
        from = size;
    if (size - from > SHOWN)
        size = from + SHOWN;
    (void)snprintf(error->text, sizeof error->text, "%.60s:%d:%d: %s\n    %.*s\n    %*s^", walk->path, place.line + 1,
                   place.column + 1, sentence, size - from, line + from, place.column - from, "");
    for (char *p = error->text; *p; p++)
        if (*p == '\t')
            *p = ' ';
    return ORDERLY_CONFIG;
}

static enum orderly_err out_of_memory(const struct walk *walk)
{
    if (walk->error && walk->error->size >= sizeof *walk->error) {
        walk->error->code = ORDERLY_NOMEM;
        (void)snprintf(walk->error->text, sizeof walk->error->text, "out of memory");
    }
    return ORDERLY_NOMEM;
}

static struct place place_of(struct fy_node *node, struct place otherwise)
{
    struct fy_node *first = node;
    for (unsigned i = 0; first && i < DEPTH; i++) {
        if (fy_node_get_type(first) == FYNT_SEQUENCE)
            first = fy_node_sequence_get_by_index(first, 0);
        else if (fy_node_get_type(first) == FYNT_MAPPING)
            first = fy_node_mapping_item_count(first) ? fy_node_pair_key(fy_node_mapping_get_by_index(first, 0)) : NULL;
        else
            break;
    }
    struct fy_token *token = first && fy_node_get_type(first) == FYNT_SCALAR ? fy_node_get_scalar_token(first) : NULL;
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    if (!mark)
        return otherwise;
    struct place place = {mark->line, mark->column};
    return place;
}

/* Nothing was written, or a plain null. */
static bool is_null(struct fy_node *node)
{
    if (!node)
        return true;
    if (fy_node_get_type(node) != FYNT_SCALAR || fy_node_is_alias(node))
        return false;
    size_t size = 0;
    const char *text = fy_node_get_scalar(node, &size);
    if (fy_node_get_style(node) != FYNS_PLAIN)
        return text == NULL;
    return !text || size == 0 || (size == 1 && *text == '~') || (size == 4 && memcmp(text, "null", 4) == 0);
}

/* The text of a scalar with its references resolved. */
static enum orderly_err scalar(const struct walk *walk, struct fy_node *node, struct place place, char **ret)
{
    char reason[REASON] = "";
    size_t size = 0;
    if (fy_node_get_type(node) != FYNT_SCALAR)
        return fail_at(walk, place, "a single value is wanted here");
    if (fy_node_is_alias(node))
        return fail_at(walk, place, "anchors and aliases are not supported");
    const char *text = fy_node_get_scalar(node, &size);
    if (!text)
        text = "";
    if (memchr(text, '\0', size))
        return fail_at(walk, place, "a NUL character cannot be part of a value");
    enum orderly_err err = od_config_expand(text, size, walk->environment, ret, reason);
    if (err == ORDERLY_CONFIG)
        return fail_at(walk, place, "%s", reason);
    return err ? out_of_memory(walk) : ORDERLY_OK;
}

static void put_json(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20)
            (void)fprintf(out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            (void)fprintf(out, "\\%c", c);
        else
            (void)fputc(c, out);
    }
    (void)fputc('"', out);
}

/* How a collection becomes the text of a setting. */
enum form { AS_ARRAY, AS_OBJECT, AS_COMMAS };

static enum orderly_err put_scalar(const struct walk *walk, struct fy_node *node, struct place place, enum form form,
                                   FILE *out)
{
    char *text = NULL;
    if (is_null(node))
        return fail_at(walk, place, "a value is missing here");
    enum orderly_err err = scalar(walk, node, place, &text);
    if (err)
        return err;
    if (form == AS_COMMAS)
        (void)fputs(text, out);
    else
        put_json(out, text);
    free(text);
    return ORDERLY_OK;
}

static enum orderly_err put_sequence(const struct walk *walk, const struct item *item, enum form form, FILE *out)
{
    enum orderly_err err = ORDERLY_OK;
    struct fy_node *node;
    void *at = NULL;
    bool first = true;
    while (!err && (node = fy_node_sequence_iterate(item->value, &at))) {
        if (!first)
            (void)fputc(',', out);
        first = false;
        err = put_scalar(walk, node, place_of(node, item->key), form, out);
    }
    return err;
}

static enum orderly_err put_mapping(const struct walk *walk, const struct item *item, FILE *out)
{
    enum orderly_err err = ORDERLY_OK;
    struct fy_node_pair *pair;
    void *at = NULL;
    bool first = true;
    while (!err && (pair = fy_node_mapping_iterate(item->value, &at))) {
        struct place place = place_of(fy_node_pair_key(pair), item->key);
        if (!first)
            (void)fputc(',', out);
        first = false;
        err = put_scalar(walk, fy_node_pair_key(pair), place, AS_OBJECT, out);
        (void)fputc(':', out);
        if (!err)
            err = put_scalar(walk, fy_node_pair_value(pair), place_of(fy_node_pair_value(pair), place), AS_OBJECT, out);
    }
    return err;
}

static enum orderly_err collection(const struct walk *walk, const struct item *item, enum form form, char **ret)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return out_of_memory(walk);
    if (form != AS_COMMAS)
        (void)fputc(form == AS_ARRAY ? '[' : '{', out);
    enum orderly_err err = form == AS_OBJECT ? put_mapping(walk, item, out) : put_sequence(walk, item, form, out);
    if (form != AS_COMMAS)
        (void)fputc(form == AS_ARRAY ? ']' : '}', out);
    if (fclose(out) && !err)
        err = out_of_memory(walk);
    if (err) {
        free(text);
        return err;
    }
    *ret = text;
    return ORDERLY_OK;
}

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* What a name is in the table. */
enum kind { UNKNOWN, FOLDER, LIST, SINGLE, PROPERTY };

static enum kind kind_of(const char *name)
{
    size_t size = strlen(name);
    if (starts(name, "kafka."))
        return PROPERTY;
    if (strcmp(name, "kafka") == 0)
        return FOLDER;
    for (size_t i = 0; i < orderly_setting_count(); i++) {
        struct orderly_setting row = ORDERLY_SETTING_INIT;
        if (orderly_setting_at(i, &row))
            continue;
        if (strcmp(row.name, name) == 0)
            return row.type == ORDERLY_SETTING_LIST ? LIST : SINGLE;
        if (starts(row.name, name) && row.name[size] == '.')
            return FOLDER;
    }
    return UNKNOWN;
}

/* The library's sentence for a name that it does not know, "did you mean" included. */
static enum orderly_err fail_unknown(const struct walk *walk, const struct item *item)
{
    char name[NAME];
    struct fy_node *node = item->value;
    struct orderly_config *config = NULL;
    struct orderly_error reason = ORDERLY_ERROR_INIT;
    (void)snprintf(name, sizeof name, "%s", item->name);
    /* A folder with a wrong name is told apart by what is in it. */
    while (node && fy_node_get_type(node) == FYNT_MAPPING && fy_node_mapping_item_count(node)) {
        struct fy_node_pair *pair = fy_node_mapping_get_by_index(node, 0);
        size_t size = 0, used = strlen(name);
        const char *key = fy_node_get_type(fy_node_pair_key(pair)) == FYNT_SCALAR
                              ? fy_node_get_scalar(fy_node_pair_key(pair), &size)
                              : NULL;
        if (key)
            (void)snprintf(name + used, sizeof name - used, ".%.*s", (int)size, key);
        node = fy_node_pair_value(pair);
    }
    if (orderly_config_new(&config))
        return out_of_memory(walk);
    enum orderly_err err = orderly_config_set(config, name, "", &reason);
    orderly_config_free(config);
    const char *hint = strstr(reason.text, "; did you mean");
    return fail_at(walk, item->key, "unknown setting \"%.100s\"%s", item->name, err && hint ? hint : "");
}

static enum orderly_err set(const struct walk *walk, const struct item *item, const char *text)
{
    struct place place = place_of(item->value, item->key);
    struct orderly_error reason = ORDERLY_ERROR_INIT;
    char origin[NAME + 64];
    const struct od_value *old = od_values_get(walk->values, item->name);
    if (old)
        return fail_at(walk, item->key, "%.80s is set twice; the first time at %.120s", item->name, old->origin);
    (void)snprintf(origin, sizeof origin, "%.255s:%d:%d", walk->path, place.line + 1, place.column + 1);
    enum orderly_err err = od_values_set(walk->values, item->name, text, origin, &reason);
    if (err == ORDERLY_NOMEM)
        return out_of_memory(walk);
    if (err == ORDERLY_UNSUPPORTED)
        place = item->key; /* there is no such property */
    return err ? fail_at(walk, place, "%.300s", reason.text) : ORDERLY_OK;
}

static enum orderly_err walk_mapping(struct walk *walk, struct fy_node *node, const char *prefix, unsigned depth);
static enum orderly_err walk_sources(struct walk *walk, const struct item *item);

/* The settings in which sources may differ. */
static bool of_a_source(const char *name)
{
    static const char *const names[] = {"topics", "patterns",    "handler",    "order",
                                        "retry",  "dead_letter", "concurrency"};
    size_t size = strcspn(name, ".");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
            return true;
    return false;
}

/* The text of a value that is no folder. */
static enum orderly_err value_text(const struct walk *walk, const struct item *item, enum kind kind, char **ret)
{
    size_t size = strlen(item->name);
    bool pairs = kind == LIST && (strcmp(item->name + (size > 4 ? size - 4 : 0), ".env") == 0 ||
                                  strcmp(item->name, "handler.http.status") == 0);
    switch (fy_node_get_type(item->value)) {
    case FYNT_SEQUENCE:
        if (kind == PROPERTY)
            return collection(walk, item, AS_COMMAS, ret);
        if (kind == LIST)
            return collection(walk, item, AS_ARRAY, ret);
        return fail_at(walk, item->key, "%.80s takes a single value, not a list", item->name);
    case FYNT_MAPPING:
        if (pairs)
            return collection(walk, item, AS_OBJECT, ret);
        return fail_at(walk, item->key, "%.80s takes a %s, not a mapping", item->name,
                       kind == LIST ? "list" : "single value");
    case FYNT_SCALAR:
        break;
    }
    return scalar(walk, item->value, place_of(item->value, item->key), ret);
}

static enum orderly_err walk_item(struct walk *walk, const struct item *item, unsigned depth)
{
    enum kind kind = kind_of(item->name);
    char *text = NULL;
    if (!walk->in_source && strcmp(item->name, "sources") == 0)
        return walk_sources(walk, item);
    if (kind == UNKNOWN)
        return fail_unknown(walk, item);
    if (walk->in_source && !of_a_source(item->name))
        return fail_at(walk, item->key, "%.80s cannot differ between sources; it belongs to the top level", item->name);
    if (is_null(item->value))
        return fail_at(walk, item->key, "%.80s has no value; leave it out for its default", item->name);
    bool mapping = fy_node_get_type(item->value) == FYNT_MAPPING;
    if (mapping && (kind == FOLDER || kind == PROPERTY))
        return walk_mapping(walk, item->value, item->name, depth + 1);
    if (kind == FOLDER)
        return fail_at(walk, place_of(item->value, item->key), "%.80s takes a mapping of settings", item->name);
    enum orderly_err err = value_text(walk, item, kind, &text);
    if (!err)
        err = set(walk, item, text);
    free(text);
    return err;
}

/* Whether an earlier pair of the mapping has this key. */
static bool seen(struct fy_node *mapping, struct fy_node_pair *until, const char *key, size_t size)
{
    struct fy_node_pair *pair;
    void *at = NULL;
    while ((pair = fy_node_mapping_iterate(mapping, &at)) && pair != until) {
        size_t other_size = 0;
        const char *other = fy_node_get_scalar(fy_node_pair_key(pair), &other_size);
        if (other && other_size == size && memcmp(other, key, size) == 0)
            return true;
    }
    return false;
}

static enum orderly_err read_key(const struct walk *walk, struct fy_node *mapping, struct fy_node_pair *pair,
                                 const char *prefix, struct item *ret)
{
    struct fy_node *node = fy_node_pair_key(pair);
    size_t size = 0;
    struct place unknown = {-1, 0};
    ret->key = place_of(node, unknown);
    ret->value = fy_node_pair_value(pair);
    if (!node || fy_node_get_type(node) != FYNT_SCALAR || fy_node_is_alias(node))
        return fail_at(walk, ret->key, "the name of a setting is wanted here");
    const char *key = fy_node_get_scalar(node, &size);
    if (!key || size == 0)
        return fail_at(walk, ret->key, "the name of a setting is wanted here");
    if (seen(mapping, pair, key, size))
        return fail_at(walk, ret->key, "\"%.*s\" stands twice in this mapping", size > 80 ? 80 : (int)size, key);
    int length = snprintf(ret->name, sizeof ret->name, "%s%s%.*s", prefix, *prefix ? "." : "", (int)size, key);
    if (length < 0 || (size_t)length >= sizeof ret->name)
        return fail_at(walk, ret->key, "this name is too long");
    return ORDERLY_OK;
}

static enum orderly_err walk_mapping(struct walk *walk, struct fy_node *node, const char *prefix, unsigned depth)
{
    enum orderly_err err = ORDERLY_OK;
    struct fy_node_pair *pair;
    void *at = NULL;
    while (!err && (pair = fy_node_mapping_iterate(node, &at))) {
        struct item item;
        err = read_key(walk, node, pair, prefix, &item);
        if (!err && depth > DEPTH)
            err = fail_at(walk, item.key, "mappings are nested too deep here");
        if (!err)
            err = walk_item(walk, &item, depth);
    }
    return err;
}

static enum orderly_err walk_source(struct walk *walk, struct fy_node *node, struct place key)
{
    struct place place = place_of(node, key);
    if (fy_node_get_type(node) != FYNT_MAPPING)
        return fail_at(walk, place, "a source is a mapping with topics and handler");
    struct od_values *grown = realloc(walk->values->sources, (walk->values->source_count + 1) * sizeof *grown);
    if (!grown)
        return out_of_memory(walk);
    walk->values->sources = grown;
    struct od_values *source = &grown[walk->values->source_count++];
    *source = (struct od_values){0};
    struct walk inner = *walk;
    inner.values = source;
    inner.in_source = true;
    enum orderly_err err = walk_mapping(&inner, node, "", 0);
    if (!err && !od_values_get(source, "topics") && !od_values_get(source, "patterns"))
        err = fail_at(walk, place, "this source has no topics");
    return err;
}

static enum orderly_err walk_sources(struct walk *walk, const struct item *item)
{
    enum orderly_err err = ORDERLY_OK;
    struct fy_node *node;
    void *at = NULL;
    if (!item->value || fy_node_get_type(item->value) != FYNT_SEQUENCE || fy_node_sequence_is_empty(item->value))
        return fail_at(walk, item->key, "sources takes a list of mappings with topics and handler");
    while (!err && (node = fy_node_sequence_iterate(item->value, &at)))
        err = walk_source(walk, node, item->key);
    return err;
}

static enum orderly_err fail_syntax(const struct walk *walk, struct fy_diag *diag)
{
    void *at = NULL;
    struct fy_diag_error *problem = fy_diag_errors_iterate(diag, &at);
    struct place place = {-1, 0};
    if (!problem)
        return fail_at(walk, place, "this is not YAML");
    place.line = problem->line > 0 ? problem->line - 1 : 0;
    place.column = problem->column > 0 ? problem->column - 1 : 0;
    return fail_at(walk, place, "%.200s", problem->msg);
}

static enum orderly_err walk_document(struct walk *walk, struct fy_document *document)
{
    struct fy_node *root = fy_document_root(document);
    struct place start = {0, 0};
    if (is_null(root))
        return ORDERLY_OK;
    if (fy_node_get_type(root) != FYNT_MAPPING)
        return fail_at(walk, place_of(root, start), "the file must be a mapping of settings");
    return walk_mapping(walk, root, "", 0);
}

static enum orderly_err parse(struct walk *walk, size_t size)
{
    struct fy_diag_cfg diag_options = {.level = FYET_ERROR};
    struct fy_diag *diag = fy_diag_create(&diag_options);
    struct fy_parse_cfg options = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_ALLOW_DUPLICATE_KEYS,
                                   .diag = diag};
    struct fy_parser *parser = NULL;
    struct fy_document *document = NULL, *second = NULL;
    enum orderly_err err = ORDERLY_OK;
    if (diag)
        fy_diag_set_collect_errors(diag, true);
    parser = diag ? fy_parser_create(&options) : NULL;
    if (!parser || fy_parser_set_string(parser, walk->text, size)) {
        err = out_of_memory(walk);
        goto done;
    }
    document = fy_parse_load_document(parser);
    if (document)
        second = fy_parse_load_document(parser);
    if (fy_diag_got_error(diag))
        err = fail_syntax(walk, diag);
    else if (second)
        err = fail_at(walk, place_of(fy_document_root(second), (struct place){-1, 0}),
                      "a second document begins here; a configuration is one document");
    else if (document)
        err = walk_document(walk, document);
done:
    if (second)
        fy_parse_document_destroy(parser, second);
    if (document)
        fy_parse_document_destroy(parser, document);
    if (parser)
        fy_parser_destroy(parser);
    if (diag)
        fy_diag_destroy(diag);
    return err;
}

static enum orderly_err load_file(const char *path, char *const environment[], struct od_values *values,
                                  struct orderly_error *error)
{
    struct walk walk = {.path = path, .environment = environment, .values = values, .error = error};
    struct place unknown = {-1, 0};
    char *text = NULL, reason[REASON] = "";
    size_t size = 0;
    enum orderly_err err = od_config_read(path, LARGEST_FILE, &text, &size, reason);
    if (err == ORDERLY_CONFIG)
        return fail_at(&walk, unknown, "%s", reason);
    if (err)
        return out_of_memory(&walk);
    walk.text = text;
    err = parse(&walk, size);
    if (!err) {
        err = od_config_join_sources(values, reason);
        if (err == ORDERLY_CONFIG)
            err = fail_at(&walk, unknown, "%s", reason);
        else if (err)
            err = out_of_memory(&walk);
    }
    free(text);
    return err;
}

enum orderly_err od_config_load(const char *path, char *const environment[], struct od_values *ret,
                                struct orderly_error *error)
{
    struct od_values values = {0};
    enum orderly_err err = path ? load_file(path, environment, &values, error) : ORDERLY_OK;
    if (!err)
        err = od_config_environ(environment, &values, error);
    if (err) {
        od_values_fini(&values);
        return err;
    }
    *ret = values;
    return ORDERLY_OK;
}
