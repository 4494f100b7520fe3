/* The table of settings: one row for each name but kafka.*, which librdkafka owns. */
#ifndef OD_BASE_SETTINGS_TABLE_H
#define OD_BASE_SETTINGS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/settings.h"

#define OD_NO_FIELD SIZE_MAX

struct od_setting {
    const char *name;
    enum orderly_setting_type type;
    const char *default_value;
    int64_t low, high; /* of the parsed value: ms, bytes, thousandths, a count */
    bool none;         /* a duration that may be "never" or "none" */
    bool run_time, secret;
    const char *choices; /* "a|b|c"; of a LIST too: what its items may be */
    size_t field; /* where its typed value lies in struct od_settings; OD_NO_FIELD: the daemon reads it by name */
    const char *text, *when_met;
};

size_t od_setting_count(void);
const struct od_setting *od_setting_at(size_t i);
/* NULL: there is no such row. */
const struct od_setting *od_setting_find(const char *name);
/* The name closest to a mistyped one; NULL when none is near. */
const char *od_setting_suggest(const char *name);

/*
 * Reads a value by its row's type. Numbers of all kinds give their number (OD_NEVER for "never"), booleans 0 and 1, choices their
 * place from 0; TEXT and LIST are only checked and give 0. Error CONFIG: the sentence names the setting and what it wants.
 */
enum orderly_err od_setting_parse(const struct od_setting *, const char *text, int64_t *ret_number,
                                  struct orderly_error *);

#endif
