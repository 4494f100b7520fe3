/*
 * A record of a retry or dead-letter topic as people see it: what its headers say, whoever wrote them (orderly, Kafka Connect,
 * Spring), which of them a condition picks, and how it is printed.
 */
#ifndef OD_CLI_LETTER_H
#define OD_CLI_LETTER_H

#include <jansson.h>

#include "cli/cli.h"
#include "orderly/orderly.h"

struct od_letter {
    struct orderly_record *record; /* borrowed */
    const char *topic;
    int32_t partition;
    int64_t offset, at_ms, due_ms; /* due 0: none */
    char class_name[128], error[1100];
    int64_t attempts, replays;
    char origin_topic[256]; /* "" not known */
    int32_t origin_partition;
    int64_t origin_offset, origin_ms;
};
void od_letter_read(struct od_letter *ret, struct orderly_record *);

/* Conditions of --where; all must hold. */
struct od_where {
    char class_name[128], key[256];
    bool has_class, has_key, has_offsets;
    int64_t after_ms, before_ms; /* of `at`; INT64_MIN, INT64_MAX: none */
    int32_t partition;
    int64_t first, last; /* offsets of that partition, both included */
};
/* All --where options together. False: said what is wrong. */
bool od_where_parse(const struct od_args *, struct od_where *ret);
bool od_where_matches(const struct od_where *, const struct od_letter *);

/* One JSON object, the caller's. `with_value`: headers and value too. */
json_t *od_letter_json(const struct od_letter *, bool with_value);
/* A text of bytes for a table: cut, and what cannot be shown as dots. */
void od_letter_text(struct orderly_bytes, char *ret, size_t size);
/* Everything of one record, for people; the value last. */
void od_letter_show(FILE *, const struct od_letter *);

/* Whether a header is written by orderly, or by the other sets that it knows. */
bool od_letter_is_ours(const char *header);

#endif
