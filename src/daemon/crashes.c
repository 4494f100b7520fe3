/* How often each record crashed its handler: see crashes.h. */
#include "daemon/crashes.h"

#include <stdlib.h>
#include <string.h>

void od_crashes_fini(struct od_crashes *crashes)
{
    for (size_t i = 0; crashes->list != NULL && i < OD_CRASHES_MAX; i++) {
        free(crashes->list[i].key);
    }
    free(crashes->list);
    *crashes = (struct od_crashes){0};
}

/* Crashes are rare and few: a walk is enough. */
static struct od_crash *find(struct od_crashes *crashes, const char *key)
{
    for (size_t i = 0; crashes->count > 0 && i < OD_CRASHES_MAX; i++) {
        if (crashes->list[i].key != NULL && strcmp(crashes->list[i].key, key) == 0) {
            return &crashes->list[i];
        }
    }
    return NULL;
}

int64_t od_crashes_add(struct od_crashes *crashes, const char *key)
{
    struct od_crash *crash = find(crashes, key);

    if (crash != NULL) {
        return ++crash->count;
    }
    if (crashes->list == NULL) {
        crashes->list = calloc(OD_CRASHES_MAX, sizeof *crashes->list);
    }
    if (crashes->list == NULL) {
        return 1;
    }
    crash = &crashes->list[crashes->next];
    crashes->next = (crashes->next + 1) % OD_CRASHES_MAX;
    if (crash->key == NULL) {
        crashes->count++;
    }
    free(crash->key);
    crash->key = strdup(key);
    crash->count = 1;
    if (crash->key == NULL) {
        crashes->count--;
    }
    return 1;
}

void od_crashes_forget(struct od_crashes *crashes, const char *key)
{
    struct od_crash *crash = find(crashes, key);

    if (crash != NULL) {
        free(crash->key);
        crash->key = NULL;
        crashes->count--;
    }
}
