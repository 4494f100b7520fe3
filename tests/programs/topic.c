/* Makes topics on a real Kafka with librdkafka's own admin client: topic --brokers B --make NAME:PARTITIONS[:CONFIG=VALUE]... ; --delete NAME ; --grow NAME:PARTITIONS */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/options.h"

static const char *brokers;
static rd_kafka_NewTopic_t *wanted[64];
static rd_kafka_DeleteTopic_t *unwanted[64];
static rd_kafka_NewPartitions_t *grown;
static char names[64][256];
static size_t wanted_count, unwanted_count;
static int64_t replication = 1;

static void make(const char *value, void *userdata)
{
    char copy[512], *save = NULL, text[256];

    (void)userdata;
    snprintf(copy, sizeof copy, "%s", value);
    char *name = strtok_r(copy, ":", &save), *partitions = strtok_r(NULL, ":", &save);
    if (wanted_count == 64 || partitions == NULL) {
        fprintf(stderr, "topic: NAME:PARTITIONS expected\n");
        exit(2);
    }
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, atoi(partitions), (int)replication, text, sizeof text);
    for (char *pair = strtok_r(NULL, ":", &save); pair != NULL; pair = strtok_r(NULL, ":", &save)) {
        char *equals = strchr(pair, '=');

        if (equals != NULL) {
            *equals = '\0';
            rd_kafka_NewTopic_set_config(topic, pair, equals + 1);
        }
    }
    snprintf(names[wanted_count], sizeof names[0], "%s", name);
    wanted[wanted_count++] = topic;
}

static void delete (const char *value, void *userdata)
{
    (void)userdata;
    if (unwanted_count < 64) {
        unwanted[unwanted_count++] = rd_kafka_DeleteTopic_new(value);
    }
}

/* To so many partitions. */
static void grow(const char *value, void *userdata)
{
    char text[256], name[256];
    const char *colon = strrchr(value, ':');

    (void)userdata;
    if (colon == NULL || colon - value >= (long)sizeof name) {
        fprintf(stderr, "topic: NAME:PARTITIONS expected\n");
        exit(2);
    }
    snprintf(name, sizeof name, "%.*s", (int)(colon - value), value);
    grown = rd_kafka_NewPartitions_new(name, (size_t)atoi(colon + 1), text, sizeof text);
}

static int report(rd_kafka_event_t *event)
{
    size_t count = 0;
    int failures = 0;
    const rd_kafka_topic_result_t **results = NULL;

    if (event == NULL || rd_kafka_event_error(event)) {
        fprintf(stderr, "topic: %s\n", event == NULL ? "no answer" : rd_kafka_event_error_string(event));
        return 1;
    }
    if (rd_kafka_event_CreateTopics_result(event) != NULL) {
        results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    } else if (rd_kafka_event_DeleteTopics_result(event) != NULL) {
        results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
    }
    if (rd_kafka_event_CreatePartitions_result(event) != NULL) {
        results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count);
    }
    for (size_t i = 0; i < count; i++) {
        if (rd_kafka_topic_result_error(results[i])) {
            fprintf(stderr, "topic: %s: %s\n", rd_kafka_topic_result_name(results[i]),
                    rd_kafka_topic_result_error_string(results[i]));
            failures++;
        }
    }
    rd_kafka_event_destroy(event);
    return failures != 0;
}

/* Made, a topic is known to the brokers a little later; whoever comes too early is told that there is no such topic. */
static bool known(rd_kafka_t *rk, const char *name)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, name, NULL);
    int64_t deadline = test_now_us() + 60000000;
    bool there = false;

    while (!there && test_now_us() < deadline) {
        const rd_kafka_metadata_t *found = NULL;

        if (!rd_kafka_metadata(rk, 0, handle, &found, 10000)) {
            there = found->topic_cnt == 1 && !found->topics[0].err && found->topics[0].partition_cnt > 0;
            for (int i = 0; there && i < found->topics[0].partition_cnt; i++) {
                there = found->topics[0].partitions[i].leader >= 0;
            }
            rd_kafka_metadata_destroy(found);
        }
        if (!there) {
            rd_kafka_poll(rk, 100); /* the broker has it soon */
        }
    }
    rd_kafka_topic_destroy(handle);
    return there;
}

int main(int argc, char **argv)
{
    const struct test_option rows[] = {
        {.name = "brokers", .text = &brokers}, {.name = "replication", .number = &replication},
        {.name = "make", .each = make},        {.name = "delete", .each = delete},
        {.name = "grow", .each = grow},        {.name = NULL}};
    char text[256];
    int result = 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    test_options(argc, argv, rows);
    if (brokers == NULL) {
        fprintf(stderr, "needs --brokers\n");
        return 2;
    }
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    if (wanted_count > 0) {
        rd_kafka_CreateTopics(rk, wanted, wanted_count, NULL, queue);
        result |= report(rd_kafka_queue_poll(queue, 30000));
        rd_kafka_NewTopic_destroy_array(wanted, wanted_count);
        for (size_t i = 0; result == 0 && i < wanted_count; i++) {
            if (!known(rk, names[i])) {
                fprintf(stderr, "topic: %s does not appear\n", names[i]);
                result = 1;
            }
        }
    }
    if (unwanted_count > 0) {
        rd_kafka_DeleteTopics(rk, unwanted, unwanted_count, NULL, queue);
        result |= report(rd_kafka_queue_poll(queue, 30000));
        rd_kafka_DeleteTopic_destroy_array(unwanted, unwanted_count);
    }
    if (grown != NULL) {
        rd_kafka_CreatePartitions(rk, &grown, 1, NULL, queue);
        result |= report(rd_kafka_queue_poll(queue, 30000));
        rd_kafka_NewPartitions_destroy(grown);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return result;
}
