/*
 * `orderly demo`: an embedded broker and a producer in this process, members as `orderly run` processes, their handlers as processes
 * of this program again (`orderly demo --handler`). What is shown and checked is read from the handlers' journal alone:
 *
 *     B ID ATTEMPT MS          a run begins
 *     E ID ATTEMPT MS CODE     it ends with this exit code (139: it is about to crash)
 */
#ifndef OD_CLI_DEMO_H
#define OD_CLI_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"

struct orderly_broker;

#define OD_DEMO_ATTEMPTS 4      /* retry.attempts of the members */
#define OD_DEMO_TIMEOUT_MS 8000 /* handler.exec.timeout: far above what the others need, also on a busy machine */

/* What a handler does with a record; it is written in the record's value. */
enum od_demo_kind {
    OD_DEMO_ACK,     /* works */
    OD_DEMO_RETRY,   /* asks for a retry after `delay_ms`, `failures` times, then works */
    OD_DEMO_CRASH,   /* crashes once, then works */
    OD_DEMO_HANG,    /* runs into its timeout once, then works */
    OD_DEMO_POISON,  /* never valid: exit 65 */
    OD_DEMO_HOPELESS /* fails every time: attempts run out */
};

struct od_demo_record {
    enum od_demo_kind kind;
    int failures, delay_ms, work_ms;
    int key;
    bool hospital;               /* in the topic that "somebody else" filled, with retry-after */
    int64_t produced_ms, due_ms; /* due 0: at once */
    /* From the journal. */
    int runs, ends, repeats;
    int last_attempt, last_code;
    int64_t first_begin_ms, first_end_ms, last_end_ms;
    bool out_of_order;
};

/* A record's value for the handler, and back. */
void od_demo_value(const struct od_demo_record *, size_t id, char *ret, size_t size);
bool od_demo_parse(const char *text, struct od_demo_record *ret, size_t *ret_id);

/* `orderly demo --handler JOURNAL`: handles the record on stdin; the exit code. */
int od_demo_handle(const char *journal);

/* What the checker found. */
struct od_demo_report {
    size_t produced, finished, done, retried, dead, runs;
    size_t lost, repeated, early, out_of_order, wrong; /* each must be 0; wrong: another fate than planned */
    size_t waiting, parked_peak;
    int64_t earliest_ms; /* the least of (begin of a retry - its time); INT64_MAX: there was none */
    int64_t latest_ms;
    int64_t longest_stall_ms; /* between two begins, while there was work */
};

/* Reads a journal bit by bit. */
struct od_demo_check {
    struct od_demo_record *records;
    size_t count;
    FILE *journal;
    struct od_demo_report report;
    int last_of_key[64];        /* the last record of each key whose first run began, + 1 */
    struct od_demo_wait *waits; /* times at which a record begins or ends to wait */
    size_t wait_count, wait_room;
};
void od_demo_check_init(struct od_demo_check *, struct od_demo_record *, size_t count, FILE *journal);
/* Takes what was written since the last call. */
void od_demo_check_read(struct od_demo_check *);
/* The closing sums. */
void od_demo_check_finish(struct od_demo_check *);
void od_demo_check_fini(struct od_demo_check *);
bool od_demo_finished(const struct od_demo_record *);
/* Prints the summary on stdout; true when every figure is as promised. */
bool od_demo_print_summary(const struct od_demo_report *, size_t restarts);

/* The members. */
#define OD_DEMO_MEMBERS_MAX 8
struct od_demo_member {
    int pid;
    char name[8];
    char log[300];
    bool leaving, gone;
    int status;
};
struct od_demo_members {
    struct od_demo_member list[OD_DEMO_MEMBERS_MAX];
    size_t count;
    const char *folder, *brokers, *journal;
};
/* False: it was said why not. */
bool od_demo_start_member(struct od_demo_members *);
void od_demo_stop_member(struct od_demo_member *); /* SIGTERM */
/* Looks which have ended; false when one has that should not, or badly. */
bool od_demo_watch_members(struct od_demo_members *);
/* The status page of a member that runs, as its log says. */
bool od_demo_page(const struct od_demo_members *, char *ret, size_t size);
bool od_demo_all_gone(const struct od_demo_members *);
/* Ends what is left: SIGKILL. */
void od_demo_kill_members(struct od_demo_members *);

/* The view. */
struct od_demo_view {
    bool live, begun;
    int64_t begun_ms, drawn_ms;
    char events[4][160];
};
void od_demo_view_event(struct od_demo_view *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void od_demo_view_draw(struct od_demo_view *, const struct od_demo_check *, const struct od_demo_members *, bool now);

#endif
