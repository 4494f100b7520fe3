/*
 * Moves records out of a topic: reads what a group has not done yet, writes copies elsewhere, and remembers what was done in the offsets
 * and offset maps of that group, in one transaction with the copies. So a move that was interrupted goes on where it ended, and no record is
 * moved twice. The embedded broker keeps no metadata in transactions: there, copies and offsets are written one after the other.
 * Thread: one; blocks.
 */
#ifndef OD_KAFKA_MOVER_H
#define OD_KAFKA_MOVER_H

#include "kafka/admin.h"
#include "kafka/deliver.h"
#include "kafka/message.h"

struct od_mover;

enum orderly_err od_mover_open(struct orderly_admin *, const char *group, const char *topic, size_t record_bytes,
                               struct od_mover **ret, struct orderly_error *);
/* The next record that is not done, the caller's. Errors: CLOSED (the end), TIMEOUT, KAFKA, NOMEM. */
enum orderly_err od_mover_take(struct od_mover *, struct od_message **ret, struct orderly_error *);
/* Writes a copy, durable with the next commit. */
enum orderly_err od_mover_copy(struct od_mover *, const struct od_deliver *, struct orderly_error *);
/* It is done, with the next commit. */
enum orderly_err od_mover_done(struct od_mover *, const struct od_message *, struct orderly_error *);
/* Makes copies and offsets durable. LIMIT: too many gaps between what is done (says what to do); what was moved so far counts. */
enum orderly_err od_mover_commit(struct od_mover *, struct orderly_error *);
/* What was not committed has not happened. NULL is fine. */
void od_mover_close(struct od_mover *);

#endif
