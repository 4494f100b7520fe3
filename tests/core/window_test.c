#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/window.h"

static void the_watermark_is_the_first_unfinished(void **state)
{
    (void)state;
    struct od_window w;
    od_window_init(&w, 100);
    assert_int_equal(od_window_watermark(&w), 100);
    for (int i = 0; i < 5; i++) {
        assert_true(od_window_add(&w, 100 + i, (uint32_t)i));
    }
    assert_int_equal(w.unfinished, 5);
    od_window_done(&w, 102, 7);
    od_window_done(&w, 101, 6);
    assert_int_equal(od_window_watermark(&w), 100);
    assert_int_equal(w.done_above, 2);
    assert_int_equal(w.runs, 1);
    assert_int_equal(w.epoch, 7);
    od_window_done(&w, 100, 7);
    assert_int_equal(od_window_watermark(&w), 103);
    assert_int_equal(w.done_above, 0);
    assert_int_equal(w.runs, 0);
    od_window_done(&w, 103, 7);
    od_window_done(&w, 104, 7);
    assert_int_equal(od_window_watermark(&w), 105);
    assert_int_equal(w.unfinished, 0);
    od_window_fini(&w);
}

static void gaps_hold_nothing_back_and_are_not_counted(void **state)
{
    (void)state;
    struct od_window w;
    od_window_init(&w, 10);
    assert_true(od_window_add(&w, 15, 1));
    assert_int_equal(od_window_watermark(&w), 15);
    assert_true(od_window_add(&w, 1000, 2));
    assert_int_equal(w.runs, 1);
    assert_int_equal(w.done_above, 0);
    assert_true(od_window_seen(&w, 1010));
    assert_int_equal(w.end, 1010);
    od_window_done(&w, 15, -1);
    assert_int_equal(od_window_watermark(&w), 1000);
    od_window_done(&w, 1000, -1);
    assert_int_equal(od_window_watermark(&w), 1010);
    assert_true(od_window_seen(&w, 2000));
    assert_int_equal(od_window_watermark(&w), 2000);
    assert_true(od_window_seen(&w, 5));
    assert_int_equal(od_window_watermark(&w), 2000);
    od_window_fini(&w);
}

static void what_a_map_says_is_done_counts_as_done(void **state)
{
    (void)state;
    struct od_window w;
    od_window_init(&w, 0);
    assert_true(od_window_add(&w, 0, 9));
    assert_true(od_window_add_done(&w, 1, 3));
    assert_true(od_window_add_done(&w, 2, 3));
    assert_true(od_window_add(&w, 3, 10));
    assert_int_equal(w.done_above, 2);
    assert_int_equal(w.epoch, 3);
    int64_t cursor = w.base, first, count;
    assert_true(od_window_next_run(&w, &cursor, &first, &count));
    assert_int_equal(first, 1);
    assert_int_equal(count, 2);
    assert_false(od_window_next_run(&w, &cursor, &first, &count));
    od_window_done(&w, 0, 3);
    assert_int_equal(od_window_watermark(&w), 3);
    assert_true(od_window_add_done(&w, 4, 3));
    od_window_done(&w, 3, 3);
    assert_int_equal(od_window_watermark(&w), 5);
    od_window_fini(&w);
}

static void a_walk_may_finish_what_it_finds(void **state)
{
    (void)state;
    struct od_window w;
    od_window_init(&w, 1);
    for (int i = 1; i < 300; i += 3) {
        assert_true(od_window_add(&w, i, (uint32_t)i));
    }
    int found = 0;
    uint32_t slot;
    for (int64_t o = w.base; (slot = od_window_next(&w, &o)) != OD_SLOT_NONE; o++) {
        assert_int_equal(slot, o);
        od_window_done(&w, o, -1);
        found++;
    }
    assert_int_equal(found, 100);
    assert_int_equal(w.unfinished, 0);
    od_window_fini(&w);
}

static void memory_follows_the_unfinished_not_the_history(void **state)
{
    (void)state;
    struct od_window w;
    od_window_init(&w, 0);
    for (int64_t o = 0; o < 1000000; o++) {
        assert_true(od_window_add(&w, o, 1));
        if (o >= 100) {
            od_window_done(&w, o - 100, 1);
        }
    }
    assert_true(w.blocks <= 8);
    assert_true(w.page_room <= 8);
    /* One old record, a hundred million offsets of gap, one more: 20 bytes for each 64 offsets, not 4 for each. */
    assert_true(od_window_add(&w, 100000000, 2));
    assert_true(w.blocks <= 1 << 21);
    assert_true(w.page_room <= 8);
    /* A gap no machine has memory for is refused, and nothing changes. */
    assert_false(od_window_add(&w, INT64_C(1) << 50, 3));
    assert_int_equal(w.end, 100000001);
    assert_int_equal(w.unfinished, 101);
    od_window_fini(&w);
}

/* ---- against a model: an array of what each offset is */

enum { MODEL = 3000 };

struct model {
    char is[MODEL]; /* 'U', 'D', '.', 0 not seen */
    int64_t end, base;
};

static void compare(const struct od_window *w, const struct model *m)
{
    int64_t base = m->base;
    while (base < m->end && m->is[base] != 'U') {
        base++;
    }
    assert_int_equal(od_window_watermark(w), base);
    assert_int_equal(w->end, m->end);
    uint64_t unfinished = 0, done = 0, runs = 0;
    int64_t cursor = base, at = base, first, count, last_done = -1;
    for (int64_t o = base; o < m->end; o++) {
        unfinished += m->is[o] == 'U';
        done += m->is[o] == 'D';
        if (m->is[o] == 'D') {
            last_done = o;
        }
        runs += m->is[o] != 'U' && m->is[o - 1] == 'U';
        assert_int_equal(od_window_find(w, o), m->is[o] == 'U' ? (uint32_t)(o * 7) : OD_SLOT_NONE);
    }
    assert_int_equal(w->unfinished, unfinished);
    assert_int_equal(w->done_above, done);
    assert_int_equal(w->runs, runs);
    while (od_window_next_run(w, &cursor, &first, &count)) {
        assert_true(count > 0 && first > base);
        for (; at < first; at++) {
            assert_int_equal(m->is[at], 'U');
        }
        for (; at < first + count; at++) {
            assert_true(m->is[at] != 'U' && m->is[at]);
        }
    }
    assert_true(at >= last_done);
}

static void a_random_history_agrees_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct od_random random;
        od_random_init(&random, seed);
        static struct model m;
        memset(&m, 0, sizeof m);
        m.base = m.end = (int64_t)od_random_below(&random, 200);
        struct od_window w;
        od_window_init(&w, m.base);
        uint64_t ahead = 1 + od_random_below(&random, 400);
        while (m.end < MODEL - 300) {
            uint64_t what = od_random_below(&random, 100);
            if (what < 3) { /* a gap, perhaps over many blocks */
                {
                    int64_t next = m.end + (int64_t)od_random_below(&random, what ? 5 : 200);
                    assert_true(od_window_seen(&w, next));
                    while (m.end < next) {
                        m.is[m.end++] = '.';
                    }
                }
            } else if (what < 10) {
                m.is[m.end] = 'D';
                assert_true(od_window_add_done(&w, m.end++, 1));
            } else if (w.unfinished < ahead && what < 60) {
                int64_t o = m.end + (what < 12 ? 3 : 0);
                while (m.end < o) {
                    m.is[m.end++] = '.';
                }
                m.is[m.end] = 'U';
                assert_true(od_window_add(&w, o, (uint32_t)(o * 7)));
                m.end++;
            } else if (w.unfinished) {
                int64_t o = w.base + (int64_t)od_random_below(&random, od_window_span(&w));
                if (od_window_next(&w, &o) != OD_SLOT_NONE) {
                    m.is[o] = 'D';
                    od_window_done(&w, o, 1);
                }
            }
            if (od_random_below(&random, 20) == 0) {
                compare(&w, &m);
            }
        }
        compare(&w, &m);
        for (int64_t o = w.base; od_window_next(&w, &o) != OD_SLOT_NONE; o++) {
            od_window_done(&w, o, 1);
        }
        assert_int_equal(od_window_watermark(&w), m.end);
        od_window_fini(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_watermark_is_the_first_unfinished),
        cmocka_unit_test(gaps_hold_nothing_back_and_are_not_counted),
        cmocka_unit_test(what_a_map_says_is_done_counts_as_done),
        cmocka_unit_test(a_walk_may_finish_what_it_finds),
        cmocka_unit_test(memory_follows_the_unfinished_not_the_history),
        cmocka_unit_test(a_random_history_agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
