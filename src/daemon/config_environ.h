/* Settings from the environment: ORDERLY_<PATH>, dots and dashes as underscores. */
#ifndef OD_DAEMON_CONFIG_ENVIRON_H
#define OD_DAEMON_CONFIG_ENVIRON_H

#include "daemon/config_file.h"

/* Adds to `values`, replacing what is there. Empty variables count as not set. Errors: CONFIG, NOMEM. */
enum orderly_err od_config_environ(char *const environment[], struct od_values *values, struct orderly_error *);

#endif
