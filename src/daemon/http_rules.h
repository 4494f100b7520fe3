/* The table of contracts.md 5: what an answer means for a record and for the handler. Pure. */
#ifndef OD_DAEMON_HTTP_RULES_H
#define OD_DAEMON_HTTP_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/handler.h"
#include "daemon/verdict.h"
#include "orderly/orderly.h"

/* Overrides by status code (UNSET: none). */
struct od_http_rules {
    unsigned char outcome[600];
};

/* Reads CODE=OUTCOME texts; CODE is 100 to 599 or 1xx to 5xx, OUTCOME one of ack, retry, dead-letter, release, drop, hold. Errors: CONFIG. */
enum orderly_err od_http_rules_init(struct od_http_rules *, const struct od_words *, struct orderly_error *);

/* What was read of an answer. */
struct od_http_answer {
    int status;
    char outcome[32];       /* Orderly-Outcome; "" when there was none */
    int64_t retry_after_ms; /* -1: none */
    const char *body;       /* its beginning */
    size_t body_size;
};

/* Sets outcome, blame, delay, pause, class and text. backoff_ms: what the policy would wait at least; a shorter Retry-After gives way. */
void od_http_judge(const struct od_http_rules *, const struct od_http_answer *, int64_t backoff_ms,
                   struct od_verdict *ret);
/* Outcome and blame of a status alone, as od_http_judge finds them. */
void od_http_judge_status(const struct od_http_rules *, int status, enum orderly_outcome *ret_outcome,
                          enum od_blame *ret_blame);
/* Retry-After: seconds, or an HTTP-date; -1: neither. now_ms: Unix milliseconds. */
int64_t od_http_retry_after(const char *text, int64_t now_ms);

#endif
