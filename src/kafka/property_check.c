/* Whether librdkafka takes a property, asked of a configuration that is thrown away. */
#include <librdkafka/rdkafka.h>
#include <string.h>

#include "base/error.h"
#include "base/property.h"
#include "base/suggest.h"
#include "orderly/orderly.h"

/* Names in the order of librdkafka's own dump; those that are unset by default are not in it. */
static const char *const not_dumped[] = {"bootstrap.servers", "group.id",          "group.instance.id", "sasl.username",
                                         "sasl.password",     "security.protocol", "ssl.ca.location"};

static enum orderly_err fail_unknown(rd_kafka_conf_t *conf, const char *name, struct orderly_error *error)
{
    struct od_suggest suggest = {.typed = name};
    size_t count = 0;
    const char **pairs = rd_kafka_conf_dump(conf, &count);
    for (size_t i = 0; i + 1 < count; i += 2) {
        if (!od_property_refused(pairs[i], "")) {
            od_suggest_offer(&suggest, pairs[i]);
        }
    }
    for (size_t i = 0; i < sizeof not_dumped / sizeof not_dumped[0]; i++) {
        od_suggest_offer(&suggest, not_dumped[i]);
    }
    enum orderly_err err =
        od_fail(error, ORDERLY_UNSUPPORTED, "librdkafka knows no property \"%.100s\"%s%s%s", name,
                suggest.best ? "; did you mean " : "", suggest.best ? suggest.best : "", suggest.best ? "?" : "");
    rd_kafka_conf_dump_free(pairs, count);
    return err;
}

enum orderly_err orderly_property_check(const char *name, const char *value, struct orderly_error *error)
{
    if (!name || !value) {
        return od_fail(error, ORDERLY_INVALID, "name and value must be given");
    }
    const char *reason = od_property_refused(name, value);
    if (reason) {
        return od_fail(error, ORDERLY_CONFIG, "kafka.%.100s is refused: %s", name, reason);
    }
    char text[256] = "";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    enum orderly_err err = ORDERLY_OK;
    switch (rd_kafka_conf_set(conf, name, value, text, sizeof text)) {
    case RD_KAFKA_CONF_OK:
        break;
    case RD_KAFKA_CONF_UNKNOWN:
        err = fail_unknown(conf, name, error);
        break;
    case RD_KAFKA_CONF_INVALID:
        err = od_fail(error, ORDERLY_CONFIG, "kafka.%.100s: librdkafka refuses it: %s", name, text);
        break;
    }
    rd_kafka_conf_destroy(conf);
    return err;
}
