/* The verdict. */
#include "common/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

#define OFFENCES_PRINTED 20

/* What is known of one record while its entries are read in the order of time. */
struct life {
    const struct test_produced *made;
    bool running, finished, begun;
    bool again; /* the run is a repeat: the copy of the first one, with the first one's time, may come before its own */
    int running_pid;
    uint32_t last_attempt;    /* that ended with retry */
    int64_t not_before_us;    /* of the next attempt; 0: none */
    uint64_t fence, identity; /* of the runs before; 0: none */
    char fate;
};

struct court {
    const struct test_evidence *evidence;
    const struct test_rules *rules;
    struct test_verdict *verdict;
    struct life *lives;
    int64_t *late;
    size_t late_count;
    unsigned printed;
    int64_t last_begin_us;
};

__attribute__((format(printf, 3, 4))) static void offence(struct court *court, uint64_t *counter, const char *format,
                                                          ...)
{
    va_list arguments;

    (*counter)++;
    if (court->printed++ < OFFENCES_PRINTED) {
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
        fputc('\n', stderr);
    }
}

static struct life *life_of(struct court *court, uint64_t id)
{
    struct test_produced *made = test_evidence_find(court->evidence, id);

    return made == NULL ? NULL : &court->lives[made - court->evidence->produced];
}

static void check_begin_time(struct court *court, const struct life *life, const struct test_entry *entry)
{
    int64_t not_before_us = life->not_before_us;

    if (entry->due_ms * 1000 > not_before_us) {
        not_before_us = entry->due_ms * 1000;
    }
    if (not_before_us == 0) {
        return;
    }
    int64_t late = entry->wall_us - not_before_us;
    court->late[court->late_count++] = late;
    if (entry->wall_us / 1000 < not_before_us / 1000) {
        offence(court, &court->verdict->early, "early: record %" PRIu64 " attempt %" PRIu32 " by %" PRId64 " us",
                entry->id, entry->attempt, -late);
    }
}

/* What a store goes by: the key stays, the fence does not fall, whoever runs it. */
static void check_identity(struct court *court, struct life *life, const struct test_entry *entry)
{
    if (life->identity != 0 && entry->identity != 0 && entry->identity != life->identity) {
        offence(court, &court->verdict->wrong,
                "wrong: record %" PRIu64 " attempt %" PRIu32 " has another idempotency key", entry->id, entry->attempt);
    }
    if (entry->fence < life->fence && !court->rules->fences_fall) {
        offence(court, &court->verdict->fence_fell,
                "fence fell: record %" PRIu64 " attempt %" PRIu32 " by %d: %" PRIu64 " after %" PRIu64, entry->id,
                entry->attempt, entry->pid, entry->fence, life->fence);
    }
    life->identity = life->identity != 0 ? life->identity : entry->identity;
    life->fence = entry->fence > life->fence ? entry->fence : life->fence;
}

static void begin(struct court *court, struct life *life, const struct test_entry *entry)
{
    struct test_verdict *verdict = court->verdict;
    bool again = life->finished || entry->attempt <= life->last_attempt;

    verdict->runs++;
    verdict->retries_run += entry->attempt > 1;
    if (court->last_begin_us > 0 && entry->wall_us - court->last_begin_us > verdict->stall_us) {
        verdict->stall_us = entry->wall_us - court->last_begin_us;
    }
    court->last_begin_us = entry->wall_us;
    /* An idempotent producer does not learn the offset of what it had to send twice (-1001). */
    bool elsewhere = life->made->offset >= 0 && entry->offset != life->made->offset;
    if (entry->partition != life->made->partition || elsewhere ||
        (entry->hash != 0 && entry->hash != life->made->hash)) {
        offence(court, &verdict->wrong, "wrong: record %" PRIu64 " came with other bytes or coordinates", entry->id);
    }
    if (life->running && !(court->rules->killed && entry->pid != life->running_pid)) {
        offence(court, &verdict->overlapped,
                "overlapped: record %" PRIu64 " attempt %" PRIu32 " by %d while %d runs it", entry->id, entry->attempt,
                entry->pid, life->running_pid);
    }
    check_identity(court, life, entry);
    life->again = again;
    if (again) {
        verdict->repeated++;
        if (!court->rules->killed && court->printed++ < OFFENCES_PRINTED) {
            fprintf(stderr, "repeated: record %" PRIu64 " attempt %" PRIu32 " by %d at %" PRId64 "\n", entry->id,
                    entry->attempt, entry->pid, entry->wall_us);
        }
    } else {
        check_begin_time(court, life, entry);
    }
    life->begun = true;
    life->running = true;
    life->running_pid = entry->pid;
}

static void end(struct court *court, struct life *life, const struct test_entry *entry)
{
    enum orderly_outcome planned = test_plan_outcome(&life->made->plan, entry->attempt);

    life->running = false;
    if (entry->outcome == 'L') {
        return;
    }
    if (life->made->plan.kind != 'C' && entry->outcome != test_outcome_letter(planned)) {
        offence(court, &court->verdict->wrong, "wrong: record %" PRIu64 " attempt %" PRIu32 " ended with %c", entry->id,
                entry->attempt, entry->outcome);
    }
    if (entry->outcome == 'R') {
        if (!life->again) {
            life->not_before_us = entry->wall_us + entry->delay_ms * 1000;
        }
        life->last_attempt = entry->attempt > life->last_attempt ? entry->attempt : life->last_attempt;
        if ((life->made->plan.kind == 'X' || life->made->plan.kind == 'C') &&
            (int64_t)entry->attempt >= court->rules->attempts) {
            life->finished = true;
            life->fate = 'D';
        }
        return;
    }
    life->finished = true;
    life->fate = entry->outcome;
}

static void read_entries(struct court *court)
{
    for (size_t i = 0; i < court->evidence->entry_count; i++) {
        const struct test_entry *entry = &court->evidence->entries[i];
        struct life *life = life_of(court, entry->id);

        if (life == NULL) {
            offence(court, &court->verdict->wrong, "wrong: record %" PRIu64 " was never produced", entry->id);
        } else if (entry->mark == TEST_BEGIN) {
            begin(court, life, entry);
        } else {
            end(court, life, entry);
        }
    }
}

static int by_place(const void *left, const void *right)
{
    const struct life *a = *(struct life *const *)left, *b = *(struct life *const *)right;

    if (a->made->partition != b->made->partition) {
        return a->made->partition < b->made->partition ? -1 : 1;
    }
    return (a->made->offset > b->made->offset) - (a->made->offset < b->made->offset);
}

static void judge_fates(struct court *court, struct life **sorted, size_t count)
{
    int64_t last_finished = -1;

    for (size_t i = count; i-- > 0;) {
        struct life *life = sorted[i];
        bool last = i + 1 == count || sorted[i + 1]->made->partition != life->made->partition;

        last_finished = last ? -1 : last_finished;
        court->verdict->examined++;
        if (life->finished) {
            court->verdict->finished++;
            last_finished = life->made->offset;
        } else if (last_finished >= 0) {
            offence(court, &court->verdict->lost,
                    "lost: record %" PRIu64 " (partition %" PRId32 " offset %" PRId64 ")%s", life->made->plan.id,
                    life->made->partition, life->made->offset, life->begun ? ", begun" : "");
        } else {
            offence(court, &court->verdict->unseen,
                    "unseen: record %" PRIu64 " (partition %" PRId32 " offset %" PRId64 ")%s", life->made->plan.id,
                    life->made->partition, life->made->offset, life->begun ? ", begun" : "");
        }
    }
}

/* Order: within one lane each record's first run begins after the one before it came to its fate (or, where retries let others pass, began). */
struct lane {
    int32_t partition;
    uint64_t key;
    int64_t highest; /* offset of the latest that began */
    uint64_t open;   /* ids begun and not at their fate */
};

static struct lane *lane_of(struct lane *lanes, size_t room, const struct court *court, const struct life *life)
{
    uint64_t key = court->rules->order == TEST_ORDER_KEY ? life->made->key_hash : 0;
    size_t at = (size_t)((key ^ ((uint64_t)life->made->partition * UINT64_C(0x9e3779b97f4a7c15))) % room);

    while (lanes[at].highest >= 0 && (lanes[at].key != key || lanes[at].partition != life->made->partition)) {
        at = (at + 1) % room;
    }
    lanes[at].key = key;
    lanes[at].partition = life->made->partition;
    return &lanes[at];
}

static void judge_order(struct court *court)
{
    size_t room = court->evidence->produced_count * 2 + 1;
    struct lane *lanes = calloc(room, sizeof *lanes);
    uint64_t no_key = test_hash(TEST_HASH_START, NULL, 0);
    struct life fresh;

    for (size_t i = 0; i < room; i++) {
        lanes[i].highest = -1;
    }
    for (size_t i = 0; i < court->evidence->produced_count; i++) {
        fresh = (struct life){.made = court->lives[i].made};
        court->lives[i] = fresh;
    }
    for (size_t i = 0; i < court->evidence->entry_count; i++) {
        const struct test_entry *entry = &court->evidence->entries[i];
        struct life *life = life_of(court, entry->id);
        struct lane *lane = life == NULL ? NULL : lane_of(lanes, room, court, life);

        if (lane == NULL || life->finished ||
            (court->rules->order == TEST_ORDER_KEY && life->made->key_hash == no_key)) {
            continue; /* a repeat is judged elsewhere; records without a key have no order among them */
        }
        if (entry->mark == TEST_BEGIN && !life->begun) {
            if (life->made->offset < lane->highest || lane->open > 0) {
                offence(court, &court->verdict->disordered,
                        "disordered: record %" PRIu64 " (partition %" PRId32 " offset %" PRId64 ") began; %" PRIu64
                        " open, latest begun %" PRId64,
                        entry->id, life->made->partition, life->made->offset, lane->open, lane->highest);
            }
            lane->highest = life->made->offset > lane->highest ? life->made->offset : lane->highest;
            lane->open += court->rules->retries_in_order;
            life->begun = true;
        } else if (entry->mark == TEST_END) {
            bool was = life->finished;

            end(court, life, entry);
            lane->open -= life->finished && !was && court->rules->retries_in_order;
        }
    }
    free(lanes);
}

static void judge_dead(struct court *court)
{
    uint8_t *seen = calloc(court->evidence->produced_count + 1, 1);

    court->verdict->dead_letters = court->evidence->dead_count;
    for (size_t i = 0; i < court->evidence->dead_count; i++) {
        const struct test_dead *dead = &court->evidence->dead[i];
        const struct test_produced *made = test_evidence_find(court->evidence, dead->id);

        if (made == NULL || test_plan_fate(&made->plan) != ORDERLY_DEAD_LETTER) {
            offence(court, &court->verdict->dead_extra, "dead letter %" PRIu64 " should not be one", dead->id);
            continue;
        }
        if (dead->key_hash != made->key_hash || dead->hash != made->hash || dead->header_hash != made->header_hash) {
            offence(court, &court->verdict->dead_wrong, "dead letter %" PRIu64 " has other bytes or headers", dead->id);
        }
        size_t at = (size_t)(made - court->evidence->produced);
        if (seen[at] && !court->rules->killed) {
            offence(court, &court->verdict->dead_extra, "dead letter %" PRIu64 " lies there twice", dead->id);
        }
        seen[at] = 1;
    }
    for (size_t i = 0; i < court->evidence->produced_count; i++) {
        if (test_plan_fate(&court->evidence->produced[i].plan) == ORDERLY_DEAD_LETTER && !seen[i]) {
            offence(court, &court->verdict->dead_missing, "dead letter %" PRIu64 " is missing",
                    court->evidence->produced[i].plan.id);
        }
    }
    free(seen);
}

static int by_number(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static void sum_lateness(struct court *court)
{
    size_t count = court->late_count;

    if (count == 0) {
        return;
    }
    qsort(court->late, count, sizeof *court->late, by_number);
    court->verdict->earliest_us = court->late[0];
    court->verdict->late_p50_us = court->late[count / 2];
    court->verdict->late_p99_us = court->late[count * 99 / 100];
    court->verdict->late_max_us = court->late[count - 1];
}

void test_verdict(const struct test_evidence *evidence, const struct test_rules *rules, struct test_verdict *ret)
{
    struct court court = {.evidence = evidence, .rules = rules, .verdict = ret};
    struct life **sorted = calloc(evidence->produced_count + 1, sizeof *sorted);

    memset(ret, 0, sizeof *ret);
    court.lives = calloc(evidence->produced_count + 1, sizeof *court.lives);
    court.late = calloc(evidence->entry_count + 1, sizeof *court.late);
    for (size_t i = 0; i < evidence->produced_count; i++) {
        court.lives[i].made = &evidence->produced[i];
        sorted[i] = &court.lives[i];
    }
    read_entries(&court);
    qsort(sorted, evidence->produced_count, sizeof(struct life *), by_place);
    judge_fates(&court, sorted, evidence->produced_count);
    sum_lateness(&court);
    if (rules->order != TEST_ORDER_NONE) {
        uint64_t wrong = ret->wrong; /* ends are read a second time */

        judge_order(&court);
        ret->wrong = wrong;
    }
    if (rules->dead_checked) {
        judge_dead(&court);
    }
    free(sorted);
    free(court.lives);
    free(court.late);
}
