/* The lines between a stream handler and its processes (contracts.md 4): one JSON object each. Pure. */
#ifndef OD_DAEMON_STREAM_WIRE_H
#define OD_DAEMON_STREAM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/answer.h"
#include "daemon/bytes.h"
#include "orderly/orderly.h"

/* Append one line, newline included. */
void od_stream_hello(struct od_bytes *, const char *group, int64_t max_in_flight, int64_t grace_ms);
/* deadline_ms: Unix milliseconds, 0: none. `base64`: the process asked for that codec throughout. */
void od_stream_delivery(struct od_bytes *, uint64_t id, struct orderly_record *, int64_t deadline_ms, bool base64);
void od_stream_cancel(struct od_bytes *, uint64_t id, const char *reason);
void od_stream_quiet(struct od_bytes *);
void od_stream_terminate(struct od_bytes *, int64_t grace_ms);
void od_stream_ping(struct od_bytes *, int64_t number);

enum od_stream_kind {
    OD_STREAM_BAD,    /* `problem` says why */
    OD_STREAM_HELLO,  /* name, max_in_flight, base64 */
    OD_STREAM_ANSWER, /* id, answer */
    OD_STREAM_EXTEND, /* id, extend_ms (-1: only progress), note */
    OD_STREAM_BYE,
    OD_STREAM_PONG /* number */
};

struct od_stream_said {
    enum od_stream_kind kind;
    char id[40]; /* as it was written */
    struct od_answer answer;
    int64_t extend_ms, max_in_flight, number;
    bool base64;
    char name[64], note[200], problem[240];
};

/* Reads one line (without its newline). The caller ends `ret` with od_answer_fini(&ret->answer). */
void od_stream_parse(struct od_stream_said *ret, const char *line, size_t size);

#endif
