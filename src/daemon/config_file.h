/*
 * Settings from a YAML file and the environment: names as in the table of settings ("retry.attempts", "kafka.group.id"), values as
 * text, each with where it came from. Later ones win: file, environment (ORDERLY_RETRY_ATTEMPTS), option.
 */
#ifndef OD_DAEMON_CONFIG_FILE_H
#define OD_DAEMON_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "orderly/orderly.h"

/* One value; all owned. Origin: "orders.yaml:3:9", "environment ORDERLY_RETRY_ATTEMPTS", "option --order". */
struct od_value {
    char *name, *value, *origin;
};

/* In the order of setting; each name once. */
struct od_values {
    struct od_value *items;
    size_t count;
    /* `sources:` of the file: of each entry the values that differ from the top level (topics, handler.*, order, ...). The top level's
     * `topics` is then the union of theirs. */
    struct od_values *sources;
    size_t source_count;
    /* Environment variables that look like a mistyped setting, as a sentence each; worth a warning. */
    char **notes;
    size_t note_count;
};

/*
 * Reads the file (NULL: none) and the environment (NULL: none). Each value has been checked alone; whether they fit together
 * is orderly_config_check()'s. The caller ends `ret` with od_values_fini(). Error CONFIG: "FILE:LINE:COLUMN: sentence", then the
 * line and a caret below it; NOMEM.
 */
enum orderly_err od_config_load(const char *path, char *const environment[], struct od_values *ret,
                                struct orderly_error *);
/* Sets or replaces one, checked alone; origin such as "option --set". Errors: CONFIG, UNSUPPORTED (no such property of Kafka), NOMEM. */
enum orderly_err od_values_set(struct od_values *, const char *name, const char *value, const char *origin,
                               struct orderly_error *);
/* Borrowed; NULL: not set. */
const struct od_value *od_values_get(const struct od_values *, const char *name);
/* Sets all of them (not the sources') on a configuration. */
enum orderly_err od_values_apply(const struct od_values *, struct orderly_config *, struct orderly_error *);
/*
 * Calls `each` for every row of the table (origin "default" where nothing was set), then for every kafka.* property that was set. Secrets
 * are masked. Sources are not visited: give one of them as `values` for its own.
 */
typedef void od_values_visit(const char *name, const char *value, const char *origin, void *userdata);
void od_values_effective(const struct od_values *, od_values_visit *each, void *userdata);
/*
 * Says of each kafka.* property, and of each value of a source, that differs between the two that it is ignored until a restart; values of
 * properties may be secrets and are not shown. Returns how many there are.
 */
size_t od_values_say_ignored(const struct od_values *before, const struct od_values *after);
void od_values_fini(struct od_values *);

#endif
