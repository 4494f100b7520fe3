/* Checks of poll, settle, mark, commit, pause, seek: each guarantee of the text is a sentence. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/actor.h"
#include "common/bytes.h"
#include "common/kafka_raw.h"

static struct test_actor a, b;

static struct orderly_partition part(int32_t partition)
{
    return (struct orderly_partition){test_world.topic, partition};
}

static bool commit_all(struct test_actor *actor)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    enum orderly_err result = orderly_commit(actor->member, NULL, 0, 10000, &error);

    if (result != ORDERLY_OK) {
        fprintf(stderr, "commit: %s: %s\n", orderly_strerror(result), error.text);
    }
    return result == ORDERLY_OK;
}

static int64_t committed(struct test_actor *actor, int32_t p)
{
    struct orderly_partition partition = part(p);
    int64_t offset = -1;

    (void)!orderly_committed(actor->member, &partition, &offset);
    return offset;
}

/* All of the topic's records, by batches that are kept: [partition][offset]. */
static struct orderly_record *records[8][256];

static size_t take(struct test_actor *actor, size_t wanted)
{
    size_t got = 0;

    for (int64_t deadline = test_now_us() + 30000000; got < wanted && test_now_us() < deadline;) {
        struct orderly_batch *batch = NULL;

        if (test_actor_poll(actor, 1000, 1000, &batch) != ORDERLY_OK) {
            continue;
        }
        for (size_t i = 0; i < orderly_batch_count(batch); i++) {
            struct orderly_record *record = orderly_record_ref(orderly_batch_record(batch, i));

            orderly_record_unref(records[orderly_record_partition(record)][orderly_record_offset(record)]);
            records[orderly_record_partition(record)][orderly_record_offset(record)] = record;
            got++;
        }
        orderly_batch_free(batch);
        orderly_allow_rebalance(actor->member);
    }
    return got;
}

static void drop_all(void)
{
    for (size_t p = 0; p < 8; p++) {
        for (size_t i = 0; i < 256; i++) {
            orderly_record_unref(records[p][i]);
            records[p][i] = NULL;
        }
    }
}

/* ---- poll ---- */

static void batches(void)
{
    struct orderly_batch *batch = NULL;
    const struct orderly_slice *slices = NULL;
    size_t most = 0, seen = 0, wrong = 0, total = 25 * (size_t)test_world.partitions;

    test_actor_new(&a, "member", NULL);
    TEST_HOLDS(orderly_poll(a.member, 10, 0, &batch) == ORDERLY_TIMEOUT, "nothing came: TIMEOUT");
    TEST_HOLDS(poll(&(struct pollfd){.fd = orderly_poll_fd(a.member), .events = POLLIN}, 1, 0) == 0,
               "the descriptor is quiet");
    orderly_wake(a.member);
    TEST_HOLDS(orderly_poll(a.member, 10, 10000, &batch) == ORDERLY_INTERRUPTED, "a wake ends the next poll");
    (void)!orderly_poll(a.member, 10, 3000, &batch); /* joins */
    test_fill(25);
    TEST_NEEDS(poll(&(struct pollfd){.fd = orderly_poll_fd(a.member), .events = POLLIN}, 1, 30000) == 1,
               "the descriptor is readable when a poll would not wait");
    TEST_HOLDS(orderly_poll(a.member, 10, 0, &batch) == ORDERLY_OK, "and then it does not");
    for (; seen < total; batch = test_actor_batch(&a, 10)) {
        size_t count = orderly_batch_slices(batch, &slices), in_slices = 0;

        most = orderly_batch_count(batch) > most ? orderly_batch_count(batch) : most;
        for (size_t s = 0; s < count; s++) {
            wrong += s > 0 && slices[s].first != slices[s - 1].first + slices[s - 1].count;
            in_slices += slices[s].count;
            for (size_t i = slices[s].first; i < slices[s].first + slices[s].count; i++) {
                const struct orderly_record *record = orderly_batch_record(batch, i);

                wrong += orderly_record_partition(record) != slices[s].partition.partition ||
                         (i > slices[s].first &&
                          orderly_record_offset(record) <= orderly_record_offset(orderly_batch_record(batch, i - 1)));
            }
        }
        wrong += in_slices != orderly_batch_count(batch);
        seen += orderly_batch_count(batch);
        (void)!orderly_mark_batch(batch);
        orderly_batch_free(batch);
        orderly_allow_rebalance(a.member);
        if (seen >= total) {
            break;
        }
    }
    TEST_HOLDS(most <= 10, "never more than the cap (%zu)", most);
    TEST_HOLDS(wrong == 0, "records of one partition are adjacent and in offset order");
    TEST_HOLDS(seen == total, "each record comes once (%zu of %zu)", seen, total);
    TEST_HOLDS(commit_all(&a) && committed(&a, 0) == 25, "what is marked is committed");
    test_actor_end(&a);
    TEST_HOLDS(test_committed_offset(0) == 25, "Kafka has it");
}

/* A cap is filled over all partitions that have records. */
static void fair(void)
{
    struct orderly_batch *batch;
    size_t of[8] = {0}, least = SIZE_MAX, got = 0;

    test_fill(200);
    test_actor_new(&a, "member", NULL);
    while (got < 30 * (size_t)test_world.partitions) {
        batch = test_actor_batch(&a, 2 * (size_t)test_world.partitions);
        for (size_t i = 0; i < orderly_batch_count(batch); i++) {
            of[orderly_record_partition(orderly_batch_record(batch, i))]++;
            got++;
        }
        (void)!orderly_mark_batch(batch);
        orderly_batch_free(batch);
        orderly_allow_rebalance(a.member);
    }
    for (int32_t p = 0; p < test_world.partitions; p++) {
        least = of[p] < least ? of[p] : least;
    }
    TEST_HOLDS(least >= 10, "a cap is filled fairly over partitions (least %zu of %zu)", least, got);
    test_actor_end(&a);
}

/* ---- settle, mark, commit ---- */

static void marks(void)
{
    struct orderly_settlement pending = ORDERLY_SETTLEMENT_INIT;
    struct orderly_backlog backlog = ORDERLY_BACKLOG_INIT;
    struct orderly_partition zero = part(0);
    struct orderly_lag *lag = NULL;
    struct orderly_stats *stats = NULL;
    size_t count = 0, total = 20 * (size_t)test_world.partitions;

    test_fill(20);
    test_actor_new(&a, "member", "commit.interval=never", NULL);
    TEST_NEEDS(take(&a, total) == total, "all records are handed out");
    TEST_HOLDS(orderly_mark(records[0][3]) == ORDERLY_OK && orderly_mark(records[0][7]) == ORDERLY_OK,
               "records settle out of order");
    TEST_HOLDS(commit_all(&a) && committed(&a, 0) <= 0, "no commit passes an unfinished record");
    TEST_HOLDS(orderly_uncommitted(a.member, &zero, &backlog) == ORDERLY_OK && backlog.done_above == 2 &&
                   backlog.running == 18,
               "uncommitted counts done above (%llu) and running (%llu)", (unsigned long long)backlog.done_above,
               (unsigned long long)backlog.running);
    TEST_HOLDS(orderly_mark(records[0][3]) == ORDERLY_INVALID, "settling twice is INVALID");
    TEST_HOLDS(orderly_settle(records[0][4], &pending) == ORDERLY_INVALID, "UNSET is INVALID");
    pending.outcome = ORDERLY_PENDING;
    TEST_HOLDS(orderly_settle(records[0][4], &pending) == ORDERLY_INVALID, "PENDING is INVALID");
    TEST_HOLDS(orderly_mark_offset(a.member, &zero, 5) == ORDERLY_OK, "mark_offset is taken");
    TEST_HOLDS(commit_all(&a) && committed(&a, 0) == 5, "mark_offset acks all below it (%lld)",
               (long long)committed(&a, 0));
    TEST_HOLDS(orderly_mark(records[0][5]) == ORDERLY_OK && orderly_mark(records[0][6]) == ORDERLY_OK &&
                   commit_all(&a) && committed(&a, 0) == 8,
               "the gap closed, the commit passes what was done above it (%lld)", (long long)committed(&a, 0));
    TEST_HOLDS(test_committed_offset(0) == 8, "Kafka has it");
    TEST_HOLDS(test_committed_offset(1) <= 0, "nothing else was committed");
    TEST_HOLDS(orderly_lag(a.member, &lag, &count) == ORDERLY_OK && count >= (size_t)test_world.partitions,
               "lag of each partition");
    for (size_t i = 0; i < count; i++) {
        if (strcmp(lag[i].partition.topic, test_world.topic) == 0 && lag[i].partition.partition == 0) {
            TEST_HOLDS(lag[i].committed == 8 && (lag[i].end == 20 || lag[i].end == -1),
                       "lag knows committed %lld and end %lld", (long long)lag[i].committed, (long long)lag[i].end);
        }
    }
    orderly_lag_free(lag, count);
    TEST_HOLDS(orderly_stats(a.member, &stats) == ORDERLY_OK && stats->metric_count > 0 &&
                   stats->partition_count >= (size_t)test_world.partitions,
               "stats know the partitions");
    orderly_stats_free(stats);
    TEST_HOLDS(test_actor_metric(&a, "orderly_records_fetched_total") >= (double)total, "and what was fetched");
    TEST_HOLDS(orderly_commit_async(a.member) == ORDERLY_OK, "an asynchronous commit is taken");
    drop_all();
    test_actor_end(&a);
}

/* commit.interval never: also not at the end. */
static void never(void)
{
    size_t total = 10 * (size_t)test_world.partitions;

    test_fill(10);
    test_actor_new(&a, "first", "commit.interval=never", NULL);
    TEST_NEEDS(take(&a, total) == total, "all records are handed out");
    for (int32_t p = 0; p < test_world.partitions; p++) {
        struct orderly_partition partition = part(p);

        TEST_HOLDS(orderly_mark_offset(a.member, &partition, 10) == ORDERLY_OK, "marked");
    }
    drop_all();
    test_actor_end(&a);
    TEST_HOLDS(test_committed_offset(0) <= 0, "commit.interval never: nothing is committed unless asked");
    test_actor_new(&b, "second", "commit.interval=never", NULL);
    TEST_HOLDS(take(&b, total) == total, "the next owner gets all of them again");
    TEST_HOLDS(orderly_commit_async(b.member) == ORDERLY_OK, "an asynchronous commit with nothing marked");
    for (int32_t p = 0; p < test_world.partitions; p++) {
        TEST_HOLDS(orderly_mark(records[p][0]) == ORDERLY_OK, "marked");
    }
    TEST_HOLDS(orderly_commit_async(b.member) == ORDERLY_OK, "an asynchronous commit is taken");
    TEST_HOLDS(test_actor_wait(&b, TEST_COMMITTED, (size_t)test_world.partitions, 10000),
               "its answer comes to the committed callback");
    TEST_HOLDS(test_committed_offset(0) == 1, "Kafka has it");
    drop_all();
    test_actor_end(&b);
}

/* A record nobody settles is released, and comes again. */
static void released(void)
{
    size_t at, total = 5 * (size_t)test_world.partitions;

    test_fill(5);
    test_actor_new(&a, "member", NULL);
    struct orderly_batch *batch = test_actor_batch(&a, 1);
    int32_t p = orderly_record_partition(orderly_batch_record(batch, 0));
    orderly_batch_free(batch);
    orderly_allow_rebalance(a.member);
    TEST_HOLDS(test_actor_poll_until(&a, TEST_RECORD, total + 1, 20000),
               "a record freed without an outcome is released and comes again");
    at = test_actor_find(&a, TEST_RECORD, p, 1);
    TEST_HOLDS(at != SIZE_MAX, "to the same member");
    TEST_HOLDS(commit_all(&a) && committed(&a, p) == 5, "then it is done");
    test_actor_end(&a);
}

/* A retry settled from the poll face comes back through poll when it is due; a dead letter does not. */
static void retries(void)
{
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    struct orderly_batch *batch;
    int64_t start;
    uint32_t attempt = 0;

    test_world.partitions = 1;
    test_fill(2);
    test_actor_new(&a, "member", "dead_letter.max_rate=100%", NULL);
    TEST_NEEDS(take(&a, 2) == 2, "both records are handed out");
    settlement.outcome = ORDERLY_DEAD_LETTER;
    TEST_HOLDS(orderly_settle(records[0][1], &settlement) == ORDERLY_OK, "one is a dead letter");
    settlement.outcome = ORDERLY_RETRY;
    settlement.delay_ms = 700;
    start = test_now_us();
    TEST_HOLDS(orderly_settle(records[0][0], &settlement) == ORDERLY_OK, "one is retried later");
    batch = test_actor_batch(&a, 10);
    attempt = orderly_record_attempt(orderly_batch_record(batch, 0));
    TEST_HOLDS(orderly_batch_count(batch) == 1 && attempt == 2, "it comes back through poll, attempt %u",
               (unsigned)attempt);
    TEST_HOLDS(test_now_us() - start >= 700000, "not before its time (%lld ms)",
               (long long)((test_now_us() - start) / 1000));
    TEST_HOLDS(orderly_mark_batch(batch) == ORDERLY_OK, "now it is done");
    orderly_batch_free(batch);
    orderly_allow_rebalance(a.member);
    drop_all();
    TEST_HOLDS(test_actor_end(&a) == ORDERLY_OK, "the member ends well");
    TEST_HOLDS(test_committed_offset(0) == 2, "and all is committed");
}

/* ---- pause, seek ---- */

static size_t records_within(struct test_actor *actor, int64_t ms)
{
    size_t before = test_actor_count(actor, TEST_RECORD);

    (void)!test_actor_poll_until(actor, TEST_RECORD, SIZE_MAX, ms);
    return test_actor_count(actor, TEST_RECORD) - before;
}

static void pauses(void)
{
    struct orderly_member member = ORDERLY_MEMBER_INIT;
    size_t before;

    test_fill(5);
    test_actor_new(&a, "first", NULL);
    TEST_NEEDS(test_actor_poll_until(&a, TEST_RECORD, 5 * (size_t)test_world.partitions, 20000), "the member works");
    TEST_HOLDS(orderly_pause(a.member, NULL, 0, "one") == ORDERLY_OK &&
                   orderly_pause(a.member, NULL, 0, "two") == ORDERLY_OK,
               "paused for two reasons");
    test_fill(5);
    TEST_HOLDS(records_within(&a, 1500) == 0, "nothing is handed out while paused");
    TEST_HOLDS(orderly_resume(a.member, NULL, 0, "one") == ORDERLY_OK, "one reason is over");
    TEST_HOLDS(records_within(&a, 1000) == 0, "one resume does not clear another's pause");
    TEST_HOLDS(orderly_resume(a.member, NULL, 0, "two") == ORDERLY_OK, "the other reason is over");
    TEST_HOLDS(test_actor_poll_until(&a, TEST_RECORD, 10 * (size_t)test_world.partitions, 10000), "now they come");
    TEST_HOLDS(orderly_pause(a.member, NULL, 0, "three") == ORDERLY_OK, "paused again");
    before = test_actor_count(&a, TEST_ASSIGNED);
    TEST_NEEDS(orderly_member(a.member, &member) == ORDERLY_OK &&
                   test_evict(test_world.brokers, test_world.group, member.member_id, test_is_kip848()),
               "an administrator takes the member out of the group");
    TEST_NEEDS(test_actor_poll_until(&a, TEST_ASSIGNED, before + 1, 20000), "it comes back");
    test_fill(5);
    TEST_HOLDS(test_actor_poll_until(&a, TEST_RECORD, test_actor_count(&a, TEST_RECORD) + 5, 10000),
               "a pause ends with the assignment and does not leak into the next one");
    test_actor_end(&a);
}

static void seeks(void)
{
    struct orderly_partition zero = part(0);
    struct orderly_partition other = {test_world.topic, 99};
    size_t total = 20 * (size_t)test_world.partitions;

    test_fill(20);
    test_actor_new(&a, "member", NULL);
    TEST_NEEDS(take(&a, total) == total, "all records are handed out");
    for (int i = 0; i < 10; i++) {
        TEST_HOLDS(orderly_mark(records[0][i]) == ORDERLY_OK, "marked");
    }
    TEST_HOLDS(commit_all(&a) && committed(&a, 0) == 10, "ten are committed");
    TEST_HOLDS(orderly_seek(a.member, &other, 0) == ORDERLY_STALE, "a seek of what is not ours is STALE");
    TEST_HOLDS(orderly_seek(a.member, &zero, 5) == ORDERLY_OK, "a seek is taken");
    struct orderly_record *old = orderly_record_ref(records[0][15]);
    TEST_HOLDS(take(&a, 15) == 15, "records come again from there");
    TEST_HOLDS(orderly_mark(old) == ORDERLY_STALE, "what was out before is stale");
    orderly_record_unref(old);
    TEST_HOLDS(orderly_mark(records[0][5]) == ORDERLY_OK && commit_all(&a) && committed(&a, 0) == 6,
               "the commit may go back (%lld)", (long long)committed(&a, 0));
    TEST_HOLDS(test_committed_offset(0) == 6, "Kafka has it");
    drop_all();
    test_actor_end(&a);
}

int main(int argc, char **argv)
{
    static const struct test_check checks[] = {{"batches", batches}, {"fair", fair},         {"marks", marks},
                                               {"never", never},     {"released", released}, {"retries", retries},
                                               {"pauses", pauses},   {"seeks", seeks},       {NULL, NULL}};

    return test_checks(argc, argv, checks);
}
