/* One record written and waited for: for tools and tests, not for the engine's copies. */
#ifndef OD_KAFKA_DELIVER_H
#define OD_KAFKA_DELIVER_H

#include <librdkafka/rdkafka.h>

#include "orderly/orderly.h"

struct od_deliver {
    const char *topic;
    int32_t partition; /* -1: by key */
    struct orderly_bytes key, value;
    const struct orderly_header *headers;
    size_t header_count;
};

/* To be set on the configuration of a producer that od_deliver() is used with; it must have message.timeout.ms below the wait. */
void od_deliver_conf(rd_kafka_conf_t *);
/*
 * Produces and waits for the report; serves the producer's queue meanwhile. The report always comes: after timeout_ms the
 * producer is purged. One thread at a time. Thread: the caller's; blocks.
 */
rd_kafka_resp_err_t od_deliver(rd_kafka_t *producer, const struct od_deliver *, int64_t timeout_ms);

#endif
