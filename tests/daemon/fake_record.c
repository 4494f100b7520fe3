/* Records without a library: see fake_record.h. */
#include "daemon/fake_record.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { HEADERS = 16 };

struct orderly_record {
    char topic[64], read_topic[64], id[128];
    int32_t partition, read_partition;
    int64_t offset, read_offset;
    struct orderly_bytes key, value;
    struct orderly_header headers[HEADERS];
    size_t header_count;
    bool cancelled, no_fd, stale, settled;
    enum orderly_reason reason;
    int64_t left_ms, extended_ms;
    int cancel_fd, references;
    struct fake_settled outcome;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t settled = PTHREAD_COND_INITIALIZER;
static int64_t next_offset = 88121;

static struct orderly_bytes copy(struct orderly_bytes bytes)
{
    char *data = NULL;

    if (bytes.data != NULL) {
        data = malloc(bytes.size + 1);
        assert_non_null(data);
        memcpy(data, bytes.data, bytes.size);
    }
    return (struct orderly_bytes){data, bytes.size};
}

struct orderly_record *fake_record_bytes(struct orderly_bytes key, struct orderly_bytes value)
{
    struct orderly_record *record = calloc(1, sizeof *record);

    assert_non_null(record);
    snprintf(record->topic, sizeof record->topic, "orders");
    snprintf(record->read_topic, sizeof record->read_topic, "orders");
    record->partition = record->read_partition = 3;
    record->offset = record->read_offset = next_offset++;
    snprintf(record->id, sizeof record->id, "orders/3/%lld", (long long)record->offset);
    record->key = copy(key);
    record->value = copy(value);
    record->cancel_fd = -1;
    record->extended_ms = -1;
    return record;
}

static struct orderly_bytes text_bytes(const char *text)
{
    return (struct orderly_bytes){text, text != NULL ? strlen(text) : 0};
}

struct orderly_record *fake_record_new(const char *key, const char *value)
{
    return fake_record_bytes(text_bytes(key), text_bytes(value));
}

void fake_record_header(struct orderly_record *record, const char *name, struct orderly_bytes value)
{
    assert_true(record->header_count < HEADERS);
    record->headers[record->header_count++] = (struct orderly_header){strdup(name), copy(value)};
}

void fake_record_read_from(struct orderly_record *record, const char *topic, int32_t partition, int64_t offset)
{
    snprintf(record->read_topic, sizeof record->read_topic, "%s", topic);
    record->read_partition = partition;
    record->read_offset = offset;
}

void fake_record_key_name(struct orderly_record *record, const char *idempotency_key)
{
    snprintf(record->id, sizeof record->id, "%s", idempotency_key);
}

void fake_record_cancel(struct orderly_record *record, enum orderly_reason reason, int64_t left_ms)
{
    uint64_t one = 1;

    pthread_mutex_lock(&lock);
    record->cancelled = true;
    record->reason = reason;
    record->left_ms = left_ms;
    if (record->cancel_fd >= 0) {
        assert_int_equal(write(record->cancel_fd, &one, sizeof one), sizeof one);
    }
    pthread_mutex_unlock(&lock);
}

void fake_record_without_fd(struct orderly_record *record)
{
    record->no_fd = true;
}

void fake_record_stale(struct orderly_record *record)
{
    record->stale = true;
}

const struct fake_settled *fake_record_wait(struct orderly_record *record, int seconds)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&lock);
    while ((!record->settled || record->references > 0) && error == 0) {
        error = pthread_cond_timedwait(&settled, &lock, &until);
    }
    pthread_mutex_unlock(&lock);
    if (error != 0) {
        fail_msg("record %lld was not settled within %d s", (long long)record->offset, seconds);
    }
    return &record->outcome;
}

bool fake_record_is_settled(struct orderly_record *record)
{
    bool is;

    pthread_mutex_lock(&lock);
    is = record->settled;
    pthread_mutex_unlock(&lock);
    return is;
}

int fake_record_references(struct orderly_record *record)
{
    int count;

    pthread_mutex_lock(&lock);
    count = record->references;
    pthread_mutex_unlock(&lock);
    return count;
}

int64_t fake_record_extended(struct orderly_record *record)
{
    int64_t extended_ms;

    pthread_mutex_lock(&lock);
    extended_ms = record->extended_ms;
    pthread_mutex_unlock(&lock);
    return extended_ms;
}

static void free_bytes(struct orderly_bytes bytes)
{
    free((void *)(uintptr_t)bytes.data);
}

void fake_record_free(struct orderly_record *record)
{
    if (record->cancel_fd >= 0) {
        close(record->cancel_fd);
    }
    for (size_t i = 0; i < record->header_count; i++) {
        free((void *)(uintptr_t)record->headers[i].name);
        free_bytes(record->headers[i].value);
    }
    free_bytes(record->key);
    free_bytes(record->value);
    free(record);
}

/* ---- The library's functions -------------------------------------------------------------------------- */

enum orderly_err orderly_settle(struct orderly_record *record, const struct orderly_settlement *settlement)
{
    enum orderly_err err = ORDERLY_OK;

    pthread_mutex_lock(&lock);
    if (record->settled || settlement->outcome == ORDERLY_UNSET || settlement->outcome == ORDERLY_PENDING) {
        err = ORDERLY_INVALID;
    } else {
        record->settled = true;
        record->outcome.outcome = settlement->outcome;
        record->outcome.delay_ms = settlement->delay_ms;
        snprintf(record->outcome.error_class, sizeof record->outcome.error_class, "%s",
                 settlement->error_class != NULL ? settlement->error_class : "");
        snprintf(record->outcome.text, sizeof record->outcome.text, "%s",
                 settlement->error_text != NULL ? settlement->error_text : "");
        err = record->stale ? ORDERLY_STALE : ORDERLY_OK;
        pthread_cond_broadcast(&settled);
    }
    pthread_mutex_unlock(&lock);
    return err;
}

enum orderly_err orderly_record_view(struct orderly_record *record, struct orderly_record_view *ret)
{
    ret->topic = record->read_topic;
    ret->partition = record->read_partition;
    ret->offset = record->read_offset;
    ret->timestamp_ms = INT64_C(1767225600123);
    ret->key = record->key;
    ret->value = record->value;
    ret->header_count = record->header_count;
    ret->leader_epoch = 7;
    ret->attempt = 2;
    ret->due_ms = 0;
    ret->origin_topic = record->topic;
    ret->origin_partition = record->partition;
    ret->origin_offset = record->offset;
    ret->origin_timestamp_ms = INT64_C(1767225600123);
    ret->idempotency_key = record->id;
    ret->fence = 41;
    return ORDERLY_OK;
}

const char *orderly_record_topic(const struct orderly_record *record)
{
    return record->read_topic;
}

int32_t orderly_record_partition(const struct orderly_record *record)
{
    return record->read_partition;
}

int64_t orderly_record_offset(const struct orderly_record *record)
{
    return record->read_offset;
}

const char *orderly_record_origin_topic(const struct orderly_record *record)
{
    return record->topic;
}

enum orderly_err orderly_record_set_error(struct orderly_record *record, const char *error_class, const char *text)
{
    snprintf(record->outcome.error_class, sizeof record->outcome.error_class, "%s", error_class);
    snprintf(record->outcome.text, sizeof record->outcome.text, "%s", text);
    return ORDERLY_OK;
}

struct orderly_bytes orderly_record_value(const struct orderly_record *record)
{
    return record->value;
}

const char *orderly_record_idempotency_key(const struct orderly_record *record)
{
    return record->id;
}

struct orderly_header orderly_record_header(struct orderly_record *record, size_t i)
{
    return i < record->header_count ? record->headers[i] : (struct orderly_header){NULL, {NULL, 0}};
}

struct orderly_bytes orderly_record_header_named(struct orderly_record *record, const char *name)
{
    for (size_t i = record->header_count; i > 0; i--) {
        if (strcmp(record->headers[i - 1].name, name) == 0) {
            return record->headers[i - 1].value;
        }
    }
    return (struct orderly_bytes){NULL, 0};
}

bool orderly_record_cancelled(const struct orderly_record *record, enum orderly_reason *ret_reason,
                              int64_t *ret_left_ms)
{
    bool cancelled;

    pthread_mutex_lock(&lock);
    cancelled = record->cancelled;
    if (ret_reason != NULL) {
        *ret_reason = record->reason;
    }
    if (ret_left_ms != NULL) {
        *ret_left_ms = record->left_ms;
    }
    pthread_mutex_unlock(&lock);
    return cancelled;
}

enum orderly_err orderly_record_cancel_fd(struct orderly_record *record, int *ret_fd)
{
    enum orderly_err err = ORDERLY_OK;

    pthread_mutex_lock(&lock);
    if (record->no_fd) {
        err = ORDERLY_LIMIT;
    } else {
        if (record->cancel_fd < 0) {
            record->cancel_fd = eventfd(record->cancelled, EFD_CLOEXEC | EFD_NONBLOCK);
        }
        *ret_fd = record->cancel_fd;
    }
    pthread_mutex_unlock(&lock);
    return err;
}

enum orderly_err orderly_record_extend(struct orderly_record *record, int64_t ms)
{
    pthread_mutex_lock(&lock);
    record->extended_ms = ms;
    pthread_mutex_unlock(&lock);
    return ORDERLY_OK;
}

struct orderly_record *orderly_record_ref(struct orderly_record *record)
{
    pthread_mutex_lock(&lock);
    record->references++;
    pthread_mutex_unlock(&lock);
    return record;
}

void orderly_record_unref(struct orderly_record *record)
{
    pthread_mutex_lock(&lock);
    record->references--;
    pthread_cond_broadcast(&settled);
    pthread_mutex_unlock(&lock);
}

/* Where the real ones are linked as well, they win. */
__attribute__((weak)) const char *orderly_strerror(enum orderly_err code)
{
    return code == ORDERLY_OK ? "ok" : "an error";
}

__attribute__((weak)) enum orderly_err orderly_config_get(const struct orderly_config *config, const char *name,
                                                          char *buffer, size_t size)
{
    (void)config;
    (void)name;
    (void)buffer;
    (void)size;
    return ORDERLY_CONFIG;
}
