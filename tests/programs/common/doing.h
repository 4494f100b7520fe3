/* What a handler in process does with a record: what its plan says, written down in the journal. */
#ifndef TEST_COMMON_DOING_H
#define TEST_COMMON_DOING_H

#include <stdbool.h>

#include "orderly/orderly.h"

/* Runs one record; returns its outcome and the delay of a retry (-1: the policy's). UNSET: the record has no plan. */
enum orderly_outcome test_do(struct orderly_record *, int journal_fd, bool hashes, int64_t *ret_delay);
/* Settles it so; STALE is fine, anything else is told on stderr. */
void test_settle(struct orderly_record *, enum orderly_outcome, int64_t delay_ms);
/* "NAME=VALUE" into a configuration; exits with the sentence when it is refused. */
void test_set_pair(struct orderly_config *, const char *pair);

#endif
