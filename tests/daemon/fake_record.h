/* Records without a library: what a handler sees of one, and what it settled. */
#ifndef TESTS_DAEMON_FAKE_RECORD_H
#define TESTS_DAEMON_FAKE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

struct fake_settled {
    enum orderly_outcome outcome;
    int64_t delay_ms;
    char error_class[128], text[4096];
};

/* Key and value NULL: Kafka's null. Each record is another offset of topic "orders", partition 3. */
struct orderly_record *fake_record_new(const char *key, const char *value);
struct orderly_record *fake_record_bytes(struct orderly_bytes key, struct orderly_bytes value);
void fake_record_header(struct orderly_record *, const char *name, struct orderly_bytes value);
/* Where it was read, when that is not its origin. */
void fake_record_read_from(struct orderly_record *, const char *topic, int32_t partition, int64_t offset);
void fake_record_key_name(struct orderly_record *, const char *idempotency_key);
void fake_record_cancel(struct orderly_record *, enum orderly_reason, int64_t left_ms);
/* No descriptor for a cancel: it has to be asked for. */
void fake_record_without_fd(struct orderly_record *);
/* Settling says that the partition has gone. */
void fake_record_stale(struct orderly_record *);
/* Waits until it is settled and nobody holds a reference; fails the test after `seconds`. The text stays valid until the record is freed. */
const struct fake_settled *fake_record_wait(struct orderly_record *, int seconds);
bool fake_record_is_settled(struct orderly_record *);
/* References that handlers hold. */
int fake_record_references(struct orderly_record *);
int64_t fake_record_extended(struct orderly_record *); /* the last orderly_record_extend; -1: none */
void fake_record_free(struct orderly_record *);

#endif
