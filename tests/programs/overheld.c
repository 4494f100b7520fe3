/*
 * A batch that is held past the limit of the broker, which is shorter than the member was told (shorten.c stands between them), so that the member is
 * taken out of the group while it holds. What it then learns, and when.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/actor.h"
#include "common/bytes.h"
#include "common/kafka_raw.h"

#define HEARTBEAT_MS 500   /* of both protocols, in the scripts */
#define ROUND_TRIP_MS 1000 /* a commit's, on a machine that is busy */
#define ENOUGH_MS 20000    /* for what is only awaited */
#define LIMIT_MS "12345"   /* what the member believes; shorten --from */
#define TIGHT \
    "kafka.max.poll.interval.ms=" LIMIT_MS, "rebalance.hold_max=4s", "rebalance.drain_timeout=1s", "commit.timeout=2s"

static struct test_actor a, b, c;
static struct orderly_record *records[512];
static size_t count;

/* When the group has it no more; the member is polled for it. */
static int64_t time_of_eviction(const char *member_id)
{
    int64_t deadline = test_now_us() + ENOUGH_MS * 1000;

    while (test_now_us() < deadline) {
        if (!test_is_member(test_world.brokers, test_world.group, member_id, test_is_kip848())) {
            return test_now_us();
        }
        (void)!test_actor_wait(&a, TEST_LOST, 1, 20);
    }
    return 0;
}

static void committed_offsets(int64_t *ret)
{
    for (int32_t p = 0; p < test_world.partitions; p++) {
        ret[p] = test_committed_offset(p);
    }
}

/* A commit, whose time tells what a round trip takes now. */
static void measure(void)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    int64_t start = test_now_us();
    bool done = orderly_mark(records[0]) == ORDERLY_OK && orderly_commit(a.member, NULL, 0, 5000, &error) == ORDERLY_OK;

    TEST_HOLDS(done, "a mark and a commit before the limit (%s), in %.1f ms", error.text,
               (double)(test_now_us() - start) / 1000);
}

static size_t others_have(bool third)
{
    return test_actor_count(&b, TEST_RECORD) + (third ? test_actor_count(&c, TEST_RECORD) : 0);
}

static void held_past_the_limit(void)
{
    struct orderly_member member = ORDERLY_MEMBER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    int64_t before[64], after[64], evicted, told;
    size_t stale, assigned, partitions = (size_t)test_world.partitions;
    bool third = !test_is_eager() && !test_is_kip848();

    count = 50 * partitions;
    test_fill(50);
    test_actor_new(&a, "holder", TIGHT, NULL);
    test_actor_take(&a, count, records);
    measure();
    TEST_NEEDS(orderly_member(a.member, &member) == ORDERLY_OK && member.member_id[0] != '\0', "a member");
    test_actor_new(&b, "other", TIGHT, NULL);
    test_actor_background(&b);
    TEST_NEEDS(test_actor_wait(&a, TEST_WAITING, 1, ENOUGH_MS), "a rebalance waits for the gate");
    if (third) { /* a cooperative member has joined again by then; the next round is what waits for it */
        test_actor_new(&c, "third", TIGHT, NULL);
        test_actor_background(&c);
    }
    assigned = test_actor_count(&a, TEST_ASSIGNED);
    evicted = time_of_eviction(member.member_id);
    TEST_NEEDS(evicted != 0, "held past the broker's limit, the member is taken out of the group");
    TEST_HOLDS(test_actor_count(&a, TEST_REVOKED) == 0, "before the gate's deadline");
    TEST_NEEDS(test_actor_wait(&a, TEST_LOST, partitions, ENOUGH_MS), "lost is called while the gate is held");
    told = test_actor_entry(&a, test_actor_find(&a, TEST_LOST, -1, 0)).at_us;
    TEST_HOLDS(told - evicted <= (2 * HEARTBEAT_MS + ROUND_TRIP_MS) * 1000,
               "within two heartbeat intervals and a commit's round trip of the eviction: after %.0f ms",
               (double)(told - evicted) / 1000);
    TEST_HOLDS(test_actor_count(&a, TEST_REVOKED) == 0, "lost only, no revoked");
    for (int64_t end = test_now_us() + ENOUGH_MS * 1000; others_have(third) < count - 1 && test_now_us() < end;) {
        (void)!test_actor_wait(&b, TEST_RECORD, count - 1, 50);
    }
    TEST_HOLDS(others_have(third) == count - 1, "the others get all that is not done (%zu)", others_have(third));
    committed_offsets(before);
    stale = test_mark_all(records + 1, count - 1, ORDERLY_STALE);
    TEST_HOLDS(stale == count - 1, "late marks are STALE (%zu of %zu)", stale, count - 1);
    (void)!orderly_commit(a.member, NULL, 0, 5000, &error);
    committed_offsets(after);
    for (int32_t p = 0; p < test_world.partitions; p++) {
        TEST_HOLDS(after[p] >= before[p], "the committed offset of %d does not go back (%lld, %lld)", (int)p,
                   (long long)before[p], (long long)after[p]);
    }
    orderly_allow_rebalance(a.member);
    TEST_HOLDS(test_actor_poll_until(&a, TEST_ASSIGNED, assigned + 1, ENOUGH_MS), "the member comes back");
    orderly_record_unref(records[0]);
    if (third) {
        test_actor_end(&c);
    }
    test_actor_end(&b);
    test_actor_end(&a);
    committed_offsets(after);
    for (int32_t p = 0; p < test_world.partitions; p++) {
        TEST_HOLDS(after[p] == 50, "in the end all of %d is committed (%lld)", (int)p, (long long)after[p]);
    }
}

int main(int argc, char **argv)
{
    static const struct test_check checks[] = {{"held_past_the_limit", held_past_the_limit}, {NULL, NULL}};

    return test_checks(argc, argv, checks);
}
