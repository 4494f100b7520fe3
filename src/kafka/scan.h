/* Reads partitions without a group, from offsets up to the ends found when it is opened: for tools. Thread: one; blocks. */
#ifndef OD_KAFKA_SCAN_H
#define OD_KAFKA_SCAN_H

#include "kafka/admin.h"
#include "kafka/message.h"

struct od_scan;

/* Where a partition is read from; below the log's start (-2 too): from there. */
struct od_scan_start {
    int32_t partition;
    int64_t from;
};

/* `record_bytes`: the room that each message has for its owner. `admin` is borrowed for the scan's life. */
enum orderly_err od_scan_open(struct orderly_admin *, const char *topic, const struct od_scan_start *, size_t count,
                              size_t record_bytes, struct od_scan **ret, struct orderly_error *);
/* The next message, the caller's. Errors: CLOSED (the end), TIMEOUT, KAFKA, NOMEM. */
enum orderly_err od_scan_take(struct od_scan *, int64_t timeout_ms, struct od_message **ret, struct orderly_error *);
/* NULL is fine. */
void od_scan_close(struct od_scan *);

/* The number of partitions of a topic. Errors: UNKNOWN_TOPIC and those of looking. */
enum orderly_err od_scan_partitions(struct orderly_admin *, const char *topic, int32_t *ret, struct orderly_error *);

#endif
