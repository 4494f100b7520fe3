/* UTF-8, strictly: no overlong forms, no surrogates, nothing above U+10FFFF. NUL is valid here; who must not have it looks. */
#ifndef OD_BASE_UTF8_H
#define OD_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

bool od_utf8_valid(const void *data, size_t size);
/* The largest length <= limit at which a valid text may be cut without splitting a character. */
size_t od_utf8_cut(const void *data, size_t size, size_t limit);

#endif
