/*
 * Members in one process whose history is kept: each callback and each record handed out is an entry, in the order in which it happened, so that a
 * check can say what must have come before what.
 */
#ifndef TEST_COMMON_ACTOR_H
#define TEST_COMMON_ACTOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

#define TEST_OF_RETRY 1000

enum test_act {
    TEST_ASSIGNED, /* one entry for each partition, when the callback begins */
    TEST_ASSIGNED_END,
    TEST_REVOKED,
    TEST_REVOKED_END,
    TEST_LOST,
    TEST_WAITING,   /* offset: the time left */
    TEST_COMMITTED, /* an answer without error */
    TEST_RECORD,    /* handed out */
    TEST_FORCED,    /* the log tells that the gate was opened by force */
    TEST_ACTS
};

struct test_entry_of_actor {
    enum test_act act;
    int32_t partition;
    int64_t offset, at_us;
};

struct test_actor {
    const char *name, *topic;
    struct orderly *member;
    struct orderly_config *config;
    void (*assigned)(struct test_actor *); /* what a check does inside the callbacks; may be NULL */
    void (*revoked)(struct test_actor *, const struct orderly_partition *, size_t count);
    void *of_check;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct test_entry_of_actor *entries;
    size_t entry_count, capacity;
    pthread_t thread;
    bool in_background;
    enum orderly_err ended; /* what the background loop's last poll returned */
};

/* The options all these programs share (brokers, group, topic, set, only, kip848 ...), read once by main. */
struct test_world {
    const char *brokers, *group, *topic, *only, *protocol;
    int64_t partitions;
};
extern struct test_world test_world;
/* Settings of --set, in the order given. */
extern const char *test_world_settings[64];
extern size_t test_world_setting_count;

/* A check: what it is called, and what it does. */
struct test_check {
    const char *name;
    void (*run)(void);
};
/* main() of a program of checks: runs those (or --only NAME), prints a line for each sentence; 1 when one does not hold. */
int test_checks(int argc, char **argv, const struct test_check *checks);
/* One sentence of the promise: holds or not. */
#define TEST_HOLDS(condition, ...) test_holds((condition), __FILE__, __LINE__, __VA_ARGS__)
bool test_holds(bool condition, const char *file, int line, const char *text, ...)
    __attribute__((format(printf, 4, 5)));
/* The same; the check cannot go on without it. */
#define TEST_NEEDS(condition, ...)                                       \
    do {                                                                 \
        if (!test_holds((condition), __FILE__, __LINE__, __VA_ARGS__)) { \
            test_give_up();                                              \
        }                                                                \
    } while (0)
__attribute__((noreturn)) void test_give_up(void);

/* Writes `each` records to each partition of the world's topic, values "PARTITION/N". */
void test_fill(int64_t each);
/* The committed offset as Kafka has it; -1: none. */
int64_t test_committed_offset(int32_t partition);
bool test_is_eager(void);
bool test_is_kip848(void);

/* A member of the world's group: the world's settings, then these ("name=value", NULL ends). Not yet polled. */
void test_actor_new(struct test_actor *, const char *name, ...) __attribute__((sentinel));
/* Polls, marks, gives back, in a thread, until it is closed. */
void test_actor_background(struct test_actor *);
/* One poll whose records become entries. */
enum orderly_err test_actor_poll(struct test_actor *, size_t max, int64_t timeout_ms, struct orderly_batch **ret);
/* Polls until records come; gives up after 30 s. */
struct orderly_batch *test_actor_batch(struct test_actor *, size_t max);
/* Polls until `n` records are out, whose references are kept; gives up after 30 s. The gate stays as the polls left it. */
void test_actor_take(struct test_actor *, size_t n, struct orderly_record **ret);
/* Settles `n` records as done; how many answered so. Gives the references back. */
size_t test_mark_all(struct orderly_record **, size_t n, enum orderly_err expected);
/* Polls, marks and gives back until `n` entries of this kind are there; false after the timeout. */
bool test_actor_poll_until(struct test_actor *, enum test_act, size_t n, int64_t timeout_ms);
/* Waits, without polling. */
bool test_actor_wait(struct test_actor *, enum test_act, size_t n, int64_t timeout_ms);
size_t test_actor_count(struct test_actor *, enum test_act);
/* The first such entry (partition -1: any) from index `from`; its index, or SIZE_MAX. */
size_t test_actor_find(struct test_actor *, enum test_act, int32_t partition, size_t from);
struct test_entry_of_actor test_actor_entry(struct test_actor *, size_t at);
size_t test_actor_length(struct test_actor *);
/* Drains, frees, joins. Returns what drain returned. */
enum orderly_err test_actor_end(struct test_actor *);
/* A value of the member's metrics summed over labels; 0 when there is none. */
double test_actor_metric(struct test_actor *, const char *name);

#endif
