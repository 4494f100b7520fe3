/* What a running daemon tells of itself: GET /api/v1/status, /readyz. */
#ifndef OD_DAEMON_STATUS_H
#define OD_DAEMON_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/bytes.h"
#include "daemon/sources.h"
#include "orderly/orderly.h"

struct od_status {
    struct orderly *orderly;
    struct od_sources *sources;
    const struct orderly_config *config;
    const char *group;
    int64_t started_ms; /* Unix milliseconds */
    bool leaving;
};

/* Appends one JSON object. False when the library could not tell. */
bool od_status_json(const struct od_status *, struct od_bytes *);
/* Whether records are handled; `why` (text of one line) says why not. */
bool od_status_ready(const struct od_status *, char *why, size_t size);

#endif
