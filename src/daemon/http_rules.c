/* What an answer means: see http_rules.h. */
#include "daemon/http_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/answer.h"

static const int64_t RETRY_AFTER_MAX_MS = INT64_C(366) * 24 * 3600 * 1000;
static const int64_t PAUSE_MAX_MS = 3600 * 1000;

/* The last row that holds a status decides. */
struct row {
    int from, to;
    enum orderly_outcome outcome;
    enum od_blame blame;
};

static const struct row ROWS[] = {
    {100, 199, ORDERLY_HOLD, OD_BLAME_FAULT},    {200, 299, ORDERLY_ACK, OD_BLAME_NONE},
    {300, 399, ORDERLY_HOLD, OD_BLAME_FAULT},    {400, 499, ORDERLY_DEAD_LETTER, OD_BLAME_NEUTRAL},
    {401, 401, ORDERLY_HOLD, OD_BLAME_FAULT},    {403, 405, ORDERLY_HOLD, OD_BLAME_FAULT},
    {407, 407, ORDERLY_HOLD, OD_BLAME_FAULT},    {408, 408, ORDERLY_RETRY, OD_BLAME_FAILURE},
    {409, 409, ORDERLY_RETRY, OD_BLAME_NEUTRAL}, {410, 410, ORDERLY_HOLD, OD_BLAME_FAULT},
    {421, 421, ORDERLY_HOLD, OD_BLAME_FAULT},    {423, 425, ORDERLY_RETRY, OD_BLAME_FAILURE},
    {426, 426, ORDERLY_HOLD, OD_BLAME_FAULT},    {429, 429, ORDERLY_THROTTLE, OD_BLAME_BUSY},
    {500, 599, ORDERLY_RETRY, OD_BLAME_FAILURE}, {501, 501, ORDERLY_HOLD, OD_BLAME_FAULT},
    {503, 503, ORDERLY_RETRY, OD_BLAME_BUSY},    {505, 505, ORDERLY_HOLD, OD_BLAME_FAULT},
};

static enum orderly_err refuse(const char *text, struct orderly_error *error)
{
    error->code = ORDERLY_CONFIG;
    snprintf(
        error->text, sizeof error->text,
        "handler.http.status: \"%.100s\" is not CODE=OUTCOME (409=ack, 5xx=retry; outcomes: ack, retry, dead-letter, "
        "release, drop, hold)",
        text);
    return ORDERLY_CONFIG;
}

/* "409" or "4xx"; false when it is neither. */
static bool parse_codes(const char *text, size_t size, int *ret_from, int *ret_to)
{
    if (size != 3 || text[0] < '1' || text[0] > '5') {
        return false;
    }
    *ret_from = *ret_to = (text[0] - '0') * 100;
    if (tolower((unsigned char)text[1]) == 'x' && tolower((unsigned char)text[2]) == 'x') {
        *ret_to += 99;
        return true;
    }
    if (!isdigit((unsigned char)text[1]) || !isdigit((unsigned char)text[2])) {
        return false;
    }
    *ret_from += (text[1] - '0') * 10 + (text[2] - '0');
    *ret_to = *ret_from;
    return true;
}

/* Ranges first, so that "5xx=retry" does not undo "503=ack" that stands before it. */
static enum orderly_err apply(struct od_http_rules *rules, const char *text, bool ranges, struct orderly_error *error)
{
    const char *equals = strchr(text, '=');
    enum orderly_outcome outcome;
    int from, to;

    if (equals == NULL || !parse_codes(text, (size_t)(equals - text), &from, &to)) {
        return refuse(text, error);
    }
    outcome = strcmp(equals + 1, "hold") == 0 ? ORDERLY_HOLD : od_outcome_parse(equals + 1);
    if (outcome == ORDERLY_UNSET) {
        return refuse(text, error);
    }
    for (int code = from; code <= to && ranges == (from != to); code++) {
        rules->outcome[code] = (unsigned char)outcome;
    }
    return ORDERLY_OK;
}

enum orderly_err od_http_rules_init(struct od_http_rules *rules, const struct od_words *words,
                                    struct orderly_error *error)
{
    enum orderly_err err = ORDERLY_OK;

    memset(rules, 0, sizeof *rules);
    for (size_t i = 0; i < words->count && err == ORDERLY_OK; i++) {
        err = apply(rules, words->items[i], true, error);
    }
    for (size_t i = 0; i < words->count && err == ORDERLY_OK; i++) {
        err = apply(rules, words->items[i], false, error);
    }
    return err;
}

void od_http_judge_status(const struct od_http_rules *rules, int status, enum orderly_outcome *ret_outcome,
                          enum od_blame *ret_blame)
{
    *ret_outcome = ORDERLY_HOLD;
    *ret_blame = OD_BLAME_FAULT;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (status >= ROWS[i].from && status <= ROWS[i].to) {
            *ret_outcome = ROWS[i].outcome;
            *ret_blame = ROWS[i].blame;
        }
    }
    if (status >= 100 && status < 600 && rules->outcome[status] != ORDERLY_UNSET) {
        *ret_outcome = (enum orderly_outcome)rules->outcome[status];
        *ret_blame = *ret_outcome == ORDERLY_HOLD  ? OD_BLAME_FAULT
                     : *ret_outcome == ORDERLY_ACK ? OD_BLAME_NONE
                                                   : OD_BLAME_NEUTRAL;
    }
}

void od_http_judge(const struct od_http_rules *rules, const struct od_http_answer *answer, int64_t backoff_ms,
                   struct od_verdict *ret)
{
    *ret = (struct od_verdict)OD_VERDICT_INIT;
    od_http_judge_status(rules, answer->status, &ret->outcome, &ret->blame);
    if (answer->outcome[0] != '\0') {
        ret->outcome = od_outcome_parse(answer->outcome);
    }
    if (ret->outcome == ORDERLY_UNSET) {
        ret->outcome = ORDERLY_HOLD;
        ret->blame = OD_BLAME_FAULT;
        snprintf(ret->error_class, sizeof ret->error_class, "bad-result");
        od_verdict_text(ret, "Orderly-Outcome is no outcome", answer->outcome, strlen(answer->outcome));
        return;
    }
    if (ret->outcome == ORDERLY_ACK) {
        return;
    }
    if (ret->outcome == ORDERLY_RETRY || ret->outcome == ORDERLY_THROTTLE) {
        ret->delay_ms = answer->retry_after_ms > backoff_ms ? answer->retry_after_ms : -1;
    }
    if (ret->blame == OD_BLAME_BUSY) {
        ret->pause_ms = answer->retry_after_ms < PAUSE_MAX_MS ? answer->retry_after_ms : PAUSE_MAX_MS;
    }
    snprintf(ret->error_class, sizeof ret->error_class, "http-%d", answer->status);
    od_verdict_text(ret, "", answer->body, answer->body_size);
}

/* The three forms of RFC 9110, 5.6.7. */
static int64_t parse_date(const char *text)
{
    static const char *const formats[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                          "%a %b %d %H:%M:%S %Y"};

    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct tm parts = {0};
        const char *end = strptime(text, formats[i], &parts);

        if (end != NULL && *end == '\0') {
            return (int64_t)timegm(&parts) * 1000;
        }
    }
    return -1;
}

int64_t od_http_retry_after(const char *text, int64_t now_ms)
{
    size_t digits = strspn(text, "0123456789");
    int64_t after_ms;

    if (digits > 0 && text[digits] == '\0') {
        after_ms = digits > 9 ? RETRY_AFTER_MAX_MS : (int64_t)strtoll(text, NULL, 10) * 1000;
    } else {
        int64_t when_ms = parse_date(text);

        if (when_ms < 0) {
            return -1;
        }
        after_ms = when_ms > now_ms ? when_ms - now_ms : 0;
    }
    return after_ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : after_ms;
}
