/* Messages of the scripted engine. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/block.h"
#include "fake_message.h"
#include "fake_script.h"

static atomic_size_t alive;

struct od_message {
    int32_t partition;
    int64_t offset, timestamp_ms;
    char key[24], value[24], identity[48];
    bool has_key;
    size_t size;
    _Alignas(OD_BLOCK_STEP) char room[];
};

struct od_message *fake_message_make(size_t room, int32_t partition, int64_t offset, size_t keys)
{
    fake_exempt++;
    size_t size = sizeof(struct od_message) + room;
    struct od_message *message = od_block_new(size);
    fake_exempt--;
    od_assert(message != NULL);
    memset(message, 0, size);
    message->size = size;
    atomic_fetch_add(&alive, 1);
    message->partition = partition;
    message->offset = offset;
    message->timestamp_ms = 1700000000000 + offset;
    snprintf(message->value, sizeof message->value, "v%lld", (long long)offset);
    snprintf(message->identity, sizeof message->identity, "t/%d/%lld", (int)partition, (long long)offset);
    if (keys > 0) {
        message->has_key = true;
        snprintf(message->key, sizeof message->key, "k%lld", (long long)(offset % (int64_t)keys));
    }
    return message;
}

size_t fake_message_count(void)
{
    return atomic_load(&alive);
}

void fake_message_reset(void)
{
    atomic_store(&alive, 0);
}

const char *od_message_topic(const struct od_message *message)
{
    (void)message;
    return "t";
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
    (void)message;
    return 1;
}

struct orderly_bytes od_message_key(const struct od_message *message)
{
    return message->has_key ? (struct orderly_bytes){message->key, strlen(message->key)}
                            : (struct orderly_bytes){NULL, 0};
}

struct orderly_bytes od_message_value(const struct od_message *message)
{
    return (struct orderly_bytes){message->value, strlen(message->value)};
}

size_t od_message_header_count(const struct od_message *message)
{
    (void)message;
    return 1;
}

struct orderly_header od_message_header(const struct od_message *message, size_t i)
{
    (void)message;
    (void)i;
    return (struct orderly_header){"h", {"1", 1}};
}

struct orderly_bytes od_message_header_named(const struct od_message *message, const char *name)
{
    return strcmp(name, "h") == 0 ? od_message_header(message, 0).value : (struct orderly_bytes){NULL, 0};
}

struct od_message_origin od_message_origin(const struct od_message *message)
{
    return (struct od_message_origin){"t", message->partition, message->offset, message->timestamp_ms};
}

uint32_t od_message_attempts(const struct od_message *message)
{
    (void)message;
    return 0;
}

int64_t od_message_due_ms(const struct od_message *message)
{
    (void)message;
    return 0;
}

const char *od_message_idempotency_key(const struct od_message *message)
{
    return message->identity;
}

uint64_t od_message_fence(const struct od_message *message)
{
    (void)message;
    return 7;
}

size_t od_message_size(const struct od_message *message)
{
    (void)message;
    return 100;
}

void *od_message_room(struct od_message *message)
{
    return message->room;
}

struct od_message *od_message_of_room(void *room)
{
    return (struct od_message *)(void *)((char *)room - offsetof(struct od_message, room));
}

void od_message_free(struct od_message *message)
{
    if (message != NULL) {
        od_block_free(message, message->size);
        atomic_fetch_sub(&alive, 1);
    }
}
