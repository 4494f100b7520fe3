/* A record of a retry or dead-letter topic as people see it. */
#include "cli/letter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void take_text(struct orderly_record *record, const char *name, char *ret, size_t size)
{
    struct orderly_bytes value = orderly_record_header_named(record, name);
    if (value.data && !*ret) {
        snprintf(ret, size, "%.*s", (int)(value.size < size ? value.size : size - 1), (const char *)value.data);
    }
}

/* Decimal text; false when there is none. */
static bool take_number(struct orderly_record *record, const char *name, int64_t *ret)
{
    char text[32] = "", *end = NULL;
    take_text(record, name, text, sizeof text);
    long long number = strtoll(text, &end, 10);
    if (!*text || *end) {
        return false;
    }
    *ret = number;
    return true;
}

/* Spring writes numbers as big-endian bytes. */
static bool take_binary(struct orderly_record *record, const char *name, size_t size, int64_t *ret)
{
    struct orderly_bytes value = orderly_record_header_named(record, name);
    uint64_t number = 0;
    if (!value.data || value.size != size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        number = number << 8 | ((const unsigned char *)value.data)[i];
    }
    *ret = (int64_t)number;
    return true;
}

static bool parse_time(const char *text, int64_t *ret_ms)
{
    struct tm parts = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    double fraction = 0;
    char *end = NULL;
    long hours = 0, minutes = 0;
    if (!rest) {
        return false;
    }
    if (*rest == '.') {
        fraction = strtod(rest, &end);
        rest = end;
    }
    if (*rest == '+' || *rest == '-') {
        if (sscanf(rest + 1, "%2ld:%2ld", &hours, &minutes) != 2) {
            return false;
        }
        hours = *rest == '-' ? -hours : hours;
        minutes = *rest == '-' ? -minutes : minutes;
    } else if (strcmp(rest, "Z") != 0 && *rest) {
        return false;
    }
    *ret_ms = ((int64_t)timegm(&parts) - hours * 3600 - minutes * 60) * 1000 + (int64_t)(fraction * 1000);
    return true;
}

static void read_origin(struct od_letter *letter, struct orderly_record *record)
{
    int64_t partition = 0;
    char time[48] = "";
    take_text(record, "orderly-origin-topic", letter->origin_topic, sizeof letter->origin_topic);
    if (*letter->origin_topic) {
        take_number(record, "orderly-origin-partition", &partition);
        take_number(record, "orderly-origin-offset", &letter->origin_offset);
        take_text(record, "orderly-origin-timestamp", time, sizeof time);
        parse_time(time, &letter->origin_ms);
    } else if (take_text(record, "__dlq.errors.topic", letter->origin_topic, sizeof letter->origin_topic),
               *letter->origin_topic) {
        take_number(record, "__dlq.errors.partition", &partition);
        take_number(record, "__dlq.errors.offset", &letter->origin_offset);
    } else if (take_text(record, "kafka_dlt-original-topic", letter->origin_topic, sizeof letter->origin_topic),
               *letter->origin_topic) {
        take_binary(record, "kafka_dlt-original-partition", 4, &partition);
        take_binary(record, "kafka_dlt-original-offset", 8, &letter->origin_offset);
        take_binary(record, "kafka_dlt-original-timestamp", 8, &letter->origin_ms);
    }
    letter->origin_partition = (int32_t)partition;
}

void od_letter_read(struct od_letter *ret, struct orderly_record *record)
{
    static const char *const classes[] = {"orderly-error-class", "__dlq.errors.exception.class.name",
                                          "kafka_dlt-exception-fqcn"};
    static const char *const errors[] = {"orderly-error", "__dlq.errors.exception.message",
                                         "kafka_dlt-exception-message"};
    *ret = (struct od_letter){.record = record,
                              .topic = orderly_record_topic(record),
                              .partition = orderly_record_partition(record),
                              .offset = orderly_record_offset(record),
                              .at_ms = orderly_record_timestamp_ms(record),
                              .due_ms = orderly_record_due_ms(record),
                              .origin_partition = -1,
                              .origin_offset = -1,
                              .origin_ms = -1};
    for (size_t i = 0; i < 3; i++) {
        take_text(record, classes[i], ret->class_name, sizeof ret->class_name);
        take_text(record, errors[i], ret->error, sizeof ret->error);
    }
    take_number(record, "orderly-attempt", &ret->attempts);
    take_number(record, "orderly-replays", &ret->replays);
    read_origin(ret, record);
}

bool od_letter_is_ours(const char *header)
{
    return !strncmp(header, "orderly-", 8) || !strncmp(header, "__dlq.errors.", 13) ||
           !strncmp(header, "kafka_dlt-", 10);
}

/* ---- Conditions ------------------------------------------------------------------------------------------- */

static bool parse_offsets(const char *text, struct od_where *where)
{
    long partition = 0;
    long long first = 0, last = 0;
    int used = 0;
    if (sscanf(text, "%ld:%lld-%lld%n", &partition, &first, &last, &used) != 3) {
        if (sscanf(text, "%ld:%lld%n", &partition, &first, &used) != 2) {
            return false;
        }
        last = first;
    }
    if (text[used] || partition < 0 || first < 0 || last < first) {
        return false;
    }
    where->has_offsets = true;
    where->partition = (int32_t)partition;
    where->first = first;
    where->last = last;
    return true;
}

static bool parse_one(const struct od_args *args, char *text, struct od_where *where)
{
    char *equals = strchr(text, '=');
    const char *value = equals ? equals + 1 : "";
    if (equals) {
        *equals = '\0';
    }
    bool good = equals != NULL;
    if (!strcmp(text, "class")) {
        snprintf(where->class_name, sizeof where->class_name, "%s", value);
        where->has_class = true;
    } else if (!strcmp(text, "key")) {
        snprintf(where->key, sizeof where->key, "%s", value);
        where->has_key = true;
    } else if (!strcmp(text, "after")) {
        good &= parse_time(value, &where->after_ms);
    } else if (!strcmp(text, "before")) {
        good &= parse_time(value, &where->before_ms);
    } else if (!strcmp(text, "offset")) {
        good &= parse_offsets(value, where);
    } else {
        od_talk_failure(args, OD_EXIT_USAGE, "--where %s: class, key, after, before or offset is wanted", text);
        return false;
    }
    if (!good) {
        od_talk_failure(args, OD_EXIT_USAGE,
                        "--where %s=%s: class=WORD, key=TEXT, after=TIME, before=TIME (2026-11-30T08:00:00Z) or "
                        "offset=PARTITION:FIRST-LAST is wanted",
                        text, value);
    }
    return good;
}

bool od_where_parse(const struct od_args *args, struct od_where *ret)
{
    bool good = true;
    *ret = (struct od_where){.after_ms = INT64_MIN, .before_ms = INT64_MAX};
    for (size_t i = 0; i < args->count && good; i++) {
        if (strcmp(args->items[i].option->name, "where") != 0) {
            continue;
        }
        char *copy = strdup(args->items[i].value), *save = NULL;
        for (char *part = copy ? strtok_r(copy, ",", &save) : NULL; part && good; part = strtok_r(NULL, ",", &save)) {
            good = parse_one(args, part, ret);
        }
        free(copy);
    }
    return good;
}

bool od_where_matches(const struct od_where *where, const struct od_letter *letter)
{
    struct orderly_bytes key = orderly_record_key(letter->record);
    if (where->has_class && strcmp(where->class_name, letter->class_name) != 0) {
        return false;
    }
    if (where->has_key &&
        (!key.data || key.size != strlen(where->key) || memcmp(key.data, where->key, key.size) != 0)) {
        return false;
    }
    if (where->has_offsets &&
        (letter->partition != where->partition || letter->offset < where->first || letter->offset > where->last)) {
        return false;
    }
    return letter->at_ms >= where->after_ms && letter->at_ms < where->before_ms;
}

/* ---- Printing ---------------------------------------------------------------------------------------------- */

static char *base64(struct orderly_bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = bytes.data;
    char *text = malloc((bytes.size + 2) / 3 * 4 + 1), *at = text;
    for (size_t i = 0; text && from && i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group =
            (uint32_t)from[i] << 16 | (left > 1 ? (uint32_t)from[i + 1] << 8 : 0) | (left > 2 ? from[i + 2] : 0);
        *at++ = digits[group >> 18];
        *at++ = digits[group >> 12 & 63];
        *at++ = left > 1 ? digits[group >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[group & 63] : '=';
    }
    if (text) {
        *at = '\0';
    }
    return text;
}

/* NAME: text, or NAME_base64 where it is not UTF-8, or null. */
static void set_bytes(json_t *object, const char *name, struct orderly_bytes bytes)
{
    char other[64];
    json_t *text = bytes.data ? json_stringn(bytes.data, bytes.size) : json_null();
    if (text) {
        json_object_set_new(object, name, text);
        return;
    }
    char *encoded = base64(bytes);
    snprintf(other, sizeof other, "%s_base64", name);
    json_object_set_new(object, other, json_string(encoded));
    free(encoded);
}

static json_t *headers_json(struct orderly_record *record)
{
    json_t *list = json_array();
    size_t count = orderly_record_header_count(record);
    for (size_t i = 0; i < count; i++) {
        struct orderly_header header = orderly_record_header(record, i);
        json_t *entry = json_object();
        json_object_set_new(entry, "name", json_string(header.name));
        set_bytes(entry, "value", header.value);
        json_array_append_new(list, entry);
    }
    return list;
}

static void set_time(json_t *object, const char *name, int64_t ms)
{
    char text[32];
    if (ms > 0) {
        od_format_time(ms, text);
        json_object_set_new(object, name, json_string(text));
    }
}

json_t *od_letter_json(const struct od_letter *letter, bool with_value)
{
    json_t *object = json_pack("{s:s, s:i, s:I}", "topic", letter->topic, "partition", (int)letter->partition, "offset",
                               (json_int_t)letter->offset);
    set_bytes(object, "key", orderly_record_key(letter->record));
    json_object_set_new(object, "class", json_string(letter->class_name));
    set_bytes(object, "error", (struct orderly_bytes){letter->error, strlen(letter->error)});
    json_object_set_new(object, "attempts", json_integer(letter->attempts));
    json_object_set_new(object, "replays", json_integer(letter->replays));
    set_time(object, "at", letter->at_ms);
    set_time(object, "due", letter->due_ms);
    if (*letter->origin_topic) {
        json_t *origin = json_pack("{s:s, s:i, s:I}", "topic", letter->origin_topic, "partition",
                                   (int)letter->origin_partition, "offset", (json_int_t)letter->origin_offset);
        set_time(origin, "timestamp", letter->origin_ms);
        json_object_set_new(object, "origin", origin);
    }
    if (with_value) {
        json_object_set_new(object, "headers", headers_json(letter->record));
        set_bytes(object, "value", orderly_record_value(letter->record));
    }
    return object;
}

void od_letter_text(struct orderly_bytes bytes, char *ret, size_t size)
{
    const unsigned char *from = bytes.data;
    size_t used = 0;
    if (!from) {
        snprintf(ret, size, "(null)");
        return;
    }
    for (size_t i = 0; i < bytes.size && used + 1 < size; i++) {
        ret[used++] = from[i] >= ' ' && from[i] < 0x7f ? (char)from[i] : '.';
    }
    ret[used] = '\0';
}

void od_letter_show(FILE *out, const struct od_letter *letter)
{
    char text[1200], time[32];
    struct orderly_bytes value = orderly_record_value(letter->record);
    od_format_time(letter->at_ms, time);
    fprintf(out, "%s/%d/%" PRId64 ", written %s\n", letter->topic, (int)letter->partition, letter->offset, time);
    if (*letter->origin_topic) {
        fprintf(out, "origin     %s/%d/%" PRId64 "\n", letter->origin_topic, (int)letter->origin_partition,
                letter->origin_offset);
    }
    od_letter_text(orderly_record_key(letter->record), text, sizeof text);
    fprintf(out, "key        %s\nattempts   %" PRId64 "\nreplays    %" PRId64 "\n", text, letter->attempts,
            letter->replays);
    fprintf(out, "class      %s\nerror      %s\nheaders\n", letter->class_name, letter->error);
    for (size_t i = 0; i < orderly_record_header_count(letter->record); i++) {
        struct orderly_header header = orderly_record_header(letter->record, i);
        od_letter_text(header.value, text, sizeof text);
        fprintf(out, "  %s: %s\n", header.name, text);
    }
    fprintf(out, "value      %zu bytes%s\n", value.size, value.data ? "" : ", null");
    if (value.data) {
        fwrite(value.data, 1, value.size, out);
        fputc('\n', out);
    }
}
