/* "Did you mean ...?": the closest of some names to a mistyped one. */
#ifndef OD_BASE_SUGGEST_H
#define OD_BASE_SUGGEST_H

#include <stddef.h>

/*
 * Offer candidates one after the other to a zeroed struct with `typed` set; `best` is then the closest, NULL when none is near enough
 * (more than a third of its letters differ). A swap of neighbours is one mistake.
 */
struct od_suggest {
    const char *typed;
    const char *best;
    size_t distance;
};

void od_suggest_offer(struct od_suggest *, const char *candidate);

#endif
