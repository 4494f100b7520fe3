/*
 * Lines of log of one kind, counted: of each kind only so many are written in a while, the others are counted and said as one
 * line. Lines are of one kind when level, area and words are the same; words that hold a digit (partitions, offsets, times,
 * process numbers) may differ.
 *
 *     11:00:00.001 warning state: orders/0 is in state commit_failing: ...
 *     ...                                                                       20 of them
 *     11:00:10.003 warning state: and 980 more like it within 10 s: orders/20 is in state commit_failing: ...
 *
 * Takes the time as an argument; the caller locks.
 */
#ifndef OD_DAEMON_LOG_REPEATS_H
#define OD_DAEMON_LOG_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OD_REPEATS_WINDOW_MS = 10000, OD_REPEATS_KINDS = 64 };

/* One kind of line. `more` were left out, the first of them is `text`. */
struct od_repeat {
    uint64_t kind;    /* a hash; 0: this place is free */
    int64_t until_ms; /* the end of its while */
    uint64_t written, more;
    int level;
    char area[32], text[512];
};

/* A zeroed one is empty. */
struct od_repeats {
    struct od_repeat list[OD_REPEATS_KINDS];
};

/*
 * Whether a line is written; `limit` 0: always. When a kind had to go to make room for this one and lines of it were left out,
 * it is copied to `ret_gone` to be said; its `more` is 0 otherwise.
 */
bool od_repeats_admit(struct od_repeats *, uint64_t limit, int64_t now_ms, int level, const char *area,
                      const char *text, struct od_repeat *ret_gone);
/* The next kind whose while is over and of which lines were left out; INT64_MAX ends all of them. False: there is none. */
bool od_repeats_take(struct od_repeats *, int64_t now_ms, struct od_repeat *ret);

#endif
