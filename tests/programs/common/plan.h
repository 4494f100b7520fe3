/*
 * A record's plan travels in its header "test": "ID PLAN WORK_MS". Both kinds of handler (in process, exec) do what it says, and the
 * checker expects it.
 *
 *   A        ack                         R<n>:<ms>  n times retry with that delay, then ack
 *   D        dead letter                 X:<ms>     always retry with that delay: dead letter by attempts
 *   P        drop                        C          crash (exec only)
 */
#ifndef TEST_COMMON_PLAN_H
#define TEST_COMMON_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

#define TEST_PLAN_HEADER "test"

struct test_plan {
    uint64_t id;
    char kind;
    uint32_t retries;
    int64_t delay_ms;
    int64_t work_ms;
};

/* false: the text is not a plan. */
bool test_plan_parse(const char *text, size_t size, struct test_plan *ret);
/* What a handler answers in this attempt (from 1); ORDERLY_UNSET for a crash. */
enum orderly_outcome test_plan_outcome(const struct test_plan *, uint32_t attempt);
/* What the record becomes in the end: ACK, DEAD_LETTER or DROP. */
enum orderly_outcome test_plan_fate(const struct test_plan *);
/* The letter of an outcome in handlers' logs. */
char test_outcome_letter(enum orderly_outcome);

#endif
