/*
 * (c) Run face: a pool of threads, order kept for each key. A handler that returns ORDERLY_RETRY is called again later; its key waits, the
 * other keys flow.
 *
 *   run_pool BROKERS GROUP TOPIC [COUNT]
 */
#include <orderly/orderly.h>

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct orderly *member;
static size_t wanted = SIZE_MAX;
static _Atomic size_t done;

static void on_signal(int number)
{
    (void)number;
    (void)!orderly_close(member);
}

static enum orderly_outcome handle(struct orderly_record *record, void *userdata)
{
    struct orderly_bytes key = orderly_record_key(record);

    (void)userdata;
    if (orderly_record_attempt(record) == 1 && orderly_record_offset(record) % 10 == 9) {
        (void)!orderly_record_set_error(record, "Busy", "every tenth record fails once");
        orderly_record_set_delay(record, 200);
        return ORDERLY_RETRY;
    }
    printf("%.*s %" PRId32 "/%" PRId64 " attempt %" PRIu32 "\n", (int)key.size, (const char *)key.data,
           orderly_record_partition(record), orderly_record_offset(record), orderly_record_attempt(record));
    if (atomic_fetch_add(&done, 1) + 1 == wanted) {
        (void)!orderly_close(member);
    }
    return ORDERLY_ACK;
}

int main(int argc, char **argv)
{
    static const char *const fixed[][2] = {{"start", "earliest"}, {"order", "key"}, {"concurrency", "32"}};
    const char *const named[] = {"kafka.bootstrap.servers", "kafka.group.id", "topics"};
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    enum orderly_err result = argc < 4 ? ORDERLY_INVALID : orderly_config_new(&config);

    for (int i = 0; i < 3 && result == ORDERLY_OK; i++) {
        result = orderly_config_set(config, fixed[i][0], fixed[i][1], &error);
        if (result == ORDERLY_OK) {
            result = orderly_config_set(config, named[i], argv[i + 1], &error);
        }
    }
    wanted = argc > 4 ? (size_t)atoll(argv[4]) : wanted;
    handler.handle = handle;
    handler.workers = 8;
    if (result == ORDERLY_OK) {
        result = orderly_new(config, &member, &error);
    }
    if (result == ORDERLY_OK) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        result = orderly_run(member, &handler, &error);
    }
    if (result != ORDERLY_OK) {
        fprintf(stderr, "run_pool: %s %s\n", orderly_strerror(result), error.text);
    }
    orderly_free(member);
    orderly_config_free(config);
    return result == ORDERLY_OK ? 0 : 1;
}
