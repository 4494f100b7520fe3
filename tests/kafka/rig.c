#include "kafka/rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/config.h"

static int64_t clock_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t rig_now(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

/* ---- the broker ---------------------------------------------------------------------------------------------- */

static rd_kafka_t *new_client(const char *bootstrap, rd_kafka_type_t type)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", bootstrap, text, sizeof text);
    rd_kafka_conf_set(conf, "log_level", "2", text, sizeof text);
    if (type == RD_KAFKA_CONSUMER) {
        rd_kafka_conf_set(conf, "group.id", "rig-reader", text, sizeof text);
        rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", text, sizeof text);
    } else {
        rd_kafka_conf_set(conf, "linger.ms", "5", text, sizeof text);
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    assert_non_null(rk);
    return rk;
}

void broker_start(struct broker *broker, int brokers)
{
    const char *real = getenv("ORDERLY_KAFKA");
    char text[256];
    memset(broker, 0, sizeof *broker);
    if (real && real[0]) {
        snprintf(broker->bootstrap, sizeof broker->bootstrap, "%s", real);
        return;
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "2", text, sizeof text);
    broker->carrier = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    broker->cluster = rd_kafka_mock_cluster_new(broker->carrier, brokers);
    assert_non_null(broker->cluster);
    rd_kafka_mock_group_initial_rebalance_delay_ms(broker->cluster, 0);
    snprintf(broker->bootstrap, sizeof broker->bootstrap, "%s", rd_kafka_mock_cluster_bootstraps(broker->cluster));
}

void broker_stop(struct broker *broker)
{
    if (broker->cluster) {
        rd_kafka_mock_cluster_destroy(broker->cluster);
        rd_kafka_destroy(broker->carrier);
    }
}

bool broker_is_real(const struct broker *broker)
{
    return !broker->cluster;
}

const char *fresh_name(const char *base)
{
    static char names[64][64];
    static int used;
    char *name = names[used++ % 64];
    snprintf(name, 64, "%s-%d-%lld", base, (int)getpid(),
             (long long)(clock_ms(CLOCK_REALTIME) % 100000000 * 100 + used));
    return name;
}

/* A topic that was made is not known at once. */
static bool topic_known(rd_kafka_t *rk, const char *topic, int partitions)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    bool known = rd_kafka_metadata(rk, 0, handle, &metadata, 5000) == RD_KAFKA_RESP_ERR_NO_ERROR;
    known = known && metadata->topic_cnt == 1 && !metadata->topics[0].err &&
            metadata->topics[0].partition_cnt == partitions;
    for (int i = 0; known && i < partitions; i++) {
        known = metadata->topics[0].partitions[i].leader >= 0;
    }
    if (metadata) {
        rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
    return known;
}

void broker_topic_with(struct broker *broker, const char *topic, int partitions, const char *name, const char *value)
{
    char text[256];
    rd_kafka_t *rk = new_client(broker->bootstrap, RD_KAFKA_PRODUCER);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(topic, partitions, 1, text, sizeof text);
    rd_kafka_NewTopic_set_config(made, name, value);
    rd_kafka_CreateTopics(rk, &made, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    assert_int_equal(count, 1);
    if (rd_kafka_topic_result_error(results[0])) {
        fail_msg("%s: %s", topic, rd_kafka_topic_result_error_string(results[0]));
    }
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(made);
    int64_t end = rig_now() + 30000;
    while (!topic_known(rk, topic, partitions)) {
        assert_true(rig_now() < end);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
}

void broker_topic(struct broker *broker, const char *topic, int partitions)
{
    if (broker->cluster) {
        assert_int_equal(rd_kafka_mock_topic_create(broker->cluster, topic, partitions, 1), 0);
    } else {
        /* -1: a retry topic must keep what waits */
        broker_topic_with(broker, topic, partitions, "retention.ms", "-1");
    }
}

void broker_hospital(struct broker *broker, const char *topic, const char *group, int partitions)
{
    char name[300];
    broker_topic(broker, topic, partitions);
    snprintf(name, sizeof name, "%s.%s.retry", topic, group);
    broker_topic(broker, name, partitions);
    snprintf(name, sizeof name, "%s.%s.dlt", topic, group);
    broker_topic(broker, name, partitions);
}

static void produce(rd_kafka_t *rk, const char *topic, int32_t partition, const char *key, const char *value,
                    const char *const *headers)
{
    rd_kafka_headers_t *list = rd_kafka_headers_new(4);
    for (size_t i = 0; headers && headers[i]; i += 2) {
        rd_kafka_header_add(list, headers[i], -1, headers[i + 1], headers[i + 1] ? -1 : 0);
    }
    rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)(uintptr_t)key, key ? strlen(key) : 0}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)(uintptr_t)value, value ? strlen(value) : 0}},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = list},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(rk, arguments, 6);
    assert_null(error);
}

void broker_produce(struct broker *broker, const char *topic, int32_t partition, const char *key, const char *value,
                    const char *const *headers)
{
    rd_kafka_t *rk = new_client(broker->bootstrap, RD_KAFKA_PRODUCER);
    produce(rk, topic, partition, key, value, headers);
    assert_int_equal(rd_kafka_flush(rk, 10000), 0);
    rd_kafka_destroy(rk);
}

void broker_produce_many(struct broker *broker, const char *topic, int32_t partition, size_t count)
{
    rd_kafka_t *rk = new_client(broker->bootstrap, RD_KAFKA_PRODUCER);
    for (size_t i = 0; i < count; i++) {
        char value[32];
        snprintf(value, sizeof value, "v%zu", i);
        produce(rk, topic, partition, "k", value, NULL);
    }
    assert_int_equal(rd_kafka_flush(rk, 20000), 0);
    rd_kafka_destroy(rk);
}

void broker_read(struct broker *broker, const char *topic, int32_t partition, size_t count, struct reading *ret)
{
    rd_kafka_topic_partition_list_t *what = rd_kafka_topic_partition_list_new(1);
    ret->rk = new_client(broker->bootstrap, RD_KAFKA_CONSUMER);
    ret->messages = calloc(count + 1, sizeof(rd_kafka_message_t *));
    ret->count = 0;
    rd_kafka_topic_partition_list_add(what, topic, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(ret->rk, what), 0);
    rd_kafka_topic_partition_list_destroy(what);
    int64_t end = rig_now() + 20000;
    while (ret->count < count && rig_now() < end) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(ret->rk, 200);
        if (message && !message->err) {
            ret->messages[ret->count++] = message;
        } else if (message) {
            rd_kafka_message_destroy(message);
        }
    }
    assert_int_equal(ret->count, count);
}

void reading_end(struct reading *reading)
{
    for (size_t i = 0; i < reading->count; i++) {
        rd_kafka_message_destroy(reading->messages[i]);
    }
    free(reading->messages);
    rd_kafka_consumer_close(reading->rk);
    rd_kafka_destroy(reading->rk);
}

/* ---- the sink ------------------------------------------------------------------------------------------------ */

struct seen_stay *rig_stay_by_id(struct rig *rig, uint32_t id)
{
    for (size_t i = 0; i < rig->stays.count; i++) {
        if (rig->stays.items[i].id == id) {
            return &rig->stays.items[i];
        }
    }
    return NULL;
}

struct seen_stay *rig_stay(struct rig *rig, const char *topic, int32_t partition)
{
    for (size_t i = rig->stays.count; i > 0; i--) {
        struct seen_stay *stay = &rig->stays.items[i - 1];
        if (stay->partition == partition && strcmp(stay->topic, topic) == 0) {
            return stay;
        }
    }
    return NULL;
}

size_t rig_owned(const struct rig *rig)
{
    size_t count = 0;
    for (size_t i = 0; i < rig->stays.count; i++) {
        count += rig->stays.items[i].ready && !rig->stays.items[i].gone;
    }
    return count;
}

size_t rig_count_records(const struct rig *rig, const char *topic)
{
    size_t count = 0;
    for (size_t i = 0; i < rig->stays.count; i++) {
        count += strcmp(rig->stays.items[i].topic, topic) == 0 ? rig->stays.items[i].records : 0;
    }
    return count;
}

static void give_credit(struct rig *rig, uint32_t id)
{
    if (!rig->no_credit) {
        od_engine_fetch(rig->engine, id, rig->credit_records, INT64_C(1) << 40);
    }
}

static void assigned(struct rig *rig, const struct od_event *event)
{
    rig->assigns++;
    for (size_t i = 0; i < event->assigned.count; i++) {
        const struct od_assign *assign = &event->assigned.list[i];
        struct seen_stay stay = {
            .id = assign->id, .partition = assign->partition, .kind = assign->kind, .last_offset = -1, .log_start = -1};
        int32_t partition;
        snprintf(stay.topic, sizeof stay.topic, "%s", od_engine_topic(rig->engine, assign->id, &partition));
        assert_int_equal(partition, assign->partition);
        assert_true(od_vec_push(&rig->stays, stay));
    }
}

static void ready(struct rig *rig, const struct od_event *event)
{
    struct seen_stay *stay = rig_stay_by_id(rig, event->ready.id);
    assert_non_null(stay);
    assert_false(stay->ready);
    stay->ready = true;
    stay->resolved = event->ready.resolved;
    stay->position = event->ready.position;
    stay->leader_epoch = event->ready.leader_epoch;
    stay->topic_id_hash = event->ready.topic_id_hash;
    snprintf(stay->map, sizeof stay->map, "%.*s", (int)event->ready.map_size, event->ready.map ? event->ready.map : "");
    give_credit(rig, stay->id);
}

static void fetched(struct rig *rig, const struct od_event *event)
{
    struct seen_stay *stay = rig_stay_by_id(rig, event->fetched.id);
    assert_non_null(stay);
    rig->early_records += !stay->ready;
    stay->next_offset = event->fetched.next_offset;
    for (size_t i = 0; i < event->fetched.count; i++) {
        struct seen_record record = {stay->id, event->fetched.list[i],
                                     (struct od_message *)(uintptr_t)event->fetched.list[i].tag};
        assert_true(record.fetched.offset > stay->last_offset);
        stay->last_offset = record.fetched.offset;
        stay->records++;
        assert_true(od_vec_push(&rig->records, record));
    }
    give_credit(rig, stay->id);
}

static void revoked(struct rig *rig, const struct od_event *event, bool lost)
{
    for (size_t i = 0; i < event->partitions.count; i++) {
        struct seen_stay *stay = rig_stay_by_id(rig, event->partitions.ids[i]);
        assert_non_null(stay);
        *(lost ? &stay->lost : &stay->revoked) = true;
        if (lost) {
            stay->gone = true;
        }
    }
    if (lost) {
        rig->losts++;
        rig->last_lost_valid = event->partitions.valid_member;
        od_vec_clear(&rig->open_revoke);
        od_engine_answer_lost(rig->engine, event->partitions.ids, event->partitions.count);
        return;
    }
    rig->revokes++;
    rig->revoke_deadline = event->partitions.deadline_ms;
    assert_int_equal(rig->open_revoke.count, 0);
    for (size_t i = 0; i < event->partitions.count; i++) {
        assert_true(od_vec_push(&rig->open_revoke, event->partitions.ids[i]));
    }
    if (!rig->hold_revokes) {
        rig_answer_revoke(rig);
    }
}

void rig_answer_revoke(struct rig *rig)
{
    for (size_t i = 0; i < rig->open_revoke.count; i++) {
        rig_stay_by_id(rig, rig->open_revoke.items[i])->gone = true;
    }
    od_engine_answer_revoke(rig->engine, rig->open_revoke.items, rig->open_revoke.count);
    od_vec_clear(&rig->open_revoke);
}

static void reread(struct rig *rig, const struct od_event *event)
{
    struct od_message *message = (struct od_message *)(uintptr_t)event->reread.tag;
    struct seen_reread seen = {event->reread.record, event->reread.result, message ? od_message_offset(message) : -1};
    assert_true(od_vec_push(&rig->rereads, seen));
    od_message_free(message);
}

static void on_event(void *userdata, struct od_event *event)
{
    struct rig *rig = userdata;
    struct seen_commit commit = {event->committed.id, event->committed.sequence, event->committed.result};
    struct seen_copy copy = {event->copied.record, event->copied.result};
    switch ((int)event->type) {
    case OD_EVENT_ASSIGNED:
        assigned(rig, event);
        break;
    case OD_EVENT_READY:
        ready(rig, event);
        break;
    case OD_EVENT_FETCHED:
        fetched(rig, event);
        break;
    case OD_EVENT_REVOKE:
        revoked(rig, event, false);
        break;
    case OD_EVENT_LOST:
        revoked(rig, event, true);
        break;
    case OD_EVENT_COMMITTED:
        assert_true(od_vec_push(&rig->commits, commit));
        break;
    case OD_EVENT_COPIED:
        assert_true(od_vec_push(&rig->copies, copy));
        break;
    case OD_EVENT_REREAD:
        reread(rig, event);
        break;
    case OD_EVENT_LEFT:
        rig->lefts++;
        break;
    case OD_EVENT_SUSPECT:
        rig->suspects++;
        break;
    case OD_EVENT_CONFIRMED:
        rig->confirmed++;
        break;
    case OD_EVENT_SEEK:
        rig->seeks++;
        od_engine_seek(rig->engine, event->position.id, event->position.offset);
        break;
    case OD_EVENT_LOG_START:
        rig->log_starts++;
        rig_stay_by_id(rig, event->position.id)->log_start = event->position.offset;
        break;
    default:
        fail_msg("an event that the edge has no business to send: %d", (int)event->type);
    }
}

static void on_fault(void *userdata, const struct od_engine_fault *fault)
{
    struct rig *rig = userdata;
    rig->faults++;
    rig->fault = *fault;
    snprintf(rig->fault_text, sizeof rig->fault_text, "%s", fault->text);
    if (getenv("RIG_LOG")) {
        fprintf(stderr, "fault: %s\n", fault->text);
    }
}

static void on_log(void *userdata, int level, const char *area, const char *text)
{
    struct rig *rig = userdata;
    if (strstr(text, "did not confirm our leaving")) {
        rig->unconfirmed = true;
    }
    if (getenv("RIG_LOG") && !rig->quiet) {
        fprintf(stderr, "%lld %p %d %s: %s\n", (long long)rig_now(), userdata, level, area, text);
    }
}

/* ---- the rig ------------------------------------------------------------------------------------------------- */

void rig_make(struct rig *rig, struct broker *broker, const char *group, const char *topics,
              const char *const *settings)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    const char *const common[][2] = {{"kafka.session.timeout.ms", "2000"},
                                     {"kafka.heartbeat.interval.ms", "200"},
                                     {"kafka.fetch.wait.max.ms", "20"},
                                     {"kafka.topic.metadata.refresh.interval.ms", "1000"}};
    memset(rig, 0, sizeof *rig);
    rig->broker = broker;
    rig->credit_records = 100000;
    assert_int_equal(orderly_config_new(&rig->config), ORDERLY_OK);
    assert_int_equal(orderly_config_set(rig->config, "kafka.bootstrap.servers", broker->bootstrap, &error), ORDERLY_OK);
    assert_int_equal(orderly_config_set(rig->config, "kafka.group.id", group, &error), ORDERLY_OK);
    assert_int_equal(orderly_config_set(rig->config, "topics", topics, &error), ORDERLY_OK);
    bool consumer = false;
    for (size_t i = 0; settings && settings[i]; i++) {
        consumer = consumer || strcmp(settings[i], "kafka.group.protocol=consumer") == 0;
    }
    for (size_t i = consumer ? 2 : 0; i < 4; i++) {
        assert_int_equal(orderly_config_set(rig->config, common[i][0], common[i][1], &error), ORDERLY_OK);
    }
    for (size_t i = 0; settings && settings[i]; i++) {
        char name[128];
        const char *equals = strchr(settings[i], '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - settings[i]), settings[i]);
        if (orderly_config_set(rig->config, name, equals + 1, &error) != ORDERLY_OK) {
            fail_msg("%s: %s", settings[i], error.text);
        }
    }
    if (od_settings_finish(rig->config, &rig->settings, &error) != ORDERLY_OK) {
        fail_msg("settings: %s", error.text);
    }
    struct od_engine_sink sink = {rig, on_event, on_fault, on_log, 40};
    if (od_engine_new(&rig->settings, &sink, &rig->engine, &error) != ORDERLY_OK) {
        fail_msg("engine: %s", error.text);
    }
}

void rig_start(struct rig *rig)
{
    rig->error = (struct orderly_error)ORDERLY_ERROR_INIT;
    if (od_engine_start(rig->engine, &rig->error) != ORDERLY_OK) {
        fail_msg("start: %s", rig->error.text);
    }
}

void rig_serve(struct rig *rig)
{
    od_engine_serve(rig->engine, rig_now() + rig->clock_skew, clock_ms(CLOCK_REALTIME));
}

void rigs_wait(struct rig **rigs, size_t count)
{
    struct pollfd fds[8];
    int64_t now = rig_now();
    int64_t until = now + 100;
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = od_engine_fd(rigs[i]->engine), .events = POLLIN};
        int64_t deadline = od_engine_deadline(rigs[i]->engine, now + rigs[i]->clock_skew) - rigs[i]->clock_skew;
        until = deadline < until ? deadline : until;
    }
    poll(fds, count, until > now ? (int)(until - now) : 0);
    for (size_t i = 0; i < count; i++) {
        rig_serve(rigs[i]);
    }
}

void rig_leave(struct rig *rig)
{
    od_engine_leave(rig->engine);
    rigs_until(rig->lefts == 1, rig);
    assert_false(rig->unconfirmed);
}

void rig_stop(struct rig *rig)
{
    od_engine_free(rig->engine);
    for (size_t i = 0; i < rig->records.count; i++) {
        od_message_free(rig->records.items[i].message);
    }
    od_vec_fini(&rig->stays);
    od_vec_fini(&rig->records);
    od_vec_fini(&rig->commits);
    od_vec_fini(&rig->copies);
    od_vec_fini(&rig->rereads);
    od_vec_fini(&rig->open_revoke);
    od_settings_fini(&rig->settings);
    orderly_config_free(rig->config);
}
