/* `orderly drain`, `pause`, `resume`: one POST each. */
#include <string.h>
#include <time.h>

#include "cli/admin_client.h"

static void rest(void)
{
    struct timespec time = {0, 100000000};
    nanosleep(&time, NULL);
}

int od_drain_command(const struct od_args *args)
{
    int64_t timeout_ms = 0;
    if (!od_args_duration(args, "timeout", 600000, &timeout_ms)) {
        return OD_EXIT_USAGE;
    }
    int code = od_admin_post(args, "/api/v1/drain");
    if (code) {
        return code;
    }
    if (!od_args_has(args, "wait")) {
        od_talk("draining: what runs may end, then it commits and leaves");
        return OD_EXIT_OK;
    }
    int64_t end_ms = od_monotonic_ms() + timeout_ms;
    while (od_admin_reachable(args)) {
        if (od_monotonic_ms() >= end_ms) {
            return od_talk_failure(args, OD_EXIT_TEMPORARY, "it still runs; `orderly status` shows what it waits for");
        }
        rest();
    }
    od_talk("it has ended");
    return OD_EXIT_OK;
}

static int act(const struct od_args *args, const char *verb)
{
    char path[1024];
    const char *topic = od_args_text(args, "topic"), *partition = od_args_text(args, "partition");
    int64_t number = 0;
    if (partition && !topic) {
        return od_talk_failure(args, OD_EXIT_USAGE, "--partition needs --topic");
    }
    if (!od_args_number(args, "partition", 0, INT32_MAX, 0, &number)) {
        return OD_EXIT_USAGE;
    }
    snprintf(path, sizeof path, "/api/v1/%s", verb);
    if (topic) {
        od_admin_query(path, sizeof path, "topic", topic);
    }
    if (partition) {
        od_admin_query(path, sizeof path, "partition", partition);
    }
    int code = od_admin_post(args, path);
    if (!code) {
        od_talk("%sd%s%s%s%s", verb, topic ? " " : "", topic ? topic : "", partition ? "/" : "",
                partition ? partition : "");
    }
    return code;
}

int od_pause_command(const struct od_args *args)
{
    return act(args, "pause");
}

int od_resume_command(const struct od_args *args)
{
    return act(args, "resume");
}
