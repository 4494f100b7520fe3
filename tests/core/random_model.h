/* The model of random_test.c: what a core may say, given what it was told. Everything that it says wrong ends the test with the seed. */
#ifndef OD_TESTS_CORE_RANDOM_MODEL_H
#define OD_TESTS_CORE_RANDOM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/vec.h"
#include "core/core.h"

enum { MODEL_STAYS = 5, MODEL_WALL = 1000000000 };

enum tag_state { TAG_HELD, TAG_OUT, TAG_LET_GO, TAG_GONE };
enum fate { FATE_WAITS, FATE_RUNS, FATE_COPIES, FATE_CUT, FATE_DONE };

struct item { /* one offset of one stay */
    int64_t offset, due;
    uint64_t record, tag, lane;
    enum fate fate;
    uint32_t stay, size;
    bool relief;
};

struct stay {
    uint32_t id;
    bool live, ready, ending, closed;
    int64_t next, floor; /* next offset to give; where the window began */
    uint32_t credit;
    int64_t credit_bytes;
    uint64_t commit; /* in flight; 0 none */
    enum od_topic_kind kind;
};

struct world {
    struct od_random random;
    struct od_settings settings;
    struct od_core_config config;
    struct od_core *core;
    struct od_effects effects;
    int64_t now;
    OD_VEC(struct stay) stays;
    OD_VEC(struct item) items;
    OD_VEC(uint8_t) tags; /* by tag: enum tag_state */
    OD_VEC(uint64_t) copies, rereads, callbacks, late;
    OD_VEC(uint32_t) revoking;
    bool revoke_open, closing, leaving, closed, gate;
    uint64_t want, running;
    uint32_t last_id;
    uint64_t runs, done;
};

extern uint64_t model_seed;

#define check(w, expression) ((expression) ? (void)0 : model_broken(__FILE__, __LINE__, #expression, (w)->now))
_Noreturn void model_broken(const char *file, int line, const char *what, int64_t now);

struct stay *model_stay_of(struct world *, uint32_t id);
struct item *model_by_tag(struct world *, uint64_t tag);
struct item *model_by_record(struct world *, uint64_t record);
/* What runs of a stay is given up: its outcomes will be late. */
void model_cut(struct world *, uint32_t id);
void model_saw(struct world *, const struct od_effect *);
/* One step, at the time of the world; what it led to is looked at. */
void model_step(struct world *, struct od_event *);

#endif
