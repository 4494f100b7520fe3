/*
 * The offset map: what is done above the committed offset, as printable text in the commit metadata.
 *
 *     "1" topic-id-hash(11) base epoch+1 attempts form set... checksum(5)
 *     attempts: count, and when it is not 0 their highest leader epoch + 1 and the first due time, then offset delta, spent and due of each;
 *               due times are Unix time in tenths of a second, rounded up, those of records less the first one plus 1; 0: none
 *
 * Every character is one base64url digit. Numbers are groups of 5 bits, lowest first, the sixth bit says "more". `form` is 'b': a
 * bit for each offset from base on, 6 a digit; or 'r': lengths of unfinished and done runs in turn, beginning at base. The shorter wins.
 * The base offset and the checksum are there so that a text that a tool carried to another offset, or damaged, skips nothing.
 *
 * An offset is skipped only if the topic id matches (the hash of it; 0, no id, matches 0) and the record's leader epoch is known and not
 * above the highest among the done ones: what was truncated and written anew has a higher epoch and runs.
 */
#ifndef OD_CORE_OFFSET_MAP_H
#define OD_CORE_OFFSET_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "core/window.h"
#include "orderly/orderly.h"

enum od_map_refusal {
    OD_MAP_ACCEPTED,
    OD_MAP_EMPTY,      /* no metadata: nothing to say, not a fault */
    OD_MAP_NOT_OURS,   /* another program's metadata */
    OD_MAP_NEWER,      /* of a later version of this program */
    OD_MAP_DAMAGED,    /* checksum, shape, or made for another offset */
    OD_MAP_OTHER_TOPIC /* the topic was deleted and made again */
};
const char *od_map_refusal_text(enum od_map_refusal);

/* Attempts spent by a record that waits in its lane. */
struct od_map_attempt {
    int64_t offset;
    uint32_t attempts;
    int32_t leader_epoch; /* -1 unknown */
    int64_t due_ms;       /* Unix ms; 0: it does not wait any more */
};

/* The longest text that does not name any done record, without attempts: every map fits into a cap of at least this. */
enum { OD_OFFSET_MAP_MIN = 64 };

struct od_map_run {
    int64_t first, count;
};

/* A decoded map. A zeroed one skips nothing. */
struct od_offset_map {
    enum od_map_refusal refusal;
    int32_t epoch;
    int32_t attempt_epoch;
    OD_VEC(struct od_map_run) runs;         /* ascending */
    OD_VEC(struct od_map_attempt) attempts; /* ascending */
    uint64_t done_count;                    /* offsets in runs */
};

/*
 * Writes the map of `window` (the done set above its watermark) into `ret` and its length (no NUL) to *ret_size; at most `cap`
 * characters (at least OD_OFFSET_MAP_MIN), which `ret` must hold. `before` (may be NULL) is the map
 * that the stay began with: what it says of offsets not read yet (from window.end on) is handed on. Nothing done and no attempts: empty text. Attempts (ascending
 * offsets) are left out, the last first, where they do not fit beside the done set. False: not all of the done set fitted either, its
 * upper part was left out; with a dispatch that asks od_offset_map_bound first only a lowered cap can cause that.
 */
bool od_offset_map_encode(const struct od_window *, const struct od_offset_map *before, uint64_t topic_id_hash,
                          const struct od_map_attempt *attempts, size_t attempt_count, size_t cap, char *ret,
                          size_t *ret_size);
/*
 * An upper bound, in constant time, of the text's length whatever subset of `running` unfinished records ends (those that run, are copied,
 * and those about to be dispatched), when none lies above `last` (the highest offset ever dispatched).
 */
size_t od_offset_map_bound(const struct od_window *, const struct od_offset_map *before, uint64_t running,
                           int64_t last);

/* Any bytes may come in. What is refused gives an empty map and says why. Errors: NOMEM. `ret` is initialised here. */
enum orderly_err od_offset_map_decode(struct od_offset_map *ret, const char *text, size_t size, int64_t base,
                                      uint64_t topic_id_hash);
void od_offset_map_fini(struct od_offset_map *);
/* Whether the record at `offset`, of that leader epoch (-1 unknown), is done and must be skipped. */
bool od_offset_map_done(const struct od_offset_map *, int64_t offset, int32_t leader_epoch);
/* Attempts already spent on it by the former owner; 0 as a rule. Conditions as above, against the attempts' own epoch. */
uint32_t od_offset_map_attempts(const struct od_offset_map *, int64_t offset, int32_t leader_epoch);
/* When it is due for the next one (Unix ms, rounded up to a tenth of a second); 0: it does not wait. */
int64_t od_offset_map_due(const struct od_offset_map *, int64_t offset, int32_t leader_epoch);
/* Above that offset the map says nothing: it can be freed when reading has passed it. -1 when it says nothing at all. */
int64_t od_offset_map_last(const struct od_offset_map *);

#endif
