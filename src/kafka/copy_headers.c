/*
 * Headers of copies. Names that are ours are replaced, never appended, whoever wrote them before; all others keep order, names, bytes, duplicates.
 * Points in time are RFC 3339; nothing here rounds a due time down.
 */
#include "kafka/inside.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/time_text.h"

#define ERROR_TEXT_MAX 1024
#define ERROR_TEXT_HEAD 256 /* of it, from the beginning of a text that is longer */

static const char *const ours[] = {
    "orderly-delay-ms",
    "orderly-attempt",
    "orderly-idempotency-key",
    "orderly-fence",
    "orderly-copy",
    "orderly-origin-topic",
    "orderly-origin-partition",
    "orderly-origin-offset",
    "orderly-origin-timestamp",
    "orderly-group",
    "orderly-first-attempt-at",
    "orderly-last-attempt-at",
    "orderly-error-class",
    "orderly-error",
    "orderly-replays",
};

struct writing {
    const struct od_settings *settings;
    const struct od_copy_request *request;
    const struct od_message *message;
    rd_kafka_headers_t *headers;
};

/* A dead letter carries no new due time; one that another program wrote stays. */
static bool replaces_due(const struct writing *writing)
{
    return writing->request->kind != OD_COPY_DEAD_LETTER || od_message_trusted(writing->message);
}

static bool replaced(const struct writing *writing, const char *name)
{
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (strcmp(name, ours[i]) == 0) {
            return true;
        }
    }
    return strcmp(name, writing->settings->retry_header) == 0 && replaces_due(writing);
}

static void add(struct writing *writing, const char *name, const void *value, size_t size)
{
    rd_kafka_header_add(writing->headers, name, -1, value, (ssize_t)size);
}

static void add_text(struct writing *writing, const char *name, const char *value)
{
    add(writing, name, value, strlen(value));
}

static void add_number(struct writing *writing, const char *name, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    add_text(writing, name, text);
}

static void add_time(struct writing *writing, const char *name, int64_t unix_ms)
{
    char text[OD_TIME_TEXT_SIZE];
    od_time_format(unix_ms, text);
    add_text(writing, name, text);
}

/* A header of ours that the record already carries, if it may be believed. */
static bool keep(struct writing *writing, const char *name)
{
    struct orderly_bytes value = od_message_trusted(writing->message) ? od_message_header_named(writing->message, name)
                                                                      : (struct orderly_bytes){NULL, 0};
    if (value.data) {
        add(writing, name, value.data, value.size);
    }
    return value.data != NULL;
}

static void add_foreign(struct writing *writing)
{
    for (size_t i = 0; i < od_message_header_count(writing->message); i++) {
        struct orderly_header header = od_message_header(writing->message, i);
        if (!replaced(writing, header.name)) {
            rd_kafka_header_add(writing->headers, header.name, -1, header.value.data, (ssize_t)header.value.size);
        }
    }
}

static void add_origin(struct writing *writing)
{
    struct od_message_origin origin = od_message_origin(writing->message);
    add_text(writing, "orderly-origin-topic", origin.topic);
    add_number(writing, "orderly-origin-partition", origin.partition);
    add_number(writing, "orderly-origin-offset", origin.offset);
    add_time(writing, "orderly-origin-timestamp", origin.timestamp_ms);
}

/*
 * What a second copy of the same record is known by. A relief copy stands for one place in the retry topic, which the copy it replaces is at: it needs
 * a value of its own, or it would be taken for the duplicate of what it replaces.
 */
static void add_identity(struct writing *writing)
{
    char text[512];
    const struct od_message *message = writing->message;
    const char *key = od_message_idempotency_key(message);
    if (writing->request->kind == OD_COPY_RELIEF) {
        snprintf(text, sizeof text, "%.300s#%u@%d/%lld", key, (unsigned)writing->request->attempts,
                 (int)od_message_partition(message), (long long)od_message_offset(message));
    } else {
        snprintf(text, sizeof text, "%.300s#%u", key, (unsigned)writing->request->attempts);
    }
    add_text(writing, "orderly-idempotency-key", key);
    add_number(writing, "orderly-fence", (int64_t)od_message_fence(message));
    add_text(writing, "orderly-copy", text);
}

static void add_attempts(struct writing *writing)
{
    const struct od_copy_request *request = writing->request;
    add_number(writing, "orderly-attempt", request->attempts);
    if (request->last_attempt_ms > 0) {
        if (!keep(writing, "orderly-first-attempt-at")) {
            add_time(writing, "orderly-first-attempt-at",
                     request->first_attempt_ms > 0 ? request->first_attempt_ms : request->last_attempt_ms);
        }
        add_time(writing, "orderly-last-attempt-at", request->last_attempt_ms);
    } else {
        keep(writing, "orderly-first-attempt-at");
        keep(writing, "orderly-last-attempt-at");
    }
}

/* The longest part of a text within `max` bytes that does not cut a UTF-8 character. */
static size_t cut(const char *text, size_t max)
{
    size_t size = strlen(text);
    if (size <= max) {
        return size;
    }
    for (size = max; size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80; size--) {
    }
    return size;
}

/*
 * What a program prints last says what went wrong, what it was asked begins the text: of one that is too long both ends stay. The
 * result has its size, and is `buffer` or the text.
 */
static struct orderly_bytes shorten(const char *text, char buffer[ERROR_TEXT_MAX])
{
    static const char gap[] = " ... ";
    size_t size = strlen(text);
    if (size <= ERROR_TEXT_MAX) {
        return (struct orderly_bytes){text, size};
    }
    size_t head = cut(text, ERROR_TEXT_HEAD);
    size_t from = size - (ERROR_TEXT_MAX - head - (sizeof gap - 1));
    while (((unsigned char)text[from] & 0xc0) == 0x80) {
        from++; /* begin with a whole character */
    }
    memcpy(buffer, text, head);
    memcpy(buffer + head, gap, sizeof gap - 1);
    memcpy(buffer + head + sizeof gap - 1, text + from, size - from);
    return (struct orderly_bytes){buffer, head + sizeof gap - 1 + size - from};
}

static void add_shortened(struct writing *writing, const char *name, const char *text)
{
    char buffer[ERROR_TEXT_MAX];
    struct orderly_bytes value = shorten(text, buffer);
    add(writing, name, value.data, value.size);
}

static void add_error(struct writing *writing)
{
    const struct od_copy_request *request = writing->request;
    const char *class =
        request->form == OD_FORM_REFERENCE && !request->error_class ? "too-large" : request->error_class;
    if (class && class[0]) {
        add(writing, "orderly-error-class", class, cut(class, 256));
    } else if (request->kind == OD_COPY_RELIEF) {
        keep(writing, "orderly-error-class");
    }
    if (request->form != OD_FORM_WHOLE) {
        return;
    }
    if (request->error_text && request->error_text[0]) {
        add_shortened(writing, "orderly-error", request->error_text);
    } else if (request->kind == OD_COPY_RELIEF) {
        keep(writing, "orderly-error");
    }
}

static bool wants(const struct od_settings *settings, const char *set)
{
    for (size_t i = 0; i < settings->dead_letter_headers.count; i++) {
        if (strcmp(settings->dead_letter_headers.items[i], set) == 0) {
            return true;
        }
    }
    return false;
}

/* The sets that Kafka Connect and Spring write, for consoles and replayers that know those. */
static void add_other_sets(struct writing *writing)
{
    struct od_message_origin origin = od_message_origin(writing->message);
    const char *text = writing->request->error_text ? writing->request->error_text : "";
    const char *class = writing->request->error_class ? writing->request->error_class : "";
    if (wants(writing->settings, "kafka")) {
        add_text(writing, "__dlq.errors.topic", origin.topic);
        add_number(writing, "__dlq.errors.partition", origin.partition);
        add_number(writing, "__dlq.errors.offset", origin.offset);
        add_text(writing, "__dlq.errors.exception.class.name", class);
        add_shortened(writing, "__dlq.errors.exception.message", text);
    }
    if (wants(writing->settings, "spring")) {
        unsigned char number[8];
        add_text(writing, "kafka_dlt-original-topic", origin.topic);
        for (int i = 0; i < 4; i++) {
            number[i] = (unsigned char)((uint32_t)origin.partition >> (24 - 8 * i));
        }
        add(writing, "kafka_dlt-original-partition", number, 4);
        for (int i = 0; i < 8; i++) {
            number[i] = (unsigned char)((uint64_t)origin.offset >> (56 - 8 * i));
        }
        add(writing, "kafka_dlt-original-offset", number, 8);
        for (int i = 0; i < 8; i++) {
            number[i] = (unsigned char)((uint64_t)origin.timestamp_ms >> (56 - 8 * i));
        }
        add(writing, "kafka_dlt-original-timestamp", number, 8);
        add_text(writing, "kafka_dlt-exception-fqcn", class);
        add_shortened(writing, "kafka_dlt-exception-message", text);
    }
}

rd_kafka_headers_t *od_copy_headers(const struct od_settings *settings, const struct od_copy_request *request)
{
    struct writing writing = {settings, request, request->message,
                              rd_kafka_headers_new(od_message_header_count(request->message) + 20)};
    add_foreign(&writing);
    if (request->kind != OD_COPY_DEAD_LETTER) {
        if (request->due_ms > 0) {
            add_time(&writing, settings->retry_header, request->due_ms);
        }
        add_number(&writing, "orderly-delay-ms", request->delay_ms > 0 ? request->delay_ms : 0);
    }
    add_attempts(&writing);
    add_identity(&writing);
    add_origin(&writing);
    add_text(&writing, "orderly-group", settings->group);
    add_error(&writing);
    keep(&writing, "orderly-replays");
    if (request->kind == OD_COPY_DEAD_LETTER) {
        add_other_sets(&writing);
    }
    return writing.headers;
}
