/* Talks to the admin listener of a running daemon: GET and POST over HTTP, with its token. */
#ifndef OD_CLI_ADMIN_CLIENT_H
#define OD_CLI_ADMIN_CLIENT_H

#include <jansson.h>

#include "cli/cli.h"

/* --admin, else ORDERLY_ADMIN_LISTEN, else the default. Borrowed. */
const char *od_admin_address(const struct od_args *);
/* 0: *ret is the caller's. 69: nobody listens there (said). 1: said why. */
int od_admin_get(const struct od_args *, const char *path, json_t **ret);
/* Whether somebody listens there; says nothing. */
bool od_admin_reachable(const struct od_args *);
/* `path` may have a query. The same codes. */
int od_admin_post(const struct od_args *, const char *path);
/* Adds name=value to a query, percent-encoded. */
void od_admin_query(char *path, size_t size, const char *name, const char *value);

#endif
