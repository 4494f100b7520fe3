/*
 * The worker pool. A worker posts what it has settled once a job, or every FLUSH_US when the job takes longer, so that the inbox's
 * lock and the loop's wake-up are shared by many records.
 */
#include "runtime/pool.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/member.h"
#include "runtime/record.h"
#include "runtime/settle.h"

#define FLUSH_US 500
/* Lanes of one job whose records did not end well; a job has few. */
#define BAD_LANES 16
/* Leases of the records of one flush. */
#define TALLIES 8

struct od_tally {
    struct od_lease *lease; /* held */
    uint64_t count;
};

struct od_worker {
    struct orderly *orderly;
    struct orderly_record *first, *last; /* settled, not posted */
    struct od_tally tallies[TALLIES];    /* of what is between first and last */
    size_t tally_count;
    int64_t now_us, flushed_us;
    uint32_t bad_lanes[BAD_LANES];
    size_t bad_count;
    struct orderly_record **batch; /* room for handle_batch */
    enum orderly_outcome *outcomes;
};

/* ---- giving back ---- */

/* Posts what is settled. It counts as back only afterwards: who waits for that and commits then must find it in the inbox. */
static void flush(struct od_worker *worker)
{
    worker->flushed_us = worker->now_us;
    if (worker->first == NULL) {
        return;
    }
    struct orderly_record *first = worker->first;
    if (!od_inbox_splice(&worker->orderly->inbox, first, worker->last)) {
        for (struct orderly_record *next; first != NULL; first = next) {
            next = first->next;
            od_record_drop(first);
        }
    }
    worker->first = worker->last = NULL;
    for (size_t i = 0; i < worker->tally_count; i++) {
        od_lease_came_back(worker->tallies[i].lease, worker->tallies[i].count);
        od_lease_unref(worker->tallies[i].lease);
    }
    worker->tally_count = 0;
}

static void tally(struct od_worker *worker, struct od_lease *lease)
{
    for (size_t i = 0; i < worker->tally_count; i++) {
        if (worker->tallies[i].lease == lease) {
            worker->tallies[i].count++;
            return;
        }
    }
    if (worker->tally_count == TALLIES) {
        flush(worker);
    }
    od_lease_ref(lease);
    worker->tallies[worker->tally_count++] = (struct od_tally){lease, 1};
}

/* Keeps a claimed record, with the worker's reference of it, for the next flush. */
static void give_back(struct od_worker *worker, struct orderly_record *record)
{
    tally(worker, record->lease);
    record->next = NULL;
    if (worker->last != NULL) {
        worker->last->next = record;
    } else {
        worker->first = record;
    }
    worker->last = record;
}

/* ---- one record ---- */

static bool is_bad_lane(const struct od_worker *worker, uint32_t lane)
{
    for (size_t i = 0; i < worker->bad_count; i++) {
        if (worker->bad_lanes[i] == lane) {
            return lane != 0;
        }
    }
    return lane != 0 && worker->bad_count == BAD_LANES; /* more than we can remember: not run is always allowed */
}

static void remember_bad_lane(struct od_worker *worker, uint32_t lane)
{
    if (lane != 0 && worker->bad_count < BAD_LANES) {
        worker->bad_lanes[worker->bad_count++] = lane;
    }
}

/* From queued to out; false: it was withdrawn, the caller's reference has gone. */
static bool take(struct od_worker *worker, struct orderly_record *record)
{
    if (!od_record_hand_out(record)) {
        od_record_drop(record);
        return false;
    }
    record->wait_us = worker->now_us - record->queued_us;
    struct od_deadlines *deadlines = &worker->orderly->deadlines;
    if (deadlines->timeout_ms > 0 &&
        !od_deadlines_set(deadlines, record, worker->now_us / 1000 + deadlines->timeout_ms)) {
        od_log(worker->orderly, ORDERLY_LOG_ERROR, "handler", "out of memory: a handler runs without its deadline");
    }
    return true;
}

static enum orderly_outcome known(enum orderly_outcome outcome)
{
    return outcome > ORDERLY_UNSET && outcome <= ORDERLY_THROTTLE ? outcome : ORDERLY_UNSET;
}

/* A retry after a timeout has a class even when the handler names none. */
static void name_timeout(struct orderly_record *record, enum orderly_outcome outcome)
{
    if ((outcome == ORDERLY_RETRY || outcome == ORDERLY_DEAD_LETTER) &&
        atomic_load(&record->cancel) == ORDERLY_REASON_TIMEOUT && !atomic_load(&record->has_text)) {
        enum orderly_err error = orderly_record_set_error(record, "timeout", "the handler did not end within its time");
        (void)error;
    }
}

/* What a handler returned for a record that is out. False: its lane must not go on in this job. */
static bool end(struct od_worker *worker, struct orderly_record *record, enum orderly_outcome outcome)
{
    if (outcome == ORDERLY_PENDING) {
        od_record_unref(record);
        return false;
    }
    outcome = known(outcome);
    name_timeout(record, outcome);
    struct od_settling settling = {outcome, record->delay_ms, record->due_ms};
    if (od_settle_claim(record, &settling) == ORDERLY_INVALID) {
        /* The handler settled it itself. */
        unsigned state = atomic_load(&record->state);
        od_record_unref(record);
        return state == OD_RECORD_SETTLED + ORDERLY_ACK || state == OD_RECORD_SETTLED + ORDERLY_DROP;
    }
    record->run_us = worker->now_us - record->queued_us - record->wait_us;
    give_back(worker, record);
    return outcome == ORDERLY_ACK || outcome == ORDERLY_DROP;
}

/* ---- jobs ---- */

/* Gives a record of a bad lane back unseen. */
static void skip(struct od_worker *worker, struct orderly_record *record)
{
    if (!od_record_withdraw(record)) {
        od_record_drop(record);
        return;
    }
    record->next = NULL;
    if (!od_inbox_splice(&worker->orderly->inbox, record, record)) {
        od_record_drop(record);
    }
}

/* One after the other. A record that does not end well takes the later ones of its lane with it. */
static void run_sequence(struct od_worker *worker, struct orderly_record *job)
{
    const struct orderly_handler *handler = &worker->orderly->pool.handler;
    for (struct orderly_record *record = job, *next; record != NULL; record = next) {
        next = record->job_next;
        uint32_t lane = record->lane;
        if (is_bad_lane(worker, lane)) {
            flush(worker); /* the loop must see first why */
            skip(worker, record);
            continue;
        }
        if (!take(worker, record)) {
            remember_bad_lane(worker, lane);
            continue;
        }
        enum orderly_outcome outcome = handler->handle(record, handler->userdata);
        worker->now_us = od_clock_us();
        if (!end(worker, record, outcome)) {
            remember_bad_lane(worker, lane);
        }
        if (worker->now_us - worker->flushed_us >= FLUSH_US) {
            flush(worker);
        }
    }
}

static void run_batch(struct od_worker *worker, struct orderly_record *job)
{
    const struct orderly_handler *handler = &worker->orderly->pool.handler;
    while (job != NULL) {
        size_t count = 0;
        for (struct orderly_record *next; job != NULL && count < handler->batch_max; job = next) {
            next = job->job_next;
            if (take(worker, job)) {
                worker->outcomes[count] = ORDERLY_UNSET;
                worker->batch[count++] = job;
            }
        }
        if (count > 0) {
            handler->handle_batch(worker->batch, count, worker->outcomes, handler->userdata);
        }
        worker->now_us = od_clock_us();
        for (size_t i = 0; i < count; i++) {
            end(worker, worker->batch[i], worker->outcomes[i]);
        }
    }
}

/* With the mutex. NULL: the pool stops. */
static struct orderly_record *next_job(struct od_pool *pool)
{
    while (pool->first == NULL && !pool->stop) {
        pool->sleeping++;
        pthread_cond_wait(&pool->work, &pool->mutex);
        pool->sleeping--;
    }
    struct orderly_record *job = pool->first;
    if (job != NULL) {
        pool->first = job->job_queue;
        if (pool->first == NULL) {
            pool->last = NULL;
        }
    }
    return job;
}

static void *worker_main(void *opaque)
{
    struct od_worker *worker = opaque;
    struct orderly *orderly = worker->orderly;
    struct od_pool *pool = &orderly->pool;
    pthread_setname_np(pthread_self(), "orderly-work");
    od_member_set_inside(true);
    pthread_mutex_lock(&pool->mutex);
    for (struct orderly_record *job; (job = next_job(pool)) != NULL;) {
        pthread_mutex_unlock(&pool->mutex);
        worker->now_us = worker->flushed_us = od_clock_us();
        worker->bad_count = 0;
        if (worker->batch != NULL) {
            run_batch(worker, job);
        } else {
            run_sequence(worker, job);
        }
        flush(worker);
        pthread_mutex_lock(&pool->mutex);
    }
    pool->alive--;
    pthread_cond_broadcast(&pool->change);
    pthread_mutex_unlock(&pool->mutex);
    free(worker->batch);
    free(worker->outcomes);
    free(worker);
    od_member_unref(orderly);
    return NULL;
}

/* ---- the pool ---- */

void od_pool_init(struct od_pool *pool)
{
    *pool = (struct od_pool){0};
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->change, &attributes);
    pthread_condattr_destroy(&attributes);
}

void od_pool_fini(struct od_pool *pool)
{
    free(pool->threads);
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->change);
}

static struct od_worker *worker_new(struct orderly *orderly)
{
    const struct orderly_handler *handler = &orderly->pool.handler;
    struct od_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL || handler->handle_batch == NULL) {
        return worker;
    }
    worker->batch = calloc(handler->batch_max, sizeof(struct orderly_record *));
    worker->outcomes = calloc(handler->batch_max, sizeof *worker->outcomes);
    if (worker->batch == NULL || worker->outcomes == NULL) {
        free(worker->batch);
        free(worker->outcomes);
        free(worker);
        return NULL;
    }
    return worker;
}

enum orderly_err od_pool_start(struct orderly *orderly, const struct orderly_handler *handler)
{
    struct od_pool *pool = &orderly->pool;
    pool->handler = *handler;
    pool->threads = calloc(handler->workers, sizeof *pool->threads);
    if (pool->threads == NULL) {
        return ORDERLY_NOMEM;
    }
    for (uint32_t i = 0; i < handler->workers; i++) {
        struct od_worker *worker = worker_new(orderly);
        if (worker == NULL) {
            return ORDERLY_NOMEM;
        }
        worker->orderly = orderly;
        od_member_ref(orderly);
        pthread_mutex_lock(&pool->mutex);
        pool->alive++;
        pthread_mutex_unlock(&pool->mutex);
        if (pthread_create(&pool->threads[pool->thread_count], NULL, worker_main, worker) != 0) {
            pthread_mutex_lock(&pool->mutex);
            pool->alive--;
            pthread_mutex_unlock(&pool->mutex);
            od_member_unref(orderly);
            free(worker->batch);
            free(worker->outcomes);
            free(worker);
            return ORDERLY_LIMIT;
        }
        pool->thread_count++;
    }
    return ORDERLY_OK;
}

void od_pool_stop(struct orderly *orderly, int64_t wait_ms)
{
    struct od_pool *pool = &orderly->pool;
    int64_t until_ms = od_clock_after(od_clock_ms(), wait_ms);
    struct timespec until = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&pool->mutex);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    while (pool->alive > 0 && od_clock_ms() < until_ms) {
        pthread_cond_timedwait(&pool->change, &pool->mutex, &until);
    }
    bool ended = pool->alive == 0;
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->thread_count; i++) {
        if (ended) {
            pthread_join(pool->threads[i], NULL);
        } else {
            pthread_detach(pool->threads[i]);
        }
    }
    pool->thread_count = 0;
}

void od_pool_push(struct od_pool *pool, struct orderly_record *first, struct orderly_record *last, size_t count)
{
    pthread_mutex_lock(&pool->mutex);
    if (pool->last != NULL) {
        pool->last->job_queue = first;
    } else {
        pool->first = first;
    }
    pool->last = last;
    size_t wake = pool->sleeping < count ? pool->sleeping : count;
    pthread_mutex_unlock(&pool->mutex);
    while (wake-- > 0) {
        pthread_cond_signal(&pool->work);
    }
}
