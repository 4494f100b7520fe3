/*
 * The committed offsets of a group. They are asked for on a consumer's handle that never joins: on one without a group librdkafka 2.14.2
 * follows a NULL when the coordinator says that it is none, or is still loading (rd_kafka_handle_OffsetFetch asks the handle's own group to look again).
 */
#include "base/error.h"
#include "kafka/admin.h"

static const char what[] = "the group's offsets cannot be read";
static const int again_ms = 100;

static enum orderly_err open_reader(struct orderly_admin *admin, const char *group, rd_kafka_t **ret,
                                    struct orderly_error *error)
{
    char text[256] = "";
    rd_kafka_conf_t *conf = NULL;
    enum orderly_err err = od_admin_conf(admin, &conf, error);
    if (err) {
        return err;
    }
    /* Of a producer's size fetch.max.bytes would have to follow it. */
    rd_kafka_conf_set(conf, "message.max.bytes", "1000000", text, sizeof text);
    rd_kafka_conf_set(conf, "group.id", group, text, sizeof text);
    *ret = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!*ret) {
        rd_kafka_conf_destroy(conf);
        return od_fail(error, ORDERLY_CONFIG, "librdkafka refuses the settings: %s", text);
    }
    return ORDERLY_OK;
}

static bool coordinator_moves(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR || code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
           code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;
}

/* The group's error in the answer, else the answer's own; OK with the list, which is the caller's. */
static rd_kafka_resp_err_t take(rd_kafka_event_t *event, rd_kafka_topic_partition_list_t **ret)
{
    if (!event) {
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    if (rd_kafka_event_error(event)) {
        return rd_kafka_event_error(event);
    }
    size_t count = 0;
    const rd_kafka_group_result_t **groups =
        rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    if (count != 1) {
        return RD_KAFKA_RESP_ERR__FAIL;
    }
    const rd_kafka_error_t *refused = rd_kafka_group_result_error(groups[0]);
    if (refused) {
        return rd_kafka_error_code(refused);
    }
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
    *ret = list ? rd_kafka_topic_partition_list_copy(list) : rd_kafka_topic_partition_list_new(0);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t ask(struct orderly_admin *admin, rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *group,
                               const rd_kafka_topic_partition_list_t *asked, rd_kafka_topic_partition_list_t **ret)
{
    rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group, asked);
    rd_kafka_AdminOptions_t *options = od_admin_options(admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets(rk, &request, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, (int)admin->timeout_ms + 1000);
    rd_kafka_resp_err_t code = take(event, ret);
    if (event) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ListConsumerGroupOffsets_destroy(request);
    return code;
}

enum orderly_err od_admin_offsets(struct orderly_admin *admin, const char *group,
                                  const rd_kafka_topic_partition_list_t *asked, rd_kafka_topic_partition_list_t **ret,
                                  struct orderly_error *error)
{
    rd_kafka_t *rk = NULL;
    enum orderly_err err = open_reader(admin, group, &rk, error);
    if (err) {
        return err;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_resp_err_t code = ask(admin, rk, queue, group, asked, ret);
    for (int64_t left = admin->timeout_ms; coordinator_moves(code) && left > 0; left -= again_ms) {
        rd_kafka_queue_poll(queue, again_ms); /* nothing is out: the time until the next question */
        code = ask(admin, rk, queue, group, asked, ret);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);
    return code ? od_admin_fail(admin, error, code, NULL, what) : ORDERLY_OK;
}
