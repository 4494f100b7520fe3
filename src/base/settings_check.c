/*
 * What must fit together (contracts.md 7, design.md 4): od_settings_finish() and orderly_config_check(). Values that were set are
 * refused with a sentence that shows the sum; defaults shrink.
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/property.h"
#include "base/settings.h"
#include "base/text.h"

enum {
    DURATION_TEXT = 32,
    MARGIN_MS = 5000,    /* between the end of a hold and the engine's own limit, at most a tenth of that */
    LEAST_SHARE_MS = 100 /* what a default may shrink to */
};

struct duration_text {
    char data[DURATION_TEXT];
};

static struct duration_text duration(int64_t ms)
{
    struct duration_text result;
    struct od_text text;
    od_text_init(&text, result.data, sizeof result.data);
    od_text_add_duration(&text, ms);
    return result;
}

static enum orderly_err check_present(const struct od_settings *settings, struct orderly_error *error)
{
    if (*settings->brokers == '\0')
        return od_fail(error, ORDERLY_CONFIG, "kafka.bootstrap.servers is not set: which brokers shall be asked?");
    if (*settings->group == '\0')
        return od_fail(error, ORDERLY_CONFIG,
                       "kafka.group.id is not set: every member needs the name of its consumer group");
    if (strlen(settings->group) > 249)
        return od_fail(error, ORDERLY_CONFIG, "kafka.group.id is longer than 249 bytes");
    if (settings->topics.count + settings->patterns.count == 0)
        return od_fail(error, ORDERLY_CONFIG, "topics is not set: what shall be consumed?");
    return ORDERLY_OK;
}

static enum orderly_err check_pattern(const char *pattern, struct orderly_error *error)
{
    regex_t compiled;
    char reason[128];
    if (*pattern != '^')
        return od_fail(error, ORDERLY_CONFIG,
                       "patterns: \"%.100s\" does not begin with ^; a plain name belongs to topics", pattern);
    int code = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == 0) {
        regfree(&compiled);
        return ORDERLY_OK;
    }
    if (code == REG_ESPACE)
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    regerror(code, &compiled, reason, sizeof reason);
    return od_fail(error, ORDERLY_CONFIG, "patterns: \"%.100s\" is no regular expression: %s", pattern, reason);
}

static enum orderly_err make_name(const struct od_settings *settings, const char *setting, const char *template,
                                  const char *topic, char **ret, struct orderly_error *error)
{
    enum orderly_err err = od_topic_name(template, topic, settings->group, ret);
    if (err == ORDERLY_NOMEM)
        return od_fail(error, err, "out of memory");
    if (err)
        return od_fail(error, err,
                       "%s: \"%.80s\" gives no legal name for topic \"%.80s\" and group \"%.80s\" (1 to 249 of "
                       "a-z A-Z 0-9 . _ -); set %s to a template that does",
                       setting, template, topic, settings->group, setting);
    return ORDERLY_OK;
}

static enum orderly_err check_topic(const struct od_settings *settings, const char *topic, struct orderly_error *error)
{
    char *same = NULL, *retry = NULL, *dead = NULL;
    enum orderly_err err = od_topic_name("{topic}", topic, "", &same);
    if (err == ORDERLY_CONFIG)
        return od_fail(error, err,
                       "topics: \"%.100s\" is no legal name of a topic (1 to 249 of a-z A-Z 0-9 . _ -; a "
                       "pattern begins with ^)",
                       topic);
    if (!err)
        err = make_name(settings, "retry.topic", settings->retry_topic, topic, &retry, error);
    if (!err)
        err = make_name(settings, "dead_letter.topic", settings->dead_letter_topic, topic, &dead, error);
    if (err)
        goto done;
    for (size_t i = 0; !err && i < settings->topics.count; i++) {
        const char *source = settings->topics.items[i];
        if (strcmp(retry, source) == 0)
            err =
                od_fail(error, ORDERLY_CONFIG,
                        "retry.topic: \"%.200s\" is a source topic itself; it is consumed without being listed", retry);
        else if (strcmp(dead, source) == 0)
            err = od_fail(error, ORDERLY_CONFIG,
                          "dead_letter.topic: \"%.200s\" is a source topic itself; dead letters would be "
                          "consumed again",
                          dead);
    }
    if (!err && strcmp(retry, dead) == 0)
        err = od_fail(error, ORDERLY_CONFIG,
                      "retry.topic and dead_letter.topic both give \"%.200s\"; dead letters would run again", dead);
done:
    free(same);
    free(retry);
    free(dead);
    return err;
}

static enum orderly_err check_topics(const struct od_settings *settings, struct orderly_error *error)
{
    enum orderly_err err = ORDERLY_OK;
    for (size_t i = 0; !err && i < settings->patterns.count; i++)
        err = check_pattern(settings->patterns.items[i], error);
    for (size_t i = 0; !err && i < settings->topics.count; i++)
        err = check_topic(settings, settings->topics.items[i], error);
    return err;
}

static enum orderly_err check_retry(const struct orderly_config *config, struct od_settings *settings,
                                    struct orderly_error *error)
{
    struct {
        const char *name;
        int64_t *value;
    } rising[] = {{"retry.backoff.first", &settings->backoff_first},
                  {"retry.backoff.max", &settings->backoff_max},
                  {"retry.max_delay", &settings->retry_max_delay}};
    if (settings->retry_in == OD_RETRY_IN_DEFAULT)
        settings->retry_in = settings->order == OD_ORDER_NONE ? OD_RETRY_IN_TOPIC : OD_RETRY_IN_LANE;
    if (*settings->retry_header == '\0' || od_text_starts(settings->retry_header, "orderly-"))
        return od_fail(error, ORDERLY_CONFIG,
                       "retry.header: \"%.100s\" cannot be used; orderly-* names and the empty one are taken",
                       settings->retry_header);
    /* Defaults give way: those before a set value shrink, those behind it grow. */
    for (size_t i = 0; i < 3; i++)
        for (size_t j = i + 1; j < 3; j++) {
            if (*rising[i].value <= *rising[j].value)
                continue;
            bool low_set = od_config_is_set(config, rising[i].name);
            bool high_set = od_config_is_set(config, rising[j].name);
            if (low_set && high_set)
                return od_fail(error, ORDERLY_CONFIG, "%s (%s) is longer than %s (%s)", rising[i].name,
                               duration(*rising[i].value).data, rising[j].name, duration(*rising[j].value).data);
            if (low_set)
                *rising[j].value = *rising[i].value;
            else
                *rising[i].value = *rising[j].value;
        }
    return ORDERLY_OK;
}

static enum orderly_err check_security(const struct od_settings *settings, struct orderly_error *error)
{
    if (settings->insecure)
        return ORDERLY_OK;
    for (size_t i = 0; i < settings->property_count; i++) {
        const struct od_property *property = &settings->properties[i];
        const char *reason = od_property_insecure(property->name, property->value);
        if (reason)
            return od_fail(error, ORDERLY_CONFIG, "kafka.%s=%.60s is refused: %s (unless insecure: true)",
                           property->name, property->value, reason);
        if (strcmp(property->name, "security.protocol") == 0 &&
            od_text_equal_nocase(property->value, "sasl_plaintext") && !od_brokers_loopback(settings->brokers))
            return od_fail(error, ORDERLY_CONFIG,
                           "kafka.security.protocol=%s is refused for brokers that are not on this machine: "
                           "passwords would travel in the clear; use sasl_ssl (unless insecure: true)",
                           property->value);
    }
    return ORDERLY_OK;
}

static bool classic(const struct od_settings *settings)
{
    for (size_t i = 0; i < settings->property_count; i++)
        if (strcmp(settings->properties[i].name, "group.protocol") == 0)
            return !od_text_equal_nocase(settings->properties[i].value, "consumer");
    return true;
}

/* Tells the engine a default of its own that had to shrink. od_settings_read() left room for two. */
static enum orderly_err add_property(struct od_settings *settings, const char *name, int64_t ms,
                                     struct orderly_error *error)
{
    char text[24];
    struct od_text number;
    od_text_init(&number, text, sizeof text);
    od_text_add_i64(&number, ms);
    struct od_property property = {od_text_copy(name), od_text_copy(text)};
    if (!property.name || !property.value) {
        free(property.name);
        free(property.value);
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    settings->properties[settings->property_count++] = property;
    return ORDERLY_OK;
}

static enum orderly_err check_engine_times(const struct orderly_config *config, struct od_settings *settings,
                                           struct orderly_error *error)
{
    static const char max_poll[] = "kafka.max.poll.interval.ms", session[] = "kafka.session.timeout.ms",
                      heartbeat[] = "kafka.heartbeat.interval.ms";
    const struct {
        const char *name;
        int64_t ms;
    } times[] = {{max_poll, settings->max_poll_interval},
                 {session, settings->session_timeout},
                 {heartbeat, settings->heartbeat_interval}};
    enum orderly_err err = ORDERLY_OK;
    for (size_t i = 0; i < 3; i++)
        if (times[i].ms == 0)
            return od_fail(error, ORDERLY_CONFIG, "%s: \"%.60s\" is not a number of milliseconds", times[i].name,
                           od_config_text(config, times[i].name));
    if (!classic(settings)) {
        if (!od_config_is_set(config, session) && settings->session_timeout > settings->max_poll_interval)
            settings->session_timeout = settings->max_poll_interval;
        return ORDERLY_OK;
    }
    if (settings->session_timeout > settings->max_poll_interval) {
        if (od_config_is_set(config, session))
            return od_fail(error, ORDERLY_CONFIG, "%s (%s) is longer than %s (%s)", session,
                           duration(settings->session_timeout).data, max_poll,
                           duration(settings->max_poll_interval).data);
        settings->session_timeout = settings->max_poll_interval;
        err = add_property(settings, "session.timeout.ms", settings->session_timeout, error);
    }
    if (!err && settings->heartbeat_interval > settings->session_timeout / 3) {
        if (!od_config_is_set(config, heartbeat)) {
            settings->heartbeat_interval = settings->session_timeout > 3 ? settings->session_timeout / 3 : 1;
            err = add_property(settings, "heartbeat.interval.ms", settings->heartbeat_interval, error);
        } else if (settings->heartbeat_interval >= settings->session_timeout) {
            err =
                od_fail(error, ORDERLY_CONFIG, "%s (%s) must be shorter than %s (%s)", heartbeat,
                        duration(settings->heartbeat_interval).data, session, duration(settings->session_timeout).data);
        }
    }
    return err;
}

/* One of the three times that a hold is made of. */
struct share {
    const char *name;
    int64_t *ms;
    bool set;
};

static enum orderly_err refuse_sum(const struct od_settings *settings, const struct share *shares,
                                   struct orderly_error *error)
{
    int64_t sum = 0;
    for (size_t i = 0; i < 3; i++)
        sum += *shares[i].ms;
    return od_fail(error, ORDERLY_CONFIG,
                   "%s (%s) + %s (%s) + %s (%s) = %s, but a rebalance can be held for %s only "
                   "(kafka.max.poll.interval.ms %s - heartbeat %s - margin): shorten one of them or raise "
                   "kafka.max.poll.interval.ms",
                   shares[0].name, duration(*shares[0].ms).data, shares[1].name, duration(*shares[1].ms).data,
                   shares[2].name, duration(*shares[2].ms).data, duration(sum).data,
                   duration(settings->hold_deadline).data, duration(settings->max_poll_interval).data,
                   duration(settings->heartbeat_interval).data);
}

static enum orderly_err fit_hold(const struct orderly_config *config, struct od_settings *settings,
                                 struct orderly_error *error)
{
    struct share shares[] = {{"rebalance.hold_max", &settings->hold_max, false},
                             {"rebalance.drain_timeout", &settings->drain_timeout, false},
                             {"commit.timeout", &settings->commit_timeout, false}};
    int64_t margin = settings->max_poll_interval / 10;
    if (margin > MARGIN_MS)
        margin = MARGIN_MS;
    settings->hold_deadline = settings->max_poll_interval - settings->heartbeat_interval - margin;
    int64_t left = settings->hold_deadline, unset = 0, least = 0;
    for (size_t i = 0; i < 3; i++) {
        shares[i].set = od_config_is_set(config, shares[i].name);
        if (shares[i].set) {
            left -= *shares[i].ms;
        } else {
            unset += *shares[i].ms;
            least += LEAST_SHARE_MS;
        }
    }
    if (left >= unset)
        return ORDERLY_OK;
    bool fits = least > 0 && left >= least;
    /* Each default gets its part of what is left. */
    for (size_t i = 0; i < 3; i++)
        if (!shares[i].set)
            *shares[i].ms = !fits ? LEAST_SHARE_MS : *shares[i].ms * left / unset;
    return fits ? ORDERLY_OK : refuse_sum(settings, shares, error);
}

enum orderly_err od_settings_finish(const struct orderly_config *config, struct od_settings *ret,
                                    struct orderly_error *error)
{
    struct od_settings settings;
    enum orderly_err err = od_settings_read(config, &settings, error);
    if (err)
        return err;
    err = check_present(&settings, error);
    if (!err)
        err = check_topics(&settings, error);
    if (!err)
        err = check_security(&settings, error);
    if (!err)
        err = check_retry(config, &settings, error);
    if (!err)
        err = check_engine_times(config, &settings, error);
    if (!err)
        err = fit_hold(config, &settings, error);
    if (err) {
        od_settings_fini(&settings);
        return err;
    }
    if (settings.kill_grace > settings.drain_timeout)
        settings.kill_grace = settings.drain_timeout;
    *ret = settings;
    return ORDERLY_OK;
}

enum orderly_err orderly_config_check(const struct orderly_config *config, struct orderly_error *error)
{
    struct od_settings settings;
    if (!config)
        return od_fail(error, ORDERLY_INVALID, "there is no configuration");
    enum orderly_err err = od_settings_finish(config, &settings, error);
    if (!err)
        od_settings_fini(&settings);
    return err;
}
