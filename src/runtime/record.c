/* A record: its life in memory, and what the loop does to it. What users ask of it: record_view.c, record_wait.c. */
#include "runtime/record.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/block.h"
#include "runtime/clock.h"
#include "runtime/inbox.h"
#include "runtime/member.h"
#include "runtime/settle.h"

struct od_message *od_record_message(const struct orderly_record *record)
{
    od_record_check(record);
    const struct orderly_record *room = record->base != NULL ? record->base : record;
    return od_message_of_room((void *)(uintptr_t)room);
}

struct orderly *od_record_owner(const struct orderly_record *record)
{
    return record->lease != NULL ? record->lease->orderly : NULL;
}

static void close_cancel_fd(struct orderly_record *record)
{
    int fd = atomic_load_explicit(&record->cancel_fd, memory_order_relaxed) - 1;
    if (fd >= 0) {
        close(fd);
        atomic_store_explicit(&record->cancel_fd, 0, memory_order_relaxed);
    }
}

static void free_texts(char **class_text, char **text)
{
    free(*class_text);
    free(*text);
    *class_text = *text = NULL;
}

static void destroy(struct orderly_record *record)
{
    struct od_lease *lease = record->lease;
    struct orderly_record *base = record->base;
    bool holds_lease = record->holds_lease;
    if (atomic_load_explicit(&record->state, memory_order_relaxed) == OD_RECORD_STALE) {
        od_lease_came_back(lease, 1); /* nobody ever settled it */
    }
    if (lease != NULL && atomic_load_explicit(&record->deadline_ms, memory_order_relaxed) != 0) {
        od_deadlines_remove(&lease->orderly->deadlines, record);
    }
    close_cancel_fd(record);
    if (atomic_load_explicit(&record->has_text, memory_order_relaxed)) {
        free_texts(&record->error_class, &record->error_text);
    }
    if (record->has_copy_text) {
        free_texts(&record->copy_class, &record->copy_text);
    }
    if (base != NULL) {
        od_block_free(record, sizeof *record);
        od_record_drop(base);
    } else {
        od_message_free(od_message_of_room(record));
    }
    if (holds_lease) {
        od_lease_unref(lease); /* last: with it may go the member */
    }
}

void od_record_drop(struct orderly_record *record)
{
    /* The only reference needs no atomic subtraction: nobody can make another one. */
    if (atomic_load_explicit(&record->refs, memory_order_acquire) == 0 ||
        atomic_fetch_sub_explicit(&record->refs, 1, memory_order_acq_rel) == 0) {
        destroy(record);
    }
}

struct orderly_record *od_record_ref(struct orderly_record *record)
{
    atomic_fetch_add_explicit(&record->refs, 1, memory_order_relaxed);
    return record;
}

struct orderly_record *orderly_record_ref(struct orderly_record *record)
{
    if (record == NULL) {
        return NULL;
    }
    od_record_check(record);
    od_record_give(record);
    return od_record_ref(record);
}

void od_record_unref(struct orderly_record *record)
{
    unsigned refs = atomic_load(&record->refs);
    while (refs > 0) {
        /* Forgetting makes it stale before the core's reference goes: out and one besides ours means that ours is the user's last. */
        unsigned state = atomic_load(&record->state);
        if (refs == 1 && (state == OD_RECORD_OUT || state == OD_RECORD_SOUGHT)) {
            enum orderly_err error =
                od_settle(record, &(struct od_settling){.outcome = ORDERLY_RELEASE, .delay_ms = -1});
            (void)error; /* somebody was faster: fine too */
            refs = atomic_load(&record->refs);
            continue;
        }
        if (atomic_compare_exchange_weak(&record->refs, &refs, refs - 1)) {
            return;
        }
    }
    destroy(record);
}

void orderly_record_unref(struct orderly_record *record)
{
    if (record != NULL) {
        od_record_check(record);
        od_record_take(record);
        od_record_unref(record);
    }
}

static struct orderly_record *make_twin(struct orderly_record *base)
{
    struct orderly_record *twin = od_block_new(sizeof *twin);
    if (twin != NULL) {
        memset(twin, 0, sizeof *twin);
        twin->base = base;
        twin->lease = base->lease;
        twin->holds_lease = true;
        od_lease_ref(twin->lease);
        od_record_ref(base);
        base->run = twin;
    }
    return twin;
}

struct orderly_record *od_record_begin(const struct od_run *run, struct od_lease *lease)
{
    struct orderly_record *base = od_record_of((struct od_message *)(uintptr_t)run->tag);
    struct orderly_record *record = base;
    bool seen = atomic_load_explicit(&base->state, memory_order_relaxed) != OD_RECORD_IDLE && !base->not_run;
    if (atomic_load_explicit(&base->refs, memory_order_acquire) != 0 || seen) {
        record = make_twin(base);
        if (record == NULL) {
            return NULL;
        }
    } else {
        atomic_store_explicit(&base->cancel, ORDERLY_REASON_NONE, memory_order_relaxed);
        base->not_run = false;
    }
    record->lease = lease;
    record->counted = false;
    record->id = run->record;
    record->lane = run->lane;
    record->attempt = run->attempt;
    record->run_us = record->wait_us = -1;
    record->delay_ms = -1;
    record->due_ms = 0;
    record->job_next = record->next = NULL;
    atomic_store_explicit(&record->refs, 1, memory_order_relaxed);
    atomic_store_explicit(&record->state, OD_RECORD_QUEUED, memory_order_release);
    return record;
}

bool od_record_hand_out(struct orderly_record *record)
{
    unsigned state = OD_RECORD_QUEUED;
    return atomic_compare_exchange_strong(&record->state, &state, OD_RECORD_OUT);
}

bool od_record_withdraw(struct orderly_record *record)
{
    unsigned state = OD_RECORD_QUEUED;
    if (!atomic_compare_exchange_strong(&record->state, &state, OD_RECORD_SETTLED + ORDERLY_RELEASE)) {
        return false;
    }
    record->not_run = true;
    if (record->counted) {
        od_lease_came_back(record->lease, 1);
    }
    return true;
}

void od_record_cancel(struct orderly_record *record, enum orderly_reason reason, int64_t until_ms)
{
    if (reason == ORDERLY_REASON_SEEK) {
        unsigned state = OD_RECORD_OUT;
        atomic_compare_exchange_strong(&record->state, &state, OD_RECORD_SOUGHT);
    }
    atomic_store(&record->cancel_until_ms, until_ms);
    atomic_store(&record->cancel, (int)reason);
    int fd = atomic_load(&record->cancel_fd) - 1;
    if (fd >= 0) {
        uint64_t one = 1;
        ssize_t written = write(fd, &one, sizeof one);
        (void)written;
    }
    od_member_ring(record->lease->orderly);
}

/* What the core forgets while it is not settled; true: it was, or counts as, out. */
static bool leave_behind(struct orderly_record *record, bool acked)
{
    unsigned state = atomic_load(&record->state);
    while (state == OD_RECORD_QUEUED || state == OD_RECORD_OUT || state == OD_RECORD_SOUGHT) {
        unsigned next = state == OD_RECORD_QUEUED ? OD_RECORD_SETTLED + ORDERLY_RELEASE
                        : acked                   ? OD_RECORD_SETTLED + ORDERLY_ACK
                                                  : OD_RECORD_STALE;
        if (atomic_compare_exchange_weak(&record->state, &state, next)) {
            return record->counted && next != OD_RECORD_STALE;
        }
    }
    return false;
}

void od_record_forget(struct orderly_record *base, bool acked)
{
    struct orderly_record *record = base->run != NULL ? base->run : base;
    if (leave_behind(record, acked)) {
        od_lease_came_back(record->lease, 1);
    }
    if (base->run != NULL) {
        base->run = NULL;
        od_record_drop(record);
    }
    if (!base->holds_lease && base->lease != NULL && atomic_load(&base->refs) > 0) {
        base->holds_lease = true; /* it outlives the core's interest, and perhaps the assignment */
        od_lease_ref(base->lease);
    }
    od_record_drop(base);
}

void od_record_keep_texts(struct orderly_record *record)
{
    if (!atomic_load(&record->has_text)) {
        return;
    }
    struct orderly_record *base = record->base != NULL ? record->base : record;
    struct orderly *orderly = record->lease->orderly;
    free_texts(&base->copy_class, &base->copy_text);
    pthread_mutex_lock(&orderly->mutex);
    base->copy_class = record->error_class;
    base->copy_text = record->error_text;
    base->has_copy_text = base->copy_class != NULL || base->copy_text != NULL;
    record->error_class = record->error_text = NULL;
    atomic_store(&record->has_text, false);
    pthread_mutex_unlock(&orderly->mutex);
}
