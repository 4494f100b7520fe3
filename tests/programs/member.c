/*
 * A member of a group in process: does what the plans say (common/plan.h), with the run face (a worker pool, or settling later from a thread of
 * its own) or the poll face, and writes the journal. SIGTERM closes.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/doing.h"
#include "common/journal.h"
#include "common/options.h"
#include "orderly/orderly.h"

static const char *brokers, *group, *topic, *journal, *face = "run", *events, *stats_file;
static int64_t workers = 8, hashes = 1, poll_max = 500, allow = 1;
static struct orderly *member;
static struct orderly_config *config;
static int journal_fd = -1;
static FILE *events_file;

static void on_signal(int number)
{
    (void)number;
    if (member != NULL) {
        (void)!orderly_close(member);
    }
}

static void set(const char *name, const char *value)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;

    if (orderly_config_set(config, name, value, &error) != ORDERLY_OK) {
        fprintf(stderr, "member: %s\n", error.text);
        exit(78);
    }
}

static void set_pair(const char *pair, void *userdata)
{
    (void)userdata;
    test_set_pair(config, pair);
}

static enum orderly_outcome handle(struct orderly_record *record, void *userdata)
{
    int64_t delay = -1;
    enum orderly_outcome outcome = test_do(record, journal_fd, hashes != 0, &delay);

    (void)userdata;
    orderly_record_set_delay(record, delay);
    return outcome;
}

static void event(const char *what, const struct orderly_partition *list, size_t count)
{
    if (events_file == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        fprintf(events_file, "%" PRId64 " %d %s %s %" PRId32 "\n", test_wall_us(), (int)getpid(), what, list[i].topic,
                list[i].partition);
    }
    fflush(events_file);
}

static void on_assigned(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)self;
    (void)userdata;
    event("assigned", list, count);
}

static void on_lost(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)self;
    (void)userdata;
    event("lost", list, count);
}

static void on_revoked(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)self;
    (void)userdata;
    event("revoked", list, count);
}

static void on_log(int level, const char *area, const char *text, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "%" PRId64 " %d %d %s: %s\n", test_wall_us() / 1000, (int)getpid(), level, area, text);
}

static enum orderly_err poll_loop(struct orderly_error *ret_error)
{
    for (;;) {
        struct orderly_batch *batch = NULL;
        enum orderly_err error = orderly_poll(member, (size_t)poll_max, 1000, &batch);

        if (error == ORDERLY_TIMEOUT || error == ORDERLY_INTERRUPTED) {
            continue;
        }
        if (error == ORDERLY_CLOSED) {
            return orderly_drain(member, -1);
        }
        if (error != ORDERLY_OK) {
            (void)!orderly_last_error(member, ret_error);
            return error;
        }
        for (size_t i = 0; i < orderly_batch_count(batch); i++) {
            struct orderly_record *record = orderly_batch_record(batch, i);
            int64_t delay = -1;

            if (orderly_record_cancelled(record, NULL, NULL)) {
                continue; /* freeing the batch releases it */
            }
            enum orderly_outcome outcome = test_do(record, journal_fd, hashes != 0, &delay);
            test_settle(record, outcome, delay);
        }
        orderly_batch_free(batch);
        if (allow) {
            orderly_allow_rebalance(member);
        }
    }
}

static void print_stats(void)
{
    struct orderly_stats *stats = NULL;
    FILE *file = stats_file != NULL ? fopen(stats_file, "ae") : NULL;

    if (file != NULL && orderly_stats(member, &stats) == ORDERLY_OK) {
        for (size_t i = 0; i < stats->metric_count; i++) {
            fprintf(file, "%s{%s} %.17g\n", stats->metrics[i].name, stats->metrics[i].labels, stats->metrics[i].value);
        }
        orderly_stats_free(stats);
    }
    if (file != NULL) {
        fclose(file);
    }
}

int main(int argc, char **argv)
{
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct sigaction action = {.sa_handler = on_signal};
    enum orderly_err result;
    const struct test_option rows[] = {{.name = "brokers", .text = &brokers},
                                       {.name = "group", .text = &group},
                                       {.name = "topic", .text = &topic},
                                       {.name = "journal", .text = &journal},
                                       {.name = "face", .text = &face},
                                       {.name = "events", .text = &events},
                                       {.name = "workers", .number = &workers},
                                       {.name = "hashes", .number = &hashes},
                                       {.name = "poll-max", .number = &poll_max},
                                       {.name = "allow", .number = &allow},
                                       {.name = "stats", .text = &stats_file},
                                       {.name = "set", .each = set_pair},
                                       {.name = NULL}};

    if (orderly_config_new(&config) != ORDERLY_OK) {
        return 1;
    }
    set("start", "earliest");
    test_options(argc, argv, rows);
    if (brokers == NULL || group == NULL || topic == NULL || journal == NULL) {
        fprintf(stderr, "needs --brokers --group --topic --journal\n");
        return 2;
    }
    set("kafka.bootstrap.servers", brokers);
    set("kafka.group.id", group);
    set("topics", topic);
    journal_fd = test_journal_open(journal);
    events_file = events != NULL ? fopen(events, "ae") : NULL;
    callbacks.log = on_log;
    if (events_file != NULL) {
        callbacks.assigned = on_assigned;
        callbacks.revoked = on_revoked;
        callbacks.lost = on_lost;
    }
    if (orderly_config_callbacks(config, &callbacks, NULL) != ORDERLY_OK ||
        orderly_new(config, &member, &error) != ORDERLY_OK) {
        fprintf(stderr, "member: %s\n", error.text);
        return 78;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    handler.handle = handle;
    handler.workers = (uint32_t)workers;
    result = strcmp(face, "poll") == 0 ? poll_loop(&error) : orderly_run(member, &handler, &error);
    print_stats();
    if (result != ORDERLY_OK) {
        fprintf(stderr, "member: %s: %s\n", orderly_strerror(result), error.text);
    }
    orderly_free(member);
    member = NULL;
    orderly_config_free(config);
    return result == ORDERLY_OK ? 0 : 1;
}
