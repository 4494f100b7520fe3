/* The environment of one child of an exec handler: contracts.md 3 and 10. */
#ifndef OD_DAEMON_EXEC_ENV_H
#define OD_DAEMON_EXEC_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/bytes.h"
#include "daemon/handler.h"
#include "orderly/orderly.h"

#define OD_EXEC_ENV_MAX ((size_t)96 * 1024) /* above: headers, then the key, are left out */
#define OD_EXEC_RESULT_FD 3

/* One after the other: NAME=VALUE NUL ... ; `list` points into it once finished. Reused from child to child. */
struct od_exec_env {
    struct od_bytes block;
    char **list; /* ends with NULL */
    size_t capacity;
};

void od_exec_env_fini(struct od_exec_env *);
/* `base`: NAME=VALUE texts that every child gets. deadline_ms: Unix milliseconds, 0: none. False when out of memory. */
bool od_exec_env_build(struct od_exec_env *, const struct od_words *base, struct orderly_record *, int64_t deadline_ms);
/* What a child may keep of our own environment, then `extra`. False when out of memory. */
bool od_exec_env_base(struct od_words *ret, const struct od_words *extra);

#endif
