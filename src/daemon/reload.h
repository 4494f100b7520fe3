/* SIGHUP: what of new settings is applied while running, and which have to wait for a restart. */
#ifndef OD_DAEMON_RELOAD_H
#define OD_DAEMON_RELOAD_H

#include <stddef.h>

#include "orderly/orderly.h"

/* Applies to member and `config` what differs and may change; says what it did and what it ignored. Returns how many differ. */
size_t od_reload_apply(struct orderly *, struct orderly_config *config, const struct orderly_config *new_config);

#endif
