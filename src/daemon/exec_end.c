/* How a process ended: see exec_end.h. */
#include "daemon/exec_end.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct row {
    int code;
    enum orderly_outcome outcome;
    enum od_blame blame;
};

/* Every other code is an ordinary retry. */
static const struct row ROWS[] = {
    {0, ORDERLY_ACK, OD_BLAME_NONE},          {64, ORDERLY_HOLD, OD_BLAME_FAULT},
    {65, ORDERLY_DEAD_LETTER, OD_BLAME_NONE}, {69, ORDERLY_THROTTLE, OD_BLAME_BUSY},
    {75, ORDERLY_RETRY, OD_BLAME_NONE},       {77, ORDERLY_HOLD, OD_BLAME_FAULT},
    {78, ORDERLY_HOLD, OD_BLAME_FAULT},       {100, ORDERLY_DEAD_LETTER, OD_BLAME_NONE},
    {111, ORDERLY_RETRY, OD_BLAME_NONE},      {126, ORDERLY_HOLD, OD_BLAME_FAULT},
    {127, ORDERLY_HOLD, OD_BLAME_FAULT},      {255, ORDERLY_HOLD, OD_BLAME_STOP},
};

const char *od_signal_name(int number, char *buffer, size_t size)
{
    const char *name = sigabbrev_np(number);

    if (name != NULL) {
        snprintf(buffer, size, "SIG%s", name);
    } else {
        snprintf(buffer, size, "SIG%d", number);
    }
    return buffer;
}

bool od_exec_end_is_crash(const struct od_exec_end *end)
{
    return end->signal != 0 && end->kill == OD_KILL_NONE;
}

/* The message of the answer, else the end of stderr. */
static void give_reason(const struct od_exec_end *end, struct od_verdict *ret, const char *prefix)
{
    if (end->answer->message != NULL) {
        od_verdict_text(ret, prefix, end->answer->message, strlen(end->answer->message));
    } else {
        od_verdict_text(ret, prefix, end->tail, end->tail_size);
    }
}

static void give_class(const struct od_exec_end *end, struct od_verdict *ret)
{
    if (end->answer->error_class[0] != '\0') {
        memcpy(ret->error_class, end->answer->error_class, sizeof ret->error_class);
    } else if (end->code != 0) {
        snprintf(ret->error_class, sizeof ret->error_class, "exit-%d", end->code);
    }
}

static void judge_signal(const struct od_exec_end *end, struct od_verdict *ret)
{
    char name[16], reason[32];

    od_signal_name(end->signal, name, sizeof name);
    if (end->kill == OD_KILL_CANCEL) {
        ret->outcome = ORDERLY_RELEASE;
        ret->blame = OD_BLAME_NEUTRAL;
        return;
    }
    ret->outcome = ORDERLY_RETRY;
    if (end->kill == OD_KILL_TIMEOUT) {
        ret->blame = OD_BLAME_NONE;
        snprintf(ret->error_class, sizeof ret->error_class, "timeout");
        od_verdict_text(ret, "timeout", end->tail, end->tail_size);
        return;
    }
    ret->blame = OD_BLAME_NONE;
    if (end->max_crashes > 0 && end->crashes >= end->max_crashes) {
        ret->outcome = ORDERLY_DEAD_LETTER;
    }
    snprintf(ret->error_class, sizeof ret->error_class, "crash-%s", name);
    snprintf(reason, sizeof reason, "crash:%s", name);
    od_verdict_text(ret, reason, end->tail, end->tail_size);
}

static void judge_ack(const struct od_exec_end *end, struct od_verdict *ret)
{
    if (end->answer_problem != NULL) {
        ret->outcome = ORDERLY_HOLD;
        ret->blame = OD_BLAME_FAULT;
        snprintf(ret->error_class, sizeof ret->error_class, "bad-result");
        od_verdict_text(ret, "the line on ORDERLY_RESULT_FD cannot be read", end->answer_problem,
                        strlen(end->answer_problem));
        return;
    }
    if (end->answer->outcome != ORDERLY_UNSET) {
        ret->outcome = end->answer->outcome;
    }
    if (ret->outcome != ORDERLY_ACK) {
        ret->delay_ms = end->answer->after_ms;
        give_class(end, ret);
        give_reason(end, ret, "");
        if (ret->error_class[0] == '\0' && ret->outcome != ORDERLY_RELEASE) {
            snprintf(ret->error_class, sizeof ret->error_class, "%s", od_outcome_name(ret->outcome));
        }
    }
}

void od_exec_end_judge(const struct od_exec_end *end, struct od_verdict *ret)
{
    const struct row *row = NULL;

    *ret = (struct od_verdict)OD_VERDICT_INIT;
    if (end->signal != 0) {
        judge_signal(end, ret);
        return;
    }
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (ROWS[i].code == end->code) {
            row = &ROWS[i];
        }
    }
    ret->outcome = row != NULL ? row->outcome : ORDERLY_RETRY;
    ret->blame = row != NULL ? row->blame : OD_BLAME_NONE;
    if (end->code == 0) {
        judge_ack(end, ret);
        return;
    }
    ret->delay_ms = end->answer->after_ms;
    ret->pause_ms = end->answer->after_ms;
    give_class(end, ret);
    give_reason(end, ret, "");
}
