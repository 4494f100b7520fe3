/* What a handler in process does. */
#include "common/doing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/journal.h"
#include "common/plan.h"

enum orderly_outcome test_do(struct orderly_record *record, int journal_fd, bool hashes, int64_t *ret_delay)
{
    struct orderly_record_view view = ORDERLY_RECORD_VIEW_INIT;
    struct orderly_bytes text = orderly_record_header_named(record, TEST_PLAN_HEADER);
    struct test_plan plan;
    struct test_run run;
    enum orderly_outcome outcome;

    if (orderly_record_view(record, &view) != ORDERLY_OK || !test_plan_parse(text.data, text.size, &plan)) {
        fprintf(stderr, "a record without a plan\n");
        return ORDERLY_UNSET;
    }
    run = (struct test_run){view.origin_topic,
                            view.origin_partition,
                            view.origin_offset,
                            view.attempt,
                            view.due_ms,
                            view.fence,
                            0,
                            test_hash(TEST_HASH_START, view.idempotency_key, strlen(view.idempotency_key))};
    if (hashes) {
        run.hash =
            test_hash(test_hash(TEST_HASH_START, view.key.data, view.key.size), view.value.data, view.value.size);
    }
    test_journal_begin(journal_fd, &plan, &run);
    outcome = test_plan_outcome(&plan, view.attempt);
    if (plan.work_ms > 0 && orderly_record_sleep(record, plan.work_ms) == ORDERLY_CANCELLED) {
        outcome = ORDERLY_RELEASE;
    }
    *ret_delay = outcome == ORDERLY_RETRY ? plan.delay_ms : -1;
    test_journal_end(journal_fd, &plan, view.attempt, outcome, *ret_delay);
    return outcome;
}

void test_settle(struct orderly_record *record, enum orderly_outcome outcome, int64_t delay)
{
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    enum orderly_err error;

    settlement.outcome = outcome;
    settlement.delay_ms = delay;
    error = orderly_settle(record, &settlement);
    if (error != ORDERLY_OK && error != ORDERLY_STALE) {
        fprintf(stderr, "settle: %s\n", orderly_strerror(error));
    }
}

void test_set_pair(struct orderly_config *config, const char *pair)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    char name[256];
    const char *equals = strchr(pair, '=');

    if (equals == NULL || (size_t)(equals - pair) >= sizeof name) {
        fprintf(stderr, "a setting is NAME=VALUE\n");
        exit(2);
    }
    memcpy(name, pair, (size_t)(equals - pair));
    name[equals - pair] = '\0';
    if (orderly_config_set(config, name, equals + 1, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(78);
    }
}
