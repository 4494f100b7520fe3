/* What script and scripted engine share. */
#ifndef TESTS_RUNTIME_FAKE_SCRIPT_H
#define TESTS_RUNTIME_FAKE_SCRIPT_H

#include <pthread.h>

#include "fake_engine.h"
#include "kafka/engine.h"

struct fake_partition {
    size_t count, keys; /* of the log */
    int64_t committed;
    bool assigned, to_assign;
    uint32_t id;
    int64_t position;
    uint32_t credit;
};

struct fake_state {
    pthread_mutex_t mutex; /* guards all the rest */
    struct fake_partition partitions[FAKE_PARTITIONS];
    int32_t at_start;
    struct {
        bool wanted, lost, valid;
        int64_t hold_ms;
        uint32_t ids[FAKE_PARTITIONS];
        size_t count;
    } taking;  /* a revoke or a loss that is to be told */
    bool open; /* a revoke is with the core */
    struct od_engine_fault fault;
    char fault_text[128];
    enum od_commit_result commit_result;
    int commit_times;
    bool commits_held, leave_hangs, left, leaving, started;
    enum orderly_err new_error, start_error;
    size_t copies[OD_COPY_RELIEF + 1];
    char last_class[64];
    size_t stood_still, topics_changed;
    uint32_t next_id;
    int fd;
};
extern struct fake_state fake;

/* Above 0: allocations of this thread are the fake's own and never fail (oom_test.c). */
extern _Thread_local int fake_exempt;

void fake_lock(void);
void fake_unlock(void);
void fake_ring(void);

#endif
