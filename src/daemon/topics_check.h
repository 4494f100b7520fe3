/* Before the run: whether the topics exist that the configuration needs, and are as they have to be (design.md 5). */
#ifndef OD_DAEMON_TOPICS_CHECK_H
#define OD_DAEMON_TOPICS_CHECK_H

#include <stdbool.h>

#include "orderly/admin.h"
#include "orderly/orderly.h"

/*
 * Looks, with `create` creates the missing retry and dead-letter topics; the first thing that is wrong is the error, others
 * go to the log. Errors: KAFKA, TIMEOUT (no broker), CONFIG and UNKNOWN_TOPIC (something is wrong), AUTH.
 */
enum orderly_err od_topics_check(struct orderly_admin *, bool create, struct orderly_error *);

#endif
