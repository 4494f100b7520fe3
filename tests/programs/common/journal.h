/*
 * What handlers write down, one write() a line to a file opened for appending, so that a kill -9 loses nothing that was written:
 *
 *   B wall_us pid topic partition offset id attempt due_ms fence hash identity   a run begins (coordinates of the origin; hash of key
 *                                                                          and value; of the idempotency key)
 *   E wall_us pid id attempt outcome delay_ms                             it ends
 */
#ifndef TEST_COMMON_JOURNAL_H
#define TEST_COMMON_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/plan.h"
#include "orderly/orderly.h"

struct test_run {
    const char *topic; /* of the origin */
    int32_t partition;
    int64_t offset;
    uint32_t attempt;
    int64_t due_ms;
    uint64_t fence;
    uint64_t hash;     /* of key and value; 0: not looked at */
    uint64_t identity; /* hash of the idempotency key; 0: not looked at */
};

/* Opens for appending; exits with a message when it cannot. */
int test_journal_open(const char *path);
void test_journal_begin(int fd, const struct test_plan *, const struct test_run *);
void test_journal_end(int fd, const struct test_plan *, uint32_t attempt, enum orderly_outcome, int64_t delay_ms);

#endif
