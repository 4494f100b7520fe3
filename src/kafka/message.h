/*
 * A message: the bytes of one record and where they came from, whoever holds them (librdkafka's message, or a copy of our own).
 *
 * Thread: any; a message is read-only after it was made, except header parsing (once, under its own lock-free once) and its room, which is
 * its owner's. It is freed once, by its owner, from any thread.
 */
#ifndef OD_KAFKA_MESSAGE_H
#define OD_KAFKA_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

struct od_message;

struct od_message_origin {
    const char *topic;
    int32_t partition;
    int64_t offset, timestamp_ms;
};

const char *od_message_topic(const struct od_message *);
int32_t od_message_partition(const struct od_message *);
int64_t od_message_offset(const struct od_message *);
int64_t od_message_timestamp_ms(const struct od_message *);
int32_t od_message_leader_epoch(const struct od_message *);
struct orderly_bytes od_message_key(const struct od_message *);
struct orderly_bytes od_message_value(const struct od_message *);
size_t od_message_header_count(const struct od_message *);
struct orderly_header od_message_header(const struct od_message *, size_t i);
struct orderly_bytes od_message_header_named(const struct od_message *, const char *name); /* the last one */
/* From orderly's headers where the message is a trusted copy; else the message itself. */
struct od_message_origin od_message_origin(const struct od_message *);
uint32_t od_message_attempts(const struct od_message *); /* spent before this run */
int64_t od_message_due_ms(const struct od_message *);    /* 0: none */
const char *od_message_idempotency_key(const struct od_message *);
uint64_t od_message_fence(const struct od_message *);
/* Bytes it occupies while held. */
size_t od_message_size(const struct od_message *);
/* The owner's own room, `record_bytes` of the sink, zeroed, aligned for any type. */
void *od_message_room(struct od_message *);
/* The message of that room. */
struct od_message *od_message_of_room(void *room);
void od_message_free(struct od_message *);

#endif
