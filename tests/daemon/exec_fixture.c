/* An exec handler of its own for a test: see exec_fixture.h. */
#include "daemon/exec_fixture.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cmocka.h>

void exec_prepare(struct fixture *fixture, const char *script)
{
    char variable[128];

    *fixture = (struct fixture){.options = {.kind = OD_HANDLER_EXEC}};
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/orderly-exec-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(variable, sizeof variable, "DIR=%s", fixture->folder);
    fixture->options.name = strdup("handler");
    fixture->options.group = strdup("billing");
    fixture->options.kill_grace_ms = 60000;
    fixture->options.lost_grace_ms = 60000;
    fixture->options.max_crashes = 3;
    fixture->options.max_in_flight = 64;
    assert_true(od_words_add(&fixture->options.command, "sh"));
    assert_true(od_words_add(&fixture->options.command, "-c"));
    assert_true(od_words_add(&fixture->options.command, script));
    assert_true(od_words_add(&fixture->options.env, variable));
}

void exec_start(struct fixture *fixture)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;

    assert_int_equal(od_exec_new(&fixture->options, &fixture->handler, &error), ORDERLY_OK);
}

void exec_give(struct fixture *fixture, struct orderly_record *record)
{
    assert_int_equal(fixture->handler->ops->handle(fixture->handler, record), ORDERLY_PENDING);
}

void exec_end(struct fixture *fixture)
{
    char command[128];

    if (fixture->handler != NULL) {
        fixture->handler->ops->free(fixture->handler);
    }
    od_handler_options_fini(&fixture->options);
    snprintf(command, sizeof command, "rm -rf %s", fixture->folder);
    assert_int_equal(system(command), 0);
}

/* Waits for the folder to change, since no child can say so in another way. */
void exec_wait_for_file(const struct fixture *fixture, const char *name)
{
    char path[128], event[4096];
    struct pollfd wait = {.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .events = POLLIN};

    assert_true(wait.fd >= 0);
    assert_true(inotify_add_watch(wait.fd, fixture->folder, IN_CREATE | IN_MOVED_TO) >= 0);
    snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    while (access(path, F_OK) != 0) {
        assert_true(poll(&wait, 1, PATIENCE_S * 1000) > 0);
        assert_true(read(wait.fd, event, sizeof event) > 0);
    }
    close(wait.fd);
}
