/* src/daemon/http*.c, against a small server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/bytes.h"
#include "daemon/fake_record.h"
#include "daemon/handler.h"
#include "daemon/http_rules.h"
#include "daemon/http_server.h"

enum { PATIENCE_S = 30 };

struct http_fixture {
    struct od_handler_options options;
    struct od_handler *handler;
    struct http_server *server;
};

static void prepare(struct http_fixture *fixture, const char *path)
{
    char url[256];

    *fixture = (struct http_fixture){.options = {.kind = OD_HANDLER_HTTP}};
    fixture->server = http_server_new(NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", http_server_port(fixture->server), path);
    fixture->options.name = strdup("handler");
    fixture->options.url = strdup(url);
    fixture->options.timeout_ms = 20000;
    fixture->options.max_answer = 65536;
    fixture->options.max_in_flight = 64;
    fixture->options.backoff_first_ms = 1000;
    fixture->options.backoff_max_ms = 60000;
    fixture->options.backoff_factor = 2000;
}

static void start(struct http_fixture *fixture)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;

    assert_int_equal(od_http_new(&fixture->options, &fixture->handler, &error), ORDERLY_OK);
}

static void give(struct http_fixture *fixture, struct orderly_record *record)
{
    assert_int_equal(fixture->handler->ops->handle(fixture->handler, record), ORDERLY_PENDING);
}

static void end(struct http_fixture *fixture)
{
    if (fixture->handler != NULL) {
        fixture->handler->ops->free(fixture->handler);
    }
    http_server_free(fixture->server);
    od_handler_options_fini(&fixture->options);
}

/* One record to this path; what was settled stays valid until the next call. */
static const struct fake_settled *post(const char *path, struct od_handler_state *ret_state)
{
    static struct fake_settled settled;
    struct orderly_record *record = fake_record_new("k", "v");
    struct http_fixture fixture;
    struct od_handler_state now;

    prepare(&fixture, path);
    start(&fixture);
    give(&fixture, record);
    settled = *fake_record_wait(record, PATIENCE_S);
    do { /* the breaker is told right after the record is settled */
        fixture.handler->ops->state(fixture.handler, &now);
    } while (now.running > 0);
    now.name = NULL;
    if (ret_state != NULL) {
        *ret_state = now;
    }
    end(&fixture);
    fake_record_free(record);
    return &settled;
}

/* ---- The table ---------------------------------------------------------------------------------------- */

struct status_row {
    int status;
    enum orderly_outcome outcome;
    enum od_breaker_state breaker;
};

static void answers_are_those_of_the_table(void **state)
{
    static const struct status_row rows[] = {
        {200, ORDERLY_ACK, OD_BREAKER_CLOSED},         {204, ORDERLY_ACK, OD_BREAKER_CLOSED},
        {302, ORDERLY_HOLD, OD_BREAKER_OPEN},          {400, ORDERLY_DEAD_LETTER, OD_BREAKER_CLOSED},
        {401, ORDERLY_HOLD, OD_BREAKER_OPEN},          {404, ORDERLY_HOLD, OD_BREAKER_OPEN},
        {409, ORDERLY_RETRY, OD_BREAKER_CLOSED},       {413, ORDERLY_DEAD_LETTER, OD_BREAKER_CLOSED},
        {418, ORDERLY_DEAD_LETTER, OD_BREAKER_CLOSED}, {429, ORDERLY_THROTTLE, OD_BREAKER_THROTTLED},
        {500, ORDERLY_RETRY, OD_BREAKER_CLOSED},       {503, ORDERLY_RETRY, OD_BREAKER_THROTTLED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct od_handler_state now;
        const struct fake_settled *settled;
        char path[32], class[32], text[32];

        snprintf(path, sizeof path, "/status/%d", rows[i].status);
        snprintf(class, sizeof class, "http-%d", rows[i].status);
        snprintf(text, sizeof text, "answer %d", rows[i].status);
        settled = post(path, &now);
        assert_int_equal(settled->outcome, rows[i].outcome);
        assert_int_equal(now.breaker, rows[i].breaker);
        if (rows[i].outcome != ORDERLY_ACK) {
            assert_string_equal(settled->error_class, class);
            assert_string_equal(settled->text, text);
        }
    }
}

struct rule_row {
    const char *codes;
    enum orderly_outcome outcome;
    enum od_blame blame;
};

static void every_code_of_the_table_is_judged(void **state)
{
    static const struct rule_row rows[] = {
        {"200 201 202 299", ORDERLY_ACK, OD_BLAME_NONE},
        {"301 304 307", ORDERLY_HOLD, OD_BLAME_FAULT},
        {"400 406 411 413 414 415 422 431 451", ORDERLY_DEAD_LETTER, OD_BLAME_NEUTRAL},
        {"401 403 404 405 407 410 421 426 501 505", ORDERLY_HOLD, OD_BLAME_FAULT},
        {"408 423 424 425 500 502 504 508", ORDERLY_RETRY, OD_BLAME_FAILURE},
        {"409", ORDERLY_RETRY, OD_BLAME_NEUTRAL},
        {"429", ORDERLY_THROTTLE, OD_BLAME_BUSY},
        {"503", ORDERLY_RETRY, OD_BLAME_BUSY},
        {"402 412 416 417 418 428 499", ORDERLY_DEAD_LETTER, OD_BLAME_NEUTRAL},
    };
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct od_words none = {0};
    struct od_http_rules rules;

    (void)state;
    assert_int_equal(od_http_rules_init(&rules, &none, &error), ORDERLY_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (const char *at = rows[i].codes; *at != '\0'; at += strcspn(at, " "), at += *at == ' ') {
            enum orderly_outcome outcome;
            enum od_blame blame;

            od_http_judge_status(&rules, (int)strtol(at, NULL, 10), &outcome, &blame);
            if (outcome != rows[i].outcome || blame != rows[i].blame) {
                fail_msg("%.3s", at);
            }
        }
    }
}

static void rows_can_be_overridden_and_single_codes_win_over_ranges(void **state)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct od_http_rules rules;
    struct od_words words = {0};
    enum orderly_outcome outcome;
    enum od_blame blame;

    (void)state;
    assert_true(od_words_add(&words, "503=ack") && od_words_add(&words, "5xx=dead-letter") &&
                od_words_add(&words, "404=drop"));
    assert_int_equal(od_http_rules_init(&rules, &words, &error), ORDERLY_OK);
    od_http_judge_status(&rules, 503, &outcome, &blame);
    assert_int_equal(outcome, ORDERLY_ACK);
    od_http_judge_status(&rules, 500, &outcome, &blame);
    assert_int_equal(outcome, ORDERLY_DEAD_LETTER);
    od_http_judge_status(&rules, 404, &outcome, &blame);
    assert_int_equal(outcome, ORDERLY_DROP);
    assert_int_equal(blame, OD_BLAME_NEUTRAL); /* it is no fault any more */
    assert_true(od_words_add(&words, "700=ack"));
    assert_int_equal(od_http_rules_init(&rules, &words, &error), ORDERLY_CONFIG);
    od_words_fini(&words);
    assert_true(od_words_add(&words, "409=maybe"));
    assert_int_equal(od_http_rules_init(&rules, &words, &error), ORDERLY_CONFIG);
    assert_non_null(strstr(error.text, "409=maybe"));
    od_words_fini(&words);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
    (void)state;
    assert_int_equal(od_http_retry_after("0", 0), 0);
    assert_int_equal(od_http_retry_after("120", 0), 120000);
    assert_int_equal(od_http_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 1000), 59000);
    assert_int_equal(od_http_retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 90000), 0);
    assert_int_equal(od_http_retry_after("Thursday, 01-Jan-70 00:01:00 GMT", 0), 60000);
    assert_int_equal(od_http_retry_after("soon", 0), -1);
    assert_int_equal(od_http_retry_after("-5", 0), -1);
    assert_int_equal(od_http_retry_after("", 0), -1);
}

static void the_outcome_header_wins_and_the_status_blames(void **state)
{
    struct od_handler_state now;

    (void)state;
    assert_int_equal(post("/status/500/Orderly-Outcome/ack", NULL)->outcome, ORDERLY_ACK);
    assert_int_equal(post("/status/200/Orderly-Outcome/retry/Retry-After/300", NULL)->outcome, ORDERLY_RETRY);
    assert_int_equal(post("/status/200/Orderly-Outcome/retry/Retry-After/300", NULL)->delay_ms, 300000);
    assert_int_equal(post("/status/200/Orderly-Outcome/drop", NULL)->outcome, ORDERLY_DROP);
    assert_int_equal(post("/status/404/Orderly-Outcome/release", &now)->outcome, ORDERLY_RELEASE);
    assert_int_equal(now.breaker, OD_BREAKER_OPEN);
    assert_int_equal(post("/status/200/Orderly-Outcome/perhaps", NULL)->outcome, ORDERLY_HOLD);
    assert_string_equal(post("/status/200/Orderly-Outcome/perhaps", NULL)->error_class, "bad-result");
}

static void a_longer_retry_after_than_the_backoff_counts(void **state)
{
    struct od_handler_state now;

    (void)state;
    assert_int_equal(post("/status/502/Retry-After/7", NULL)->delay_ms, 7000);
    assert_int_equal(post("/status/502/Retry-After/1", NULL)->delay_ms, -1); /* second attempt: the policy waits 2 s */
    assert_int_equal(post("/status/429/Retry-After/7", &now)->outcome, ORDERLY_THROTTLE);
    assert_int_equal(now.breaker, OD_BREAKER_THROTTLED);
    assert_true(now.breaker_left_ms > 1000 && now.breaker_left_ms <= 7000);
}

/* ---- Without an answer -------------------------------------------------------------------------------- */

static void a_refused_connection_is_a_handler_fault(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct http_fixture fixture;

    (void)state;
    prepare(&fixture, "/");
    free(fixture.options.url);
    fixture.options.url = strdup("http://127.0.0.1:1/");
    start(&fixture);
    give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_HOLD);
    assert_string_equal(fake_record_wait(record, 1)->error_class, "refused");
    end(&fixture);
    fake_record_free(record);
}

static void a_name_that_does_not_exist_is_a_handler_fault(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct http_fixture fixture;

    (void)state;
    prepare(&fixture, "/");
    free(fixture.options.url);
    fixture.options.url = strdup("http://no-such-host.invalid/");
    start(&fixture);
    give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_HOLD);
    assert_string_equal(fake_record_wait(record, 1)->error_class, "dns");
    end(&fixture);
    fake_record_free(record);
}

static void a_timeout_after_the_request_was_sent_spends_an_attempt(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct http_fixture fixture;

    (void)state;
    prepare(&fixture, "/hang");
    fixture.options.timeout_ms = 1000;
    start(&fixture);
    give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RETRY);
    assert_string_equal(fake_record_wait(record, 1)->error_class, "timeout");
    end(&fixture);
    fake_record_free(record);
}

static void a_reset_after_the_request_was_sent_spends_an_attempt(void **state)
{
    (void)state;
    assert_int_equal(post("/reset", NULL)->outcome, ORDERLY_RETRY);
    assert_string_equal(post("/reset", NULL)->error_class, "reset");
}

static void an_answer_without_end_is_cut_and_its_status_counts(void **state)
{
    (void)state;
    assert_int_equal(post("/large", NULL)->outcome, ORDERLY_ACK);
}

/* ---- What is sent ------------------------------------------------------------------------------------- */

static void the_request_holds_the_record(void **state)
{
    struct orderly_record *record = fake_record_new("c 17\xC3\xA4", "the value");
    struct http_fixture fixture;
    const char *text;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:9", 1); /* nobody looks at it */
    fake_record_read_from(record, "orders.g.retry", 1, 5);
    fake_record_header(record, "Content-Type", (struct orderly_bytes){"application/json", 16});
    fake_record_header(record, "traceparent", (struct orderly_bytes){"00-abc-01", 9});
    fake_record_header(record, "tenant", (struct orderly_bytes){"blue", 4});
    fake_record_header(record, "evil", (struct orderly_bytes){"a\r\nX-Injected: 1", 16});
    fake_record_header(record, "other", (struct orderly_bytes){"x", 1});
    prepare(&fixture, "/status/200");
    assert_true(od_words_add(&fixture.options.headers, "Tenant") && od_words_add(&fixture.options.headers, "evil"));
    start(&fixture);
    give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    text = http_server_last(fixture.server);
    assert_non_null(strstr(text, "POST /status/200 HTTP/1.1\r\n"));
    assert_non_null(strstr(text, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(text, "\r\nOrderly-Topic: orders\r\n"));
    assert_non_null(strstr(text, "\r\nOrderly-Partition: 3\r\n"));
    assert_non_null(strstr(text, "\r\nOrderly-Offset: 88"));
    assert_non_null(strstr(text, "\r\nOrderly-Timestamp: 2026-01-01T00:00:00.123Z\r\n"));
    assert_non_null(strstr(text, "\r\nOrderly-Attempt: 2\r\n"));
    assert_non_null(strstr(text, "\r\nOrderly-Deadline: 20"));
    assert_non_null(strstr(text, "\r\nOrderly-Fence: 41\r\n"));
    assert_non_null(strstr(text, "\r\nOrderly-Read-From: orders.g.retry/1/5\r\n"));
    assert_non_null(strstr(text, "\r\nIdempotency-Key: orders/3/"));
    assert_non_null(strstr(text, "\r\nOrderly-Key: c%2017%C3%A4\r\n"));
    assert_non_null(strstr(text, "\r\ntraceparent: 00-abc-01\r\n"));
    assert_non_null(strstr(text, "\r\nOrderly-Header-tenant: blue\r\n"));
    assert_null(strstr(text, "X-Injected"));
    assert_null(strstr(text, "Orderly-Header-other"));
    assert_null(strstr(text, "Expect:"));
    assert_null(strstr(text, "Accept-Encoding:"));
    assert_non_null(strstr(text, "\r\n\r\nthe value"));
    assert_int_equal(http_server_body_size(fixture.server), 9);
    end(&fixture);
    fake_record_free(record);
}

static void keys_that_are_no_text_go_as_base64_and_null_is_nothing(void **state)
{
    struct orderly_record *binary =
        fake_record_bytes((struct orderly_bytes){"\xff\x00x", 3}, (struct orderly_bytes){NULL, 0});
    struct orderly_record *null = fake_record_new(NULL, "v");
    struct http_fixture fixture;

    (void)state;
    prepare(&fixture, "/status/200");
    start(&fixture);
    give(&fixture, binary);
    fake_record_wait(binary, PATIENCE_S);
    assert_non_null(strstr(http_server_last(fixture.server), "\r\nOrderly-Key-Base64: /wB4\r\n"));
    assert_non_null(strstr(http_server_last(fixture.server), "\r\nContent-Type: application/octet-stream\r\n"));
    assert_int_equal(http_server_body_size(fixture.server), 0);
    give(&fixture, null);
    fake_record_wait(null, PATIENCE_S);
    assert_null(strstr(http_server_last(fixture.server), "Orderly-Key"));
    end(&fixture);
    fake_record_free(binary);
    fake_record_free(null);
}

static void a_unix_socket_is_an_address_too(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    char folder[] = "/tmp/orderly-http-XXXXXX", path[64], url[128];
    struct http_fixture fixture;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/h.sock", folder);
    snprintf(url, sizeof url, "unix:%s:/status/204", path);
    prepare(&fixture, "/");
    http_server_free(fixture.server);
    fixture.server = http_server_new(path);
    free(fixture.options.url);
    fixture.options.url = strdup(url);
    start(&fixture);
    give(&fixture, record);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_ACK);
    assert_non_null(strstr(http_server_last(fixture.server), "POST /status/204 HTTP/1.1\r\n"));
    end(&fixture);
    unlink(path);
    rmdir(folder);
    fake_record_free(record);
}

static void other_addresses_are_refused(void **state)
{
    static const char *const urls[] = {"ftp://host/", "file:///etc/passwd", "unix:relative:/", "host:80/x y", ""};

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct orderly_error error = ORDERLY_ERROR_INIT;
        struct http_fixture fixture;

        prepare(&fixture, "/");
        free(fixture.options.url);
        fixture.options.url = strdup(urls[i]);
        if (od_http_new(&fixture.options, &fixture.handler, &error) != ORDERLY_CONFIG) {
            fail_msg("%s", urls[i]);
        }
        fixture.handler = NULL;
        end(&fixture);
    }
}

/* ---- Being told to go --------------------------------------------------------------------------------- */

static void at_the_end_of_a_drain_the_request_is_closed_and_released(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct http_fixture fixture;

    (void)state;
    prepare(&fixture, "/hang");
    start(&fixture);
    give(&fixture, record);
    http_server_wait(fixture.server, 1);
    fake_record_cancel(record, ORDERLY_REASON_REVOKED, 300);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    end(&fixture);
    fake_record_free(record);
}

static void a_lost_record_closes_its_request_at_once(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct http_fixture fixture;

    (void)state;
    fake_record_without_fd(record);
    prepare(&fixture, "/hang");
    fixture.options.timeout_ms = 3600000;
    start(&fixture);
    give(&fixture, record);
    http_server_wait(fixture.server, 1);
    fake_record_cancel(record, ORDERLY_REASON_REVOKED, 3600000);
    fake_record_cancel(record, ORDERLY_REASON_LOST, 3600000);
    assert_int_equal(fake_record_wait(record, PATIENCE_S)->outcome, ORDERLY_RELEASE);
    end(&fixture);
    fake_record_free(record);
}

static void freeing_it_releases_what_is_out(void **state)
{
    struct orderly_record *record = fake_record_new("k", "v");
    struct http_fixture fixture;

    (void)state;
    prepare(&fixture, "/hang");
    start(&fixture);
    give(&fixture, record);
    http_server_wait(fixture.server, 1);
    end(&fixture);
    assert_int_equal(fake_record_wait(record, 1)->outcome, ORDERLY_RELEASE);
    fake_record_free(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_those_of_the_table),
        cmocka_unit_test(every_code_of_the_table_is_judged),
        cmocka_unit_test(rows_can_be_overridden_and_single_codes_win_over_ranges),
        cmocka_unit_test(retry_after_is_seconds_or_a_date),
        cmocka_unit_test(the_outcome_header_wins_and_the_status_blames),
        cmocka_unit_test(a_longer_retry_after_than_the_backoff_counts),
        cmocka_unit_test(a_refused_connection_is_a_handler_fault),
        cmocka_unit_test(a_name_that_does_not_exist_is_a_handler_fault),
        cmocka_unit_test(a_timeout_after_the_request_was_sent_spends_an_attempt),
        cmocka_unit_test(a_reset_after_the_request_was_sent_spends_an_attempt),
        cmocka_unit_test(an_answer_without_end_is_cut_and_its_status_counts),
        cmocka_unit_test(the_request_holds_the_record),
        cmocka_unit_test(keys_that_are_no_text_go_as_base64_and_null_is_nothing),
        cmocka_unit_test(a_unix_socket_is_an_address_too),
        cmocka_unit_test(other_addresses_are_refused),
        cmocka_unit_test(at_the_end_of_a_drain_the_request_is_closed_and_released),
        cmocka_unit_test(a_lost_record_closes_its_request_at_once),
        cmocka_unit_test(freeing_it_releases_what_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
