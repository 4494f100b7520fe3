/* The table of contracts.md 3: how a process ended, and what that means for its record. Pure. */
#ifndef OD_DAEMON_EXEC_END_H
#define OD_DAEMON_EXEC_END_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/verdict.h"

/* Why a signal of ours was sent. */
enum od_kill { OD_KILL_NONE, OD_KILL_TIMEOUT, OD_KILL_CANCEL };

struct od_exec_end {
    int code;                       /* its exit code, when signal is 0 */
    int signal;                     /* what it died of */
    enum od_kill kill;              /* it died of our own signal */
    const struct od_answer *answer; /* what it wrote to its result descriptor */
    const char *answer_problem;     /* that was no answer; NULL when all is well */
    const char *tail;               /* the end of what it wrote to stderr */
    size_t tail_size;
    int64_t crashes, max_crashes; /* of this record in a row, this one counted */
};

/* Sets outcome, blame, delay, class and text. */
void od_exec_end_judge(const struct od_exec_end *, struct od_verdict *ret);
/* Whether it counts as a crash of the record. */
bool od_exec_end_is_crash(const struct od_exec_end *);
/* "SIGSEGV" and so on; buffer of at least 16. */
const char *od_signal_name(int number, char *buffer, size_t size);

#endif
