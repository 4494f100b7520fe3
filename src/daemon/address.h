/* Where the admin listener listens: host:port or unix:/path, as a socket that listens. */
#ifndef OD_DAEMON_ADDRESS_H
#define OD_DAEMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "orderly/orderly.h"

/* Whether it is an address, or "off". Errors: CONFIG. */
enum orderly_err od_address_check(const char *listen, struct orderly_error *);
/*
 * Listens there. `moves`: when the port is taken, the next free one of a hundred. `actual` becomes the address as a client
 * names it. Errors: CONFIG (no such address, or it is taken), LIMIT.
 */
enum orderly_err od_address_listen(const char *listen, bool moves, int *ret_fd, char *actual, size_t size,
                                   struct orderly_error *);

#endif
