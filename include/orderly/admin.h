/*
 * <orderly/admin.h>: looking at, and mending, what a group has in Kafka, without joining it: topics, lag with the offset map
 * counted, members, the records of retry and dead-letter topics. What the command line's tools are made of.
 *
 * Every call waits for brokers up to the timeout given to orderly_admin_new(). One thread at a time per object.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef ORDERLY_ADMIN_H
#define ORDERLY_ADMIN_H

#include "orderly/orderly.h"

#ifdef __cplusplus
extern "C" {
#endif

struct orderly_admin;

/* Uses kafka.* and the names of the settings; copies them. Errors: CONFIG, NOMEM. */
ORDERLY_CHECKED enum orderly_err orderly_admin_new(const struct orderly_config *, int64_t timeout_ms,
                                                   struct orderly_admin **ret, struct orderly_error *);
/* NULL is fine. */
ORDERLY_API void orderly_admin_free(struct orderly_admin *);

struct orderly_topic {
    char name[256];
    char id[40]; /* "" where the broker gives none */
    int32_t partitions, replication;
    int64_t retention_ms, retention_bytes; /* -1: none; INT64_MIN: not known */
    int64_t max_message_bytes;             /* -1: not known */
    char cleanup_policy[32];
    bool exists;
    bool rights_known, may_read, may_write; /* what the broker says that this user may do */
    int32_t leaderless;                     /* partitions that nobody leads now: they are not read and not written */
    int32_t in_sync;                        /* replicas in sync, of the partition that has fewest; -1: not known */
    int32_t min_in_sync;                    /* min.insync.replicas: with fewer no copy is written; -1: not known */
};
struct orderly_topics {
    size_t count;
    struct orderly_topic *list;
};
struct orderly_cluster {
    char id[64];
    int32_t brokers, controller; /* controller: its node id; -1: not known */
    bool configs_known;          /* a broker has told what follows; else it is empty */
    char version[32];            /* of Kafka, as exactly as brokers tell */
    char protocols[64];          /* the group protocols they speak: "classic,consumer"; empty: older than 3.7 */
    char assignors[128];         /* those of the consumer protocol */
};
/* The cluster as a broker of it sees it. */
ORDERLY_CHECKED enum orderly_err orderly_admin_cluster(struct orderly_admin *, struct orderly_cluster *ret,
                                                       struct orderly_error *);

/* All topics of the cluster (names, ids, partitions); without configurations. */
ORDERLY_CHECKED enum orderly_err orderly_admin_list(struct orderly_admin *, struct orderly_topics **ret,
                                                    struct orderly_error *);
/* One topic with its configuration; `exists` false when there is none. */
ORDERLY_CHECKED enum orderly_err orderly_admin_topic(struct orderly_admin *, const char *name,
                                                     struct orderly_topic *ret, struct orderly_error *);
ORDERLY_API void orderly_topics_free(struct orderly_topics *);
/* `configs`: "name=value" texts. replication -1: the broker's default. An existing topic is not an error. */
ORDERLY_CHECKED enum orderly_err orderly_admin_create(struct orderly_admin *, const char *name, int32_t partitions,
                                                      int32_t replication, const char *const *configs,
                                                      size_t config_count, struct orderly_error *);
/* Deletes the records of a partition below an offset. */
ORDERLY_CHECKED enum orderly_err orderly_admin_delete_records(struct orderly_admin *, const struct orderly_partition *,
                                                              int64_t before, struct orderly_error *);

/* What the configuration needs beside its source topics. */
enum orderly_need_kind { ORDERLY_NEED_SOURCE, ORDERLY_NEED_RETRY, ORDERLY_NEED_DEAD_LETTER };
struct orderly_need {
    enum orderly_need_kind kind;
    char source[256], name[256];
    int32_t partitions, replication; /* what it should have */
    struct orderly_topic found;
    char problem[512]; /* "" when all is well; else one sentence that says how to mend it */
};
struct orderly_needs {
    size_t count;
    struct orderly_need *list;
};
/* Resolves topics and patterns, lists sources, retry and dead-letter topics with what is wrong with each (design.md 5). */
ORDERLY_CHECKED enum orderly_err orderly_admin_needs(struct orderly_admin *, struct orderly_needs **ret,
                                                     struct orderly_error *);
/* Creates those of `needs` that do not exist (retry: cleanup.policy=delete, retention max_delay + 7 d, no byte limit; dead letters: retention -1). */
ORDERLY_CHECKED enum orderly_err orderly_admin_provide(struct orderly_admin *, const struct orderly_needs *,
                                                       struct orderly_error *);
ORDERLY_API void orderly_needs_free(struct orderly_needs *);

struct orderly_group_lag {
    char topic[256];
    int32_t partition;
    int64_t begin, end, committed; /* committed -1: none */
    uint64_t done_above;           /* counted from the offset map */
    char map[96];                  /* "" no map; "ok"; or what is wrong with its text */
};
struct orderly_group_lags {
    size_t count;
    struct orderly_group_lag *list;
};
/* Lag of the configured group on its source and retry topics (topics without a committed offset included). */
ORDERLY_CHECKED enum orderly_err orderly_admin_lag(struct orderly_admin *, struct orderly_group_lags **ret,
                                                   struct orderly_error *);
ORDERLY_API void orderly_group_lags_free(struct orderly_group_lags *);

struct orderly_group_member {
    char client_id[128], host[128], member_id[128], instance_id[128];
    size_t partitions;
};
struct orderly_group {
    char name[256], state[32], type[32], protocol[64], coordinator[300];
    bool rights_known, may_read; /* READ: join it and commit */
    size_t count;
    struct orderly_group_member *members;
};
/* The group as its coordinator sees it; one that nobody has joined has state "none". Errors: UNSUPPORTED (the embedded broker), AUTH, TIMEOUT. */
ORDERLY_CHECKED enum orderly_err orderly_admin_group(struct orderly_admin *, struct orderly_group **ret,
                                                     struct orderly_error *);
/* NULL is fine. */
ORDERLY_API void orderly_group_free(struct orderly_group *);

/* Reads records of topics without a group, from an offset up to the ends found when it is made. */
struct orderly_reader;
/* partition -1: all; from: an offset, -2 the beginning. */
ORDERLY_CHECKED enum orderly_err orderly_reader_new(struct orderly_admin *, const char *topic, int32_t partition,
                                                    int64_t from, struct orderly_reader **ret, struct orderly_error *);
/* The next record, to be unref'd by the caller; attempt, due_ms and origin are read from its headers. Errors: CLOSED (the end), TIMEOUT, KAFKA. */
ORDERLY_CHECKED enum orderly_err orderly_reader_next(struct orderly_reader *, int64_t timeout_ms,
                                                     struct orderly_record **ret, struct orderly_error *);
ORDERLY_API void orderly_reader_free(struct orderly_reader *);

/*
 * Moves records out of a topic: gives what a group has not done yet, writes copies elsewhere, and remembers what was done in the
 * offsets and offset maps of that group, in one transaction with the copies: a move that was interrupted goes on where it ended, and no
 * record is moved twice. No member of the group may run meanwhile. (The embedded broker keeps no metadata in transactions: there,
 * copies and offsets are written one after the other.)
 */
struct orderly_mover;
/* Changes nothing yet. Errors: UNKNOWN_TOPIC, AUTH, TIMEOUT, KAFKA. */
ORDERLY_CHECKED enum orderly_err orderly_mover_new(struct orderly_admin *, const char *group, const char *topic,
                                                   struct orderly_mover **ret, struct orderly_error *);
/* The next record that is not done, to be unref'd by the caller. Errors: CLOSED (the end), TIMEOUT, KAFKA. */
ORDERLY_CHECKED enum orderly_err orderly_mover_next(struct orderly_mover *, struct orderly_record **ret,
                                                    struct orderly_error *);
/* The record is done with the next commit, and so is a copy of it: its key and value with these headers. partition -1: by key. Errors: STATE (the group
 * has members, or somebody else moves), TIMEOUT, KAFKA. */
ORDERLY_CHECKED enum orderly_err orderly_mover_copy(struct orderly_mover *, struct orderly_record *, const char *topic,
                                                    int32_t partition, const struct orderly_header *headers,
                                                    size_t header_count, struct orderly_error *);
/* The record is done with the next commit, without a copy. */
ORDERLY_CHECKED enum orderly_err orderly_mover_drop(struct orderly_mover *, struct orderly_record *,
                                                    struct orderly_error *);
/* Makes all that durable. Errors: LIMIT (too many gaps between what is done: take more of them, or fewer), TIMEOUT, KAFKA. */
ORDERLY_CHECKED enum orderly_err orderly_mover_commit(struct orderly_mover *, struct orderly_error *);
/* What was not committed has not happened. NULL is fine. */
ORDERLY_API void orderly_mover_free(struct orderly_mover *);

/* Writes one record and waits until all in-sync replicas have it. partition -1: by key. */
ORDERLY_CHECKED enum orderly_err orderly_admin_produce(struct orderly_admin *, const char *topic, int32_t partition,
                                                       struct orderly_bytes key, struct orderly_bytes value,
                                                       const struct orderly_header *headers, size_t header_count,
                                                       struct orderly_error *);
/* The same without waiting: orderly_admin_flush() waits for all that is queued. Waits while librdkafka's queue is full. */
ORDERLY_CHECKED enum orderly_err orderly_admin_queue(struct orderly_admin *, const char *topic, int32_t partition,
                                                     struct orderly_bytes key, struct orderly_bytes value,
                                                     const struct orderly_header *headers, size_t header_count,
                                                     struct orderly_error *);
/* Waits until all queued records are stored by all in-sync replicas. Errors: TIMEOUT, KAFKA (the first one's reason, and how many failed). */
ORDERLY_CHECKED enum orderly_err orderly_admin_flush(struct orderly_admin *, struct orderly_error *);
/* The retry and dead-letter topic names of a source topic under the configuration; buffers of 256. */
ORDERLY_CHECKED enum orderly_err orderly_admin_names(struct orderly_admin *, const char *source, char retry[256],
                                                     char dead_letter[256], struct orderly_error *);

#ifdef __cplusplus
}
#endif
#endif
