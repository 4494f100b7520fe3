/* Moves records out of a topic: see mover.h. */
#include "kafka/mover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "core/offset_map.h"
#include "core/window.h"
#include "kafka/scan.h"
#include "kafka/topic_id.h"

#define MAP_MAX 4000 /* characters of commit metadata; brokers take 4,096 */

struct part {
    struct od_window window;
    struct od_offset_map map; /* what the group had done when we began */
    int64_t committed;        /* -1: nothing yet */
    bool opened, dirty;
};

struct od_mover {
    struct orderly_admin *admin;
    char *group, *topic;
    uint64_t topic_id;
    struct part *parts;
    int32_t count;
    struct od_scan *scan;
    rd_kafka_t *producer; /* transactional; NULL on the embedded broker */
    bool in_transaction, prepared;
};

/* ---- What the group has done --------------------------------------------------------------------------- */

/* Reading again: nothing may have changed. */
static enum orderly_err take_part(struct od_mover *mover, const rd_kafka_topic_partition_t *found, bool again,
                                  struct orderly_error *error)
{
    struct part *part = &mover->parts[found->partition];
    struct od_offset_map map;
    enum orderly_err err =
        od_offset_map_decode(&map, found->metadata, found->metadata_size, found->offset, mover->topic_id);
    if (err) {
        return od_fail(error, err, "out of memory");
    }
    if (!again) {
        part->committed = found->offset;
        part->map = map;
        return ORDERLY_OK;
    }
    bool same = part->committed == found->offset && part->map.done_count == map.done_count;
    od_offset_map_fini(&map);
    return same ? ORDERLY_OK
                : od_fail(error, ORDERLY_STATE, "somebody else moves records of %s at the same time: try again",
                          mover->topic);
}

static enum orderly_err read_offsets(struct od_mover *mover, bool again, struct orderly_error *error)
{
    rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_new(mover->count);
    for (int32_t i = 0; i < mover->count; i++) {
        rd_kafka_topic_partition_list_add(asked, mover->topic, i);
    }
    rd_kafka_topic_partition_list_t *list = NULL;
    enum orderly_err err = od_admin_offsets(mover->admin, mover->group, asked, &list, error);
    for (int i = 0; !err && i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *found = &list->elems[i];
        if (!found->err && found->offset >= 0 && found->partition >= 0 && found->partition < mover->count) {
            err = take_part(mover, found, again, error);
        }
    }
    if (list) {
        rd_kafka_topic_partition_list_destroy(list);
    }
    rd_kafka_topic_partition_list_destroy(asked);
    return err;
}

/* ---- Transactions --------------------------------------------------------------------------------------- */

/* Takes ownership of the error. */
static enum orderly_err fail_with(struct od_mover *mover, rd_kafka_error_t *refused, const char *what,
                                  struct orderly_error *error)
{
    if (!refused) {
        return ORDERLY_OK;
    }
    enum orderly_err err =
        od_admin_fail(mover->admin, error, rd_kafka_error_code(refused), rd_kafka_error_string(refused), what);
    rd_kafka_error_destroy(refused);
    return err;
}

/* One transactional id for a group and topic: a second mover at the same time fences the first. */
static enum orderly_err open_producer(struct od_mover *mover, struct orderly_error *error)
{
    char text[256] = "", id[600];
    rd_kafka_conf_t *conf = NULL;
    enum orderly_err err = od_admin_conf(mover->admin, &conf, error);
    if (err) {
        return err;
    }
    snprintf(id, sizeof id, "orderly-mover-%.249s-%.249s", mover->group, mover->topic);
    rd_kafka_conf_set(conf, "transactional.id", id, text, sizeof text);
    mover->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!mover->producer) {
        rd_kafka_conf_destroy(conf);
        return od_fail(error, ORDERLY_CONFIG, "librdkafka refuses the settings: %s", text);
    }
    return fail_with(mover, rd_kafka_init_transactions(mover->producer, (int)mover->admin->timeout_ms),
                     "transactions cannot be used", error);
}

/* Members hold the group's offsets in memory: they would not notice that some of their records are done. */
static enum orderly_err refuse_members(struct od_mover *mover, struct orderly_error *error)
{
    struct orderly_group *found = NULL;
    struct orderly_error ignored = ORDERLY_ERROR_INIT;
    if (strcmp(mover->group, od_admin_text(mover->admin, "kafka.group.id")) != 0 ||
        orderly_admin_group(mover->admin, &found, &ignored)) {
        return ORDERLY_OK;
    }
    size_t members = found->count;
    orderly_group_free(found);
    return members ? od_fail(error, ORDERLY_STATE,
                             "group %s has %zu running members, which would not notice: stop them first "
                             "(`orderly drain --wait`)",
                             mover->group, members)
                   : ORDERLY_OK;
}

/* Before the first change. The producer fences another mover; what that one has moved since we read the offsets is found by reading again. */
static enum orderly_err prepare(struct od_mover *mover, struct orderly_error *error)
{
    if (mover->prepared || od_admin_embedded(mover->admin)) {
        mover->prepared = true;
        return ORDERLY_OK;
    }
    enum orderly_err err = refuse_members(mover, error);
    err = err ? err : open_producer(mover, error);
    err = err ? err : read_offsets(mover, true, error);
    mover->prepared = !err;
    return err;
}

static enum orderly_err begin_transaction(struct od_mover *mover, struct orderly_error *error)
{
    if (!mover->producer || mover->in_transaction) {
        return ORDERLY_OK;
    }
    enum orderly_err err =
        fail_with(mover, rd_kafka_begin_transaction(mover->producer), "a transaction cannot begin", error);
    mover->in_transaction = !err;
    return err;
}

/* ---- Life ------------------------------------------------------------------------------------------------ */

void od_mover_close(struct od_mover *mover)
{
    if (!mover) {
        return;
    }
    od_scan_close(mover->scan);
    if (mover->producer) {
        if (mover->in_transaction) {
            rd_kafka_error_t *refused = rd_kafka_abort_transaction(mover->producer, 5000);
            if (refused) {
                rd_kafka_error_destroy(refused); /* the broker aborts it when its time is over */
            }
        }
        rd_kafka_destroy(mover->producer);
    }
    for (int32_t i = 0; mover->parts && i < mover->count; i++) {
        od_window_fini(&mover->parts[i].window);
        od_offset_map_fini(&mover->parts[i].map);
    }
    free(mover->parts);
    free(mover->group);
    free(mover->topic);
    free(mover);
}

static enum orderly_err look_up(struct od_mover *mover, struct orderly_error *error)
{
    struct orderly_topic found;
    enum orderly_err err = orderly_admin_topic(mover->admin, mover->topic, &found, error);
    if (err) {
        return err;
    }
    if (!found.exists) {
        return od_fail(error, ORDERLY_UNKNOWN_TOPIC, "topic %s does not exist", mover->topic);
    }
    mover->topic_id = od_topic_id_hash(found.id);
    mover->parts = calloc((size_t)found.partitions, sizeof *mover->parts);
    if (!mover->parts) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    mover->count = found.partitions;
    for (int32_t i = 0; i < mover->count; i++) {
        mover->parts[i].committed = -1;
    }
    return ORDERLY_OK;
}

static enum orderly_err open_scan(struct od_mover *mover, size_t record_bytes, struct orderly_error *error)
{
    struct od_scan_start *starts = calloc((size_t)mover->count, sizeof *starts);
    if (!starts) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    for (int32_t i = 0; i < mover->count; i++) {
        starts[i] = (struct od_scan_start){i, mover->parts[i].committed < 0 ? -2 : mover->parts[i].committed};
    }
    enum orderly_err err =
        od_scan_open(mover->admin, mover->topic, starts, (size_t)mover->count, record_bytes, &mover->scan, error);
    free(starts);
    return err;
}

enum orderly_err od_mover_open(struct orderly_admin *admin, const char *group, const char *topic, size_t record_bytes,
                               struct od_mover **ret, struct orderly_error *error)
{
    struct od_mover *mover = calloc(1, sizeof *mover);
    if (!mover) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    mover->admin = admin;
    mover->group = strdup(group);
    mover->topic = strdup(topic);
    enum orderly_err err = mover->group && mover->topic ? ORDERLY_OK : ORDERLY_NOMEM;
    err = err ? od_fail(error, err, "out of memory") : look_up(mover, error);
    err = err ? err : read_offsets(mover, false, error);
    err = err ? err : open_scan(mover, record_bytes, error);
    if (err) {
        od_mover_close(mover);
        return err;
    }
    *ret = mover;
    return ORDERLY_OK;
}

/* ---- Records ---------------------------------------------------------------------------------------------- */

/* Enters a record into its window; *ret_done: the group has done it already. */
static enum orderly_err see(struct od_mover *mover, const struct od_message *message, bool *ret_done,
                            struct orderly_error *error)
{
    struct part *part = &mover->parts[od_message_partition(message)];
    int64_t offset = od_message_offset(message);
    int32_t epoch = od_message_leader_epoch(message);
    if (!part->opened) {
        od_window_init(&part->window, part->committed < 0 || part->committed > offset ? offset : part->committed);
        part->opened = true;
    }
    *ret_done = od_offset_map_done(&part->map, offset, epoch);
    bool kept = *ret_done ? od_window_add_done(&part->window, offset, epoch) : od_window_add(&part->window, offset, 0);
    return kept ? ORDERLY_OK : od_fail(error, ORDERLY_NOMEM, "out of memory");
}

enum orderly_err od_mover_take(struct od_mover *mover, struct od_message **ret, struct orderly_error *error)
{
    for (;;) {
        struct od_message *message = NULL;
        bool done = false;
        enum orderly_err err = od_scan_take(mover->scan, mover->admin->timeout_ms, &message, error);
        err = err ? err : see(mover, message, &done, error);
        if (!err && !done) {
            *ret = message;
            return ORDERLY_OK;
        }
        od_message_free(message);
        if (err) {
            return err;
        }
    }
}

enum orderly_err od_mover_copy(struct od_mover *mover, const struct od_deliver *copy, struct orderly_error *error)
{
    char what[320];
    enum orderly_err err = prepare(mover, error);
    err = err ? err : begin_transaction(mover, error);
    if (err) {
        return err;
    }
    rd_kafka_resp_err_t code =
        od_deliver(mover->producer ? mover->producer : mover->admin->rk, copy, mover->admin->timeout_ms);
    od_admin_say(what, sizeof what, "the copy was not written to %s", copy->topic);
    return code ? od_admin_fail(mover->admin, error, code, NULL, what) : ORDERLY_OK;
}

enum orderly_err od_mover_done(struct od_mover *mover, const struct od_message *message, struct orderly_error *error)
{
    int32_t partition = od_message_partition(message);
    int64_t offset = od_message_offset(message);
    struct part *part = partition >= 0 && partition < mover->count ? &mover->parts[partition] : NULL;
    if (!part || !part->opened || od_window_find(&part->window, offset) == OD_SLOT_NONE) {
        return od_fail(error, ORDERLY_INVALID, "that record was not taken, or is done already");
    }
    od_window_done(&part->window, offset, od_message_leader_epoch(message));
    part->dirty = true;
    return ORDERLY_OK;
}

static enum orderly_err add_offsets(struct od_mover *mover, rd_kafka_topic_partition_list_t *list,
                                    struct orderly_error *error)
{
    char text[MAP_MAX + 1];
    for (int32_t i = 0; i < mover->count; i++) {
        struct part *part = &mover->parts[i];
        size_t size = 0;
        if (!part->dirty) {
            continue;
        }
        if (!od_offset_map_encode(&part->window, &part->map, mover->topic_id, NULL, 0, MAP_MAX, text, &size)) {
            return od_fail(error, ORDERLY_LIMIT,
                           "%s/%d: too many gaps between the records that are done to remember them all; take all "
                           "records of that partition, or fewer at a time by offset",
                           mover->topic, (int)i);
        }
        rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_add(list, mover->topic, i);
        entry->offset = od_window_watermark(&part->window);
        entry->metadata = size ? malloc(size) : NULL; /* librdkafka frees it */
        entry->metadata_size = entry->metadata ? size : 0;
        if (entry->metadata) {
            memcpy(entry->metadata, text, size);
        }
    }
    return ORDERLY_OK;
}

static enum orderly_err commit_transaction(struct od_mover *mover, const rd_kafka_topic_partition_list_t *list,
                                           struct orderly_error *error)
{
    int timeout_ms = (int)mover->admin->timeout_ms;
    enum orderly_err err = begin_transaction(mover, error);
    if (err) {
        return err;
    }
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(mover->group);
    err = fail_with(mover, rd_kafka_send_offsets_to_transaction(mover->producer, list, group, timeout_ms),
                    "what was moved cannot be remembered", error);
    rd_kafka_consumer_group_metadata_destroy(group);
    if (!err) {
        err = fail_with(mover, rd_kafka_commit_transaction(mover->producer, timeout_ms),
                        "the copies cannot be committed", error);
        mover->in_transaction = err != ORDERLY_OK;
    }
    return err;
}

/* The answer as a whole may be fine and each partition refused. */
static enum orderly_err take_altered(struct od_mover *mover, rd_kafka_event_t *event, struct orderly_error *error)
{
    static const char what[] = "what was moved cannot be remembered";
    size_t count = 0;
    const rd_kafka_group_result_t **groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
        rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count);
    const rd_kafka_error_t *refused = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
    if (count != 1 || refused) {
        return od_admin_fail(mover->admin, error, refused ? rd_kafka_error_code(refused) : RD_KAFKA_RESP_ERR__FAIL,
                             refused ? rd_kafka_error_string(refused) : NULL, what);
    }
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(groups[0]);
    for (int i = 0; list && i < list->cnt; i++) {
        if (list->elems[i].err) {
            return od_admin_fail(mover->admin, error, list->elems[i].err, NULL, what);
        }
    }
    return ORDERLY_OK;
}

static enum orderly_err commit_plainly(struct od_mover *mover, const rd_kafka_topic_partition_list_t *list,
                                       struct orderly_error *error)
{
    rd_kafka_AlterConsumerGroupOffsets_t *request = rd_kafka_AlterConsumerGroupOffsets_new(mover->group, list);
    rd_kafka_AdminOptions_t *options = od_admin_options(mover->admin, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS);
    rd_kafka_event_t *event = NULL;
    rd_kafka_AlterConsumerGroupOffsets(mover->admin->rk, &request, 1, options, mover->admin->queue);
    enum orderly_err err = od_admin_wait(mover->admin, "what was moved cannot be remembered", &event, error);
    if (!err) {
        err = take_altered(mover, event, error);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_AlterConsumerGroupOffsets_destroy(request);
    return err;
}

enum orderly_err od_mover_commit(struct od_mover *mover, struct orderly_error *error)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(mover->count);
    enum orderly_err err = prepare(mover, error);
    err = err ? err : add_offsets(mover, list, error);
    if (!err && list->cnt) {
        err = mover->producer ? commit_transaction(mover, list, error) : commit_plainly(mover, list, error);
    }
    rd_kafka_topic_partition_list_destroy(list);
    for (int32_t i = 0; i < mover->count && !err; i++) {
        mover->parts[i].dirty = false;
    }
    return err;
}
