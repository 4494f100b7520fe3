/* Checks of the poll face's gate: each guarantee of the text is a sentence. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/actor.h"
#include "common/bytes.h"
#include "common/kafka_raw.h"

#define TIGHT \
    "kafka.max.poll.interval.ms=12000", "rebalance.hold_max=4s", "rebalance.drain_timeout=1s", "commit.timeout=2s"

static struct test_actor a, b, c;
static struct orderly_record *records[512]; /* what the holder has out */
static size_t count;

static struct orderly_gate gate_of(struct test_actor *actor)
{
    struct orderly_gate gate = ORDERLY_GATE_INIT;

    TEST_NEEDS(orderly_gate(actor->member, &gate) == ORDERLY_OK, "orderly_gate answers");
    return gate;
}

/* A second member, and a holder with a batch for whom a rebalance waits. */
static void hold_while_another_joins(void)
{
    count = 50 * (size_t)test_world.partitions;
    test_fill(50);
    test_actor_new(&a, "holder", TIGHT, NULL);
    test_actor_take(&a, count, records);
    TEST_HOLDS(gate_of(&a).held, "a poll that returns records holds the gate");
    TEST_HOLDS(gate_of(&a).waiting == ORDERLY_WAITING_NONE, "nothing waits yet");
    test_actor_new(&b, "other", TIGHT, NULL);
    test_actor_background(&b);
    TEST_NEEDS(test_actor_wait(&a, TEST_WAITING, 1, 15000),
               "rebalance_waiting is called when a rebalance wants to happen");
}

static void no_record_after_revoked(struct test_actor *actor)
{
    for (size_t i = 0; i < test_actor_length(actor); i++) {
        struct test_entry_of_actor entry = test_actor_entry(actor, i);
        size_t record, again;

        if (entry.act != TEST_REVOKED) {
            continue;
        }
        record = test_actor_find(actor, TEST_RECORD, entry.partition, i);
        again = test_actor_find(actor, TEST_ASSIGNED, entry.partition, i);
        TEST_HOLDS(record == SIZE_MAX || again < record,
                   "no record of revoked partition %d is handed out after revoked began", (int)entry.partition);
    }
}

static void nothing_is_taken(void)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    hold_while_another_joins();
    struct orderly_gate gate = gate_of(&a);
    int64_t told = test_actor_entry(&a, test_actor_find(&a, TEST_WAITING, -1, 0)).offset, before;

    TEST_HOLDS(gate.held && gate.waiting == ORDERLY_WAITING_REVOKE, "the gate says that a revoke waits");
    TEST_HOLDS(told > 0 && told <= 4000 && gate.left_ms <= told, "rebalance_waiting tells the time left (%lld ms)",
               (long long)told);
    TEST_HOLDS(gate.records_out == count, "the gate counts the records that are out");
    before = test_now_us();
    TEST_HOLDS(test_mark_all(records, count, ORDERLY_OK) == count, "records are marked while a rebalance waits");
    TEST_HOLDS(orderly_commit(a.member, NULL, 0, 5000, &error) == ORDERLY_OK,
               "a commit works while a rebalance waits for the gate (%s)", error.text);
    TEST_HOLDS(test_now_us() - before < 3000000, "it does not wait for that rebalance");
    (void)!test_actor_wait(&a, TEST_REVOKED, 1, 1500); /* the time in which something could be taken */
    TEST_HOLDS(test_actor_count(&a, TEST_REVOKED) == 0 && test_actor_count(&b, TEST_RECORD) == 0,
               "nothing is taken from the holder before it allows");
    TEST_HOLDS(test_actor_count(&a, TEST_WAITING) == 1, "rebalance_waiting fires once");
    orderly_allow_rebalance(a.member);
    TEST_HOLDS(test_actor_poll_until(&a, TEST_REVOKED, 1, 10000), "the rebalance goes on once it is allowed");
    TEST_HOLDS(test_actor_poll_until(&a, TEST_REVOKED_END, 1, 10000) && test_actor_wait(&b, TEST_ASSIGNED, 1, 15000),
               "the other gets its share");
    (void)!test_actor_poll_until(&a, TEST_WAITING, 99, 1500);
    no_record_after_revoked(&a);
    TEST_HOLDS(test_actor_count(&a, TEST_FORCED) == 0, "the gate was not forced");
    test_actor_end(&b);
    test_actor_end(&a);
}

static size_t owned(struct test_actor *actor, bool *ret_source)
{
    struct orderly_partition *list = NULL;
    size_t have = 0;

    if (orderly_assignment(actor->member, &list, &have) != ORDERLY_OK) {
        return 0;
    }
    for (size_t i = 0; i < have; i++) {
        *ret_source |= strcmp(list[i].topic, test_world.topic) == 0;
    }
    orderly_assignment_free(list, have);
    return have;
}

static bool is_stable(struct test_actor *actor, struct orderly_member *member)
{
    return orderly_member(actor->member, member) == ORDERLY_OK && member->generation > 0 &&
           member->member_id[0] != '\0' && strcmp(member->state, "stable") == 0;
}

/* Two members with a partition each, the source's and the retry topic's: a third gets nothing, and they keep what they have. */
static void taking_nothing(void)
{
    struct orderly_member member = ORDERLY_MEMBER_INIT;
    struct test_actor *holder, *second;
    bool a_source = false, b_source = false, stable = false;
    int64_t start = test_now_us();
    /* the other assignor puts partitions of the same number together */
    const char *apart = test_is_kip848() ? "kafka.group.remote.assignor=uniform" : NULL;

    test_actor_new(&a, "first", TIGHT, apart, NULL);
    test_actor_new(&b, "second", TIGHT, apart, NULL);
    while ((owned(&a, &a_source) != 1 || owned(&b, &b_source) != 1) && test_now_us() - start < 30000000) {
        a_source = b_source = false;
        (void)!test_actor_poll_until(&a, TEST_ACTS, 1, 100);
        (void)!test_actor_poll_until(&b, TEST_ACTS, 1, 100);
    }
    TEST_NEEDS(a_source != b_source, "two members have a partition each");
    holder = a_source ? &a : &b;
    second = a_source ? &b : &a;
    test_actor_background(second);
    test_fill(50);
    struct orderly_batch *batch = test_actor_batch(holder, 10);
    size_t told = test_actor_count(holder, TEST_WAITING), gone = test_actor_count(holder, TEST_REVOKED);
    test_actor_new(&c, "third", TIGHT, apart, NULL);
    test_actor_background(&c);
    for (start = test_now_us(); !stable && test_now_us() - start < 12000000;) {
        (void)!test_actor_wait(holder, TEST_REVOKED, gone + 1, 50);
        stable = is_stable(&c, &member);
    }
    TEST_HOLDS(
        stable,
        "a round that takes nothing from the holder is answered while it holds (state %s, generation %d, after %lld ms)",
        member.state, (int)member.generation, (long long)((test_now_us() - start) / 1000));
    TEST_HOLDS(test_now_us() - start < 3500000, "at once, not at the gate's deadline");
    TEST_HOLDS(gate_of(holder).held, "the gate is still held");
    TEST_HOLDS(test_actor_count(holder, TEST_WAITING) == told, "nobody is told of a rebalance that takes nothing");
    TEST_HOLDS(test_actor_count(holder, TEST_REVOKED) == gone && test_actor_count(holder, TEST_LOST) == 0,
               "nothing is taken");
    TEST_HOLDS(orderly_mark_batch(batch) == ORDERLY_OK, "the batch is still the holder's");
    orderly_batch_free(batch);
    orderly_allow_rebalance(holder->member);
    test_actor_end(&c);
    test_actor_end(second);
    test_actor_end(holder);
}

static void forced(void)
{
    hold_while_another_joins();
    struct test_entry_of_actor waiting = test_actor_entry(&a, test_actor_find(&a, TEST_WAITING, -1, 0)), revoked;
    size_t stale = 0;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    int64_t committed[64];

    TEST_NEEDS(test_actor_wait(&a, TEST_REVOKED, 1, 12000), "held past its deadline, the gate is opened by force");
    revoked = test_actor_entry(&a, test_actor_find(&a, TEST_REVOKED, -1, 0));
    TEST_HOLDS(revoked.at_us - waiting.at_us > (waiting.offset - 300) * 1000,
               "not before the time that was told (%lld of %lld ms)",
               (long long)((revoked.at_us - waiting.at_us) / 1000), (long long)waiting.offset);
    TEST_HOLDS(test_actor_wait(&a, TEST_FORCED, 1, 5000), "it is reported");
    TEST_HOLDS(test_actor_count(&a, TEST_WAITING) == 1, "rebalance_waiting was called once");
    TEST_HOLDS(test_actor_wait(&b, TEST_ASSIGNED, 1, 15000),
               "the other gets its share although the holder still holds");
    (void)!test_actor_wait(&b, TEST_RECORD, 20, 10000);
    for (int32_t p = 0; p < test_world.partitions; p++) {
        committed[p] = test_committed_offset(p);
    }
    for (size_t i = 0; i < count; i++) {
        struct orderly_record *record = records[i];
        bool gone = test_actor_find(&a, TEST_REVOKED, orderly_record_partition(record), 0) != SIZE_MAX;
        enum orderly_err expected = gone ? ORDERLY_STALE : ORDERLY_OK;

        stale += orderly_mark(record) == expected && gone;
        orderly_record_unref(record);
    }
    TEST_HOLDS(stale > 0, "late marks are STALE (%zu)", stale);
    (void)!orderly_commit(a.member, NULL, 0, 5000, &error);
    orderly_allow_rebalance(a.member);
    for (int32_t p = 0; p < test_world.partitions; p++) {
        int64_t now = test_committed_offset(p);

        TEST_HOLDS(now >= committed[p], "the committed offset of %d does not go back (%lld, %lld)", (int)p,
                   (long long)committed[p], (long long)now);
    }
    no_record_after_revoked(&a);
    TEST_HOLDS(test_actor_metric(&a, "orderly_late_outcomes_total") >= (double)stale, "they are counted");
    test_actor_end(&b);
    test_actor_end(&a);
}

/* Held for longer than a session, and than a rebalance needs: nobody is thrown out, nobody gets anything. */
static void held_beyond_the_session(void)
{
    static const char *const settings[] = {"kafka.max.poll.interval.ms=40000", "rebalance.hold_max=20s"};
    struct orderly_error error = ORDERLY_ERROR_INIT;

    count = 50 * (size_t)test_world.partitions;
    test_fill(50);
    test_actor_new(&a, "holder", settings[0], settings[1], "rebalance.drain_timeout=1s", "commit.timeout=2s", NULL);
    test_actor_take(&a, count, records);
    test_actor_new(&b, "other", settings[0], settings[1], "rebalance.drain_timeout=1s", "commit.timeout=2s", NULL);
    test_actor_background(&b);
    TEST_NEEDS(test_actor_wait(&a, TEST_WAITING, 1, 15000), "a rebalance waits");
    struct test_entry_of_actor told = test_actor_entry(&a, test_actor_find(&a, TEST_WAITING, -1, 0));
    TEST_HOLDS(!test_actor_wait(&a, TEST_REVOKED, 1, 9000) && test_actor_count(&a, TEST_LOST) == 0,
               "for 9 s, longer than the session, nothing is taken");
    TEST_HOLDS(test_actor_count(&b, TEST_RECORD) == 0, "the other waits");
    TEST_HOLDS(test_actor_count(&a, TEST_WAITING) == 1, "rebalance_waiting was called once");
    struct orderly_gate gate = gate_of(&a);
    int64_t expected = told.offset - (test_now_us() - told.at_us) / 1000;
    TEST_HOLDS(gate.left_ms <= expected + 100 && gate.left_ms > 0, "the time left is a lower bound (%lld of %lld ms)",
               (long long)gate.left_ms, (long long)expected);
    TEST_HOLDS(test_mark_all(records, count, ORDERLY_OK) == count, "all is still the holder's");
    TEST_HOLDS(orderly_commit(a.member, NULL, 0, 5000, &error) == ORDERLY_OK, "and is committed (%s)", error.text);
    orderly_allow_rebalance(a.member);
    TEST_HOLDS(test_actor_poll_until(&a, TEST_REVOKED_END, 1, 10000) && test_actor_wait(&b, TEST_ASSIGNED, 1, 15000),
               "then the other gets its share");
    TEST_HOLDS(test_actor_count(&a, TEST_FORCED) == 0, "the gate was not forced");
    test_fill(1);
    TEST_HOLDS(test_actor_wait(&b, TEST_RECORD, 1, 15000), "and works");
    size_t first = test_actor_find(&b, TEST_RECORD, -1, 0);
    TEST_HOLDS(first != SIZE_MAX && test_actor_entry(&b, first).offset >= 50, "on what the holder had not done");
    test_actor_end(&b);
    test_actor_end(&a);
}

static void evict(struct test_actor *actor)
{
    struct orderly_member member = ORDERLY_MEMBER_INIT;

    TEST_NEEDS(orderly_member(actor->member, &member) == ORDERLY_OK &&
                   test_evict(test_world.brokers, test_world.group, member.member_id, test_is_kip848()),
               "an administrator takes the member out of the group");
}

/* Thrown out while a batch is held and a rebalance waits for it: librdkafka says nothing then. */
static void evicted_while_holding(void)
{
    hold_while_another_joins();
    size_t stale, assigned = test_actor_count(&a, TEST_ASSIGNED);
    int64_t start = test_now_us();

    evict(&a);
    TEST_NEEDS(test_actor_wait(&a, TEST_LOST, (size_t)test_world.partitions, 3500),
               "lost is called while the gate is held");
    TEST_HOLDS(test_now_us() - start < 3000000, "soon after the eviction: %lld ms",
               (long long)((test_now_us() - start) / 1000));
    TEST_HOLDS(test_actor_count(&a, TEST_REVOKED) == 0, "evicted before revoked began: lost only");
    TEST_HOLDS(test_actor_wait(&b, TEST_RECORD, 1, 15000), "the other goes on");
    stale = test_mark_all(records, count, ORDERLY_STALE);
    TEST_HOLDS(stale == count, "every mark after that is STALE (%zu of %zu)", stale, count);
    orderly_allow_rebalance(a.member);
    TEST_HOLDS(test_actor_poll_until(&a, TEST_ASSIGNED, assigned + 1, 20000), "the member comes back into the group");
    test_actor_end(&b);
    test_actor_end(&a);
}

/* The same without anybody waiting: the heartbeat tells. */
static void evicted_while_running(void)
{
    test_fill(50);
    test_actor_new(&a, "holder", TIGHT, NULL);
    count = 50 * (size_t)test_world.partitions;
    test_actor_take(&a, count, records);
    size_t stale, assigned = test_actor_count(&a, TEST_ASSIGNED);

    evict(&a);
    TEST_NEEDS(test_actor_wait(&a, TEST_LOST, assigned, 10000), "thrown out: lost for each partition");
    TEST_HOLDS(test_actor_count(&a, TEST_REVOKED) == 0, "and no revoked");
    stale = test_mark_all(records, count, ORDERLY_STALE);
    TEST_HOLDS(stale == count, "every mark after that is STALE");
    orderly_allow_rebalance(a.member);
    TEST_HOLDS(test_actor_poll_until(&a, TEST_ASSIGNED, 2 * assigned, 20000), "the member comes back into the group");
    TEST_HOLDS(test_actor_poll_until(&a, TEST_RECORD, count + (size_t)test_world.partitions * 50, 15000),
               "nothing is lost: all are handed out again");
    test_actor_end(&a);
}

int main(int argc, char **argv)
{
    static const struct test_check checks[] = {{"nothing_is_taken", nothing_is_taken},
                                               {"taking_nothing", taking_nothing},
                                               {"forced", forced},
                                               {"held_beyond_the_session", held_beyond_the_session},
                                               {"evicted_while_holding", evicted_while_holding},
                                               {"evicted_while_running", evicted_while_running},
                                               {NULL, NULL}};

    return test_checks(argc, argv, checks);
}
