/*
 * Many short lives in one process: a member that stays, and others that are opened and closed quickly, at each point of their life in turn, with
 * rebalances in between. What runs is written to the journal; descriptors, threads and memory must stay flat.
 */
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/doing.h"
#include "common/journal.h"
#include "common/options.h"

static const char *brokers, *group, *topic, *journal;
static int64_t cycles = 200, rounds = 100;
static struct orderly_config *config;
static int journal_fd = -1;
static atomic_int assigned_calls, revoked_calls;

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
    (void)self;
    (void)list;
    (void)count;
    (void)userdata;
    atomic_fetch_add(&assigned_calls, 1);
}

static void on_revoked(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)self;
    (void)list;
    (void)count;
    (void)userdata;
    atomic_fetch_add(&revoked_calls, 1);
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

/* What a quick life is, by number: closed at once; after one poll; while joining; when it has partitions. */
static void live(int64_t number)
{
    struct orderly *member = open_member();
    int64_t deadline = test_now_us() + 20000000;
    int before = atomic_load(&assigned_calls);

    switch (number % 4) {
    case 0:
        break;
    case 1:
        (void)!turn(member, 0);
        break;
    case 2:
        (void)!turn(member, 60);
        break;
    default:
        while (atomic_load(&assigned_calls) < before + 1 && test_now_us() < deadline) {
            (void)!turn(member, 50);
        }
    }
    if (number % 3 == 0) {
        (void)!orderly_close(member);
        orderly_free(member);
    } else if (orderly_drain(member, 20000) != ORDERLY_OK) {
        fprintf(stderr, "cycles: life %" PRId64 " does not drain\n", number);
        exit(1);
    } else {
        orderly_free(member);
    }
}

static bool flat(struct looks first, struct looks last)
{
    return last.fds <= first.fds + 4 && last.threads <= first.threads + 2 && last.rss_kib <= first.rss_kib + 16384;
}

static void on_setting(const char *pair, void *userdata)
{
    (void)userdata;
    test_set_pair(config, pair);
}

int main(int argc, char **argv)
{
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    const struct test_option rows[] = {{.name = "brokers", .text = &brokers}, {.name = "group", .text = &group},
                                       {.name = "topic", .text = &topic},     {.name = "journal", .text = &journal},
                                       {.name = "cycles", .number = &cycles}, {.name = "rounds", .number = &rounds},
                                       {.name = "set", .each = on_setting},   {.name = NULL}};
    struct looks first = {0}, last;
    struct orderly *member;
    pthread_t thread;
    int64_t number = 0;

    if (orderly_config_new(&config) != ORDERLY_OK) {
        return 1;
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
        return 2;
    }
    member = open_member();
    pthread_create(&thread, NULL, stay, member);
    while (number < cycles || atomic_load(&revoked_calls) < rounds) {
        live(number++);
        if (number == 20) {
            first = look();
            print("after 20 lives", first);
        }
    }
    last = look();
    print("at the end", last);
    printf("%" PRId64 " lives, %d revokes\n", number, atomic_load(&revoked_calls));
    if (orderly_drain(member, 20000) != ORDERLY_OK) {
        fprintf(stderr, "cycles: the member that stays does not drain\n");
        return 1;
    }
    pthread_join(thread, NULL);
    orderly_free(member);
    orderly_config_free(config);
    return number >= 20 && !flat(first, last);
}
