/* What brokers say of their configuration, or of a topic's. */
#include <string.h>

#include "base/error.h"
#include "kafka/admin.h"

static size_t take(rd_kafka_event_t *event, od_admin_entry *entry, void *userdata)
{
    size_t count = 0, entries = 0;
    const rd_kafka_ConfigResource_t **found =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    if (count != 1 || rd_kafka_ConfigResource_error(found[0])) {
        return 0;
    }
    const rd_kafka_ConfigEntry_t **list = rd_kafka_ConfigResource_configs(found[0], &entries);
    for (size_t i = 0; i < entries; i++) {
        const char *value = rd_kafka_ConfigEntry_value(list[i]);
        if (value) {
            entry(userdata, rd_kafka_ConfigEntry_name(list[i]), value);
        }
    }
    return entries;
}

enum orderly_err od_admin_configs(struct orderly_admin *admin, rd_kafka_ResourceType_t type, const char *name,
                                  od_admin_entry *entry, void *userdata, size_t *ret_count, struct orderly_error *error)
{
    rd_kafka_event_t *event = NULL;
    *ret_count = 0;
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(type, name);
    rd_kafka_AdminOptions_t *options = od_admin_options(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(admin->rk, &resource, 1, options, admin->queue);
    enum orderly_err err = od_admin_wait(admin,
                                         type == RD_KAFKA_RESOURCE_TOPIC ? "the topic's configuration cannot be read"
                                                                         : "the broker's configuration cannot be read",
                                         &event, error);
    if (!err) {
        *ret_count = take(event, entry, userdata);
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    return err;
}
