/* Lines of log: each says what and why. Thread: any. */
#ifndef OD_RUNTIME_LOG_H
#define OD_RUNTIME_LOG_H

#include "core/core.h"
#include "orderly/orderly.h"

struct od_lease;

/* `level` is enum orderly_log_level. Goes to callbacks.log; without one, nowhere. */
void od_log(const struct orderly *, int level, const char *area, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Whether this thread is inside callbacks.log: it may be the loop's, or hold a lock, so that nothing that waits is possible. */
bool od_log_inside(void);
/* Thread: loop. The line of a TELL effect; `lease` NULL: the member, or one that is over. */
/* `error_class`, `error_text`: why, of a record that failed; may be NULL. */
void od_log_tell(const struct orderly *, const struct od_effect *, const struct od_lease *lease,
                 const char *error_class, const char *error_text);
/* One sentence on a named state: what it means and what to do. */
const char *od_log_state_text(enum od_named_state);

#endif
