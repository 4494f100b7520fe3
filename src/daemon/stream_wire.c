/* The lines between a stream handler and its processes: see stream_wire.h. */
#include "daemon/stream_wire.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "daemon/headers.h"

static const int64_t EXTEND_MAX = INT64_C(366) * 24 * 3600 * 1000;

/* ---- What we say -------------------------------------------------------------------------------------- */

void od_stream_hello(struct od_bytes *out, const char *group, int64_t max_in_flight, int64_t grace_ms)
{
    od_bytes_text(out, "{\"orderly\":1,\"hello\":{\"group\":");
    od_bytes_json_text(out, group);
    od_bytes_format(out, ",\"max_in_flight\":%" PRId64 ",\"codecs\":[\"utf8\",\"base64\"],\"grace_ms\":%" PRId64 "}}\n",
                    max_in_flight, grace_ms);
}

/* ,"NAME":text or null, or ,"NAME_base64":text. */
static void add_value(struct od_bytes *out, const char *name, struct orderly_bytes bytes, bool base64)
{
    if (bytes.data == NULL) {
        od_bytes_format(out, ",\"%s\":null", name);
    } else if (base64 || !od_bytes_is_utf8(bytes.data, bytes.size)) {
        od_bytes_format(out, ",\"%s_base64\":\"", name);
        od_bytes_base64(out, bytes.data, bytes.size);
        od_bytes_byte(out, '"');
    } else {
        od_bytes_format(out, ",\"%s\":", name);
        od_bytes_json(out, bytes.data, bytes.size);
    }
}

static void add_time(struct od_bytes *out, const char *name, int64_t unix_ms)
{
    od_bytes_format(out, ",\"%s\":\"", name);
    od_bytes_time(out, unix_ms);
    od_bytes_byte(out, '"');
}

static void add_headers(struct od_bytes *out, struct orderly_record *record, size_t count)
{
    od_bytes_text(out, ",\"headers\":");
    od_headers_json(out, record, count);
}

void od_stream_delivery(struct od_bytes *out, uint64_t id, struct orderly_record *record, int64_t deadline_ms,
                        bool base64)
{
    struct orderly_record_view view = ORDERLY_RECORD_VIEW_INIT;

    if (orderly_record_view(record, &view) != ORDERLY_OK) {
        out->failed = true;
        return;
    }
    od_bytes_format(out, "{\"id\":\"%" PRIx64 "\",\"topic\":", id);
    od_bytes_json_text(out, view.origin_topic);
    od_bytes_format(out, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64, view.origin_partition, view.origin_offset);
    add_value(out, "key", view.key, base64);
    if (view.origin_timestamp_ms >= 0) {
        add_time(out, "timestamp", view.origin_timestamp_ms);
    }
    od_bytes_format(out, ",\"attempt\":%" PRIu32, view.attempt);
    if (deadline_ms > 0) {
        add_time(out, "deadline", deadline_ms);
    }
    od_bytes_text(out, ",\"idempotency_key\":");
    od_bytes_json_text(out, view.idempotency_key);
    od_bytes_format(out, ",\"fence\":%" PRIu64 ",\"read_from\":", view.fence);
    {
        struct od_bytes place = {0};

        od_bytes_format(&place, "%s/%" PRId32 "/%" PRId64, view.topic, view.partition, view.offset);
        od_bytes_json(out, place.data, place.size);
        out->failed = out->failed || place.failed;
        od_bytes_fini(&place);
    }
    add_headers(out, record, view.header_count);
    add_value(out, "value", view.value, base64);
    od_bytes_text(out, "}\n");
}

void od_stream_cancel(struct od_bytes *out, uint64_t id, const char *reason)
{
    od_bytes_format(out, "{\"id\":\"%" PRIx64 "\",\"cancel\":\"%s\"}\n", id, reason);
}

void od_stream_quiet(struct od_bytes *out)
{
    od_bytes_text(out, "{\"quiet\":true}\n");
}

void od_stream_terminate(struct od_bytes *out, int64_t grace_ms)
{
    od_bytes_format(out, "{\"terminate\":{\"grace_ms\":%" PRId64 "}}\n", grace_ms);
}

void od_stream_ping(struct od_bytes *out, int64_t number)
{
    od_bytes_format(out, "{\"ping\":%" PRId64 "}\n", number);
}

/* ---- What they say ------------------------------------------------------------------------------------ */

static void bad(struct od_stream_said *said, const char *problem)
{
    said->kind = OD_STREAM_BAD;
    snprintf(said->problem, sizeof said->problem, "%s", problem);
}

static void parse_hello(struct od_stream_said *said, const json_t *hello)
{
    const json_t *name = json_object_get(hello, "name"), *most = json_object_get(hello, "max_in_flight");
    const json_t *codec = json_object_get(hello, "codec");

    said->kind = OD_STREAM_HELLO;
    if (!json_is_object(hello) || (name != NULL && !json_is_string(name)) ||
        (most != NULL && (!json_is_integer(most) || json_integer_value(most) < 1))) {
        bad(said, "\"hello\" is not {\"name\": text, \"max_in_flight\": number, \"codec\": text}");
        return;
    }
    if (codec != NULL) {
        const char *word = json_is_string(codec) ? json_string_value(codec) : "";

        said->base64 = strcmp(word, "base64") == 0;
        if (!said->base64 && strcmp(word, "utf8") != 0) {
            bad(said, "\"codec\" is neither utf8 nor base64");
            return;
        }
    }
    said->max_in_flight = most != NULL ? json_integer_value(most) : 0;
    snprintf(said->name, sizeof said->name, "%s", name != NULL ? json_string_value(name) : "");
}

static void parse_extend(struct od_stream_said *said, const json_t *object)
{
    const json_t *extend = json_object_get(object, "extend_ms"), *note = json_object_get(object, "note");
    double extend_ms = json_is_number(extend) ? json_number_value(extend) : -1;

    said->kind = OD_STREAM_EXTEND;
    if (extend != NULL && !(extend_ms >= 0)) {
        bad(said, "\"extend_ms\" is not a number of milliseconds");
        return;
    }
    said->extend_ms = extend == NULL ? -1 : extend_ms > (double)EXTEND_MAX ? EXTEND_MAX : (int64_t)extend_ms;
    if (json_is_string(note)) {
        snprintf(said->note, sizeof said->note, "%s", json_string_value(note));
    }
}

static void parse_about(struct od_stream_said *said, const json_t *object, const json_t *id)
{
    if (!json_is_string(id)) {
        bad(said, "\"id\" is not a string");
        return;
    }
    snprintf(said->id, sizeof said->id, "%s", json_string_value(id));
    if (json_object_get(object, "outcome") != NULL) {
        said->kind = OD_STREAM_ANSWER;
        if (!od_answer_read(&said->answer, object, said->problem, sizeof said->problem)) {
            said->kind = OD_STREAM_BAD;
        }
    } else if (json_object_get(object, "extend_ms") != NULL || json_object_get(object, "progress") != NULL ||
               json_object_get(object, "note") != NULL) {
        parse_extend(said, object);
    } else {
        bad(said, "it has an id, but neither outcome nor extend_ms, progress or note");
    }
}

void od_stream_parse(struct od_stream_said *ret, const char *line, size_t size)
{
    json_error_t error;
    json_t *object = json_loadb(line, size, JSON_ALLOW_NUL, &error);
    const json_t *id = json_object_get(object, "id"), *hello = json_object_get(object, "hello");
    const json_t *pong = json_object_get(object, "pong");

    *ret = (struct od_stream_said){.kind = OD_STREAM_BAD, .extend_ms = -1, .answer = OD_ANSWER_INIT};
    if (object == NULL) {
        snprintf(ret->problem, sizeof ret->problem, "not JSON: %.200s", error.text);
    } else if (id != NULL) {
        parse_about(ret, object, id);
    } else if (hello != NULL) {
        parse_hello(ret, hello);
    } else if (json_is_true(json_object_get(object, "bye"))) {
        ret->kind = OD_STREAM_BYE;
    } else if (json_is_integer(pong)) {
        ret->kind = OD_STREAM_PONG;
        ret->number = json_integer_value(pong);
    } else {
        bad(ret, "it is none of id, hello, bye, pong");
    }
    json_decref(object);
}
