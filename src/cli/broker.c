/* `orderly broker`: the embedded broker as a process, for trying things out. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "orderly/testing.h"

static int create_topic(const struct od_args *args, struct orderly_broker *broker, const char *spec)
{
    char name[256];
    const char *colon = strrchr(spec, ':');
    char *end = NULL;
    long partitions = colon ? strtol(colon + 1, &end, 10) : 4;
    size_t size = colon ? (size_t)(colon - spec) : strlen(spec);
    if (!size || size >= sizeof name || (colon && (!colon[1] || *end)) || partitions < 1 || partitions > 10000) {
        return od_talk_failure(args, OD_EXIT_USAGE, "--topic %s: NAME:PARTITIONS is wanted, such as orders:4", spec);
    }
    snprintf(name, sizeof name, "%.*s", (int)size, spec);
    if (orderly_broker_create_topic(broker, name, (int)partitions)) {
        return od_talk_failure(args, OD_EXIT_FAILURE, "topic %s could not be created; is it named twice?", name);
    }
    return OD_EXIT_OK;
}

static int create_topics(const struct od_args *args, struct orderly_broker *broker)
{
    int code = OD_EXIT_OK;
    for (size_t i = 0; i < args->count && !code; i++) {
        if (!strcmp(args->items[i].option->name, "topic")) {
            code = create_topic(args, broker, args->items[i].value);
        }
    }
    return code;
}

int od_broker_command(const struct od_args *args)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_broker *broker = NULL;
    int64_t brokers = 1, port = 0;
    sigset_t ends;
    int signal_number = 0;
    if (!od_args_number(args, "nodes", 1, 16, 1, &brokers) || !od_args_number(args, "port", 0, 65535, 0, &port)) {
        return OD_EXIT_USAGE;
    }
    /* Before any thread exists, so that only sigwait gets them. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGHUP);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    enum orderly_err err = orderly_broker_new((int)brokers, &broker, &error);
    if (err) {
        return od_talk_error(args, err, &error);
    }
    int code = create_topics(args, broker);
    if (!code && port) {
        err = orderly_broker_listen(broker, (uint16_t)port, &error);
        code = err ? od_talk_error(args, err, &error) : OD_EXIT_OK;
    }
    if (!code) {
        od_talk(
            "orderly broker: in memory, for trying things out, never for data: the oldest records of a partition go beyond 5 MB. Ctrl-C ends it.");
        printf("bootstrap.servers=%s\n", orderly_broker_bootstrap(broker));
        code = od_finish_output(args, OD_EXIT_OK);
    }
    if (!code) {
        sigwait(&ends, &signal_number);
    }
    orderly_broker_free(broker);
    return code;
}
