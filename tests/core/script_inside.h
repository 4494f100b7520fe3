/* What the files of the transcripts share. */
#ifndef OD_TESTS_CORE_SCRIPT_INSIDE_H
#define OD_TESTS_CORE_SCRIPT_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/vec.h"
#include "core/core.h"

enum { ARGS = 64, WALL = 1000000000 };

struct known {
    uint64_t record, tag;
    uint32_t id;
    int64_t offset;
};

struct script {
    const char *name;
    int line;
    struct orderly_config *config;
    struct od_settings settings;
    struct od_core_config core_config;
    struct od_core *core;
    struct od_effects effects;
    bool show_fetch;
    int64_t now;
    uint64_t last_tag, last_callback;
    OD_VEC(struct known) known;
    struct {
        uint32_t id;
        uint64_t sequence;
        char text[8192];
        size_t size;
        int64_t offset;
    } commits[16];
    size_t commit_count;
    char *out;
    size_t out_size, out_room;
};

_Noreturn void script_fail(const struct script *, const char *what, const char *word);
__attribute__((format(printf, 2, 3))) void script_put(struct script *, const char *format, ...);
struct known *script_known_tag(struct script *, uint64_t tag);
const char *script_name_of(struct script *, uint64_t record, uint64_t tag);
struct known *script_find(struct script *, const char *word);
int script_commit_of(struct script *, uint32_t id);
/* Effects of the last step; `at` >= 0: with the time in the margin. Neighbouring FORGETs make one line. */
void script_put_effects(struct script *, int64_t at);

#endif
