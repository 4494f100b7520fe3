/* What Orderly knows of librdkafka's properties; all others are passed on as they are (contracts.md 7). */
#include "base/property.h"

#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* What of a name must match. */
enum match { EXACT, PREFIX, SUFFIX };

static const char commits[] =
    "Orderly commits by itself, and only what is done up to a record without a gap; see commit.interval";
static const char code[] = "it would load or run code of others in this process";
static const char callbacks[] = "callbacks cannot be set by name; use orderly_config_callbacks()";
static const char copies[] = "a retry or dead-letter copy counts only when all in-sync replicas have it, once";

struct rule {
    const char *name;
    enum match match;
    const char *allowed; /* values that are harmless, "a|b"; NULL: none */
    const char *reason;
};

static const struct rule refused[] = {
    {"enable.auto.commit", EXACT, "false", commits},
    {"auto.commit.enable", EXACT, "false", commits},
    {"auto.commit.interval.ms", EXACT, NULL, commits},
    {"enable.auto.offset.store", EXACT, "false", commits},
    {"offset.store.", PREFIX, NULL, commits},
    {"auto.offset.reset", EXACT, NULL, "where a new group begins is the setting `start`"},
    {"topic.auto.offset.reset", EXACT, NULL, "where a new group begins is the setting `start`"},
    {"enable.idempotence", EXACT, "true", copies},
    {"acks", EXACT, "all|-1", copies},
    {"request.required.acks", EXACT, "all|-1", copies},
    {"delivery.report.only.error", EXACT, "false", copies},
    {"transactional.id", EXACT, NULL, "transactional delivery is not built yet"},
    {"plugin.library.paths", EXACT, NULL, code},
    {"ssl.engine.", PREFIX, NULL, code},
    {"ssl_engine_", PREFIX, NULL, code},
    {"ssl.providers", EXACT, NULL, code},
    {"sasl.kerberos.kinit.cmd", EXACT, NULL, code},
    {"test.mock.", PREFIX, NULL, "it would replace the cluster by a simulated one; for that there is `orderly broker`"},
    {"metadata.broker.list", EXACT, NULL, "use kafka.bootstrap.servers"},
    {"_cb", SUFFIX, NULL, callbacks},
    {"opaque", EXACT, NULL, callbacks},
    {"interceptors", EXACT, NULL, callbacks},
    {"default_topic_conf", EXACT, NULL, callbacks},
};

static const struct rule insecure[] = {
    {"enable.ssl.certificate.verification", EXACT, "true", "brokers would not be verified"},
    {"ssl.endpoint.identification.algorithm", EXACT, "https", "the names of brokers would not be verified"},
    {"enable.sasl.oauthbearer.unsecure.jwt", EXACT, "false", "tokens would not be signed"},
};

static bool matches(const struct rule *rule, const char *name)
{
    switch (rule->match) {
    case PREFIX:
        return od_text_starts(name, rule->name);
    case SUFFIX:
        return od_text_ends(name, rule->name);
    case EXACT:
        break;
    }
    return strcmp(name, rule->name) == 0;
}

/* librdkafka reads "t", "1" and "true" alike, in any case. */
static bool same_value(const char *word, size_t size, const char *value)
{
    static const char *const yes[] = {"true", "t", "1"}, *const no[] = {"false", "f", "0"};
    const char *const *set = size == 4 && memcmp(word, "true", 4) == 0    ? yes
                             : size == 5 && memcmp(word, "false", 5) == 0 ? no
                                                                          : NULL;
    for (unsigned i = 0; set && i < 3; i++)
        if (od_text_equal_nocase(value, set[i]))
            return true;
    char copy[16];
    struct od_text text;
    od_text_init(&text, copy, sizeof copy);
    od_text_add_bytes(&text, word, size);
    return od_text_equal_nocase(value, copy);
}

static bool allowed(const struct rule *rule, const char *value)
{
    for (const char *p = rule->allowed; p;) {
        size_t size = strcspn(p, "|");
        if (same_value(p, size, value))
            return true;
        p = p[size] ? p + size + 1 : NULL;
    }
    return false;
}

static const char *reason(const struct rule *rules, size_t count, const char *name, const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (matches(&rules[i], name))
            return allowed(&rules[i], value) ? NULL : rules[i].reason;
    return NULL;
}

const char *od_property_refused(const char *name, const char *value)
{
    return reason(refused, sizeof refused / sizeof *refused, name, value);
}

const char *od_property_insecure(const char *name, const char *value)
{
    return reason(insecure, sizeof insecure / sizeof *insecure, name, value);
}

bool od_property_secret(const char *name)
{
    static const char *const exact[] = {"ssl.key.pem", "sasl.oauthbearer.config",
                                        "sasl.oauthbearer.client.credentials.client.secret", "sasl.jaas.config"};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (strcmp(name, exact[i]) == 0)
            return true;
    return od_text_ends(name, "password") || od_text_ends(name, "secret") || od_text_ends(name, "passphrase");
}

static bool loopback(const char *host, size_t size)
{
    char name[256];
    struct od_text text;
    od_text_init(&text, name, sizeof name);
    od_text_add_bytes(&text, host, size);
    if (text.cut)
        return false;
    if (od_text_equal_nocase(name, "localhost") || strcmp(name, "::1") == 0)
        return true;
    return size > 4 && od_text_starts(name, "127.") && strspn(name, "0123456789.") == size;
}

/* The host of "host", "host:port", "[v6]:port", "PROTOCOL://host:port". */
static bool broker_loopback(const char *entry, size_t size)
{
    const char *end = entry + size;
    for (const char *p = entry; p + 3 <= end; p++)
        if (memcmp(p, "://", 3) == 0)
            entry = p + 3;
    if (entry < end && *entry == '[') {
        const char *close = memchr(entry, ']', (size_t)(end - entry));
        return close && loopback(entry + 1, (size_t)(close - entry) - 1);
    }
    const char *colon = memchr(entry, ':', (size_t)(end - entry));
    return loopback(entry, (size_t)((colon ? colon : end) - entry));
}

bool od_brokers_loopback(const char *brokers)
{
    for (const char *p = brokers;;) {
        p += strspn(p, ", \t");
        if (*p == '\0')
            return true;
        size_t size = strcspn(p, ", \t");
        if (!broker_loopback(p, size))
            return false;
        p += size;
    }
}

bool od_property_same(const char *a, const char *b)
{
    static const char *const aliases[][2] = {{"max.in.flight", "max.in.flight.requests.per.connection"},
                                             {"linger.ms", "queue.buffering.max.ms"},
                                             {"compression.codec", "compression.type"},
                                             {"retries", "message.send.max.retries"},
                                             {"delivery.timeout.ms", "message.timeout.ms"},
                                             {"fetch.message.max.bytes", "max.partition.fetch.bytes"},
                                             {"sasl.mechanism", "sasl.mechanisms"},
                                             {"acks", "request.required.acks"}};
    if (strcmp(a, b) == 0)
        return true;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        for (unsigned side = 0; side < 2; side++)
            if (strcmp(a, aliases[i][side]) == 0 && strcmp(b, aliases[i][!side]) == 0)
                return true;
    return false;
}
