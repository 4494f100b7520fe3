/* The sources of one daemon: which topics go to which handler. One member of one group serves them all. */
#ifndef OD_DAEMON_SOURCES_H
#define OD_DAEMON_SOURCES_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

#include "daemon/daemon.h"
#include "daemon/handler.h"
#include "orderly/orderly.h"

struct od_source {
    struct od_handler_options options;
    struct od_handler *handler;
    struct od_words topics; /* names; none and no patterns: all topics */
    regex_t *patterns;
    size_t pattern_count;
};

struct od_sources {
    struct od_source *list;
    size_t count;
};

/* Whether a source's settings agree with the top level's where there is one for all. Errors: CONFIG. */
enum orderly_err od_sources_check_shared(const struct orderly_config *all, const struct orderly_config *one,
                                         struct orderly_error *);
/*
 * Starts the handlers; with several sources, sets `topics` and `patterns` of the options' configuration to all of theirs.
 * Errors: CONFIG, NOMEM, LIMIT.
 */
enum orderly_err od_sources_init(struct od_sources *, const struct od_daemon_options *, struct orderly_error *);
/* Kills what still runs. */
void od_sources_fini(struct od_sources *);
/* For struct orderly_handler; userdata is the struct od_sources. Thread: a worker. */
enum orderly_outcome od_sources_handle(struct orderly_record *, void *userdata);
void od_sources_close(struct od_sources *);
void od_sources_resume(struct od_sources *);

#endif
