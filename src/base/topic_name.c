/* Names of topics made from templates: od_topic_name() of settings.h. */
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"
#include "base/text.h"

enum { LONGEST = 249 }; /* Kafka's limit: a folder name with the partition in it */

static bool legal(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > LONGEST || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == size;
}

enum orderly_err od_topic_name(const char *template, const char *topic, const char *group, char **ret)
{
    char buffer[LONGEST + 2];
    struct od_text name;
    od_text_init(&name, buffer, sizeof buffer);
    for (const char *p = template; *p;) {
        if (od_text_starts(p, "{topic}")) {
            od_text_add(&name, topic);
            p += strlen("{topic}");
        } else if (od_text_starts(p, "{group}")) {
            od_text_add(&name, group);
            p += strlen("{group}");
        } else {
            od_text_add_char(&name, *p++);
        }
    }
    if (name.cut || !legal(buffer))
        return ORDERLY_CONFIG;
    char *copy = od_text_copy(buffer);
    if (!copy)
        return ORDERLY_NOMEM;
    *ret = copy;
    return ORDERLY_OK;
}
