/*
 * The exec handler of the tests: one process a record (contracts.md 3). Does what the plan says and writes the journal named by TEST_JOURNAL
 * in its first argument.
 */
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/journal.h"

static volatile sig_atomic_t terminated;

static void on_term(int number)
{
    (void)number;
    terminated = 1;
}

static const char *need(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL) {
        fprintf(stderr, "%s is not set\n", name);
        exit(64);
    }
    return value;
}

static bool find_plan(struct test_plan *ret)
{
    json_t *headers = json_loads(need("ORDERLY_HEADERS"), JSON_ALLOW_NUL, NULL), *pair;
    bool found = false;
    size_t i;

    json_array_foreach(headers, i, pair)
    {
        const char *name = json_string_value(json_array_get(pair, 0)),
                   *value = json_string_value(json_array_get(pair, 1));

        if (name != NULL && value != NULL && strcmp(name, TEST_PLAN_HEADER) == 0) {
            found = test_plan_parse(value, strlen(value), ret);
        }
    }
    json_decref(headers);
    return found;
}

/* Hash of key and value, when the key is text (a binary one would need base64: then 0, not looked at). */
static uint64_t hash_input(void)
{
    static unsigned char value[1 << 20];
    const char *key = getenv("ORDERLY_KEY");
    size_t used = 0;
    ssize_t got;

    while (used < sizeof value && (got = read(STDIN_FILENO, value + used, sizeof value - used)) > 0) {
        used += (size_t)got;
    }
    if (getenv("ORDERLY_KEY_BASE64") != NULL) {
        return 0;
    }
    return test_hash(test_hash(TEST_HASH_START, key, key != NULL ? strlen(key) : 0),
                     getenv("ORDERLY_VALUE_NULL") != NULL ? NULL : value, used);
}

static int answer(const struct test_plan *plan, uint32_t attempt, int fd)
{
    enum orderly_outcome outcome = test_plan_outcome(plan, attempt);
    int result = outcome == ORDERLY_RETRY ? 75 : outcome == ORDERLY_DEAD_LETTER ? 65 : 0;

    test_journal_end(fd, plan, attempt, outcome, outcome == ORDERLY_RETRY ? plan->delay_ms : -1);
    if (outcome == ORDERLY_RETRY || outcome == ORDERLY_DROP) {
        dprintf(atoi(need("ORDERLY_RESULT_FD")),
                outcome == ORDERLY_DROP ? "{\"outcome\":\"drop\"}\n" : "{\"after_ms\":%" PRId64 "}\n", plan->delay_ms);
    }
    fprintf(stderr, "plan %c attempt %" PRIu32 "\n", plan->kind, attempt);
    return result;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_term};
    struct test_plan plan;
    struct test_run run;

    if (argc != 2 || !find_plan(&plan)) {
        fprintf(stderr, "needs a journal and a record with a plan\n");
        return 64;
    }
    sigaction(SIGTERM, &action, NULL);
    int fd = test_journal_open(argv[1]);
    run = (struct test_run){.topic = need("ORDERLY_TOPIC"),
                            .partition = atoi(need("ORDERLY_PARTITION")),
                            .offset = atoll(need("ORDERLY_OFFSET")),
                            .attempt = (uint32_t)atoi(need("ORDERLY_ATTEMPT")),
                            .fence = strtoull(need("ORDERLY_FENCE"), NULL, 10),
                            .hash = hash_input(),
                            .identity = test_hash(TEST_HASH_START, need("ORDERLY_IDEMPOTENCY_KEY"),
                                                  strlen(need("ORDERLY_IDEMPOTENCY_KEY")))};
    test_journal_begin(fd, &plan, &run);
    if (plan.kind == 'C') {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        test_journal_end(fd, &plan, run.attempt, ORDERLY_RETRY, 0);
        signal(SIGABRT, SIG_DFL);
        abort();
    }
    for (int64_t end = test_now_us() + plan.work_ms * 1000; !terminated && test_now_us() < end;) {
        int64_t left = end - test_now_us();
        struct timespec work = {left / 1000000, left % 1000000 * 1000}; /* a signal ends it */

        if (left > 0) {
            nanosleep(&work, NULL);
        }
    }
    if (terminated) {
        signal(SIGTERM, SIG_DFL);
        test_journal_end(fd, &plan, run.attempt, ORDERLY_RELEASE, -1);
        raise(SIGTERM);
    }
    return answer(&plan, run.attempt, fd);
}
