/* A ring of blocks of 64 offsets: see window.h. */
#include "core/window.h"

#include <stdlib.h>
#include <string.h>

enum { WORD = 64, FIRST_BLOCKS = 4 };

/* Blocks a span may have: a gap of four thousand million offsets under an unfinished record is refused as out of memory. */
#define MAX_BLOCKS (UINT64_C(1) << 26)

static int64_t block_of(int64_t offset)
{
    return offset >= 0 ? offset / WORD : -((-(offset + 1)) / WORD) - 1;
}

static uint64_t index_of(const struct od_window *window, int64_t block)
{
    return (uint64_t)block & (window->blocks - 1);
}

static uint64_t bit_of(int64_t offset)
{
    return UINT64_C(1) << ((uint64_t)offset & (WORD - 1));
}

static unsigned lowest(uint64_t word)
{
    return (unsigned)__builtin_ctzll(word);
}

void od_window_init(struct od_window *window, int64_t base)
{
    *window = (struct od_window){0};
    window->base = window->end = window->done_end = base;
    window->epoch = -1;
    window->page_free = OD_SLOT_NONE;
}

void od_window_fini(struct od_window *window)
{
    free(window->open);
    free(window->done);
    free(window->pages);
    free(window->slots);
    *window = (struct od_window){0};
}

/* Copies the blocks of base..end into the larger rings. */
static void move_blocks(const struct od_window *window, struct od_window *to)
{
    memset(to->open, 0, to->blocks * sizeof *to->open);
    memset(to->done, 0, to->blocks * sizeof *to->done);
    memset(to->pages, 0xff, to->blocks * sizeof *to->pages);
    if (!window->blocks || window->base == window->end) {
        return;
    }
    for (int64_t b = block_of(window->base); b <= block_of(window->end - 1); b++) {
        uint64_t from = index_of(window, b), at = index_of(to, b);
        to->open[at] = window->open[from];
        to->done[at] = window->done[from];
        to->pages[at] = window->pages[from];
    }
}

static bool grow(struct od_window *window, uint64_t want)
{
    uint64_t blocks = window->blocks ? window->blocks : FIRST_BLOCKS;
    while (blocks < want) {
        blocks *= 2;
    }
    if (blocks > MAX_BLOCKS) {
        return false;
    }
    struct od_window to = {.blocks = blocks};
    to.open = malloc(blocks * sizeof *to.open);
    to.done = malloc(blocks * sizeof *to.done);
    to.pages = malloc(blocks * sizeof *to.pages);
    if (!to.open || !to.done || !to.pages) {
        free(to.open);
        free(to.done);
        free(to.pages);
        return false;
    }
    move_blocks(window, &to);
    free(window->open);
    free(window->done);
    free(window->pages);
    window->open = to.open;
    window->done = to.done;
    window->pages = to.pages;
    window->blocks = blocks;
    return true;
}

/* Room in the rings for everything from base up to `offset`. */
static bool reserve(struct od_window *window, int64_t offset)
{
    uint64_t want = (uint64_t)(block_of(offset) - block_of(window->base)) + 1;
    return want <= window->blocks || grow(window, want);
}

/* A page for block `at`, when it has none. */
static bool take_page(struct od_window *window, uint64_t at)
{
    if (window->pages[at] != OD_SLOT_NONE) {
        return true;
    }
    if (window->page_free == OD_SLOT_NONE && window->page_count == window->page_room) {
        uint32_t room = window->page_room ? window->page_room + window->page_room / 2 : 2;
        uint32_t *slots = realloc(window->slots, (size_t)room * WORD * sizeof *slots);
        if (!slots) {
            return false;
        }
        window->slots = slots;
        window->page_room = room;
    }
    uint32_t page = window->page_free;
    if (page != OD_SLOT_NONE) {
        window->page_free = window->slots[(size_t)page * WORD];
    } else {
        page = window->page_count++;
    }
    window->pages[at] = page;
    return true;
}

static void give_page(struct od_window *window, uint64_t at)
{
    uint32_t page = window->pages[at];
    window->pages[at] = OD_SLOT_NONE;
    window->slots[(size_t)page * WORD] = window->page_free;
    window->page_free = page;
}

static bool is_open(const struct od_window *window, int64_t offset)
{
    if (offset < window->base || offset >= window->end) {
        return false;
    }
    return window->open[index_of(window, block_of(offset))] & bit_of(offset);
}

/* Done or gap, above the watermark. */
static bool is_closed(const struct od_window *window, int64_t offset)
{
    return offset > window->base && offset < window->end && !is_open(window, offset);
}

/* Nothing is unfinished: the watermark is the end and no block says anything. */
static void settle_empty(struct od_window *window, int64_t end)
{
    if (window->base < window->end) {
        for (int64_t b = block_of(window->base); b <= block_of(window->end - 1); b++) {
            window->done[index_of(window, b)] = 0;
        }
    }
    window->base = window->end = end;
    window->done_above = window->runs = 0;
}

bool od_window_seen(struct od_window *window, int64_t next)
{
    if (next <= window->end) {
        return true;
    }
    if (!window->unfinished) {
        settle_empty(window, next);
        return true;
    }
    if (!reserve(window, next - 1)) {
        return false;
    }
    /* Blocks beyond the end are clean: a gap is the absence of both bits. */
    if (!is_closed(window, window->end - 1)) {
        window->runs++;
    }
    window->end = next;
    return true;
}

bool od_window_add(struct od_window *window, int64_t offset, uint32_t slot)
{
    od_assert(offset >= window->end && slot != OD_SLOT_NONE);
    if (!window->unfinished) {
        settle_empty(window, offset);
    }
    if (!reserve(window, offset)) {
        return false;
    }
    uint64_t at = index_of(window, block_of(offset));
    if (!take_page(window, at)) {
        return false;
    }
    if (offset > window->end && !is_closed(window, window->end - 1)) {
        window->runs++;
    }
    window->slots[(size_t)window->pages[at] * WORD + ((uint64_t)offset & (WORD - 1))] = slot;
    window->open[at] |= bit_of(offset);
    window->end = offset + 1;
    window->unfinished++;
    return true;
}

static void note_done(struct od_window *window, int64_t offset, int32_t leader_epoch)
{
    if (leader_epoch > window->epoch) {
        window->epoch = leader_epoch;
    }
    if (offset + 1 > window->done_end) {
        window->done_end = offset + 1;
    }
}

bool od_window_add_done(struct od_window *window, int64_t offset, int32_t leader_epoch)
{
    od_assert(offset >= window->end);
    if (!od_window_seen(window, offset + 1)) {
        return false;
    }
    note_done(window, offset, leader_epoch);
    if (window->unfinished) {
        window->done[index_of(window, block_of(offset))] |= bit_of(offset);
        window->done_above++;
    }
    return true;
}

/* The first unfinished offset at or above `offset`; end when there is none. */
static int64_t next_open(const struct od_window *window, int64_t offset)
{
    if (offset < window->base) {
        offset = window->base;
    }
    if (!window->unfinished || offset >= window->end) {
        return window->end;
    }
    int64_t block = block_of(offset), last = block_of(window->end - 1);
    uint64_t word = window->open[index_of(window, block)] & ~(bit_of(offset) - 1);
    while (!word) {
        if (++block > last) {
            return window->end;
        }
        word = window->open[index_of(window, block)];
    }
    return block * WORD + lowest(word);
}

/* The first done or gap offset at or above `offset`; end when there is none. */
static int64_t next_closed(const struct od_window *window, int64_t offset)
{
    if (offset >= window->end) {
        return window->end;
    }
    int64_t block = block_of(offset), last = block_of(window->end - 1);
    uint64_t word = ~window->open[index_of(window, block)] & ~(bit_of(offset) - 1);
    while (!word) {
        if (++block > last) {
            return window->end;
        }
        word = ~window->open[index_of(window, block)];
    }
    int64_t found = block * WORD + lowest(word);
    return found < window->end ? found : window->end;
}

/* The watermark's own record is done: move to the next unfinished one and forget what is passed. */
static void advance(struct od_window *window)
{
    if (!window->unfinished) {
        settle_empty(window, window->end);
        return;
    }
    int64_t to = next_open(window, window->base);
    if (to > window->base + 1) {
        window->runs--;
    }
    for (int64_t b = block_of(window->base); b <= block_of(to); b++) {
        uint64_t *done = &window->done[index_of(window, b)];
        uint64_t passed = b < block_of(to) ? *done : *done & (bit_of(to) - 1);
        window->done_above -= (uint64_t)__builtin_popcountll(passed);
        *done &= ~passed;
    }
    window->base = to;
}

void od_window_done(struct od_window *window, int64_t offset, int32_t leader_epoch)
{
    od_assert(is_open(window, offset));
    uint64_t at = index_of(window, block_of(offset));
    window->open[at] &= ~bit_of(offset);
    window->unfinished--;
    if (!window->open[at]) {
        give_page(window, at);
    }
    note_done(window, offset, leader_epoch);
    if (offset == window->base) {
        advance(window);
        return;
    }
    window->done[at] |= bit_of(offset);
    window->done_above++;
    int neighbours = is_closed(window, offset - 1) + is_closed(window, offset + 1);
    if (neighbours == 0) {
        window->runs++;
    } else if (neighbours == 2) {
        window->runs--;
    }
}

uint32_t od_window_find(const struct od_window *window, int64_t offset)
{
    if (!is_open(window, offset)) {
        return OD_SLOT_NONE;
    }
    uint64_t at = index_of(window, block_of(offset));
    return window->slots[(size_t)window->pages[at] * WORD + ((uint64_t)offset & (WORD - 1))];
}

uint32_t od_window_next(const struct od_window *window, int64_t *offset)
{
    *offset = next_open(window, *offset);
    return od_window_find(window, *offset);
}

bool od_window_next_run(const struct od_window *window, int64_t *cursor, int64_t *ret_first, int64_t *ret_count)
{
    if (!window->unfinished) {
        return false;
    }
    int64_t first = next_closed(window, *cursor < window->base ? window->base : *cursor);
    if (first >= window->done_end) {
        return false;
    }
    int64_t after = next_open(window, first);
    if (after > window->done_end) {
        after = window->done_end;
    }
    *ret_first = first;
    *ret_count = after - first;
    *cursor = after;
    return true;
}
