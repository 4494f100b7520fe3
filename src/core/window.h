/*
 * The window of one stay: which offsets above the committed one are unfinished, which are done, where their records are.
 *
 *     base = watermark                                             end = last seen + 1
 *       |                                                            |
 *       U  U  D  D  U  .  .  D  U  U  D  .  U  U  U  U  U  U  U  U  U       U unfinished, D done, . gap (never seen:
 *                |run--------|     |run-|                                    compaction, control records; counts as done)
 *
 * A ring of blocks of 64 offsets: two words of bits each, and a page of record slots only while something of the block is
 * unfinished. Adding and finishing touch one block; the watermark moves over whole words. Memory: 20 bytes a block, 256 a page.
 */
#ifndef OD_CORE_WINDOW_H
#define OD_CORE_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/record.h" /* OD_SLOT_NONE */

struct od_window {
    int64_t base;     /* first unfinished; == end when nothing is */
    int64_t end;      /* next offset to see */
    int64_t done_end; /* last done record + 1; only of use when above base */
    int32_t epoch;    /* highest leader epoch among what was done; -1 none */
    uint64_t unfinished;
    uint64_t done_above; /* records (not gaps) done above the watermark */
    uint64_t runs;       /* maximal runs of done and gap above the watermark */

    uint64_t *open, *done; /* rings of words by offset / 64 */
    uint32_t *pages;       /* ring: index of the page, or OD_SLOT_NONE */
    uint64_t blocks;       /* room of the rings; a power of two, or 0 */
    uint32_t *slots;       /* pages of 64 slots */
    uint32_t page_room, page_free, page_count;
};

/* Empty: the watermark and the end are `base`. */
void od_window_init(struct od_window *, int64_t base);
void od_window_fini(struct od_window *);

/* A record was seen at `offset` (not below end): unfinished, in `slot`. What lies between is a gap. False: out of memory, nothing changed. */
bool od_window_add(struct od_window *, int64_t offset, uint32_t slot);
/* A record was seen that is done already (the map says so); nothing has to be kept of it. */
bool od_window_add_done(struct od_window *, int64_t offset, int32_t leader_epoch);
/* Reading has come to `next`: what lies between end and it is a gap. Ignored when next <= end. */
bool od_window_seen(struct od_window *, int64_t next);
/* The unfinished record at `offset` is done; asserts that it is unfinished. Gives up no memory of others. */
void od_window_done(struct od_window *, int64_t offset, int32_t leader_epoch);

/* The slot of the unfinished record at `offset`; OD_SLOT_NONE: done, gap, or outside. */
uint32_t od_window_find(const struct od_window *, int64_t offset);
/* The first unfinished record at or above *offset: its slot, and its offset in *offset; OD_SLOT_NONE at the end. Walk:
 *     for (int64_t o = w->base; (slot = od_window_next(w, &o)) != OD_SLOT_NONE; o++)     finishing the found one meanwhile is fine */
uint32_t od_window_next(const struct od_window *, int64_t *offset);
/* The first run of done offsets (gaps too) at or above *cursor, whose start must not lie within an earlier answer; ends at done_end.
 * Begin with *cursor = base; false at the end. */
bool od_window_next_run(const struct od_window *, int64_t *cursor, int64_t *ret_first, int64_t *ret_count);

static inline int64_t od_window_watermark(const struct od_window *window)
{
    return window->base;
}

/* Offsets between the watermark and the end. */
static inline uint64_t od_window_span(const struct od_window *window)
{
    return (uint64_t)(window->end - window->base);
}

#endif
