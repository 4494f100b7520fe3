/* What `sources:` of a configuration file means for the group: one subscription to the topics of all. */
#ifndef OD_DAEMON_CONFIG_SOURCES_H
#define OD_DAEMON_CONFIG_SOURCES_H

#include "daemon/config_file.h"

/* Sets `topics` of the top level to those of all sources; nothing when there are none. CONFIG: `reason` says why, without a place; NOMEM. */
enum orderly_err od_config_join_sources(struct od_values *, char reason[256]);

#endif
