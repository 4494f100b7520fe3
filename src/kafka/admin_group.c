/* The group as its coordinator sees it: state, protocol, members. */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "kafka/admin.h"

#define TRY_AGAIN_MS 200

void orderly_group_free(struct orderly_group *group)
{
    if (group) {
        free(group->members);
        free(group);
    }
}

static void take_member(struct orderly_group_member *member, const rd_kafka_MemberDescription_t *from)
{
    od_admin_put(member->client_id, sizeof member->client_id, rd_kafka_MemberDescription_client_id(from));
    od_admin_put(member->host, sizeof member->host, rd_kafka_MemberDescription_host(from));
    od_admin_put(member->member_id, sizeof member->member_id, rd_kafka_MemberDescription_consumer_id(from));
    od_admin_put(member->instance_id, sizeof member->instance_id, rd_kafka_MemberDescription_group_instance_id(from));
    const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(from);
    const rd_kafka_topic_partition_list_t *list = assignment ? rd_kafka_MemberAssignment_partitions(assignment) : NULL;
    member->partitions = list ? (size_t)list->cnt : 0;
}

static void take_coordinator(struct orderly_group *group, const rd_kafka_Node_t *node)
{
    if (node) {
        snprintf(group->coordinator, sizeof group->coordinator, "%s:%d", rd_kafka_Node_host(node),
                 (int)rd_kafka_Node_port(node));
    }
}

static void take_rights(struct orderly_group *group, const rd_kafka_ConsumerGroupDescription_t *from)
{
    size_t count = 0;
    const rd_kafka_AclOperation_t *list = rd_kafka_ConsumerGroupDescription_authorized_operations(from, &count);
    group->rights_known = list && count;
    for (size_t i = 0; list && i < count; i++) {
        group->may_read |= list[i] == RD_KAFKA_ACL_OPERATION_READ || list[i] == RD_KAFKA_ACL_OPERATION_ALL;
    }
}

static enum orderly_err take_group(struct orderly_admin *admin, rd_kafka_event_t *event, struct orderly_group *group,
                                   struct orderly_error *error)
{
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **found =
        rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    const rd_kafka_error_t *refused = count == 1 ? rd_kafka_ConsumerGroupDescription_error(found[0]) : NULL;
    rd_kafka_resp_err_t code = count == 1 ? rd_kafka_error_code(refused) : RD_KAFKA_RESP_ERR__FAIL;
    /* A group that nobody has joined yet is no error here: it has no members. */
    if (code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) {
        od_admin_put(group->state, sizeof group->state, "none");
        return ORDERLY_OK;
    }
    if (code) {
        return od_admin_fail(admin, error, code, refused ? rd_kafka_error_string(refused) : NULL,
                             "the group cannot be described");
    }
    rd_kafka_consumer_group_state_t state = rd_kafka_ConsumerGroupDescription_state(found[0]);
    od_admin_put(group->state, sizeof group->state,
                 state == RD_KAFKA_CONSUMER_GROUP_STATE_DEAD ? "none" : rd_kafka_consumer_group_state_name(state));
    od_admin_put(group->type, sizeof group->type,
                 rd_kafka_consumer_group_type_name(rd_kafka_ConsumerGroupDescription_type(found[0])));
    od_admin_put(group->protocol, sizeof group->protocol,
                 rd_kafka_ConsumerGroupDescription_partition_assignor(found[0]));
    take_coordinator(group, rd_kafka_ConsumerGroupDescription_coordinator(found[0]));
    take_rights(group, found[0]);
    size_t members = rd_kafka_ConsumerGroupDescription_member_count(found[0]);
    group->members = calloc(members ? members : 1, sizeof *group->members);
    if (!group->members) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < members; i++) {
        take_member(&group->members[group->count++], rd_kafka_ConsumerGroupDescription_member(found[0], i));
    }
    return ORDERLY_OK;
}

/* A coordinator that is just being found, or reads its log, is a matter of a moment. */
static bool is_transient(const struct orderly_error *error)
{
    return error->kafka_code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS ||
           error->kafka_code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
           error->kafka_code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
}

static enum orderly_err describe(struct orderly_admin *admin, struct orderly_group *group, struct orderly_error *error)
{
    const char *name = group->name;
    rd_kafka_AdminOptions_t *options = od_admin_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_event_t *event = NULL;
    rd_kafka_error_t *refused = rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
    if (refused) {
        rd_kafka_error_destroy(refused);
    }
    rd_kafka_DescribeConsumerGroups(admin->rk, &name, 1, options, admin->queue);
    enum orderly_err err = od_admin_wait(admin, "the group cannot be described", &event, error);
    if (!err) {
        err = take_group(admin, event, group, error);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    return err;
}

enum orderly_err orderly_admin_group(struct orderly_admin *admin, struct orderly_group **ret,
                                     struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !ret) {
        return od_fail(error, ORDERLY_INVALID, "no admin object");
    }
    const char *name = od_admin_text(admin, "kafka.group.id");
    if (!*name) {
        return od_fail(error, ORDERLY_CONFIG, "no group is named; give --group NAME or set kafka.group.id");
    }
    if (od_admin_embedded(admin)) {
        return od_admin_refuse(admin, "the group cannot be described", error);
    }
    struct orderly_group *group = calloc(1, sizeof *group);
    if (!group) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    od_admin_put(group->name, sizeof group->name, name);
    struct orderly_error own = ORDERLY_ERROR_INIT;
    enum orderly_err err = ORDERLY_OK;
    for (int64_t waited_ms = 0; waited_ms == 0 || (err && is_transient(&own) && waited_ms < admin->timeout_ms);
         waited_ms += TRY_AGAIN_MS) {
        if (waited_ms) {
            rd_kafka_poll(admin->rk, TRY_AGAIN_MS);
        }
        od_error_clear(&own);
        err = describe(admin, group, &own);
    }
    if (err) {
        od_fail_kafka(error, err, own.kafka_code, "%s", own.text);
    }
    if (err) {
        orderly_group_free(group);
        return err;
    }
    *ret = group;
    return ORDERLY_OK;
}
