/* Tests of the embedded broker: src/kafka/broker.c. */
#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "orderly/testing.h"

static const struct orderly_bytes null_bytes = {NULL, 0};

static struct orderly_bytes bytes(const char *text)
{
    return (struct orderly_bytes){text, strlen(text)};
}

static rd_kafka_t *consumer_of(const struct orderly_broker *broker, const char *topic, int32_t partition)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", orderly_broker_bootstrap(broker), text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", "test", text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    assert_non_null(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = 0;
    assert_int_equal(rd_kafka_assign(rk, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    return rk;
}

static void stores_what_was_produced_byte_for_byte(void **state)
{
    (void)state;
    struct orderly_broker *broker = NULL;
    assert_int_equal(orderly_broker_new(1, &broker, NULL), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "ward", 3), ORDERLY_OK);
    struct orderly_header headers[] = {{"a", bytes("1")}, {"a", null_bytes}};
    struct orderly_bytes value = {"x\0y", 3};
    assert_int_equal(orderly_broker_produce(broker, "ward", 2, bytes("key"), value, headers, 2), ORDERLY_OK);
    assert_int_equal(orderly_broker_produce(broker, "ward", 2, null_bytes, null_bytes, NULL, 0), ORDERLY_OK);

    rd_kafka_t *rk = consumer_of(broker, "ward", 2);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 10000);
    assert_non_null(message);
    assert_int_equal(message->err, 0);
    assert_int_equal(message->len, 3);
    assert_memory_equal(message->payload, "x\0y", 3);
    assert_int_equal(message->key_len, 3);
    rd_kafka_headers_t *list = NULL;
    assert_int_equal(rd_kafka_message_headers(message, &list), 0);
    assert_int_equal(rd_kafka_header_cnt(list), 2);
    rd_kafka_message_destroy(message);
    message = rd_kafka_consumer_poll(rk, 10000);
    assert_non_null(message);
    assert_null(message->payload);
    assert_null(message->key);
    rd_kafka_message_destroy(message);
    rd_kafka_destroy(rk);
    orderly_broker_free(broker);
}

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    struct orderly_broker *broker = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_broker_new(0, &broker, &error), ORDERLY_INVALID);
    assert_true(strlen(error.text) > 0);
    assert_int_equal(orderly_broker_new(17, &broker, NULL), ORDERLY_INVALID);
    assert_int_equal(orderly_broker_new(1, &broker, NULL), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "", 1), ORDERLY_INVALID);
    assert_int_equal(orderly_broker_create_topic(broker, "t", 0), ORDERLY_INVALID);
    assert_int_equal(orderly_broker_down(broker, 2), ORDERLY_INVALID);
    assert_int_equal(orderly_broker_fail(broker, ORDERLY_REQUEST_PRODUCE, 7, 0), ORDERLY_INVALID);
    orderly_broker_free(broker);
    orderly_broker_free(NULL);
}

static void an_injected_error_reaches_the_client(void **state)
{
    (void)state;
    struct orderly_broker *broker = NULL;
    assert_int_equal(orderly_broker_new(1, &broker, NULL), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "ward", 1), ORDERLY_OK);
    /* Permanent for the producer: the record is refused, and the next one is not. */
    assert_int_equal(orderly_broker_fail(broker, ORDERLY_REQUEST_PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, 1),
                     ORDERLY_OK);
    assert_int_equal(orderly_broker_produce(broker, "ward", 0, null_bytes, bytes("a"), NULL, 0), ORDERLY_KAFKA);
    assert_int_equal(orderly_broker_produce(broker, "ward", 0, null_bytes, bytes("b"), NULL, 0), ORDERLY_OK);
    /* A dropped connection is tried again by the producer itself. */
    assert_int_equal(orderly_broker_fail(broker, ORDERLY_REQUEST_PRODUCE, -195, 1), ORDERLY_OK);
    assert_int_equal(orderly_broker_produce(broker, "ward", 0, null_bytes, bytes("c"), NULL, 0), ORDERLY_OK);
    orderly_broker_free(broker);
}

static void a_broker_that_was_down_takes_records_again(void **state)
{
    (void)state;
    struct orderly_broker *broker = NULL;
    assert_int_equal(orderly_broker_new(1, &broker, NULL), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "ward", 1), ORDERLY_OK);
    assert_int_equal(orderly_broker_down(broker, 1), ORDERLY_OK);
    assert_int_equal(orderly_broker_up(broker, 1), ORDERLY_OK);
    assert_int_equal(orderly_broker_produce(broker, "ward", 0, null_bytes, bytes("a"), NULL, 0), ORDERLY_OK);
    orderly_broker_free(broker);
}

static void it_listens_on_a_port_that_was_asked_for(void **state)
{
    (void)state;
    struct orderly_broker *broker = NULL, *other = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    assert_int_equal(orderly_broker_new(1, &broker, NULL), ORDERLY_OK);
    assert_int_equal(orderly_broker_create_topic(broker, "ward", 1), ORDERLY_OK);
    uint16_t port = 19850;
    while (orderly_broker_listen(broker, port, &error) != ORDERLY_OK) {
        assert_int_equal(error.code, ORDERLY_KAFKA); /* taken by somebody else */
        assert_true(++port < 19950);
    }
    char expected[32];
    snprintf(expected, sizeof expected, "127.0.0.1:%u", port);
    assert_string_equal(orderly_broker_bootstrap(broker), expected);
    assert_int_equal(orderly_broker_produce(broker, "ward", 0, null_bytes, bytes("through"), NULL, 0), ORDERLY_OK);
    rd_kafka_t *rk = consumer_of(broker, "ward", 0);
    rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, 10000);
    assert_non_null(message);
    assert_int_equal(message->err, 0);
    assert_memory_equal(message->payload, "through", 7);
    rd_kafka_message_destroy(message);
    rd_kafka_destroy(rk);
    assert_int_equal(orderly_broker_new(1, &other, NULL), ORDERLY_OK);
    assert_int_equal(orderly_broker_listen(other, port, &error), ORDERLY_KAFKA);
    assert_non_null(strstr(error.text, "cannot be listened on"));
    orderly_broker_free(other);
    orderly_broker_free(broker);
}

static bool third_call(void *userdata)
{
    int *calls = userdata;
    return ++*calls == 3;
}

static bool never(void *userdata)
{
    (void)userdata;
    return false;
}

static void waiting_ends_with_the_event_or_the_deadline(void **state)
{
    (void)state;
    int calls = 0;
    assert_true(orderly_wait_until(third_call, &calls, 10000));
    assert_int_equal(calls, 3);
    assert_false(orderly_wait_until(never, NULL, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stores_what_was_produced_byte_for_byte),
        cmocka_unit_test(refuses_what_makes_no_sense),
        cmocka_unit_test(an_injected_error_reaches_the_client),
        cmocka_unit_test(a_broker_that_was_down_takes_records_again),
        cmocka_unit_test(it_listens_on_a_port_that_was_asked_for),
        cmocka_unit_test(waiting_ends_with_the_event_or_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
