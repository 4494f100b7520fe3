/* Hashes of bytes that tell null from empty, for programs that compare records without keeping them. */
#ifndef TEST_COMMON_BYTES_H
#define TEST_COMMON_BYTES_H

#include <stddef.h>
#include <stdint.h>

#define TEST_HASH_START UINT64_C(14695981039346656037)

/* FNV-1a over more bytes; data NULL counts as Kafka's null. */
uint64_t test_hash(uint64_t hash, const void *data, size_t size);
/* Monotonic and wall time, microseconds. */
int64_t test_now_us(void);
int64_t test_wall_us(void);

#endif
