/*
 * How often each record crashed its handler in a row, by idempotency key: known to this process only, since a crash
 * spends an attempt, which travels with the record. Bounded: of too many the oldest is forgotten.
 */
#ifndef OD_DAEMON_CRASHES_H
#define OD_DAEMON_CRASHES_H

#include <stddef.h>
#include <stdint.h>

#define OD_CRASHES_MAX 4096

struct od_crash {
    char *key; /* owned; NULL: free */
    int64_t count;
};

struct od_crashes {
    struct od_crash *list; /* a ring, made with the first crash; `count` of them are in use */
    size_t next, count;
};

void od_crashes_fini(struct od_crashes *);
/* Counts one more and returns how many there were in a row. */
int64_t od_crashes_add(struct od_crashes *, const char *key);
/* It ended in another way. */
void od_crashes_forget(struct od_crashes *, const char *key);

#endif
