/*
 * Many short lives in one process: a member that stays, and others that are opened and closed quickly, at each point of their life in turn and with
 * both faces, with rebalances in between. What runs is written to the journal; descriptors, threads and memory must stay flat.
 */
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/doing.h"
#include "common/journal.h"
#include "common/options.h"

static const char *brokers, *group, *topic, *journal;
/* A sanitizer keeps memory for later; it looks for leaks itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROWTH_KIB (1024L * 1024)
#else
#define GROWTH_KIB (8L * 1024)
#endif

static int64_t cycles = 200, rounds = 100;
static struct orderly_config *config;
static struct orderly *stays;
static int journal_fd = -1;
static atomic_int assigned_calls, revoked_calls; /* of all members with partitions */
static atomic_int rebalances;                    /* of the one that stays: it was given some, or gave some up */
static _Atomic(struct orderly *) newcomer;       /* whose first partitions are awaited */
static atomic_bool newcomer_has, newcomer_closes;
static sem_t given; /* the one that stays was given some */

#define LOOKS 10

struct looks {
    long fds, threads, rss_kib;
};

static long entries(const char *folder)
{
    long count = -2; /* . and .. */
    DIR *dir = opendir(folder);

    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

static struct looks look(void)
{
    struct looks seen = {entries("/proc/self/fd"), entries("/proc/self/task"), 0};
    FILE *status = fopen("/proc/self/status", "re");
    char line[256];

    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        (void)sscanf(line, "VmRSS: %ld", &seen.rss_kib);
    }
    if (status != NULL) {
        fclose(status);
    }
    return seen;
}

static void print(const char *when, struct looks seen)
{
    printf("%s: %ld descriptors, %ld threads, %ld KiB\n", when, seen.fds, seen.threads, seen.rss_kib);
    fflush(stdout);
}

static void on_assigned(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)list;
    (void)userdata;
    atomic_fetch_add(&assigned_calls, count > 0);
    atomic_fetch_add(&rebalances, self == stays && count > 0);
    if (self == stays && count > 0) {
        sem_post(&given);
    }
    if (count > 0 && self == atomic_load(&newcomer)) {
        atomic_store(&newcomer_has, true);
        if (atomic_load(&newcomer_closes)) {
            (void)!orderly_close(self);
        }
    }
}

static void on_revoked(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)list;
    (void)userdata;
    atomic_fetch_add(&revoked_calls, count > 0);
    atomic_fetch_add(&rebalances, self == stays && count > 0);
}

static void on_log(int level, const char *area, const char *text, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "%" PRId64 " %d %s: %s\n", test_wall_us() / 1000, level, area, text);
}

static struct orderly *open_member(void)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly *member = NULL;

    if (orderly_new(config, &member, &error) != ORDERLY_OK) {
        fprintf(stderr, "cycles: %s\n", error.text);
        exit(1);
    }
    return member;
}

/* One poll, all of whose records are done. */
static enum orderly_err turn(struct orderly *member, int64_t timeout_ms)
{
    struct orderly_batch *batch = NULL;
    enum orderly_err error = orderly_poll(member, 50, timeout_ms, &batch);

    for (size_t i = 0; error == ORDERLY_OK && i < orderly_batch_count(batch); i++) {
        int64_t delay = -1;
        enum orderly_outcome outcome = test_do(orderly_batch_record(batch, i), journal_fd, true, &delay);

        test_settle(orderly_batch_record(batch, i), outcome, delay);
    }
    if (error == ORDERLY_OK) {
        orderly_batch_free(batch);
    }
    orderly_allow_rebalance(member);
    return error;
}

static void *stay(void *argument)
{
    struct orderly *member = argument;
    enum orderly_err error;

    do {
        error = turn(member, 1000);
    } while (error == ORDERLY_OK || error == ORDERLY_TIMEOUT || error == ORDERLY_INTERRUPTED);
    if (error != ORDERLY_CLOSED) {
        fprintf(stderr, "cycles: the member that stays: %s\n", orderly_strerror(error));
        exit(1);
    }
    return NULL;
}

static enum orderly_outcome handle(struct orderly_record *record, void *userdata)
{
    int64_t delay = -1;
    enum orderly_outcome outcome = test_do(record, journal_fd, true, &delay);

    (void)userdata;
    test_settle(record, outcome, delay);
    return ORDERLY_PENDING;
}

/* In a thread of its own: who waits for partitions in vain is closed. */
static void *run(void *argument)
{
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;

    handler.handle = handle;
    handler.workers = 2;
    enum orderly_err result = orderly_run(argument, &handler, &error);
    if (result != ORDERLY_OK && result != ORDERLY_CLOSED) {
        fprintf(stderr, "cycles: run: %s %s\n", orderly_strerror(result), error.text);
        exit(1);
    }
    return NULL;
}

static void await(struct orderly *member, bool closes)
{
    atomic_store(&newcomer_has, false);
    atomic_store(&newcomer_closes, closes);
    atomic_store(&newcomer, member);
}

/* The run face: until it has partitions, or closed from another thread while it joins. */
static void live_running(struct orderly *member, bool joined)
{
    pthread_t thread;

    await(member, joined);
    pthread_create(&thread, NULL, run, member);
    if (!joined) {
        (void)!orderly_close(member);
    }
    pthread_join(thread, NULL);
}

/* The poll face: until it has partitions. */
static void live_polling(struct orderly *member)
{
    int64_t deadline = test_now_us() + 20000000;

    await(member, false);
    while (!atomic_load(&newcomer_has) && test_now_us() < deadline) {
        (void)!turn(member, 50);
    }
}

/* Until the one that stays has been given something, at most some seconds: another may have joined in its stead. */
static void await_the_rebalance_back(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 5;
    (void)!sem_timedwait(&given, &deadline);
}

/* What a quick life is, by number: closed at once; after one poll; while joining; when it has partitions; the last two with both faces. */
static void live(int64_t number)
{
    struct orderly *member = open_member();

    while (sem_trywait(&given) == 0) {
        ; /* what came before */
    }
    switch (number % 6) {
    case 0:
        break;
    case 1:
        (void)!turn(member, 0);
        break;
    case 2:
        (void)!turn(member, 60);
        break;
    case 3:
        live_polling(member);
        break;
    default:
        live_running(member, number % 6 == 4);
    }
    atomic_store(&newcomer, NULL);
    if (number % 5 < 2) {
        (void)!orderly_close(member);
        orderly_free(member);
    } else if (orderly_drain(member, 20000) != ORDERLY_OK) {
        fprintf(stderr, "cycles: life %" PRId64 " does not drain\n", number);
        exit(1);
    } else {
        orderly_free(member);
    }
    if (number % 6 == 3) {
        await_the_rebalance_back();
    }
}

static bool flat(struct looks first, struct looks last)
{
    return last.fds <= first.fds + 4 && last.threads <= first.threads + 2 && last.rss_kib <= first.rss_kib + GROWTH_KIB;
}

static void on_setting(const char *pair, void *userdata)
{
    (void)userdata;
    test_set_pair(config, pair);
}

static void configure(int argc, char **argv)
{
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    const struct test_option rows[] = {{.name = "brokers", .text = &brokers}, {.name = "group", .text = &group},
                                       {.name = "topic", .text = &topic},     {.name = "journal", .text = &journal},
                                       {.name = "cycles", .number = &cycles}, {.name = "rounds", .number = &rounds},
                                       {.name = "set", .each = on_setting},   {.name = NULL}};

    if (orderly_config_new(&config) != ORDERLY_OK) {
        exit(1);
    }
    test_set_pair(config, "start=earliest");
    test_options(argc, argv, rows);
    journal_fd = test_journal_open(journal);
    callbacks.assigned = on_assigned;
    callbacks.revoked = on_revoked;
    callbacks.log = on_log;
    if (orderly_config_set(config, "kafka.bootstrap.servers", brokers, &error) != ORDERLY_OK ||
        orderly_config_set(config, "kafka.group.id", group, &error) != ORDERLY_OK ||
        orderly_config_set(config, "topics", topic, &error) != ORDERLY_OK ||
        orderly_config_callbacks(config, &callbacks, NULL) != ORDERLY_OK) {
        fprintf(stderr, "cycles: %s\n", error.text);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct looks first = {0}, last;
    pthread_t thread;
    int64_t number = 0, settled;
    char when[32];

    configure(argc, argv);
    sem_init(&given, 0, 0);
    settled = cycles / 4 < 20 ? 20 : cycles / 4; /* memory that is kept for later has been taken by then */
    stays = open_member();
    pthread_create(&thread, NULL, stay, stays);
    while (number < cycles || atomic_load(&rebalances) < rounds) {
        live(number++);
        if (number == settled) {
            first = look();
        }
        if (number == settled || number % (cycles / LOOKS + 1) == 0) {
            snprintf(when, sizeof when, "after %" PRId64 " lives", number);
            print(when, look());
        }
    }
    last = look();
    print("at the end", last);
    printf("%" PRId64 " lives, %d assignments, %d revokes, %d rebalances of the member that stays\n", number,
           atomic_load(&assigned_calls), atomic_load(&revoked_calls), atomic_load(&rebalances));
    if (orderly_drain(stays, 20000) != ORDERLY_OK) {
        fprintf(stderr, "cycles: the member that stays does not drain\n");
        return 1;
    }
    pthread_join(thread, NULL);
    orderly_free(stays);
    orderly_config_free(config);
    sem_destroy(&given);
    close(journal_fd);
    return number >= settled && !flat(first, last);
}
