/* Growth of arrays: what the macros of vec.h share. */
#include "base/vec.h"

enum { FIRST_ROOM = 8 };

void *od_vec_grow(void *items, size_t *room, size_t want, size_t size)
{
    if (want <= *room)
        return items;
    size_t new_room = *room > SIZE_MAX / 2 ? SIZE_MAX : *room * 2;
    if (new_room < want)
        new_room = want;
    if (new_room < FIRST_ROOM)
        new_room = FIRST_ROOM;
    if (new_room > SIZE_MAX / size)
        return items;
    void *grown = realloc(items, new_room * size);
    if (!grown)
        return items;
    *room = new_room;
    return grown;
}
