/* src/daemon/listener.c with status, metrics, token and address, over real sockets. */
#include <curl/curl.h>
#include <jansson.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/bytes.h"
#include "daemon/fake_member.h"
#include "daemon/handler.h"
#include "daemon/listener.h"
#include "daemon/token.h"

struct fixture {
    char folder[64], listen[128], token[OD_TOKEN_SIZE], *token_path;
    struct od_listener *listener;
    struct od_listener_options options;
    struct od_source source;
    struct od_sources sources;
    int drains, handler_resumes;
    struct od_bytes body;
};

/* ---- A handler that only has a state ------------------------------------------------------------------ */

struct quiet_handler {
    struct od_handler base;
    enum od_breaker_state breaker;
    int resumes;
};

static void quiet_state(struct od_handler *handler, struct od_handler_state *ret)
{
    const struct quiet_handler *quiet = (const struct quiet_handler *)(const void *)handler;

    *ret = (struct od_handler_state){.name = "handler", .kind = "exec", .breaker = quiet->breaker, .running = 2};
    snprintf(ret->text, sizeof ret->text, "%s", quiet->breaker == OD_BREAKER_OPEN ? "exit-78" : "");
}

static void quiet_resume(struct od_handler *handler)
{
    ((struct quiet_handler *)(void *)handler)->resumes++;
}

static const struct od_handler_ops QUIET_OPS = {.kind = "exec", .state = quiet_state, .resume = quiet_resume};
static struct quiet_handler quiet;

/* ---- The fixture -------------------------------------------------------------------------------------- */

static void on_drain(const char *who, void *userdata)
{
    struct fixture *fixture = userdata;

    (void)who;
    fixture->drains++;
}

static void start(struct fixture *fixture)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;

    *fixture = (struct fixture){0};
    quiet = (struct quiet_handler){.base = {&QUIET_OPS}};
    fixture->source.handler = &quiet.base;
    fixture->sources = (struct od_sources){&fixture->source, 1};
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/orderly-admin-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->listen, sizeof fixture->listen, "unix:%s/admin.sock", fixture->folder);
    fixture->options = (struct od_listener_options){
        .listen = fixture->listen,
        .max_connections = 8,
        .orderly = fake_member_new(),
        .sources = &fixture->sources,
        .group = "billing",
        .started_ms = od_clock_wall_ms(),
        .drain = on_drain,
        .userdata = fixture,
    };
    assert_int_equal(od_listener_start(&fixture->options, &fixture->listener, &error), ORDERLY_OK);
    fixture->token_path = od_token_path(fixture->listen);
    assert_int_equal(od_token_read(fixture->token_path, fixture->token, &error), ORDERLY_OK);
}

static void end(struct fixture *fixture)
{
    od_listener_stop(fixture->listener);
    assert_int_not_equal(access(fixture->listen + 5, F_OK), 0);
    assert_int_not_equal(access(fixture->token_path, F_OK), 0);
    assert_int_equal(rmdir(fixture->folder), 0);
    od_bytes_fini(&fixture->body);
    free(fixture->token_path);
}

static size_t on_body(char *data, size_t one, size_t size, void *userdata)
{
    (void)one;
    od_bytes_add(userdata, data, size);
    return size;
}

/* Returns the status; the body is in the fixture. Headers may be NULL. */
static long ask(struct fixture *fixture, const char *method, const char *path, const char *header, const char *other)
{
    struct curl_slist *headers = NULL;
    CURL *easy = curl_easy_init();
    char url[256];
    long status = 0;

    assert_non_null(easy);
    snprintf(url, sizeof url, "http://localhost%s", path);
    headers = header != NULL ? curl_slist_append(headers, header) : headers;
    headers = other != NULL ? curl_slist_append(headers, other) : headers;
    od_bytes_clear(&fixture->body);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, fixture->listen + 5);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &fixture->body);
    assert_int_equal(curl_easy_perform(easy), CURLE_OK);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    curl_slist_free_all(headers);
    assert_non_null(od_bytes_end(&fixture->body));
    return status;
}

static long act(struct fixture *fixture, const char *path)
{
    char header[64];

    snprintf(header, sizeof header, "Authorization: Bearer %s", fixture->token);
    return ask(fixture, "POST", path, header, NULL);
}

/* ---- Looking ------------------------------------------------------------------------------------------ */

static int connection(const struct fixture *fixture)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", fixture->listen + 5);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void more_connections_than_allowed_wait(void **state)
{
    static const char request[] = "GET /healthz HTTP/1.0\r\n\r\n";
    enum { ALLOWED = 8 };
    struct fixture fixture;
    int fds[ALLOWED + 1];

    (void)state;
    start(&fixture);
    for (size_t i = 0; i <= ALLOWED; i++) {
        fds[i] = connection(&fixture); /* all but the last ask nothing */
    }
    assert_int_equal(write(fds[ALLOWED], request, sizeof request - 1), sizeof request - 1);
    struct pollfd answer = {.fd = fds[ALLOWED], .events = POLLIN};
    assert_int_equal(poll(&answer, 1, 200), 0);
    close(fds[0]);
    assert_int_equal(poll(&answer, 1, 20000), 1);
    char text[16] = "";
    assert_true(read(fds[ALLOWED], text, 12) == 12);
    assert_string_equal(text + 9, "200");
    for (size_t i = 1; i <= ALLOWED; i++) {
        close(fds[i]);
    }
    end(&fixture);
}

static void the_page_and_the_health_are_there(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture);
    assert_int_equal(ask(&fixture, "GET", "/", NULL, NULL), 200);
    assert_non_null(strstr(fixture.body.data, "<!doctype html>"));
    assert_null(strstr(fixture.body.data, "https://")); /* nothing from elsewhere */
    assert_int_equal(ask(&fixture, "GET", "/healthz", NULL, NULL), 200);
    assert_int_equal(ask(&fixture, "GET", "/nothing", NULL, NULL), 404);
    assert_int_equal(ask(&fixture, "DELETE", "/metrics", NULL, NULL), 405);
    assert_int_equal(ask(&fixture, "GET", "/api/v1/drain", NULL, NULL), 405);
    fake_member.silent = true;
    assert_int_equal(ask(&fixture, "GET", "/healthz", NULL, NULL), 503);
    assert_int_equal(ask(&fixture, "GET", "/metrics", NULL, NULL), 503);
    assert_int_equal(ask(&fixture, "GET", "/api/v1/status", NULL, NULL), 503);
    end(&fixture);
}

static void ready_means_that_records_are_handled(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture);
    assert_int_equal(ask(&fixture, "GET", "/readyz", NULL, NULL), 200);
    fake_member.state = "joining";
    assert_int_equal(ask(&fixture, "GET", "/readyz", NULL, NULL), 503);
    assert_string_equal(fixture.body.data, "joining\n");
    fake_member.state = "stable";
    quiet.breaker = OD_BREAKER_OPEN;
    assert_int_equal(ask(&fixture, "GET", "/readyz", NULL, NULL), 503);
    assert_non_null(strstr(fixture.body.data, "exit-78"));
    quiet.breaker = OD_BREAKER_CLOSED;
    od_listener_leaving(fixture.listener);
    assert_int_equal(ask(&fixture, "GET", "/readyz", NULL, NULL), 503);
    end(&fixture);
}

static void metrics_of_one_name_stand_together(void **state)
{
    struct fixture fixture;
    const char *text;

    (void)state;
    start(&fixture);
    assert_int_equal(ask(&fixture, "GET", "/metrics", NULL, NULL), 200);
    text = fixture.body.data;
    assert_non_null(strstr(text, "# TYPE orderly_settled_total counter\n"
                                 "orderly_settled_total{topic=\"orders\",outcome=\"ack\"} 12\n"
                                 "orderly_settled_total{topic=\"orders\",outcome=\"retry\"} 4\n"));
    assert_non_null(strstr(text, "# TYPE orderly_lag gauge\norderly_lag{topic=\"orders\"} 3.5\n"));
    assert_non_null(strstr(text, "# TYPE orderly_drain_seconds histogram\norderly_drain_seconds_bucket{le=\"+Inf\"} 2\n"
                                 "orderly_drain_seconds_sum 0.25\norderly_drain_seconds_count 2\n"));
    assert_non_null(strstr(text, "orderly_breaker_open{handler=\"handler\"} 0\n"));
    assert_non_null(strstr(text, "orderly_build_info{version=\""));
    end(&fixture);
}

static void the_status_is_one_json_object(void **state)
{
    struct fixture fixture;
    json_t *root, *partition, *condition;

    (void)state;
    start(&fixture);
    assert_int_equal(ask(&fixture, "GET", "/api/v1/status", NULL, NULL), 200);
    root = json_loads(fixture.body.data, 0, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "group")), "billing");
    assert_true(json_is_true(json_object_get(root, "ready")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(root, "member"), "generation")), 4);
    partition = json_array_get(json_object_get(root, "partitions"), 0);
    assert_int_equal(json_integer_value(json_object_get(partition, "lag")), 23);
    assert_int_equal(json_integer_value(json_object_get(partition, "oldest_running_ms")), 1500);
    condition = json_array_get(json_object_get(root, "conditions"), 0);
    assert_string_equal(json_string_value(json_object_get(condition, "text")), "say \"why\"");
    condition = json_array_get(json_object_get(root, "conditions"), 1);
    assert_true(json_is_null(json_object_get(condition, "topic")));
    assert_int_equal(json_array_size(json_object_get(root, "metrics")), 6);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json_object_get(root, "handlers"), 0), "running")), 2);
    json_decref(root);
    end(&fixture);
}

/* ---- Acting ------------------------------------------------------------------------------------------- */

static void changes_need_the_token(void **state)
{
    struct fixture fixture;
    struct stat status;

    (void)state;
    start(&fixture);
    assert_int_equal(stat(fixture.token_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(stat(fixture.listen + 5, &status), 0);
    assert_int_equal(status.st_mode & 0077, 0);
    assert_int_equal(ask(&fixture, "POST", "/api/v1/drain", NULL, NULL), 401);
    assert_int_equal(ask(&fixture, "POST", "/api/v1/drain", "Authorization: Bearer 0123", NULL), 401);
    assert_int_equal(fixture.drains, 0);
    assert_int_equal(act(&fixture, "/api/v1/drain"), 202);
    assert_string_equal(fixture.body.data, "{\"ok\":true}\n");
    assert_int_equal(fixture.drains, 1);
    end(&fixture);
}

static void pages_of_other_origins_may_not_even_with_the_token(void **state)
{
    struct fixture fixture;
    char token[64];

    (void)state;
    start(&fixture);
    snprintf(token, sizeof token, "Authorization: Bearer %s", fixture.token);
    assert_int_equal(ask(&fixture, "POST", "/api/v1/pause", token, "Origin: http://evil.example"), 403);
    assert_int_equal(ask(&fixture, "POST", "/api/v1/pause", token, "Origin: null"), 403);
    assert_int_equal(ask(&fixture, "POST", "/api/v1/pause", token, "Sec-Fetch-Site: cross-site"), 403);
    assert_int_equal(fake_member.pauses, 0);
    assert_int_equal(ask(&fixture, "POST", "/api/v1/pause", token, "Origin: http://localhost"), 200);
    assert_int_equal(fake_member.pauses, 1);
    end(&fixture);
}

static void pause_and_resume_name_what_they_mean(void **state)
{
    struct fixture fixture;

    (void)state;
    start(&fixture);
    assert_int_equal(act(&fixture, "/api/v1/pause?topic=orders&partition=3"), 200);
    assert_string_equal(fake_member.topic, "orders");
    assert_int_equal(fake_member.partition, 3);
    assert_int_equal(act(&fixture, "/api/v1/pause?topic=orders"), 200);
    assert_int_equal(fake_member.partition, -1);
    assert_int_equal(act(&fixture, "/api/v1/resume"), 200);
    assert_string_equal(fake_member.topic, "");
    assert_int_equal(fake_member.resumes, 1);
    assert_int_equal(quiet.resumes, 1); /* a stopped handler starts again too */
    assert_int_equal(act(&fixture, "/api/v1/pause?partition=3"), 400);
    assert_int_equal(act(&fixture, "/api/v1/pause?topic=orders&partition=x"), 400);
    assert_int_equal(act(&fixture, "/api/v1/pause?topic=orders&partition=-1"), 400);
    assert_int_equal(act(&fixture, "/api/v1/pause?topic=foreign"), 409);
    end(&fixture);
}

/* ---- Addresses ---------------------------------------------------------------------------------------- */

static void a_taken_port_moves_only_when_it_is_the_default(void **state)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct od_listener *first = NULL, *second = NULL;
    struct fixture fixture;
    struct od_listener_options options;

    (void)state;
    start(&fixture);
    options = fixture.options;
    options.listen = "127.0.0.1:47931";
    options.port_moves = true;
    assert_int_equal(od_listener_start(&options, &first, &error), ORDERLY_OK);
    assert_int_equal(od_listener_start(&options, &second, &error), ORDERLY_OK);
    od_listener_stop(second);
    second = NULL;
    od_listener_stop(first);
    options.listen = fixture.listen;
    assert_int_equal(od_listener_start(&options, &second, &error), ORDERLY_CONFIG); /* someone listens on that socket */
    assert_int_equal(ask(&fixture, "GET", "/healthz", NULL, NULL), 200);
    options.listen = "nowhere";
    assert_int_equal(od_listener_start(&options, &second, &error), ORDERLY_CONFIG);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_connections_than_allowed_wait),
        cmocka_unit_test(the_page_and_the_health_are_there),
        cmocka_unit_test(ready_means_that_records_are_handled),
        cmocka_unit_test(metrics_of_one_name_stand_together),
        cmocka_unit_test(the_status_is_one_json_object),
        cmocka_unit_test(changes_need_the_token),
        cmocka_unit_test(pages_of_other_origins_may_not_even_with_the_token),
        cmocka_unit_test(pause_and_resume_name_what_they_mean),
        cmocka_unit_test(a_taken_port_moves_only_when_it_is_the_default),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
