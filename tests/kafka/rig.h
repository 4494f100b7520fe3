/*
 * A rig for tests of the edge: a mock cluster (or the Kafka of ORDERLY_KAFKA), engines on it, and a sink that remembers what it was told and
 * answers as a simple core would.
 */
#ifndef TESTS_KAFKA_RIG_H
#define TESTS_KAFKA_RIG_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/settings.h"
#include "base/vec.h"
#include "kafka/engine.h"

struct broker {
    rd_kafka_t *carrier;
    rd_kafka_mock_cluster_t *cluster; /* NULL: a real one */
    char bootstrap[512];
};
void broker_start(struct broker *, int brokers);
void broker_stop(struct broker *);
/* A fresh name for a test, and its topic with retry and dead-letter topics of `group`. */
void broker_topic(struct broker *, const char *topic, int partitions);
/* On a real Kafka only: with one setting. */
void broker_topic_with(struct broker *, const char *topic, int partitions, const char *name, const char *value);
void broker_hospital(struct broker *, const char *topic, const char *group, int partitions);
void broker_produce(struct broker *, const char *topic, int32_t partition, const char *key, const char *value,
                    const char *const *headers);
void broker_produce_many(struct broker *, const char *topic, int32_t partition, size_t count);
/* The first records of a partition. */
struct reading {
    rd_kafka_t *rk;
    rd_kafka_message_t **messages;
    size_t count;
};
void broker_read(struct broker *, const char *topic, int32_t partition, size_t count, struct reading *ret);
void reading_end(struct reading *);
/* A name nobody has used. */
const char *fresh_name(const char *base);
/* Whether a real Kafka is used. */
bool broker_is_real(const struct broker *);

struct seen_stay {
    uint32_t id;
    char topic[256];
    int32_t partition;
    enum od_topic_kind kind;
    bool ready, revoked, lost, resolved, gone;
    int64_t position, log_start;
    int32_t leader_epoch; /* of the position */
    char map[256];
    uint64_t topic_id_hash;
    size_t records;
    int64_t last_offset, next_offset;
};
struct seen_record {
    uint32_t id;
    struct od_fetched fetched;
    struct od_message *message;
};
struct seen_commit {
    uint32_t id;
    uint64_t sequence;
    enum od_commit_result result;
};
struct seen_copy {
    uint64_t record;
    enum od_copy_result result;
};
struct seen_reread {
    uint64_t record;
    enum od_reread_result result;
    int64_t offset;
};

struct rig {
    struct broker *broker;
    struct orderly_config *config;
    struct od_settings settings;
    struct od_engine *engine;
    struct orderly_error error;
    bool hold_revokes, no_credit, keep_records;
    uint32_t credit_records;
    OD_VEC(struct seen_stay) stays;
    OD_VEC(struct seen_record) records;
    OD_VEC(struct seen_commit) commits;
    OD_VEC(struct seen_copy) copies;
    OD_VEC(struct seen_reread) rereads;
    OD_VEC(uint32_t) open_revoke;
    size_t assigns, revokes, losts, lefts, suspects, confirmed, seeks, log_starts, faults;
    size_t early_records; /* of stays that were not ready */
    bool last_lost_valid;
    int64_t revoke_deadline;
    struct od_engine_fault fault;
    char fault_text[512];
    int64_t clock_skew;
    bool quiet, unconfirmed; /* unconfirmed: left without the group's answer */
};
/* settings: "name=value" texts, NULL at the end. */
void rig_make(struct rig *, struct broker *, const char *group, const char *topics, const char *const *settings);
void rig_start(struct rig *);
void rig_stop(struct rig *);
void rig_leave(struct rig *);
void rig_serve(struct rig *);
/* Serves all rigs until the condition holds; fails the test when it does not within 20 s. */
#define rigs_until(condition, ...)                                                  \
    do {                                                                            \
        struct rig *rigs_[] = {__VA_ARGS__};                                        \
        int64_t end_ = rig_now() + 40000;                                           \
        while (!(condition)) {                                                      \
            if (rig_now() > end_) {                                                 \
                fail_msg("%s:%d: not in time: %s", __FILE__, __LINE__, #condition); \
            }                                                                       \
            rigs_wait(rigs_, sizeof rigs_ / sizeof rigs_[0]);                       \
        }                                                                           \
    } while (0)
void rigs_wait(struct rig **, size_t count);
int64_t rig_now(void);
struct seen_stay *rig_stay(struct rig *, const char *topic, int32_t partition); /* the newest, or NULL */
struct seen_stay *rig_stay_by_id(struct rig *, uint32_t id);
size_t rig_owned(const struct rig *); /* stays that are ready and not gone */
size_t rig_count_records(const struct rig *, const char *topic);
void rig_answer_revoke(struct rig *);

#endif
