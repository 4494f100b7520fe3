/*
 * (f) Copy to another topic: a record is settled by its copy's delivery report, from librdkafka's thread, so thousands are on their way at
 * once and an offset is committed only when every copy below it is stored.
 *
 *   copy_topic BROKERS GROUP FROM TO [COUNT]
 */
#include <orderly/orderly.h>

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct orderly *member;
static size_t wanted = SIZE_MAX;
static _Atomic size_t done;
static _Atomic bool ending;

struct target {
    rd_kafka_t *producer;
    const char *topic;
};

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    struct orderly_record *record = message->_private;
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;

    (void)producer;
    (void)opaque;
    settlement.outcome = message->err ? ORDERLY_RETRY : ORDERLY_ACK;
    settlement.error_class = message->err ? rd_kafka_err2name(message->err) : NULL;
    if (orderly_settle(record, &settlement) == ORDERLY_OK && !message->err &&
        atomic_fetch_add(&done, 1) + 1 == wanted) {
        (void)!orderly_close(member);
    }
    orderly_record_unref(record);
}

static enum orderly_outcome copy(struct orderly_record *record, void *userdata)
{
    const struct target *target = userdata;
    struct orderly_bytes key = orderly_record_key(record), value = orderly_record_value(record);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(orderly_record_header_count(record));
    rd_kafka_resp_err_t error;

    for (size_t i = 0; i < orderly_record_header_count(record); i++) {
        struct orderly_header header = orderly_record_header(record, i);

        rd_kafka_header_add(headers, header.name, -1, header.value.data, (ssize_t)header.value.size);
    }
    orderly_record_ref(record); /* until delivered() */
    error = rd_kafka_producev(target->producer, RD_KAFKA_V_TOPIC(target->topic), RD_KAFKA_V_KEY(key.data, key.size),
                              RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.size), RD_KAFKA_V_HEADERS(headers),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK),
                              RD_KAFKA_V_OPAQUE(record), RD_KAFKA_V_END);
    if (error) {
        rd_kafka_headers_destroy(headers);
        orderly_record_unref(record);
        return ORDERLY_RETRY;
    }
    return ORDERLY_PENDING;
}

static void *serve(void *producer)
{
    while (!atomic_load(&ending)) {
        rd_kafka_poll(producer, 100);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *const names[] = {"kafka.bootstrap.servers", "kafka.group.id", "topics"};
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    struct target target = {NULL, argc > 4 ? argv[4] : NULL};
    enum orderly_err result = argc < 5 ? ORDERLY_INVALID : orderly_config_new(&config);
    pthread_t thread;

    for (int i = 0; i < 3 && result == ORDERLY_OK; i++) {
        result = orderly_config_set(config, names[i], argv[i + 1], &error);
    }
    if (result != ORDERLY_OK || orderly_config_set(config, "start", "earliest", &error) != ORDERLY_OK ||
        orderly_config_set(config, "concurrency", "1000", &error) != ORDERLY_OK ||
        rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], error.text, sizeof error.text) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "enable.idempotence", "true", error.text, sizeof error.text) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "usage: %s BROKERS GROUP FROM TO [COUNT] %s\n", argv[0], error.text);
        return 2;
    }
    wanted = argc > 5 ? (size_t)atoll(argv[5]) : wanted;
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    target.producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.text, sizeof error.text);
    handler.handle = copy;
    handler.workers = 1;
    handler.userdata = &target;
    if (target.producer == NULL || orderly_new(config, &member, &error) != ORDERLY_OK ||
        pthread_create(&thread, NULL, serve, target.producer) != 0) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    result = orderly_run(member, &handler, &error);
    atomic_store(&ending, true);
    pthread_join(thread, NULL);
    orderly_free(member);
    rd_kafka_destroy(target.producer);
    orderly_config_free(config);
    return result == ORDERLY_OK ? 0 : 1;
}
