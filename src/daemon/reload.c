/* SIGHUP: see reload.h. */
#include "daemon/reload.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/setting.h"

static bool apply(struct orderly *orderly, const char *name, const char *value, const struct orderly_config *config)
{
    int64_t count;

    if (strcmp(name, "log.level") == 0) {
        enum orderly_log_level level;

        if (!od_say_level_parse(value, &level)) {
            return false;
        }
        od_say_level_set(level);
        return true;
    }
    count = od_setting_number(config, name, -1);
    if (count < 0 || count > UINT32_MAX) {
        return false;
    }
    if (strcmp(name, "log.repeats") == 0) {
        od_say_repeats_set((uint64_t)count);
        return true;
    }
    if (strcmp(name, "concurrency") == 0) {
        return orderly_set_concurrency(orderly, (uint32_t)count) == ORDERLY_OK;
    }
    return strcmp(name, "rate.records_per_second") == 0 && orderly_set_rate(orderly, (uint32_t)count) == ORDERLY_OK;
}

size_t od_reload_apply(struct orderly *orderly, struct orderly_config *config, const struct orderly_config *new_config)
{
    size_t changed = 0;

    for (size_t i = 0; i < orderly_setting_count(); i++) {
        struct orderly_setting setting = ORDERLY_SETTING_INIT;
        char *before, *after;

        if (orderly_setting_at(i, &setting) != ORDERLY_OK) {
            continue;
        }
        before = od_setting_text(config, setting.name);
        after = od_setting_text(new_config, setting.name);
        if (before != NULL && after != NULL && strcmp(before, after) != 0) {
            /* What was applied is what the next time is compared with. */
            bool applied = apply(orderly, setting.name, after, new_config) &&
                           orderly_config_set(config, setting.name, after, NULL) == ORDERLY_OK;

            changed++;
            if (setting.secret) {
                od_say_info("daemon", "%s changed: %s", setting.name, applied ? "applied" : "ignored until a restart");
            } else {
                od_say_info("daemon", "%s changed from %s to %s: %s", setting.name, before, after,
                            applied ? "applied" : "ignored until a restart");
            }
        }
        free(before);
        free(after);
    }
    return changed;
}
