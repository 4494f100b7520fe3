/*
 * The token that changes need: 32 hexadecimal digits in a file of mode 0600, so that who may read the file may act.
 * Beside the socket (PATH.token) for unix:PATH; else in $XDG_RUNTIME_DIR/orderly, else in /tmp/orderly-UID, by address.
 */
#ifndef OD_DAEMON_TOKEN_H
#define OD_DAEMON_TOKEN_H

#include <stdbool.h>

#include "orderly/orderly.h"

#define OD_TOKEN_SIZE 33

/* Where the token of a daemon that listens there is; malloc'ed; NULL when out of memory. */
char *od_token_path(const char *listen);
/* Makes a new one and writes it. Errors: CONFIG (the file cannot be written; the error says why). */
enum orderly_err od_token_create(const char *path, char ret[OD_TOKEN_SIZE], struct orderly_error *);
/* Reads one. Errors: CONFIG. */
enum orderly_err od_token_read(const char *path, char ret[OD_TOKEN_SIZE], struct orderly_error *);
/* Compares in constant time. */
bool od_token_equal(const char *a, const char *b);

#endif
