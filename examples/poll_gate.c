/*
 * (a) Poll with the gate: a whole batch at a time, and no partition is taken away while it is held. What franz-go's users write with
 * BlockRebalanceOnPoll and AllowRebalance; here the hold has an end, and one is told before it comes.
 *
 *   poll_gate BROKERS GROUP TOPIC [COUNT]      ends after COUNT records (for the tests), else on Ctrl-C
 */
#include <orderly/orderly.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct orderly *member;

static void on_signal(int number)
{
    (void)number;
    (void)!orderly_close(member); /* async-signal-safe; gives the gate back */
}

/* Somebody waits for our batch: finish it, or lose the partitions in left_ms. */
static void waiting(struct orderly *self, const struct orderly_gate *gate, void *userdata)
{
    (void)self;
    (void)userdata;
    fprintf(stderr, "a rebalance waits for %zu records, at most %" PRId64 " ms\n", gate->records_out, gate->left_ms);
}

static void set(struct orderly_config *config, const char *name, const char *value)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;

    if (orderly_config_set(config, name, value, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(78);
    }
}

static void print_record(const struct orderly_record *record)
{
    struct orderly_bytes value = orderly_record_value(record);

    printf("%s/%" PRId32 "/%" PRId64 " %.*s\n", orderly_record_topic(record), orderly_record_partition(record),
           orderly_record_offset(record), (int)value.size, (const char *)value.data);
}

int main(int argc, char **argv)
{
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    enum orderly_err result;
    size_t wanted, done = 0;

    if (argc < 4) {
        fprintf(stderr, "usage: %s BROKERS GROUP TOPIC [COUNT]\n", argv[0]);
        return 2;
    }
    wanted = argc > 4 ? (size_t)atoll(argv[4]) : SIZE_MAX;
    if (orderly_config_new(&config) != ORDERLY_OK) {
        return 1;
    }
    set(config, "kafka.bootstrap.servers", argv[1]);
    set(config, "kafka.group.id", argv[2]);
    set(config, "topics", argv[3]);
    set(config, "start", "earliest");
    set(config, "block_rebalance_on_poll", "true");
    callbacks.rebalance_waiting = waiting;
    if (orderly_config_callbacks(config, &callbacks, NULL) != ORDERLY_OK ||
        orderly_new(config, &member, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 78;
    }
    orderly_config_free(config);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);

    while (done < wanted) {
        struct orderly_batch *batch = NULL;

        result = orderly_poll(member, 500, 1000, &batch);
        if (result == ORDERLY_TIMEOUT) {
            continue;
        }
        if (result != ORDERLY_OK) {
            break;
        }
        for (size_t i = 0; i < orderly_batch_count(batch); i++) {
            print_record(orderly_batch_record(batch, i));
        }
        done += orderly_batch_count(batch);
        result = orderly_mark_batch(batch);
        orderly_batch_free(batch);
        orderly_allow_rebalance(member);
        if (result != ORDERLY_OK) {
            fprintf(stderr, "%s\n",
                    orderly_strerror(result)); /* STALE: held past the deadline, someone else has them */
        }
    }
    result = orderly_drain(member, -1); /* commits what is marked, leaves */
    orderly_free(member);
    fprintf(stderr, "%zu records\n", done);
    return result == ORDERLY_OK ? 0 : 1;
}
