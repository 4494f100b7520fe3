/* Deadlines of handlers. */
#include "runtime/deadline.h"

#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/member.h"
#include "runtime/record.h"

static struct orderly_record *record_of(uint64_t value)
{
    return (struct orderly_record *)(uintptr_t)value;
}

static void moved(void *userdata, uint64_t value, size_t index)
{
    (void)userdata;
    record_of(value)->deadline_index = index == OD_HEAP_NOWHERE ? 0 : index + 1;
}

void od_deadlines_init(struct od_deadlines *deadlines)
{
    *deadlines = (struct od_deadlines){0};
    pthread_mutex_init(&deadlines->mutex, NULL);
    od_heap_init(&deadlines->heap, moved, NULL);
}

void od_deadlines_fini(struct od_deadlines *deadlines)
{
    od_heap_fini(&deadlines->heap);
    pthread_mutex_destroy(&deadlines->mutex);
}

/* A record that was reported and now ends, or moves on. */
static void no_longer_stuck(struct od_deadlines *deadlines, struct orderly_record *record)
{
    if (record->stuck) {
        record->stuck = false;
        deadlines->stuck--;
    }
}

bool od_deadlines_set(struct od_deadlines *deadlines, struct orderly_record *record, int64_t at_ms)
{
    bool done = true, first = false;
    pthread_mutex_lock(&deadlines->mutex);
    no_longer_stuck(deadlines, record);
    record->timed_out = false;
    if (record->deadline_index != 0) {
        od_heap_rekey(&deadlines->heap, record->deadline_index - 1, at_ms);
    } else {
        done = od_heap_push(&deadlines->heap,
                            (struct od_heap_entry){at_ms, deadlines->sequence++, (uint64_t)(uintptr_t)record});
    }
    if (done) {
        atomic_store(&record->deadline_ms, at_ms);
        first = od_heap_peek(&deadlines->heap)->value == (uint64_t)(uintptr_t)record;
    }
    pthread_mutex_unlock(&deadlines->mutex);
    if (first) {
        od_inbox_ring(&record->lease->orderly->inbox);
    }
    return done;
}

void od_deadlines_remove(struct od_deadlines *deadlines, struct orderly_record *record)
{
    pthread_mutex_lock(&deadlines->mutex);
    no_longer_stuck(deadlines, record);
    if (record->deadline_index != 0) {
        od_heap_remove(&deadlines->heap, record->deadline_index - 1);
        record->deadline_index = 0;
    }
    atomic_store(&record->deadline_ms, 0);
    pthread_mutex_unlock(&deadlines->mutex);
}

/* With the mutex: the record at the top is past its time, or past its grace. */
static void expire(struct orderly *orderly, struct orderly_record *record, int64_t now_ms)
{
    struct od_deadlines *deadlines = &orderly->deadlines;
    int64_t grace = deadlines->stuck_grace_ms;
    const char *topic = record->lease->topic;
    long long offset = (long long)orderly_record_offset(record);
    if (!record->timed_out) {
        record->timed_out = true;
        if (atomic_load(&record->cancel) == ORDERLY_REASON_NONE) {
            od_record_cancel(record, ORDERLY_REASON_TIMEOUT, od_clock_after(now_ms, grace));
        }
        od_log(orderly, ORDERLY_LOG_WARNING, "handler",
               "%s/%d offset %lld: the handler's time is over; it was told to stop", topic,
               (int)record->lease->partition, offset);
        od_heap_rekey(&deadlines->heap, record->deadline_index - 1, od_clock_after(now_ms, grace));
        return;
    }
    if (!record->stuck) {
        record->stuck = true;
        deadlines->stuck++;
        od_log(orderly, ORDERLY_LOG_ERROR, "handler",
               "%s/%d offset %lld: the handler is stuck: it did not stop within %lld ms of being told; "
               "nothing above this record can be committed",
               topic, (int)record->lease->partition, offset, (long long)grace);
    }
    od_heap_rekey(&deadlines->heap, record->deadline_index - 1, INT64_MAX);
}

int64_t od_deadlines_expire(struct orderly *orderly, int64_t now_ms)
{
    struct od_deadlines *deadlines = &orderly->deadlines;
    pthread_mutex_lock(&deadlines->mutex);
    const struct od_heap_entry *top;
    while ((top = od_heap_peek(&deadlines->heap)) != NULL && top->key <= now_ms) {
        expire(orderly, record_of(top->value), now_ms);
    }
    int64_t next = top != NULL ? top->key : INT64_MAX;
    pthread_mutex_unlock(&deadlines->mutex);
    return next;
}

size_t od_deadlines_stuck(struct od_deadlines *deadlines)
{
    pthread_mutex_lock(&deadlines->mutex);
    size_t stuck = deadlines->stuck;
    pthread_mutex_unlock(&deadlines->mutex);
    return stuck;
}
