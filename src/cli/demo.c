/* `orderly demo`: plans the records, writes them, replaces the members one after the other, and lets the checker judge. */
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/demo.h"
#include "orderly/testing.h"

#define RECORDS_PER_SECOND 40
#define HOSPITAL_RECORDS 60
#define MEMBERS 3
#define SETTLE_MS 30000 /* after the last record was written */
#define LEAVE_MS 20000

struct demo {
    const struct od_args *args;
    int64_t seconds;
    char folder[256], journal[300];
    struct orderly_broker *broker;
    struct od_demo_record *records;
    size_t count, written;
    struct od_demo_check check;
    struct od_demo_members members;
    struct od_demo_view view;
    size_t restarts;
    bool good;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- The plan ------------------------------------------------------------------------------------------ */

/* The same plan each time: what is shown does not hang on luck. */
static unsigned next_random(unsigned *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void plan_ward(struct od_demo_record *record, unsigned *state)
{
    static const int delays[] = {200, 500, 900, 1500, 3000};
    unsigned dice = next_random(state) % 100;
    *record = (struct od_demo_record){.kind = OD_DEMO_ACK, .key = (int)(next_random(state) % 40)};
    record->work_ms = 3 + (int)(next_random(state) % 60);
    if (dice < 12) {
        record->kind = OD_DEMO_RETRY;
        record->failures = dice < 9 ? 1 : 2;
        record->delay_ms = delays[next_random(state) % 5];
    } else if (dice < 14) {
        record->kind = OD_DEMO_CRASH;
    } else if (dice < 15) {
        record->kind = OD_DEMO_HANG;
    } else if (dice < 17) {
        record->kind = OD_DEMO_POISON;
    } else if (dice < 18) {
        record->kind = OD_DEMO_HOPELESS;
    } else if (dice < 20) {
        record->work_ms = 800; /* one that a member has to wait for when it leaves */
    }
}

/* Hospital records come early, the one with the longest delay first: it must not hold up the others. */
static void plan_records(struct demo *demo)
{
    unsigned state = 20261130;
    size_t hospital_at = demo->count / 10;
    for (size_t i = 0; i < demo->count; i++) {
        struct od_demo_record *record = &demo->records[i];
        plan_ward(record, &state);
        if (record->kind == OD_DEMO_HANG && i > demo->count * 2 / 5) {
            record->kind = OD_DEMO_ACK; /* its timeout would be the end that all wait for */
        }
        if (i >= hospital_at && i < hospital_at + HOSPITAL_RECORDS) {
            int longest = (int)demo->seconds * 600;
            *record = (struct od_demo_record){.kind = OD_DEMO_ACK, .hospital = true, .work_ms = 5, .key = (int)i};
            record->delay_ms = i == hospital_at ? longest : 300 + (int)(next_random(&state) % (unsigned)longest);
        }
    }
}

static bool write_record(struct demo *demo, size_t id)
{
    struct od_demo_record *record = &demo->records[id];
    char value[96], key[16], due[32];
    struct orderly_header header = {"retry-after", {due, 0}};
    od_demo_value(record, id, value, sizeof value);
    snprintf(key, sizeof key, "patient-%d", record->key);
    record->produced_ms = od_now_ms();
    if (record->hospital) {
        record->due_ms = record->produced_ms + record->delay_ms;
        od_format_time(record->due_ms, due);
        header.value.size = strlen(due);
    }
    struct orderly_bytes key_bytes = {key, strlen(key)}, value_bytes = {value, strlen(value)};
    enum orderly_err err = orderly_broker_produce(demo->broker, record->hospital ? "hospital" : "ward", -1, key_bytes,
                                                  value_bytes, record->hospital ? &header : NULL, record->hospital);
    if (err) {
        od_talk("orderly demo: a record could not be written: %s", orderly_strerror(err));
    }
    return !err;
}

/* ---- The course ---------------------------------------------------------------------------------------- */

static void rest(void)
{
    struct timespec time = {0, 15000000};
    nanosleep(&time, NULL);
}

/* One turn: look at members and journal, show. False: something went wrong, or Ctrl-C. */
static bool turn(struct demo *demo)
{
    od_demo_check_read(&demo->check);
    od_demo_view_draw(&demo->view, &demo->check, &demo->members, false);
    if (!od_demo_watch_members(&demo->members)) {
        demo->good = false;
    }
    rest();
    return demo->good && !interrupted;
}

/* A new member comes, then an old one goes: m1, m2, m3 in turn, in the middle of the run. */
static void restart_one(struct demo *demo)
{
    struct od_demo_member *old = &demo->members.list[demo->restarts];
    if (!od_demo_start_member(&demo->members)) {
        demo->good = false;
        return;
    }
    od_demo_stop_member(old);
    demo->restarts++;
    od_demo_view_event(&demo->view, "rolling restart: %s comes, %s finishes what it runs and leaves",
                       demo->members.list[demo->members.count - 1].name, old->name);
}

static void restart_when_due(struct demo *demo)
{
    if (demo->restarts == MEMBERS || demo->written < demo->count * (4 + demo->restarts) / 10) {
        return;
    }
    if (demo->restarts && !demo->members.list[demo->restarts - 1].gone) {
        return; /* one after the other */
    }
    restart_one(demo);
}

static void produce_and_watch(struct demo *demo)
{
    int64_t begun_ms = od_monotonic_ms();
    size_t told = 0;
    while (demo->written < demo->count && turn(demo)) {
        size_t wanted = (size_t)((od_monotonic_ms() - begun_ms) * RECORDS_PER_SECOND / 1000);
        while (demo->written < demo->count && demo->written < wanted && demo->good) {
            demo->good = write_record(demo, demo->written);
            demo->written++;
        }
        if (!told && demo->written > demo->count / 10) {
            told = 1;
            od_demo_view_event(&demo->view,
                               "somebody else fills the hospital topic: %d records, each with its own time",
                               HOSPITAL_RECORDS);
        }
        restart_when_due(demo);
    }
}

static void wait_for_the_rest(struct demo *demo)
{
    int64_t end_ms = od_monotonic_ms() + SETTLE_MS;
    if (demo->good && !interrupted) {
        od_demo_view_event(&demo->view, "all is written; now the last retries");
    }
    while (demo->good && demo->check.report.finished < demo->count && od_monotonic_ms() < end_ms && turn(demo)) {
    }
}

/* A demo on a terminal stays until Ctrl-C, so that the status page can be looked at. */
static void stay(struct demo *demo)
{
    if (od_args_has(demo->args, "exit") || !od_is_terminal(stdout) || !demo->good || interrupted) {
        return;
    }
    char page[128];
    if (od_demo_page(&demo->members, page, sizeof page)) {
        printf(
            "\nThe members go on. %s is the status page of one; `orderly top --admin %.*s` shows it here. Ctrl-C ends "
            "it.\n",
            page, (int)strcspn(page + 7, "/"), page + 7);
    }
    fflush(stdout);
    while (demo->good && !interrupted) {
        demo->good = od_demo_watch_members(&demo->members);
        rest();
    }
}

static void leave(struct demo *demo)
{
    int64_t end_ms = od_monotonic_ms() + LEAVE_MS;
    for (size_t i = 0; i < demo->members.count; i++) {
        od_demo_stop_member(&demo->members.list[i]);
    }
    while (!od_demo_all_gone(&demo->members) && od_monotonic_ms() < end_ms) {
        demo->good &= od_demo_watch_members(&demo->members);
        rest();
    }
    if (!od_demo_all_gone(&demo->members)) {
        od_talk("orderly demo: members did not leave within %d s", LEAVE_MS / 1000);
        demo->good = false;
    }
    od_demo_kill_members(&demo->members);
}

/* ---- Set up and take down ------------------------------------------------------------------------------- */

static bool make_topics(struct demo *demo)
{
    static const char *const topics[] = {"ward",     "ward.demo.retry",     "ward.demo.dlt",
                                         "hospital", "hospital.demo.retry", "hospital.demo.dlt"};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) {
        if (orderly_broker_create_topic(demo->broker, topics[i], 6)) {
            od_talk("orderly demo: topic %s could not be created", topics[i]);
            return false;
        }
    }
    return true;
}

static bool set_up(struct demo *demo)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    const char *base = getenv("TMPDIR");
    snprintf(demo->folder, sizeof demo->folder, "%.200s/orderly-demo-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(demo->folder)) {
        *demo->folder = '\0';
        od_talk("orderly demo: no folder for logs could be made");
        return false;
    }
    snprintf(demo->journal, sizeof demo->journal, "%s/journal", demo->folder);
    FILE *journal = fopen(demo->journal, "a+");
    demo->count = (size_t)demo->seconds * RECORDS_PER_SECOND;
    demo->records = calloc(demo->count, sizeof *demo->records);
    if (!journal || !demo->records) {
        od_talk("orderly demo: the journal could not be made");
        return false;
    }
    od_demo_check_init(&demo->check, demo->records, demo->count, journal);
    if (orderly_broker_new(1, &demo->broker, &error)) {
        od_talk("orderly demo: %s", error.text);
        return false;
    }
    plan_records(demo);
    demo->members.folder = demo->folder;
    demo->members.journal = demo->journal;
    demo->members.brokers = orderly_broker_bootstrap(demo->broker);
    return make_topics(demo);
}

static void remove_folder(const char *folder)
{
    char path[600];
    DIR *list = opendir(folder);
    for (struct dirent *entry; list && (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            unlink(path);
        }
    }
    if (list) {
        closedir(list);
    }
    rmdir(folder);
}

static void take_down(struct demo *demo)
{
    od_demo_kill_members(&demo->members);
    orderly_broker_free(demo->broker);
    od_demo_check_fini(&demo->check);
    if (demo->check.journal) {
        fclose(demo->check.journal);
    }
    free(demo->records);
    if (*demo->folder && od_args_has(demo->args, "keep")) {
        printf("logs and journal: %s\n", demo->folder);
    } else if (*demo->folder) {
        remove_folder(demo->folder);
    }
}

static void play(struct demo *demo)
{
    od_demo_view_event(&demo->view, "%d members consume ward and hospital; a handler process for each record", MEMBERS);
    for (size_t i = 0; i < MEMBERS && demo->good; i++) {
        demo->good = od_demo_start_member(&demo->members);
    }
    produce_and_watch(demo);
    wait_for_the_rest(demo);
    od_demo_view_draw(&demo->view, &demo->check, &demo->members, true);
}

static bool judge(struct demo *demo)
{
    od_demo_check_read(&demo->check);
    demo->check.count = demo->written;
    od_demo_check_finish(&demo->check);
    return od_demo_print_summary(&demo->check.report, demo->restarts);
}

int od_demo_command(const struct od_args *args)
{
    struct demo demo = {.args = args, .good = true};
    if (od_args_has(args, "handler")) {
        return od_demo_handle(od_args_text(args, "handler"));
    }
    if (!od_args_number(args, "seconds", 5, 3600, 20, &demo.seconds)) {
        return OD_EXIT_USAGE;
    }
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    demo.view.live = od_is_terminal(stdout) && !od_args_has(args, "plain");
    demo.view.begun_ms = od_monotonic_ms();
    demo.good = set_up(&demo);
    if (demo.good) {
        play(&demo);
        bool stays = !od_args_has(args, "exit") && od_is_terminal(stdout);
        if (!stays) {
            leave(&demo);
        }
        demo.good &= judge(&demo);
        if (stays) {
            stay(&demo);
            leave(&demo);
        }
    }
    take_down(&demo);
    return demo.good ? OD_EXIT_OK : OD_EXIT_FAILURE;
}
