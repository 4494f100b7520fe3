/* Records read again, and positions that the log does not have any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/inside.h"
#include "kafka/rig.h"

static struct broker broker;
static const char *const settings[] = {"start=earliest", NULL};

static enum od_reread_result result_of(const struct rig *rig, uint64_t record, int64_t *ret_offset)
{
    for (size_t i = 0; i < rig->rereads.count; i++) {
        if (rig->rereads.items[i].record == record) {
            *ret_offset = rig->rereads.items[i].offset;
            return rig->rereads.items[i].result;
        }
    }
    fail_msg("record %llu was not answered", (unsigned long long)record);
    return OD_REREAD_AGAIN;
}

static void delete_records(const char *topic, int32_t partition, int64_t before)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", broker.bootstrap, text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = before;
    rd_kafka_DeleteRecords_t *delete = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(rk, &delete, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(delete);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

static void records_are_read_again_by_offset(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    int64_t offset;
    broker_hospital(&broker, topic, group, 2);
    broker_produce_many(&broker, topic, 0, 5000);
    broker_produce_many(&broker, topic, 1, 10);
    rig_make(&rig, &broker, group, topic, settings);
    rig_start(&rig);
    rigs_until(rig_count_records(&rig, topic) == 5010, &rig);
    const int64_t offsets[] = {7, 4321, 8, 9, 4999, 100};
    for (size_t i = 0; i < 6; i++) {
        od_engine_reread(rig.engine, i, rig_stay(&rig, topic, 0)->id, offsets[i]);
    }
    od_engine_reread(rig.engine, 6, rig_stay(&rig, topic, 1)->id, 3);
    rigs_until(rig.rereads.count == 7, &rig);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(result_of(&rig, i, &offset), OD_REREAD_OK);
        assert_int_equal(offset, offsets[i]);
    }
    assert_int_equal(result_of(&rig, 6, &offset), OD_REREAD_OK);
    assert_int_equal(offset, 3);
    rig_leave(&rig);
    rig_stop(&rig);
}

/* Far more than one batch, of two partitions, asked for downward: each is answered once. */
static void many_are_read_again_in_passes(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    enum { COUNT = 20000, EACH = 7 };
    broker_hospital(&broker, topic, group, 2);
    broker_produce_many(&broker, topic, 0, COUNT);
    broker_produce_many(&broker, topic, 1, COUNT);
    rig_make(&rig, &broker, group, topic, settings);
    rig_start(&rig);
    rigs_until(rig_count_records(&rig, topic) == 2 * COUNT, &rig);
    uint64_t asked = 0;
    for (int64_t at = COUNT - 1; at >= 0; at -= EACH) {
        od_engine_reread(rig.engine, asked++, rig_stay(&rig, topic, 0)->id, at);
        od_engine_reread(rig.engine, asked++, rig_stay(&rig, topic, 1)->id, at);
    }
    rigs_until(rig.rereads.count == asked, &rig);
    for (uint64_t i = 0; i < asked; i++) {
        int64_t offset = -1;
        assert_int_equal(result_of(&rig, i, &offset), OD_REREAD_OK);
        assert_int_equal(offset, COUNT - 1 - (int64_t)(i / 2) * EACH);
    }
    rig_leave(&rig);
    rig_stop(&rig);
}

static void what_the_log_has_dropped_is_gone(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    int64_t offset;
    if (!broker_is_real(&broker)) {
        skip();
    }
    broker_hospital(&broker, topic, group, 1);
    broker_produce_many(&broker, topic, 0, 100);
    rig_make(&rig, &broker, group, topic, settings);
    rig_start(&rig);
    rigs_until(rig_count_records(&rig, topic) == 100, &rig);
    delete_records(topic, 0, 50);
    broker_produce_many(&broker, topic, 0, 1); /* the next fetch says where the log begins */
    rigs_until(rig_stay(&rig, topic, 0)->log_start == 50, &rig);
    od_engine_reread(rig.engine, 1, rig_stay(&rig, topic, 0)->id, 10);
    od_engine_reread(rig.engine, 2, rig_stay(&rig, topic, 0)->id, 60);
    rigs_until(rig.rereads.count == 2, &rig);
    assert_int_equal(result_of(&rig, 1, &offset), OD_REREAD_GONE);
    assert_int_equal(result_of(&rig, 2, &offset), OD_REREAD_OK);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void reading_goes_on_where_the_log_begins(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    if (!broker_is_real(&broker)) {
        skip();
    }
    broker_hospital(&broker, topic, group, 1);
    broker_produce_many(&broker, topic, 0, 100);
    rig_make(&rig, &broker, group, topic, settings);
    rig.no_credit = true;
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 2, &rig);
    od_engine_commit(rig.engine, rig_stay(&rig, topic, 0)->id, 10, -1, "1", 1, 1);
    od_engine_flush(rig.engine);
    rigs_until(rig.commits.count == 1, &rig);
    rig_leave(&rig);
    rig_stop(&rig);
    delete_records(topic, 0, 50);
    rig_make(&rig, &broker, group, topic, settings);
    rig_start(&rig);
    rigs_until(rig_count_records(&rig, topic) == 50, &rig);
    assert_int_equal(rig_stay(&rig, topic, 0)->log_start, 50);
    assert_int_equal(rig.records.items[0].fetched.offset, 50);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void a_seek_goes_back_and_forth(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    broker_hospital(&broker, topic, group, 1);
    broker_produce_many(&broker, topic, 0, 100);
    rig_make(&rig, &broker, group, topic, settings);
    rig_start(&rig);
    rigs_until(rig_count_records(&rig, topic) == 100, &rig);
    struct seen_stay *stay = rig_stay(&rig, topic, 0);
    stay->last_offset = -1; /* the rig insists on rising offsets otherwise */
    od_engine_seek(rig.engine, stay->id, 40);
    rigs_until(rig_count_records(&rig, topic) == 160, &rig);
    assert_int_equal(rig.records.items[100].fetched.offset, 40);
    rig_leave(&rig);
    rig_stop(&rig);
}

static void credits_bound_what_is_handed_over(void **state)
{
    (void)state;
    struct rig rig;
    const char *topic = fresh_name("t");
    const char *group = fresh_name("g");
    broker_hospital(&broker, topic, group, 1);
    broker_produce_many(&broker, topic, 0, 1000);
    rig_make(&rig, &broker, group, topic, settings);
    rig.no_credit = true;
    rig_start(&rig);
    rigs_until(rig_owned(&rig) == 2, &rig);
    uint32_t id = rig_stay(&rig, topic, 0)->id;
    od_engine_fetch(rig.engine, id, 10, 1 << 20);
    rigs_until(rig.records.count == 10, &rig);
    rigs_until(rig.engine->stays.list.items[0]->end >= 0 && rig.engine->stays.list.items[1]->end >= 0, &rig);
    assert_int_equal(rig.records.count, 10);
    od_engine_fetch(rig.engine, id, 600, 1 << 20);
    rigs_until(rig.records.count == 610, &rig);
    od_engine_fetch(rig.engine, id, 1000, 1); /* bytes: at least one record, then no more */
    rigs_until(rig.records.count > 610, &rig);
    assert_true(rig.records.count < 630);
    rig_leave(&rig);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read_again_by_offset), cmocka_unit_test(many_are_read_again_in_passes),
        cmocka_unit_test(what_the_log_has_dropped_is_gone), cmocka_unit_test(reading_goes_on_where_the_log_begins),
        cmocka_unit_test(a_seek_goes_back_and_forth),       cmocka_unit_test(credits_bound_what_is_handed_over),
    };
    broker_start(&broker, 1);
    int failed = cmocka_run_group_tests_name("kafka.reread", tests, NULL, NULL);
    broker_stop(&broker);
    return failed;
}
