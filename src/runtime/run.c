/* The run face: the library owns the loop. */
#include <sched.h>
#include <string.h>

#include "base/error.h"
#include "runtime/clock.h"
#include "runtime/member.h"

#define WORKERS_MAX 1024
#define BATCH_MAX 100000
#define STUCK_DEFAULT INT64_C(30000)
/* Workers that have ended their jobs are gone within this. */
#define WORKERS_GRACE_MS 5000

static uint32_t cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? (uint32_t)count : 1;
}

/* A full-size copy with its defaults. */
static enum orderly_err read_handler(const struct orderly_handler *given, struct orderly_handler *ret,
                                     struct orderly_error *error)
{
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    if (given == NULL || given->size < sizeof(size_t)) {
        return od_fail(error, ORDERLY_INVALID, "orderly_run: no handler");
    }
    memcpy(&handler, given, given->size < sizeof handler ? given->size : sizeof handler);
    handler.size = sizeof handler;
    if ((handler.handle == NULL) == (handler.handle_batch == NULL)) {
        return od_fail(error, ORDERLY_INVALID, "orderly_run: a handler needs exactly one of handle and handle_batch");
    }
    if (handler.workers > WORKERS_MAX || handler.batch_max > BATCH_MAX || handler.batch_wait_ms < 0 ||
        handler.timeout_ms < 0 || handler.stuck_grace_ms < 0) {
        return od_fail(error, ORDERLY_INVALID,
                       "orderly_run: at most %d workers and %d records in a batch; no negative times", WORKERS_MAX,
                       BATCH_MAX);
    }
    if (handler.handle_batch != NULL && handler.batch_max == 0) {
        handler.batch_max = 100;
    }
    if (handler.workers == 0) {
        handler.workers = cpu_count();
    }
    if (handler.stuck_grace_ms == 0) {
        handler.stuck_grace_ms = STUCK_DEFAULT;
    }
    *ret = handler;
    return ORDERLY_OK;
}

static enum orderly_err wait_end(struct orderly *orderly, struct orderly_error *error)
{
    pthread_mutex_lock(&orderly->mutex);
    od_member_wait_end(orderly, INT64_MAX);
    enum orderly_err result = orderly->result;
    struct orderly_error last = orderly->last_error;
    bool fatal = orderly->fatal != ORDERLY_OK;
    pthread_mutex_unlock(&orderly->mutex);
    od_pool_stop(orderly, result == ORDERLY_TIMEOUT ? 0 : WORKERS_GRACE_MS);
    if (result == ORDERLY_OK) {
        return ORDERLY_OK;
    }
    if (fatal) {
        return od_fail_kafka(error, result, last.kafka_code, "%s", last.text);
    }
    if (result == ORDERLY_TIMEOUT) {
        return od_fail(error, result, "work still ran at the end of close_timeout; it was given back");
    }
    return od_fail(error, result, "orderly_run: %s", orderly_strerror(result));
}

enum orderly_err orderly_run(struct orderly *orderly, const struct orderly_handler *given, struct orderly_error *error)
{
    struct orderly_handler handler;
    if (orderly == NULL) {
        return od_fail(error, ORDERLY_INVALID, "orderly_run: no object");
    }
    enum orderly_err result = read_handler(given, &handler, error);
    if (result != ORDERLY_OK) {
        return result;
    }
    if (od_member_inside()) {
        return od_fail(error, ORDERLY_STATE, "orderly_run: not inside a callback or a handler");
    }
    od_member_ref(orderly);
    result = od_member_start(orderly, OD_FACE_RUN, &handler, error);
    if (result == ORDERLY_OK) {
        result = wait_end(orderly, error);
    }
    od_member_unref(orderly);
    return result;
}
