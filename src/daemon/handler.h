/*
 * A handler: what does the work for the records of one source. Kinds: exec (a process for each record), stream (long-lived
 * processes), http (requests).
 *
 * A handler owns one event thread. handle() is called on the library's workers, queues the record and returns
 * ORDERLY_PENDING; the event thread does the rest and settles. While the breaker is open, or the handler was told to slow
 * down, queued records wait here: no attempt is spent, and a cancelled one is released.
 */
#ifndef OD_DAEMON_HANDLER_H
#define OD_DAEMON_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/breaker.h"
#include "orderly/orderly.h"

enum od_handler_kind { OD_HANDLER_NONE, OD_HANDLER_EXEC, OD_HANDLER_STREAM, OD_HANDLER_HTTP };

/* A text list or a list of name, value pairs; owned. */
struct od_words {
    char **items; /* a NULL follows them */
    size_t count;
};
void od_words_fini(struct od_words *);
/* False when out of memory. */
bool od_words_add(struct od_words *, const char *text);
bool od_words_copy(struct od_words *ret, const struct od_words *);

/* What a handler is made from: the handler.* settings of one source, read and checked. */
struct od_handler_options {
    enum od_handler_kind kind;
    char *name;              /* for logs and metrics; "handler" when there is one source */
    char *group;             /* told to stream handlers */
    struct od_words command; /* exec, stream: the argument vector */
    struct od_words env;     /* exec, stream: NAME=VALUE */
    int64_t timeout_ms;      /* of one record; 0: none */
    int64_t kill_grace_ms, lost_grace_ms, drain_timeout_ms;
    int64_t max_crashes;     /* exec */
    int64_t processes;       /* stream */
    int64_t max_line;        /* stream: bytes of one line */
    int64_t max_in_flight;   /* all kinds: no more records than this are out at once */
    char *url;               /* http */
    struct od_words status;  /* http: CODE=OUTCOME, such as 409=ack, 5xx=retry */
    struct od_words headers; /* http: names of record headers that are passed on; * for all */
    int64_t backoff_first_ms, backoff_max_ms, backoff_factor; /* the retry policy; the factor in thousandths */
    int64_t max_answer;                                       /* http: bytes of an answer that are read */
};

/* What a handler is doing, for the status page and the metrics. */
struct od_handler_state {
    const char *name, *kind; /* borrowed from the handler */
    enum od_breaker_state breaker;
    int64_t breaker_left_ms; /* until the next try; 0 when closed */
    char text[256];          /* why it does not run, "" when all is well */
    size_t waiting, running;
    uint64_t started, faults, late;
};

struct od_handler;

/* Each kind gives these. All but `handle` are called by the thread that owns the daemon. */
struct od_handler_ops {
    const char *kind;
    /* Thread: a worker of the library. Never blocks. */
    enum orderly_outcome (*handle)(struct od_handler *, struct orderly_record *);
    void (*state)(struct od_handler *, struct od_handler_state *ret); /* Thread: any */
    void (*resume)(struct od_handler *); /* closes the breaker; starts a stopped handler again. Thread: any */
    void (*close)(
        struct od_handler *); /* starts nothing more: what waits is released, what runs ends as the library says */
    void (*free)(struct od_handler *); /* nothing runs any more, or it is killed now */
};

/* The head of each kind's struct. */
struct od_handler {
    const struct od_handler_ops *ops;
};

/* Reads the handler.* settings. `command` (count 0: none) replaces the one of the settings. The caller ends it with fini. Errors: CONFIG. */
enum orderly_err od_handler_options_init(struct od_handler_options *ret, const struct orderly_config *,
                                         enum od_handler_kind, const char *const *command, size_t command_count,
                                         struct orderly_error *);
void od_handler_options_fini(struct od_handler_options *);

/* Starts a handler of any kind. Errors: CONFIG (the command is not found, the URL is none), LIMIT, NOMEM. */
enum orderly_err od_handler_new(const struct od_handler_options *, struct od_handler **ret, struct orderly_error *);
enum orderly_err od_exec_new(const struct od_handler_options *, struct od_handler **ret, struct orderly_error *);
enum orderly_err od_stream_new(const struct od_handler_options *, struct od_handler **ret, struct orderly_error *);
enum orderly_err od_http_new(const struct od_handler_options *, struct od_handler **ret, struct orderly_error *);

#endif
