/*
 * Evidence: what was produced, what handlers wrote down, what lies in the dead-letter topic; read from the files of produce.c, journal.h
 * and dump.c. Each line that does not read is an error: a checker that skips what it does not understand checks nothing.
 */
#ifndef TEST_COMMON_EVIDENCE_H
#define TEST_COMMON_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/plan.h"

struct test_produced {
    struct test_plan plan;
    int32_t partition;
    int64_t offset;
    uint64_t key_hash, hash, header_hash;
    bool known;
};

enum test_mark { TEST_BEGIN, TEST_END };

struct test_entry {
    enum test_mark mark;
    int64_t wall_us;
    int pid;
    uint64_t id;
    uint32_t attempt;
    /* BEGIN */
    int32_t partition;
    int64_t offset, due_ms;
    uint64_t fence, hash, identity;
    /* END */
    char outcome;
    int64_t delay_ms;
    size_t line; /* order of writing */
};

struct test_dead {
    uint64_t id, key_hash, hash, header_hash;
};

struct test_evidence {
    struct test_produced *produced; /* by id - first_id */
    uint64_t first_id;
    size_t produced_count;
    struct test_entry *entries; /* by time, then line */
    size_t entry_count;
    struct test_dead *dead;
    size_t dead_count;
};

/* Each reads one more file into the evidence; false after a message on stderr. */
bool test_evidence_produced(struct test_evidence *, const char *path);
bool test_evidence_journal(struct test_evidence *, const char *path);
bool test_evidence_dead(struct test_evidence *, const char *path);
/* Sorts; call once all is read. */
void test_evidence_sort(struct test_evidence *);
/* NULL: never produced. */
struct test_produced *test_evidence_find(const struct test_evidence *, uint64_t id);
void test_evidence_fini(struct test_evidence *);

#endif
