/*
 * The embedded broker of <orderly/testing.h>: librdkafka's mock cluster, and a producer that writes to it.
 *
 * Two handles of librdkafka: one only carries the cluster (its threads are the brokers), the other is an ordinary client
 * that produces. A lock makes produce one at a time, so that it can wait for its own delivery report.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/text.h"
#include "kafka/broker_relay.h"
#include "kafka/deliver.h"
#include "orderly/testing.h"

#define BROKERS_MAX 16
#define PRODUCE_TIMEOUT_MS 15000
#define HEARTBEAT_MS 200 /* of group.protocol=consumer: members are told of a rebalance with the next one */
#define SESSION_MS 6000  /* of group.protocol=consumer: a killed member is gone after it */
#define ERRORS_MAX 1000

struct orderly_broker {
    rd_kafka_t *carrier;
    rd_kafka_mock_cluster_t *cluster;
    rd_kafka_t *producer;
    struct od_relay *relay; /* NULL: none */
    char *bootstrap;
    int brokers;
    /* Producing; the cluster has locks of its own. */
    pthread_mutex_t lock;
};

static enum orderly_err new_handle(const char *bootstrap, rd_kafka_t **ret, struct orderly_error *error)
{
    char text[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *const pairs[][2] = {
        {"client.id", "orderly-embedded-broker"},
        {"log_level", "2"},
        {"linger.ms", "0"},
        {"partitioner", "murmur2_random"},
        {"message.timeout.ms", "10000"},
        {"allow.auto.create.topics", "true"},
        {"enable.metrics.push", "false"},
        {"bootstrap.servers", bootstrap},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!pairs[i][1]) {
            continue;
        }
        if (rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], text, sizeof text) != RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            return od_fail(error, ORDERLY_KAFKA, "the embedded broker could not be configured: %s", text);
        }
    }
    od_deliver_conf(conf);
    *ret = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!*ret) {
        rd_kafka_conf_destroy(conf);
        return od_fail(error, ORDERLY_KAFKA, "the embedded broker could not start: %s", text);
    }
    return ORDERLY_OK;
}

void orderly_broker_free(struct orderly_broker *broker)
{
    if (!broker) {
        return;
    }
    if (broker->producer) {
        rd_kafka_purge(broker->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(broker->producer);
    }
    od_relay_stop(broker->relay);
    if (broker->cluster) {
        rd_kafka_mock_cluster_destroy(broker->cluster);
    }
    if (broker->carrier) {
        rd_kafka_destroy(broker->carrier);
    }
    pthread_mutex_destroy(&broker->lock);
    free(broker->bootstrap);
    free(broker);
}

enum orderly_err orderly_broker_new(int brokers, struct orderly_broker **ret, struct orderly_error *error)
{
    od_error_clear(error);
    if (!ret || brokers < 1 || brokers > BROKERS_MAX) {
        return od_fail(error, ORDERLY_INVALID, "an embedded broker has 1 to %d brokers", BROKERS_MAX);
    }
    struct orderly_broker *broker = calloc(1, sizeof *broker);
    if (!broker) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    pthread_mutex_init(&broker->lock, NULL);
    broker->brokers = brokers;
    enum orderly_err err = new_handle(NULL, &broker->carrier, error);
    if (err) {
        goto done;
    }
    broker->cluster = rd_kafka_mock_cluster_new(broker->carrier, brokers);
    if (!broker->cluster) {
        err = od_fail(error, ORDERLY_KAFKA, "the embedded broker could not open its loopback ports");
        goto done;
    }
    /* The default waits seconds for more members; tests and demos have none to wait for. */
    rd_kafka_mock_group_initial_rebalance_delay_ms(broker->cluster, 0);
    rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(broker->cluster, HEARTBEAT_MS);
    rd_kafka_mock_set_group_consumer_session_timeout_ms(broker->cluster, SESSION_MS);
    broker->bootstrap = od_text_copy(rd_kafka_mock_cluster_bootstraps(broker->cluster));
    if (!broker->bootstrap) {
        err = od_fail(error, ORDERLY_NOMEM, "out of memory");
        goto done;
    }
    err = new_handle(broker->bootstrap, &broker->producer, error);
    if (!err) {
        *ret = broker;
        broker = NULL;
    }
done:
    orderly_broker_free(broker);
    return err;
}

const char *orderly_broker_bootstrap(const struct orderly_broker *broker)
{
    return broker ? broker->bootstrap : NULL;
}

enum orderly_err orderly_broker_listen(struct orderly_broker *broker, uint16_t port, struct orderly_error *error)
{
    od_error_clear(error);
    if (!broker || !port || broker->brokers != 1 || broker->relay) {
        return od_fail(error, ORDERLY_INVALID, "one broker, not listening yet, and a port from 1 to 65535 are needed");
    }
    const char *colon = strrchr(rd_kafka_mock_cluster_bootstraps(broker->cluster), ':');
    int64_t target = 0;
    char *bootstrap = malloc(32);
    if (!bootstrap || !colon || !od_text_to_i64(colon + 1, 1, UINT16_MAX, &target)) {
        free(bootstrap);
        return od_fail(error, bootstrap ? ORDERLY_KAFKA : ORDERLY_NOMEM, "the broker's own port is not known");
    }
    enum orderly_err err = od_relay_start(port, (uint16_t)target, &broker->relay, error);
    if (err) {
        free(bootstrap);
        return err;
    }
    rd_kafka_mock_broker_set_host_port(broker->cluster, 1, "127.0.0.1", port);
    snprintf(bootstrap, 32, "127.0.0.1:%u", port);
    free(broker->bootstrap);
    broker->bootstrap = bootstrap;
    return ORDERLY_OK;
}

enum orderly_err orderly_broker_create_topic(struct orderly_broker *broker, const char *topic, int partitions)
{
    if (!broker || !topic || !*topic || partitions < 1) {
        return ORDERLY_INVALID;
    }
    int replicas = broker->brokers < 3 ? broker->brokers : 3;
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(broker->cluster, topic, partitions, replicas);
    return code ? ORDERLY_KAFKA : ORDERLY_OK;
}

enum orderly_err orderly_broker_produce(struct orderly_broker *broker, const char *topic, int32_t partition,
                                        struct orderly_bytes key, struct orderly_bytes value,
                                        const struct orderly_header *headers, size_t header_count)
{
    if (!broker || !topic || !*topic || partition < -1 || (header_count && !headers)) {
        return ORDERLY_INVALID;
    }
    struct od_deliver what = {topic, partition, key, value, headers, header_count};
    pthread_mutex_lock(&broker->lock);
    rd_kafka_resp_err_t code = od_deliver(broker->producer, &what, PRODUCE_TIMEOUT_MS);
    pthread_mutex_unlock(&broker->lock);
    if (code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT) {
        return ORDERLY_TIMEOUT;
    }
    return code ? ORDERLY_KAFKA : ORDERLY_OK;
}

enum orderly_err orderly_broker_fail(struct orderly_broker *broker, enum orderly_request request, int kafka_error,
                                     int times)
{
    if (!broker || times < 1 || times > ERRORS_MAX) {
        return ORDERLY_INVALID;
    }
    rd_kafka_resp_err_t *errors = calloc((size_t)times, sizeof *errors);
    if (!errors) {
        return ORDERLY_NOMEM;
    }
    for (int i = 0; i < times; i++) {
        errors[i] = (rd_kafka_resp_err_t)kafka_error;
    }
    rd_kafka_mock_push_request_errors_array(broker->cluster, (int16_t)request, (size_t)times, errors);
    free(errors);
    return ORDERLY_OK;
}

enum orderly_err orderly_broker_down(struct orderly_broker *broker, int id)
{
    if (!broker || id < 1 || id > broker->brokers) {
        return ORDERLY_INVALID;
    }
    return rd_kafka_mock_broker_set_down(broker->cluster, id) ? ORDERLY_KAFKA : ORDERLY_OK;
}

enum orderly_err orderly_broker_up(struct orderly_broker *broker, int id)
{
    if (!broker || id < 1 || id > broker->brokers) {
        return ORDERLY_INVALID;
    }
    return rd_kafka_mock_broker_set_up(broker->cluster, id) ? ORDERLY_KAFKA : ORDERLY_OK;
}

static int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool orderly_wait_until(bool (*done)(void *userdata), void *userdata, int64_t timeout_ms)
{
    int64_t end = monotonic_ms() + timeout_ms;
    struct timespec pause = {0, 1000000};
    while (!done(userdata)) {
        if (monotonic_ms() >= end) {
            return done(userdata);
        }
        nanosleep(&pause, NULL);
        if (pause.tv_nsec < 16000000) {
            pause.tv_nsec *= 2;
        }
    }
    return true;
}
