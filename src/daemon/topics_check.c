/* Whether the topics exist that the configuration needs: see topics_check.h. */
#include "daemon/topics_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/log.h"
#include "daemon/setting.h"

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

/* The command that creates what is missing, for copying. */
static void say_how(const struct orderly_config *config)
{
    char *brokers = od_setting_text(config, "kafka.bootstrap.servers");
    char *group = od_setting_text(config, "kafka.group.id");
    char *topics = od_setting_text(config, "topics");

    if (brokers != NULL && group != NULL && topics != NULL) {
        od_say_error("daemon",
                     "create them with:  orderly topics create --brokers %s --group %s --topic %s   (or start with "
                     "--create-topics)",
                     brokers, group, topics);
    }
    free(brokers);
    free(group);
    free(topics);
}

static enum orderly_err refuse(const struct orderly_needs *needs, const struct orderly_config *config,
                               struct orderly_error *error)
{
    enum orderly_err err = ORDERLY_OK;
    bool missing = false;

    for (size_t i = 0; i < needs->count; i++) {
        const struct orderly_need *need = &needs->list[i];

        if (need->problem[0] == '\0' && (need->found.exists || need->kind == ORDERLY_NEED_SOURCE)) {
            continue;
        }
        if (need->problem[0] != '\0') {
            od_say_error("daemon", "topic %s: %s", need->name, need->problem);
        } else {
            od_say_error("daemon", "topic %s does not exist", need->name);
        }
        missing = missing || can_create(need);
        if (err == ORDERLY_OK) {
            err = need->kind == ORDERLY_NEED_SOURCE ? ORDERLY_UNKNOWN_TOPIC : ORDERLY_CONFIG;
            error->code = err;
            snprintf(error->text, sizeof error->text, "topic %.200s: %.250s", need->name,
                     need->problem[0] != '\0' ? need->problem : "it does not exist");
        }
    }
    if (missing) {
        say_how(config);
    }
    return err;
}

enum orderly_err od_topics_check(struct orderly_admin *admin, const struct orderly_config *config, bool create,
                                 struct orderly_error *error)
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
        err = refuse(needs, config, error);
    }
    orderly_needs_free(needs);
    return err;
}
