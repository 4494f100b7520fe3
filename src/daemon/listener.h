/*
 * The admin listener of a daemon: status page, metrics, health, and the few commands (contracts.md 10, Admin).
 *
 *   GET  /  /metrics  /healthz  /readyz  /api/v1/status
 *   POST /api/v1/drain  /api/v1/pause  /api/v1/resume     with the token of a file; never from a browser page of another origin
 */
#ifndef OD_DAEMON_LISTENER_H
#define OD_DAEMON_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/sources.h"
#include "orderly/orderly.h"

/* All borrowed while the listener lives. */
struct od_listener_options {
    const char *listen; /* host:port or unix:/path */
    bool port_moves;    /* the default port: take the next free one */
    unsigned max_connections;
    struct orderly *orderly;
    struct od_sources *sources;
    const struct orderly_config *config; /* its limits are shown */
    const char *group;
    int64_t started_ms; /* Unix milliseconds */
    void (*drain)(const char *who, void *userdata);
    void *userdata;
};

struct od_listener;

/* Listens from now on, on threads of its own. Errors: CONFIG (the address), LIMIT. */
enum orderly_err od_listener_start(const struct od_listener_options *, struct od_listener **ret,
                                   struct orderly_error *);
/* NULL is fine. Removes socket and token file. */
void od_listener_stop(struct od_listener *);
/* The member begins to leave: /readyz says so. */
void od_listener_leaving(struct od_listener *);

#endif
