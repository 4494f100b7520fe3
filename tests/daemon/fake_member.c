/* A member without a library: see fake_member.h. */
#include "daemon/fake_member.h"

#include <stdio.h>
#include <string.h>

struct fake_member fake_member;

struct orderly {
    int unused;
};

struct orderly *fake_member_new(void)
{
    static struct orderly orderly;

    fake_member = (struct fake_member){.state = "stable"};
    return &orderly;
}

enum orderly_err orderly_member(struct orderly *orderly, struct orderly_member *ret)
{
    (void)orderly;
    if (fake_member.silent) {
        return ORDERLY_STATE;
    }
    snprintf(ret->member_id, sizeof ret->member_id, "member-1");
    snprintf(ret->protocol, sizeof ret->protocol, "consumer");
    snprintf(ret->state, sizeof ret->state, "%s", fake_member.state);
    ret->generation = 4;
    return ORDERLY_OK;
}

enum orderly_err orderly_stats(struct orderly *orderly, struct orderly_stats **ret)
{
    static const struct orderly_metric metrics[] = {
        {"orderly_settled_total", "topic=\"orders\",outcome=\"ack\"", "counter", 12},
        {"orderly_lag", "topic=\"orders\"", "gauge", 3.5},
        {"orderly_settled_total", "topic=\"orders\",outcome=\"retry\"", "counter", 4},
        {"orderly_drain_seconds_bucket", "le=\"+Inf\"", "histogram", 2},
        {"orderly_drain_seconds_sum", "", "histogram", 0.25},
        {"orderly_drain_seconds_count", "", "histogram", 2},
    };
    static const struct orderly_condition conditions[] = {
        {"map_full", {"orders", 3}, INT64_C(1767225600123), 17, "say \"why\""},
        {"recovering", {NULL, -1}, INT64_C(1767225600123), -1, "the member"},
    };
    static const struct orderly_partition_stats partitions[] = {
        {{"orders", 3}, "active", false, 17, 30, 40, 1, 2, 3, 4, 1500, 0},
    };
    static struct orderly_stats stats;

    (void)orderly;
    if (fake_member.silent) {
        return ORDERLY_STATE;
    }
    stats = (struct orderly_stats){
        sizeof stats, sizeof metrics / sizeof *metrics, 2, 1, metrics, conditions, partitions,
    };
    *ret = &stats;
    return ORDERLY_OK;
}

void orderly_stats_free(struct orderly_stats *stats)
{
    (void)stats;
}

static void note(const struct orderly_partition *list, size_t count)
{
    snprintf(fake_member.topic, sizeof fake_member.topic, "%s", count > 0 ? list->topic : "");
    fake_member.partition = count > 0 ? list->partition : -1;
}

enum orderly_err orderly_pause(struct orderly *orderly, const struct orderly_partition *list, size_t count,
                               const char *reason)
{
    (void)orderly;
    fake_member.pauses += strcmp(reason, "admin") == 0;
    note(list, count);
    return count > 0 && strcmp(list->topic, "foreign") == 0 ? ORDERLY_STALE : ORDERLY_OK;
}

enum orderly_err orderly_resume(struct orderly *orderly, const struct orderly_partition *list, size_t count,
                                const char *reason)
{
    (void)orderly;
    fake_member.resumes += strcmp(reason, "admin") == 0;
    note(list, count);
    return ORDERLY_OK;
}

__attribute__((weak)) const char *orderly_version(void)
{
    return "0.0.0";
}

__attribute__((weak)) const char *orderly_engine_version(void)
{
    return "2.0.0";
}

/* Where the real ones are linked as well, they win. */
__attribute__((weak)) size_t orderly_setting_count(void)
{
    return 0;
}

__attribute__((weak)) enum orderly_err orderly_setting_at(size_t i, struct orderly_setting *ret)
{
    (void)i;
    (void)ret;
    return ORDERLY_INVALID;
}

__attribute__((weak)) enum orderly_err orderly_config_set(struct orderly_config *config, const char *name,
                                                          const char *value, struct orderly_error *error)
{
    (void)config;
    (void)name;
    (void)value;
    (void)error;
    return ORDERLY_CONFIG;
}
