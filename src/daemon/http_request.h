/* One request of an http handler: what is sent of a record, what is read of the answer. All by the event thread. */
#ifndef OD_DAEMON_HTTP_REQUEST_H
#define OD_DAEMON_HTTP_REQUEST_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/handler.h"
#include "daemon/http_rules.h"
#include "orderly/orderly.h"

#define OD_HTTP_REASON 1024                     /* bytes of a body that are kept */
#define OD_HTTP_HEADERS_MAX ((size_t)64 * 1024) /* of an answer */
#define OD_HTTP_SENT_MAX ((size_t)32 * 1024)    /* key and passed-on headers of a request */

/* Whether it is a URL for records: http://, https://, unix:/path.sock:/path. Errors: CONFIG, NOMEM. */
enum orderly_err od_http_url_check(const char *url, struct orderly_error *);

/* What all requests of a handler share. */
struct od_http_target {
    const struct od_handler_options *options;
    char *url, *socket; /* socket: path for unix:, else NULL */
    struct od_http_rules rules;
};

/* Reads the URL: http://, https://, unix:/path.sock:/path. Errors: CONFIG, NOMEM. */
enum orderly_err od_http_target_init(struct od_http_target *, const struct od_handler_options *,
                                     struct orderly_error *);
void od_http_target_fini(struct od_http_target *);

struct od_http_request {
    struct od_http_request *previous, *next;
    struct orderly_record *record; /* one reference */
    CURL *easy;
    struct curl_slist *headers;
    struct od_http_answer answer;
    char body[OD_HTTP_REASON];
    size_t body_size, body_read, headers_read;
    int64_t max_answer;
    bool cut, too_many_headers;   /* we stopped reading */
    int cancel_fd;                /* of the record; -1: none */
    int64_t close_ms, recheck_ms; /* od_clock_ms; INT64_MAX: never */
    char error[CURL_ERROR_SIZE];
};

/* Makes it, not started. NULL when out of memory. */
struct od_http_request *od_http_request_new(const struct od_http_target *, struct orderly_record *);
/* How it ended, as curl says. */
void od_http_request_judge(const struct od_http_target *, struct od_http_request *, CURLcode, struct od_verdict *ret);
/* Not the record's reference. */
void od_http_request_free(struct od_http_request *);

#endif
