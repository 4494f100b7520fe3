/* Between the workers and the event thread of a handler: see queue.h. */
#include "daemon/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/bytes.h"

enum { CHECK_MS = 250 };

bool od_queue_init(struct od_queue *queue, const struct od_handler_options *options)
{
    *queue = (struct od_queue){.options = options, .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    queue->last = &queue->first;
    od_breaker_init(&queue->breaker);
    if (queue->wake_fd < 0) {
        return false;
    }
    pthread_mutex_init(&queue->mutex, NULL);
    return true;
}

static void release(struct od_queue_item *item)
{
    struct od_verdict verdict = OD_VERDICT_INIT;

    verdict.outcome = ORDERLY_RELEASE;
    od_verdict_settle(&verdict, item->record);
    free(item);
}

static void release_all(struct od_queue_item *item)
{
    while (item != NULL) {
        struct od_queue_item *next = item->next;

        release(item);
        item = next;
    }
}

void od_queue_fini(struct od_queue *queue)
{
    if (queue->wake_fd < 0) {
        return;
    }
    release_all(queue->first);
    close(queue->wake_fd);
    pthread_mutex_destroy(&queue->mutex);
}

void od_queue_wake(struct od_queue *queue)
{
    uint64_t one = 1;

    /* A full counter is readable as well. */
    (void)!write(queue->wake_fd, &one, sizeof one);
}

void od_queue_woken(struct od_queue *queue)
{
    uint64_t count;

    (void)!read(queue->wake_fd, &count, sizeof count);
}

enum orderly_outcome od_queue_put(struct od_queue *queue, struct orderly_record *record)
{
    struct od_queue_item *item = malloc(sizeof *item);
    bool closed, first;

    if (item == NULL) {
        return ORDERLY_HOLD;
    }
    *item = (struct od_queue_item){NULL, orderly_record_ref(record)};
    pthread_mutex_lock(&queue->mutex);
    closed = queue->closed;
    first = queue->first == NULL;
    if (!closed) {
        *queue->last = item;
        queue->last = &item->next;
        queue->waiting++;
    }
    pthread_mutex_unlock(&queue->mutex);
    if (closed) {
        orderly_record_unref(item->record);
        free(item);
        return ORDERLY_RELEASE;
    }
    if (first) { /* otherwise it was woken before, and looks until the queue is empty or may not start more */
        od_queue_wake(queue);
    }
    return ORDERLY_PENDING;
}

void od_queue_state(struct od_queue *queue, struct od_handler_state *ret)
{
    int64_t next_ms;

    *ret = (struct od_handler_state){0};
    pthread_mutex_lock(&queue->mutex);
    ret->breaker = queue->breaker.state;
    next_ms = od_breaker_next_ms(&queue->breaker);
    if (queue->breaker.state == OD_BREAKER_OPEN || queue->breaker.state == OD_BREAKER_THROTTLED) {
        int64_t left_ms = next_ms - od_clock_ms();

        ret->breaker_left_ms = left_ms > 0 ? left_ms : 0;
    }
    if (queue->breaker.state != OD_BREAKER_CLOSED) {
        memcpy(ret->text, queue->reason, sizeof ret->text);
    }
    ret->waiting = queue->waiting;
    ret->running = queue->running;
    ret->started = queue->started;
    ret->faults = queue->faults;
    ret->late = queue->late;
    pthread_mutex_unlock(&queue->mutex);
}

void od_queue_resume(struct od_queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    od_breaker_resume(&queue->breaker);
    pthread_mutex_unlock(&queue->mutex);
    od_queue_wake(queue);
}

static void close_with(struct od_queue *queue, bool killing)
{
    struct od_queue_item *waiting;

    pthread_mutex_lock(&queue->mutex);
    queue->closed = true;
    queue->killing = queue->killing || killing;
    waiting = queue->first;
    queue->first = NULL;
    queue->last = &queue->first;
    queue->waiting = 0;
    pthread_mutex_unlock(&queue->mutex);
    release_all(waiting);
    od_queue_wake(queue);
}

void od_queue_close(struct od_queue *queue)
{
    close_with(queue, false);
}

void od_queue_kill(struct od_queue *queue)
{
    close_with(queue, true);
}

bool od_queue_closed(struct od_queue *queue)
{
    bool closed;

    pthread_mutex_lock(&queue->mutex);
    closed = queue->closed;
    pthread_mutex_unlock(&queue->mutex);
    return closed;
}

bool od_queue_killing(struct od_queue *queue)
{
    bool killing;

    pthread_mutex_lock(&queue->mutex);
    killing = queue->killing;
    pthread_mutex_unlock(&queue->mutex);
    return killing;
}

static struct od_queue_item *take_first(struct od_queue *queue)
{
    struct od_queue_item *item = queue->first;

    queue->first = item->next;
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
    queue->waiting--;
    return item;
}

struct orderly_record *od_queue_next(struct od_queue *queue)
{
    struct od_queue_item *item = NULL;
    struct orderly_record *record = NULL;

    pthread_mutex_lock(&queue->mutex);
    while (item == NULL && queue->first != NULL && queue->running < (size_t)queue->options->max_in_flight) {
        if (orderly_record_cancelled(queue->first->record, NULL, NULL)) {
            struct od_queue_item *cancelled = take_first(queue);

            pthread_mutex_unlock(&queue->mutex);
            release(cancelled);
            pthread_mutex_lock(&queue->mutex);
        } else if (od_breaker_admit(&queue->breaker, od_clock_ms())) {
            item = take_first(queue);
            queue->running++;
            queue->started++;
        } else {
            break;
        }
    }
    pthread_mutex_unlock(&queue->mutex);
    if (item != NULL) {
        record = item->record;
        free(item);
    }
    return record;
}

/* Takes the cancelled ones out of the queue. */
static struct od_queue_item *take_cancelled(struct od_queue *queue)
{
    struct od_queue_item *cancelled = NULL;

    for (struct od_queue_item **at = &queue->first; *at != NULL;) {
        struct od_queue_item *item = *at;

        if (orderly_record_cancelled(item->record, NULL, NULL)) {
            *at = item->next;
            item->next = cancelled;
            cancelled = item;
            queue->waiting--;
        } else {
            at = &item->next;
        }
        queue->last = at;
    }
    if (queue->first == NULL) {
        queue->last = &queue->first;
    }
    return cancelled;
}

int64_t od_queue_check(struct od_queue *queue, int64_t now_ms)
{
    struct od_queue_item *cancelled = NULL;
    int64_t next_ms = INT64_MAX;

    pthread_mutex_lock(&queue->mutex);
    if (queue->first != NULL && now_ms >= queue->checked_ms + CHECK_MS) {
        queue->checked_ms = now_ms;
        cancelled = take_cancelled(queue);
    }
    if (queue->first != NULL) {
        next_ms = queue->checked_ms + CHECK_MS;
        if (queue->running < (size_t)queue->options->max_in_flight) {
            int64_t breaker_ms = od_breaker_next_ms(&queue->breaker);

            next_ms = breaker_ms < next_ms ? breaker_ms : next_ms;
        }
    }
    pthread_mutex_unlock(&queue->mutex);
    release_all(cancelled);
    return next_ms;
}

/* With the lock held. */
static void tell(struct od_queue *queue, const struct od_verdict *verdict)
{
    if (verdict->blame == OD_BLAME_FAULT || verdict->blame == OD_BLAME_STOP) {
        queue->faults++;
    }
    if (verdict->blame != OD_BLAME_NONE && verdict->blame != OD_BLAME_NEUTRAL) {
        snprintf(queue->reason, sizeof queue->reason, "%s%s%.150s", verdict->error_class,
                 verdict->text[0] != '\0' ? ": " : "", verdict->text);
    }
    od_verdict_tell(verdict, &queue->breaker, queue->options->name, od_clock_ms());
}

void od_queue_tell(struct od_queue *queue, const struct od_verdict *verdict)
{
    pthread_mutex_lock(&queue->mutex);
    tell(queue, verdict);
    pthread_mutex_unlock(&queue->mutex);
}

void od_queue_ended(struct od_queue *queue, const struct od_verdict *verdict, struct orderly_record *record)
{
    bool moved;

    od_queue_tell(queue, verdict); /* before anyone can know of the outcome */
    moved = od_verdict_settle(verdict, record);
    pthread_mutex_lock(&queue->mutex);
    queue->running--;
    queue->late += !moved;
    pthread_mutex_unlock(&queue->mutex);
}

bool od_queue_stopped(struct od_queue *queue)
{
    bool stopped;

    pthread_mutex_lock(&queue->mutex);
    stopped = queue->breaker.state == OD_BREAKER_STOPPED;
    pthread_mutex_unlock(&queue->mutex);
    return stopped;
}
