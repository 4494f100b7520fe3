/*
 * Settings: one table of names, types, defaults and limits; the typed values of one member.
 *
 * The table (OD_SETTING rows in settings_table.c) serves orderly_config_set(), the YAML file, --set, the environment,
 * `check --limits`, `check --effective` and the manual. kafka.* properties are kept as text beside it, for librdkafka.
 */
#ifndef OD_BASE_SETTINGS_H
#define OD_BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

#define OD_NEVER INT64_C(-1) /* a duration that was set to "never" or "none" */

enum od_start { OD_START_ERROR, OD_START_EARLIEST, OD_START_LATEST };
enum od_order { OD_ORDER_PARTITION, OD_ORDER_KEY, OD_ORDER_NONE };
enum od_retry_in {
    OD_RETRY_IN_DEFAULT,
    OD_RETRY_IN_LANE,
    OD_RETRY_IN_TOPIC
}; /* resolved to LANE or TOPIC by od_settings_finish */
enum od_policy { OD_POLICY_DRAIN, OD_POLICY_FINISH, OD_POLICY_IMMEDIATE };
enum od_oversize { OD_OVERSIZE_STOP, OD_OVERSIZE_REFERENCE };
enum od_on_lost { OD_ON_LOST_STOP, OD_ON_LOST_CONTINUE };

/* A list of texts; items and their array are owned. */
struct od_text_list {
    char **items;
    size_t count;
};

/* A kafka.* property as it was set (name without the "kafka." prefix). */
struct od_property {
    char *name, *value;
};

/* Typed values. Texts are owned, never NULL ("" when unset). Durations in ms, sizes in bytes, fractions in thousandths. */
struct od_settings {
    /* group and topics */
    char *group;                    /* kafka.group.id */
    char *brokers;                  /* kafka.bootstrap.servers */
    struct od_text_list topics;     /* topics: a name beginning with ^ is a pattern */
    struct od_text_list patterns;   /* patterns */
    enum od_start start;            /* start: error (default) | earliest | latest */
    int64_t start_timeout;          /* start_timeout: 30s */
    struct od_property *properties; /* all other kafka.* */
    size_t property_count;
    bool insecure; /* insecure: false */

    /* work */
    int64_t concurrency;          /* concurrency: 64, 1..1000000 */
    enum od_order order;          /* order: key */
    bool block_rebalance_on_poll; /* block_rebalance_on_poll: false */

    /* retry */
    enum od_retry_in retry_in;       /* retry.in */
    int64_t retry_attempts;          /* retry.attempts: 8 */
    int64_t backoff_first;           /* retry.backoff.first: 1s */
    int64_t backoff_factor;          /* retry.backoff.factor: 2, in thousandths (2000) */
    int64_t backoff_max;             /* retry.backoff.max: 10m */
    int64_t backoff_jitter;          /* retry.backoff.jitter: 20%, in thousandths */
    int64_t retry_max_delay;         /* retry.max_delay: 24h */
    char *retry_topic;               /* retry.topic: "{topic}.{group}.retry" */
    char *retry_header;              /* retry.header: retry-after */
    bool honour_retry_after;         /* retry.honour_retry_after: false */
    struct od_text_list retry_never; /* retry.never: error classes */
    int64_t max_crashes;             /* handler.exec.max_crashes: 3 (daemon) */

    /* dead letters */
    char *dead_letter_topic;      /* dead_letter.topic: "{topic}.{group}.dlt" */
    int64_t dead_letter_max_rate; /* dead_letter.max_rate: 10%, in thousandths; 1000 (100%) switches the guard off */
    enum od_oversize oversize;    /* dead_letter.oversize: stop | reference */
    struct od_text_list dead_letter_headers; /* dead_letter.headers: orderly,kafka,spring */

    /* rebalance, closing */
    enum od_policy policy; /* rebalance.policy: drain */
    int64_t hold_max;      /* rebalance.hold_max: 4m */
    int64_t drain_timeout; /* rebalance.drain_timeout: 30s */
    int64_t lost_grace;    /* rebalance.lost_grace: 1s */
    int64_t kill_grace;    /* handler.exec.kill_grace: 5s; capped to drain_timeout */
    int64_t close_timeout; /* close_timeout: 10m */

    /* commits */
    int64_t commit_interval;     /* commit.interval: 1s, or never (OD_NEVER) */
    int64_t commit_map_interval; /* commit.map_interval: 5s */
    int64_t commit_timeout;      /* commit.timeout: 10s */

    /* limits */
    int64_t memory_records;      /* memory.records: 256MiB */
    int64_t limit_window;        /* limits.window: 100000 */
    int64_t limit_lane;          /* limits.lane: 10000 */
    int64_t limit_parked;        /* limits.parked: 1000000 */
    int64_t limit_releases;      /* limits.releases: 20 */
    int64_t limit_offset_map;    /* limits.offset_map: 4000 bytes */
    int64_t relief_min_interval; /* relief.min_interval: 10m */
    int64_t relief_rate;         /* relief.rate: 1000 copies a second */
    enum od_on_lost on_lost;     /* retry.on_lost: stop | continue */
    int64_t rate;                /* rate.records_per_second: 0 = none */

    /* derived by od_settings_finish() */
    int64_t max_poll_interval;  /* kafka.max.poll.interval.ms, 300000 by default */
    int64_t session_timeout;    /* kafka.session.timeout.ms, 45000 */
    int64_t heartbeat_interval; /* kafka.heartbeat.interval.ms, 3000 */
    int64_t hold_deadline;      /* design.md 4: max_poll_interval - heartbeat - margin */
};

struct orderly_config; /* the set of settings by name: see config.h */

/* Parsers of single values; false when the text is not one. */
bool od_parse_duration(const char *text, int64_t *ret_ms);         /* "250ms" "30s" "10m" "24h" "7d" "1.5s" */
bool od_parse_bytes(const char *text, int64_t *ret_bytes);         /* "512" "64KiB" "64MiB" "1GiB" "10kB" */
bool od_parse_percent(const char *text, int64_t *ret_thousandths); /* "10%" */
bool od_parse_decimal(const char *text, int64_t *ret_thousandths); /* "2" "1.5" */

/*
 * The typed values alone, nothing checked against each other and nothing derived but what the kafka.* properties say; for tools that
 * need no group or no topics. Names in `topics` that begin with ^ are moved to `patterns`; names given twice are there once.
 */
enum orderly_err od_settings_read(const struct orderly_config *, struct od_settings *ret, struct orderly_error *);
/*
 * The typed values of a configuration, checked against each other: refuses what does not fit (contracts.md 7), shrinks defaults
 * that were not set (hold_max, drain_timeout, commit_timeout within hold_deadline). The caller ends it with od_settings_fini.
 */
enum orderly_err od_settings_finish(const struct orderly_config *, struct od_settings *ret, struct orderly_error *);
/* Frees what it owns; fine on a zeroed one. */
void od_settings_fini(struct od_settings *);
/* A deep copy. */
enum orderly_err od_settings_copy(const struct od_settings *, struct od_settings *ret);

/* A topic name from a template with {topic} and {group}; malloc'ed. CONFIG when illegal (characters, "." "..", > 249). */
enum orderly_err od_topic_name(const char *template, const char *topic, const char *group, char **ret);

#endif
