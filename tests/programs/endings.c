/* Checks of callbacks and of how partitions come and go: each guarantee of the text is a sentence. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/actor.h"
#include "common/bytes.h"
#include "common/kafka_raw.h"

#define TIGHT \
    "kafka.max.poll.interval.ms=12000", "rebalance.hold_max=4s", "rebalance.drain_timeout=1s", "commit.timeout=2s"

static struct test_actor a, b, c;
static struct orderly_batch *held;
static struct orderly_record *out[512];
static enum orderly_err answers[8];

/* ---- commits inside revoked ---- */

static void commit_inside(struct test_actor *self, const struct orderly_partition *list, size_t count)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_batch *batch = NULL;

    (void)list;
    (void)count;
    if (held == NULL) {
        return;
    }
    answers[0] = orderly_poll(self->member, 1, 0, &batch);
    answers[1] = orderly_drain(self->member, 0);
    answers[2] = orderly_pause(self->member, list, count, "leaving");
    answers[3] = orderly_mark_batch(held);
    (void)!test_actor_wait(&b, TEST_RECORD, 1, 1500); /* blocking here is allowed; the other gets nothing meanwhile */
    answers[4] = test_actor_count(&b, TEST_RECORD) == 0 ? ORDERLY_OK : ORDERLY_STATE;
    answers[5] = orderly_commit(self->member, list, count, 3000, &error);
    fprintf(stderr, "commit inside revoked: %s %s\n", orderly_strerror(answers[5]), error.text);
    orderly_batch_free(held);
    held = NULL;
}

/* What the holder marked inside revoked is where the other begins. */
static void commit_in_revoked(void)
{
    int64_t first[64], next[64];

    test_fill(50);
    a.revoked = commit_inside;
    test_actor_new(&a, "holder", TIGHT, "commit.interval=never", "block_rebalance_on_poll=false", NULL);
    TEST_NEEDS(test_actor_wait(&a, TEST_ASSIGNED, 0, 0), "made");
    held = test_actor_batch(&a, 10);
    for (int32_t p = 0; p < test_world.partitions; p++) {
        next[p] = 0;
        for (size_t i = 0; i < orderly_batch_count(held); i++) {
            const struct orderly_record *record = orderly_batch_record(held, i);

            next[p] = orderly_record_partition(record) == p ? orderly_record_offset(record) + 1 : next[p];
        }
    }
    test_actor_new(&b, "other", TIGHT, NULL);
    test_actor_background(&b);
    TEST_NEEDS(test_actor_wait(&a, TEST_REVOKED_END, 1, 15000), "revoked is called when another joins");
    TEST_HOLDS(answers[0] == ORDERLY_STATE && answers[1] == ORDERLY_STATE,
               "poll and drain inside a callback say STATE");
    TEST_HOLDS(answers[2] == ORDERLY_OK && answers[3] == ORDERLY_OK, "settle and pause are allowed inside it");
    TEST_HOLDS(answers[4] == ORDERLY_OK, "while revoked blocks the partitions are still ours");
    TEST_HOLDS(answers[5] == ORDERLY_OK, "a commit works inside revoked");
    TEST_NEEDS(test_actor_wait(&b, TEST_ASSIGNED, 1, 15000) && test_actor_wait(&b, TEST_RECORD, 40, 15000),
               "the other goes on");
    for (int32_t p = 0; p < test_world.partitions; p++) {
        size_t at = test_actor_find(&b, TEST_RECORD, p, 0);

        first[p] = at == SIZE_MAX ? -1 : test_actor_entry(&b, at).offset;
        TEST_HOLDS(first[p] == -1 || first[p] == next[p],
                   "partition %d goes on where it was committed inside revoked (%lld, %lld)", (int)p,
                   (long long)next[p], (long long)first[p]);
    }
    test_actor_end(&b);
    test_actor_end(&a);
}

/* ---- evicted inside revoked ---- */

static void evicted_inside(struct test_actor *self, const struct orderly_partition *list, size_t count)
{
    struct orderly_member member = ORDERLY_MEMBER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    int64_t deadline = test_now_us() + 3500000;

    if (held == NULL) {
        return;
    }
    answers[0] = orderly_member(self->member, &member) == ORDERLY_OK &&
                         test_evict(test_world.brokers, test_world.group, member.member_id, test_is_kip848())
                     ? ORDERLY_OK
                     : ORDERLY_KAFKA;
    while (gate.waiting != ORDERLY_WAITING_LOST && test_now_us() < deadline) {
        (void)!test_actor_wait(self, TEST_LOST, 1, 20);
        (void)!orderly_gate(self->member, &gate);
    }
    answers[1] = gate.waiting == ORDERLY_WAITING_LOST ? ORDERLY_OK : ORDERLY_TIMEOUT;
    (void)!orderly_mark_batch(held);
    answers[2] = orderly_commit(self->member, list, count, 2000, &error);
    orderly_batch_free(held);
    held = NULL;
}

static void evicted_in_revoked(void)
{
    test_fill(50);
    a.revoked = evicted_inside;
    test_actor_new(&a, "holder", TIGHT, "block_rebalance_on_poll=false", NULL);
    held = test_actor_batch(&a, 10);
    size_t assigned = test_actor_count(&a, TEST_ASSIGNED);
    test_actor_new(&b, "other", TIGHT, NULL);
    test_actor_background(&b);
    TEST_NEEDS(test_actor_wait(&a, TEST_REVOKED_END, 1, 20000), "revoked is called when another joins");
    TEST_NEEDS(answers[0] == ORDERLY_OK, "an administrator takes the member out of the group meanwhile");
    TEST_HOLDS(answers[1] == ORDERLY_OK, "the gate's waiting becomes LOST");
    TEST_HOLDS(answers[2] == ORDERLY_FENCED, "a commit returns FENCED (%s)", orderly_strerror(answers[2]));
    for (int32_t p = 0; p < test_world.partitions; p++) {
        size_t revoked = test_actor_find(&a, TEST_REVOKED, p, 0), lost = test_actor_find(&a, TEST_LOST, p, 0),
               again = test_actor_find(&a, TEST_ASSIGNED, p, revoked == SIZE_MAX ? 0 : revoked);

        TEST_HOLDS(revoked == SIZE_MAX || lost == SIZE_MAX || again < lost, "no lost for %d after revoked began",
                   (int)p);
    }
    TEST_HOLDS(test_actor_poll_until(&a, TEST_ASSIGNED, assigned + 1, 20000), "the member comes back");
    test_actor_end(&b);
    test_actor_end(&a);
}

/* ---- assigned before the first record ---- */

static void slow_assigned(struct test_actor *self)
{
    (void)!test_actor_wait(self, TEST_RECORD, 1, 700);
}

static void assigned_first(void)
{
    test_fill(20);
    a.assigned = slow_assigned;
    test_actor_new(&a, "member", TIGHT, NULL);
    TEST_NEEDS(test_actor_poll_until(&a, TEST_RECORD, 20 * (size_t)test_world.partitions, 20000), "all records come");
    for (int32_t p = 0; p < test_world.partitions; p++) {
        TEST_HOLDS(test_actor_find(&a, TEST_ASSIGNED_END, p, 0) < test_actor_find(&a, TEST_RECORD, p, 0),
                   "assigned returns before the first record of %d is handed out", (int)p);
    }
    test_actor_end(&a);
}

/* ---- exactly one ending ---- */

static void each_ends_once(struct test_actor *actor)
{
    size_t wrong = 0, endings = 0;

    for (int32_t p = 0; p < test_world.partitions; p++) {
        int open = 0;

        for (size_t i = 0; i < actor->entry_count; i++) {
            const struct test_entry_of_actor *entry = &actor->entries[i];

            if (entry->partition == p && entry->act == TEST_ASSIGNED) {
                wrong += open++ != 0;
            } else if (entry->partition == p && (entry->act == TEST_REVOKED || entry->act == TEST_LOST)) {
                wrong += open-- != 1;
                endings++;
            } else if (entry->partition == p && entry->act == TEST_RECORD) {
                wrong += open != 1;
            }
        }
        wrong += open != 0;
    }
    TEST_HOLDS(wrong == 0 && endings > 0,
               "%s: a partition that was assigned ends with exactly one of revoked or lost (%zu endings, %zu wrong)",
               actor->name, endings, wrong);
}

static void one_ending(void)
{
    test_fill(200);
    test_actor_new(&a, "first", TIGHT, NULL);
    test_actor_background(&a);
    TEST_NEEDS(test_actor_wait(&a, TEST_RECORD, 1, 20000), "the first works");
    test_actor_new(&b, "second", TIGHT, NULL);
    test_actor_background(&b);
    TEST_NEEDS(test_actor_wait(&b, TEST_ASSIGNED, 1, 20000), "the second joins");
    test_actor_new(&c, "third", TIGHT, NULL);
    test_actor_background(&c);
    TEST_NEEDS(test_actor_wait(&c, TEST_ASSIGNED, 1, 20000), "the third joins");
    size_t before = test_actor_count(&b, TEST_ASSIGNED) + test_actor_count(&c, TEST_ASSIGNED);
    TEST_HOLDS(test_actor_end(&a) == ORDERLY_OK, "the first leaves well");
    test_fill(20);
    for (int64_t deadline = test_now_us() + 20000000;
         test_actor_count(&b, TEST_ASSIGNED) + test_actor_count(&c, TEST_ASSIGNED) <= before &&
         test_now_us() < deadline;) {
        (void)!test_actor_wait(&b, TEST_ASSIGNED, SIZE_MAX, 100);
    }
    TEST_HOLDS(test_actor_count(&b, TEST_ASSIGNED) + test_actor_count(&c, TEST_ASSIGNED) > before,
               "the others take over");
    TEST_HOLDS(test_actor_end(&b) == ORDERLY_OK, "the second leaves well");
    TEST_HOLDS(test_actor_end(&c) == ORDERLY_OK, "the third leaves well");
    each_ends_once(&a);
    each_ends_once(&b);
    each_ends_once(&c);
}

/* ---- partition workers ---- */

static struct {
    enum orderly_err slept;
    int64_t slept_ms;
    int32_t partition;
} sleeper[64];

static void *sleep_long(void *argument)
{
    int32_t p = (int32_t)(intptr_t)argument;
    int64_t start = test_now_us();

    sleeper[p].slept = orderly_sleep(a.member, &(struct orderly_partition){test_world.topic, p}, 60000);
    sleeper[p].slept_ms = (test_now_us() - start) / 1000;
    return NULL;
}

static void wait_for_workers(struct test_actor *self, const struct orderly_partition *list, size_t count)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;

    if (out[0] != NULL) {
        answers[0] = orderly_settle_wait(self->member, list, count, 200);
        (void)!test_mark_all(out, 50 * (size_t)test_world.partitions, ORDERLY_OK);
        out[0] = NULL;
        answers[1] = orderly_settle_wait(self->member, list, count, 2000);
        answers[2] = orderly_commit(self->member, list, count, 2000, &error);
    }
}

static void workers(void)
{
    pthread_t threads[64];
    int fds[64];
    size_t quit = 0, gone = 0;

    test_fill(50);
    a.revoked = wait_for_workers;
    test_actor_new(&a, "holder", TIGHT, "block_rebalance_on_poll=false", NULL);
    test_actor_take(&a, 50 * (size_t)test_world.partitions, out);
    for (int32_t p = 0; p < test_world.partitions; p++) {
        struct orderly_partition partition = {test_world.topic, p};

        TEST_NEEDS(orderly_quit_fd(a.member, &partition, &fds[p]) == ORDERLY_OK, "a quit descriptor");
        TEST_HOLDS(poll(&(struct pollfd){.fd = fds[p], .events = POLLIN}, 1, 0) == 0, "it is quiet");
        pthread_create(&threads[p], NULL, sleep_long, (void *)(intptr_t)p);
    }
    test_actor_new(&b, "other", TIGHT, NULL);
    test_actor_background(&b);
    TEST_NEEDS(test_actor_wait(&a, TEST_REVOKED_END, 1, 20000), "revoked is called");
    TEST_HOLDS(answers[0] == ORDERLY_TIMEOUT && answers[1] == ORDERLY_OK,
               "settle_wait waits until every record handed out is settled (%s, %s)", orderly_strerror(answers[0]),
               orderly_strerror(answers[1]));
    TEST_HOLDS(answers[2] == ORDERLY_OK, "then the commit works");
    for (int32_t p = 0; p < test_world.partitions; p++) {
        bool readable = poll(&(struct pollfd){.fd = fds[p], .events = POLLIN}, 1, 0) == 1;

        if (test_actor_find(&a, TEST_REVOKED, p, 0) != SIZE_MAX) {
            gone++;
            quit += readable;
            pthread_join(threads[p], NULL);
            TEST_HOLDS(sleeper[p].slept == ORDERLY_CANCELLED, "orderly_sleep returns CANCELLED (%s, %lld ms)",
                       orderly_strerror(sleeper[p].slept), (long long)sleeper[p].slept_ms);
        }
    }
    TEST_HOLDS(gone > 0 && quit == gone, "the quit descriptor of each partition that goes is readable (%zu of %zu)",
               quit, gone);
    (void)!orderly_close(a.member);
    for (int32_t p = 0; p < test_world.partitions; p++) {
        if (test_actor_find(&a, TEST_REVOKED, p, 0) == SIZE_MAX) {
            pthread_join(threads[p], NULL);
            TEST_HOLDS(sleeper[p].slept != ORDERLY_OK, "the others end when the member closes (%s)",
                       orderly_strerror(sleeper[p].slept));
        }
    }
    test_actor_end(&b);
    test_actor_end(&a);
}

int main(int argc, char **argv)
{
    static const struct test_check checks[] = {{"commit_in_revoked", commit_in_revoked},
                                               {"evicted_in_revoked", evicted_in_revoked},
                                               {"assigned_first", assigned_first},
                                               {"one_ending", one_ending},
                                               {"workers", workers},
                                               {NULL, NULL}};

    return test_checks(argc, argv, checks);
}
