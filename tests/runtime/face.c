/* Driving a member in a test. */
#include "face.h"

#include <stdio.h>

#include "base/assert.h"

/* Longer than what a test waits for with its door closed. */
#define DOOR_WAIT_MS (3 * FAKE_WAIT_MS)

static void *run_main(void *opaque)
{
    struct run *run = opaque;
    run->result = orderly_run(run->orderly, &run->handler, &run->error);
    return NULL;
}

void run_begin(struct run *run, struct orderly *orderly, const struct orderly_handler *handler)
{
    *run = (struct run){.orderly = orderly, .handler = *handler, .error = ORDERLY_ERROR_INIT};
    run->handler.size = sizeof run->handler;
    assert_int_equal(pthread_create(&run->thread, NULL, run_main, run), 0);
}

enum orderly_err run_join(struct run *run)
{
    pthread_join(run->thread, NULL);
    return run->result;
}

enum orderly_err run_end(struct run *run)
{
    assert_int_equal(orderly_close(run->orderly), ORDERLY_OK);
    return run_join(run);
}

int face_reset(void **state)
{
    (void)state;
    fake_reset();
    return 0;
}

void face_free(struct orderly *orderly)
{
    orderly_free(orderly);
    assert_int_equal(fake_messages(), 0);
}

static bool is_open(void *userdata)
{
    const struct door *door = userdata;
    return atomic_load(&door->open);
}

/* A test that has failed opens no door any more: its handlers must not keep the program for ever. */
void door_wait(struct door *door)
{
    atomic_fetch_add(&door->waiting, 1);
    if (!fake_wait_within(is_open, door, DOOR_WAIT_MS)) {
        fprintf(stderr, "a door was not opened within %d ms\n", DOOR_WAIT_MS);
        od_unreachable();
    }
    atomic_fetch_add(&door->passed, 1);
}

void door_open(struct door *door)
{
    atomic_store(&door->open, true);
}

struct count_wait {
    atomic_int *count;
    int at_least;
};

static bool is_reached(void *userdata)
{
    const struct count_wait *wait = userdata;
    return atomic_load(wait->count) >= wait->at_least;
}

enum orderly_outcome pending_keep(struct orderly_record *record, void *userdata)
{
    struct pending *pending = userdata;
    pending->records[atomic_load(&pending->count)] = orderly_record_ref(record);
    atomic_fetch_add(&pending->count, 1);
    return ORDERLY_PENDING;
}

bool wait_count(atomic_int *count, int at_least)
{
    return fake_wait(is_reached, &(struct count_wait){count, at_least});
}

bool door_wait_waiting(struct door *door, int count)
{
    return wait_count(&door->waiting, count);
}

double metric_of(struct orderly *orderly, const char *name, const char *labels)
{
    struct orderly_stats *stats = NULL;
    assert_int_equal(orderly_stats(orderly, &stats), ORDERLY_OK);
    double value = -1;
    for (size_t i = 0; i < stats->metric_count && value < 0; i++) {
        const struct orderly_metric *metric = &stats->metrics[i];
        if (strcmp(metric->name, name) == 0 && (labels == NULL || strcmp(metric->labels, labels) == 0)) {
            value = metric->value;
        }
    }
    orderly_stats_free(stats);
    return value;
}

bool has_condition(struct orderly *orderly, const char *name)
{
    struct orderly_stats *stats = NULL;
    assert_int_equal(orderly_stats(orderly, &stats), ORDERLY_OK);
    bool found = false;
    for (size_t i = 0; i < stats->condition_count; i++) {
        found = found || strcmp(stats->conditions[i].name, name) == 0;
    }
    orderly_stats_free(stats);
    return found;
}

struct condition_wait {
    struct orderly *orderly;
    const char *name;
};

static bool is_in_condition(void *userdata)
{
    const struct condition_wait *wait = userdata;
    return has_condition(wait->orderly, wait->name);
}

bool wait_condition(struct orderly *orderly, const char *name)
{
    return fake_wait(is_in_condition, &(struct condition_wait){orderly, name});
}

struct orderly_batch *poll_some(struct orderly *orderly, size_t max_records)
{
    struct orderly_batch *batch = NULL;
    assert_int_equal(orderly_poll(orderly, max_records, FAKE_WAIT_MS, &batch), ORDERLY_OK);
    assert_true(orderly_batch_count(batch) > 0);
    return batch;
}
