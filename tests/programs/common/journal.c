/* The journal of handlers. */
#include "common/journal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"

int test_journal_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    if (fd < 0) {
        perror(path);
        exit(2);
    }
    return fd;
}

static void put(int fd, const char *line, int size)
{
    if (size < 0 || write(fd, line, (size_t)size) != size) {
        perror("journal");
        abort();
    }
}

void test_journal_begin(int fd, const struct test_plan *plan, const struct test_run *run)
{
    char line[512];
    int size = snprintf(line, sizeof line,
                        "B %" PRId64 " %d %s %" PRId32 " %" PRId64 " %" PRIu64 " %" PRIu32 " %" PRId64 " %" PRIu64
                        " %" PRIx64 " %" PRIx64 "\n",
                        test_wall_us(), (int)getpid(), run->topic, run->partition, run->offset, plan->id, run->attempt,
                        run->due_ms, run->fence, run->hash, run->identity);
    put(fd, line, size);
}

void test_journal_end(int fd, const struct test_plan *plan, uint32_t attempt, enum orderly_outcome outcome,
                      int64_t delay_ms)
{
    char line[160];
    int size = snprintf(line, sizeof line, "E %" PRId64 " %d %" PRIu64 " %" PRIu32 " %c %" PRId64 "\n", test_wall_us(),
                        (int)getpid(), plan->id, attempt, test_outcome_letter(outcome), delay_ms);
    put(fd, line, size);
}
