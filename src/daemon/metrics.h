/* Metrics in Prometheus' text format (contracts.md 9). */
#ifndef OD_DAEMON_METRICS_H
#define OD_DAEMON_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/bytes.h"
#include "daemon/handler.h"
#include "orderly/orderly.h"

/* Appends all of them: the library's, the handlers' breakers, what was built. */
void od_metrics_text(struct od_bytes *, const struct orderly_stats *, const struct od_handler_state *handlers,
                     size_t handler_count);

#endif
