/*
 * (b, second way) The hospital topic in ten lines: `retry.honour_retry_after` parks each record until the time in its `retry-after` header.
 * None is early, none blocks another, a rebalance loses and repeats nothing.
 *
 *   hospital BROKERS GROUP TOPIC [COUNT]
 */
#include <orderly/orderly.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct orderly *member;
static size_t wanted = SIZE_MAX;
static _Atomic size_t done;

static enum orderly_outcome try_again(struct orderly_record *record, void *userdata)
{
    (void)userdata;
    printf("%" PRId64 " due %" PRId64 "\n", orderly_record_offset(record), orderly_record_due_ms(record));
    if (atomic_fetch_add(&done, 1) + 1 == wanted) {
        (void)!orderly_close(member);
    }
    return ORDERLY_ACK;
}

int main(int argc, char **argv)
{
    static const char *const fixed[][2] = {
        {"start", "earliest"}, {"order", "none"}, {"retry.honour_retry_after", "true"}};
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
    handler.handle = try_again;
    if (result == ORDERLY_OK) {
        result = orderly_new(config, &member, &error);
    }
    if (result == ORDERLY_OK) {
        result = orderly_run(member, &handler, &error);
    }
    if (result != ORDERLY_OK) {
        fprintf(stderr, "hospital: %s %s\n", orderly_strerror(result), error.text);
    }
    orderly_free(member);
    orderly_config_free(config);
    return result == ORDERLY_OK ? 0 : 1;
}
