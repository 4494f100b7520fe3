/* Reading an offset map, whatever bytes come; and asking it. */
#include "core/offset_map_text.h"

struct reader {
    const char *text;
    size_t at, end;
};

/* A number below 2^63. */
static bool get_number(struct reader *from, uint64_t *ret)
{
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 5 * OD_MAP_NUMBER_DIGITS; shift += 5) {
        if (from->at == from->end) {
            return false;
        }
        uint64_t digit = (uint64_t)od_map_digit(from->text[from->at++]);
        if (shift == 60 && digit > 7) {
            return false;
        }
        number |= (digit & 31) << shift;
        if (!(digit & 32)) {
            *ret = number;
            return true;
        }
    }
    return false;
}

static uint64_t get_fixed(struct reader *from, unsigned count)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < count; i++) {
        number |= (uint64_t)od_map_digit(from->text[from->at++]) << (6 * i);
    }
    return number;
}

static bool get_epoch(struct reader *from, int32_t *ret)
{
    uint64_t number;
    if (!get_number(from, &number) || number > (uint64_t)INT32_MAX + 1) {
        return false;
    }
    *ret = (int32_t)((int64_t)number - 1);
    return true;
}

/* Moves *at by `delta`; false when that is beyond the largest offset. */
static bool step(int64_t *at, uint64_t delta)
{
    if (delta > (uint64_t)(INT64_MAX - 1 - *at)) {
        return false;
    }
    *at += (int64_t)delta;
    return true;
}

/* Whether text is one of ours by its outside: alphabet, length, checksum. */
static enum od_map_refusal look(const char *text, size_t size)
{
    if (!size) {
        return OD_MAP_EMPTY;
    }
    if (text[0] < '1' || text[0] > '9' || size < OD_MAP_SMALLEST || size > OD_MAP_TEXT_MAX) {
        return OD_MAP_NOT_OURS;
    }
    for (size_t i = 0; i < size; i++) {
        if (od_map_digit(text[i]) < 0) {
            return OD_MAP_NOT_OURS;
        }
    }
    struct reader tail = {text, size - OD_MAP_CHECK_DIGITS, size};
    bool whole = get_fixed(&tail, OD_MAP_CHECK_DIGITS) == od_map_checksum(text, size - OD_MAP_CHECK_DIGITS);
    if (text[0] != '1') {
        return whole ? OD_MAP_NEWER : OD_MAP_NOT_OURS;
    }
    return whole ? OD_MAP_ACCEPTED : OD_MAP_DAMAGED;
}

/* The readers below set *ret_sound to false for a wrong shape and return false when out of memory. */
static bool read_attempts(struct od_offset_map *map, struct reader *from, int64_t base, bool *ret_sound)
{
    uint64_t count, delta, attempts, first = 0, due;
    int64_t at = base;
    *ret_sound = false;
    if (!get_number(from, &count) ||
        (count && (!get_epoch(from, &map->attempt_epoch) || !get_number(from, &first) || first > OD_MAP_DUE_MAX))) {
        return true;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (!get_number(from, &delta) || !get_number(from, &attempts) || !get_number(from, &due) || !step(&at, delta) ||
            attempts > UINT32_MAX || due > OD_MAP_DUE_MAX || (i && !delta)) {
            return true;
        }
        struct od_map_attempt entry = {at, (uint32_t)attempts, map->attempt_epoch,
                                       due ? (int64_t)(first + due - 1) * OD_MAP_DUE_UNIT : 0};
        if (!od_vec_push(&map->attempts, entry)) {
            return false;
        }
    }
    *ret_sound = true;
    return true;
}

static bool add_run(struct od_offset_map *map, int64_t first, int64_t count)
{
    struct od_map_run run = {first, count};
    map->done_count += (uint64_t)count;
    return od_vec_push(&map->runs, run);
}

static bool read_runs(struct od_offset_map *map, struct reader *from, int64_t base, bool *ret_sound)
{
    uint64_t open, done;
    int64_t at = base;
    *ret_sound = false;
    while (from->at < from->end) {
        bool touches = map->runs.count > 0; /* only the first may begin at the base itself */
        if (!get_number(from, &open) || !get_number(from, &done) || (!open && touches) || !done || !step(&at, open)) {
            return true;
        }
        int64_t first = at;
        if (!step(&at, done)) {
            return true;
        }
        if (!add_run(map, first, at - first)) {
            return false;
        }
    }
    *ret_sound = true;
    return true;
}

static bool read_bits(struct od_offset_map *map, struct reader *from, int64_t base, bool *ret_sound)
{
    int64_t at = base, first = -1;
    *ret_sound = false;
    if (base > INT64_MAX - 6 * OD_MAP_TEXT_MAX) {
        return true;
    }
    for (; from->at < from->end; from->at++) {
        int digit = od_map_digit(from->text[from->at]);
        for (int i = 0; i < 6; i++, at++) {
            if (digit >> i & 1) {
                first = first < 0 ? at : first;
            } else if (first >= 0) {
                if (!add_run(map, first, at - first)) {
                    return false;
                }
                first = -1;
            }
        }
    }
    *ret_sound = true;
    return first < 0 || add_run(map, first, at - first);
}

static bool read_body(struct od_offset_map *map, struct reader *from, int64_t base, bool *ret_sound)
{
    uint64_t offset;
    *ret_sound = false;
    if (!get_number(from, &offset) || (int64_t)offset != base || !get_epoch(from, &map->epoch)) {
        return true;
    }
    if (!read_attempts(map, from, base, ret_sound)) {
        return false;
    }
    if (!*ret_sound || from->at == from->end) {
        *ret_sound = false;
        return true;
    }
    switch (from->text[from->at++]) {
    case 'r':
        return read_runs(map, from, base, ret_sound);
    case 'b':
        return read_bits(map, from, base, ret_sound);
    default:
        *ret_sound = false;
        return true;
    }
}

enum orderly_err od_offset_map_decode(struct od_offset_map *ret, const char *text, size_t size, int64_t base,
                                      uint64_t topic_id_hash)
{
    *ret = (struct od_offset_map){.epoch = -1, .attempt_epoch = -1};
    ret->refusal = look(text, size);
    if (ret->refusal != OD_MAP_ACCEPTED) {
        return ORDERLY_OK;
    }
    struct reader from = {text, 1, size - OD_MAP_CHECK_DIGITS};
    uint64_t hash = get_fixed(&from, OD_MAP_HASH_DIGITS);
    if (hash != topic_id_hash) {
        ret->refusal = OD_MAP_OTHER_TOPIC;
        return ORDERLY_OK;
    }
    bool sound;
    if (!read_body(ret, &from, base, &sound)) {
        od_offset_map_fini(ret);
        return ORDERLY_NOMEM;
    }
    if (!sound) {
        od_offset_map_fini(ret);
        ret->refusal = OD_MAP_DAMAGED;
    }
    return ORDERLY_OK;
}

void od_offset_map_fini(struct od_offset_map *map)
{
    od_vec_fini(&map->runs);
    od_vec_fini(&map->attempts);
    *map = (struct od_offset_map){.epoch = -1, .attempt_epoch = -1};
}

bool od_offset_map_done(const struct od_offset_map *map, int64_t offset, int32_t leader_epoch)
{
    if (!map->runs.count || leader_epoch < 0 || leader_epoch > map->epoch) {
        return false;
    }
    size_t low = 0, high = map->runs.count; /* the last run that begins at or below `offset` */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->runs.items[middle].first <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low && offset - map->runs.items[low - 1].first < map->runs.items[low - 1].count;
}

static const struct od_map_attempt *attempt_of(const struct od_offset_map *map, int64_t offset, int32_t leader_epoch)
{
    if (leader_epoch < 0 || leader_epoch > map->attempt_epoch) {
        return NULL;
    }
    size_t low = 0, high = map->attempts.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->attempts.items[middle].offset < offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool found = low < map->attempts.count && map->attempts.items[low].offset == offset;
    return found ? &map->attempts.items[low] : NULL;
}

uint32_t od_offset_map_attempts(const struct od_offset_map *map, int64_t offset, int32_t leader_epoch)
{
    const struct od_map_attempt *attempt = attempt_of(map, offset, leader_epoch);
    return attempt ? attempt->attempts : 0;
}

int64_t od_offset_map_due(const struct od_offset_map *map, int64_t offset, int32_t leader_epoch)
{
    const struct od_map_attempt *attempt = attempt_of(map, offset, leader_epoch);
    return attempt ? attempt->due_ms : 0;
}

int64_t od_offset_map_last(const struct od_offset_map *map)
{
    int64_t last = -1;
    if (map->runs.count) {
        const struct od_map_run *run = &map->runs.items[map->runs.count - 1];
        last = run->first + run->count - 1;
    }
    if (map->attempts.count && map->attempts.items[map->attempts.count - 1].offset > last) {
        last = map->attempts.items[map->attempts.count - 1].offset;
    }
    return last;
}
