/* What a handler program says of a record: see answer.h. */
#include "daemon/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t AFTER_MS_MAX = INT64_C(366) * 24 * 3600 * 1000; /* the library clamps to retry.max_delay */

struct word {
    const char *text;
    enum orderly_outcome outcome;
};

static const struct word WORDS[] = {
    {"ack", ORDERLY_ACK},         {"retry", ORDERLY_RETRY}, {"dead-letter", ORDERLY_DEAD_LETTER},
    {"release", ORDERLY_RELEASE}, {"drop", ORDERLY_DROP},
};

enum orderly_outcome od_outcome_parse(const char *word)
{
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strcmp(word, WORDS[i].text) == 0) {
            return WORDS[i].outcome;
        }
    }
    return ORDERLY_UNSET;
}

const char *od_outcome_name(enum orderly_outcome outcome)
{
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (WORDS[i].outcome == outcome) {
            return WORDS[i].text;
        }
    }
    return outcome == ORDERLY_HOLD ? "hold" : outcome == ORDERLY_THROTTLE ? "throttle" : "unset";
}

void od_answer_fini(struct od_answer *answer)
{
    free(answer->message);
    *answer = (struct od_answer)OD_ANSWER_INIT;
}

static bool read_outcome(struct od_answer *answer, const json_t *value, char *problem, size_t size)
{
    if (value == NULL) {
        return true;
    }
    if (!json_is_string(value)) {
        snprintf(problem, size, "\"outcome\" is not a string");
        return false;
    }
    answer->outcome = od_outcome_parse(json_string_value(value));
    if (answer->outcome == ORDERLY_UNSET) {
        snprintf(problem, size, "unknown outcome \"%.40s\" (ack, retry, dead-letter, release, drop)",
                 json_string_value(value));
        return false;
    }
    return true;
}

static bool read_after(struct od_answer *answer, const json_t *value, char *problem, size_t size)
{
    double after;

    if (value == NULL || json_is_null(value)) {
        return true;
    }
    after = json_is_number(value) ? json_number_value(value) : -1;
    if (!(after >= 0)) {
        snprintf(problem, size, "\"after_ms\" is not a number of milliseconds");
        return false;
    }
    answer->after_ms = after > (double)AFTER_MS_MAX ? AFTER_MS_MAX : (int64_t)after;
    return true;
}

/* A class is a word of metrics and headers: what is not printable ASCII becomes an underscore. */
static void copy_class(char ret[64], const char *text)
{
    size_t i;

    for (i = 0; i < 63 && text[i] != '\0'; i++) {
        ret[i] = text[i] > ' ' && text[i] <= '~' && text[i] != '"' ? text[i] : '_';
    }
    ret[i] = '\0';
}

static bool read_error(struct od_answer *answer, const json_t *value, char *problem, size_t size)
{
    const json_t *class, *message;

    if (value == NULL || json_is_null(value)) {
        return true;
    }
    class = json_object_get(value, "class");
    message = json_object_get(value, "message");
    if (!json_is_object(value) || (class != NULL && !json_is_string(class)) ||
        (message != NULL && !json_is_string(message))) {
        snprintf(problem, size, "\"error\" is not {\"class\": text, \"message\": text}");
        return false;
    }
    if (class != NULL) {
        copy_class(answer->error_class, json_string_value(class));
    }
    if (message != NULL) {
        answer->message = strdup(json_string_value(message));
    }
    return true;
}

bool od_answer_read(struct od_answer *answer, const json_t *object, char *problem, size_t problem_size)
{
    if (!json_is_object(object)) {
        snprintf(problem, problem_size, "not a JSON object");
        return false;
    }
    return read_outcome(answer, json_object_get(object, "outcome"), problem, problem_size) &&
           read_after(answer, json_object_get(object, "after_ms"), problem, problem_size) &&
           read_error(answer, json_object_get(object, "error"), problem, problem_size);
}

bool od_answer_parse(struct od_answer *answer, const void *data, size_t size, char *problem, size_t problem_size)
{
    json_error_t error;
    json_t *object = json_loadb(data, size, 0, &error);
    bool ok;

    if (object == NULL) {
        snprintf(problem, problem_size, "not JSON: %s", error.text);
        return false;
    }
    ok = od_answer_read(answer, object, problem, problem_size);
    json_decref(object);
    return ok;
}
