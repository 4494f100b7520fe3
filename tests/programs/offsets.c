/*
 * A group's committed offsets as another program would see or write them:
 *   offsets --brokers B --group G --topic T                                   prints "partition offset metadata-size", a line each
 *   offsets --brokers B --group G --topic T --partition P --commit N --text M  writes one (the group must be empty)
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#include "common/options.h"

static const char *brokers, *group, *topic, *metadata;
static int64_t partition = -1, commit = -1;

static int write_one(rd_kafka_t *rk)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *one = rd_kafka_topic_partition_list_add(list, topic, (int32_t)partition);
    rd_kafka_resp_err_t error;

    one->offset = commit;
    if (metadata != NULL) {
        one->metadata = strdup(metadata);
        one->metadata_size = strlen(metadata);
    }
    error = rd_kafka_commit(rk, list, 0);
    if (error) {
        fprintf(stderr, "offsets: %s\n", rd_kafka_err2str(error));
    }
    rd_kafka_topic_partition_list_destroy(list);
    return error != 0;
}

static int print_all(rd_kafka_t *rk)
{
    const rd_kafka_metadata_t *known = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_resp_err_t error = rd_kafka_metadata(rk, 0, handle, &known, 10000);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

    for (int i = 0; !error && i < known->topics[0].partition_cnt; i++) {
        rd_kafka_topic_partition_list_add(list, topic, i);
    }
    error = error ? error : rd_kafka_committed(rk, list, 10000);
    for (int i = 0; !error && i < list->cnt; i++) {
        printf("%" PRId32 " %" PRId64 " %zu\n", list->elems[i].partition, list->elems[i].offset,
               list->elems[i].metadata_size);
    }
    if (error) {
        fprintf(stderr, "offsets: %s\n", rd_kafka_err2str(error));
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_topic_destroy(handle);
    if (known != NULL) {
        rd_kafka_metadata_destroy(known);
    }
    return error != 0;
}

int main(int argc, char **argv)
{
    const struct test_option rows[] = {{.name = "brokers", .text = &brokers},
                                       {.name = "group", .text = &group},
                                       {.name = "topic", .text = &topic},
                                       {.name = "text", .text = &metadata},
                                       {.name = "partition", .number = &partition},
                                       {.name = "commit", .number = &commit},
                                       {.name = NULL}};
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int result;

    test_options(argc, argv, rows);
    if (brokers == NULL || group == NULL || topic == NULL) {
        fprintf(stderr, "needs --brokers, --group and --topic\n");
        return 2;
    }
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", group, text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (rk == NULL) {
        fprintf(stderr, "%s\n", text);
        return 1;
    }
    result = commit >= 0 ? write_one(rk) : print_all(rk);
    rd_kafka_destroy(rk);
    return result;
}
