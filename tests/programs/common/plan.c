/* Plans of records. */
#include "common/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool test_plan_parse(const char *text, size_t size, struct test_plan *ret)
{
    char copy[128], word[32];

    memset(ret, 0, sizeof *ret);
    if (text == NULL || size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (sscanf(copy, "%" SCNu64 " %31s %" SCNd64, &ret->id, word, &ret->work_ms) != 3) {
        return false;
    }
    ret->kind = word[0];
    switch (word[0]) {
    case 'A':
    case 'D':
    case 'P':
    case 'C':
        return word[1] == '\0';
    case 'R':
        return sscanf(word + 1, "%" SCNu32 ":%" SCNd64, &ret->retries, &ret->delay_ms) == 2;
    case 'X':
        return sscanf(word + 1, ":%" SCNd64, &ret->delay_ms) == 1;
    default:
        return false;
    }
}

enum orderly_outcome test_plan_outcome(const struct test_plan *plan, uint32_t attempt)
{
    switch (plan->kind) {
    case 'D':
        return ORDERLY_DEAD_LETTER;
    case 'P':
        return ORDERLY_DROP;
    case 'R':
        return attempt <= plan->retries ? ORDERLY_RETRY : ORDERLY_ACK;
    case 'X':
        return ORDERLY_RETRY;
    case 'C':
        return ORDERLY_UNSET;
    default:
        return ORDERLY_ACK;
    }
}

enum orderly_outcome test_plan_fate(const struct test_plan *plan)
{
    switch (plan->kind) {
    case 'D':
    case 'X':
    case 'C':
        return ORDERLY_DEAD_LETTER;
    case 'P':
        return ORDERLY_DROP;
    default:
        return ORDERLY_ACK;
    }
}

char test_outcome_letter(enum orderly_outcome outcome)
{
    switch (outcome) {
    case ORDERLY_ACK:
        return 'A';
    case ORDERLY_RETRY:
        return 'R';
    case ORDERLY_DEAD_LETTER:
        return 'D';
    case ORDERLY_DROP:
        return 'P';
    case ORDERLY_RELEASE:
        return 'L';
    default:
        return '?';
    }
}
