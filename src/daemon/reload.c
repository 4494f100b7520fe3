/* SIGHUP: see reload.h. */
#include "daemon/reload.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/setting.h"

static bool apply(struct orderly *orderly, const char *name, const char *value)
{
    if (strcmp(name, "log.level") == 0) {
        enum orderly_log_level level;

        if (!od_say_level_parse(value, &level)) {
            return false;
        }
        od_say_level_set(level);
        return true;
    }
    if (strcmp(name, "concurrency") == 0) {
        char *end = NULL;
        unsigned long count = strtoul(value, &end, 10);

        return *end == '\0' && count <= UINT32_MAX && orderly_set_concurrency(orderly, (uint32_t)count) == ORDERLY_OK;
    }
    return false;
}

void od_reload_apply(struct orderly *orderly, const struct orderly_config *old_config,
                     const struct orderly_config *new_config)
{
    size_t changed = 0;

    for (size_t i = 0; i < orderly_setting_count(); i++) {
        struct orderly_setting setting = ORDERLY_SETTING_INIT;
        char *before, *after;

        if (orderly_setting_at(i, &setting) != ORDERLY_OK) {
            continue;
        }
        before = od_setting_text(old_config, setting.name);
        after = od_setting_text(new_config, setting.name);
        if (before != NULL && after != NULL && strcmp(before, after) != 0) {
            bool applied = apply(orderly, setting.name, after);

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
    if (changed == 0) {
        od_say_info("daemon", "settings read again: nothing changed");
    }
}
