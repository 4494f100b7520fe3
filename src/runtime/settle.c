/*
 * Settling. One compare-and-swap decides who settles a record; everything else follows from it. What the loop has forgotten
 * meanwhile is stale: it goes to the loop all the same, to be counted.
 */
#include "runtime/settle.h"

#include <string.h>

#include "runtime/clock.h"
#include "runtime/member.h"
#include "runtime/record.h"

enum orderly_err od_settle_claim(struct orderly_record *record, const struct od_settling *settling)
{
    unsigned state = OD_RECORD_OUT;
    enum orderly_err result = ORDERLY_OK;
    if (!atomic_compare_exchange_strong(&record->state, &state, OD_RECORD_SETTLED + (unsigned)settling->outcome)) {
        result = ORDERLY_STALE;
        while (state == OD_RECORD_STALE || state == OD_RECORD_SOUGHT) {
            if (atomic_compare_exchange_weak(&record->state, &state, OD_RECORD_STALE_SETTLED)) {
                break;
            }
        }
        if (state != OD_RECORD_STALE && state != OD_RECORD_SOUGHT) {
            return ORDERLY_INVALID;
        }
    }
    if (atomic_load_explicit(&record->lease->closed, memory_order_relaxed) ||
        atomic_load_explicit(&record->lease->lost, memory_order_relaxed)) {
        result = ORDERLY_STALE;
    }
    record->delay_ms = settling->delay_ms;
    record->due_ms = settling->due_ms;
    if (atomic_load(&record->deadline_ms) != 0) {
        od_deadlines_remove(&record->lease->orderly->deadlines, record);
    }
    return result;
}

void od_settle_post(struct orderly_record *record)
{
    struct od_lease *lease = record->lease;
    od_lease_ref(lease);
    if (!od_inbox_splice(&lease->orderly->inbox, record, record)) {
        od_record_drop(record);
    }
    od_lease_came_back(lease, 1);
    od_lease_unref(lease);
}

enum orderly_err od_settle(struct orderly_record *record, const struct od_settling *settling)
{
    enum orderly_err result = od_settle_claim(record, settling);
    if (result == ORDERLY_INVALID) {
        return result;
    }
    record->run_us = od_clock_us() - record->queued_us - record->wait_us;
    od_record_ref(record);
    od_settle_post(record);
    return result;
}

enum orderly_err orderly_settle(struct orderly_record *record, const struct orderly_settlement *given)
{
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    od_record_check(record);
    if (record == NULL || record->lease == NULL || given == NULL ||
        given->size < offsetof(struct orderly_settlement, delay_ms)) {
        return ORDERLY_INVALID;
    }
    size_t size = given->size < sizeof settlement ? given->size : sizeof settlement;
    memcpy(&settlement, given, size);
    if (settlement.outcome <= ORDERLY_UNSET || settlement.outcome > ORDERLY_THROTTLE || settlement.delay_ms < -1 ||
        settlement.due_ms < 0) {
        return ORDERLY_INVALID;
    }
    if (settlement.error_class != NULL || settlement.error_text != NULL) {
        enum orderly_err error = orderly_record_set_error(record, settlement.error_class, settlement.error_text);
        if (error == ORDERLY_NOMEM) {
            return error;
        }
    }
    return od_settle(record, &(struct od_settling){.outcome = settlement.outcome,
                                                   .delay_ms = settlement.delay_ms,
                                                   .due_ms = settlement.due_ms});
}

enum orderly_err orderly_mark(struct orderly_record *record)
{
    od_record_check(record);
    if (record == NULL || record->lease == NULL) {
        return ORDERLY_INVALID;
    }
    return od_settle(record, &(struct od_settling){.outcome = ORDERLY_ACK, .delay_ms = -1});
}
