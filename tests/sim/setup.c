/* What a history is made of: settings, topics, members and faults, drawn from the seed within its situation. */
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

#define ALL_FAULTS                                                                                        \
    .crash = true, .evict = true, .spurious = true, .commits = true, .produces = true, .rereads = true,   \
    .freeze = true, .log_start = true, .stubborn = true, .faulty = true, .small = true, .hospital = true, \
    .slow_network = true, .pause = true, .truncate = true

const struct sim_situation sim_situations[] = {
    {"planned", {.strict = true, .hospital = true, .truncate = true}, SIM_RUN, false, false},
    {"planned-faulty",
     {.strict = true, .faulty = true, .small = true, .hospital = true, .pause = true},
     SIM_RUN,
     false,
     false},
    {"planned-eager", {.strict = true, .faulty = true, .hospital = true}, SIM_RUN, true, false},
    {"planned-poll", {.strict = true, .faulty = true, .hospital = true, .pause = true}, SIM_POLL, false, false},
    {"crash", {.crash = true, .hospital = true, .truncate = true}, SIM_RUN, false, false},
    {"evict", {.evict = true, .spurious = true, .stubborn = true, .slow_network = true}, SIM_RUN, false, false},
    {"edges",
     {.commits = true, .produces = true, .rereads = true, .slow_network = true, .hospital = true},
     SIM_RUN,
     false,
     false},
    {"memory",
     {.small = true, .rereads = true, .hospital = true, .log_start = true, .produces = true},
     SIM_RUN,
     false,
     false},
    {"freeze", {.freeze = true, .crash = true, .commits = true}, SIM_RUN, false, false},
    {"static", {.crash = true, .faulty = true}, SIM_RUN, false, true},
    {"old-broker", {.crash = true, .hospital = true, .no_epochs = true}, SIM_RUN, false, false},
    {"seek", {.seek = true, .hospital = true, .faulty = true, .crash = true}, SIM_MIXED, false, false},
    {"everything", {ALL_FAULTS}, SIM_MIXED, false, false},
    {"everything-eager", {ALL_FAULTS}, SIM_MIXED, true, false},
    {"everything-poll", {ALL_FAULTS}, SIM_POLL, false, false},
};
const size_t sim_situation_count = sizeof sim_situations / sizeof *sim_situations;

/* Of the faults of a situation each is in about two of three histories, so that they meet in all combinations. */
static void draw_faults(struct sim *sim)
{
    const struct sim_faults *may = &sim->situation->may;
    struct sim_faults *faults = &sim->faults;
    faults->strict = may->strict;
    faults->no_epochs = may->no_epochs;
    bool *drawn = &faults->crash;
    const bool *from = &may->crash;
    for (size_t i = 0; i < 16; i++) {
        drawn[i] = from[i] && sim_chance(sim, 650);
    }
    faults->fast = sim_chance(sim, 250);
    faults->sparse = sim_chance(sim, 200);
    faults->ward = sim_chance(sim, 120);
    sim->eager = sim->situation->eager;
    sim->statics = sim->situation->statics;
}

static void draw_limits(struct sim *sim)
{
    struct od_settings *s = &sim->settings;
    bool small = sim->faults.small;
    s->memory_records = small ? sim_between(sim, 4000, 20000) : 1 << 20;
    bool sparse = sim->faults.sparse;
    s->limit_window = small && !sparse ? sim_between(sim, 4, 40) : sim_between(sim, 50, 1000);
    s->limit_lane = small ? sim_between(sim, 3, 20) : 1000;
    s->limit_parked = small ? sim_between(sim, 3, 30) : 100000;
    s->limit_releases = sim_between(sim, 30, 60);
    s->limit_offset_map = sparse  ? sim_between(sim, OD_OFFSET_MAP_MIN, 75)
                          : small ? sim_between(sim, OD_OFFSET_MAP_MIN, 90)
                                  : sim_between(sim, 80, 4000);
    s->relief_min_interval = sim_chance(sim, 500) ? sim_between(sim, 50, 1000) : sim_between(sim, 1000, 30000);
    s->relief_rate = sim_between(sim, 1, 1000);
    s->rate = sim_chance(sim, 100) ? sim_between(sim, 20, 200) : 0;
}

static void draw_settings(struct sim *sim)
{
    struct od_settings *s = &sim->settings;
    s->concurrency = sim_between(sim, 1, 16);
    s->order = (enum od_order)sim_between(sim, 0, 2);
    s->retry_in = s->order == OD_ORDER_NONE || sim_chance(sim, 400) ? OD_RETRY_IN_TOPIC : OD_RETRY_IN_LANE;
    s->block_rebalance_on_poll = sim_chance(sim, 700);
    s->retry_attempts = sim_between(sim, 1, 6);
    s->backoff_first = sim_between(sim, 50, 2000);
    s->backoff_factor = sim_between(sim, 1000, 3000);
    s->backoff_max = sim_between(sim, 1000, 20000);
    s->backoff_jitter = sim_between(sim, 0, 300);
    s->retry_max_delay = sim_chance(sim, 800) ? 86400000 : sim_between(sim, 2000, 10000);
    s->dead_letter_max_rate = sim_chance(sim, 900) ? 1000 : 100;
    s->oversize = sim_chance(sim, 500) ? OD_OVERSIZE_STOP : OD_OVERSIZE_REFERENCE;
    s->policy = sim_chance(sim, 700) ? OD_POLICY_DRAIN : sim_chance(sim, 500) ? OD_POLICY_FINISH : OD_POLICY_IMMEDIATE;
    if (sim->faults.strict && s->policy == OD_POLICY_IMMEDIATE) {
        s->policy = OD_POLICY_DRAIN;
    }
    s->max_poll_interval = sim_between(sim, 60000, 120000);
    s->session_timeout = sim_between(sim, 6000, 20000);
    s->heartbeat_interval = 1000;
    s->hold_deadline = s->max_poll_interval - s->heartbeat_interval - 5000;
    s->hold_max = sim_between(sim, 1000, 20000);
    s->drain_timeout = sim_between(sim, 3000, 15000);
    s->commit_timeout = sim_between(sim, 3000, 10000);
    s->lost_grace = 1000;
    s->kill_grace = sim_between(sim, 0, 2000);
    s->close_timeout = sim_between(sim, 30000, 120000);
    s->commit_interval = sim_between(sim, 100, 3000);
    if (sim->situation->face == SIM_POLL && !sim->faults.strict && sim_chance(sim, 150)) {
        s->commit_interval = OD_NEVER; /* the application commits itself; what it has not at a hand-over runs again */
    }
    s->commit_map_interval = sim_between(sim, 100, 6000);
    s->on_lost = sim_chance(sim, 500) ? OD_ON_LOST_STOP : OD_ON_LOST_CONTINUE;
    draw_limits(sim);
}

static void add_partition(struct sim *sim, uint32_t topic, int32_t number, enum od_topic_kind kind, bool dead)
{
    struct sim_partition partition = {.index = (uint32_t)sim->partitions.count,
                                      .topic = topic,
                                      .number = number,
                                      .kind = kind,
                                      .dead_letters = dead,
                                      .committed = -1,
                                      .owner = -1,
                                      .epoch = 3,
                                      .first = sim_chance(sim, 500) ? 0 : sim_between(sim, 1, 1000000),
                                      .topic_id_hash =
                                          sim->faults.no_epochs ? 0 : od_hash_u64(topic * 3 + (unsigned)kind + 77)};
    partition.log_start = partition.first;
    if (!od_vec_push(&sim->partitions, partition)) {
        abort();
    }
}

static void draw_topics(struct sim *sim)
{
    uint32_t topics = (uint32_t)sim_between(sim, 1, 2), each = (uint32_t)sim_between(sim, 1, 3);
    sim->sources = topics * each;
    for (int kind = 0; kind < 3; kind++) {
        for (uint32_t t = 0; t < topics; t++) {
            for (uint32_t p = 0; p < each; p++) {
                add_partition(sim, t, (int32_t)p, kind == 1 ? OD_TOPIC_RETRY : OD_TOPIC_SOURCE, kind == 2);
            }
        }
    }
}

/* a: records to write; b: how many are still to come after that; c: keys. */
void sim_produce(struct sim *sim, const struct sim_event *event)
{
    for (uint64_t i = 0; i < event->a; i++) {
        struct sim_partition *to = &sim->partitions.items[od_random_below(&sim->random, sim->sources)];
        struct sim_entry entry = {.has_key = sim_chance(sim, 900),
                                  .key = (uint32_t)od_random_below(&sim->random, event->c),
                                  .size = (uint32_t)sim_between(sim, 1, sim->max_size),
                                  .origin = to->index};
        if (sim->faults.ward ? sim_chance(sim, 850) : sim->faults.hospital && sim_chance(sim, 300)) {
            entry.delay = sim_chance(sim, 700) ? sim_between(sim, 1, 8000) : sim_between(sim, 10000, 60000);
            entry.due_wall = SIM_WALL0 * INT64_C(1000) + sim->now + entry.delay;
        }
        sim_log_append(sim, to, entry);
        struct sim_entry *written = &od_vec_last(&to->log)[0];
        written->origin_offset = sim_log_end(to) - 1;
    }
    sim->producing = event->b > 0;
    if (event->b) {
        uint64_t now = 1 + od_random_below(&sim->random, event->b);
        sim_at(sim, sim_between(sim, 10, 8000), sim_produce,
               (struct sim_event){.a = now, .b = event->b - now, .c = event->c});
    }
}

static void draw_members(struct sim *sim)
{
    sim->member_count = (int)sim_between(sim, 2, SIM_MEMBERS);
    int first = (int)sim_between(sim, 1, sim->member_count);
    for (int i = 0; i < sim->member_count; i++) {
        struct sim_member *member = &sim->members[i];
        member->index = i;
        member->is_static = sim->statics;
        member->mono = sim_between(sim, 1, 1000000);
        member->skew = sim_chance(sim, 700) ? 0 : sim_between(sim, -3000, 3000);
        member->poll = sim->situation->face == SIM_POLL || (sim->situation->face == SIM_MIXED && sim_chance(sim, 400));
        member->gone = i >= first;
        if (i < first) {
            sim_at(sim, sim_between(sim, 0, 500), sim_member_start, (struct sim_event){.member = i});
        }
    }
}

static void say_head(struct sim *sim)
{
    const struct od_settings *s = &sim->settings;
    sim_say(
        sim,
        "seed %llu, %s: %u partitions, %d members%s%s; order %d, retry in %s, attempts %lld, concurrency %lld, policy %d, "
        "window %lld, lane %lld, parked %lld, map %lld, memory %lld",
        (unsigned long long)sim->seed, sim->situation->name, sim->sources, sim->member_count,
        sim->eager ? ", eager" : "", sim->statics ? ", static" : "", (int)s->order,
        s->retry_in == OD_RETRY_IN_LANE ? "lane" : "topic", (long long)s->retry_attempts, (long long)s->concurrency,
        (int)s->policy, (long long)s->limit_window, (long long)s->limit_lane, (long long)s->limit_parked,
        (long long)s->limit_offset_map, (long long)s->memory_records);
    const bool *f = &sim->faults.strict;
    static const char *const names[] = {"strict",  "crash",    "evict",        "spurious", "commits",  "produces",
                                        "rereads", "freeze",   "log_start",    "seek",     "stubborn", "faulty",
                                        "small",   "hospital", "slow_network", "pause",    "truncate", "fast",
                                        "sparse",  "ward",     "no_epochs"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (f[i]) {
            sim_say(sim, "  %s", names[i]);
        }
    }
}

void sim_draw(struct sim *sim)
{
    draw_faults(sim);
    draw_settings(sim);
    draw_topics(sim);
    sim->max_size = sim->faults.small ? 900 : 3000;
    say_head(sim);
    draw_members(sim);
    uint64_t records = (uint64_t)sim_between(sim, 10, 60) * sim->sources;
    records = records > 160 ? 160 : records;
    uint64_t early = 1 + od_random_below(&sim->random, records);
    uint64_t keys = (uint64_t)(sim_chance(sim, 500) ? sim_between(sim, 1, 5) : sim_between(sim, 10, 60));
    sim_at(sim, 0, sim_produce, (struct sim_event){.a = early, .b = records - early, .c = keys});
    sim->heal_at = sim_between(sim, 20000, 60000);
    sim_at(sim, sim->heal_at, sim_heal, (struct sim_event){0});
    sim_at(sim, sim_between(sim, 500, 8000), sim_change, (struct sim_event){0});
    sim_at(sim, sim_between(sim, 500, 8000), sim_trouble, (struct sim_event){0});
}
