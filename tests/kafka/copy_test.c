/* Copies: bytes, headers, where they go, how a produce error is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time_text.h"
#include "kafka/inside.h"
#include "kafka/rig.h"

static struct broker broker;
static const char *const settings[] = {"start=earliest", "retry.in=topic", NULL};

struct scene {
    struct rig rig;
    const char *topic, *group;
    char retry[300], dead[300];
};

static void begin(struct scene *scene, const char *const *with)
{
    scene->topic = fresh_name("t");
    scene->group = fresh_name("g");
    snprintf(scene->retry, sizeof scene->retry, "%s.%s.retry", scene->topic, scene->group);
    snprintf(scene->dead, sizeof scene->dead, "%s.%s.dlt", scene->topic, scene->group);
    broker_hospital(&broker, scene->topic, scene->group, 2);
    rig_make(&scene->rig, &broker, scene->group, scene->topic, with);
}

static void end(struct scene *scene)
{
    rig_leave(&scene->rig);
    rig_stop(&scene->rig);
}

static struct od_copy_request request_of(struct rig *rig, size_t i, enum od_copy_kind kind)
{
    return (struct od_copy_request){.record = 100 + i,
                                    .id = rig->records.items[i].id,
                                    .message = rig->records.items[i].message,
                                    .kind = kind,
                                    .attempts = 1,
                                    .due_ms = kind == OD_COPY_DEAD_LETTER ? 0 : 1893456000123,
                                    .delay_ms = kind == OD_COPY_DEAD_LETTER ? 0 : 5000,
                                    .last_attempt_ms = 1700000000001,
                                    .error_class = "Busy",
                                    .error_text = "not now"};
}

static const char *header(rd_kafka_message_t *message, const char *name, size_t at)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;
    if (rd_kafka_message_headers(message, &headers) || rd_kafka_header_get(headers, at, name, &value, &size)) {
        return NULL;
    }
    return value;
}

#define assert_header(message, name, text) assert_string_equal(header(message, name, 0), text)

/* The second retry replaces every header of ours and keeps the first attempt's time. */
static void second_hop(struct scene *scene, struct reading *reading)
{
    struct od_copy_request second = request_of(&scene->rig, 1, OD_COPY_RETRY);
    second.attempts = 2;
    second.last_attempt_ms = 1800000000000;
    od_engine_copy(scene->rig.engine, &second);
    rigs_until(scene->rig.copies.count == 2, &scene->rig);
    reading_end(reading);
    broker_read(&broker, scene->retry, 1, 2, reading);
    rd_kafka_message_t *copy = reading->messages[1];
    assert_header(copy, "orderly-attempt", "2");
    assert_header(copy, "orderly-first-attempt-at", "2023-11-14T22:13:20.001Z");
    assert_header(copy, "orderly-last-attempt-at", "2027-01-15T08:00:00.000Z");
    assert_string_equal(header(copy, "a", 1), "2");
    rd_kafka_headers_t *all = NULL;
    assert_int_equal(rd_kafka_message_headers(copy, &all), 0);
    rd_kafka_headers_t *before = NULL;
    assert_int_equal(rd_kafka_message_headers(reading->messages[0], &before), 0);
    assert_int_equal(rd_kafka_header_cnt(all), rd_kafka_header_cnt(before)); /* no growth over hops */
}

static void a_retry_copy_keeps_the_record_and_says_what_happened(void **state)
{
    (void)state;
    struct scene scene;
    struct reading reading;
    const char *const headers[] = {"a",    "1",  "orderly-attempt", "77",      "a",  "2",
                                   "null", NULL, "retry-after",     "garbage", NULL, NULL};
    begin(&scene, settings);
    broker_produce(&broker, scene.topic, 1, "key", "v\xff", headers);
    rig_start(&scene.rig);
    rigs_until(scene.rig.records.count == 1, &scene.rig);
    assert_int_equal(scene.rig.records.items[0].fetched.attempts, 0); /* a header on a source topic is not believed */
    assert_int_equal(scene.rig.records.items[0].fetched.due_ms, 0);
    struct od_copy_request request = request_of(&scene.rig, 0, OD_COPY_RETRY);
    od_engine_copy(scene.rig.engine, &request);
    rigs_until(scene.rig.copies.count == 1, &scene.rig);
    assert_int_equal(scene.rig.copies.items[0].result, OD_COPY_OK);
    assert_int_equal(scene.rig.copies.items[0].record, 100);

    broker_read(&broker, scene.retry, 1, 1, &reading);
    rd_kafka_message_t *copy = reading.messages[0];
    assert_memory_equal(copy->payload, "v\xff", 2);
    assert_int_equal(copy->len, 2);
    assert_string_equal(header(copy, "a", 0), "1");
    assert_string_equal(header(copy, "a", 1), "2");
    assert_null(header(copy, "null", 0));
    assert_header(copy, "orderly-attempt", "1");
    assert_null(header(copy, "orderly-attempt", 1));
    assert_header(copy, "retry-after", "2030-01-01T00:00:00.123Z");
    assert_null(header(copy, "retry-after", 1));
    assert_header(copy, "orderly-delay-ms", "5000");
    assert_header(copy, "orderly-origin-topic", scene.topic);
    assert_header(copy, "orderly-origin-partition", "1");
    assert_header(copy, "orderly-origin-offset", "0");
    assert_header(copy, "orderly-group", scene.group);
    assert_header(copy, "orderly-error-class", "Busy");
    assert_header(copy, "orderly-error", "not now");
    assert_header(copy, "orderly-first-attempt-at", "2023-11-14T22:13:20.001Z");
    assert_header(copy, "orderly-idempotency-key", od_message_idempotency_key(scene.rig.records.items[0].message));

    /* It comes back to us, believed. */
    rigs_until(scene.rig.records.count == 2, &scene.rig);
    struct seen_record *again = &scene.rig.records.items[1];
    assert_int_equal(again->fetched.attempts, 1);
    assert_int_equal(again->fetched.due_ms, 1893456000123);
    assert_int_equal(again->fetched.delay_ms, 5000);
    assert_false(again->fetched.foreign);
    assert_true(again->fetched.copy_hash != 0);
    assert_int_equal(rig_stay_by_id(&scene.rig, again->id)->kind, OD_TOPIC_RETRY);
    struct od_message_origin origin = od_message_origin(again->message);
    assert_string_equal(origin.topic, scene.topic);
    assert_int_equal(origin.partition, 1);
    assert_int_equal(origin.offset, 0);
    assert_int_equal(origin.timestamp_ms, od_message_timestamp_ms(scene.rig.records.items[0].message));
    assert_string_equal(od_message_idempotency_key(again->message),
                        od_message_idempotency_key(scene.rig.records.items[0].message));
    assert_true(od_message_fence(again->message) >= od_message_fence(scene.rig.records.items[0].message));

    second_hop(&scene, &reading);
    reading_end(&reading);
    end(&scene);
}

static void null_and_empty_stay_what_they_are_in_a_dead_letter(void **state)
{
    (void)state;
    struct scene scene;
    struct reading reading;
    const char *const with[] = {"start=earliest", "dead_letter.headers=orderly,kafka,spring", NULL};
    const char *const headers[] = {"retry-after", "foreign", NULL, NULL};
    begin(&scene, with);
    broker_produce(&broker, scene.topic, 0, NULL, NULL, headers);
    broker_produce(&broker, scene.topic, 0, "", "", NULL);
    rig_start(&scene.rig);
    rigs_until(scene.rig.records.count == 2, &scene.rig);
    assert_false(scene.rig.records.items[0].fetched.has_key);
    assert_true(scene.rig.records.items[1].fetched.has_key);
    for (size_t i = 0; i < 2; i++) {
        struct od_copy_request request = request_of(&scene.rig, i, OD_COPY_DEAD_LETTER);
        od_engine_copy(scene.rig.engine, &request);
    }
    rigs_until(scene.rig.copies.count == 2, &scene.rig);
    broker_read(&broker, scene.dead, 0, 2, &reading);
    assert_null(reading.messages[0]->key);
    assert_null(reading.messages[0]->payload);
    assert_non_null(reading.messages[1]->key);
    assert_non_null(reading.messages[1]->payload);
    assert_int_equal(reading.messages[1]->key_len + reading.messages[1]->len, 0);
    assert_header(reading.messages[0], "retry-after", "foreign");
    assert_null(header(reading.messages[1], "retry-after", 0));
    assert_null(header(reading.messages[1], "orderly-delay-ms", 0));
    assert_header(reading.messages[1], "__dlq.errors.topic", scene.topic);
    assert_header(reading.messages[1], "kafka_dlt-original-topic", scene.topic);
    assert_header(reading.messages[1], "orderly-error-class", "Busy");
    reading_end(&reading);
    end(&scene);
}

static void a_reference_has_no_value_and_an_oversize_error_no_text(void **state)
{
    (void)state;
    struct scene scene;
    struct reading reading;
    begin(&scene, settings);
    broker_produce(&broker, scene.topic, 0, "k", "large", NULL);
    rig_start(&scene.rig);
    rigs_until(scene.rig.records.count == 1, &scene.rig);
    struct od_copy_request request = request_of(&scene.rig, 0, OD_COPY_DEAD_LETTER);
    request.form = OD_FORM_NO_ERROR_TEXT;
    od_engine_copy(scene.rig.engine, &request);
    request.form = OD_FORM_REFERENCE;
    request.error_class = NULL;
    od_engine_copy(scene.rig.engine, &request);
    rigs_until(scene.rig.copies.count >= 1, &scene.rig);
    broker_read(&broker, scene.dead, 0, 2, &reading);
    assert_non_null(reading.messages[0]->payload);
    assert_null(header(reading.messages[0], "orderly-error", 0));
    assert_header(reading.messages[0], "orderly-error-class", "Busy");
    assert_null(reading.messages[1]->payload);
    assert_header(reading.messages[1], "orderly-error-class", "too-large");
    assert_header(reading.messages[1], "orderly-origin-offset", "0");
    reading_end(&reading);
    end(&scene);
}

/* One record was read. */
static void begin_with_one(struct scene *scene)
{
    begin(scene, settings);
    broker_produce(&broker, scene->topic, 0, "k", "v", NULL);
    rig_start(&scene->rig);
    rigs_until(scene->rig.records.count == 1, &scene->rig);
}

static void of_a_long_error_text_both_ends_stay(void **state)
{
    (void)state;
    struct scene scene;
    struct reading reading;
    char text[3000];
    begin_with_one(&scene);
    snprintf(text, sizeof text, "the beginning: %2900s the end \xc3\xa9", "");
    struct od_copy_request request = request_of(&scene.rig, 0, OD_COPY_DEAD_LETTER);
    request.error_text = text;
    od_engine_copy(scene.rig.engine, &request);
    rigs_until(scene.rig.copies.count == 1, &scene.rig);
    broker_read(&broker, scene.dead, 0, 1, &reading);
    const char *value = header(reading.messages[0], "orderly-error", 0);
    assert_int_equal(strlen(value), 1024);
    assert_memory_equal(value, "the beginning: ", 15);
    assert_non_null(strstr(value, " ... "));
    assert_string_equal(value + 1024 - 10, "the end \xc3\xa9");
    reading_end(&reading);
    end(&scene);
}

static void a_record_of_another_group_is_foreign(void **state)
{
    (void)state;
    struct scene scene;
    const char *const theirs[] = {"orderly-group", "other", "orderly-attempt", "3", NULL, NULL};
    begin(&scene, settings);
    broker_produce(&broker, scene.retry, 0, "k", "v", theirs);
    broker_produce(&broker, scene.retry, 0, "k", "v", NULL);
    rig_start(&scene.rig);
    rigs_until(scene.rig.records.count == 2, &scene.rig);
    assert_true(scene.rig.records.items[0].fetched.foreign);
    assert_true(scene.rig.records.items[1].fetched.foreign);
    assert_int_equal(scene.rig.records.items[0].fetched.attempts, 0);
    end(&scene);
}

static void a_relief_copy_is_known_by_its_own_name(void **state)
{
    (void)state;
    struct scene scene;
    begin_with_one(&scene);
    struct od_copy_request request = request_of(&scene.rig, 0, OD_COPY_RETRY);
    od_engine_copy(scene.rig.engine, &request);
    rigs_until(scene.rig.records.count == 2, &scene.rig);
    struct od_copy_request relief = request_of(&scene.rig, 1, OD_COPY_RELIEF);
    relief.error_class = relief.error_text = NULL;
    relief.last_attempt_ms = 0;
    od_engine_copy(scene.rig.engine, &relief);
    rigs_until(scene.rig.records.count == 3, &scene.rig);
    struct seen_record *parked = &scene.rig.records.items[1];
    struct seen_record *relieved = &scene.rig.records.items[2];
    assert_true(parked->fetched.copy_hash != relieved->fetched.copy_hash);
    assert_int_equal(parked->fetched.attempts, relieved->fetched.attempts);
    assert_int_equal(parked->fetched.due_ms, relieved->fetched.due_ms);
    struct orderly_bytes class = od_message_header_named(relieved->message, "orderly-error-class");
    assert_string_equal(class.data, "Busy");
    end(&scene);
}

static void a_header_of_a_hospital_topic_is_honoured_when_asked(void **state)
{
    (void)state;
    struct scene scene;
    const char *const with[] = {"start=earliest", "retry.honour_retry_after=true", NULL};
    const char *const in_time[] = {"retry-after", "2030-01-01T00:00:00.0001Z", NULL, NULL};
    const char *const garbage[] = {"retry-after", "soon", NULL, NULL};
    begin(&scene, with);
    broker_produce(&broker, scene.topic, 0, "k", "v", in_time);
    broker_produce(&broker, scene.topic, 0, "k", "v", garbage);
    rig_start(&scene.rig);
    rigs_until(scene.rig.records.count == 2, &scene.rig);
    assert_int_equal(scene.rig.records.items[0].fetched.due_ms, 1893456000001); /* rounded up: never early */
    assert_true(scene.rig.records.items[1].fetched.due_ms > 0);
    assert_int_equal(scene.rig.records.items[1].fetched.delay_ms, 1000);
    end(&scene);
}

/* Each copy until then ends with `otherwise`. */
static void copy_until_written(struct scene *scene, struct od_copy_request *request, enum od_copy_result otherwise)
{
    for (;;) {
        size_t before = scene->rig.copies.count;
        int64_t pause = rig_now() + 50;
        rigs_until(rig_now() > pause, &scene->rig);
        request->record++;
        od_engine_copy(scene->rig.engine, request);
        rigs_until(scene->rig.copies.count == before + 1, &scene->rig);
        if (scene->rig.copies.items[before].result == OD_COPY_OK) {
            return;
        }
        assert_int_equal(scene->rig.copies.items[before].result, otherwise);
    }
}

static void a_copy_refused_by_its_size_is_too_large(void **state)
{
    (void)state;
    struct scene scene;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin_with_one(&scene);
    struct od_copy_request request = request_of(&scene.rig, 0, OD_COPY_RETRY);
    rd_kafka_mock_push_request_errors(broker.cluster, 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    od_engine_copy(scene.rig.engine, &request);
    rigs_until(scene.rig.copies.count == 1, &scene.rig);
    assert_int_equal(scene.rig.copies.items[0].result, OD_COPY_TOO_LARGE);
    rd_kafka_mock_push_request_errors(broker.cluster, 0, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    od_engine_copy(scene.rig.engine, &request);
    rigs_until(scene.rig.copies.count == 2, &scene.rig);
    assert_int_equal(scene.rig.copies.items[1].result, OD_COPY_REFUSED);
    copy_until_written(&scene, &request, OD_COPY_REFUSED); /* librdkafka asks for the topic again by itself */
    end(&scene);
}

/* A broker whose disk is full, in-sync replicas that are missing, an answer that nobody got: the copy is written in the end, or asked for anew. */
static void what_a_broker_cannot_write_now_is_written_later(void **state)
{
    (void)state;
    static const rd_kafka_resp_err_t errors[] = {
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION};
    struct scene scene;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin_with_one(&scene);
    struct od_copy_request request = request_of(&scene.rig, 0, OD_COPY_RETRY);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        rd_kafka_mock_push_request_errors(broker.cluster, 0, 1, errors[i]);
        copy_until_written(&scene, &request, OD_COPY_AGAIN);
    }
    assert_int_equal(scene.rig.faults, 0);
    end(&scene);
}

static void a_broken_producer_answers_all_and_is_replaced(void **state)
{
    (void)state;
    struct scene scene;
    if (broker_is_real(&broker)) {
        skip();
    }
    begin_with_one(&scene);
    struct od_copy_request request = request_of(&scene.rig, 0, OD_COPY_RETRY);
    od_engine_copy(scene.rig.engine, &request);
    rigs_until(scene.rig.copies.count == 1, &scene.rig);
    rd_kafka_t *producer = scene.rig.engine->copier.handle->rk;
    char name[128]; /* unlike the address never used again */
    snprintf(name, sizeof name, "%s", rd_kafka_name(producer));
    for (uint64_t i = 0; i < 5; i++) {
        request.record = 200 + i;
        od_engine_copy(scene.rig.engine, &request);
    }
    rd_kafka_test_fatal_error(producer, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "planted");
    rigs_until(scene.rig.copies.count == 6, &scene.rig);
    copy_until_written(&scene, &request, OD_COPY_AGAIN);
    assert_string_not_equal(rd_kafka_name(scene.rig.engine->copier.handle->rk), name);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retry_copy_keeps_the_record_and_says_what_happened),
        cmocka_unit_test(null_and_empty_stay_what_they_are_in_a_dead_letter),
        cmocka_unit_test(a_reference_has_no_value_and_an_oversize_error_no_text),
        cmocka_unit_test(of_a_long_error_text_both_ends_stay),
        cmocka_unit_test(a_record_of_another_group_is_foreign),
        cmocka_unit_test(a_relief_copy_is_known_by_its_own_name),
        cmocka_unit_test(a_header_of_a_hospital_topic_is_honoured_when_asked),
        cmocka_unit_test(a_copy_refused_by_its_size_is_too_large),
        cmocka_unit_test(what_a_broker_cannot_write_now_is_written_later),
        cmocka_unit_test(a_broken_producer_answers_all_and_is_replaced),
    };
    broker_start(&broker, 1);
    int failed = cmocka_run_group_tests_name("kafka.copy", tests, NULL, NULL);
    broker_stop(&broker);
    return failed;
}
