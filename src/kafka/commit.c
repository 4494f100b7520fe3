/*
 * Commits: those of one step together, at most 512 KiB a request, each partition with its own result, the map always given explicitly (a commit
 * without metadata would wipe it). Never without a membership: a group that is empty accepts a commit from anybody.
 */
#include "kafka/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define REQUEST_BYTES (512 * 1024)
#define PARTITION_COST 64 /* bytes of a request beside its texts */

struct commit_request {
    struct od_request base;
    OD_VEC(struct od_commit_item) items;
    char member_id[128]; /* the membership it was sent with */
    int32_t generation;
    void (*probed)(struct od_engine *, enum od_probe); /* a probe: no COMMITTED */
};

static void item_fini(struct od_commit_item *item)
{
    free(item->text);
}

void od_commits_fini(struct od_engine *engine)
{
    struct od_commits *commits = &engine->commits;
    for (size_t i = 0; i < commits->waiting.count; i++) {
        item_fini(&commits->waiting.items[i]);
    }
    od_vec_fini(&commits->waiting);
    od_vec_fini(&commits->answers);
}

void od_engine_commit(struct od_engine *engine, uint32_t id, int64_t offset, int32_t leader_epoch, const char *text,
                      size_t text_size, uint64_t sequence)
{
    struct od_commit_item item = {
        id,      leader_epoch, offset, od_text_copy_bytes(text ? text : "", text ? text_size : 0), text ? text_size : 0,
        sequence};
    if (!item.text || !od_vec_push(&engine->commits.waiting, item)) {
        free(item.text);
        od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory at a commit");
    }
}

static void answer_later(struct od_engine *engine, const struct od_commit_item *item, enum od_commit_result result)
{
    struct od_commit_answer answer = {item->id, item->sequence, result};
    if (!od_vec_push(&engine->commits.answers, answer)) {
        od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory at a commit");
    }
    engine->busy = true;
    od_wake_signal(engine->wake);
}

void od_commits_serve(struct od_engine *engine)
{
    while (engine->commits.answers.count > 0) {
        struct od_commit_answer answer = od_vec_pop(&engine->commits.answers);
        struct od_event event = {.type = OD_EVENT_COMMITTED, .committed = {answer.id, answer.sequence, answer.result}};
        od_engine_emit(engine, &event);
    }
}

static enum od_commit_result class_of(rd_kafka_resp_err_t err)
{
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
    case RD_KAFKA_RESP_ERR__NO_OFFSET:
        return OD_COMMIT_OK;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH:
        return OD_COMMIT_FENCED;
    case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE:
        return OD_COMMIT_MAP_TOO_LARGE;
    case RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
        return OD_COMMIT_OVERTAKEN;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART: /* deleted, perhaps to come back */
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
    case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR__DESTROY:
        return OD_COMMIT_AGAIN;
    default:
        return OD_COMMIT_REFUSED;
    }
}

static void remember(struct od_stay *stay, struct od_commit_item *item)
{
    stay->committed = item->offset;
    stay->committed_epoch = item->leader_epoch;
    free(stay->committed_text);
    stay->committed_text = item->text;
    item->text = NULL;
}

static void report(struct od_engine *engine, const char *topic, int32_t partition, rd_kafka_resp_err_t err,
                   enum od_commit_result result)
{
    if (err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED || err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) {
        od_fault(engine, ORDERLY_AUTH, err, true, "not authorised to commit %s[%d]: %s", topic, (int)partition,
                 rd_kafka_err2str(err));
    } else if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        uint32_t index = od_topics_find(&engine->topics, topic);
        od_engine_log(engine, ORDERLY_LOG_INFO, "commit",
                      "%s[%d] was not committed: the group's coordinator does not know the topic", topic,
                      (int)partition);
        if (index != OD_NO_TOPIC && engine->topics.list.items[index]->id[0]) {
            engine->topics.list.items[index]->doubted = true;
            od_subscription_look_again(engine);
        }
    } else if (result != OD_COMMIT_OK) {
        od_engine_log(
            engine, result == OD_COMMIT_AGAIN || result == OD_COMMIT_OVERTAKEN ? ORDERLY_LOG_INFO : ORDERLY_LOG_WARNING,
            "commit", "%s[%d] was not committed: %s", topic, (int)partition, rd_kafka_err2str(err));
    }
}

static void request_free(struct commit_request *request)
{
    for (size_t i = 0; i < request->items.count; i++) {
        item_fini(&request->items.items[i]);
    }
    od_vec_fini(&request->items);
    free(request);
}

static rd_kafka_resp_err_t error_of(rd_kafka_event_t *event, const char *topic, int32_t partition)
{
    rd_kafka_resp_err_t err = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__DESTROY;
    rd_kafka_topic_partition_list_t *list = event ? rd_kafka_event_topic_partition_list(event) : NULL;
    rd_kafka_topic_partition_t *item = list ? rd_kafka_topic_partition_list_find(list, topic, partition) : NULL;
    return item && item->err ? item->err : err;
}

/*
 * A rebalance that ends between the sending and the answer leaves the request with the generation before: the partitions are still ours, and the commit
 * goes out again with the new one.
 */
static enum od_commit_result result_of(struct od_engine *engine, const struct commit_request *request,
                                       rd_kafka_resp_err_t err)
{
    bool outdated = err == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION && engine->handle && od_group_refresh(engine) &&
                    engine->group.generation != request->generation &&
                    strcmp(engine->group.member_id, request->member_id) == 0;
    return outdated ? OD_COMMIT_OVERTAKEN : class_of(err);
}

static void committed(struct od_engine *engine, struct od_request *base, rd_kafka_event_t *event)
{
    struct commit_request *request = (struct commit_request *)base;
    bool fenced = false;
    for (size_t i = 0; i < request->items.count; i++) {
        struct od_commit_item *item = &request->items.items[i];
        struct od_stay *stay = od_stays_find(engine, item->id);
        const char *topic = stay ? engine->topics.list.items[stay->topic]->name : "";
        rd_kafka_resp_err_t err = stay ? error_of(event, topic, stay->partition) : RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID;
        enum od_commit_result result = result_of(engine, request, err);
        if (stay) {
            stay->commits_out--;
        }
        if (request->probed) {
            if (stay) {
                stay->probe_out = false;
            }
            request->probed(engine, result == OD_COMMIT_OK       ? OD_PROBE_MEMBER
                                    : result == OD_COMMIT_FENCED ? OD_PROBE_FENCED
                                                                 : OD_PROBE_UNKNOWN);
            continue;
        }
        if (stay) {
            report(engine, topic, stay->partition, err, result);
            fenced = fenced || result == OD_COMMIT_FENCED;
        }
        struct od_event told = {.type = OD_EVENT_COMMITTED, .committed = {item->id, item->sequence, result}};
        if (stay && result == OD_COMMIT_OK) {
            remember(stay, item);
        }
        od_engine_emit(engine, &told);
    }
    if (fenced && engine->group.pending == OD_PENDING_NONE && !engine->group.fenced_at_ms) {
        engine->group.fenced_at_ms = engine->now_ms;
    }
    bool probed = request->probed != NULL;
    request_free(request);
    if (probed) {
        od_commits_flush(engine);
    }
}

static void send_request(struct od_engine *engine, struct commit_request *request)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)request->items.count);
    for (size_t i = 0; i < request->items.count; i++) {
        const struct od_commit_item *item = &request->items.items[i];
        struct od_stay *stay = od_stays_find(engine, item->id);
        stay->commits_out++;
        rd_kafka_topic_partition_t *place =
            rd_kafka_topic_partition_list_add(list, engine->topics.list.items[stay->topic]->name, stay->partition);
        place->offset = item->offset;
        place->metadata = od_text_copy_bytes(item->text, item->text_size); /* the list frees it */
        place->metadata_size = place->metadata ? item->text_size : 0;
        if (item->leader_epoch >= 0) {
            rd_kafka_topic_partition_set_leader_epoch(place, item->leader_epoch);
        }
    }
    (void)od_group_refresh(engine);
    snprintf(request->member_id, sizeof request->member_id, "%s", engine->group.member_id);
    request->generation = engine->group.generation;
    request->base.done = committed;
    od_request_add(engine, engine->handle, &request->base);
    rd_kafka_resp_err_t err = rd_kafka_commit_queue(engine->handle->rk, list, engine->handle->answers, NULL, request);
    if (err) {
        od_request_remove(engine, &request->base);
        for (size_t i = 0; i < request->items.count; i++) {
            od_stays_find(engine, request->items.items[i].id)->commits_out--;
        }
        for (size_t i = 0; i < request->items.count && !request->probed; i++) {
            answer_later(engine, &request->items.items[i], class_of(err));
        }
        if (request->probed) {
            od_stays_find(engine, request->items.items[0].id)->probe_out = false;
            request->probed(engine, OD_PROBE_UNKNOWN);
        }
        request_free(request);
    }
    rd_kafka_topic_partition_list_destroy(list);
}

static size_t cost(const struct od_engine *engine, const struct od_commit_item *item)
{
    const struct od_stay *stay = od_stays_find(engine, item->id);
    return item->text_size + PARTITION_COST + (stay ? strlen(engine->topics.list.items[stay->topic]->name) : 0);
}

/* Whether the item may go out; what may not is answered. An offset of a topic that was deleted must not become one of its successor. */
static bool admit(struct od_engine *engine, struct od_commit_item *item, bool member)
{
    const struct od_stay *stay = od_stays_find(engine, item->id);
    const struct od_topic *topic = stay ? engine->topics.list.items[stay->topic] : NULL;
    bool other = stay && stay->topic_id_hash && topic->id_hash && stay->topic_id_hash != topic->id_hash;
    if (stay && !stay->closing && member && !other && !topic->doubted && !stay->resetting) {
        return true;
    }
    bool ending = engine->group.pending == OD_PENDING_REVOKE;
    bool over =
        !stay || stay->closing || od_leave_begun(engine) || (ending && (other || (topic->doubted && topic->err)));
    answer_later(engine, item, over ? OD_COMMIT_FENCED : member ? OD_COMMIT_AGAIN : OD_COMMIT_OVERTAKEN);
    return false;
}

void od_commits_flush(struct od_engine *engine)
{
    struct od_commits *commits = &engine->commits;
    struct commit_request *request = NULL;
    size_t bytes = 0;
    size_t kept = 0;
    if (commits->waiting.count == 0) {
        return;
    }
    bool member = engine->handle && !engine->recovery.wanted && od_group_refresh(engine);
    for (size_t i = 0; i < commits->waiting.count; i++) {
        struct od_commit_item item = commits->waiting.items[i];
        const struct od_stay *stay = od_stays_find(engine, item.id);
        if (stay && stay->probe_out) {
            commits->waiting.items[kept++] = item;
            continue;
        }
        if (!admit(engine, &item, member)) {
            item_fini(&item);
            continue;
        }
        if (request && bytes + cost(engine, &item) > REQUEST_BYTES) {
            send_request(engine, request);
            request = NULL;
        }
        if (!request) {
            request = calloc(1, sizeof *request);
            bytes = 0;
        }
        if (!request || !od_vec_push(&request->items, item)) {
            item_fini(&item);
            od_fault(engine, ORDERLY_NOMEM, 0, true, "out of memory at a commit");
            continue;
        }
        bytes += cost(engine, &item);
    }
    if (request) {
        send_request(engine, request);
    }
    commits->waiting.count = kept;
}

bool od_commits_probe(struct od_engine *engine, struct od_stay *stay, void (*done)(struct od_engine *, enum od_probe))
{
    struct commit_request *request = calloc(1, sizeof *request);
    if (!request || stay->committed < 0 || stay->commits_out > 0 || !engine->handle) {
        free(request);
        return false;
    }
    const char *text = stay->committed_text ? stay->committed_text : "";
    struct od_commit_item item = {stay->id,           stay->committed_epoch, stay->committed,
                                  od_text_copy(text), strlen(text),          0};
    if (!item.text || !od_vec_push(&request->items, item)) {
        free(item.text);
        free(request);
        return false;
    }
    request->probed = done;
    stay->probe_out = true;
    send_request(engine, request);
    return true;
}
