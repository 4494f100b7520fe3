/* Records written and waited for. */
#include "kafka/deliver.h"

#include <stdbool.h>
#include <time.h>

static void reported(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    struct od_deliver_count *count = message->_private;
    count->reported++;
    if (message->err) {
        count->failed++;
        count->error = count->error ? count->error : message->err;
    }
}

void od_deliver_conf(rd_kafka_conf_t *conf)
{
    rd_kafka_conf_set_dr_msg_cb(conf, reported);
}

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static rd_kafka_headers_t *make_headers(const struct orderly_header *headers, size_t count)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_header_add(list, headers[i].name, -1, headers[i].value.data, (ssize_t)headers[i].value.size);
    }
    return list;
}

static rd_kafka_resp_err_t send_record(rd_kafka_t *producer, const struct od_deliver *what,
                                       struct od_deliver_count *count)
{
    rd_kafka_headers_t *list = what->header_count ? make_headers(what->headers, what->header_count) : NULL;
    int32_t partition = what->partition < 0 ? RD_KAFKA_PARTITION_UA : what->partition;
    rd_kafka_vu_t parts[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = what->topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)what->key.data, what->key.size}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)what->value.data, what->value.size}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = count},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = list},
    };
    rd_kafka_error_t *refused = rd_kafka_produceva(producer, parts, sizeof parts / sizeof *parts - (list ? 0 : 1));
    rd_kafka_resp_err_t code = rd_kafka_error_code(refused);
    if (refused) {
        rd_kafka_error_destroy(refused);
        if (list) {
            rd_kafka_headers_destroy(list); /* taken only when it succeeds */
        }
    }
    return code;
}

rd_kafka_resp_err_t od_deliver_send(rd_kafka_t *producer, const struct od_deliver *what, struct od_deliver_count *count)
{
    rd_kafka_resp_err_t code = send_record(producer, what, count);
    while (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(producer, 100);
        code = send_record(producer, what, count);
    }
    count->sent += !code;
    return code;
}

rd_kafka_resp_err_t od_deliver_wait(rd_kafka_t *producer, struct od_deliver_count *count, int64_t timeout_ms)
{
    int64_t end = monotonic_ms() + timeout_ms;
    size_t last = count->reported;
    while (count->reported < count->sent) {
        if (monotonic_ms() >= end) {
            rd_kafka_purge(producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        }
        rd_kafka_poll(producer, 100);
        if (count->reported > last) {
            last = count->reported;
            end = monotonic_ms() + timeout_ms;
        }
    }
    bool purged = count->error == RD_KAFKA_RESP_ERR__PURGE_QUEUE || count->error == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    return purged ? RD_KAFKA_RESP_ERR__MSG_TIMED_OUT : count->error;
}

rd_kafka_resp_err_t od_deliver(rd_kafka_t *producer, const struct od_deliver *what, int64_t timeout_ms)
{
    struct od_deliver_count count = {0};
    rd_kafka_resp_err_t code = od_deliver_send(producer, what, &count);
    return code ? code : od_deliver_wait(producer, &count, timeout_ms);
}
