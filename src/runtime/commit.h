/* Commits as users see them: waiting for one, hearing of one. */
#ifndef OD_RUNTIME_COMMIT_H
#define OD_RUNTIME_COMMIT_H

#include <stddef.h>
#include <stdint.h>

#include "core/core.h"

struct od_loop;
struct od_lease;

/* The assignments of one orderly_commit(). */
struct od_commit_ids {
    size_t count;
    uint32_t *list; /* owned */
};

/* Thread: loop, all of these. */

/* Takes `ids`. Token 0: nobody waits. */
void od_commit_begin(struct od_loop *, struct od_commit_ids *ids, uint64_t token);
/* COMMIT_DONE. */
void od_commit_done(struct orderly *, uint64_t token, enum orderly_err);
/* COMMITTED: logs a failure, tells callbacks.committed. */
void od_commit_heard(struct od_loop *, struct od_lease *, enum od_commit_result);
/* The loop ends: nobody waits for ever. */
void od_commit_end(struct orderly *);

#endif
