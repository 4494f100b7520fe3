/*
 * A poll in progress, as its thread and the loop share it (guarded by the object's mutex). The loop decides everything: it has the records, the
 * deadline and the errors; the polling thread only waits for the answer.
 */
#ifndef OD_RUNTIME_POLL_H
#define OD_RUNTIME_POLL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

struct od_loop;

struct od_poll {
    size_t max_records;
    int64_t until_ms; /* monotonic; INT64_MAX: for ever */
    bool answered;
    enum orderly_err result;
    struct orderly_batch *batch;
    pthread_cond_t answer;
    int fd; /* -1: nobody has asked for one; readable: a poll would not wait */
};

/* Thread: loop. A poll has come. */
void od_poll_begin(struct od_loop *);
/* Thread: loop. At the end of a turn: answers the poll that waits, if there is an answer; keeps the descriptor true. */
void od_poll_end_turn(struct od_loop *);
/* Thread: loop. What was prepared and not handed out goes back: all, or that of partitions that hand out no more. */
void od_poll_give_back(struct od_loop *, bool all);
/* Thread: loop. The gate is taken or given back. */
void od_poll_gate(struct od_loop *, bool taken);
/* Thread: loop. The loop ends: the last answer. */
void od_poll_end(struct od_loop *);

#endif
