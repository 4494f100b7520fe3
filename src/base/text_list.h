/*
 * Lists of texts (struct od_text_list, settings.h) and how a person writes one: "a,b,c", where "\," is a comma of the item; or,
 * where that gets in the way, a JSON array of texts; or a JSON object, whose members become NAME=VALUE.
 */
#ifndef OD_BASE_TEXT_LIST_H
#define OD_BASE_TEXT_LIST_H

#include <stdbool.h>

#include "base/settings.h"

/* Reads one. Blanks around items and empty items of the comma form are dropped. INVALID: broken JSON; NOMEM. The caller ends it. */
enum orderly_err od_text_list_parse(const char *text, struct od_text_list *ret);
/* A deep copy. */
enum orderly_err od_text_list_copy(const struct od_text_list *, struct od_text_list *ret);
/* Frees the items; fine on a zeroed one. */
void od_text_list_fini(struct od_text_list *);
bool od_text_list_has(const struct od_text_list *, const char *item);

#endif
