/* orderly-sim [--seeds N] [--first SEED] [--situation NAME] [--transcript]: histories from seeds; the first wrong one is told in full. */
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct options {
    uint64_t seeds, first;
    const char *situation;
    bool transcript;
    long keep_going;
};

static _Noreturn void usage(void)
{
    fprintf(
        stderr,
        "usage: orderly-sim [--seeds N] [--first SEED] [--situation NAME] [--transcript] [--keep-going N]\nsituations:");
    for (size_t i = 0; i < sim_situation_count; i++) {
        fprintf(stderr, " %s", sim_situations[i].name);
    }
    fprintf(stderr, "\n");
    exit(2);
}

static struct options read_options(int argc, char **argv)
{
    struct options options = {.seeds = 1000, .first = 1};
    for (int i = 1; i < argc; i++) {
        bool value = i + 1 < argc;
        if (!strcmp(argv[i], "--transcript")) {
            options.transcript = true;
        } else if (!strcmp(argv[i], "--seeds") && value) {
            options.seeds = strtoull(argv[++i], NULL, 10);
        } else if (!strcmp(argv[i], "--first") && value) {
            options.first = strtoull(argv[++i], NULL, 10);
        } else if (!strcmp(argv[i], "--situation") && value) {
            options.situation = argv[++i];
        } else if (!strcmp(argv[i], "--keep-going") && value) {
            options.keep_going = strtol(argv[++i], NULL, 10);
        } else {
            usage();
        }
    }
    return options;
}

static const struct sim_situation *situation_of(const struct options *options, uint64_t seed)
{
    if (!options->situation) {
        return &sim_situations[seed % sim_situation_count];
    }
    for (size_t i = 0; i < sim_situation_count; i++) {
        if (!strcmp(sim_situations[i].name, options->situation)) {
            return &sim_situations[i];
        }
    }
    usage();
}

static void summary(const struct sim_counts *c, uint64_t seeds)
{
    printf(
        "%llu histories: %llu events, %llu starts and %llu commits examined, %llu copies to retry topics, %llu dead letters, "
        "%llu revokes, %llu losses, %llu crashes, %llu stand-stills, %llu seeks, %llu skipped by maps, %llu repeats after "
        "crashes and losses, %llu drains cut, %llu double copies, %llu reliefs (%llu of them not the first of their record), %llu let go, %llu re-reads, %llu times map_full, %llu truncations, %llu gates forced, %llu recalled\n",
        (unsigned long long)seeds, (unsigned long long)c->events, (unsigned long long)c->starts_checked,
        (unsigned long long)c->commits_checked, (unsigned long long)c->retries, (unsigned long long)c->dead_letters,
        (unsigned long long)c->rebalances, (unsigned long long)c->losts, (unsigned long long)c->crashes,
        (unsigned long long)c->freezes, (unsigned long long)c->seeks, (unsigned long long)c->skipped,
        (unsigned long long)c->repeats, (unsigned long long)c->drains_cut, (unsigned long long)c->duplicates,
        (unsigned long long)c->reliefs, (unsigned long long)c->relieved_again, (unsigned long long)c->let_go,
        (unsigned long long)c->rereads, (unsigned long long)c->map_full, (unsigned long long)c->truncations,
        (unsigned long long)c->gates_forced, (unsigned long long)c->recalled);
}

/* A run that never came to the interesting places says nothing: each of these happens in any few thousand histories. */
static bool happened(const struct sim_counts *c)
{
    const struct {
        const char *name;
        uint64_t count;
    } places[] = {{"a repeat after a crash", c->repeats},
                  {"a crash", c->crashes},
                  {"an eviction", c->evictions},
                  {"a loss", c->losts},
                  {"a retry copy", c->retries},
                  {"a dead letter", c->dead_letters},
                  {"a second copy", c->duplicates},
                  {"a relief", c->reliefs},
                  {"a second relief of one record", c->relieved_again},
                  {"bytes let go", c->let_go},
                  {"a re-read", c->rereads},
                  {"a record skipped by a map", c->skipped},
                  {"a full map or window", c->map_full},
                  {"a cut drain", c->drains_cut},
                  {"a forced gate", c->gates_forced},
                  {"a seek", c->seeks},
                  {"a stand-still", c->freezes},
                  {"an unclean election", c->truncations},
                  {"one below the committed offset", c->truncated_below},
                  {"a recall", c->recalled}};
    bool all = true;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!places[i].count) {
            fprintf(stderr, "never happened: %s\n", places[i].name);
            all = false;
        }
    }
    return all;
}

int main(int argc, char **argv)
{
    struct options options = read_options(argc, argv);
    struct sim_counts counts = {0};
    char reason[512];
    long failures = 0;
    for (uint64_t i = 0; i < options.seeds; i++) {
        uint64_t seed = options.first + i;
        const struct sim_situation *situation = situation_of(&options, seed);
        if (sim_history(seed, situation, options.transcript ? stdout : NULL, &counts, reason)) {
            continue;
        }
        fprintf(stderr, "seed %llu (%s): %s\n", (unsigned long long)seed, situation->name, reason);
        if (++failures > options.keep_going) {
            struct sim_counts again = {0};
            if (!options.transcript) {
                (void)sim_history(seed, situation, stdout, &again, reason);
            }
            fprintf(stderr, "again: orderly-sim --situation %s --first %llu --seeds 1 --transcript\n", situation->name,
                    (unsigned long long)seed);
            return 1;
        }
    }
    summary(&counts, options.seeds);
    bool enough = options.situation || options.seeds < 5000 || happened(&counts);
    return failures != 0 || !enough;
}
