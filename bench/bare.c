/*
 * The yardstick: a bare librdkafka loop, batch call, a handler that touches each record, positions committed every 5 s.
 *   bare BROKERS GROUP TOPIC COUNT
 */
#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "measure.h"

int main(int argc, char **argv)
{
    static const char *const fixed[][2] = {{"auto.offset.reset", "earliest"}, {"enable.auto.commit", "false"}};
    static rd_kafka_message_t *messages[1000];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    struct measure measure = {0, 0};
    char error[512];
    int64_t wanted, seen = 0;
    size_t bytes = 0;

    if (argc != 5) {
        fprintf(stderr, "usage: bare BROKERS GROUP TOPIC COUNT\n");
        return 2;
    }
    wanted = atoll(argv[4]);
    rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], error, sizeof error);
    rd_kafka_conf_set(conf, "group.id", argv[2], error, sizeof error);
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        rd_kafka_conf_set(conf, fixed[i][0], fixed[i][1], error, sizeof error);
    }
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (rk == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_add(topics, argv[3], RD_KAFKA_PARTITION_UA);
    rd_kafka_subscribe(rk, topics);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    double committed = measure_now();
    while (seen < wanted) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 100, messages, 1000);

        for (ssize_t i = 0; i < count; i++) {
            if (!messages[i]->err) {
                if (seen++ == 0) {
                    measure_begin(&measure);
                }
                bytes += messages[i]->len + messages[i]->key_len;
            }
            rd_kafka_message_destroy(messages[i]);
        }
        if (measure_now() - committed > 5) {
            rd_kafka_commit(rk, NULL, 1);
            committed = measure_now();
        }
    }
    measure_print(&measure, "bare librdkafka", seen);
    fprintf(stderr, "%zu bytes\n", bytes);
    rd_kafka_commit(rk, NULL, 0);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(topics);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}
