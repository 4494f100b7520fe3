/* A core on the bench: settings by name, steps, and what came of the last one. */
#ifndef OD_TESTS_CORE_LAB_H
#define OD_TESTS_CORE_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/config.h"
#include "core/core.h"

struct lab {
    struct od_settings settings;
    struct od_core *core;
    struct od_effects effects; /* of the last step */
    int64_t now;
    uint64_t last_tag;
};

/* Name, value pairs up to NULL, over usual settings. */
void lab_init(struct lab *, const char *const *pairs);
void lab_fini(struct lab *);
/* wall = now + 1,000,000,000. */
void lab_step(struct lab *, struct od_event);
/* Stay `id` of partition `id`, ready at `position`. */
void lab_assign(struct lab *, uint32_t id, enum od_topic_kind, int64_t position);
/* Records of these offsets, each of its own key; due_in > 0: parked for so long. */
void lab_fetch(struct lab *, uint32_t id, int64_t first, size_t count, uint32_t size, int64_t due_in);
void lab_settle(struct lab *, const uint64_t *records, size_t count, enum orderly_outcome);
void lab_tick(struct lab *, int64_t at);
void lab_committed(struct lab *, uint32_t id, uint64_t sequence);
/* The n-th effect of that type in the last step; NULL. */
const struct od_effect *lab_effect(const struct lab *, enum od_effect_type, size_t n);

#endif
