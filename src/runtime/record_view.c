/* What a record says about itself. NULL is answered with nothing. */
#include <string.h>

#include "runtime/member.h"
#include "runtime/record.h"

static const struct orderly_bytes no_bytes;

const char *orderly_record_topic(const struct orderly_record *record)
{
    return record != NULL ? od_message_topic(od_record_message(record)) : NULL;
}

int32_t orderly_record_partition(const struct orderly_record *record)
{
    return record != NULL ? od_message_partition(od_record_message(record)) : -1;
}

int64_t orderly_record_offset(const struct orderly_record *record)
{
    return record != NULL ? od_message_offset(od_record_message(record)) : -1;
}

int64_t orderly_record_timestamp_ms(const struct orderly_record *record)
{
    return record != NULL ? od_message_timestamp_ms(od_record_message(record)) : -1;
}

struct orderly_bytes orderly_record_key(const struct orderly_record *record)
{
    return record != NULL ? od_message_key(od_record_message(record)) : no_bytes;
}

struct orderly_bytes orderly_record_value(const struct orderly_record *record)
{
    return record != NULL ? od_message_value(od_record_message(record)) : no_bytes;
}

size_t orderly_record_header_count(struct orderly_record *record)
{
    return record != NULL ? od_message_header_count(od_record_message(record)) : 0;
}

struct orderly_header orderly_record_header(struct orderly_record *record, size_t i)
{
    if (i >= orderly_record_header_count(record)) {
        return (struct orderly_header){NULL, no_bytes};
    }
    return od_message_header(od_record_message(record), i);
}

struct orderly_bytes orderly_record_header_named(struct orderly_record *record, const char *name)
{
    if (record == NULL || name == NULL) {
        return no_bytes;
    }
    return od_message_header_named(od_record_message(record), name);
}

int32_t orderly_record_leader_epoch(const struct orderly_record *record)
{
    return record != NULL ? od_message_leader_epoch(od_record_message(record)) : -1;
}

/* A record without a group has no run: its headers say how many there were. */
uint32_t orderly_record_attempt(const struct orderly_record *record)
{
    if (record == NULL) {
        return 0;
    }
    od_record_check(record);
    return record->attempt != 0 ? record->attempt : od_message_attempts(od_record_message(record));
}

int64_t orderly_record_due_ms(const struct orderly_record *record)
{
    return record != NULL ? od_message_due_ms(od_record_message(record)) : 0;
}

const char *orderly_record_origin_topic(const struct orderly_record *record)
{
    return record != NULL ? od_message_origin(od_record_message(record)).topic : NULL;
}

int32_t orderly_record_origin_partition(const struct orderly_record *record)
{
    return record != NULL ? od_message_origin(od_record_message(record)).partition : -1;
}

int64_t orderly_record_origin_offset(const struct orderly_record *record)
{
    return record != NULL ? od_message_origin(od_record_message(record)).offset : -1;
}

int64_t orderly_record_origin_timestamp_ms(const struct orderly_record *record)
{
    return record != NULL ? od_message_origin(od_record_message(record)).timestamp_ms : -1;
}

const char *orderly_record_idempotency_key(const struct orderly_record *record)
{
    return record != NULL ? od_message_idempotency_key(od_record_message(record)) : NULL;
}

uint64_t orderly_record_fence(const struct orderly_record *record)
{
    return record != NULL ? od_message_fence(od_record_message(record)) : 0;
}

enum orderly_err orderly_record_view(struct orderly_record *record, struct orderly_record_view *ret)
{
    if (record == NULL || ret == NULL || ret->size < sizeof(size_t)) {
        return ORDERLY_INVALID;
    }
    const struct od_message *message = od_record_message(record);
    struct od_message_origin origin = od_message_origin(message);
    struct orderly_record_view view = {.size = ret->size,
                                       .topic = od_message_topic(message),
                                       .partition = od_message_partition(message),
                                       .offset = od_message_offset(message),
                                       .timestamp_ms = od_message_timestamp_ms(message),
                                       .key = od_message_key(message),
                                       .value = od_message_value(message),
                                       .header_count = od_message_header_count(message),
                                       .leader_epoch = od_message_leader_epoch(message),
                                       .attempt = orderly_record_attempt(record),
                                       .due_ms = od_message_due_ms(message),
                                       .origin_topic = origin.topic,
                                       .origin_partition = origin.partition,
                                       .origin_offset = origin.offset,
                                       .origin_timestamp_ms = origin.timestamp_ms,
                                       .idempotency_key = od_message_idempotency_key(message),
                                       .fence = od_message_fence(message)};
    memcpy(ret, &view, ret->size < sizeof view ? ret->size : sizeof view);
    return ORDERLY_OK;
}
