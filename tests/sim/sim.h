/*
 * The simulator: two to four cores against a model of partitions, group coordinator, producer and handlers, in virtual time. One seed is
 * one history. What is true (which record really ended how) is kept beside the cores and asked at each start of a handler, each
 * commit and at the end: lost, repeated, out of order, early, memory. Everything a core does wrong ends the history with a sentence.
 *
 *     coordinator --ASSIGNED REVOKE LOST--> edge of a member --event--> core --effects--> edge: fetches, jobs, copies, commits
 *          ^                                                                                 |
 *          +------------------------- answers, commits into the group's store --------------+
 */
#ifndef SIM_H
#define SIM_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/random.h"
#include "base/settings.h"
#include "base/vec.h"
#include "core/core.h"
#include "core/offset_map.h"

enum { SIM_MEMBERS = 4, SIM_TEXT = 4096, SIM_WALL0 = 1700000000 };

/* ---- what may happen in a history: drawn from the seed within a situation */

struct sim_faults {
    bool strict;   /* planned changes only: nothing may run twice */
    bool crash;    /* members die, also between two effects */
    bool evict;    /* the coordinator throws members out */
    bool spurious; /* lost is said while the membership is valid */
    bool commits;  /* commit errors, with and without effect */
    bool produces; /* copy errors, with and without effect */
    bool rereads;
    bool freeze;    /* SIGSTOP: suspect, then confirmed or lost */
    bool log_start; /* the log's start moves over what is unfinished */
    bool seek;
    bool stubborn;     /* handlers that do not end when told */
    bool faulty;       /* hold, unset, throttle, release */
    bool small;        /* tight limits */
    bool hospital;     /* due times on the source topic */
    bool slow_network; /* answers take seconds */
    bool pause;
    bool truncate;  /* leader changes: higher epochs, and an unclean one that loses the end of a log */
    bool fast;      /* handlers of no time: jobs of many records */
    bool sparse;    /* logs full of gaps, a map of few characters */
    bool ward;      /* nearly all records are due later */
    bool no_epochs; /* and no topic ids: an old broker */
};

enum sim_face { SIM_RUN, SIM_POLL, SIM_MIXED };

struct sim_situation {
    const char *name;
    struct sim_faults may;
    enum sim_face face;
    bool eager, statics;
};
extern const struct sim_situation sim_situations[];
extern const size_t sim_situation_count;

/* ---- logs and what is true of them */

struct sim_entry {
    bool present, has_key, foreign;
    int32_t epoch;
    uint32_t size, attempts, key;
    uint32_t origin; /* partition index and offset of the first one */
    int64_t origin_offset;
    uint64_t copy_hash;
    int64_t due_wall, delay;
    /* the truth */
    bool durable;       /* acknowledged by its handler, or copied: may be committed */
    bool passed;        /* its successors in the lane may run */
    bool copied;        /* durable by a copy */
    bool told;          /* and its core knows */
    bool excused;       /* it may run again: its outcome was late, or the application went back */
    uint32_t done_stay; /* where it became durable */
    uint32_t active;    /* handlers that run it now */
    uint32_t out;       /* handed out, outcome not told yet */
    uint32_t spent;     /* attempts, in its lane */
    bool doubled;       /* a second copy, done by being known as one */
    bool relieved;      /* its copy has taken its place */
    uint32_t reliefs;   /* copies that brought it here, one after the other, to make room */
    int64_t relief_at;  /* when the last one was decided, and by how much that clock was wrong */
    int64_t relief_skew;
    uint32_t seen_stay; /* who received it last, and when */
    int64_t seen_at;
    uint32_t wait_stay; /* a retry in its lane there */
    int64_t not_before;
};

struct sim_partition {
    uint32_t index, topic;
    int32_t number;
    enum od_topic_kind kind;
    bool dead_letters;
    OD_VEC(struct sim_entry) log;
    int64_t first, log_start; /* offset of log.items[0] */
    int32_t epoch;
    uint64_t topic_id_hash;
    int64_t committed; /* the group's store; -1 nothing */
    int32_t committed_epoch;
    int64_t checked; /* all below it was found durable */
    char text[SIM_TEXT];
    size_t text_size;
    int owner;           /* the member the coordinator counts as its owner; -1 */
    uint32_t owner_stay; /* 0: none yet */
    size_t passed_below; /* all entries below are passed and durable */
};

/* ---- what comes */

struct sim;
struct sim_event;
typedef void sim_action(struct sim *, const struct sim_event *);
struct sim_event {
    int64_t at;
    uint64_t seq;
    sim_action *action;
    int member;
    uint32_t incarnation; /* for a member that has died meanwhile it is dropped; 0: always */
    uint64_t a, b, c, d;
};

/* ---- members */

struct sim_stay {
    int member;
    uint32_t incarnation, partition;
    bool assigned, ready, answered, closed, lost, dead, cut, trouble, sought; /* trouble: a commit of it failed */
    int64_t position;
    uint32_t credit_records;
    int64_t credit_bytes;
    bool fetching, validated, moved; /* moved: the log was cut below its position */
    int32_t ready_epoch;
    struct od_offset_map map;
    int64_t ready_position;
    uint64_t running;
    uint64_t assigned_callback; /* its sequence; 0: none */
    bool assigned_returned, end_told;
    uint64_t sent; /* sequence of the commit on its way; 0: none */
    struct sim_event sent_event;
};

struct sim_tag {
    uint32_t stay, size;
    int64_t offset;
    bool alive;
    int member;
};

enum sim_run_state { SIM_RUN_WAITING, SIM_RUN_ACTIVE, SIM_RUN_ENDED };

struct sim_run {
    struct od_run run;
    int member;
    uint32_t incarnation, job, partition;
    int64_t offset, started, ends_at;
    enum sim_run_state state;
    bool cancelled, stubborn, asynchronous, begun, delivered, stale; /* stale: from before a seek */
    struct od_settled outcome;
};

struct sim_job {
    int member;
    uint32_t incarnation, first, count, next;
    bool together; /* outcomes are told when the job is over */
    OD_VEC(uint32_t) stopped_lanes;
};

struct sim_member {
    int index;
    bool alive, joined, leaving, frozen, suspect, lost_told, poll, is_static, gone;
    uint32_t incarnation;
    struct od_core *core;
    struct od_core_config config;
    struct od_effects effects;
    int64_t mono, skew; /* its clocks against the simulation's */
    int64_t thaw_at, tick_at;
    bool loose;                /* handlers run on whose partitions have gone: they are not counted any more */
    bool valid;                /* the coordinator knows it */
    bool revoke_open;          /* in the core */
    OD_VEC(uint32_t) revoking; /* stays */
    int64_t revoke_deadline;
    uint64_t bytes_held, in_flight;
    /* the application of the poll face */
    bool gate, gate_forced, gate_at_revoke;
    uint32_t commits_open;
    uint64_t commit_token;
    OD_VEC(uint32_t) batch; /* runs of it that are not settled */
    bool batch_open;
    bool stepping;
};

/* ---- the simulation */

struct sim_counts {
    uint64_t events, runs, repeats, rebalances, crashes, evictions, commits, copies, retries, dead_letters, skipped,
        reliefs, rereads, let_go, starts_checked, commits_checked, drains_cut, seeks, losts, duplicates, not_run,
        map_full, freezes, truncations, truncated_below, gates_forced, recalled, relieved_again;
};

struct sim {
    uint64_t seed;
    const struct sim_situation *situation;
    struct sim_faults faults;
    bool eager, statics;
    FILE *transcript;
    jmp_buf out;
    char reason[512];
    struct od_random random;
    int64_t now;
    uint64_t seq;
    OD_VEC(struct sim_event) heap;

    struct od_settings settings;
    OD_VEC(struct sim_partition) partitions;
    uint32_t sources; /* partitions of the source topics come first, then retry, then dead letters, one for one */
    OD_VEC(struct sim_stay) stays;
    OD_VEC(struct sim_tag) tags;
    OD_VEC(struct sim_run) runs;
    OD_VEC(struct sim_job) jobs;
    OD_VEC(uint32_t) active; /* runs whose handler is at work */
    struct sim_member members[SIM_MEMBERS];
    int member_count;
    bool rebalance_due;
    bool eager_revoking;
    uint32_t copies_flying;
    bool producing, healed, finishing; /* healed: no more faults, everything must end */
    int64_t heal_at, end_at;
    uint32_t max_size;
    struct sim_counts counts;
    OD_VEC(char) texts; /* of commits on their way */
};

/* sim.c */
/* Ends the history with a sentence. */
_Noreturn void sim_fail(struct sim *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_say(struct sim *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_at(struct sim *, int64_t delay, sim_action *, struct sim_event);
/* Before all others of that time. */
void sim_at_first(struct sim *, int64_t delay, sim_action *, struct sim_event);
bool sim_chance(struct sim *, uint32_t thousandths);
int64_t sim_between(struct sim *, int64_t low, int64_t high);
/* True: the history was right. False: sim->reason. Without the transcript (NULL) it is silent. */
bool sim_history(uint64_t seed, const struct sim_situation *, FILE *transcript, struct sim_counts *, char reason[512]);

/* setup.c */
void sim_draw(struct sim *);
void sim_produce(struct sim *, const struct sim_event *);

/* logs.c */
struct sim_entry *sim_entry_at(struct sim_partition *, int64_t offset); /* NULL: not there */
int64_t sim_log_end(const struct sim_partition *);
/* Up to its end; of a log that was emptied before anything was read there is nothing to commit. */
bool sim_all_committed(const struct sim_partition *);
void sim_log_append(struct sim *, struct sim_partition *, struct sim_entry);
bool sim_all_done(struct sim *);
/* An unclean election: the end of the log is lost, other records take its place. Only while nobody has anything of it in hand. */
/* Where that epoch ends: what follows was written by others. */
int64_t sim_log_parts(const struct sim_partition *, int32_t epoch);
void sim_log_truncate(struct sim *, struct sim_partition *);

/* check.c: what must hold */
/* The partition has been given up in order: all that is done must be in the store. */
void sim_check_handover(struct sim *, uint32_t stay);
void sim_check_start(struct sim *, struct sim_run *);
void sim_check_end(struct sim *, struct sim_run *, enum orderly_outcome, bool never);
void sim_check_told(struct sim *, const struct sim_run *);
void sim_check_commit(struct sim *, uint32_t stay, int64_t offset, const char *text, size_t size);
void sim_check_member(struct sim *, struct sim_member *);
void sim_check_finished(struct sim *);

/* group.c: the coordinator */
void sim_group_changed(struct sim *);
void sim_group_joined(struct sim *, struct sim_member *);
void sim_group_left(struct sim *, struct sim_member *);
void sim_group_evict(struct sim *, struct sim_member *, bool planned);
void sim_group_answered(struct sim *, struct sim_member *, uint32_t stay);
void sim_group_return(struct sim *, struct sim_member *); /* a static member is back */
void sim_group_lost(struct sim *, const struct sim_event *);

/* member.c: the edge of a member */
void sim_member_start(struct sim *, const struct sim_event *);
void sim_member_crash(struct sim *, struct sim_member *);
void sim_member_close(struct sim *, const struct sim_event *);
void sim_member_step(struct sim *, struct sim_member *, struct od_event);
void sim_member_fetch(struct sim *, uint32_t stay);
void sim_member_closed(struct sim *, const struct sim_event *);
bool sim_stay_live(const struct sim *, uint32_t stay); /* its member's incarnation lives */
void sim_tag_gone(struct sim *, struct sim_member *, uint64_t tag, const char *how);
uint64_t sim_tag_new(struct sim *, struct sim_member *, uint32_t stay, int64_t offset, uint32_t size);
const char *sim_stay_name(const struct sim *, uint32_t stay);

/* effects.c */
void sim_perform(struct sim *, struct sim_member *, const struct od_effect *);

/* network.c: copies, commits, re-reads on their way */
void sim_copy(struct sim *, struct sim_member *, const struct od_effect *);
void sim_commit(struct sim *, struct sim_member *, const struct od_effect *);
void sim_commit_flush(struct sim *, uint32_t stay);
void sim_reread(struct sim *, struct sim_member *, const struct od_effect *);

/* work.c: handlers */
void sim_job(struct sim *, struct sim_member *, const struct od_effect *);
void sim_recall(struct sim *, struct sim_member *, const struct od_effect *);
void sim_cancel(struct sim *, struct sim_member *, const struct od_effect *);
void sim_poll(struct sim *, const struct sim_event *);
void sim_work_dead(struct sim *, struct sim_member *); /* its handlers have died with it */

/* application.c: what it is promised */
void sim_application_callback(struct sim *, struct sim_member *, const struct od_effect *);
void sim_application_run(struct sim *, struct sim_member *, uint32_t stay);
void sim_application_revoked(struct sim *, struct sim_member *);
void sim_application_commit(struct sim *, struct sim_member *);
void sim_application_committed(struct sim *, struct sim_member *, const struct od_effect *);
void sim_application_closed(struct sim *, struct sim_member *);

/* trouble.c: faults and planned changes */
void sim_trouble(struct sim *, const struct sim_event *);
void sim_change(struct sim *, const struct sim_event *);
void sim_heal(struct sim *, const struct sim_event *);

/* words.c: the transcript */
void sim_say_event(struct sim *, const struct sim_member *, const struct od_event *);
void sim_say_effect(struct sim *, const struct sim_member *, const struct od_effect *);

#endif
