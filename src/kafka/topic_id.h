/* The hash of a topic id that travels in offset maps: one place, so that all who read or write a map agree. */
#ifndef OD_KAFKA_TOPIC_ID_H
#define OD_KAFKA_TOPIC_ID_H

#include "base/hash.h"

/* Of the id as librdkafka prints it (rd_kafka_Uuid_base64str); 0 where the broker gives none (NULL or ""). */
static inline uint64_t od_topic_id_hash(const char *base64)
{
    if (!base64 || !*base64) {
        return 0;
    }
    uint64_t hash = od_hash_text(base64);
    return hash ? hash : 1;
}

#endif
