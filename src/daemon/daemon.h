/*
 * `orderly run`: settings, handlers, signals, one member of the group, the admin listener, an exit code.
 *
 * Settings of handlers are read by name: handler.exec.{command,timeout,kill_grace,max_crashes,env}, handler.stream.{command,
 * processes,timeout,env}, handler.http.{url,timeout,status,headers,max_answer}. A command is a comma-separated list or, where
 * arguments hold commas, a JSON array of texts; env and status are NAME=VALUE lists or a JSON object.
 */
#ifndef OD_DAEMON_DAEMON_H
#define OD_DAEMON_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/handler.h"
#include "orderly/orderly.h"

/* Exit codes of the program (contracts.md 8 and 10). */
enum od_exit {
    OD_EXIT_OK = 0,
    OD_EXIT_FAILURE = 1,
    OD_EXIT_USAGE = 2,
    OD_EXIT_NOT_RUNNING = 69,
    OD_EXIT_TEMPORARY = 75,
    OD_EXIT_CONFIG = 78
};

/* One entry of `sources:`. All borrowed. */
struct od_daemon_source {
    const struct orderly_config *config; /* its handler.* settings */
    const char *const *topics;           /* names, or patterns that begin with ^ */
    size_t topic_count;
};

/* All borrowed until od_daemon_run() returns. */
struct od_daemon_options {
    struct orderly_config *config; /* od_daemon_run sets its callbacks */
    /* From the command line; they win over handler.* of `config`. NONE: the settings say. */
    enum od_handler_kind handler;
    const char *const *command; /* what follows `--` */
    size_t command_count;
    const struct od_daemon_source *sources; /* none: `config` is the one source */
    size_t source_count;
    bool create_topics, exit_at_end;
    /*
     * SIGHUP: all settings read anew; the caller frees them. What is in no table (kafka.*, sources) and has changed it says itself, as
     * ignored, and counts in `ret_ignored`. NULL: there is no file.
     */
    enum orderly_err (*reload)(void *userdata, struct orderly_config **ret, size_t *ret_ignored,
                               struct orderly_error *);
    void *reload_userdata;
};

/* Runs until drained or fatal and returns the exit code; says on the log why. Blocks SIGTERM, SIGINT and SIGHUP: call it from the main thread, before others exist. */
int od_daemon_run(const struct od_daemon_options *);

#endif
