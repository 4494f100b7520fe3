/*
 * Orderly with a handler that touches each record.
 *   faces FACE ORDER BROKERS GROUP TOPIC COUNT       FACE: run | poll, ORDER: key | none
 */
#include <orderly/orderly.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "measure.h"

static struct orderly *member;
static struct measure measure;
static char name[64];
static int64_t wanted;
static _Atomic int64_t seen;
static _Atomic size_t bytes;

static void count(struct orderly_record *record)
{
    int64_t before = atomic_fetch_add_explicit(&seen, 1, memory_order_relaxed);

    if (before == 0) {
        measure_begin(&measure);
    }
    atomic_fetch_add_explicit(&bytes, orderly_record_value(record).size + orderly_record_key(record).size,
                              memory_order_relaxed);
    if (before + 1 == wanted) {
        measure_print(&measure, name, wanted);
        (void)!orderly_close(member);
    }
}

static enum orderly_outcome handle(struct orderly_record *record, void *userdata)
{
    (void)userdata;
    count(record);
    return ORDERLY_ACK;
}

static enum orderly_err poll_all(void)
{
    while (atomic_load(&seen) < wanted) {
        struct orderly_batch *batch = NULL;
        enum orderly_err error = orderly_poll(member, 1000, 1000, &batch);

        if (error == ORDERLY_TIMEOUT) {
            continue;
        }
        if (error != ORDERLY_OK) {
            return error;
        }
        for (size_t i = 0; i < orderly_batch_count(batch); i++) {
            count(orderly_batch_record(batch, i));
        }
        error = orderly_mark_batch(batch);
        orderly_batch_free(batch);
        if (error != ORDERLY_OK) {
            return error;
        }
    }
    return orderly_drain(member, -1);
}

int main(int argc, char **argv)
{
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    enum orderly_err result = argc < 7 ? ORDERLY_INVALID : orderly_config_new(&config);
    const char *const settings[][2] = {{"order", argc > 2 ? argv[2] : ""},
                                       {"kafka.bootstrap.servers", argc > 3 ? argv[3] : ""},
                                       {"kafka.group.id", argc > 4 ? argv[4] : ""},
                                       {"topics", argc > 5 ? argv[5] : ""},
                                       {"start", "earliest"},
                                       {"concurrency", "20000"}};

    for (int i = 7; i + 1 < argc && result == ORDERLY_OK; i += 2) {
        result = orderly_config_set(config, argv[i], argv[i + 1], &error);
    }
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && result == ORDERLY_OK; i++) {
        result = orderly_config_set(config, settings[i][0], settings[i][1], &error);
    }
    if (result == ORDERLY_OK) {
        snprintf(name, sizeof name, "%s face, order %s", argv[1], argv[2]);
        wanted = atoll(argv[6]);
        result = orderly_new(config, &member, &error);
    }
    handler.handle = handle;
    handler.workers = 2;
    if (result == ORDERLY_OK) {
        result = strcmp(argv[1], "poll") == 0 ? poll_all() : orderly_run(member, &handler, &error);
    }
    if (result != ORDERLY_OK) {
        fprintf(stderr, "faces: %s %s\n", orderly_strerror(result), error.text);
    }
    orderly_free(member);
    orderly_config_free(config);
    return result == ORDERLY_OK ? 0 : 1;
}
