/* Reading the evidence. */
#include "common/evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line's reader: false when it does not read. */
typedef bool read_line(struct test_evidence *, const char *line, size_t number);

static bool read_file(struct test_evidence *evidence, const char *path, read_line *read)
{
    FILE *file = fopen(path, "re");
    char line[1024];
    size_t number = 0;

    if (file == NULL) {
        perror(path);
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        if (!read(evidence, line, number)) {
            fprintf(stderr, "%s:%zu: not understood: %s", path, number, line);
            fclose(file);
            return false;
        }
    }
    fclose(file);
    return true;
}

/* Room for one more in an array that doubles; the tests' programs have no use without memory. */
static void *grow(void *list, size_t count, size_t size)
{
    if ((count & (count - 1)) == 0) {
        list = realloc(list, (count == 0 ? 1 : count * 2) * size);
        if (list == NULL) {
            abort();
        }
    }
    return list;
}

static bool produced_line(struct test_evidence *evidence, const char *line, size_t number)
{
    struct test_produced made = {.known = true};
    char plan[32], text[96];
    uint64_t id;
    int64_t work;

    (void)number;
    if (sscanf(line, "%" SCNu64 " %" SCNd32 " %" SCNd64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %31s %" SCNd64, &id,
               &made.partition, &made.offset, &made.key_hash, &made.hash, &made.header_hash, plan, &work) != 8) {
        return false;
    }
    snprintf(text, sizeof text, "%" PRIu64 " %s %" PRId64, id, plan, work);
    if (!test_plan_parse(text, strlen(text), &made.plan)) {
        return false;
    }
    evidence->produced = grow(evidence->produced, evidence->produced_count, sizeof made);
    evidence->produced[evidence->produced_count++] = made;
    return true;
}

bool test_evidence_produced(struct test_evidence *evidence, const char *path)
{
    return read_file(evidence, path, produced_line);
}

static bool journal_line(struct test_evidence *evidence, const char *line, size_t number)
{
    struct test_entry entry = {.line = number};
    char topic[256];

    if (line[0] == 'B') {
        entry.mark = TEST_BEGIN;
        if (sscanf(line,
                   "B %" SCNd64 " %d %255s %" SCNd32 " %" SCNd64 " %" SCNu64 " %" SCNu32 " %" SCNd64 " %" SCNu64
                   " %" SCNx64 " %" SCNx64,
                   &entry.wall_us, &entry.pid, topic, &entry.partition, &entry.offset, &entry.id, &entry.attempt,
                   &entry.due_ms, &entry.fence, &entry.hash, &entry.identity) != 11) {
            return false;
        }
    } else {
        entry.mark = TEST_END;
        if (sscanf(line, "E %" SCNd64 " %d %" SCNu64 " %" SCNu32 " %c %" SCNd64, &entry.wall_us, &entry.pid, &entry.id,
                   &entry.attempt, &entry.outcome, &entry.delay_ms) != 6) {
            return false;
        }
    }
    evidence->entries = grow(evidence->entries, evidence->entry_count, sizeof entry);
    evidence->entries[evidence->entry_count++] = entry;
    return true;
}

bool test_evidence_journal(struct test_evidence *evidence, const char *path)
{
    return read_file(evidence, path, journal_line);
}

static bool dead_line(struct test_evidence *evidence, const char *line, size_t number)
{
    struct test_dead dead;

    (void)number;
    if (sscanf(line, "%*d %*d %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNu64, &dead.key_hash, &dead.hash,
               &dead.header_hash, &dead.id) != 4) {
        return false;
    }
    evidence->dead = grow(evidence->dead, evidence->dead_count, sizeof dead);
    evidence->dead[evidence->dead_count++] = dead;
    return true;
}

bool test_evidence_dead(struct test_evidence *evidence, const char *path)
{
    return read_file(evidence, path, dead_line);
}

static int by_id(const void *left, const void *right)
{
    const struct test_produced *a = left, *b = right;

    return (a->plan.id > b->plan.id) - (a->plan.id < b->plan.id);
}

static int by_time(const void *left, const void *right)
{
    const struct test_entry *a = left, *b = right;
    int order = (a->wall_us > b->wall_us) - (a->wall_us < b->wall_us);

    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

void test_evidence_sort(struct test_evidence *evidence)
{
    if (evidence->produced_count > 0) {
        qsort(evidence->produced, evidence->produced_count, sizeof *evidence->produced, by_id);
    }
    if (evidence->entry_count > 0) {
        qsort(evidence->entries, evidence->entry_count, sizeof *evidence->entries, by_time);
    }
}

struct test_produced *test_evidence_find(const struct test_evidence *evidence, uint64_t id)
{
    struct test_produced key = {.plan.id = id};

    return evidence->produced_count == 0
               ? NULL
               : bsearch(&key, evidence->produced, evidence->produced_count, sizeof key, by_id);
}

void test_evidence_fini(struct test_evidence *evidence)
{
    free(evidence->produced);
    free(evidence->entries);
    free(evidence->dead);
    memset(evidence, 0, sizeof *evidence);
}
