/*
 * The offline checker: reads what was produced, what handlers wrote down and what lies in the dead-letter topic, prints a verdict, exits 1
 * when a promise was broken. `check --self-test 1` plants each anomaly and exits 1 unless it is found.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/options.h"
#include "common/verdict.h"

static struct test_evidence evidence;
static bool unread;

static void produced(const char *value, void *userdata)
{
    (void)userdata;
    unread |= !test_evidence_produced(&evidence, value);
}

static void journal(const char *value, void *userdata)
{
    (void)userdata;
    unread |= !test_evidence_journal(&evidence, value);
}

static void dead(const char *value, void *userdata)
{
    *(bool *)userdata = true;
    unread |= !test_evidence_dead(&evidence, value);
}

static uint64_t offences(const struct test_verdict *v)
{
    return v->lost + v->unseen + v->overlapped + v->disordered + v->early + v->wrong + v->fence_fell + v->dead_missing +
           v->dead_extra + v->dead_wrong;
}

static void print(const struct test_verdict *v)
{
    printf("examined %" PRIu64 ", finished %" PRIu64 ", runs %" PRIu64 " (%" PRIu64
           " of retries), dead letters %" PRIu64 "\n",
           v->examined, v->finished, v->runs, v->retries_run, v->dead_letters);
    printf("lost %" PRIu64 ", unseen %" PRIu64 ", repeated %" PRIu64 ", overlapped %" PRIu64 ", out of order %" PRIu64
           ", early %" PRIu64 ", wrong %" PRIu64 ", fence fell %" PRIu64 "; dead letters missing %" PRIu64
           ", too many %" PRIu64 ", wrong %" PRIu64 "\n",
           v->lost, v->unseen, v->repeated, v->overlapped, v->disordered, v->early, v->wrong, v->fence_fell,
           v->dead_missing, v->dead_extra, v->dead_wrong);
    printf("after due: earliest %+.1f ms, p50 %.1f ms, p99 %.1f ms, latest %.1f ms; longest stall %.2f s\n",
           (double)v->earliest_us / 1000, (double)v->late_p50_us / 1000, (double)v->late_p99_us / 1000,
           (double)v->late_max_us / 1000, (double)v->stall_us / 1e6);
}

/* ---- the self-test: ten records of one partition and key, all well; then one thing is broken in turn ------------------ */

#define PLANTED 10

static void plant(struct test_evidence *e)
{
    e->produced = calloc(PLANTED, sizeof *e->produced);
    e->entries = calloc(PLANTED * 4 + 4, sizeof *e->entries);
    e->dead = calloc(4, sizeof *e->dead);
    e->produced_count = PLANTED;
    for (uint64_t i = 0; i < PLANTED; i++) {
        struct test_produced *made = &e->produced[i];

        *made = (struct test_produced){.plan = {.id = i,
                                                .kind = i == 4   ? 'R'
                                                        : i == 7 ? 'D'
                                                                 : 'A',
                                                .retries = i == 4,
                                                .delay_ms = 50},
                                       .offset = (int64_t)i,
                                       .key_hash = 7,
                                       .hash = 100 + i,
                                       .header_hash = 200 + i,
                                       .known = true};
        for (uint32_t attempt = 1; attempt <= made->plan.retries + 1; attempt++) {
            int64_t at = (int64_t)i * 1000000 + attempt * 100000;

            e->entries[e->entry_count++] = (struct test_entry){.mark = TEST_BEGIN,
                                                               .wall_us = at,
                                                               .pid = 1,
                                                               .id = i,
                                                               .attempt = attempt,
                                                               .offset = (int64_t)i,
                                                               .hash = made->hash};
            e->entries[e->entry_count++] =
                (struct test_entry){.mark = TEST_END,
                                    .wall_us = at + 1000,
                                    .pid = 1,
                                    .id = i,
                                    .attempt = attempt,
                                    .outcome = test_outcome_letter(test_plan_outcome(&made->plan, attempt)),
                                    .delay_ms = 50};
        }
    }
    e->dead[e->dead_count++] = (struct test_dead){7, 7, 107, 207};
}

static void drop_entry(struct test_evidence *e, size_t at)
{
    memmove(&e->entries[at], &e->entries[at + 1], (e->entry_count - at - 1) * sizeof *e->entries);
    e->entry_count--;
}

static void add_run(struct test_evidence *e, uint64_t id, uint32_t attempt, int64_t at)
{
    e->entries[e->entry_count++] = (struct test_entry){.mark = TEST_BEGIN,
                                                       .wall_us = at,
                                                       .pid = 2,
                                                       .id = id,
                                                       .attempt = attempt,
                                                       .offset = (int64_t)id,
                                                       .hash = 100 + id};
    e->entries[e->entry_count++] = (struct test_entry){
        .mark = TEST_END, .wall_us = at + 1000, .pid = 2, .id = id, .attempt = attempt, .outcome = 'A'};
}

static void break_lost(struct test_evidence *e)
{
    drop_entry(e, 4);
    drop_entry(e, 4);
}
static void break_unseen(struct test_evidence *e)
{
    e->entry_count -= 2;
}
static void break_repeated(struct test_evidence *e)
{
    add_run(e, 3, 1, 20000000);
}
static void break_overlapped(struct test_evidence *e)
{
    add_run(e, 2, 1, 2100500);
}
static void break_disordered(struct test_evidence *e)
{
    e->entries[6].wall_us = 2099000;
    e->entries[7].wall_us = 2099500;
}
static void break_early(struct test_evidence *e)
{
    e->entries[10].wall_us = 4140000;
}
static void break_due(struct test_evidence *e)
{
    e->entries[0].due_ms = 200;
}
static void break_bytes(struct test_evidence *e)
{
    e->entries[0].hash = 1;
}
static void break_outcome(struct test_evidence *e)
{
    e->entries[1].outcome = 'D';
}
static void break_dead_missing(struct test_evidence *e)
{
    e->dead_count = 0;
}
static void break_dead_extra(struct test_evidence *e)
{
    e->dead[e->dead_count++] = e->dead[0];
}
static void break_dead_wrong(struct test_evidence *e)
{
    e->dead[0].header_hash = 1;
}
static void break_fence(struct test_evidence *e)
{
    for (size_t i = 8; i < 11; i++) { /* two runs of record 4 */
        e->entries[i].fence = i == 8 ? 5 : 4;
    }
}
static void break_identity(struct test_evidence *e)
{
    e->entries[8].identity = 5;
    e->entries[10].identity = 4;
}
static void break_nothing(struct test_evidence *e)
{
    (void)e;
}

#define COUNTER(field) offsetof(struct test_verdict, field)

static const struct {
    const char *name;
    void (*plant)(struct test_evidence *);
    size_t counter;
    uint64_t expected;
} anomalies[] = {
    {"nothing", break_nothing, COUNTER(lost), 0},
    {"lost", break_lost, COUNTER(lost), 1},
    {"unseen", break_unseen, COUNTER(unseen), 1},
    {"repeated", break_repeated, COUNTER(repeated), 1},
    {"overlapped", break_overlapped, COUNTER(overlapped), 1},
    {"disordered", break_disordered, COUNTER(disordered), 1},
    {"early after a retry", break_early, COUNTER(early), 1},
    {"early before due", break_due, COUNTER(early), 1},
    {"bytes", break_bytes, COUNTER(wrong), 1},
    {"fence", break_fence, COUNTER(fence_fell), 1},
    {"idempotency key", break_identity, COUNTER(wrong), 1},
    {"outcome", break_outcome, COUNTER(wrong), 1},
    {"dead letter missing", break_dead_missing, COUNTER(dead_missing), 1},
    {"dead letter twice", break_dead_extra, COUNTER(dead_extra), 1},
    {"dead letter wrong", break_dead_wrong, COUNTER(dead_wrong), 1},
};

static int self_test(void)
{
    struct test_rules rules = {.order = TEST_ORDER_KEY, .retries_in_order = true, .dead_checked = true, .attempts = 3};
    int failures = 0;

    for (size_t i = 0; i < sizeof anomalies / sizeof anomalies[0]; i++) {
        struct test_verdict verdict;
        uint64_t found;

        memset(&evidence, 0, sizeof evidence);
        plant(&evidence);
        anomalies[i].plant(&evidence);
        test_evidence_sort(&evidence);
        test_verdict(&evidence, &rules, &verdict);
        memcpy(&found, (const char *)&verdict + anomalies[i].counter, sizeof found);
        if (found != anomalies[i].expected ||
            (i == 0 && (offences(&verdict) != 0 || verdict.repeated != 0 || verdict.examined != PLANTED))) {
            printf("FAILED: %s: found %" PRIu64 ", planted %" PRIu64 "\n", anomalies[i].name, found,
                   anomalies[i].expected);
            failures++;
        }
        test_evidence_fini(&evidence);
    }
    printf("%zu anomalies planted, %d not found as planted\n", sizeof anomalies / sizeof anomalies[0], failures);
    return failures != 0;
}

int main(int argc, char **argv)
{
    struct test_rules rules = {.attempts = 8};
    struct test_verdict verdict;
    const char *order = "none";
    int64_t retries_in_order = 0, killed = 0, fences_fall = 0, expect = 1, max_repeats = 0, test = 0;
    const struct test_option rows[] = {{.name = "produced", .each = produced},
                                       {.name = "journal", .each = journal},
                                       {.name = "dead", .each = dead, .userdata = &rules.dead_checked},
                                       {.name = "order", .text = &order},
                                       {.name = "retries-in-order", .number = &retries_in_order},
                                       {.name = "killed", .number = &killed},
                                       {.name = "fences-fall", .number = &fences_fall},
                                       {.name = "attempts", .number = &rules.attempts},
                                       {.name = "expect", .number = &expect},
                                       {.name = "max-repeats", .number = &max_repeats},
                                       {.name = "self-test", .number = &test},
                                       {.name = NULL}};

    test_options(argc, argv, rows);
    if (test) {
        return self_test();
    }
    rules.order = strcmp(order, "key") == 0         ? TEST_ORDER_KEY
                  : strcmp(order, "partition") == 0 ? TEST_ORDER_PARTITION
                                                    : TEST_ORDER_NONE;
    rules.retries_in_order = retries_in_order != 0;
    rules.killed = killed != 0;
    rules.fences_fall = fences_fall != 0;
    if (unread) {
        return 2;
    }
    test_evidence_sort(&evidence);
    test_verdict(&evidence, &rules, &verdict);
    print(&verdict);
    if ((int64_t)verdict.examined < expect) {
        fprintf(stderr, "only %" PRIu64 " records examined, %" PRId64 " expected\n", verdict.examined, expect);
        return 1;
    }
    if ((int64_t)verdict.repeated > max_repeats) {
        fprintf(stderr, "%" PRIu64 " repeats, at most %" PRId64 " allowed\n", verdict.repeated, max_repeats);
        return 1;
    }
    test_evidence_fini(&evidence);
    return offences(&verdict) != 0;
}
