/*
 * The http handler: one request for each record (contracts.md 5).
 *
 * One event thread drives libcurl's multi handle. It waits for curl's sockets, for the queue, and for one epoll descriptor
 * that holds the cancel descriptors of all records that are out.
 */
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/bytes.h"
#include "daemon/handler.h"
#include "daemon/http_request.h"
#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/verdict.h"

enum { EVENTS = 64, RECHECK_MS = 250, IDLE_MS = 60000, CACHED_CONNECTIONS = 256 };

struct http {
    struct od_handler base;
    const struct od_handler_options *options;
    struct od_http_target target;
    struct od_http_request *requests;
    struct od_queue queue; /* shared with the workers */
    CURLM *multi;
    int cancels; /* epoll */
    pthread_t thread;
    bool threaded, global;
};

static struct http *of(struct od_handler *handler)
{
    return (struct http *)(void *)handler; /* base is its first member */
}

/* ---- The event thread --------------------------------------------------------------------------------- */

static void unlink_request(struct http *http, struct od_http_request *request)
{
    if (request->cancel_fd >= 0) {
        epoll_ctl(http->cancels, EPOLL_CTL_DEL, request->cancel_fd, NULL);
    }
    if (request->previous != NULL) {
        request->previous->next = request->next;
    } else {
        http->requests = request->next;
    }
    if (request->next != NULL) {
        request->next->previous = request->previous;
    }
}

static void end_request(struct http *http, struct od_http_request *request, const struct od_verdict *verdict)
{
    struct orderly_record *record = request->record;

    curl_multi_remove_handle(http->multi, request->easy);
    unlink_request(http, request);
    od_http_request_free(request); /* it borrows the record's value */
    od_queue_ended(&http->queue, verdict, record);
}

static void watch_cancel(struct http *http, struct od_http_request *request)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = request}};

    if (orderly_record_cancel_fd(request->record, &request->cancel_fd) != ORDERLY_OK ||
        epoll_ctl(http->cancels, EPOLL_CTL_ADD, request->cancel_fd, &event) != 0) {
        request->cancel_fd = -1;
        request->recheck_ms = od_clock_ms() + RECHECK_MS;
    }
}

static void start_one(struct http *http, struct orderly_record *record)
{
    struct od_http_request *request = od_http_request_new(&http->target, record);

    if (request == NULL || curl_multi_add_handle(http->multi, request->easy) != CURLM_OK) {
        struct od_verdict verdict = OD_VERDICT_INIT;

        verdict.outcome = ORDERLY_HOLD;
        verdict.blame = OD_BLAME_NEUTRAL;
        snprintf(verdict.error_class, sizeof verdict.error_class, "not-started");
        od_http_request_free(request);
        od_queue_ended(&http->queue, &verdict, record);
        return;
    }
    request->next = http->requests;
    if (request->next != NULL) {
        request->next->previous = request;
    }
    http->requests = request;
    watch_cancel(http, request);
}

static void take_answers(struct http *http)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        struct od_http_request *request = NULL;
        struct od_verdict verdict;

        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)(void *)&request) != CURLE_OK) {
            continue;
        }
        od_http_request_judge(&http->target, request, message->data.result, &verdict);
        end_request(http, request, &verdict);
    }
}

/* We end the request: given back, nobody's fault. */
static void cut_short(struct http *http, struct od_http_request *request)
{
    struct od_verdict verdict = OD_VERDICT_INIT;

    verdict.outcome = ORDERLY_RELEASE;
    verdict.blame = OD_BLAME_NEUTRAL;
    end_request(http, request, &verdict);
}

/* It may be answered until the drain is over; a lost one is of no use any more. */
static void look_at_cancel(struct od_http_request *request, int64_t now_ms)
{
    enum orderly_reason reason = ORDERLY_REASON_NONE;
    int64_t left_ms = INT64_MAX;

    request->recheck_ms = now_ms + RECHECK_MS;
    if (!orderly_record_cancelled(request->record, &reason, &left_ms)) {
        return;
    }
    if (reason == ORDERLY_REASON_LOST || left_ms < 0) {
        left_ms = 0;
    }
    if (left_ms < INT64_MAX / 2) {
        request->close_ms = od_clock_soonest(request->close_ms, now_ms + left_ms);
    }
}

static void take_cancels(struct http *http)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(http->cancels, events, EVENTS, 0);

    for (int i = 0; i < count; i++) {
        struct od_http_request *request = events[i].data.ptr;

        /* It stays readable: from here on the clock asks. */
        epoll_ctl(http->cancels, EPOLL_CTL_DEL, request->cancel_fd, NULL);
        request->cancel_fd = -1;
        look_at_cancel(request, od_clock_ms());
    }
}

/* What is due; returns when to come back. */
static int64_t act(struct http *http, bool killing)
{
    int64_t now_ms = od_clock_ms();
    int64_t next_ms = od_queue_check(&http->queue, now_ms);

    for (struct od_http_request *next, *request = http->requests; request != NULL; request = next) {
        next = request->next;
        if (now_ms >= request->recheck_ms) {
            look_at_cancel(request, now_ms);
        }
        if (killing || now_ms >= request->close_ms) {
            cut_short(http, request);
        } else {
            next_ms = od_clock_soonest(next_ms, od_clock_soonest(request->close_ms, request->recheck_ms));
        }
    }
    return next_ms <= now_ms ? 0 : od_clock_soonest(next_ms - now_ms, IDLE_MS);
}

static void *event_thread(void *argument)
{
    struct http *http = argument;

    for (;;) {
        struct curl_waitfd extra[2] = {{http->queue.wake_fd, CURL_WAIT_POLLIN, 0},
                                       {http->cancels, CURL_WAIT_POLLIN, 0}};
        bool killing = od_queue_killing(&http->queue);
        struct orderly_record *record;
        int running;

        while ((record = od_queue_next(&http->queue)) != NULL) {
            start_one(http, record);
        }
        curl_multi_perform(http->multi, &running);
        take_answers(http);
        if (killing) {
            act(http, true);
            return NULL;
        }
        curl_multi_poll(http->multi, extra, 2, (int)act(http, false), NULL);
        if (extra[0].revents != 0) {
            od_queue_woken(&http->queue);
        }
        if (extra[1].revents != 0) {
            take_cancels(http);
        }
    }
}

/* ---- The handler -------------------------------------------------------------------------------------- */

static enum orderly_outcome http_handle(struct od_handler *handler, struct orderly_record *record)
{
    return od_queue_put(&of(handler)->queue, record);
}

static void http_state(struct od_handler *handler, struct od_handler_state *ret)
{
    struct http *http = of(handler);

    od_queue_state(&http->queue, ret);
    ret->name = http->options->name;
    ret->kind = "http";
}

static void http_resume(struct od_handler *handler)
{
    od_queue_resume(&of(handler)->queue);
}

static void http_close(struct od_handler *handler)
{
    od_queue_close(&of(handler)->queue);
}

static void http_free(struct od_handler *handler)
{
    struct http *http = of(handler);

    if (http->threaded) {
        od_queue_kill(&http->queue);
        pthread_join(http->thread, NULL);
    }
    od_queue_fini(&http->queue);
    curl_multi_cleanup(http->multi);
    od_http_target_fini(&http->target);
    if (http->cancels >= 0) {
        close(http->cancels);
    }
    if (http->global) {
        curl_global_cleanup();
    }
    free(http);
}

static const struct od_handler_ops HTTP_OPS = {
    .kind = "http",
    .handle = http_handle,
    .state = http_state,
    .resume = http_resume,
    .close = http_close,
    .free = http_free,
};

static enum orderly_err start_thread(struct http *http)
{
    sigset_t all, old;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    error = pthread_create(&http->thread, NULL, event_thread, http);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    http->threaded = error == 0;
    return http->threaded ? ORDERLY_OK : ORDERLY_LIMIT;
}

static enum orderly_err prepare(struct http *http, struct orderly_error *error)
{
    enum orderly_err err = od_http_target_init(&http->target, http->options, error);

    if (err != ORDERLY_OK) {
        return err;
    }
    http->global = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK; /* counted; before other threads use curl */
    http->multi = http->global ? curl_multi_init() : NULL;
    http->cancels = epoll_create1(EPOLL_CLOEXEC);
    if (http->multi == NULL || http->cancels < 0 || !od_queue_init(&http->queue, http->options)) {
        return ORDERLY_LIMIT;
    }
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CACHED_CONNECTIONS);
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    return start_thread(http);
}

enum orderly_err od_http_new(const struct od_handler_options *options, struct od_handler **ret,
                             struct orderly_error *error)
{
    struct http *http = calloc(1, sizeof *http);
    enum orderly_err err;

    if (http == NULL) {
        return ORDERLY_NOMEM;
    }
    http->base.ops = &HTTP_OPS;
    http->options = options;
    http->cancels = -1;
    http->queue.wake_fd = -1;
    err = prepare(http, error);
    if (err != ORDERLY_OK) {
        if (err != ORDERLY_CONFIG) {
            error->code = err;
            snprintf(error->text, sizeof error->text, "the handler could not be started: %s", orderly_strerror(err));
        }
        http_free(&http->base);
        return err;
    }
    *ret = &http->base;
    return ORDERLY_OK;
}
