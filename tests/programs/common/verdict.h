/*
 * The verdict over the evidence: what the product did with each record, judged only by what handlers wrote down and what lies in the topics.
 *
 *   lost       never brought to its fate although a later record of its partition was
 *   unseen     never brought to its fate, and nothing after it was either
 *   repeated   run again after it had come to its fate, or an attempt run again that had ended with retry
 *   overlapped two runs of one record at once (a run that never ended is over when its process is known to be killed)
 *   disordered a record began while an earlier one of its key (or partition) had not come to its fate
 *   early      begun before the delay of its retry was over, or before its due time
 *   wrong      other bytes, coordinates or outcome than produced, or another idempotency key than before
 *   fence_fell begun with a lower fence than a run of it before
 *   dead_*     dead letters missing, too many, not of bytes as produced
 */
#ifndef TEST_COMMON_VERDICT_H
#define TEST_COMMON_VERDICT_H

#include "common/evidence.h"

enum test_order { TEST_ORDER_NONE, TEST_ORDER_KEY, TEST_ORDER_PARTITION };

struct test_rules {
    enum test_order order;
    bool retries_in_order; /* order over retries (retry.in: lane); else first attempts only */
    bool killed;           /* members were killed: runs without an end are theirs, repeats are counted, not wrong */
    bool dead_checked;     /* the dead-letter topic was dumped */
    bool
        fences_fall; /* a group that was empty changed its protocol (the broker counts anew), or a member stood still and began what it had in hand */
    int64_t attempts; /* runs in all before a dead letter of X */
};

struct test_verdict {
    uint64_t examined, finished, runs, retries_run;
    uint64_t lost, unseen, repeated, overlapped, disordered, early, wrong, fence_fell;
    uint64_t dead_missing, dead_extra, dead_wrong, dead_letters;
    int64_t late_p50_us, late_p99_us, late_max_us; /* of retries and due records, after their time */
    int64_t earliest_us;                           /* the smallest of those: below 0 is early */
    int64_t stall_us;                              /* the longest time in which nothing began */
};

/* Judges; prints the first few offences to stderr. */
void test_verdict(const struct test_evidence *, const struct test_rules *, struct test_verdict *ret);

#endif
