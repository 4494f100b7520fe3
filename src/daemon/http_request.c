/* One request of an http handler: see http_request.h. */
#include "daemon/http_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/bytes.h"

static const int64_t CONNECT_MS = 10000;

/* ---- The target --------------------------------------------------------------------------------------- */

static enum orderly_err refuse(struct orderly_error *error)
{
    error->code = ORDERLY_CONFIG;
    snprintf(error->text, sizeof error->text,
             "handler.http.url is none: it begins with http:// or https://, or is unix:/path.sock:/path");
    return ORDERLY_CONFIG;
}

static bool is_http(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL;
    bool is = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0);

    curl_free(scheme);
    curl_url_cleanup(parts);
    return is;
}

enum orderly_err od_http_url_check(const char *url, struct orderly_error *error)
{
    return (strncmp(url, "unix:", 5) == 0 ? url[5] == '/' : is_http(url)) ? ORDERLY_OK : refuse(error);
}

/* unix:/path.sock:/path: the last colon before a slash divides it. */
static void split_unix(struct od_http_target *target, const char *rest)
{
    const char *path = NULL;

    for (const char *at = rest; *at != '\0'; at++) {
        if (at[0] == ':' && at[1] == '/') {
            path = at;
        }
    }
    target->socket = path != NULL ? strndup(rest, (size_t)(path - rest)) : strdup(rest);
    if (asprintf(&target->url, "http://localhost%s", path != NULL ? path + 1 : "/") < 0 || target->socket == NULL) {
        free(target->url);
        target->url = NULL;
    }
}

enum orderly_err od_http_target_init(struct od_http_target *target, const struct od_handler_options *options,
                                     struct orderly_error *error)
{
    enum orderly_err err;

    *target = (struct od_http_target){.options = options};
    err = od_http_rules_init(&target->rules, &options->status, error);
    if (err == ORDERLY_OK) {
        err = od_http_url_check(options->url, error);
    }
    if (err != ORDERLY_OK) {
        return err;
    }
    if (strncmp(options->url, "unix:", 5) == 0) {
        split_unix(target, options->url + 5);
    } else {
        target->url = strdup(options->url);
    }
    if (target->url == NULL) {
        od_http_target_fini(target);
        return ORDERLY_NOMEM;
    }
    return ORDERLY_OK;
}

void od_http_target_fini(struct od_http_target *target)
{
    free(target->url);
    free(target->socket);
    target->url = NULL;
    target->socket = NULL;
}

/* ---- What is sent ------------------------------------------------------------------------------------- */

/* A header value as RFC 9110 allows it: no control characters; UTF-8 so that it can be read. */
static bool is_field_value(struct orderly_bytes value)
{
    const unsigned char *in = value.data;

    for (size_t i = 0; i < value.size; i++) {
        if ((in[i] < 0x20 && in[i] != '\t') || in[i] == 0x7F) {
            return false;
        }
    }
    return value.data != NULL && od_bytes_is_utf8(value.data, value.size);
}

static bool is_token(const char *name)
{
    return name[0] != '\0' && name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* Appends `line`, and empties it. False when out of memory. */
static bool push(struct od_http_request *request, struct od_bytes *line)
{
    const char *text = od_bytes_end(line);
    struct curl_slist *list = text != NULL ? curl_slist_append(request->headers, text) : NULL;

    if (list == NULL) {
        return false;
    }
    request->headers = list;
    od_bytes_clear(line);
    return true;
}

static bool push_content_type(struct od_http_request *request, struct od_bytes *line, size_t count)
{
    od_bytes_text(line, "Content-Type: ");
    for (size_t i = count; i > 0; i--) {
        struct orderly_header header = orderly_record_header(request->record, i - 1);

        if (strcasecmp(header.name, "content-type") == 0 && header.value.size > 0 && header.value.size < 256 &&
            is_field_value(header.value)) {
            od_bytes_add(line, header.value.data, header.value.size);
            return push(request, line);
        }
    }
    od_bytes_text(line, "application/octet-stream");
    return push(request, line);
}

static bool push_place(struct od_http_request *request, struct od_bytes *line, const struct orderly_record_view *view,
                       int64_t deadline_ms)
{
    bool ok;

    od_bytes_format(line, "Orderly-Topic: %s", view->origin_topic);
    ok = push(request, line);
    od_bytes_format(line, "Orderly-Partition: %" PRId32, view->origin_partition);
    ok = ok && push(request, line);
    od_bytes_format(line, "Orderly-Offset: %" PRId64, view->origin_offset);
    ok = ok && push(request, line);
    if (view->origin_timestamp_ms >= 0) {
        od_bytes_text(line, "Orderly-Timestamp: ");
        od_bytes_time(line, view->origin_timestamp_ms);
        ok = ok && push(request, line);
    }
    od_bytes_format(line, "Orderly-Attempt: %" PRIu32, view->attempt);
    ok = ok && push(request, line);
    if (deadline_ms > 0) {
        od_bytes_text(line, "Orderly-Deadline: ");
        od_bytes_time(line, deadline_ms);
        ok = ok && push(request, line);
    }
    od_bytes_format(line, "Orderly-Fence: %" PRIu64, view->fence);
    ok = ok && push(request, line);
    od_bytes_format(line, "Orderly-Read-From: %s/%" PRId32 "/%" PRId64, view->topic, view->partition, view->offset);
    ok = ok && push(request, line);
    od_bytes_format(line, "Idempotency-Key: %s", view->idempotency_key);
    return ok && push(request, line);
}

static bool push_key(struct od_http_request *request, struct od_bytes *line, struct orderly_bytes key)
{
    if (key.data == NULL) {
        return true;
    }
    if (key.size > OD_HTTP_SENT_MAX / 4) {
        od_bytes_text(line, "Orderly-Omitted: key");
    } else if (od_bytes_is_utf8(key.data, key.size)) {
        od_bytes_text(line, "Orderly-Key: ");
        od_bytes_percent(line, key.data, key.size);
    } else {
        od_bytes_text(line, "Orderly-Key-Base64: ");
        od_bytes_base64(line, key.data, key.size);
    }
    if (key.size == 0) { /* curl sends a header without a value only when it is written so */
        od_bytes_clear(line);
        od_bytes_text(line, "Orderly-Key;");
    }
    return push(request, line);
}

static bool is_allowed(const struct od_words *allowed, const char *name)
{
    for (size_t i = 0; i < allowed->count; i++) {
        if (strcmp(allowed->items[i], "*") == 0 || strcasecmp(allowed->items[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool push_headers(struct od_http_request *request, struct od_bytes *line, const struct od_words *allowed,
                         size_t count)
{
    struct orderly_bytes trace = orderly_record_header_named(request->record, "traceparent");
    size_t sent = 0;

    if (trace.size > 0 && trace.size < 512 && is_field_value(trace)) {
        od_bytes_format(line, "traceparent: %.*s", (int)trace.size, (const char *)trace.data);
        if (!push(request, line)) {
            return false;
        }
    }
    for (size_t i = 0; i < count && allowed->count > 0; i++) {
        struct orderly_header header = orderly_record_header(request->record, i);

        if (!is_allowed(allowed, header.name) || !is_token(header.name) || !is_field_value(header.value)) {
            continue; /* it cannot be written into a request, and must not break out of one */
        }
        sent += strlen(header.name) + header.value.size;
        if (sent > OD_HTTP_SENT_MAX) {
            od_bytes_text(line, "Orderly-Omitted: headers");
            return push(request, line);
        }
        od_bytes_format(line, "Orderly-Header-%s%s", header.name, header.value.size > 0 ? ": " : ";");
        od_bytes_add(line, header.value.data, header.value.size);
        if (!push(request, line)) {
            return false;
        }
    }
    return true;
}

static bool make_headers(const struct od_http_target *target, struct od_http_request *request)
{
    struct orderly_record_view view = ORDERLY_RECORD_VIEW_INIT;
    int64_t timeout_ms = target->options->timeout_ms;
    struct od_bytes line = {0};
    bool ok;

    if (orderly_record_view(request->record, &view) != ORDERLY_OK) {
        return false;
    }
    ok = push_content_type(request, &line, view.header_count) &&
         push_place(request, &line, &view, timeout_ms > 0 ? od_clock_wall_ms() + timeout_ms : 0) &&
         push_key(request, &line, view.key) &&
         push_headers(request, &line, &target->options->headers, view.header_count);
    od_bytes_text(&line, "Expect:"); /* no waiting for 100 Continue */
    ok = ok && push(request, &line);
    od_bytes_text(&line, "Accept:");
    ok = ok && push(request, &line);
    od_bytes_fini(&line);
    return ok;
}

/* ---- What is read ------------------------------------------------------------------------------------- */

/* The value of a header line when it is this one; NULL otherwise. */
static const char *value_of(const char *line, size_t size, const char *name, char *buffer, size_t buffer_size)
{
    size_t name_size = strlen(name), from = name_size + 1;

    if (size <= name_size || strncasecmp(line, name, name_size) != 0 || line[name_size] != ':') {
        return NULL;
    }
    while (from < size && (line[from] == ' ' || line[from] == '\t')) {
        from++;
    }
    while (size > from && (unsigned char)line[size - 1] <= ' ') {
        size--;
    }
    snprintf(buffer, buffer_size, "%.*s", (int)(size - from), line + from);
    return buffer;
}

static size_t on_header(char *line, size_t one, size_t size, void *userdata)
{
    struct od_http_request *request = userdata;
    char value[128];

    (void)one;
    request->headers_read += size;
    if (request->headers_read > OD_HTTP_HEADERS_MAX) {
        request->too_many_headers = true;
        return 0;
    }
    if (size > 5 && strncmp(line, "HTTP/", 5) == 0) { /* a new answer, after a 100 or 103 */
        request->answer.outcome[0] = '\0';
        request->answer.retry_after_ms = -1;
    } else if (value_of(line, size, "Orderly-Outcome", value, sizeof value) != NULL) {
        snprintf(request->answer.outcome, sizeof request->answer.outcome, "%.31s", value);
    } else if (value_of(line, size, "Retry-After", value, sizeof value) != NULL) {
        request->answer.retry_after_ms = od_http_retry_after(value, od_clock_wall_ms());
    }
    return size;
}

static size_t on_body(char *data, size_t one, size_t size, void *userdata)
{
    struct od_http_request *request = userdata;
    size_t room = sizeof request->body - request->body_size;
    size_t kept = size < room ? size : room;

    (void)one;
    memcpy(request->body + request->body_size, data, kept);
    request->body_size += kept;
    request->body_read += size;
    if (request->body_read > (size_t)request->max_answer) {
        request->cut = true; /* the status is known: nobody needs the rest */
        return 0;
    }
    return size;
}

/* ---- One request -------------------------------------------------------------------------------------- */

static bool set_options(const struct od_http_target *target, struct od_http_request *request)
{
    struct orderly_bytes value = orderly_record_value(request->record);
    int64_t timeout_ms = target->options->timeout_ms;
    int64_t connect_ms = timeout_ms > 0 && timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS;
    CURL *easy = request->easy;
    CURLcode bad = CURLE_OK;

#define SET(option, argument) bad = bad != CURLE_OK ? bad : curl_easy_setopt(easy, option, argument)
    SET(CURLOPT_URL, target->url);
    if (target->socket != NULL) {
        SET(CURLOPT_UNIX_SOCKET_PATH, target->socket);
    }
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROXY, "*");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    SET(CURLOPT_USERAGENT, "orderly/" ORDERLY_VERSION);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)value.size);
    SET(CURLOPT_POSTFIELDS, value.data != NULL ? (const char *)value.data : "");
    SET(CURLOPT_HTTPHEADER, request->headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, request);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, request);
    SET(CURLOPT_ERRORBUFFER, request->error);
    SET(CURLOPT_PRIVATE, request);
#undef SET
    return bad == CURLE_OK;
}

struct od_http_request *od_http_request_new(const struct od_http_target *target, struct orderly_record *record)
{
    struct od_http_request *request = calloc(1, sizeof *request);

    if (request == NULL) {
        return NULL;
    }
    request->record = record;
    request->max_answer = target->options->max_answer;
    request->answer.retry_after_ms = -1;
    request->cancel_fd = -1;
    request->close_ms = INT64_MAX;
    request->recheck_ms = INT64_MAX;
    request->easy = curl_easy_init();
    if (request->easy == NULL || !make_headers(target, request) || !set_options(target, request)) {
        od_http_request_free(request);
        return NULL;
    }
    return request;
}

void od_http_request_free(struct od_http_request *request)
{
    if (request == NULL) {
        return;
    }
    curl_easy_cleanup(request->easy);
    curl_slist_free_all(request->headers);
    free(request);
}

/* ---- How it ended ------------------------------------------------------------------------------------- */

/* A word for what went wrong before or after the request was on its way. */
static const char *word_of(CURLcode code, bool sent)
{
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return sent ? "timeout" : "connect-timeout";
    }
    if (sent) {
        return "reset";
    }
    if (code == CURLE_COULDNT_RESOLVE_HOST) {
        return "dns";
    }
    return code == CURLE_COULDNT_CONNECT                          ? "refused"
           : code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR ? "reset"
                                                                  : "tls";
}

static void judge_failure(struct od_http_request *request, CURLcode code, struct od_verdict *ret)
{
    const char *text = request->error[0] != '\0' ? request->error : curl_easy_strerror(code);
    long sent = 0;

    *ret = (struct od_verdict)OD_VERDICT_INIT;
    curl_easy_getinfo(request->easy, CURLINFO_REQUEST_SIZE, &sent);
    ret->outcome = sent > 0 ? ORDERLY_RETRY : ORDERLY_HOLD;
    ret->blame = sent > 0 ? OD_BLAME_FAILURE : OD_BLAME_FAULT;
    snprintf(ret->error_class, sizeof ret->error_class, "%s", word_of(code, sent > 0));
    od_verdict_text(ret, ret->error_class, text, strlen(text));
}

/* What the policy would wait, without its jitter: a Retry-After that is shorter gives way to it. */
static int64_t policy_ms(const struct od_handler_options *options, struct orderly_record *record)
{
    struct orderly_record_view view = ORDERLY_RECORD_VIEW_INIT;
    double wait_ms = (double)options->backoff_first_ms;

    if (orderly_record_view(record, &view) != ORDERLY_OK) {
        return 0;
    }
    for (uint32_t i = 1; i < view.attempt && wait_ms < (double)options->backoff_max_ms; i++) {
        wait_ms *= (double)options->backoff_factor / 1000;
    }
    return wait_ms < (double)options->backoff_max_ms ? (int64_t)wait_ms : options->backoff_max_ms;
}

void od_http_request_judge(const struct od_http_target *target, struct od_http_request *request, CURLcode code,
                           struct od_verdict *ret)
{
    long status = 0;
    curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK && !(request->cut && status >= 200)) {
        judge_failure(request, code, ret);
        return;
    }
    request->answer.status = (int)status;
    request->answer.body = request->body;
    request->answer.body_size = request->body_size;
    od_http_judge(&target->rules, &request->answer, policy_ms(target->options, request->record), ret);
}
