/* Writing records, for tools. */

#include "base/error.h"
#include "kafka/admin.h"
#include "kafka/deliver.h"

enum orderly_err orderly_admin_produce(struct orderly_admin *admin, const char *topic, int32_t partition,
                                       struct orderly_bytes key, struct orderly_bytes value,
                                       const struct orderly_header *headers, size_t header_count,
                                       struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !topic || !*topic || partition < -1 || (header_count && !headers)) {
        return od_fail(error, ORDERLY_INVALID, "no admin object, or no topic");
    }
    char what[320];
    struct od_deliver record = {topic, partition, key, value, headers, header_count};
    rd_kafka_resp_err_t code = od_deliver(admin->rk, &record, admin->timeout_ms);
    if (!code) {
        return ORDERLY_OK;
    }
    od_admin_say(what, sizeof what, "the record was not written to %s", topic);
    return od_admin_fail(admin, error, code, NULL, what);
}

enum orderly_err orderly_admin_queue(struct orderly_admin *admin, const char *topic, int32_t partition,
                                     struct orderly_bytes key, struct orderly_bytes value,
                                     const struct orderly_header *headers, size_t header_count,
                                     struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !topic || !*topic || partition < -1 || (header_count && !headers)) {
        return od_fail(error, ORDERLY_INVALID, "no admin object, or no topic");
    }
    struct od_deliver record = {topic, partition, key, value, headers, header_count};
    rd_kafka_resp_err_t code = od_deliver_send(admin->rk, &record, &admin->queued);
    return code ? od_admin_fail(admin, error, code, NULL, "the record was not written") : ORDERLY_OK;
}

enum orderly_err orderly_admin_flush(struct orderly_admin *admin, struct orderly_error *error)
{
    char what[128];
    od_error_clear(error);
    if (!admin) {
        return od_fail(error, ORDERLY_INVALID, "no admin object");
    }
    rd_kafka_resp_err_t code = od_deliver_wait(admin->rk, &admin->queued, admin->timeout_ms);
    od_admin_say(what, sizeof what, "%zu of %zu records were not written", admin->queued.failed, admin->queued.sent);
    admin->queued = (struct od_deliver_count){0};
    return code ? od_admin_fail(admin, error, code, NULL, what) : ORDERLY_OK;
}
