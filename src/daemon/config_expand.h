/* References in the scalars of a configuration file: ${env:NAME}, ${env:NAME:-default}, ${file:/path}; "$${" stands for "${". */
#ifndef OD_DAEMON_CONFIG_EXPAND_H
#define OD_DAEMON_CONFIG_EXPAND_H

#include <stddef.h>

#include "orderly/orderly.h"

/* Errors: CONFIG (`reason` says why, as a sentence without a place), NOMEM. The caller frees *ret. */
enum orderly_err od_config_expand(const char *text, size_t size, char *const environment[], char **ret,
                                  char reason[256]);
/* A file's bytes, ended by NUL, at most `limit`; the caller frees *ret. CONFIG: `reason` says why. */
enum orderly_err od_config_read(const char *path, size_t limit, char **ret, size_t *ret_size, char reason[256]);

#endif
