/*
 * A message: one block of memory with everything in it, copied out of librdkafka's message. That one pins the whole fetch response it came in
 * (megabytes), which a record that runs for hours or waits for its retry must not.
 *
 *     struct od_message | the owner's room | headers | key NUL value NUL names and values NUL ... topic NUL idempotency key NUL
 */
#include "kafka/inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/time_text.h"

struct od_message {
    /* What every handling of it needs, in one line of the processor's cache. */
    struct orderly_bytes key, value;
    int64_t offset, timestamp_ms;
    size_t size;
    int32_t partition, leader_epoch;
    /* What some need. */
    const char *topic, *idempotency_key;
    struct orderly_header *headers;
    struct od_message_origin origin;
    int64_t due_ms, delay_ms;
    uint64_t fence, copy_hash;
    uint32_t header_count, attempts;
    bool trusted, foreign, garbage_due;
};

#define OFFSET_ROOM 21 /* digits, a sign, a NUL */
#define ALIGNMENT sizeof(max_align_t)
#define ALIGN(size) (((size) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT)
/* The owner's room begins with a line of the cache too, as blocks do. */
#define ROOM_AT ((sizeof(struct od_message) + OD_BLOCK_STEP - 1) / OD_BLOCK_STEP * OD_BLOCK_STEP)

const char *od_message_topic(const struct od_message *message)
{
    return message->topic;
}

int32_t od_message_partition(const struct od_message *message)
{
    return message->partition;
}

int64_t od_message_offset(const struct od_message *message)
{
    return message->offset;
}

int64_t od_message_timestamp_ms(const struct od_message *message)
{
    return message->timestamp_ms;
}

int32_t od_message_leader_epoch(const struct od_message *message)
{
    return message->leader_epoch;
}

struct orderly_bytes od_message_key(const struct od_message *message)
{
    return message->key;
}

struct orderly_bytes od_message_value(const struct od_message *message)
{
    return message->value;
}

size_t od_message_header_count(const struct od_message *message)
{
    return message->header_count;
}

struct orderly_header od_message_header(const struct od_message *message, size_t i)
{
    return i < message->header_count ? message->headers[i] : (struct orderly_header){NULL, {NULL, 0}};
}

struct orderly_bytes od_message_header_named(const struct od_message *message, const char *name)
{
    for (size_t i = message->header_count; i > 0; i--) {
        if (strcmp(message->headers[i - 1].name, name) == 0) {
            return message->headers[i - 1].value;
        }
    }
    return (struct orderly_bytes){NULL, 0};
}

struct od_message_origin od_message_origin(const struct od_message *message)
{
    return message->origin;
}

uint32_t od_message_attempts(const struct od_message *message)
{
    return message->attempts;
}

int64_t od_message_due_ms(const struct od_message *message)
{
    return message->due_ms;
}

int64_t od_message_delay_ms(const struct od_message *message)
{
    return message->delay_ms;
}

const char *od_message_idempotency_key(const struct od_message *message)
{
    return message->idempotency_key;
}

uint64_t od_message_fence(const struct od_message *message)
{
    return message->fence;
}

uint64_t od_message_copy_hash(const struct od_message *message)
{
    return message->copy_hash;
}

bool od_message_foreign(const struct od_message *message)
{
    return message->foreign;
}

bool od_message_trusted(const struct od_message *message)
{
    return message->trusted;
}

bool od_message_garbage_due(const struct od_message *message)
{
    return message->garbage_due;
}

size_t od_message_size(const struct od_message *message)
{
    return message->size;
}

void *od_message_room(struct od_message *message)
{
    return (char *)message + ROOM_AT;
}

struct od_message *od_message_of_room(void *room)
{
    return (struct od_message *)(void *)((char *)room - ROOM_AT);
}

void od_message_free(struct od_message *message)
{
    if (message) {
        od_block_free(message, message->size);
    }
}

/* ---- making ------------------------------------------------------------------------------------------------ */

static char *put_text(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    at[size] = '\0';
    return at + size + 1;
}

/* Null stays null, empty stays empty; always ended by a NUL of our own, so that texts in headers can be read as such. */
static char *put_bytes(char *at, const void *data, size_t size, struct orderly_bytes *ret)
{
    if (!data) {
        *ret = (struct orderly_bytes){NULL, 0};
        return at;
    }
    *ret = (struct orderly_bytes){at, size};
    return put_text(at, data, size);
}

static char *put_headers(struct od_message *message, rd_kafka_headers_t *headers, char *at)
{
    for (uint32_t i = 0; i < message->header_count; i++) {
        const char *name = "";
        const void *value = NULL;
        size_t size = 0;
        rd_kafka_header_get_all(headers, i, &name, &value, &size);
        message->headers[i].name = at;
        at = put_text(at, name, strlen(name));
        at = put_bytes(at, value, size, &message->headers[i].value);
    }
    return at;
}

static size_t headers_size(rd_kafka_headers_t *headers, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        const char *name;
        const void *value;
        size_t length;
        if (rd_kafka_header_get_all(headers, i, &name, &value, &length) == RD_KAFKA_RESP_ERR_NO_ERROR) {
            size += strlen(name) + 1 + length + 1;
        }
    }
    return size;
}

static int64_t header_number(const struct od_message *message, const char *name, int64_t low, int64_t otherwise)
{
    struct orderly_bytes value = od_message_header_named(message, name);
    int64_t number = 0;
    return value.data && od_text_to_i64(value.data, low, INT64_MAX, &number) ? number : otherwise;
}

static bool header_is(const struct od_message *message, const char *name, const char *text)
{
    struct orderly_bytes value = od_message_header_named(message, name);
    return value.data && value.size == strlen(text) && memcmp(value.data, text, value.size) == 0;
}

/* When a retry-after header says the record is due; garbage means now and one delay of the policy. */
static void read_due(struct od_message *message, const struct od_message_context *context)
{
    struct orderly_bytes after = od_message_header_named(message, context->settings->retry_header);
    if (!after.data) {
        return;
    }
    if (!od_time_parse(after.data, after.size, message->timestamp_ms, &message->due_ms)) {
        message->garbage_due = true;
        message->due_ms = context->wall_ms + context->settings->backoff_first;
        message->delay_ms = context->settings->backoff_first;
    }
}

/* The headers of a copy of our own group, in one of our retry topics: the only ones that are believed. */
static void read_trusted(struct od_message *message, const struct od_message_context *context)
{
    message->foreign = !header_is(message, "orderly-group", context->settings->group);
    if (message->foreign) {
        return;
    }
    message->trusted = true;
    int64_t attempts = header_number(message, "orderly-attempt", 0, 0);
    message->attempts = attempts > UINT32_MAX ? UINT32_MAX : (uint32_t)attempts;
    message->delay_ms = header_number(message, "orderly-delay-ms", 0, 0);
    read_due(message, context);
    struct orderly_bytes topic = od_message_header_named(message, "orderly-origin-topic");
    if (topic.data) {
        message->origin.topic = topic.data;
        message->origin.partition = (int32_t)header_number(message, "orderly-origin-partition", 0, message->partition);
        message->origin.offset = header_number(message, "orderly-origin-offset", 0, message->offset);
        struct orderly_bytes time = od_message_header_named(message, "orderly-origin-timestamp");
        if (!time.data || !od_time_parse(time.data, time.size, message->timestamp_ms, &message->origin.timestamp_ms)) {
            message->origin.timestamp_ms = message->timestamp_ms;
        }
    }
    struct orderly_bytes key = od_message_header_named(message, "orderly-idempotency-key");
    if (key.data && key.size > 0) {
        message->idempotency_key = key.data;
    }
    uint64_t fence = (uint64_t)header_number(message, "orderly-fence", 0, 0);
    if (fence > message->fence) {
        message->fence = fence;
    }
    struct orderly_bytes copy = od_message_header_named(message, "orderly-copy");
    if (copy.data) {
        message->copy_hash = od_hash_bytes(copy.data, copy.size, 0);
    }
}

void od_message_context_name(struct od_message_context *context, int32_t partition)
{
    const struct od_topic *topic = context->topic;
    struct od_text text;
    od_text_init(&text, context->names, sizeof context->names);
    od_text_add(&text, topic->name);
    context->identity_at = text.count + 1;
    od_text_init(&text, context->names + context->identity_at, sizeof context->names - context->identity_at);
    od_text_add(&text, topic->id[0] ? topic->id : topic->name);
    od_text_add_char(&text, '/');
    od_text_add_i64(&text, partition);
    od_text_add_char(&text, '/');
    context->names_size = context->identity_at + text.count;
}

/* The topic's name and the idempotency key. */
static void put_names(struct od_message *message, const struct od_message_context *context, char *at)
{
    memcpy(at, context->names, context->names_size);
    message->topic = at;
    message->idempotency_key = at + context->identity_at;
    struct od_text text;
    od_text_init(&text, at + context->names_size, OFFSET_ROOM);
    od_text_add_i64(&text, message->offset);
}

struct od_message *od_message_make(const rd_kafka_message_t *from, const struct od_message_context *context)
{
    rd_kafka_headers_t *headers = NULL;
    size_t header_count = 0;
    if (rd_kafka_message_headers(from, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        header_count = rd_kafka_header_cnt(headers);
    }
    size_t headers_at = ROOM_AT + ALIGN(context->record_bytes);
    size_t bytes_at = headers_at + header_count * sizeof(struct orderly_header);
    size_t total = bytes_at + from->key_len + 1 + from->len + 1 + headers_size(headers, header_count) +
                   context->names_size + OFFSET_ROOM;
    struct od_message *message = od_block_new(total);
    if (!message) {
        return NULL;
    }
    memset(message, 0, bytes_at);
    char *at = (char *)message + bytes_at;
    message->size = total;
    message->partition = from->partition;
    message->offset = from->offset;
    message->leader_epoch = rd_kafka_message_leader_epoch(from);
    message->timestamp_ms = rd_kafka_message_timestamp(from, NULL);
    message->headers = (struct orderly_header *)(void *)((char *)message + headers_at);
    message->header_count = (uint32_t)header_count;
    message->fence = context->fence;
    at = put_bytes(at, from->key, from->key_len, &message->key);
    at = put_bytes(at, from->payload, from->len, &message->value);
    at = put_headers(message, headers, at);
    put_names(message, context, at);
    message->origin =
        (struct od_message_origin){message->topic, message->partition, message->offset, message->timestamp_ms};
    if (context->topic->role == OD_ROLE_RETRY) {
        read_trusted(message, context);
    } else if (context->settings->honour_retry_after) {
        read_due(message, context);
    }
    return message;
}
