/* Records written and waited for: for tools and tests, not for the engine's copies. */
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

/* What delivery reports add up to. Zeroed, it waits for nothing. */
struct od_deliver_count {
    size_t sent, reported, failed;
    rd_kafka_resp_err_t error; /* the first one */
};

/* To be set on the configuration of a producer that is used with the following. */
void od_deliver_conf(rd_kafka_conf_t *);
/* Queues one record; `count` lives until its report has come. Waits while the producer's queue is full. */
rd_kafka_resp_err_t od_deliver_send(rd_kafka_t *producer, const struct od_deliver *, struct od_deliver_count *);
/*
 * Waits for all reports of `count`, serving the producer's queue; the first error. They always come: after timeout_ms without any the
 * producer is purged. One thread at a time.
 */
rd_kafka_resp_err_t od_deliver_wait(rd_kafka_t *producer, struct od_deliver_count *, int64_t timeout_ms);
/* One record, written and waited for. */
rd_kafka_resp_err_t od_deliver(rd_kafka_t *producer, const struct od_deliver *, int64_t timeout_ms);

#endif
