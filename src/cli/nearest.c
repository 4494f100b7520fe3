/* "Did you mean": the edit distance of names, a swap of neighbours counted once. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define NAME_MAX_SIZE 64

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_MAX_SIZE + 1];
    size_t la = strlen(a), lb = strlen(b);
    if (la > NAME_MAX_SIZE || lb > NAME_MAX_SIZE) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= lb; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        size_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            now[j] = least(least(last[j] + 1, now[j - 1] + 1), last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], before[j - 2] + 1);
            }
        }
    }
    return rows[la % 3][lb];
}

void od_nearest_offer(struct od_nearest *best, const char *typed, const char *candidate)
{
    size_t size = strlen(typed), limit = size / 3 + (size < 3 ? 1 : 0);
    /* A name that was only begun is near enough. */
    size_t found = size >= 3 && !strncmp(candidate, typed, size) ? 1 : distance(typed, candidate);
    if (found <= (limit ? limit : 1) && (!best->name || found < best->distance)) {
        best->name = candidate;
        best->distance = found;
    }
}
