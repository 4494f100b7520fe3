/* An exec handler of its own for a test, with a folder for what its children leave behind. */
#ifndef TESTS_DAEMON_EXEC_FIXTURE_H
#define TESTS_DAEMON_EXEC_FIXTURE_H

#include <stdbool.h>

#include "daemon/fake_record.h"
#include "daemon/handler.h"

enum { PATIENCE_S = 30 };

struct fixture {
    struct od_handler_options options;
    struct od_handler *handler;
    char folder[64];
};

/* A handler that runs `sh -c SCRIPT`, in an empty folder whose name is in $DIR. Options may be changed before the start. */
void exec_prepare(struct fixture *, const char *script);
void exec_start(struct fixture *);
void exec_give(struct fixture *, struct orderly_record *);
void exec_end(struct fixture *);
/* Until a child has made this file; fails the test after PATIENCE_S. */
void exec_wait_for_file(const struct fixture *, const char *name);

#endif
