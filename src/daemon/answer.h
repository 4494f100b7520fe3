/*
 * What a handler program says of a record: one JSON object
 *
 *   {"outcome":"retry","after_ms":90000,"error":{"class":"UpstreamBusy","message":"..."}}
 *
 * with every field optional (contracts.md 3 and 4).
 */
#ifndef OD_DAEMON_ANSWER_H
#define OD_DAEMON_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

struct od_answer {
    enum orderly_outcome outcome; /* UNSET when it said none */
    int64_t after_ms;             /* -1 when it said none */
    char error_class[64];         /* "" when it said none */
    char *message;                /* NULL when it said none; owned */
};
#define OD_ANSWER_INIT               \
    {                                \
        ORDERLY_UNSET, -1, {0}, NULL \
    }

void od_answer_fini(struct od_answer *);
/* Reads it from text. False when it is no such object; `problem` then says what is wrong. */
bool od_answer_parse(struct od_answer *, const void *data, size_t size, char *problem, size_t problem_size);
/* Reads it from an object; fields that are not of an answer are ignored. */
bool od_answer_read(struct od_answer *, const json_t *object, char *problem, size_t problem_size);

/* ack, retry, dead-letter, release, drop; UNSET for any other word. */
enum orderly_outcome od_outcome_parse(const char *word);
const char *od_outcome_name(enum orderly_outcome);

#endif
