/* Lines of log of one kind: see log_repeats.h. */
#include "daemon/log_repeats.h"

#include <stdio.h>
#include <string.h>

static uint64_t hash_add(uint64_t hash, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static bool has_digit(const char *word, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (word[i] >= '0' && word[i] <= '9') {
            return true;
        }
    }
    return false;
}

/* Never 0. */
static uint64_t kind_of(int level, const char *area, const char *text)
{
    uint64_t hash = hash_add(UINT64_C(0xcbf29ce484222325) + (uint64_t)level, area, strlen(area) + 1);

    while (*text != '\0') {
        size_t size = strcspn(text, " ");

        hash = has_digit(text, size) ? hash_add(hash, "#", 1) : hash_add(hash, text, size);
        hash = hash_add(hash, " ", 1);
        text += size;
        text += *text == ' ';
    }
    return hash != 0 ? hash : 1;
}

/* Its place, or the one to be used for it: a free one, else the one that ends first. */
static struct od_repeat *place_of(struct od_repeats *repeats, uint64_t kind)
{
    struct od_repeat *best = &repeats->list[0];

    for (size_t i = 0; i < OD_REPEATS_KINDS; i++) {
        struct od_repeat *repeat = &repeats->list[i];

        if (repeat->kind == kind) {
            return repeat;
        }
        if (best->kind != 0 && (repeat->kind == 0 || repeat->until_ms < best->until_ms)) {
            best = repeat;
        }
    }
    return best;
}

bool od_repeats_admit(struct od_repeats *repeats, uint64_t limit, int64_t now_ms, int level, const char *area,
                      const char *text, struct od_repeat *ret_gone)
{
    uint64_t kind;
    struct od_repeat *repeat;

    ret_gone->more = 0;
    if (limit == 0) {
        return true;
    }
    kind = kind_of(level, area, text);
    repeat = place_of(repeats, kind);
    if (repeat->kind != kind || now_ms >= repeat->until_ms) {
        if (repeat->more > 0) {
            *ret_gone = *repeat;
        }
        *repeat = (struct od_repeat){.kind = kind, .until_ms = now_ms + OD_REPEATS_WINDOW_MS, .level = level};
        snprintf(repeat->area, sizeof repeat->area, "%s", area);
    }
    if (repeat->written < limit) {
        repeat->written++;
        return true;
    }
    if (repeat->more++ == 0) {
        snprintf(repeat->text, sizeof repeat->text, "%s", text);
    }
    return false;
}

bool od_repeats_take(struct od_repeats *repeats, int64_t now_ms, struct od_repeat *ret)
{
    for (size_t i = 0; i < OD_REPEATS_KINDS; i++) {
        struct od_repeat *repeat = &repeats->list[i];

        if (repeat->kind == 0 || now_ms < repeat->until_ms) {
            continue;
        }
        *ret = *repeat;
        *repeat = (struct od_repeat){0};
        if (ret->more > 0) {
            return true;
        }
    }
    return false;
}
