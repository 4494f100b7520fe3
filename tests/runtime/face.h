/* Driving a member in a test: orderly_run() on a thread of its own, handlers that wait at a door, counts. */
#ifndef TESTS_RUNTIME_FACE_H
#define TESTS_RUNTIME_FACE_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake_engine.h"

struct run {
    struct orderly *orderly;
    struct orderly_handler handler;
    struct orderly_error error;
    enum orderly_err result;
    pthread_t thread;
};

/* Starts orderly_run(); the handler's size is set here. */
void run_begin(struct run *, struct orderly *, const struct orderly_handler *);
/* Waits for its result. */
enum orderly_err run_join(struct run *);
/* Closes, and waits. */
enum orderly_err run_end(struct run *);

/* Setup of every test here. */
int face_reset(void **state);
/* Frees the member and fails when a message is still alive. */
void face_free(struct orderly *);

/* A door that handlers wait at. */
struct door {
    atomic_int waiting, passed;
    atomic_bool open;
};
/* Waits until the door opens. */
void door_wait(struct door *);
void door_open(struct door *);
/* Waits until `count` handlers are waiting. */
bool door_wait_waiting(struct door *, int count);

/* A handler's records that are settled later: pending_keep, its userdata a zeroed struct pending. */
struct pending {
    struct orderly_record *records[100];
    atomic_int count;
};
enum orderly_outcome pending_keep(struct orderly_record *, void *userdata);

/* Waits until a number is reached. */
bool wait_count(atomic_int *, int at_least);
/* The value of a metric of the member; -1: there is none. labels NULL: the first of that name. */
double metric_of(struct orderly *, const char *name, const char *labels);
/* Whether the member, or a partition of it, is in a named state. */
bool has_condition(struct orderly *, const char *name);
bool wait_condition(struct orderly *, const char *name);
/* Polls until there is a batch. */
struct orderly_batch *poll_some(struct orderly *, size_t max_records);

#endif
