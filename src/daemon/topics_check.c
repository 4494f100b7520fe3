/* Whether the topics exist that the configuration needs: see topics_check.h. */
#include "daemon/topics_check.h"

#include <stdio.h>
#include <string.h>

#include "daemon/log.h"

static bool can_create(const struct orderly_need *need)
{
    return need->kind != ORDERLY_NEED_SOURCE && !need->found.exists;
}

static size_t count_missing(const struct orderly_needs *needs)
{
    size_t count = 0;

    for (size_t i = 0; i < needs->count; i++) {
        count += can_create(&needs->list[i]);
    }
    return count;
}

static enum orderly_err create_missing(struct orderly_admin *admin, const struct orderly_needs *needs,
                                       struct orderly_error *error)
{
    enum orderly_err err = orderly_admin_provide(admin, needs, error);

    for (size_t i = 0; i < needs->count && err == ORDERLY_OK; i++) {
        if (can_create(&needs->list[i])) {
            od_say_info("daemon", "topic %s was created with %d partitions", needs->list[i].name,
                        (int)needs->list[i].partitions);
        }
    }
    return err;
}

/* A source that does not exist: what it would need beside it is not worth a line. */
static bool lacks_source(const struct orderly_needs *needs, const struct orderly_need *need)
{
    for (size_t i = 0; i < needs->count && need->kind != ORDERLY_NEED_SOURCE; i++) {
        const struct orderly_need *source = &needs->list[i];

        if (source->kind == ORDERLY_NEED_SOURCE && source->problem[0] != '\0' &&
            strcmp(source->source, need->source) == 0) {
            return true;
        }
    }
    return false;
}

/* The first thing that is wrong is the error; the others go to the log. */
static enum orderly_err refuse(const struct orderly_needs *needs, struct orderly_error *error)
{
    enum orderly_err err = ORDERLY_OK;

    for (size_t i = 0; i < needs->count; i++) {
        const struct orderly_need *need = &needs->list[i];
        const char *problem =
            need->problem[0] != '\0' ? need->problem : "it does not exist: start with --create-topics";

        if ((need->problem[0] == '\0' && !can_create(need)) || lacks_source(needs, need)) {
            continue;
        }
        if (err == ORDERLY_OK) {
            err = need->kind == ORDERLY_NEED_SOURCE ? ORDERLY_UNKNOWN_TOPIC : ORDERLY_CONFIG;
            error->code = err;
            snprintf(error->text, sizeof error->text, "%s", problem);
        } else {
            od_say_error("daemon", "%s", problem);
        }
    }
    return err;
}

enum orderly_err od_topics_check(struct orderly_admin *admin, bool create, struct orderly_error *error)
{
    struct orderly_needs *needs = NULL;
    enum orderly_err err = orderly_admin_needs(admin, &needs, error);

    if (err == ORDERLY_OK && create && count_missing(needs) > 0) {
        err = create_missing(admin, needs, error);
        orderly_needs_free(needs);
        needs = NULL;
        if (err == ORDERLY_OK) {
            err = orderly_admin_needs(admin, &needs, error);
        }
    }
    if (err == ORDERLY_OK) {
        err = refuse(needs, error);
    }
    orderly_needs_free(needs);
    return err;
}
