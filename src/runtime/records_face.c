/* Records without a group: the public reader and mover over the engine's, which know messages. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "kafka/admin.h"
#include "kafka/mover.h"
#include "kafka/scan.h"
#include "orderly/admin.h"
#include "runtime/record.h"

struct orderly_reader {
    struct od_scan *scan;
};

enum orderly_err orderly_reader_new(struct orderly_admin *admin, const char *topic, int32_t partition, int64_t from,
                                    struct orderly_reader **ret, struct orderly_error *error)
{
    int32_t count = 0;
    struct od_scan_start *starts = NULL;
    struct orderly_reader *reader = NULL;
    od_error_clear(error);
    if (!admin || !topic || !ret || partition < -1) {
        return od_fail(error, ORDERLY_INVALID, "no admin object, or no topic");
    }
    enum orderly_err err = od_scan_partitions(admin, topic, &count, error);
    if (!err && partition >= count) {
        err = od_fail(error, ORDERLY_INVALID, "topic %s has %d partitions, the first is 0", topic, (int)count);
    }
    if (err) {
        return err;
    }
    starts = calloc((size_t)count, sizeof *starts);
    reader = calloc(1, sizeof *reader);
    if (!starts || !reader) {
        err = od_fail(error, ORDERLY_NOMEM, "out of memory");
        goto done;
    }
    for (int32_t i = 0; i < count; i++) {
        starts[i] = (struct od_scan_start){partition < 0 ? i : partition, from};
    }
    err = od_scan_open(admin, topic, starts, partition < 0 ? (size_t)count : 1, sizeof(struct orderly_record),
                       &reader->scan, error);
    if (!err) {
        *ret = reader;
        reader = NULL;
    }
done:
    free(starts);
    free(reader);
    return err;
}

enum orderly_err orderly_reader_next(struct orderly_reader *reader, int64_t timeout_ms, struct orderly_record **ret,
                                     struct orderly_error *error)
{
    struct od_message *message = NULL;
    od_error_clear(error);
    if (!reader || !ret) {
        return od_fail(error, ORDERLY_INVALID, "no reader");
    }
    enum orderly_err err = od_scan_take(reader->scan, timeout_ms, &message, error);
    if (!err) {
        *ret = od_record_of(message); /* its zeroed room: one reference, the caller's */
        od_record_give(*ret);
    }
    return err;
}

void orderly_reader_free(struct orderly_reader *reader)
{
    if (reader) {
        od_scan_close(reader->scan);
        free(reader);
    }
}

struct orderly_mover {
    struct od_mover *mover;
};

enum orderly_err orderly_mover_new(struct orderly_admin *admin, const char *group, const char *topic,
                                   struct orderly_mover **ret, struct orderly_error *error)
{
    od_error_clear(error);
    if (!admin || !group || !*group || !topic || !ret) {
        return od_fail(error, ORDERLY_INVALID, "no admin object, no group, or no topic");
    }
    struct orderly_mover *mover = calloc(1, sizeof *mover);
    if (!mover) {
        return od_fail(error, ORDERLY_NOMEM, "out of memory");
    }
    enum orderly_err err = od_mover_open(admin, group, topic, sizeof(struct orderly_record), &mover->mover, error);
    if (err) {
        free(mover);
        return err;
    }
    *ret = mover;
    return ORDERLY_OK;
}

enum orderly_err orderly_mover_next(struct orderly_mover *mover, struct orderly_record **ret,
                                    struct orderly_error *error)
{
    struct od_message *message = NULL;
    od_error_clear(error);
    if (!mover || !ret) {
        return od_fail(error, ORDERLY_INVALID, "no mover");
    }
    enum orderly_err err = od_mover_take(mover->mover, &message, error);
    if (!err) {
        *ret = od_record_of(message);
        od_record_give(*ret);
    }
    return err;
}

enum orderly_err orderly_mover_copy(struct orderly_mover *mover, struct orderly_record *record, const char *topic,
                                    int32_t partition, const struct orderly_header *headers, size_t header_count,
                                    struct orderly_error *error)
{
    od_error_clear(error);
    if (!mover || !record || !topic || partition < -1 || (header_count && !headers)) {
        return od_fail(error, ORDERLY_INVALID, "no mover, no record, or no topic");
    }
    const struct od_message *message = od_record_message(record);
    struct od_deliver copy = {topic,   partition,   od_message_key(message), od_message_value(message),
                              headers, header_count};
    enum orderly_err err = od_mover_copy(mover->mover, &copy, error);
    return err ? err : od_mover_done(mover->mover, message, error);
}

enum orderly_err orderly_mover_drop(struct orderly_mover *mover, struct orderly_record *record,
                                    struct orderly_error *error)
{
    od_error_clear(error);
    if (!mover || !record) {
        return od_fail(error, ORDERLY_INVALID, "no mover, or no record");
    }
    return od_mover_done(mover->mover, od_record_message(record), error);
}

enum orderly_err orderly_mover_commit(struct orderly_mover *mover, struct orderly_error *error)
{
    od_error_clear(error);
    return mover ? od_mover_commit(mover->mover, error) : od_fail(error, ORDERLY_INVALID, "no mover");
}

void orderly_mover_free(struct orderly_mover *mover)
{
    if (mover) {
        od_mover_close(mover->mover);
        free(mover);
    }
}
