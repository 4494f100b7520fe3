/*
 * The poll face. A poll says what it wants and waits; the loop answers at the end of a turn. With a poll fd one record is wanted ahead of the
 * poll, so that the descriptor tells the truth; it goes back when a rebalance comes before the poll does.
 */
#include "runtime/poll.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "runtime/ask.h"
#include "runtime/batch.h"
#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/member.h"
#include "runtime/record.h"

/* ---- the loop's side ---- */

static void want(struct od_loop *loop, uint64_t n)
{
    loop->wanting = n > 0;
    od_loop_step(loop, &(struct od_event){.type = OD_EVENT_WANT, .number = {n}});
}

void od_poll_gate(struct od_loop *loop, bool taken)
{
    if (taken == loop->gate_taken) {
        return;
    }
    loop->gate_taken = taken;
    if (taken) {
        loop->gate_since_ms = loop->now_ms;
    } else {
        od_meter_add(&loop->meters.gate, (loop->now_ms - loop->gate_since_ms) * 1000);
    }
    od_loop_step(loop, &(struct od_event){.type = OD_EVENT_GATE, .gate = {taken}});
}

void od_poll_give_back(struct od_loop *loop, bool all)
{
    struct od_chain kept = {0};
    struct orderly_record *back = NULL, **end = &back;
    for (struct orderly_record *record = loop->ready.first, *next; record != NULL; record = next) {
        next = record->job_next;
        record->job_next = NULL;
        if (!all && !record->lease->no_more) {
            *(kept.last != NULL ? &kept.last->job_next : &kept.first) = record;
            kept.last = record;
            kept.count++;
        } else if (od_record_withdraw(record)) {
            record->next = NULL;
            *end = record;
            end = &record->next;
        } else {
            od_record_drop(record); /* cancelled: it is on its way back already */
        }
    }
    loop->ready = kept;
    od_loop_settled(loop, back);
}

/* The answer is there; the caller is not told before the poll fd says what is true after it. */
static void answer(struct od_loop *loop, enum orderly_err result, struct orderly_batch *batch)
{
    struct orderly *orderly = loop->orderly;
    loop->polling = false;
    if (loop->wanting) {
        want(loop, 0);
    }
    pthread_mutex_lock(&orderly->mutex);
    orderly->poll.result = result;
    orderly->poll.batch = batch;
    pthread_mutex_unlock(&orderly->mutex);
}

static void tell_caller(struct orderly *orderly)
{
    pthread_mutex_lock(&orderly->mutex);
    orderly->poll.answered = true;
    pthread_cond_signal(&orderly->poll.answer);
    pthread_mutex_unlock(&orderly->mutex);
}

void od_poll_begin(struct od_loop *loop)
{
    struct orderly *orderly = loop->orderly;
    pthread_mutex_lock(&orderly->mutex);
    loop->poll_max = orderly->poll.max_records;
    loop->poll_until_ms = orderly->poll.until_ms;
    pthread_mutex_unlock(&orderly->mutex);
    loop->polling = true;
    if (loop->poll_max > loop->ready.count && !loop->close_told) {
        want(loop, loop->poll_max - loop->ready.count);
    }
}

/* Hands out what is ready; false: all of it was withdrawn. */
static bool hand_out(struct od_loop *loop)
{
    struct orderly_batch *batch = od_batch_make(loop->ready.first, loop->ready.count);
    if (batch == NULL) {
        od_poll_give_back(loop, true);
        answer(loop, ORDERLY_NOMEM, NULL);
        return true;
    }
    loop->ready = (struct od_chain){0};
    if (batch->count == 0) {
        orderly_batch_free(batch);
        return false;
    }
    if (loop->orderly->settings.block_rebalance_on_poll) {
        od_poll_gate(loop, true);
    }
    answer(loop, ORDERLY_OK, batch);
    return true;
}

static void try_to_answer(struct od_loop *loop)
{
    struct orderly *orderly = loop->orderly;
    od_poll_give_back(loop, false);
    if (loop->ready.count > 0 && hand_out(loop)) {
        return;
    }
    if (loop->poll_fault != ORDERLY_OK) {
        enum orderly_err fault = loop->poll_fault;
        loop->poll_fault = ORDERLY_OK;
        answer(loop, fault, NULL);
    } else if (loop->close_told || loop->ended) {
        answer(loop, ORDERLY_CLOSED, NULL);
    } else if (atomic_exchange(&orderly->woken, false)) {
        answer(loop, ORDERLY_INTERRUPTED, NULL);
    } else if (loop->now_ms >= loop->poll_until_ms) {
        answer(loop, ORDERLY_TIMEOUT, NULL);
    } else if (!loop->wanting) {
        want(loop, loop->poll_max); /* what came was withdrawn */
    }
}

static void keep_fd_true(struct od_loop *loop, int fd)
{
    struct orderly *orderly = loop->orderly;
    if (!loop->polling && !loop->wanting && loop->ready.count == 0 && !loop->close_told) {
        want(loop, 1);
        od_poll_give_back(loop, false);
    }
    bool readable = loop->ready.count > 0 || loop->poll_fault != ORDERLY_OK || loop->close_told || loop->ended ||
                    atomic_load(&orderly->woken);
    if (readable != loop->fd_readable) {
        loop->fd_readable = readable;
        uint64_t number = 1;
        ssize_t done = readable ? write(fd, &number, sizeof number) : read(fd, &number, sizeof number);
        (void)done;
    }
}

void od_poll_end_turn(struct od_loop *loop)
{
    bool asked = loop->polling;
    if (asked) {
        try_to_answer(loop);
    }
    if (loop->config.poll_face) {
        pthread_mutex_lock(&loop->orderly->mutex);
        int fd = loop->orderly->poll.fd;
        pthread_mutex_unlock(&loop->orderly->mutex);
        if (fd >= 0) {
            keep_fd_true(loop, fd);
        }
    }
    if (asked && !loop->polling) {
        tell_caller(loop->orderly);
    }
}

void od_poll_end(struct od_loop *loop)
{
    for (struct orderly_record *record = loop->ready.first, *next; record != NULL; record = next) {
        next = record->job_next;
        od_record_drop(record);
    }
    loop->ready = (struct od_chain){0};
    loop->ended = true;
    od_poll_end_turn(loop);
}

/* ---- the caller's side ---- */

/* Refuses, or makes this thread the one that polls. */
static enum orderly_err enter(struct orderly *orderly)
{
    enum orderly_err error = od_member_inside() ? ORDERLY_STATE : ORDERLY_OK;
    if (error == ORDERLY_OK) {
        error = od_member_start(orderly, OD_FACE_POLL, NULL, NULL);
    }
    if (error != ORDERLY_OK) {
        return error;
    }
    pthread_mutex_lock(&orderly->mutex);
    if (orderly->polling) {
        error = ORDERLY_STATE;
    } else {
        orderly->polling = true;
    }
    pthread_mutex_unlock(&orderly->mutex);
    return error;
}

enum orderly_err orderly_poll(struct orderly *orderly, size_t max_records, int64_t timeout_ms,
                              struct orderly_batch **ret)
{
    if (orderly == NULL || max_records == 0 || ret == NULL) {
        return ORDERLY_INVALID;
    }
    od_member_ref(orderly); /* whoever frees it meanwhile ends the poll */
    enum orderly_err error = enter(orderly);
    if (error != ORDERLY_OK) {
        od_member_unref(orderly);
        return error;
    }
    struct od_poll *poll = &orderly->poll;
    pthread_mutex_lock(&orderly->mutex);
    poll->max_records = max_records;
    poll->until_ms = od_clock_after(od_clock_ms(), timeout_ms);
    poll->answered = false;
    poll->batch = NULL;
    pthread_mutex_unlock(&orderly->mutex);
    error = od_inbox_post(&orderly->inbox, (struct od_post){.type = OD_POST_POLL});
    pthread_mutex_lock(&orderly->mutex);
    while (error == ORDERLY_OK && !poll->answered) {
        pthread_cond_wait(&poll->answer, &orderly->mutex);
    }
    if (error == ORDERLY_OK) {
        error = poll->result;
    } else if (error == ORDERLY_CLOSED && orderly->fatal != ORDERLY_OK) {
        error = orderly->fatal;
    }
    if (error == ORDERLY_OK) {
        *ret = poll->batch;
    }
    orderly->polling = false;
    pthread_mutex_unlock(&orderly->mutex);
    od_member_unref(orderly);
    return error;
}

int orderly_poll_fd(struct orderly *orderly)
{
    if (orderly == NULL || od_log_inside()) {
        return -1;
    }
    pthread_mutex_lock(&orderly->idle); /* nobody starts or ends meanwhile */
    pthread_mutex_lock(&orderly->mutex);
    bool made = false;
    if (orderly->poll.fd < 0 && orderly->face != OD_FACE_RUN) {
        /* The first poll is the one that joins: who only waits for the descriptor must be told to make it. */
        bool running = orderly->phase == OD_PHASE_RUNNING;
        orderly->poll.fd = eventfd(running ? 0 : 1, EFD_CLOEXEC | EFD_NONBLOCK);
        orderly->loop.fd_readable = running ? orderly->loop.fd_readable : orderly->poll.fd >= 0;
        made = true;
    }
    int fd = orderly->poll.fd;
    pthread_mutex_unlock(&orderly->mutex);
    pthread_mutex_unlock(&orderly->idle);
    if (made) {
        od_inbox_ring(&orderly->inbox);
    }
    return fd;
}

void orderly_wake(struct orderly *orderly)
{
    if (orderly != NULL) {
        atomic_store(&orderly->woken, true);
        od_inbox_ring(&orderly->inbox);
    }
}
