/*
 * Prints the records of a topic, all partitions, up to the ends of now, a line each:
 *   partition offset key_hash hash header_hash plan_id attempt class
 * header_hash leaves out the headers that orderly writes: it equals the original's when those kept order, names and bytes.
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/options.h"
#include "common/plan.h"

static bool is_ours(const char *name)
{
    static const char *const exact[] = {"retry-after"};

    if (strncmp(name, "orderly-", 8) == 0 || strncmp(name, "__dlq.", 6) == 0 || strncmp(name, "kafka_dlt-", 10) == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
        if (strcmp(name, exact[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void print_message(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    uint64_t key_hash = test_hash(TEST_HASH_START, message->key, message->key_len), header_hash = TEST_HASH_START;
    char attempt[32] = "-", class[64] = "-";
    struct test_plan plan = {0};
    const char *name;
    const void *value;
    size_t size;

    (void)rd_kafka_message_headers(message, &headers);
    for (size_t i = 0; headers != NULL && rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++) {
        if (strcmp(name, "orderly-attempt") == 0) {
            snprintf(attempt, sizeof attempt, "%.*s", (int)size, (const char *)value);
        } else if (strcmp(name, "orderly-error-class") == 0) {
            snprintf(class, sizeof class, "%.*s", (int)size, (const char *)value);
        }
        if (strcmp(name, TEST_PLAN_HEADER) == 0) {
            test_plan_parse(value, size, &plan);
        }
        if (!is_ours(name)) {
            header_hash = test_hash(test_hash(header_hash, name, strlen(name)), value, size);
        }
    }
    printf("%" PRId32 " %" PRId64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIu64 " %s %s\n", message->partition,
           message->offset, key_hash, test_hash(key_hash, message->payload, message->len), header_hash, plan.id,
           attempt, class[0] ? class : "-");
}

int main(int argc, char **argv)
{
    const char *brokers = NULL, *topic = NULL;
    char text[256];
    const rd_kafka_metadata_t *metadata;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const struct test_option rows[] = {
        {.name = "brokers", .text = &brokers}, {.name = "topic", .text = &topic}, {.name = NULL}};

    test_options(argc, argv, rows);
    if (brokers == NULL || topic == NULL) {
        fprintf(stderr, "needs --brokers and --topic\n");
        return 2;
    }
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", "dump", text, sizeof text);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", text, sizeof text);
    rd_kafka_conf_set(conf, "enable.auto.commit", "false", text, sizeof text);
    rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    rd_kafka_topic_t *handle = rk != NULL ? rd_kafka_topic_new(rk, topic, NULL) : NULL;
    if (handle == NULL || rd_kafka_metadata(rk, 0, handle, &metadata, 10000) || metadata->topics[0].err) {
        fprintf(stderr, "dump: cannot read %s\n", topic);
        return 1;
    }
    int32_t count = metadata->topics[0].partition_cnt, open = count;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
    for (int32_t i = 0; i < count; i++) {
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(rk, list);
    for (int64_t deadline = test_now_us() + 60000000; open > 0;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 1000);

        if (message == NULL) {
            if (test_now_us() > deadline) {
                fprintf(stderr, "dump: no end of %s\n", topic);
                return 1;
            }
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            open--;
        } else if (!message->err) {
            print_message(message);
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return 0;
}
