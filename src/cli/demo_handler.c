/* The handler of the demo: does what the record says, and writes down that it did. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/demo.h"

static const char kinds[] = "ARCHPX"; /* by enum od_demo_kind */

void od_demo_value(const struct od_demo_record *record, size_t id, char *ret, size_t size)
{
    snprintf(ret, size, "%zu %c %d %d %d", id, kinds[record->kind], record->failures, record->delay_ms,
             record->work_ms);
}

bool od_demo_parse(const char *text, struct od_demo_record *ret, size_t *ret_id)
{
    char kind = 0;
    *ret = (struct od_demo_record){.kind = OD_DEMO_ACK};
    if (sscanf(text, "%zu %c %d %d %d", ret_id, &kind, &ret->failures, &ret->delay_ms, &ret->work_ms) != 5) {
        return false;
    }
    const char *at = kind ? strchr(kinds, kind) : NULL;
    ret->kind = at ? (enum od_demo_kind)(at - kinds) : OD_DEMO_ACK;
    return at != NULL;
}

static void pause_ms(int ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&time, &time)) {
    }
}

/* One write, so that lines of several handlers do not mix. */
static void note(int journal, char what, size_t id, int attempt, int code)
{
    char line[96];
    int size = what == 'B'
                   ? snprintf(line, sizeof line, "B %zu %d %lld\n", id, attempt, (long long)od_now_ms())
                   : snprintf(line, sizeof line, "E %zu %d %lld %d\n", id, attempt, (long long)od_now_ms(), code);
    if (write(journal, line, (size_t)size) != size) {
        _exit(OD_EXIT_CONFIG); /* the disk is full: hold everything */
    }
}

static void ask_for_delay(int delay_ms)
{
    const char *fd = getenv("ORDERLY_RESULT_FD");
    if (fd) {
        dprintf(atoi(fd), "{\"outcome\":\"retry\",\"after_ms\":%d,\"error\":{\"class\":\"UpstreamBusy\"}}\n", delay_ms);
    }
}

int od_demo_handle(const char *path)
{
    char text[128];
    size_t id = 0, size = fread(text, 1, sizeof text - 1, stdin);
    struct od_demo_record plan;
    const char *attempt_text = getenv("ORDERLY_ATTEMPT");
    int attempt = attempt_text ? atoi(attempt_text) : 1, code = 0;
    int journal = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    text[size] = '\0';
    if (journal < 0) {
        return OD_EXIT_CONFIG;
    }
    if (!od_demo_parse(text, &plan, &id)) {
        return 65;
    }
    note(journal, 'B', id, attempt, 0);
    pause_ms(plan.work_ms);
    switch (plan.kind) {
    case OD_DEMO_ACK:
        break;
    case OD_DEMO_RETRY:
        code = attempt <= plan.failures ? 75 : 0;
        if (code) {
            ask_for_delay(plan.delay_ms);
        }
        break;
    case OD_DEMO_CRASH:
        code = attempt == 1 ? 139 : 0;
        break;
    case OD_DEMO_HANG:
        if (attempt == 1) {
            pause_ms(20 * OD_DEMO_TIMEOUT_MS); /* never comes to its end */
        }
        break;
    case OD_DEMO_POISON:
        code = 65;
        break;
    case OD_DEMO_HOPELESS:
        code = 1;
        break;
    }
    note(journal, 'E', id, attempt, code);
    if (code == 139) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    return code;
}
