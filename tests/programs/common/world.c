/* What the programs of checks share: options, sentences, a filled topic, Kafka's own view of a group. */
#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/actor.h"
#include "common/options.h"

struct test_world test_world = {.protocol = "classic", .partitions = 4};
const char *test_world_settings[64];
size_t test_world_setting_count;
static size_t failures, sentences;
static const char *running = "";
static int64_t list;

static void on_setting(const char *pair, void *userdata)
{
    (void)userdata;
    if (test_world_setting_count < 64) {
        test_world_settings[test_world_setting_count++] = pair;
    }
}

bool test_holds(bool condition, const char *file, int line, const char *text, ...)
{
    va_list values;

    sentences++;
    failures += !condition;
    printf("%s %s: ", condition ? "ok    " : "FAILED", running);
    va_start(values, text);
    vprintf(text, values);
    va_end(values);
    if (!condition) {
        printf("   <- %s:%d", file, line);
    }
    printf("\n");
    fflush(stdout);
    return condition;
}

void test_give_up(void)
{
    printf("FAILED %s: the check ends here\n", running);
    fflush(stdout);
    _Exit(1);
}

int test_checks(int argc, char **argv, const struct test_check *checks)
{
    const struct test_option rows[] = {{.name = "brokers", .text = &test_world.brokers},
                                       {.name = "group", .text = &test_world.group},
                                       {.name = "topic", .text = &test_world.topic},
                                       {.name = "protocol", .text = &test_world.protocol},
                                       {.name = "partitions", .number = &test_world.partitions},
                                       {.name = "only", .text = &test_world.only},
                                       {.name = "list", .number = &list},
                                       {.name = "set", .each = on_setting},
                                       {.name = NULL}};

    test_options(argc, argv, rows);
    for (const struct test_check *check = checks; check->name != NULL; check++) {
        if (list) {
            puts(check->name);
        } else if (test_world.only != NULL && strcmp(test_world.only, check->name) == 0) {
            running = check->name;
            check->run();
        }
    }
    if (!list && sentences == 0) {
        fprintf(stderr, "needs --brokers --group --topic --only NAME\n");
        return 2;
    }
    return failures != 0;
}

bool test_is_eager(void)
{
    return strcmp(test_world.protocol, "eager") == 0;
}

bool test_is_kip848(void)
{
    return strcmp(test_world.protocol, "consumer") == 0;
}

static rd_kafka_t *client(rd_kafka_type_t type)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set(conf, "bootstrap.servers", test_world.brokers, text, sizeof text);
    rd_kafka_conf_set(conf, "linger.ms", "5", text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL) {
        fprintf(stderr, "%s\n", text);
        exit(2);
    }
    return rk;
}

static size_t undelivered;

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    (void)opaque;
    undelivered += message->err != 0;
}

void test_fill(int64_t each)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set(conf, "bootstrap.servers", test_world.brokers, text, sizeof text);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    for (int64_t i = 0; i < each; i++) {
        for (int32_t p = 0; p < test_world.partitions; p++) {
            int size = snprintf(text, sizeof text, "%d/%lld", p, (long long)i);

            undelivered += rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(test_world.topic), RD_KAFKA_V_PARTITION(p),
                                             RD_KAFKA_V_VALUE(text, (size_t)size),
                                             RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) != 0;
        }
        rd_kafka_poll(rk, 0);
    }
    undelivered += rd_kafka_flush(rk, 30000) != 0;
    rd_kafka_destroy(rk);
    if (undelivered != 0) {
        fprintf(stderr, "the topic could not be filled\n");
        exit(2);
    }
}

int64_t test_committed_offset(int32_t partition)
{
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_topic_partition_list_t *wanted = rd_kafka_topic_partition_list_new(1);
    rd_kafka_ListConsumerGroupOffsets_t *request;
    rd_kafka_event_t *event;
    const rd_kafka_ListConsumerGroupOffsets_result_t *result;
    int64_t offset = -2;

    rd_kafka_topic_partition_list_add(wanted, test_world.topic, partition);
    request = rd_kafka_ListConsumerGroupOffsets_new(test_world.group, wanted);
    rd_kafka_ListConsumerGroupOffsets(rk, &request, 1, NULL, queue);
    event = rd_kafka_queue_poll(queue, 10000);
    result = event != NULL ? rd_kafka_event_ListConsumerGroupOffsets_result(event) : NULL;
    if (result != NULL && !rd_kafka_event_error(event)) {
        size_t count = 0;
        const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count);
        const rd_kafka_topic_partition_list_t *found = count > 0 ? rd_kafka_group_result_partitions(groups[0]) : NULL;

        offset = found == NULL || found->cnt == 0 || found->elems[0].offset < 0 ? -1 : found->elems[0].offset;
    }
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(wanted);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return offset;
}
