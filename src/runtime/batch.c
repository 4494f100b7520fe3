/* A batch of records. */
#include "runtime/batch.h"

#include <stdlib.h>

#include "runtime/clock.h"
#include "runtime/member.h"
#include "runtime/record.h"
#include "runtime/settle.h"

/* Room for everything in one piece: the batch, its records, its slices (at most one for each record). */
static struct orderly_batch *allocate(size_t count, size_t slice_count)
{
    struct orderly_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return NULL;
    }
    batch->records = calloc(count, sizeof(struct orderly_record *));
    batch->slices = calloc(slice_count, sizeof *batch->slices);
    if (batch->records == NULL || batch->slices == NULL) {
        free(batch->records);
        free(batch->slices);
        free(batch);
        return NULL;
    }
    return batch;
}

/* Numbers the partitions of a chain from 1 in the order of their first record; returns how many there are. */
static size_t number_slices(struct orderly_record *first)
{
    size_t slices = 0;
    for (struct orderly_record *record = first; record != NULL; record = record->job_next) {
        record->lease->slice = 0;
    }
    for (struct orderly_record *record = first; record != NULL; record = record->job_next) {
        if (record->lease->slice == 0) {
            record->lease->slice = ++slices;
        }
    }
    return slices;
}

/* In offset order: nearly always so already. */
static void sort_slice(struct orderly_record **records, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct orderly_record *record = records[i];
        int64_t offset = orderly_record_offset(record);
        size_t at = i;
        for (; at > 0 && orderly_record_offset(records[at - 1]) > offset; at--) {
            records[at] = records[at - 1];
        }
        records[at] = record;
    }
}

static bool hand_out(struct orderly_record *record, int64_t now_us)
{
    if (!od_record_hand_out(record)) {
        return false;
    }
    record->wait_us = now_us - record->queued_us;
    record->counted = true;
    return true;
}

struct orderly_batch *od_batch_make(struct orderly_record *first, size_t count)
{
    size_t slices = number_slices(first);
    struct orderly_batch *batch = allocate(count, slices);
    if (batch == NULL) {
        return NULL;
    }
    int64_t now_us = od_clock_us();
    for (struct orderly_record *record = first; record != NULL; record = record->job_next) {
        struct orderly_slice *slice = &batch->slices[record->lease->slice - 1];
        slice->partition = (struct orderly_partition){record->lease->topic, record->lease->partition};
        slice->count++;
    }
    for (size_t i = 1; i < slices; i++) {
        batch->slices[i].first = batch->slices[i - 1].first + batch->slices[i - 1].count;
    }
    for (size_t i = 0; i < slices; i++) {
        batch->slices[i].count = 0;
    }
    for (struct orderly_record *record = first, *next; record != NULL; record = next) {
        next = record->job_next;
        struct orderly_slice *slice = &batch->slices[record->lease->slice - 1];
        if (hand_out(record, now_us)) {
            batch->records[slice->first + slice->count++] = record;
            batch->count++;
        } else {
            od_record_drop(record);
        }
    }
    /* Withdrawn ones left gaps: close them. */
    size_t end = 0;
    for (size_t i = 0; i < slices; i++) {
        struct orderly_slice slice = batch->slices[i];
        for (size_t j = 0; j < slice.count; j++) {
            batch->records[end + j] = batch->records[slice.first + j];
        }
        slice.first = end;
        end += slice.count;
        sort_slice(batch->records + slice.first, slice.count);
        if (slice.count > 0) {
            const struct orderly_record *head = batch->records[slice.first];
            od_assert(head != NULL);
            atomic_fetch_add(&head->lease->out, slice.count);
            batch->slices[batch->slice_count++] = slice;
        }
    }
    return batch;
}

size_t orderly_batch_count(const struct orderly_batch *batch)
{
    return batch != NULL ? batch->count : 0;
}

struct orderly_record *orderly_batch_record(const struct orderly_batch *batch, size_t i)
{
    return batch != NULL && i < batch->count ? batch->records[i] : NULL;
}

size_t orderly_batch_slices(const struct orderly_batch *batch, const struct orderly_slice **ret)
{
    if (batch == NULL || ret == NULL) {
        return 0;
    }
    *ret = batch->slices;
    return batch->slice_count;
}

void orderly_batch_free(struct orderly_batch *batch)
{
    if (batch == NULL) {
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        od_record_unref(batch->records[i]);
    }
    free(batch->records);
    free(batch->slices);
    free(batch);
}

/* Claims the records of one slice and posts them as one chain. */
static enum orderly_err mark_slice(struct orderly_batch *batch, const struct orderly_slice *slice)
{
    enum orderly_err result = ORDERLY_OK;
    struct orderly_record *first = NULL, *last = NULL;
    uint64_t claimed = 0;
    int64_t now_us = od_clock_us();
    for (size_t i = slice->first; i < slice->first + slice->count; i++) {
        struct orderly_record *record = batch->records[i];
        enum orderly_err error = od_settle_claim(record, &(struct od_settling){.outcome = ORDERLY_ACK, .delay_ms = -1});
        if (error == ORDERLY_INVALID) {
            continue; /* settled one by one before */
        }
        result = error == ORDERLY_STALE ? ORDERLY_STALE : result;
        record->run_us = now_us - record->queued_us - record->wait_us;
        claimed++;
        od_record_ref(record);
        record->next = NULL;
        if (last != NULL) {
            last->next = record;
        } else {
            first = record;
        }
        last = record;
    }
    if (first == NULL) {
        return result;
    }
    struct od_lease *lease = batch->records[slice->first]->lease;
    if (!od_inbox_splice(&lease->orderly->inbox, first, last)) {
        for (struct orderly_record *next; first != NULL; first = next) {
            next = first->next;
            od_record_drop(first);
        }
    }
    od_lease_came_back(lease, claimed);
    return result;
}

enum orderly_err orderly_mark_batch(struct orderly_batch *batch)
{
    if (batch == NULL) {
        return ORDERLY_INVALID;
    }
    enum orderly_err result = ORDERLY_OK;
    for (size_t i = 0; i < batch->slice_count; i++) {
        if (mark_slice(batch, &batch->slices[i]) == ORDERLY_STALE) {
            result = ORDERLY_STALE;
        }
    }
    return result;
}
