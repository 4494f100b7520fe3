/*
 * (b, first way) A worker for each partition with a quit signal: what franz-go's users write for a hospital topic whose records say in
 * `retry-after` (Unix milliseconds) when they may be tried again. The worker sleeps until then; orderly_sleep() ends the moment its
 * partition must go, and what it has not marked stays with the group. Compare hospital.c: the same in ten lines, where one sleeping
 * record does not block those behind it.
 *
 *   hospital_workers BROKERS GROUP TOPIC [COUNT]
 */
#include <orderly/orderly.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct work {
    struct orderly *member;
    struct orderly_record **records; /* of one partition, in offset order, each with a reference */
    size_t count;
};

static _Atomic size_t done;

static int64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t due_ms(struct orderly_record *record)
{
    struct orderly_bytes text = orderly_record_header_named(record, "retry-after");
    char copy[32];

    if (text.data == NULL || text.size >= sizeof copy) {
        return 0;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return atoll(copy);
}

static void *work(void *argument)
{
    struct work *self = argument;
    bool quit = false;

    for (size_t i = 0; i < self->count; i++) {
        struct orderly_record *record = self->records[i];
        struct orderly_partition partition = {orderly_record_topic(record), orderly_record_partition(record)};
        int64_t wait = due_ms(record) - wall_ms();

        quit = quit || (wait > 0 && orderly_sleep(self->member, &partition, wait) != ORDERLY_OK) ||
               orderly_record_cancelled(record, NULL, NULL);
        if (!quit && orderly_mark(record) == ORDERLY_OK) {
            printf("%" PRId64 " late by %" PRId64 " ms\n", orderly_record_offset(record), wall_ms() - due_ms(record));
            atomic_fetch_add(&done, 1);
        }
        orderly_record_unref(record); /* not marked: released, the next owner tries it */
    }
    free(self->records);
    free(self);
    return NULL;
}

static void start_workers(struct orderly *member, const struct orderly_batch *batch, pthread_t *threads)
{
    const struct orderly_slice *slices;
    size_t count = orderly_batch_slices(batch, &slices);

    for (size_t i = 0; i < count; i++) {
        struct work *one = calloc(1, sizeof *one);

        one->member = member;
        one->count = slices[i].count;
        one->records = calloc(one->count, sizeof(struct orderly_record *));
        for (size_t j = 0; j < one->count; j++) {
            one->records[j] = orderly_record_ref(orderly_batch_record(batch, slices[i].first + j));
        }
        pthread_create(&threads[i], NULL, work, one);
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void set(struct orderly_config *config, const char *name, const char *value)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;

    if (orderly_config_set(config, name, value, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(78);
    }
}

int main(int argc, char **argv)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    struct orderly *member = NULL;
    pthread_t threads[500];
    size_t wanted;

    if (argc < 4 || orderly_config_new(&config) != ORDERLY_OK) {
        fprintf(stderr, "usage: %s BROKERS GROUP TOPIC [COUNT]\n", argv[0]);
        return 2;
    }
    wanted = argc > 4 ? (size_t)atoll(argv[4]) : SIZE_MAX;
    set(config, "kafka.bootstrap.servers", argv[1]);
    set(config, "kafka.group.id", argv[2]);
    set(config, "topics", argv[3]);
    set(config, "start", "earliest");
    if (orderly_new(config, &member, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 78;
    }
    orderly_config_free(config);
    while (atomic_load(&done) < wanted) {
        struct orderly_batch *batch = NULL;
        enum orderly_err result = orderly_poll(member, 500, 1000, &batch);

        if (result == ORDERLY_OK) {
            start_workers(member, batch, threads);
            orderly_batch_free(batch);
        } else if (result != ORDERLY_TIMEOUT) {
            fprintf(stderr, "%s\n", orderly_strerror(result));
            break;
        }
    }
    enum orderly_err result = orderly_drain(member, -1);
    orderly_free(member);
    return result == ORDERLY_OK ? 0 : 1;
}
