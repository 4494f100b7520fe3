/*
 * Lag of a group, read from Kafka alone: begin, end, committed offset of each partition of its sources and retry topics, and
 * what the offset map in the commit's metadata says is done above the committed offset.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text_list.h"
#include "core/offset_map.h"
#include "kafka/admin.h"
#include "kafka/topic_id.h"

void orderly_group_lags_free(struct orderly_group_lags *lags)
{
    if (lags) {
        free(lags->list);
        free(lags);
    }
}

static struct orderly_group_lag *find_lag(struct orderly_group_lags *lags, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < lags->count; i++) {
        if (lags->list[i].partition == partition && !strcmp(lags->list[i].topic, topic)) {
            return &lags->list[i];
        }
    }
    return NULL;
}

static const struct orderly_topic *find_topic(const struct orderly_topics *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        if (!strcmp(all->list[i].name, name)) {
            return &all->list[i];
        }
    }
    return NULL;
}

static enum orderly_err add_topic(struct orderly_group_lags *lags, const struct orderly_topic *topic)
{
    if (!topic || topic->partitions < 1 || find_lag(lags, topic->name, 0)) {
        return ORDERLY_OK;
    }
    size_t count = lags->count + (size_t)topic->partitions;
    struct orderly_group_lag *list = realloc(lags->list, count * sizeof *list);
    if (!list) {
        return ORDERLY_NOMEM;
    }
    lags->list = list;
    for (int32_t p = 0; p < topic->partitions; p++) {
        struct orderly_group_lag *lag = &list[lags->count++];
        *lag = (struct orderly_group_lag){.partition = p, .begin = -1, .end = -1, .committed = -1};
        od_admin_put(lag->topic, sizeof lag->topic, topic->name);
    }
    return ORDERLY_OK;
}

static enum orderly_err add_topics(struct orderly_admin *admin, const struct orderly_topics *all,
                                   struct orderly_group_lags *lags, struct orderly_error *error)
{
    struct od_text_list sources = {0};
    enum orderly_err err = od_admin_sources(admin, all, &sources, error);
    for (size_t i = 0; i < sources.count && !err; i++) {
        char retry[256], dead_letter[256];
        if (!find_topic(all, sources.items[i])) {
            err = od_fail(error, ORDERLY_UNKNOWN_TOPIC, "topic %s does not exist: create it, or mend its name",
                          sources.items[i]);
            break;
        }
        err = orderly_admin_names(admin, sources.items[i], retry, dead_letter, error);
        if (!err) {
            err = add_topic(lags, find_topic(all, sources.items[i]));
        }
        if (!err) {
            err = add_topic(lags, find_topic(all, retry));
        }
    }
    od_text_list_fini(&sources);
    return err;
}

static rd_kafka_topic_partition_list_t *partitions_of(const struct orderly_group_lags *lags, int64_t offset)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)lags->count);
    for (size_t i = 0; i < lags->count; i++) {
        rd_kafka_topic_partition_list_add(list, lags->list[i].topic, lags->list[i].partition)->offset = offset;
    }
    return list;
}

static void take_ends(struct orderly_group_lags *lags, rd_kafka_event_t *event, bool end)
{
    size_t count = 0;
    const rd_kafka_ListOffsetsResultInfo_t **infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *found = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
        struct orderly_group_lag *lag = find_lag(lags, found->topic, found->partition);
        if (lag && !found->err) {
            *(end ? &lag->end : &lag->begin) = found->offset;
        }
    }
}

static enum orderly_err read_ends(struct orderly_admin *admin, struct orderly_group_lags *lags, bool end,
                                  struct orderly_error *error)
{
    rd_kafka_topic_partition_list_t *list =
        partitions_of(lags, end ? RD_KAFKA_OFFSET_SPEC_LATEST : RD_KAFKA_OFFSET_SPEC_EARLIEST);
    rd_kafka_AdminOptions_t *options = od_admin_options(admin, RD_KAFKA_ADMIN_OP_LISTOFFSETS);
    rd_kafka_event_t *event = NULL;
    rd_kafka_ListOffsets(admin->rk, list, options, admin->queue);
    enum orderly_err err = od_admin_wait(admin, "the ends of partitions cannot be read", &event, error);
    if (!err) {
        take_ends(lags, event, end);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_topic_partition_list_destroy(list);
    return err;
}

static enum orderly_err read_map(struct orderly_group_lag *lag, const rd_kafka_topic_partition_t *found,
                                 const struct orderly_topics *all)
{
    struct od_offset_map map;
    const struct orderly_topic *topic = find_topic(all, found->topic);
    enum orderly_err err = od_offset_map_decode(&map, found->metadata, found->metadata_size, found->offset,
                                                topic ? od_topic_id_hash(topic->id) : 0);
    if (err) {
        return err;
    }
    if (map.refusal == OD_MAP_ACCEPTED) {
        od_admin_put(lag->map, sizeof lag->map, "ok");
        lag->done_above = map.done_count;
    } else if (map.refusal != OD_MAP_EMPTY) {
        od_admin_put(lag->map, sizeof lag->map, od_map_refusal_text(map.refusal));
    }
    od_offset_map_fini(&map);
    return ORDERLY_OK;
}

static enum orderly_err read_committed(struct orderly_admin *admin, struct orderly_group_lags *lags,
                                       const struct orderly_topics *all, struct orderly_error *error)
{
    rd_kafka_topic_partition_list_t *asked = partitions_of(lags, RD_KAFKA_OFFSET_INVALID);
    rd_kafka_topic_partition_list_t *list = NULL;
    enum orderly_err err = od_admin_offsets(admin, od_admin_text(admin, "kafka.group.id"), asked, &list, error);
    for (int i = 0; !err && i < list->cnt; i++) {
        struct orderly_group_lag *lag = find_lag(lags, list->elems[i].topic, list->elems[i].partition);
        if (lag && !list->elems[i].err && list->elems[i].offset >= 0) {
            lag->committed = list->elems[i].offset;
            err = read_map(lag, &list->elems[i], all);
        }
    }
    if (list) {
        rd_kafka_topic_partition_list_destroy(list);
    }
    rd_kafka_topic_partition_list_destroy(asked);
    return err;
}

enum orderly_err orderly_admin_lag(struct orderly_admin *admin, struct orderly_group_lags **ret,
                                   struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !ret) {
        return od_fail(error, ORDERLY_INVALID, "no admin object");
    }
    struct orderly_topics *all = NULL;
    struct orderly_group_lags *lags = calloc(1, sizeof *lags);
    enum orderly_err err = lags ? orderly_admin_list(admin, &all, error) : ORDERLY_NOMEM;
    if (!err) {
        err = add_topics(admin, all, lags, error);
    }
    if (!err && lags->count) {
        err = read_ends(admin, lags, false, error);
        err = err ? err : read_ends(admin, lags, true, error);
        err = err ? err : read_committed(admin, lags, all, error);
    }
    orderly_topics_free(all);
    if (err) {
        orderly_group_lags_free(lags);
        return err == ORDERLY_NOMEM ? od_fail(error, err, "out of memory") : err;
    }
    *ret = lags;
    return ORDERLY_OK;
}
