/*
 * <orderly/testing.h>: an embedded Kafka broker (librdkafka's mock cluster) for tests: in memory, on loopback, gone with the process.
 * Never for data.
 *
 * A member of a group needs the group's retry and dead-letter topics there too (TOPIC.GROUP.retry, TOPIC.GROUP.dlt). With the classic group
 * protocol this broker takes the session timeout for each rebalance: set kafka.group.protocol=consumer, which takes a fifth of a second.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ORDERLY_TESTING_H
#define ORDERLY_TESTING_H

#include "orderly/orderly.h"

#ifdef __cplusplus
extern "C" {
#endif

struct orderly_broker;

/* Kafka requests that can be made to fail. */
enum orderly_request {
    ORDERLY_REQUEST_PRODUCE = 0,
    ORDERLY_REQUEST_FETCH = 1,
    ORDERLY_REQUEST_LIST_OFFSETS = 2,
    ORDERLY_REQUEST_METADATA = 3,
    ORDERLY_REQUEST_OFFSET_COMMIT = 8,
    ORDERLY_REQUEST_OFFSET_FETCH = 9,
    ORDERLY_REQUEST_FIND_COORDINATOR = 10,
    ORDERLY_REQUEST_JOIN_GROUP = 11,
    ORDERLY_REQUEST_HEARTBEAT = 12,
    ORDERLY_REQUEST_SYNC_GROUP = 14
};

/* Starts `brokers` (1 to 16) on loopback ports. The caller frees it. Errors: NOMEM, INVALID, KAFKA. */
ORDERLY_CHECKED enum orderly_err orderly_broker_new(int brokers, struct orderly_broker **ret,
                                                    struct orderly_error *error);
/* The value for kafka.bootstrap.servers; borrowed. */
ORDERLY_API const char *orderly_broker_bootstrap(const struct orderly_broker *);
/* Errors: INVALID, KAFKA. */
ORDERLY_CHECKED enum orderly_err orderly_broker_create_topic(struct orderly_broker *, const char *topic,
                                                             int partitions);
/* Writes one record and waits until it is stored. partition -1: by key. Errors: KAFKA, TIMEOUT. */
ORDERLY_CHECKED enum orderly_err orderly_broker_produce(struct orderly_broker *, const char *topic, int32_t partition,
                                                        struct orderly_bytes key, struct orderly_bytes value,
                                                        const struct orderly_header *headers, size_t header_count);
/* The next `times` requests of this kind fail with this Kafka error code (-195: the connection drops). */
ORDERLY_CHECKED enum orderly_err orderly_broker_fail(struct orderly_broker *, enum orderly_request, int kafka_error,
                                                     int times);
/* Listens on this loopback port too, and names it to clients (one broker only). Errors: INVALID, KAFKA (the port is taken). */
ORDERLY_CHECKED enum orderly_err orderly_broker_listen(struct orderly_broker *, uint16_t port,
                                                       struct orderly_error *error);
/* Broker 1.. goes away / comes back. */
ORDERLY_CHECKED enum orderly_err orderly_broker_down(struct orderly_broker *, int broker);
ORDERLY_CHECKED enum orderly_err orderly_broker_up(struct orderly_broker *, int broker);
/* NULL is fine. */
ORDERLY_API void orderly_broker_free(struct orderly_broker *);

/* Calls `done(userdata)` until it is true or the deadline passes; false then. For events that no callback tells. */
ORDERLY_API bool orderly_wait_until(bool (*done)(void *userdata), void *userdata, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
