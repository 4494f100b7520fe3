/* Reads settings of a configuration by name, as the daemon needs them; what was set has been checked by orderly_config_set(). */
#ifndef OD_DAEMON_SETTING_H
#define OD_DAEMON_SETTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/handler.h"
#include "orderly/orderly.h"

/* The text, malloc'ed; "" when there is no such setting; NULL when out of memory. */
char *od_setting_text(const struct orderly_config *, const char *name);
/* Milliseconds; `none` for "none", "never" and what is no duration. */
int64_t od_setting_duration(const struct orderly_config *, const char *name, int64_t none);
/* A number, or a size with its unit. */
int64_t od_setting_number(const struct orderly_config *, const char *name, int64_t none);
/* A decimal, in thousandths. */
int64_t od_setting_decimal(const struct orderly_config *, const char *name, int64_t none);
/*
 * A list of texts: separated by commas, or a JSON array, or a JSON object, which becomes NAME=VALUE texts. False when it is
 * none of these or out of memory.
 */
bool od_setting_words(const struct orderly_config *, const char *name, struct od_words *ret);

bool od_duration_parse(const char *text, int64_t *ret_ms);
bool od_words_parse(const char *text, struct od_words *ret);

#endif
