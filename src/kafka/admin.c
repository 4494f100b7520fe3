/* The handle of the admin face: made, asked, waited for; and the sentences for what goes wrong. */
#include "kafka/admin.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "kafka/deliver.h"

/* Properties of group members; on this handle they would only raise warnings. */
static const char *const consumer_only[] = {
    "group.",    "session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms", "partition.assignment.strategy",
    "fetch.",    "queued.m",           "isolation.level",       "auto.offset.reset",    "enable.partition.eof",
    "check.crcs"};

const char *od_admin_text(const struct orderly_admin *admin, const char *name)
{
    const char *text = od_config_text(admin->config, name);
    return text ? text : "";
}

void od_admin_put(char *field, size_t size, const char *text)
{
    snprintf(field, size, "%s", text ? text : "");
}

void od_admin_say(char *field, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(field, size, format, list);
    va_end(list);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    (void)code;
    struct orderly_admin *admin = opaque;
    pthread_mutex_lock(&admin->lock);
    od_admin_put(admin->why, sizeof admin->why, reason);
    pthread_mutex_unlock(&admin->lock);
}

static bool for_consumers(const char *name)
{
    for (size_t i = 0; i < sizeof consumer_only / sizeof *consumer_only; i++) {
        if (od_text_starts(name, consumer_only[i])) {
            return true;
        }
    }
    return false;
}

enum orderly_err od_admin_conf(struct orderly_admin *admin, rd_kafka_conf_t **ret, struct orderly_error *error)
{
    static const char *const ours[][2] = {{"client.id", "orderly-admin"},
                                          {"log_level", "0"},
                                          {"allow.auto.create.topics", "false"},
                                          {"enable.metrics.push", "false"},
                                          {"socket.nagle.disable", "true"},
                                          {"enable.idempotence", "true"},
                                          {"linger.ms", "0"},
                                          {"partitioner", "murmur2_random"},
                                          {"message.max.bytes", "1000000000"},
                                          {"reconnect.backoff.max.ms", "1000"}};
    char text[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        rd_kafka_conf_set(conf, ours[i][0], ours[i][1], text, sizeof text);
    }
    const char *name, *value;
    for (size_t i = 0; od_config_property(admin->config, i, &name, &value); i++) {
        if (for_consumers(name)) {
            continue;
        }
        if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            return od_fail(error, ORDERLY_CONFIG, "kafka.%s: %s", name, text);
        }
    }
    rd_kafka_conf_set_opaque(conf, admin);
    rd_kafka_conf_set_error_cb(conf, on_error);
    od_deliver_conf(conf);
    *ret = conf;
    return ORDERLY_OK;
}

void orderly_admin_free(struct orderly_admin *admin)
{
    if (!admin) {
        return;
    }
    if (admin->queue) {
        rd_kafka_queue_destroy(admin->queue);
    }
    if (admin->rk) {
        rd_kafka_purge(admin->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(admin->rk);
    }
    orderly_config_free(admin->config);
    pthread_mutex_destroy(&admin->lock);
    free(admin);
}

static enum orderly_err connect_handle(struct orderly_admin *admin, struct orderly_error *error)
{
    char text[256] = "";
    rd_kafka_conf_t *conf = NULL;
    if (!*od_admin_text(admin, "kafka.bootstrap.servers")) {
        return od_fail(error, ORDERLY_CONFIG,
                       "no brokers are named; give --brokers HOST:PORT or set kafka.bootstrap.servers");
    }
    enum orderly_err err = od_admin_conf(admin, &conf, error);
    if (err) {
        return err;
    }
    admin->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!admin->rk) {
        rd_kafka_conf_destroy(conf);
        return od_fail(error, ORDERLY_CONFIG, "librdkafka refuses the settings: %s", text);
    }
    admin->queue = rd_kafka_queue_new(admin->rk);
    return ORDERLY_OK;
}

enum orderly_err orderly_admin_new(const struct orderly_config *config, int64_t timeout_ms, struct orderly_admin **ret,
                                   struct orderly_error *error)
{
    od_error_clear(error);
    if (!config || !ret || timeout_ms < 1) {
        return od_fail(error, ORDERLY_INVALID, "a configuration and a timeout above 0 are needed");
    }
    struct orderly_admin *admin = calloc(1, sizeof *admin);
    if (!admin) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    pthread_mutex_init(&admin->lock, NULL);
    admin->broker = -1;
    admin->timeout_ms = timeout_ms < INT32_MAX ? timeout_ms : INT32_MAX;
    enum orderly_err err = od_config_copy(config, &admin->config);
    if (err) {
        od_fail(error, err, "out of memory");
    } else {
        err = connect_handle(admin, error);
    }
    if (err) {
        orderly_admin_free(admin);
        return err;
    }
    *ret = admin;
    return ORDERLY_OK;
}

enum orderly_err od_admin_code(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return ORDERLY_OK;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__RESOLVE:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        return ORDERLY_TIMEOUT;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        return ORDERLY_AUTH;
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
        return ORDERLY_UNSUPPORTED;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        return ORDERLY_UNKNOWN_TOPIC;
    default:
        return ORDERLY_KAFKA;
    }
}

enum orderly_err od_admin_fail(struct orderly_admin *admin, struct orderly_error *error, rd_kafka_resp_err_t code,
                               const char *detail, const char *what)
{
    enum orderly_err err = od_admin_code(code);
    char why[256];
    rd_kafka_poll(admin->rk, 0); /* brings the error callback up to date */
    pthread_mutex_lock(&admin->lock);
    od_admin_put(why, sizeof why, admin->why);
    pthread_mutex_unlock(&admin->lock);
    char said[300];
    const char *name = rd_kafka_err2str(code);
    bool more = detail && *detail && strcmp(detail, name) != 0;
    od_admin_say(said, sizeof said, "%s%s%s%s", name, more ? " (" : "", more ? detail : "", more ? ")" : "");
    switch ((int)err) {
    case ORDERLY_TIMEOUT:
        return od_fail_kafka(
            error, err, (int)code, "%s: no answer from %s within %lld ms%s%s; is the broker up, and the address right?",
            what, od_admin_text(admin, "kafka.bootstrap.servers"), (long long)admin->timeout_ms, *why ? ": " : "", why);
    case ORDERLY_AUTH:
        return od_fail_kafka(error, err, (int)code,
                             "%s: %s; check the credentials in kafka.* and the ACLs of that user", what, said);
    case ORDERLY_UNSUPPORTED:
        return od_fail_kafka(error, err, (int)code, "%s: this broker cannot do that (%s)", what, said);
    default:
        return od_fail_kafka(error, err, (int)code, "%s: %s", what, said);
    }
}

rd_kafka_AdminOptions_t *od_admin_options(struct orderly_admin *admin, rd_kafka_admin_op_t op)
{
    char text[128];
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->rk, op);
    if (options) {
        rd_kafka_AdminOptions_set_request_timeout(options, (int)admin->timeout_ms, text, sizeof text);
    }
    return options;
}

enum orderly_err od_admin_wait(struct orderly_admin *admin, const char *what, rd_kafka_event_t **ret,
                               struct orderly_error *error)
{
    /* librdkafka answers at its own timeout; the second more is for the answer's way here. */
    rd_kafka_event_t *event = rd_kafka_queue_poll(admin->queue, (int)admin->timeout_ms + 1000);
    if (!event) {
        return od_admin_fail(admin, error, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, what);
    }
    rd_kafka_resp_err_t code = rd_kafka_event_error(event);
    if (code) {
        enum orderly_err err = od_admin_fail(admin, error, code, rd_kafka_event_error_string(event), what);
        rd_kafka_event_destroy(event);
        return err;
    }
    *ret = event;
    return ORDERLY_OK;
}

bool od_admin_embedded(struct orderly_admin *admin)
{
    if (admin->embedded == OD_EMBEDDED_UNKNOWN) {
        char *cluster = rd_kafka_clusterid(admin->rk, (int)admin->timeout_ms);
        if (cluster) {
            admin->embedded = od_text_starts(cluster, "mockCluster") ? OD_EMBEDDED_YES : OD_EMBEDDED_NO;
            rd_kafka_mem_free(admin->rk, cluster);
        }
    }
    return admin->embedded == OD_EMBEDDED_YES;
}

enum orderly_err od_admin_refuse(struct orderly_admin *admin, const char *what, struct orderly_error *error)
{
    return od_admin_fail(admin, error, RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, "it is the embedded broker", what);
}
