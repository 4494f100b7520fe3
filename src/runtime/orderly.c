/* A member of a group: made, started, closed, drained, freed. */
#include "runtime/member.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/error.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/record.h"

/* How long free waits for threads of our own after the loop has ended: user code may still be in them. */
#define THREADS_GRACE_MS 2000

/* ---- who is inside ---- */

static _Thread_local bool inside;

bool od_member_inside(void)
{
    return inside || od_log_inside();
}

void od_member_set_inside(bool now)
{
    inside = now;
}

/* ---- references ---- */

void od_member_ref(struct orderly *orderly)
{
    atomic_fetch_add_explicit(&orderly->refs, 1, memory_order_relaxed);
}

static void destroy(struct orderly *orderly)
{
    od_loop_fini(&orderly->loop);
    od_callbacks_fini(&orderly->callback_queue);
    od_pool_fini(&orderly->pool);
    od_deadlines_fini(&orderly->deadlines);
    od_inbox_fini(&orderly->inbox);
    if (orderly->poll.fd >= 0) {
        close(orderly->poll.fd);
    }
    pthread_cond_destroy(&orderly->poll.answer);
    pthread_cond_destroy(&orderly->bell);
    pthread_mutex_destroy(&orderly->mutex);
    pthread_mutex_destroy(&orderly->idle);
    od_settings_fini(&orderly->settings);
    free(orderly);
}

void od_member_unref(struct orderly *orderly)
{
    if (atomic_fetch_sub_explicit(&orderly->refs, 1, memory_order_acq_rel) == 1) {
        destroy(orderly);
    }
}

/* ---- the bell ---- */

void od_member_ring(struct orderly *orderly)
{
    if (atomic_load(&orderly->waiters) > 0) {
        pthread_mutex_lock(&orderly->mutex);
        pthread_cond_broadcast(&orderly->bell);
        pthread_mutex_unlock(&orderly->mutex);
    }
}

bool od_member_wait(struct orderly *orderly, int64_t until_ms)
{
    if (until_ms != INT64_MAX && od_clock_ms() >= until_ms) {
        return false;
    }
    atomic_fetch_add(&orderly->waiters, 1);
    if (until_ms == INT64_MAX) {
        pthread_cond_wait(&orderly->bell, &orderly->mutex);
    } else {
        struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
        pthread_cond_timedwait(&orderly->bell, &orderly->mutex, &until);
    }
    atomic_fetch_sub(&orderly->waiters, 1);
    return true;
}

bool od_member_wait_end(struct orderly *orderly, int64_t until_ms)
{
    while (orderly->phase != OD_PHASE_ENDED) {
        if (!od_member_wait(orderly, until_ms)) {
            return false;
        }
    }
    return true;
}

/* ---- new ---- */

static void engine_log(void *opaque, int level, const char *area, const char *text)
{
    struct od_loop *loop = opaque;
    od_log(loop->orderly, level, area, "%s", text);
}

static struct orderly *allocate(void)
{
    struct orderly *orderly = calloc(1, sizeof *orderly);
    if (orderly == NULL) {
        return NULL;
    }
    if (od_inbox_init(&orderly->inbox) != ORDERLY_OK) {
        free(orderly);
        return NULL;
    }
    atomic_init(&orderly->refs, 1);
    orderly->poll.fd = -1;
    orderly->loop.orderly = orderly;
    orderly->last_error = (struct orderly_error)ORDERLY_ERROR_INIT;
    pthread_mutex_init(&orderly->mutex, NULL);
    pthread_mutex_init(&orderly->idle, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&orderly->bell, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_cond_init(&orderly->poll.answer, NULL);
    od_callbacks_init(&orderly->callback_queue);
    od_pool_init(&orderly->pool);
    od_deadlines_init(&orderly->deadlines);
    return orderly;
}

/* The settings, the callbacks and the engine of a new object. */
static enum orderly_err fill(struct orderly *orderly, const struct orderly_config *config, struct orderly_error *error)
{
    enum orderly_err result = od_settings_finish(config, &orderly->settings, error);
    if (result != ORDERLY_OK) {
        return result;
    }
    void *userdata = NULL;
    orderly->callbacks = *od_config_callbacks(config, &userdata);
    orderly->userdata = userdata;
    if (od_config_plaintext(config)) {
        od_log(orderly, ORDERLY_LOG_WARNING, "kafka",
               "records travel in the clear: no TLS, no SASL, and the broker is not on this host");
    }
    struct od_engine_sink sink = {.userdata = &orderly->loop,
                                  .event = od_loop_event,
                                  .fault = od_loop_fault,
                                  .log = engine_log,
                                  .record_bytes = sizeof(struct orderly_record)};
    return od_engine_new(&orderly->settings, &sink, &orderly->loop.engine, error);
}

enum orderly_err orderly_new(const struct orderly_config *config, struct orderly **ret, struct orderly_error *error)
{
    if (config == NULL || ret == NULL) {
        return od_fail(error, ORDERLY_INVALID, "orderly_new: no configuration, or nowhere to put the object");
    }
    struct orderly *orderly = allocate();
    if (orderly == NULL) {
        return od_fail(error, ORDERLY_NOMEM, "orderly_new: out of memory or descriptors");
    }
    enum orderly_err result = fill(orderly, config, error);
    if (result != ORDERLY_OK) {
        od_member_unref(orderly);
        return result;
    }
    *ret = orderly;
    return ORDERLY_OK;
}

/* ---- start ---- */

static void configure_core(struct orderly *orderly, const struct orderly_handler *handler)
{
    struct od_core_config *config = &orderly->loop.config;
    config->poll_face = handler == NULL;
    if (handler != NULL) {
        config->workers = handler->workers;
        config->batch_max = handler->handle_batch != NULL ? (uint32_t)handler->batch_max : 0;
        config->batch_wait_ms = handler->batch_wait_ms;
    }
    config->has_assigned = od_callbacks_has(orderly, OD_CALL_ASSIGNED);
    config->has_revoked = od_callbacks_has(orderly, OD_CALL_REVOKED);
    config->has_lost = od_callbacks_has(orderly, OD_CALL_LOST);
    config->has_position = od_callbacks_has(orderly, OD_CALL_POSITION);
    config->seed = (uint64_t)od_clock_us() ^ (uint64_t)(uintptr_t)orderly ^ ((uint64_t)getpid() << 32);
}

/* With `idle`: the threads, for a face that is new. */
static enum orderly_err start_threads(struct orderly *orderly, const struct orderly_handler *handler,
                                      struct orderly_error *error)
{
    configure_core(orderly, handler);
    enum orderly_err result = od_callbacks_start(orderly);
    if (result == ORDERLY_OK && handler != NULL) {
        orderly->deadlines.timeout_ms = handler->timeout_ms;
        orderly->deadlines.stuck_grace_ms = handler->stuck_grace_ms;
        result = od_pool_start(orderly, handler);
    }
    if (result == ORDERLY_OK) {
        result = od_loop_start(orderly);
    }
    if (result != ORDERLY_OK) {
        od_pool_stop(orderly, THREADS_GRACE_MS);
        od_callbacks_stop(orderly, THREADS_GRACE_MS);
        return od_fail(error, result, "threads cannot be started: %s", orderly_strerror(result));
    }
    return ORDERLY_OK;
}

enum orderly_err od_member_start(struct orderly *orderly, enum od_face face, const struct orderly_handler *handler,
                                 struct orderly_error *error)
{
    enum orderly_err result = ORDERLY_OK;
    pthread_mutex_lock(&orderly->mutex);
    enum od_phase phase = orderly->phase;
    enum od_face now = orderly->face;
    enum orderly_err fatal = orderly->fatal;
    pthread_mutex_unlock(&orderly->mutex);
    if (phase == OD_PHASE_RUNNING && now == face && handler == NULL) {
        return ORDERLY_OK;
    }
    pthread_mutex_lock(&orderly->idle);
    pthread_mutex_lock(&orderly->mutex);
    phase = orderly->phase;
    now = orderly->face;
    if (now != OD_FACE_NONE && now != face) {
        result = od_fail(error, ORDERLY_STATE, "this member is driven by the other of orderly_poll and orderly_run");
    } else if (phase == OD_PHASE_ENDED || (phase == OD_PHASE_NEW && atomic_load(&orderly->closing))) {
        result = fatal != ORDERLY_OK ? fatal : ORDERLY_CLOSED;
        od_fail(error, result, "this member is closed");
    } else if (phase == OD_PHASE_RUNNING && face == OD_FACE_RUN) {
        result = od_fail(error, ORDERLY_STATE, "orderly_run is already used on this member");
    } else {
        orderly->face = face;
    }
    pthread_mutex_unlock(&orderly->mutex);
    if (result == ORDERLY_OK && phase == OD_PHASE_NEW) {
        result = start_threads(orderly, handler, error);
        pthread_mutex_lock(&orderly->mutex);
        orderly->phase = result == ORDERLY_OK ? OD_PHASE_RUNNING : OD_PHASE_ENDED;
        pthread_mutex_unlock(&orderly->mutex);
    }
    pthread_mutex_unlock(&orderly->idle);
    return result;
}

/* ---- the end ---- */

enum orderly_err orderly_close(struct orderly *orderly)
{
    if (orderly == NULL) {
        return ORDERLY_INVALID;
    }
    atomic_store(&orderly->closing, true);
    od_inbox_ring(&orderly->inbox);
    return ORDERLY_OK;
}

/* Closes by that time; returns when the loop has ended. False: there never was one. */
static bool close_by(struct orderly *orderly, int64_t timeout_ms)
{
    pthread_mutex_lock(&orderly->idle);
    if (timeout_ms >= 0) {
        enum orderly_err error = od_inbox_post(
            &orderly->inbox, (struct od_post){.type = OD_POST_CLOSE, .b = od_clock_after(od_clock_ms(), timeout_ms)});
        (void)error; /* no loop, or no memory: then close_timeout holds */
    }
    enum orderly_err error = orderly_close(orderly);
    (void)error;
    pthread_mutex_lock(&orderly->mutex);
    bool started = orderly->phase != OD_PHASE_NEW;
    if (!started) {
        orderly->phase = OD_PHASE_ENDED;
    }
    pthread_cond_broadcast(&orderly->bell);
    pthread_mutex_unlock(&orderly->mutex);
    pthread_mutex_unlock(&orderly->idle);
    if (started) {
        pthread_mutex_lock(&orderly->mutex);
        od_member_wait_end(orderly, INT64_MAX);
        pthread_mutex_unlock(&orderly->mutex);
    }
    return started;
}

enum orderly_err orderly_drain(struct orderly *orderly, int64_t timeout_ms)
{
    if (orderly == NULL) {
        return ORDERLY_INVALID;
    }
    if (od_member_inside()) {
        return ORDERLY_STATE;
    }
    if (!close_by(orderly, timeout_ms)) {
        return ORDERLY_OK;
    }
    pthread_mutex_lock(&orderly->mutex);
    enum orderly_err result = orderly->result;
    pthread_mutex_unlock(&orderly->mutex);
    return result;
}

void orderly_free(struct orderly *orderly)
{
    if (orderly == NULL) {
        return;
    }
    if (od_member_inside()) {
        od_log(orderly, ORDERLY_LOG_ERROR, "close",
               "orderly_free was called inside a callback or a handler: the member is closed, and not freed");
        enum orderly_err error = orderly_close(orderly);
        (void)error;
        return;
    }
    close_by(orderly, -1);
    if (orderly->loop.started) {
        pthread_join(orderly->loop.thread, NULL);
        orderly->loop.started = false;
    }
    od_pool_stop(orderly, orderly->result == ORDERLY_TIMEOUT ? 0 : THREADS_GRACE_MS);
    od_callbacks_stop(orderly, THREADS_GRACE_MS);
    pthread_mutex_lock(&orderly->mutex);
    struct od_leases leases = orderly->leases, quits = orderly->quits;
    orderly->leases = orderly->quits = (struct od_leases){0};
    pthread_cond_broadcast(&orderly->bell); /* who waits for what is out waits no longer */
    pthread_mutex_unlock(&orderly->mutex);
    od_leases_fini(&leases);
    od_leases_fini(&quits);
    od_loop_retire(&orderly->loop);
    od_member_unref(orderly);
}

enum orderly_err orderly_last_error(struct orderly *orderly, struct orderly_error *ret)
{
    if (orderly == NULL || ret == NULL || ret->size < sizeof(size_t)) {
        return ORDERLY_INVALID;
    }
    pthread_mutex_lock(&orderly->mutex);
    struct orderly_error error = orderly->last_error;
    pthread_mutex_unlock(&orderly->mutex);
    size_t size = ret->size < sizeof error ? ret->size : sizeof error;
    error.size = ret->size;
    memcpy(ret, &error, size);
    return ORDERLY_OK;
}
