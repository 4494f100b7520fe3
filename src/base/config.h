/*
 * struct orderly_config: the settings by name, as text, as they were set; defaults come from the table. Typed values are made of it
 * by od_settings_finish() (settings.h).
 */
#ifndef OD_BASE_CONFIG_H
#define OD_BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

/* The callbacks that were set (a full-size copy, all NULL when none were); borrowed from the config. */
const struct orderly_callbacks *od_config_callbacks(const struct orderly_config *, void **ret_userdata);
/* The text of a setting of the table or a kafka.* property: as set, else the default; NULL: no such name, or a property that was not set. Borrowed. */
const char *od_config_text(const struct orderly_config *, const char *name);
/* Whether it was set (to anything, the default too). */
bool od_config_is_set(const struct orderly_config *, const char *name);
/* The kafka.* properties that were set, in the order of setting, group.id and bootstrap.servers too; name without "kafka.". False past the end. */
bool od_config_property(const struct orderly_config *, size_t i, const char **ret_name, const char **ret_value);
/* A deep copy, callbacks included. */
enum orderly_err od_config_copy(const struct orderly_config *, struct orderly_config **ret);
/* Whether records would travel in the clear although nobody said that this is intended: no TLS, no SASL, a broker that is not loopback. A warning. */
bool od_config_plaintext(const struct orderly_config *);

#endif
