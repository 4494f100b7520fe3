/* The cluster as one of its brokers tells of it: how many brokers, and what they can do. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "kafka/admin.h"

/* Brokers do not tell their version. Until 3.9 they have this setting, and its default names it; from 3.7 on the next two. */
static void take_entry(void *userdata, const char *name, const char *value)
{
    struct orderly_cluster *cluster = userdata;
    const struct {
        const char *name;
        char *into;
        size_t size;
    } wanted[] = {{"inter.broker.protocol.version", cluster->version, sizeof cluster->version},
                  {"group.coordinator.rebalance.protocols", cluster->protocols, sizeof cluster->protocols},
                  {"group.consumer.assignors", cluster->assignors, sizeof cluster->assignors}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (strcmp(name, wanted[i].name) == 0) {
            od_admin_put(wanted[i].into, wanted[i].size, value);
        }
    }
}

/* Without the right to ask, the fields stay empty. */
static void ask_broker(struct orderly_admin *admin, int32_t broker, struct orderly_cluster *cluster)
{
    char name[16];
    size_t count = 0;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    snprintf(name, sizeof name, "%d", (int)broker);
    (void)od_admin_configs(admin, RD_KAFKA_RESOURCE_BROKER, name, take_entry, cluster, &count, &error);
    cluster->configs_known = count > 0;
    if (cluster->configs_known && !*cluster->version && *cluster->protocols) {
        od_admin_put(cluster->version, sizeof cluster->version, "4.0 or later");
    }
}

enum orderly_err orderly_admin_cluster(struct orderly_admin *admin, struct orderly_cluster *ret,
                                       struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !ret) {
        return od_fail(error, ORDERLY_INVALID, "no admin object");
    }
    const rd_kafka_metadata_t *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(admin->rk, 0, NULL, &metadata, (int)admin->timeout_ms);
    if (code) {
        return od_admin_fail(admin, error, code, NULL, "the cluster cannot be reached");
    }
    *ret = (struct orderly_cluster){.brokers = metadata->broker_cnt, .controller = -1};
    int32_t broker = metadata->broker_cnt > 0 ? metadata->brokers[0].id : -1;
    rd_kafka_metadata_destroy(metadata);
    char *id = rd_kafka_clusterid(admin->rk, (int)admin->timeout_ms);
    if (id) {
        od_admin_put(ret->id, sizeof ret->id, id);
        rd_kafka_mem_free(admin->rk, id);
    }
    if (!od_admin_embedded(admin)) {
        ret->controller = rd_kafka_controllerid(admin->rk, (int)admin->timeout_ms);
        if (broker >= 0) {
            ask_broker(admin, broker, ret);
        }
    }
    return ORDERLY_OK;
}
