/*
 * Reads partitions without a group: librdkafka's plain consumer, all partitions forwarded to one queue. A partition is over when its
 * end, as found at the start, is reached (what lies there may be a marker of a transaction, that nobody sees: then PARTITION_EOF tells).
 */
#include "kafka/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kafka/inside.h"

struct part {
    int32_t partition;
    int64_t end;
    bool started, over;
};

struct od_scan {
    struct orderly_admin *admin;
    struct od_settings settings;
    struct od_topic topic;
    size_t record_bytes;
    rd_kafka_t *rk;
    rd_kafka_topic_t *handle;
    rd_kafka_queue_t *queue;
    struct part *parts;
    size_t count, left;
};

enum orderly_err od_scan_partitions(struct orderly_admin *admin, const char *topic, int32_t *ret,
                                    struct orderly_error *error)
{
    struct orderly_topic found;
    enum orderly_err err = orderly_admin_topic(admin, topic, &found, error);
    if (err) {
        return err;
    }
    if (!found.exists) {
        return od_fail(error, ORDERLY_UNKNOWN_TOPIC, "topic %s does not exist", topic);
    }
    *ret = found.partitions;
    return ORDERLY_OK;
}

void od_scan_close(struct od_scan *scan)
{
    if (!scan) {
        return;
    }
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->parts[i].started) {
            rd_kafka_consume_stop(scan->handle, scan->parts[i].partition);
        }
    }
    if (scan->queue) {
        rd_kafka_queue_destroy(scan->queue);
    }
    if (scan->handle) {
        rd_kafka_topic_destroy(scan->handle);
    }
    if (scan->rk) {
        rd_kafka_destroy(scan->rk);
    }
    od_settings_fini(&scan->settings);
    free(scan->topic.name);
    free(scan->parts);
    free(scan);
}

static enum orderly_err open_handle(struct od_scan *scan, struct orderly_error *error)
{
    static const char *const ours[][2] = {{"enable.partition.eof", "true"}, {"auto.offset.reset", "earliest"},
                                          {"fetch.wait.max.ms", "50"},      {"queued.max.messages.kbytes", "16384"},
                                          {"fetch.queue.backoff.ms", "10"}, {"client.id", "orderly-reader"}};
    char text[256] = "";
    rd_kafka_conf_t *conf = NULL;
    enum orderly_err err = od_admin_conf(scan->admin, &conf, error);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        rd_kafka_conf_set(conf, ours[i][0], ours[i][1], text, sizeof text);
    }
    scan->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!scan->rk) {
        rd_kafka_conf_destroy(conf);
        return od_fail(error, ORDERLY_CONFIG, "librdkafka refuses the settings: %s", text);
    }
    scan->handle = rd_kafka_topic_new(scan->rk, scan->topic.name, NULL);
    scan->queue = rd_kafka_queue_new(scan->rk);
    return scan->handle && scan->queue ? ORDERLY_OK : od_fail(error, ORDERLY_NOMEM, "out of memory");
}

static enum orderly_err start_part(struct od_scan *scan, const struct od_scan_start *start, struct orderly_error *error)
{
    struct part *part = &scan->parts[scan->count++];
    int64_t low = 0;
    part->partition = start->partition;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(scan->rk, scan->topic.name, part->partition, &low,
                                                                &part->end, (int)scan->admin->timeout_ms);
    if (code) {
        return od_admin_fail(scan->admin, error, code, NULL, "the ends of the topic cannot be read");
    }
    int64_t from = start->from < low ? low : start->from;
    if (from >= part->end) {
        part->over = true;
        return ORDERLY_OK;
    }
    if (rd_kafka_consume_start_queue(scan->handle, part->partition, from, scan->queue)) {
        return od_admin_fail(scan->admin, error, rd_kafka_last_error(), NULL, "the topic cannot be read");
    }
    part->started = true;
    scan->left++;
    return ORDERLY_OK;
}

enum orderly_err od_scan_open(struct orderly_admin *admin, const char *topic, const struct od_scan_start *starts,
                              size_t count, size_t record_bytes, struct od_scan **ret, struct orderly_error *error)
{
    struct od_scan *scan = calloc(1, sizeof *scan);
    if (!scan) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    scan->admin = admin;
    scan->record_bytes = record_bytes;
    scan->topic = (struct od_topic){.name = strdup(topic), .role = OD_ROLE_RETRY};
    scan->parts = calloc(count ? count : 1, sizeof *scan->parts);
    enum orderly_err err = scan->topic.name && scan->parts ? ORDERLY_OK : ORDERLY_NOMEM;
    err = err ? od_fail(error, err, "out of memory") : od_settings_finish(admin->config, &scan->settings, error);
    err = err ? err : open_handle(scan, error);
    for (size_t i = 0; i < count && !err; i++) {
        err = start_part(scan, &starts[i], error);
    }
    if (err) {
        od_scan_close(scan);
        return err;
    }
    *ret = scan;
    return ORDERLY_OK;
}

static struct part *find_part(struct od_scan *scan, int32_t partition)
{
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->parts[i].partition == partition) {
            return &scan->parts[i];
        }
    }
    return NULL;
}

static void end_part(struct od_scan *scan, struct part *part)
{
    if (!part->over) {
        part->over = true;
        scan->left--;
    }
}

/* OK with *ret NULL: nothing for the caller in this one. */
static enum orderly_err take_one(struct od_scan *scan, rd_kafka_message_t *from, struct od_message **ret,
                                 struct orderly_error *error)
{
    struct part *part = find_part(scan, from->partition);
    if (from->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (part) {
            end_part(scan, part);
        }
        return ORDERLY_OK;
    }
    if (from->err) {
        return od_admin_fail(scan->admin, error, from->err, rd_kafka_message_errstr(from), "the topic cannot be read");
    }
    if (!part || part->over) {
        return ORDERLY_OK;
    }
    if (from->offset + 1 >= part->end) {
        end_part(scan, part);
    }
    if (from->offset >= part->end) {
        return ORDERLY_OK;
    }
    struct od_message_context context = {
        .settings = &scan->settings, .topic = &scan->topic, .record_bytes = scan->record_bytes};
    od_message_context_name(&context, from->partition);
    *ret = od_message_make(from, &context);
    return *ret ? ORDERLY_OK : od_fail(error, ORDERLY_NOMEM, "out of memory");
}

enum orderly_err od_scan_take(struct od_scan *scan, int64_t timeout_ms, struct od_message **ret,
                              struct orderly_error *error)
{
    struct od_message *message = NULL;
    while (!message) {
        if (!scan->left) {
            return ORDERLY_CLOSED;
        }
        rd_kafka_message_t *from = rd_kafka_consume_queue(scan->queue, (int)timeout_ms);
        if (!from) {
            return od_admin_fail(scan->admin, error, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, "the topic cannot be read");
        }
        enum orderly_err err = take_one(scan, from, &message, error);
        rd_kafka_message_destroy(from);
        if (err) {
            return err;
        }
    }
    *ret = message;
    return ORDERLY_OK;
}
