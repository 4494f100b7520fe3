/* SIGHUP: what of new settings is applied while running, and which have to wait for a restart. */
#ifndef OD_DAEMON_RELOAD_H
#define OD_DAEMON_RELOAD_H

#include "orderly/orderly.h"

/* Applies what changed between the two and may change; says what it did and what it ignored. */
void od_reload_apply(struct orderly *, const struct orderly_config *old_config,
                     const struct orderly_config *new_config);

#endif
