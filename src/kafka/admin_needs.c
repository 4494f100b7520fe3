/*
 * What a configuration needs in Kafka: its sources, and a retry and a dead-letter topic for each; what is wrong with those that
 * exist (design.md 5: a retry topic that compacts, or forgets early, loses records), and making those that do not.
 */
#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/text_list.h"
#include "kafka/admin.h"

#define RETENTION_SPARE_MS INT64_C(604800000) /* 7 days: time to notice, and to mend, a stopped group */
#define HEADER_ROOM_BYTES 65536               /* what orderly's headers may add to a record */

enum orderly_err orderly_admin_names(struct orderly_admin *admin, const char *source, char retry[256],
                                     char dead_letter[256], struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !source || !retry || !dead_letter) {
        return od_fail(error, ORDERLY_INVALID, "no admin object, or no topic");
    }
    const char *group = od_admin_text(admin, "kafka.group.id");
    static const char *const settings[] = {"retry.topic", "dead_letter.topic"};
    if (!*group) {
        return od_fail(error, ORDERLY_CONFIG, "no group is named; give --group NAME or set kafka.group.id");
    }
    for (size_t i = 0; i < 2; i++) {
        char *name = NULL;
        enum orderly_err err = od_topic_name(od_admin_text(admin, settings[i]), source, group, &name);
        if (err) {
            return od_fail(error, err, "%s '%s' gives no legal topic name for topic %s and group %s; set %s",
                           settings[i], od_admin_text(admin, settings[i]), source, group, settings[i]);
        }
        od_admin_put(i == 0 ? retry : dead_letter, 256, name);
        free(name);
    }
    return ORDERLY_OK;
}

/* The fixed end of a template such as "{topic}.{group}.retry". */
static const char *fixed_end(const char *template)
{
    const char *brace = strrchr(template, '}');
    return brace ? brace + 1 : "";
}

/* A pattern never takes retry and dead-letter topics, ours or another group's: they would be handled as if they were sources. */
static bool looks_like_ours(const struct orderly_admin *admin, const char *name)
{
    const char *ends[] = {fixed_end(od_admin_text(admin, "retry.topic")),
                          fixed_end(od_admin_text(admin, "dead_letter.topic")), ".retry", ".dlt"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        if (*ends[i] && od_text_ends(name, ends[i])) {
            return true;
        }
    }
    return false;
}

static enum orderly_err add_name(struct od_text_list *list, const char *name)
{
    if (od_text_list_has(list, name)) {
        return ORDERLY_OK;
    }
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items) {
        return ORDERLY_NOMEM;
    }
    list->items = items;
    char *copy = od_text_copy(name);
    if (!copy) {
        return ORDERLY_NOMEM;
    }
    items[list->count++] = copy;
    return ORDERLY_OK;
}

static enum orderly_err add_matches(struct orderly_admin *admin, const struct orderly_topics *all, const char *pattern,
                                    struct od_text_list *list, struct orderly_error *error)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB)) {
        return od_fail(error, ORDERLY_CONFIG, "'%s' is no regular expression", pattern);
    }
    enum orderly_err err = ORDERLY_OK;
    for (size_t i = 0; i < all->count && !err; i++) {
        const char *name = all->list[i].name;
        if (!od_text_starts(name, "__") && !looks_like_ours(admin, name) && !regexec(&regex, name, 0, NULL, 0)) {
            err = add_name(list, name);
        }
    }
    regfree(&regex);
    return err;
}

enum orderly_err od_admin_sources(struct orderly_admin *admin, const struct orderly_topics *all,
                                  struct od_text_list *ret, struct orderly_error *error)
{
    static const char *const settings[] = {"topics", "patterns"};
    struct od_text_list list = {0};
    enum orderly_err err = ORDERLY_OK;
    for (size_t i = 0; i < 2 && !err; i++) {
        struct od_text_list words = {0};
        err = od_text_list_parse(od_admin_text(admin, settings[i]), &words);
        for (size_t w = 0; w < words.count && !err; w++) {
            bool pattern = i == 1 || words.items[w][0] == '^';
            err = pattern ? add_matches(admin, all, words.items[w], &list, error) : add_name(&list, words.items[w]);
        }
        od_text_list_fini(&words);
    }
    if (err) {
        od_text_list_fini(&list);
        return err;
    }
    *ret = list;
    return ORDERLY_OK;
}

void orderly_needs_free(struct orderly_needs *needs)
{
    if (needs) {
        free(needs->list);
        free(needs);
    }
}

static int64_t retention_needed(const struct orderly_admin *admin)
{
    int64_t max_delay = 0;
    if (!od_parse_duration(od_admin_text(admin, "retry.max_delay"), &max_delay) || max_delay < 0) {
        max_delay = INT64_C(86400000);
    }
    return max_delay + RETENTION_SPARE_MS;
}

static void judge_missing(const struct orderly_admin *admin, struct orderly_need *need)
{
    char *text = need->problem;
    size_t size = sizeof need->problem;
    const char *group = od_admin_text(admin, "kafka.group.id");
    if (need->kind == ORDERLY_NEED_SOURCE) {
        od_admin_say(text, size, "topic %s does not exist: create it, or mend its name", need->name);
        return;
    }
    od_admin_say(
        text, size,
        "%s topic %s does not exist: `orderly topics create --brokers %.120s --group %.80s --topic %.100s` creates "
        "it, and so does `orderly run --create-topics`",
        need->kind == ORDERLY_NEED_RETRY ? "retry" : "dead-letter", need->name,
        od_admin_text(admin, "kafka.bootstrap.servers"), group, need->source);
}

static void judge_retry(const struct orderly_admin *admin, struct orderly_need *need)
{
    const struct orderly_topic *found = &need->found;
    char *text = need->problem;
    size_t size = sizeof need->problem;
    int64_t wanted = retention_needed(admin);
    if (*found->cleanup_policy && strcmp(found->cleanup_policy, "delete")) {
        od_admin_say(
            text, size,
            "retry topic %s has cleanup.policy=%s, which would remove records that still wait: set cleanup.policy=delete",
            need->name, found->cleanup_policy);
    } else if (found->retention_bytes >= 0) {
        od_admin_say(text, size,
                     "retry topic %s has retention.bytes=%" PRId64
                     ", which would remove records that still wait: set retention.bytes=-1",
                     need->name, found->retention_bytes);
    } else if (found->retention_ms >= 0 && found->retention_ms < wanted) {
        od_admin_say(text, size,
                     "retry topic %s keeps records for %" PRId64
                     " ms, less than retry.max_delay and 7 days: set retention.ms=%" PRId64 " or more",
                     need->name, found->retention_ms, wanted);
    }
}

/* Sources are read, dead letters written, retries both. */
static void judge_rights(struct orderly_need *need)
{
    const struct orderly_topic *found = &need->found;
    bool reads = need->kind != ORDERLY_NEED_DEAD_LETTER && !found->may_read;
    bool writes = need->kind != ORDERLY_NEED_SOURCE && !found->may_write;
    if (found->rights_known && (reads || writes)) {
        od_admin_say(need->problem, sizeof need->problem,
                     "this user may not %s%s%s topic %s: give it the ACL for %s%s%s on that topic", reads ? "read" : "",
                     reads && writes ? " and " : "", writes ? "write" : "", need->name, reads ? "Read" : "",
                     reads && writes ? " and " : "", writes ? "Write" : "");
    }
}

static void judge(const struct orderly_admin *admin, struct orderly_need *need, int64_t wanted)
{
    const struct orderly_topic *found = &need->found;
    if (!found->exists) {
        judge_missing(admin, need);
        return;
    }
    judge_rights(need);
    if (*need->problem) {
        return;
    }
    if (need->kind == ORDERLY_NEED_SOURCE) {
        return;
    }
    if (need->kind == ORDERLY_NEED_RETRY) {
        judge_retry(admin, need);
    } else if (strstr(found->cleanup_policy, "compact")) {
        od_admin_say(
            need->problem, sizeof need->problem,
            "dead-letter topic %s has cleanup.policy=%s, which keeps one dead letter for a key: set cleanup.policy=delete",
            need->name, found->cleanup_policy);
    }
    /* Dead letters that are too large may become references to their origins. */
    if (need->kind == ORDERLY_NEED_DEAD_LETTER && !strcmp(od_admin_text(admin, "dead_letter.oversize"), "reference")) {
        return;
    }
    if (!*need->problem && found->max_message_bytes >= 0 && wanted > found->max_message_bytes) {
        od_admin_say(need->problem, sizeof need->problem,
                     "topic %s takes records up to %" PRId64 " bytes, its source %s up to %" PRId64
                     ": set max.message.bytes=%" PRId64,
                     need->name, found->max_message_bytes, need->source, wanted, wanted + HEADER_ROOM_BYTES);
    }
}

static bool has_need(const struct orderly_needs *needs, const char *name)
{
    for (size_t i = 0; i < needs->count; i++) {
        if (!strcmp(needs->list[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Adds one need, looked up and judged; *ret_found is what Kafka has of it. The list has room. */
static enum orderly_err add_need(struct orderly_admin *admin, struct orderly_needs *needs, enum orderly_need_kind kind,
                                 const char *source, const char *name, const struct orderly_topic *source_topic,
                                 struct orderly_error *error)
{
    if (has_need(needs, name)) {
        return ORDERLY_OK;
    }
    struct orderly_need *need = &needs->list[needs->count];
    *need = (struct orderly_need){.kind = kind, .partitions = -1, .replication = -1};
    od_admin_put(need->source, sizeof need->source, source);
    od_admin_put(need->name, sizeof need->name, name);
    enum orderly_err err = orderly_admin_topic(admin, name, &need->found, error);
    if (err == ORDERLY_AUTH) {
        /* It is there, or it is not: nobody may tell. */
        od_error_clear(error);
        od_admin_blank(&need->found, name);
        need->found.exists = true;
        od_admin_say(need->problem, sizeof need->problem,
                     "this user may not see topic %s: give it the ACL for %s on that topic", name,
                     kind == ORDERLY_NEED_SOURCE  ? "Read"
                     : kind == ORDERLY_NEED_RETRY ? "Read and Write"
                                                  : "Write");
        needs->count++;
        return ORDERLY_OK;
    }
    if (err) {
        return err;
    }
    const struct orderly_topic *like = source_topic ? source_topic : &need->found;
    if (like->exists) {
        need->partitions = like->partitions;
        need->replication = like->replication;
    }
    judge(admin, need, like->exists ? like->max_message_bytes : -1);
    needs->count++;
    return ORDERLY_OK;
}

static enum orderly_err add_source(struct orderly_admin *admin, struct orderly_needs *needs, const char *source,
                                   struct orderly_error *error)
{
    char retry[256], dead_letter[256];
    size_t at = needs->count;
    enum orderly_err err = orderly_admin_names(admin, source, retry, dead_letter, error);
    if (!err) {
        err = add_need(admin, needs, ORDERLY_NEED_SOURCE, source, source, NULL, error);
    }
    if (err) {
        return err;
    }
    struct orderly_topic topic = at < needs->count ? needs->list[at].found : (struct orderly_topic){0};
    err = add_need(admin, needs, ORDERLY_NEED_RETRY, source, retry, &topic, error);
    return err ? err : add_need(admin, needs, ORDERLY_NEED_DEAD_LETTER, source, dead_letter, &topic, error);
}

enum orderly_err orderly_admin_needs(struct orderly_admin *admin, struct orderly_needs **ret,
                                     struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !ret) {
        return od_fail(error, ORDERLY_INVALID, "no admin object");
    }
    struct orderly_topics *all = NULL;
    struct od_text_list sources = {0};
    struct orderly_needs *needs = calloc(1, sizeof *needs);
    enum orderly_err err = needs ? orderly_admin_list(admin, &all, error) : ORDERLY_NOMEM;
    if (!err) {
        err = od_admin_sources(admin, all, &sources, error);
    }
    if (!err) {
        needs->list = calloc(sources.count * 3 + 1, sizeof *needs->list);
        err = needs->list ? ORDERLY_OK : ORDERLY_NOMEM;
    }
    for (size_t i = 0; i < sources.count && !err; i++) {
        err = add_source(admin, needs, sources.items[i], error);
    }
    orderly_topics_free(all);
    od_text_list_fini(&sources);
    if (err) {
        orderly_needs_free(needs);
        return err == ORDERLY_NOMEM ? od_fail(error, err, "out of memory") : err;
    }
    *ret = needs;
    return ORDERLY_OK;
}

static int64_t source_bytes(const struct orderly_needs *needs, const char *source)
{
    for (size_t i = 0; i < needs->count; i++) {
        if (needs->list[i].kind == ORDERLY_NEED_SOURCE && !strcmp(needs->list[i].name, source)) {
            return needs->list[i].found.max_message_bytes;
        }
    }
    return -1;
}

enum orderly_err orderly_admin_provide(struct orderly_admin *admin, const struct orderly_needs *needs,
                                       struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !needs) {
        return od_fail(error, ORDERLY_INVALID, "no admin object, or no needs");
    }
    for (size_t i = 0; i < needs->count; i++) {
        const struct orderly_need *need = &needs->list[i];
        if (need->kind == ORDERLY_NEED_SOURCE || need->found.exists) {
            continue;
        }
        if (need->partitions < 1) {
            return od_fail(error, ORDERLY_UNKNOWN_TOPIC,
                           "topic %s does not exist, so that nothing can be made for it: create it, or mend its name",
                           need->source);
        }
        char retention[64], largest[64];
        snprintf(retention, sizeof retention, "retention.ms=%" PRId64,
                 need->kind == ORDERLY_NEED_RETRY ? retention_needed(admin) : -1);
        int64_t bytes = source_bytes(needs, need->source);
        snprintf(largest, sizeof largest, "max.message.bytes=%" PRId64, bytes + HEADER_ROOM_BYTES);
        const char *const configs[] = {"cleanup.policy=delete", "retention.bytes=-1", retention, largest};
        enum orderly_err err = orderly_admin_create(admin, need->name, need->partitions, need->replication, configs,
                                                    bytes > 0 ? 4 : 3, error);
        if (err) {
            return err;
        }
    }
    return ORDERLY_OK;
}
