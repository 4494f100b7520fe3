/* Edit distance with swaps (optimal string alignment), for short names. */
#include "base/suggest.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST = 64 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3], *last = rows[(i + 2) % 3], *last_but_one = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t cost = a[i - 1] != b[j - 1];
            row[j] = least(least(last[j] + 1, row[j - 1] + 1), last[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], last_but_one[j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

void od_suggest_offer(struct od_suggest *suggest, const char *candidate)
{
    size_t typed = strlen(suggest->typed), size = strlen(candidate);
    if (typed == 0 || typed > LONGEST || size > LONGEST)
        return;
    size_t far = distance(suggest->typed, typed, candidate, size);
    if (far > (typed > size ? typed : size) / 3)
        return;
    if (suggest->best && far >= suggest->distance)
        return;
    suggest->best = candidate;
    suggest->distance = far;
}
