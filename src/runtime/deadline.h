/*
 * Deadlines of handlers: a heap of the records that have one. At its deadline a record is cancelled with reason TIMEOUT, and
 * once more `stuck_grace` later it is reported as stuck. It is never settled for the user.
 */
#ifndef OD_RUNTIME_DEADLINE_H
#define OD_RUNTIME_DEADLINE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"

struct orderly;
struct orderly_record;

struct od_deadlines {
    pthread_mutex_t mutex;
    struct od_heap heap; /* value: the record, which cannot go while it is in here */
    uint64_t sequence;
    int64_t timeout_ms, stuck_grace_ms; /* of the handler; timeout 0: none */
    size_t stuck;                       /* records past their grace */
};

void od_deadlines_init(struct od_deadlines *);
void od_deadlines_fini(struct od_deadlines *);
/* Thread: any. Gives a record that is out a deadline, or another one; rings the loop when it comes first. False: out of memory. */
bool od_deadlines_set(struct od_deadlines *, struct orderly_record *, int64_t at_ms);
/* Thread: any. */
void od_deadlines_remove(struct od_deadlines *, struct orderly_record *);
/* Thread: loop. Cancels and reports what is due; returns when to come back (INT64_MAX: no need). */
int64_t od_deadlines_expire(struct orderly *, int64_t now_ms);
/* Thread: any. Records whose handlers neither ended nor extended after their cancel. */
size_t od_deadlines_stuck(struct od_deadlines *);

#endif
