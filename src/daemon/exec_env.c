/* The environment of one child of an exec handler: see exec_env.h. */
#include "daemon/exec_env.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/headers.h"

/* Nothing else is inherited: a handler must not find the secrets of the one that runs it by accident. */
static const char *const KEPT[] = {"PATH", "HOME",   "USER",     "LOGNAME", "SHELL",
                                   "LANG", "LC_ALL", "LC_CTYPE", "TZ",      "TMPDIR"};

static const size_t TRACEPARENT_MAX = 512;

void od_exec_env_fini(struct od_exec_env *env)
{
    od_bytes_fini(&env->block);
    free(env->list);
    *env = (struct od_exec_env){0};
}

static void begin(struct od_bytes *block, const char *name)
{
    od_bytes_text(block, name);
    od_bytes_byte(block, '=');
}

static void end(struct od_bytes *block)
{
    od_bytes_byte(block, '\0');
}

static void add_text(struct od_bytes *block, const char *name, const char *value)
{
    begin(block, name);
    od_bytes_text(block, value);
    end(block);
}

static void add_i64(struct od_bytes *block, const char *name, int64_t value)
{
    begin(block, name);
    od_bytes_format(block, "%" PRId64, value);
    end(block);
}

static void add_time(struct od_bytes *block, const char *name, int64_t unix_ms)
{
    begin(block, name);
    od_bytes_time(block, unix_ms);
    end(block);
}

static void add_place(struct od_bytes *block, const struct orderly_record_view *view)
{
    add_text(block, "ORDERLY_TOPIC", view->origin_topic);
    add_i64(block, "ORDERLY_PARTITION", view->origin_partition);
    add_i64(block, "ORDERLY_OFFSET", view->origin_offset);
    if (view->origin_timestamp_ms >= 0) {
        add_time(block, "ORDERLY_TIMESTAMP", view->origin_timestamp_ms);
    }
    add_i64(block, "ORDERLY_ATTEMPT", view->attempt);
    add_text(block, "ORDERLY_IDEMPOTENCY_KEY", view->idempotency_key);
    begin(block, "ORDERLY_FENCE");
    od_bytes_format(block, "%" PRIu64, view->fence);
    end(block);
    begin(block, "ORDERLY_READ_FROM");
    od_bytes_format(block, "%s/%" PRId32 "/%" PRId64, view->topic, view->partition, view->offset);
    end(block);
    add_i64(block, "ORDERLY_RESULT_FD", OD_EXEC_RESULT_FD);
    if (view->value.data == NULL) {
        add_text(block, "ORDERLY_VALUE_NULL", "1");
    }
}

static void add_traceparent(struct od_bytes *block, struct orderly_record *record)
{
    struct orderly_bytes trace = orderly_record_header_named(record, "traceparent");

    if (trace.data != NULL && trace.size > 0 && trace.size <= TRACEPARENT_MAX && od_bytes_is_text(trace)) {
        begin(block, "TRACEPARENT");
        od_bytes_add(block, trace.data, trace.size);
        end(block);
    }
}

static void compose_key(struct od_bytes *block, struct orderly_bytes key)
{
    if (key.data == NULL) {
        return;
    }
    if (od_bytes_is_text(key)) {
        begin(block, "ORDERLY_KEY");
        od_bytes_add(block, key.data, key.size);
    } else {
        begin(block, "ORDERLY_KEY_BASE64");
        od_bytes_base64(block, key.data, key.size);
    }
    end(block);
}

static void compose_headers(struct od_bytes *block, struct orderly_record *record, size_t count)
{
    begin(block, "ORDERLY_HEADERS");
    od_headers_json(block, record, count);
    end(block);
}

/* Adds key and headers as far as they fit. A key whose text alone is too long is not even composed. */
static void add_contents(struct od_bytes *block, struct orderly_record *record, const struct orderly_record_view *view)
{
    struct od_bytes key = {0}, headers = {0};
    size_t room = block->size < OD_EXEC_ENV_MAX ? OD_EXEC_ENV_MAX - block->size : 0;
    bool with_key, with_headers;

    if (view->key.size <= room) {
        compose_key(&key, view->key);
    }
    with_key = view->key.size <= room && key.size <= room;
    compose_headers(&headers, record, view->header_count);
    with_headers = with_key && key.size + headers.size <= room;
    if (!with_headers) {
        add_text(block, "ORDERLY_OMITTED", with_key ? "headers" : "headers,key");
    }
    if (with_key) {
        od_bytes_add(block, key.data, key.size);
    }
    if (with_headers) {
        od_bytes_add(block, headers.data, headers.size);
    }
    block->failed = block->failed || key.failed || headers.failed;
    od_bytes_fini(&key);
    od_bytes_fini(&headers);
}

static bool point(struct od_exec_env *env)
{
    size_t count = 0;
    char *at = env->block.data;

    for (size_t i = 0; i < env->block.size; i++) {
        count += env->block.data[i] == '\0';
    }
    if (count + 1 > env->capacity) {
        char **list = realloc(env->list, (count + 1) * sizeof *list);

        if (list == NULL) {
            return false;
        }
        env->list = list;
        env->capacity = count + 1;
    }
    for (size_t i = 0; i < count; i++) {
        env->list[i] = at;
        at += strlen(at) + 1;
    }
    env->list[count] = NULL;
    return true;
}

bool od_exec_env_build(struct od_exec_env *env, const struct od_words *base, struct orderly_record *record,
                       int64_t deadline_ms)
{
    struct orderly_record_view view = ORDERLY_RECORD_VIEW_INIT;

    od_bytes_clear(&env->block);
    if (orderly_record_view(record, &view) != ORDERLY_OK) {
        return false;
    }
    for (size_t i = 0; i < base->count; i++) {
        od_bytes_add(&env->block, base->items[i], strlen(base->items[i]) + 1);
    }
    add_place(&env->block, &view);
    if (deadline_ms > 0) {
        add_time(&env->block, "ORDERLY_DEADLINE", deadline_ms);
    }
    add_traceparent(&env->block, record);
    add_contents(&env->block, record, &view);
    return !env->block.failed && point(env);
}

/* Whether `list` names this variable: a later one replaces it. */
static bool names(const struct od_words *list, const char *name, size_t size)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], name, size) == 0 && list->items[i][size] == '=') {
            return true;
        }
    }
    return false;
}

bool od_exec_env_base(struct od_words *ret, const struct od_words *extra)
{
    size_t kept = sizeof KEPT / sizeof *KEPT;

    *ret = (struct od_words){.items = calloc(kept + extra->count + 1, sizeof *ret->items)};
    if (ret->items == NULL) {
        return false;
    }
    for (size_t i = 0; i < kept; i++) {
        const char *value = getenv(KEPT[i]);
        struct od_bytes text = {0};

        if (value == NULL || names(extra, KEPT[i], strlen(KEPT[i]))) {
            continue;
        }
        od_bytes_format(&text, "%s=%s", KEPT[i], value);
        if (od_bytes_end(&text) == NULL) {
            return false;
        }
        ret->items[ret->count++] = text.data;
    }
    for (size_t i = 0; i < extra->count; i++) {
        ret->items[ret->count] = strdup(extra->items[i]);
        if (ret->items[ret->count] == NULL) {
            return false;
        }
        ret->count++;
    }
    return true;
}
