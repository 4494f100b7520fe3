/* The admin listener of a daemon: see listener.h. */
#include "daemon/listener.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/address.h"
#include "daemon/bytes.h"
#include "daemon/log.h"
#include "daemon/metrics.h"
#include "daemon/page_data.h"
#include "daemon/status.h"
#include "daemon/token.h"

enum { IDLE_SECONDS = 15, MEMORY_PER_CONNECTION = 32 * 1024, HANDLERS = 64 };

struct od_listener {
    struct od_listener_options options;
    struct MHD_Daemon *mhd;
    char address[400];
    char *token_path;
    char token[OD_TOKEN_SIZE];
    atomic_bool leaving;
};

/* A request on its way to an answer. */
struct request {
    struct od_listener *listener;
    struct MHD_Connection *connection;
    const char *method, *path;
};

static struct od_status status_of(struct od_listener *listener)
{
    return (struct od_status){
        .orderly = listener->options.orderly,
        .sources = listener->options.sources,
        .config = listener->options.config,
        .group = listener->options.group,
        .started_ms = listener->options.started_ms,
        .leaving = atomic_load(&listener->leaving),
    };
}

/* ---- Answers ------------------------------------------------------------------------------------------ */

static enum MHD_Result answer(const struct request *request, unsigned code, const char *type, const void *data,
                              size_t size)
{
    struct MHD_Response *response;
    enum MHD_Result result;
    char *copy = malloc(size + 1);

    if (copy == NULL) {
        return MHD_NO;
    }
    memcpy(copy, data, size);
    response = MHD_create_response_from_buffer(size, copy, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(copy);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Frame-Options", "DENY");
    MHD_add_response_header(
        response, "Content-Security-Policy",
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        "img-src data:; frame-ancestors 'none'");
    if (code == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"orderly\"");
    }
    result = MHD_queue_response(request->connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(const struct request *request, unsigned code, const char *text)
{
    char line[700];
    int size = snprintf(line, sizeof line, "%s\n", text);

    return answer(request, code, "text/plain; charset=utf-8", line, (size_t)size);
}

static enum MHD_Result answer_result(const struct request *request, unsigned code, const char *error)
{
    struct od_bytes body = {0};
    enum MHD_Result result;

    if (error == NULL) {
        od_bytes_text(&body, "{\"ok\":true}\n");
    } else {
        od_bytes_text(&body, "{\"ok\":false,\"error\":");
        od_bytes_json_text(&body, error);
        od_bytes_text(&body, "}\n");
    }
    result = body.failed ? MHD_NO : answer(request, code, "application/json", body.data, body.size);
    od_bytes_fini(&body);
    return result;
}

/* ---- Looking ------------------------------------------------------------------------------------------ */

static enum MHD_Result get_page(const struct request *request)
{
    return answer(request, MHD_HTTP_OK, "text/html; charset=utf-8", PAGE, sizeof PAGE);
}

static enum MHD_Result get_metrics(const struct request *request)
{
    struct od_sources *sources = request->listener->options.sources;
    struct od_handler_state handlers[HANDLERS];
    struct orderly_stats *stats = NULL;
    struct od_bytes body = {0};
    enum MHD_Result result;
    size_t count = 0;

    if (orderly_stats(request->listener->options.orderly, &stats) != ORDERLY_OK) {
        return answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the member does not answer");
    }
    for (; count < sources->count && count < HANDLERS; count++) {
        struct od_handler *handler = sources->list[count].handler;

        handler->ops->state(handler, &handlers[count]);
    }
    od_metrics_text(&body, stats, handlers, count);
    orderly_stats_free(stats);
    result = body.failed
                 ? MHD_NO
                 : answer(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", body.data, body.size);
    od_bytes_fini(&body);
    return result;
}

static enum MHD_Result get_health(const struct request *request)
{
    struct orderly_member member = ORDERLY_MEMBER_INIT;

    if (orderly_member(request->listener->options.orderly, &member) != ORDERLY_OK) {
        return answer_text(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the member does not answer");
    }
    return answer_text(request, MHD_HTTP_OK, "ok");
}

static enum MHD_Result get_ready(const struct request *request)
{
    struct od_status status = status_of(request->listener);
    char why[512];
    bool ready = od_status_ready(&status, why, sizeof why);

    return answer_text(request, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

static enum MHD_Result get_status(const struct request *request)
{
    struct od_status status = status_of(request->listener);
    struct od_bytes body = {0};
    enum MHD_Result result;

    if (od_status_json(&status, &body)) {
        result = answer(request, MHD_HTTP_OK, "application/json", body.data, body.size);
    } else {
        result = answer_result(request, MHD_HTTP_SERVICE_UNAVAILABLE, "the member does not answer");
    }
    od_bytes_fini(&body);
    return result;
}

/* ---- Acting ------------------------------------------------------------------------------------------- */

static const char *header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* A page that a browser shows sends Origin (or Sec-Fetch-Site) with a POST: only our own address may. */
static bool is_foreign_page(const struct request *request)
{
    const char *origin = header(request, "Origin"), *host = header(request, "Host");
    const char *site = header(request, "Sec-Fetch-Site");

    if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0) {
        return true;
    }
    if (origin == NULL) {
        return false;
    }
    return host == NULL || strncmp(origin, "http://", 7) != 0 || strcmp(origin + 7, host) != 0;
}

static bool has_token(const struct request *request)
{
    const char *given = header(request, "Authorization");

    return given != NULL && strncmp(given, "Bearer ", 7) == 0 && od_token_equal(given + 7, request->listener->token);
}

/* ?topic=T&partition=P; no topic: all. False when it cannot be read. */
static bool read_target(const struct request *request, struct orderly_partition *ret, size_t *ret_count)
{
    const char *topic = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "topic");
    const char *partition = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, "partition");
    char *end = NULL;
    long number;

    *ret = (struct orderly_partition){topic, -1};
    *ret_count = topic != NULL;
    if (partition == NULL) {
        return true;
    }
    number = strtol(partition, &end, 10);
    ret->partition = (int32_t)number;
    return topic != NULL && end != partition && *end == '\0' && number >= 0 && number <= INT32_MAX;
}

static enum MHD_Result post_drain(const struct request *request)
{
    const struct od_listener_options *options = &request->listener->options;

    options->drain("POST /api/v1/drain", options->userdata);
    return answer_result(request, MHD_HTTP_ACCEPTED, NULL);
}

static enum MHD_Result post_pause_or_resume(const struct request *request, bool pausing)
{
    const struct od_listener_options *options = &request->listener->options;
    struct orderly_partition target;
    enum orderly_err err;
    size_t count;

    if (!read_target(request, &target, &count)) {
        return answer_result(request, MHD_HTTP_BAD_REQUEST, "partition is a number of 0 and above, and needs a topic");
    }
    if (pausing) {
        err = orderly_pause(options->orderly, &target, count, "admin");
    } else {
        od_sources_resume(options->sources);
        err = orderly_resume(options->orderly, &target, count, "admin");
    }
    od_say_info("admin", "%s%s%s: %s", pausing ? "pause" : "resume", count > 0 ? " of " : "",
                count > 0 ? target.topic : "", orderly_strerror(err));
    if (err == ORDERLY_STALE) {
        return answer_result(request, MHD_HTTP_CONFLICT,
                             "this member has no such partition; `orderly status` lists its own");
    }
    if (err != ORDERLY_OK) {
        return answer_result(request, MHD_HTTP_CONFLICT, orderly_strerror(err));
    }
    return answer_result(request, MHD_HTTP_OK, NULL);
}

static enum MHD_Result post_pause(const struct request *request)
{
    return post_pause_or_resume(request, true);
}

static enum MHD_Result post_resume(const struct request *request)
{
    return post_pause_or_resume(request, false);
}

/* ---- Requests ----------------------------------------------------------------------------------------- */

struct route {
    const char *method, *path;
    enum MHD_Result (*answer)(const struct request *);
};

static const struct route ROUTES[] = {
    {"GET", "/", get_page},
    {"GET", "/metrics", get_metrics},
    {"GET", "/healthz", get_health},
    {"GET", "/readyz", get_ready},
    {"GET", "/api/v1/status", get_status},
    {"POST", "/api/v1/drain", post_drain},
    {"POST", "/api/v1/pause", post_pause},
    {"POST", "/api/v1/resume", post_resume},
};

static enum MHD_Result route(const struct request *request)
{
    bool is_path = false;
    const char *method = strcmp(request->method, "HEAD") == 0 ? "GET" : request->method;

    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++) {
        if (strcmp(request->path, ROUTES[i].path) != 0) {
            continue;
        }
        is_path = true;
        if (strcmp(method, ROUTES[i].method) != 0) {
            continue;
        }
        if (strcmp(method, "POST") == 0 && is_foreign_page(request)) {
            return answer_result(request, MHD_HTTP_FORBIDDEN, "not from a page of another origin");
        }
        if (strcmp(method, "POST") == 0 && !has_token(request)) {
            return answer_result(request, MHD_HTTP_UNAUTHORIZED,
                                 "the token is missing or wrong: Authorization: Bearer TOKEN");
        }
        return ROUTES[i].answer(request);
    }
    return answer_text(request, is_path ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND,
                       is_path ? "not with this method" : "there is no such page");
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body, size_t *body_size,
                                  void **state)
{
    static int seen;
    const struct request request = {userdata, connection, method, path};

    (void)version;
    (void)body;
    if (*state == NULL) {
        *state = &seen; /* the headers are here; the answer comes when the body, which nobody reads, is too */
        return MHD_YES;
    }
    if (*body_size > 0) {
        *body_size = 0;
        return MHD_YES;
    }
    return route(&request);
}

/* ---- Life --------------------------------------------------------------------------------------------- */

static void free_listener(struct od_listener *listener)
{
    if (listener->token_path != NULL) {
        unlink(listener->token_path);
    }
    if (strncmp(listener->address, "unix:", 5) == 0) {
        unlink(listener->address + 5);
    }
    free(listener->token_path);
    free(listener);
}

static enum orderly_err open_listener(struct od_listener *listener, struct orderly_error *error)
{
    const struct od_listener_options *options = &listener->options;
    enum orderly_err err;
    int fd = -1;

    err = od_address_listen(options->listen, options->port_moves, &fd, listener->address, sizeof listener->address,
                            error);
    if (err != ORDERLY_OK) {
        listener->address[0] = '\0'; /* a socket file there is not ours */
        return err;
    }
    listener->token_path = od_token_path(listener->address);
    err = listener->token_path == NULL ? ORDERLY_NOMEM : od_token_create(listener->token_path, listener->token, error);
    if (err != ORDERLY_OK) {
        close(fd);
        return err;
    }
    listener->mhd = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, NULL, NULL, on_request,
                                     listener, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                     options->max_connections, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_END);
    if (listener->mhd == NULL) {
        close(fd);
        error->code = ORDERLY_LIMIT;
        snprintf(error->text, sizeof error->text, "the admin listener could not be started");
        return ORDERLY_LIMIT;
    }
    return ORDERLY_OK;
}

enum orderly_err od_listener_start(const struct od_listener_options *options, struct od_listener **ret,
                                   struct orderly_error *error)
{
    struct od_listener *listener = calloc(1, sizeof *listener);
    enum orderly_err err;

    if (listener == NULL) {
        return ORDERLY_NOMEM;
    }
    listener->options = *options;
    err = open_listener(listener, error);
    if (err != ORDERLY_OK) {
        free_listener(listener);
        return err;
    }
    if (strcmp(listener->address, options->listen) != 0) {
        od_say_info("admin", "%s is taken: this daemon listens at %s", options->listen, listener->address);
    }
    if (strncmp(listener->address, "unix:", 5) == 0) {
        od_say_info("admin", "listening at %s, token in %s", listener->address, listener->token_path);
    } else {
        od_say_info("admin", "status page at http://%s/, token in %s", listener->address, listener->token_path);
    }
    *ret = listener;
    return ORDERLY_OK;
}

void od_listener_stop(struct od_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    MHD_stop_daemon(listener->mhd);
    free_listener(listener);
}

void od_listener_leaving(struct od_listener *listener)
{
    if (listener != NULL) {
        atomic_store(&listener->leaving, true);
    }
}
