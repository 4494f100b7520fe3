/* Writing an offset map, and how long it can get. */
#include "core/offset_map.h"

#include <string.h>

#include "core/offset_map_text.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const char *od_map_refusal_text(enum od_map_refusal refusal)
{
    static const char *const texts[] = {
        [OD_MAP_ACCEPTED] = "accepted",
        [OD_MAP_EMPTY] = "empty",
        [OD_MAP_NOT_OURS] = "written by another program",
        [OD_MAP_NEWER] = "written by a newer version",
        [OD_MAP_DAMAGED] = "damaged, or made for another offset",
        [OD_MAP_OTHER_TOPIC] = "made for a deleted topic of the same name",
    };
    return (size_t)refusal < sizeof texts / sizeof *texts ? texts[refusal] : "unknown";
}

static size_t digits_of(uint64_t number)
{
    size_t count = 1;
    while (number >>= 5) {
        count++;
    }
    return count;
}

/* ---- writing */

struct writer {
    char *text;
    size_t count;
};

static void put(struct writer *to, uint64_t digit)
{
    to->text[to->count++] = digits[digit & 63];
}

static void put_fixed(struct writer *to, uint64_t number, unsigned count)
{
    for (unsigned i = 0; i < count; i++, number >>= 6) {
        put(to, number);
    }
}

static void put_number(struct writer *to, uint64_t number)
{
    for (; number >= 32; number >>= 5) {
        put(to, (number & 31) | 32);
    }
    put(to, number);
}

/*
 * The done set of a stay: what its window knows, then what the former owner had done beyond the window's end. When the window has done
 * something of a higher epoch than the former owner's highest, all that follows is newer than that: its map is void.
 */
struct runs {
    const struct od_window *window;
    const struct od_offset_map *before; /* NULL: nothing of it counts */
    int64_t cursor;
    size_t index;
    bool any_window;
};

static struct runs runs_of(const struct od_window *window, const struct od_offset_map *before)
{
    bool counts = before && before->runs.count && before->epoch >= window->epoch;
    return (struct runs){.window = window,
                         .before = counts ? before : NULL,
                         .cursor = window->base,
                         .any_window = window->done_above > 0};
}

static bool next_before(struct runs *runs, struct od_map_run *ret)
{
    while (runs->before && runs->index < runs->before->runs.count) {
        struct od_map_run run = runs->before->runs.items[runs->index++];
        int64_t end = run.first + run.count;
        if (end > runs->window->end) {
            int64_t first = run.first > runs->window->end ? run.first : runs->window->end;
            *ret = (struct od_map_run){first, end - first};
            return true;
        }
    }
    return false;
}

/* In ascending order, none touching the next. */
static bool next_run(struct runs *runs, struct od_map_run *ret)
{
    struct od_map_run more;
    if (runs->any_window && od_window_next_run(runs->window, &runs->cursor, &ret->first, &ret->count)) {
        if (ret->first + ret->count == runs->window->end && next_before(runs, &more)) {
            if (more.first == runs->window->end) {
                ret->count += more.count;
            } else {
                runs->index--;
            }
        }
        return true;
    }
    runs->any_window = false;
    return next_before(runs, ret);
}

/* The end of the last run; base when there is none. */
static int64_t end_of(const struct od_window *window, const struct od_offset_map *before)
{
    struct runs runs = runs_of(window, before);
    int64_t end = runs.any_window ? window->done_end : window->base;
    if (runs.before) {
        int64_t last = od_vec_last(&runs.before->runs)->first + od_vec_last(&runs.before->runs)->count;
        end = last > window->end ? last : end;
    }
    return end;
}

/* Digits of the done set as runs. */
static size_t size_as_runs(struct runs runs)
{
    size_t size = 0;
    int64_t at = runs.window->base;
    struct od_map_run run;
    while (next_run(&runs, &run)) {
        size += digits_of((uint64_t)(run.first - at)) + digits_of((uint64_t)run.count);
        at = run.first + run.count;
    }
    return size;
}

/* As many runs as fit into `room` digits; false when not all did. */
static bool put_runs(struct writer *to, struct runs runs, size_t room)
{
    int64_t at = runs.window->base;
    size_t end = to->count + room;
    struct od_map_run run;
    while (next_run(&runs, &run)) {
        size_t need = digits_of((uint64_t)(run.first - at)) + digits_of((uint64_t)run.count);
        if (to->count + need > end) {
            return false;
        }
        put_number(to, (uint64_t)(run.first - at));
        put_number(to, (uint64_t)run.count);
        at = run.first + run.count;
    }
    return true;
}

static bool put_bits(struct writer *to, struct runs runs, size_t size, size_t room)
{
    size_t kept = size < room ? size : room;
    char *set = to->text + to->count;
    int64_t base = runs.window->base, end = base + (int64_t)kept * 6;
    struct od_map_run run;
    memset(set, 0, kept);
    while (next_run(&runs, &run)) {
        for (int64_t o = run.first; o < run.first + run.count && o < end; o++) {
            uint64_t i = (uint64_t)(o - base);
            set[i / 6] = (char)(set[i / 6] | 1 << i % 6);
        }
    }
    for (size_t i = 0; i < kept; i++) {
        set[i] = digits[(unsigned char)set[i]];
    }
    to->count += kept;
    return kept == size;
}

/* Attempts: those given, then those of the former owner beyond the window's end. */
struct attempts {
    const struct od_map_attempt *own;
    size_t own_count;
    const struct od_map_attempt *before;
    size_t before_count;
    int32_t epoch;
};

static struct attempts attempts_of(const struct od_window *window, const struct od_offset_map *before,
                                   const struct od_map_attempt *own, size_t count)
{
    struct attempts all = {.own = own, .own_count = count, .epoch = -1};
    for (size_t i = 0; i < count; i++) {
        if (own[i].leader_epoch > all.epoch) {
            all.epoch = own[i].leader_epoch;
        }
    }
    if (before && before->attempts.count && before->attempt_epoch >= all.epoch &&
        before->attempt_epoch >= window->epoch) {
        size_t skip = 0;
        while (skip < before->attempts.count && before->attempts.items[skip].offset < window->end) {
            skip++;
        }
        all.before = before->attempts.items + skip;
        all.before_count = before->attempts.count - skip;
        all.epoch = all.before_count ? before->attempt_epoch : all.epoch;
    }
    return all;
}

static struct od_map_attempt attempt_at(const struct attempts *all, size_t i)
{
    return i < all->own_count ? all->own[i] : all->before[i - all->own_count];
}

/* In the text's units, rounded up; 0: none. */
static uint64_t due_of(struct od_map_attempt attempt)
{
    uint64_t due = attempt.due_ms > 0 ? ((uint64_t)attempt.due_ms + OD_MAP_DUE_UNIT - 1) / OD_MAP_DUE_UNIT : 0;
    return due < OD_MAP_DUE_MAX ? due : OD_MAP_DUE_MAX - 1;
}

static uint64_t first_due(const struct attempts *all, size_t count)
{
    uint64_t first = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t due = due_of(attempt_at(all, i));
        first = due && (!first || due < first) ? due : first;
    }
    return first;
}

static uint64_t due_above(struct od_map_attempt attempt, uint64_t first)
{
    uint64_t due = due_of(attempt);
    return due ? due - first + 1 : 0;
}

/* Those that fit into `room` digits, their count included. */
static void put_attempts(struct writer *to, int64_t base, const struct attempts *all, size_t room)
{
    size_t count = all->own_count + all->before_count, kept = 0;
    size_t size = digits_of(count) + OD_MAP_EPOCH_DIGITS + OD_MAP_DUE_DIGITS;
    uint64_t first = first_due(all, count);
    int64_t at = base;
    for (; kept < count; kept++) {
        struct od_map_attempt attempt = attempt_at(all, kept);
        size += digits_of((uint64_t)(attempt.offset - at)) + digits_of(attempt.attempts) +
                digits_of(due_above(attempt, first));
        if (size > room) {
            break;
        }
        at = attempt.offset;
    }
    put_number(to, kept);
    if (kept) {
        put_number(to, (uint64_t)((int64_t)all->epoch + 1));
        put_number(to, first);
    }
    at = base;
    for (size_t i = 0; i < kept; i++) {
        struct od_map_attempt attempt = attempt_at(all, i);
        put_number(to, (uint64_t)(attempt.offset - at));
        put_number(to, attempt.attempts);
        put_number(to, due_above(attempt, first));
        at = attempt.offset;
    }
}

bool od_offset_map_encode(const struct od_window *window, const struct od_offset_map *before, uint64_t topic_id_hash,
                          const struct od_map_attempt *attempts, size_t attempt_count, size_t cap, char *ret,
                          size_t *ret_size)
{
    od_assert(cap >= OD_OFFSET_MAP_MIN);
    struct writer to = {ret, 0};
    struct runs runs = runs_of(window, before);
    struct attempts all = attempts_of(window, before, attempts, attempt_count);
    int64_t end = end_of(window, before);
    bool any = end > window->base, whole = true, as_bits = false;
    *ret_size = 0;
    if (!any && all.own_count + all.before_count == 0) {
        return true;
    }
    int32_t epoch = runs.before ? runs.before->epoch : window->epoch;
    ret[to.count++] = '1';
    put_fixed(&to, topic_id_hash, OD_MAP_HASH_DIGITS);
    put_number(&to, (uint64_t)window->base);
    put_number(&to, any ? (uint64_t)((int64_t)epoch + 1) : 0);
    size_t set = 0, bits = (size_t)(end - window->base + 5) / 6,
           rest = cap - to.count - OD_MAP_CHECK_DIGITS - 1 /* form */;
    if (any) {
        size_t as_runs = size_as_runs(runs);
        as_bits = bits < as_runs;
        set = as_bits ? bits : as_runs;
    }
    put_attempts(&to, window->base, &all, set < rest ? rest - set : 0);
    ret[to.count++] = as_bits ? 'b' : 'r';
    size_t room = cap - to.count - OD_MAP_CHECK_DIGITS;
    if (any) {
        whole = as_bits ? put_bits(&to, runs, bits, room) : put_runs(&to, runs, room);
    }
    put_fixed(&to, od_map_checksum(ret, to.count), OD_MAP_CHECK_DIGITS);
    *ret_size = to.count;
    return whole;
}

/* The least k with 2^k >= n. */
static unsigned log2_up(uint64_t n)
{
    return n <= 1 ? 0 : 64 - (unsigned)__builtin_clzll(n - 1);
}

/*
 * Bits: one for each offset up to the last that may be done. Runs: each record that ends adds at most one run, and k runs with the k
 * stretches before them are 2k lengths whose sum is the span S; a length n costs 1 + log32(n) digits at most, and the logarithm is
 * concave, so all of them cost at most 2k (1 + log32(S / 2k)); that grows with k as long as 2k <= S.
 */
size_t od_offset_map_bound(const struct od_window *window, const struct od_offset_map *before, uint64_t running,
                           int64_t last)
{
    size_t head = OD_MAP_HEAD_DIGITS + 1 /* no attempts */ + 1 /* form */ + OD_MAP_CHECK_DIGITS;
    int64_t end = window->done_end > last + 1 ? window->done_end : last + 1;
    uint64_t count = window->runs + running;
    if (before && before->runs.count && od_offset_map_last(before) >= window->end) {
        end = od_offset_map_last(before) >= end ? od_offset_map_last(before) + 1 : end;
        count += before->runs.count;
    } else if (end <= window->base + 1) {
        return head;
    }
    uint64_t span = (uint64_t)(end - window->base);
    uint64_t bits = (span + 5) / 6, lengths = 2 * count;
    if (lengths > span) {
        lengths = span;
    }
    if (!lengths) {
        return head;
    }
    uint64_t runs = lengths + (lengths * log2_up((span + lengths - 1) / lengths) + 4) / 5;
    return head + (size_t)(bits < runs ? bits : runs);
}
