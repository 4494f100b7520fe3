/* Topics: list, look at one with its configuration, create, delete records. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "kafka/admin.h"

#define VISIBLE_MS 100

void od_admin_blank(struct orderly_topic *topic, const char *name)
{
    *topic = (struct orderly_topic){.retention_ms = INT64_MIN,
                                    .retention_bytes = INT64_MIN,
                                    .max_message_bytes = -1,
                                    .in_sync = -1,
                                    .min_in_sync = -1};
    od_admin_put(topic->name, sizeof topic->name, name);
}

void orderly_topics_free(struct orderly_topics *topics)
{
    if (topics) {
        free(topics->list);
        free(topics);
    }
}

static bool allows(const rd_kafka_AclOperation_t *list, size_t count, rd_kafka_AclOperation_t wanted)
{
    for (size_t i = 0; list && i < count; i++) {
        if (list[i] == wanted || list[i] == RD_KAFKA_ACL_OPERATION_ALL) {
            return true;
        }
    }
    return false;
}

static void take_rights(struct orderly_topic *topic, const rd_kafka_TopicDescription_t *from)
{
    size_t count = 0;
    const rd_kafka_AclOperation_t *list = rd_kafka_TopicDescription_authorized_operations(from, &count);
    topic->rights_known = list && count;
    topic->may_read = allows(list, count, RD_KAFKA_ACL_OPERATION_READ);
    topic->may_write = allows(list, count, RD_KAFKA_ACL_OPERATION_WRITE);
}

static void take_ids(struct orderly_topic *list, size_t count, rd_kafka_event_t *event)
{
    size_t found = 0;
    const rd_kafka_TopicDescription_t **topics =
        rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &found);
    for (size_t i = 0; i < found && i < count; i++) {
        const rd_kafka_Uuid_t *id = rd_kafka_TopicDescription_topic_id(topics[i]);
        /* Answers come in the order of the question. */
        if (!rd_kafka_error_code(rd_kafka_TopicDescription_error(topics[i])) && id &&
            !strcmp(rd_kafka_TopicDescription_name(topics[i]), list[i].name) &&
            (rd_kafka_Uuid_least_significant_bits(id) || rd_kafka_Uuid_most_significant_bits(id))) {
            od_admin_put(list[i].id, sizeof list[i].id, rd_kafka_Uuid_base64str(id));
            take_rights(&list[i], topics[i]);
        }
    }
}

/* Ids and rights are told by DescribeTopics alone; a broker that does not know it leaves them empty. */
static void fill_ids(struct orderly_admin *admin, struct orderly_topic *list, size_t count)
{
    char text[128];
    const char **names = count ? calloc(count, sizeof *names) : NULL;
    if (!names) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = list[i].name;
    }
    rd_kafka_AdminOptions_t *options = od_admin_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    rd_kafka_TopicCollection_t *wanted = rd_kafka_TopicCollection_of_topic_names(names, count);
    rd_kafka_event_t *event = NULL;
    if (admin->broker >= 0) {
        /* Any broker knows; the default is the controller, which the embedded broker has not. */
        rd_kafka_AdminOptions_set_broker(options, admin->broker, text, sizeof text);
    }
    rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
    if (refused) {
        rd_kafka_error_destroy(refused);
    }
    rd_kafka_DescribeTopics(admin->rk, wanted, options, admin->queue);
    if (!od_admin_wait(admin, "topics cannot be described", &event, NULL)) {
        take_ids(list, count, event);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_TopicCollection_destroy(wanted);
    rd_kafka_AdminOptions_destroy(options);
    free(names);
}

static void note_broker(struct orderly_admin *admin, const rd_kafka_metadata_t *metadata)
{
    if (metadata->broker_cnt > 0) {
        admin->broker = metadata->brokers[0].id;
    }
}

static void fill_topic(struct orderly_topic *topic, const rd_kafka_metadata_topic_t *from)
{
    od_admin_blank(topic, from->topic);
    topic->exists = !from->err;
    topic->partitions = from->partition_cnt;
    topic->replication = from->partition_cnt > 0 ? from->partitions[0].replica_cnt : 0;
    for (int i = 0; i < from->partition_cnt; i++) {
        const rd_kafka_metadata_partition_t *partition = &from->partitions[i];
        topic->leaderless += partition->leader < 0;
        topic->in_sync =
            topic->in_sync < 0 || partition->isr_cnt < topic->in_sync ? partition->isr_cnt : topic->in_sync;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct orderly_topic *)a)->name, ((const struct orderly_topic *)b)->name);
}

enum orderly_err orderly_admin_list(struct orderly_admin *admin, struct orderly_topics **ret,
                                    struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !ret) {
        return od_fail(error, ORDERLY_INVALID, "no admin object");
    }
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->rk, 1, NULL, &metadata, (int)admin->timeout_ms);
    if (code) {
        return od_admin_fail(admin, error, code, NULL, "topics cannot be listed");
    }
    note_broker(admin, metadata);
    size_t room = metadata->topic_cnt > 0 ? (size_t)metadata->topic_cnt : 1;
    struct orderly_topics *topics = calloc(1, sizeof *topics);
    if (topics) {
        topics->list = calloc(room, sizeof *topics->list);
    }
    if (!topics || !topics->list) {
        orderly_topics_free(topics);
        rd_kafka_metadata_destroy(metadata);
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (!metadata->topics[i].err) {
            fill_topic(&topics->list[topics->count++], &metadata->topics[i]);
        }
    }
    rd_kafka_metadata_destroy(metadata);
    qsort(topics->list, topics->count, sizeof *topics->list, by_name);
    fill_ids(admin, topics->list, topics->count);
    *ret = topics;
    return ORDERLY_OK;
}

static void take_entry(void *userdata, const char *name, const char *value)
{
    struct orderly_topic *topic = userdata;
    int64_t number = 0;
    if (!strcmp(name, "cleanup.policy")) {
        od_admin_put(topic->cleanup_policy, sizeof topic->cleanup_policy, value);
    } else if (od_text_to_i64(value, INT64_MIN, INT64_MAX, &number)) {
        if (!strcmp(name, "retention.ms")) {
            topic->retention_ms = number;
        } else if (!strcmp(name, "retention.bytes")) {
            topic->retention_bytes = number;
        } else if (!strcmp(name, "max.message.bytes")) {
            topic->max_message_bytes = number;
        } else if (!strcmp(name, "min.insync.replicas")) {
            topic->min_in_sync = (int32_t)number;
        }
    }
}

/* A broker that does not tell (the embedded one, or no right to ask) leaves the fields at "not known". */
static enum orderly_err fill_config(struct orderly_admin *admin, struct orderly_topic *topic,
                                    struct orderly_error *error)
{
    if (od_admin_embedded(admin)) {
        return ORDERLY_OK;
    }
    size_t count = 0;
    enum orderly_err err =
        od_admin_configs(admin, RD_KAFKA_RESOURCE_TOPIC, topic->name, take_entry, topic, &count, error);
    return err == ORDERLY_TIMEOUT ? err : ORDERLY_OK;
}

enum orderly_err orderly_admin_topic(struct orderly_admin *admin, const char *name, struct orderly_topic *ret,
                                     struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !name || !*name || !ret) {
        return od_fail(error, ORDERLY_INVALID, "no admin object, or no topic");
    }
    rd_kafka_topic_t *handle = rd_kafka_topic_new(admin->rk, name, NULL);
    if (!handle) {
        return od_fail(error, ORDERLY_INVALID, "'%s' is no name for a topic", name);
    }
    const rd_kafka_metadata_t *metadata = NULL;
    struct orderly_topic topic;
    od_admin_blank(&topic, name);
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->rk, 0, handle, &metadata, (int)admin->timeout_ms);
    rd_kafka_topic_destroy(handle);
    if (code) {
        return od_admin_fail(admin, error, code, NULL, "the topic cannot be looked up");
    }
    note_broker(admin, metadata);
    rd_kafka_resp_err_t refused = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (metadata->topic_cnt == 1) {
        refused = metadata->topics[0].err;
        if (!refused) {
            fill_topic(&topic, &metadata->topics[0]);
        }
    }
    rd_kafka_metadata_destroy(metadata);
    if (od_admin_code(refused) == ORDERLY_AUTH) {
        return od_admin_fail(admin, error, refused, NULL, name);
    }
    if (topic.exists) {
        fill_ids(admin, &topic, 1);
        enum orderly_err err = fill_config(admin, &topic, error);
        if (err) {
            return err;
        }
        od_error_clear(error);
    }
    *ret = topic;
    return ORDERLY_OK;
}

/* A broker without CreateTopics (the embedded one) makes a topic when a client asks for it; its number of partitions is its own. */
static enum orderly_err create_by_asking(struct orderly_admin *admin, const char *name, struct orderly_error *error)
{
    char text[256] = "";
    rd_kafka_conf_t *conf = NULL;
    enum orderly_err err = od_admin_conf(admin, &conf, error);
    if (err) {
        return err;
    }
    rd_kafka_conf_set(conf, "allow.auto.create.topics", "true", text, sizeof text);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!rk) {
        rd_kafka_conf_destroy(conf);
        return od_fail(error, ORDERLY_KAFKA, "no handle: %s", text);
    }
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, name, NULL);
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code =
        handle ? rd_kafka_metadata(rk, 0, handle, &metadata, (int)admin->timeout_ms) : RD_KAFKA_RESP_ERR__INVALID_ARG;
    if (!code && (metadata->topic_cnt != 1 || metadata->topics[0].err)) {
        code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    }
    if (metadata) {
        rd_kafka_metadata_destroy(metadata);
    }
    if (handle) {
        rd_kafka_topic_destroy(handle);
    }
    rd_kafka_destroy(rk);
    return code ? od_admin_fail(admin, error, code, NULL, "the topic cannot be created") : ORDERLY_OK;
}

static enum orderly_err set_configs(rd_kafka_NewTopic_t *topic, const char *const *configs, size_t count,
                                    struct orderly_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(configs[i], '=');
        char *name = equals ? od_text_copy_bytes(configs[i], (size_t)(equals - configs[i])) : NULL;
        rd_kafka_resp_err_t code =
            name ? rd_kafka_NewTopic_set_config(topic, name, equals + 1) : RD_KAFKA_RESP_ERR__INVALID_ARG;
        free(name);
        if (code) {
            return od_fail(error, ORDERLY_INVALID, "'%s' is no NAME=VALUE for a topic", configs[i]);
        }
    }
    return ORDERLY_OK;
}

static enum orderly_err read_created(struct orderly_admin *admin, rd_kafka_event_t *event, const char *what,
                                     struct orderly_error *error)
{
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    rd_kafka_resp_err_t code = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__FAIL;
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
        return ORDERLY_OK;
    }
    return od_admin_fail(admin, error, code, count == 1 ? rd_kafka_topic_result_error_string(results[0]) : NULL, what);
}

/* Created is not yet known everywhere: until the broker that we ask tells of it. */
static enum orderly_err await_topic(struct orderly_admin *admin, const char *name, struct orderly_error *error)
{
    struct orderly_topic found = {.exists = false};
    enum orderly_err err = ORDERLY_OK;
    for (int64_t waited_ms = 0; !err && !found.exists; waited_ms += VISIBLE_MS) {
        if (waited_ms >= admin->timeout_ms) {
            return od_fail(error, ORDERLY_TIMEOUT, "topic %s was created, and is not to be seen yet: try again", name);
        }
        if (waited_ms) {
            rd_kafka_poll(admin->rk, VISIBLE_MS);
        }
        err = orderly_admin_topic(admin, name, &found, error);
    }
    return err;
}

enum orderly_err orderly_admin_create(struct orderly_admin *admin, const char *name, int32_t partitions,
                                      int32_t replication, const char *const *configs, size_t config_count,
                                      struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !name || partitions < 1 || (config_count && !configs)) {
        return od_fail(error, ORDERLY_INVALID, "a topic needs a name and at least one partition");
    }
    if (od_admin_embedded(admin)) {
        return create_by_asking(admin, name, error);
    }
    char text[256] = "", what[320];
    snprintf(what, sizeof what, "topic %s cannot be created", name);
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(name, partitions, replication < 1 ? -1 : replication, text, sizeof text);
    if (!topic) {
        return od_fail(error, ORDERLY_INVALID, "%s: %s", what, text);
    }
    rd_kafka_AdminOptions_t *options = NULL;
    rd_kafka_event_t *event = NULL;
    enum orderly_err err = set_configs(topic, configs, config_count, error);
    if (err) {
        goto done;
    }
    options = od_admin_options(admin, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    if (!options) {
        err = od_fail(error, ORDERLY_NOMEM, "out of memory");
        goto done;
    }
    rd_kafka_AdminOptions_set_operation_timeout(options, (int)admin->timeout_ms, text, sizeof text);
    rd_kafka_CreateTopics(admin->rk, &topic, 1, options, admin->queue);
    err = od_admin_wait(admin, what, &event, error);
    if (!err) {
        err = read_created(admin, event, what, error);
    }
    err = err ? err : await_topic(admin, name, error);
done:
    if (event) {
        rd_kafka_event_destroy(event);
    }
    if (options) {
        rd_kafka_AdminOptions_destroy(options);
    }
    rd_kafka_NewTopic_destroy(topic);
    return err;
}

enum orderly_err orderly_admin_delete_records(struct orderly_admin *admin, const struct orderly_partition *partition,
                                              int64_t before, struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !partition || !partition->topic || partition->partition < 0 || before < 0) {
        return od_fail(error, ORDERLY_INVALID, "a partition and an offset of 0 or more are needed");
    }
    static const char what[] = "records cannot be deleted";
    if (od_admin_embedded(admin)) {
        return od_admin_refuse(admin, what, error);
    }
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, partition->topic, partition->partition)->offset = before;
    rd_kafka_DeleteRecords_t *request = rd_kafka_DeleteRecords_new(list);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_AdminOptions_t *options = od_admin_options(admin, RD_KAFKA_ADMIN_OP_DELETERECORDS);
    rd_kafka_event_t *event = NULL;
    rd_kafka_DeleteRecords(admin->rk, &request, 1, options, admin->queue);
    enum orderly_err err = od_admin_wait(admin, what, &event, error);
    if (!err) {
        const rd_kafka_topic_partition_list_t *result =
            rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
        if (result->cnt != 1 || result->elems[0].err) {
            err = od_admin_fail(admin, error, result->cnt == 1 ? result->elems[0].err : RD_KAFKA_RESP_ERR__FAIL, NULL,
                                what);
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_DeleteRecords_destroy(request);
    return err;
}
