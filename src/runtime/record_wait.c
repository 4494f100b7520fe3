/* A record and time: cancellation, sleeping, deadlines, and what a handler says beside its outcome. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/clock.h"
#include "runtime/log.h"
#include "runtime/member.h"
#include "runtime/record.h"

/* The texts of a record's error are kept this short: class, text. */
#define CLASS_MAX 255
#define TEXT_MAX 4095

bool orderly_record_cancelled(const struct orderly_record *record, enum orderly_reason *ret_reason,
                              int64_t *ret_left_ms)
{
    od_record_check(record);
    int reason = record != NULL ? atomic_load(&record->cancel) : ORDERLY_REASON_NONE;
    if (ret_reason != NULL) {
        *ret_reason = (enum orderly_reason)reason;
    }
    if (ret_left_ms != NULL) {
        int64_t until_ms = INT64_MAX;
        if (reason != ORDERLY_REASON_NONE) {
            until_ms = atomic_load(&record->cancel_until_ms);
        }
        int64_t deadline_ms = record != NULL ? atomic_load(&record->deadline_ms) : 0;
        if (deadline_ms != 0 && reason == ORDERLY_REASON_NONE && deadline_ms < until_ms) {
            until_ms = deadline_ms;
        }
        int64_t left_ms = until_ms == INT64_MAX ? INT64_MAX : until_ms - od_clock_ms();
        *ret_left_ms = left_ms < 0 ? 0 : left_ms;
    }
    return reason != ORDERLY_REASON_NONE;
}

enum orderly_err orderly_record_cancel_fd(struct orderly_record *record, int *ret_fd)
{
    od_record_check(record);
    if (record == NULL || ret_fd == NULL) {
        return ORDERLY_INVALID;
    }
    int have = atomic_load(&record->cancel_fd);
    if (have == 0) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0) {
            return ORDERLY_LIMIT;
        }
        if (atomic_compare_exchange_strong(&record->cancel_fd, &have, fd + 1)) {
            have = fd + 1;
        } else {
            close(fd); /* another thread was faster */
        }
        /* Whoever cancels says so first and looks for the descriptor then: one of the two sees the other. */
        if (atomic_load(&record->cancel) != ORDERLY_REASON_NONE) {
            uint64_t one = 1;
            ssize_t written = write(have - 1, &one, sizeof one);
            (void)written;
        }
    }
    *ret_fd = have - 1;
    return ORDERLY_OK;
}

enum orderly_err orderly_record_sleep(struct orderly_record *record, int64_t ms)
{
    od_record_check(record);
    if (record == NULL || record->lease == NULL || ms < 0) {
        return ORDERLY_INVALID;
    }
    if (od_log_inside()) {
        return ORDERLY_STATE;
    }
    struct orderly *orderly = record->lease->orderly;
    int64_t until_ms = od_clock_after(od_clock_ms(), ms);
    bool in_time = true;
    pthread_mutex_lock(&orderly->mutex);
    atomic_fetch_add(&orderly->waiters, 1);
    while (in_time && atomic_load(&record->cancel) == ORDERLY_REASON_NONE) {
        in_time = od_member_wait(orderly, until_ms);
    }
    atomic_fetch_sub(&orderly->waiters, 1);
    pthread_mutex_unlock(&orderly->mutex);
    return atomic_load(&record->cancel) != ORDERLY_REASON_NONE ? ORDERLY_CANCELLED : ORDERLY_OK;
}

enum orderly_err orderly_record_extend(struct orderly_record *record, int64_t ms)
{
    od_record_check(record);
    if (record == NULL || record->lease == NULL || ms < 0) {
        return ORDERLY_INVALID;
    }
    unsigned state = atomic_load(&record->state);
    if (state == OD_RECORD_SOUGHT || state == OD_RECORD_STALE || state == OD_RECORD_STALE_SETTLED ||
        atomic_load(&record->lease->closed)) {
        return ORDERLY_STALE;
    }
    if (state != OD_RECORD_OUT) {
        return ORDERLY_INVALID;
    }
    struct od_deadlines *deadlines = &record->lease->orderly->deadlines;
    if (!od_deadlines_set(deadlines, record, od_clock_after(od_clock_ms(), ms))) {
        return ORDERLY_NOMEM;
    }
    if (atomic_load(&record->state) >= OD_RECORD_SETTLED) {
        od_deadlines_remove(deadlines, record); /* settled meanwhile */
    }
    return ORDERLY_OK;
}

static char *copy(const char *text, size_t max)
{
    return text != NULL ? strndup(text, max) : NULL;
}

enum orderly_err orderly_record_set_error(struct orderly_record *record, const char *error_class, const char *text)
{
    od_record_check(record);
    if (record == NULL || record->lease == NULL) {
        return ORDERLY_INVALID;
    }
    unsigned state = atomic_load(&record->state);
    if (state != OD_RECORD_OUT) {
        return state == OD_RECORD_STALE || state == OD_RECORD_SOUGHT ? ORDERLY_STALE : ORDERLY_INVALID;
    }
    char *class_copy = copy(error_class, CLASS_MAX), *text_copy = copy(text, TEXT_MAX);
    if ((error_class != NULL && class_copy == NULL) || (text != NULL && text_copy == NULL)) {
        free(class_copy);
        free(text_copy);
        return ORDERLY_NOMEM;
    }
    struct orderly *orderly = record->lease->orderly;
    pthread_mutex_lock(&orderly->mutex);
    char *old_class = record->error_class, *old_text = record->error_text;
    record->error_class = class_copy;
    record->error_text = text_copy;
    atomic_store(&record->has_text, true);
    pthread_mutex_unlock(&orderly->mutex);
    free(old_class);
    free(old_text);
    return ORDERLY_OK;
}

void orderly_record_set_delay(struct orderly_record *record, int64_t delay_ms)
{
    od_record_check(record);
    if (record != NULL && atomic_load(&record->state) == OD_RECORD_OUT) {
        record->delay_ms = delay_ms < 0 ? -1 : delay_ms;
    }
}
