#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/hash.h"
#include "base/random.h"
#include "core/offset_map.h"

enum { CAP = 4000 };

static const uint64_t topic = UINT64_C(0xfedcba9876543210);

/* A window from a picture: U unfinished, D done, . gap. */
static void picture(struct od_window *w, int64_t base, const char *text, int32_t epoch)
{
    od_window_init(w, base);
    for (int64_t i = 0; text[i]; i++) {
        if (text[i] != '.') {
            assert_true(od_window_add(w, base + i, (uint32_t)i));
        }
    }
    for (int64_t i = 0; text[i]; i++) {
        if (text[i] == 'D') {
            od_window_done(w, base + i, epoch);
        }
    }
}

static size_t encode(const struct od_window *w, char *text)
{
    size_t size;
    assert_true(od_offset_map_encode(w, NULL, topic, NULL, 0, CAP, text, &size));
    return size;
}

static void what_was_done_is_read_back(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    struct od_offset_map map;
    picture(&w, 1000, "UUDDU..DUUDU", 5);
    size_t size = encode(&w, text);
    assert_int_equal(od_offset_map_decode(&map, text, size, 1000, topic), ORDERLY_OK);
    assert_int_equal(map.refusal, OD_MAP_ACCEPTED);
    assert_int_equal(map.epoch, 5);
    const char *want = "UUDDUDDDUUDU";
    for (int64_t i = -3; i < 20; i++) {
        assert_int_equal(od_offset_map_done(&map, 1000 + i, 5), i >= 0 && i < 12 && want[i] == 'D');
    }
    assert_int_equal(map.done_count, 6);
    assert_int_equal(od_offset_map_last(&map), 1010);
    od_offset_map_fini(&map);
    od_window_fini(&w);
}

static void nothing_done_is_no_text(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    struct od_offset_map map;
    picture(&w, 3, "U..U", 5);
    assert_int_equal(encode(&w, text), 0);
    assert_int_equal(od_offset_map_decode(&map, text, 0, 3, topic), ORDERLY_OK);
    assert_int_equal(map.refusal, OD_MAP_EMPTY);
    assert_int_equal(od_offset_map_last(&map), -1);
    od_offset_map_fini(&map);
    od_window_fini(&w);
}

static void a_record_of_a_newer_or_unknown_leader_epoch_runs(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    struct od_offset_map map;
    picture(&w, 0, "UDUD", 5);
    size_t size = encode(&w, text);
    assert_int_equal(od_offset_map_decode(&map, text, size, 0, topic), ORDERLY_OK);
    assert_true(od_offset_map_done(&map, 1, 4));
    assert_true(od_offset_map_done(&map, 1, 5));
    assert_false(od_offset_map_done(&map, 1, 6));
    assert_false(od_offset_map_done(&map, 1, -1));
    od_offset_map_fini(&map);
    od_window_fini(&w);
    /* Done records without a known epoch protect nothing either. */
    picture(&w, 0, "UDUD", -1);
    size = encode(&w, text);
    assert_int_equal(od_offset_map_decode(&map, text, size, 0, topic), ORDERLY_OK);
    assert_false(od_offset_map_done(&map, 1, -1));
    assert_false(od_offset_map_done(&map, 1, 0));
    od_offset_map_fini(&map);
    od_window_fini(&w);
}

static enum od_map_refusal refusal(const char *text, size_t size, int64_t base, uint64_t hash)
{
    struct od_offset_map map;
    assert_int_equal(od_offset_map_decode(&map, text, size, base, hash), ORDERLY_OK);
    if (map.refusal != OD_MAP_ACCEPTED) {
        assert_int_equal(map.done_count, 0);
        assert_int_equal(map.attempts.count, 0);
    }
    enum od_map_refusal result = map.refusal;
    od_offset_map_fini(&map);
    return result;
}

/* Gives a text a right checksum. */
static void seal(char *text, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t sum = od_hash_bytes(text, size - 5, 0);
    for (size_t i = 0; i < 5; i++, sum >>= 6) {
        text[size - 5 + i] = digits[sum & 63];
    }
}

static void a_refusal_says_why(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    picture(&w, 70, "UDUDUUUDDD", 5);
    size_t size = encode(&w, text);
    assert_int_equal(refusal(text, size, 70, topic), OD_MAP_ACCEPTED);
    assert_int_equal(refusal(text, size, 70, topic + 1), OD_MAP_OTHER_TOPIC);
    assert_int_equal(refusal(text, size, 70, 0), OD_MAP_OTHER_TOPIC);
    assert_int_equal(refusal(text, size, 71, topic), OD_MAP_DAMAGED);
    assert_int_equal(refusal("my own metadata", 15, 70, topic), OD_MAP_NOT_OURS);
    assert_int_equal(refusal("1", 1, 70, topic), OD_MAP_NOT_OURS);
    assert_int_equal(refusal("2024-11-30 some long text of another program", 44, 70, topic), OD_MAP_NOT_OURS);
    for (size_t i = 1; i < size; i++) {
        char kept = text[i];
        text[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(refusal(text, size, 70, topic), OD_MAP_DAMAGED);
        text[i] = kept;
    }
    text[0] = '2';
    assert_int_equal(refusal(text, size, 70, topic), OD_MAP_NOT_OURS);
    seal(text, size);
    assert_int_equal(refusal(text, size, 70, topic), OD_MAP_NEWER);
    od_window_fini(&w);
}

static void attempts_travel_with_their_own_epoch(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    size_t size;
    struct od_offset_map map;
    picture(&w, 500, "UUUUU", 5);
    struct od_map_attempt attempts[] = {{500, 3, 7, 0}, {502, 1, 8, 1796005000001}, {504, 70000, 8, 1796005060000}};
    assert_true(od_offset_map_encode(&w, NULL, topic, attempts, 3, CAP, text, &size));
    assert_int_equal(od_offset_map_decode(&map, text, size, 500, topic), ORDERLY_OK);
    assert_int_equal(map.refusal, OD_MAP_ACCEPTED);
    assert_int_equal(od_offset_map_attempts(&map, 500, 7), 3);
    assert_int_equal(od_offset_map_attempts(&map, 501, 7), 0);
    assert_int_equal(od_offset_map_attempts(&map, 502, 8), 1);
    assert_int_equal(od_offset_map_attempts(&map, 504, 8), 70000);
    assert_int_equal(od_offset_map_due(&map, 500, 7), 0);
    assert_int_equal(od_offset_map_due(&map, 502, 8), 1796005000100); /* never before its time */
    assert_int_equal(od_offset_map_due(&map, 504, 8), 1796005060000);
    assert_int_equal(od_offset_map_due(&map, 503, 8), 0);
    assert_int_equal(od_offset_map_attempts(&map, 504, 9), 0);
    assert_int_equal(od_offset_map_attempts(&map, 504, -1), 0);
    assert_int_equal(od_offset_map_last(&map), 504);
    assert_false(od_offset_map_done(&map, 501, 5));
    od_offset_map_fini(&map);
    od_window_fini(&w);
}

static void attempts_give_way_to_the_done_set(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    size_t size;
    struct od_offset_map map;
    od_window_init(&w, 0);
    for (int64_t i = 0; i < 1000; i++) {
        assert_true(od_window_add(&w, i, 1));
    }
    static struct od_map_attempt attempts[500];
    for (int64_t i = 0; i < 1000; i++) {
        if (i % 2) {
            od_window_done(&w, i, 1);
        } else {
            attempts[i / 2] = (struct od_map_attempt){i, 1, 1, 0};
        }
    }
    assert_true(od_offset_map_encode(&w, NULL, topic, attempts, 500, 300, text, &size));
    assert_in_range(size, 250, 300);
    assert_int_equal(od_offset_map_decode(&map, text, size, 0, topic), ORDERLY_OK);
    assert_int_equal(map.done_count, 500);
    assert_in_range(map.attempts.count, 20, 60);
    assert_int_equal(od_offset_map_attempts(&map, 0, 1), 1);
    od_offset_map_fini(&map);
    od_window_fini(&w);
}

static void a_lowered_cap_keeps_the_lower_part(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    size_t size;
    struct od_offset_map map;
    od_window_init(&w, 0);
    for (int64_t i = 0; i < 6000; i++) {
        assert_true(od_window_add(&w, i, 1));
    }
    for (int64_t i = 1; i < 6000; i += 2) {
        od_window_done(&w, i, 1);
    }
    assert_false(od_offset_map_encode(&w, NULL, topic, NULL, 0, 500, text, &size));
    assert_in_range(size, 480, 500);
    assert_int_equal(od_offset_map_decode(&map, text, size, 0, topic), ORDERLY_OK);
    assert_int_equal(map.refusal, OD_MAP_ACCEPTED);
    assert_in_range(map.done_count, 1000, 1500);
    for (int64_t i = 0; i <= od_offset_map_last(&map); i++) {
        assert_int_equal(od_offset_map_done(&map, i, 1), i % 2 == 1);
    }
    od_offset_map_fini(&map);
    od_window_fini(&w);
}

static void a_bitmap_of_4000_bytes_spans_23000_offsets(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    od_window_init(&w, INT64_C(1) << 40);
    int64_t base = w.base;
    for (int64_t i = 0; i < 23000; i++) {
        assert_true(od_window_add(&w, base + i, 1));
    }
    /* Every second one, the worst case, with all of the others still running. */
    assert_true(od_offset_map_bound(&w, NULL, 23000, base + 22999) <= CAP);
    for (int64_t i = 1; i < 23000; i += 2) {
        od_window_done(&w, base + i, 1);
    }
    size_t size = encode(&w, text);
    assert_in_range(size, 3800, CAP);
    od_window_fini(&w);
}

static void few_runs_span_millions(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    od_window_init(&w, 0);
    assert_true(od_window_add(&w, 0, 1));
    assert_true(od_window_add(&w, 4000000, 2));
    assert_true(od_window_add(&w, 4000001, 3));
    od_window_done(&w, 4000000, 1);
    size_t size = encode(&w, text);
    assert_true(size < 40);
    assert_true(od_offset_map_bound(&w, NULL, 64, 4000001) < 700);
    od_window_fini(&w);
}

static void what_was_not_read_yet_is_handed_on(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    size_t size;
    struct od_offset_map first, second;
    picture(&w, 100, "UDUUUUDDUU", 5);
    struct od_map_attempt attempts[] = {{100, 1, 5, 0}, {108, 3, 5, 0}};
    assert_true(od_offset_map_encode(&w, NULL, topic, attempts, 2, CAP, text, &size));
    od_window_fini(&w);
    assert_int_equal(od_offset_map_decode(&first, text, size, 100, topic), ORDERLY_OK);
    /* The next owner reads two of them, finishes the first, and hands over. */
    od_window_init(&w, 100);
    assert_true(od_window_add(&w, 100, 1));
    assert_true(od_window_add_done(&w, 101, 5));
    od_window_done(&w, 100, 5);
    assert_true(od_offset_map_encode(&w, &first, topic, NULL, 0, CAP, text, &size));
    assert_true(size <= od_offset_map_bound(&w, &first, 0, 101));
    assert_int_equal(od_offset_map_decode(&second, text, size, 102, topic), ORDERLY_OK);
    assert_int_equal(second.refusal, OD_MAP_ACCEPTED);
    assert_int_equal(second.done_count, 2);
    assert_true(od_offset_map_done(&second, 106, 5) && od_offset_map_done(&second, 107, 5));
    assert_int_equal(od_offset_map_attempts(&second, 108, 5), 3);
    assert_int_equal(od_offset_map_attempts(&second, 100, 5), 0);
    od_offset_map_fini(&second);
    /* Had it done something of a newer leader, all behind that would be newer too: the old map is void. */
    assert_true(od_window_add(&w, 102, 1));
    assert_true(od_window_add_done(&w, 103, 6));
    assert_true(od_offset_map_encode(&w, &first, topic, NULL, 0, CAP, text, &size));
    assert_int_equal(od_offset_map_decode(&second, text, size, 102, topic), ORDERLY_OK);
    assert_int_equal(second.done_count, 1);
    assert_false(od_offset_map_done(&second, 106, 6));
    assert_int_equal(od_offset_map_attempts(&second, 108, 6), 0);
    od_offset_map_fini(&second);
    od_offset_map_fini(&first);
    od_window_fini(&w);
}

static void a_committed_offset_may_itself_be_done(void **state)
{
    (void)state;
    struct od_window w;
    char text[CAP];
    size_t size;
    struct od_offset_map first, second;
    picture(&w, 100, "UDDDUUDU", 5);
    size = encode(&w, text);
    od_window_fini(&w);
    assert_int_equal(od_offset_map_decode(&first, text, size, 100, topic), ORDERLY_OK);
    od_window_init(&w, 100);
    assert_true(od_window_add(&w, 100, 1));
    od_window_done(&w, 100, 5);
    assert_int_equal(od_window_watermark(&w), 101);
    assert_true(od_offset_map_encode(&w, &first, topic, NULL, 0, CAP, text, &size));
    assert_int_equal(od_offset_map_decode(&second, text, size, 101, topic), ORDERLY_OK);
    assert_int_equal(second.refusal, OD_MAP_ACCEPTED);
    for (int64_t o = 101; o < 108; o++) {
        assert_int_equal(od_offset_map_done(&second, o, 5), o < 104 || o == 106);
    }
    od_offset_map_fini(&second);
    /* A run of the window that touches what follows is one run with it. */
    assert_true(od_window_add(&w, 101, 1));
    assert_true(od_window_add_done(&w, 102, 5));
    assert_true(od_offset_map_encode(&w, &first, topic, NULL, 0, CAP, text, &size));
    assert_int_equal(od_offset_map_decode(&second, text, size, 101, topic), ORDERLY_OK);
    assert_int_equal(second.refusal, OD_MAP_ACCEPTED);
    for (int64_t o = 101; o < 108; o++) {
        assert_int_equal(od_offset_map_done(&second, o, 5), (o > 101 && o < 104) || o == 106);
    }
    od_offset_map_fini(&second);
    od_offset_map_fini(&first);
    od_window_fini(&w);
}

/* Ends a random subset of what runs, from any point of a random history, and looks whether the bound held. */
static void the_bound_holds_for_every_subset(void **state)
{
    (void)state;
    char *text = malloc(1 << 16);
    size_t tightest = SIZE_MAX;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct od_random random;
        od_random_init(&random, seed);
        struct od_window w;
        int64_t base = od_random_chance(&random, 500) ? 0 : (int64_t)od_random_below(&random, UINT64_C(1) << 62);
        od_window_init(&w, base);
        int64_t spread = 1 + (int64_t)od_random_below(&random, od_random_chance(&random, 300) ? 2000 : 3);
        int count = 20 + (int)od_random_below(&random, 1500);
        uint32_t done_chance = (uint32_t)od_random_below(&random, 1000);
        uint32_t running_chance = (uint32_t)od_random_below(&random, 1000);
        int64_t *running = malloc((size_t)count * sizeof *running), last = base - 1;
        size_t running_count = 0;
        for (int i = 0; i < count; i++) {
            int64_t o = w.end + (int64_t)od_random_below(&random, (uint64_t)spread);
            assert_true(od_window_add(&w, o, 1));
            if (od_random_chance(&random, done_chance)) {
                od_window_done(&w, o, 3);
                last = o;
            } else if (od_random_chance(&random, running_chance)) {
                running[running_count++] = o;
                last = o;
            }
        }
        size_t bound = od_offset_map_bound(&w, NULL, running_count, last);
        while (running_count) {
            size_t i = (size_t)od_random_below(&random, running_count), size;
            assert_true(od_offset_map_encode(&w, NULL, UINT64_MAX, NULL, 0, 1 << 16, text, &size));
            assert_true(size <= bound);
            if (bound - size < tightest) {
                tightest = bound - size;
            }
            od_window_done(&w, running[i], INT32_MAX);
            running[i] = running[--running_count];
        }
        free(running);
        od_window_fini(&w);
    }
    /* A bound that is never near would stop dispatch for nothing. */
    assert_true(tightest < 30);
    free(text);
}

static void the_decoder_survives_any_bytes(void **state)
{
    (void)state;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char text[400];
    struct od_random random;
    od_random_init(&random, 11);
    unsigned accepted = 0, damaged = 0;
    for (int i = 0; i < 200000; i++) {
        size_t size = (size_t)od_random_below(&random, i % 10 ? 40 : sizeof text);
        int kind = i % 3;
        for (size_t k = 0; k < size; k++) {
            text[k] = kind ? digits[od_random_below(&random, i % 7 ? 64 : 8)] : (char)od_random_next(&random);
        }
        if (size) {
            text[0] = od_random_chance(&random, 900) ? '1' : text[0];
        }
        if (kind == 2 && size >= 21) {
            /* Past the checksum and the head, into the shapes behind. */
            memset(text + 1, 'A', 11);
            text[12] = 'F';
            if (od_random_chance(&random, 500)) {
                text[14] = 'A';
                text[15] = od_random_chance(&random, 500) ? 'r' : 'b';
            }
            seal(text, size);
        }
        struct od_offset_map map;
        assert_int_equal(od_offset_map_decode(&map, text, size, 5, 0), ORDERLY_OK);
        accepted += map.refusal == OD_MAP_ACCEPTED;
        damaged += map.refusal == OD_MAP_DAMAGED;
        int64_t at = 5;
        uint64_t done = 0;
        for (size_t r = 0; r < map.runs.count; r++) {
            assert_true((map.runs.items[r].first > at || r == 0) && map.runs.items[r].first >= at &&
                        map.runs.items[r].count > 0);
            at = map.runs.items[r].first + map.runs.items[r].count;
            assert_true(at > map.runs.items[r].first);
            done += (uint64_t)map.runs.items[r].count;
        }
        assert_int_equal(done, map.done_count);
        od_offset_map_fini(&map);
    }
    assert_true(accepted > 1000 && damaged > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_done_is_read_back),
        cmocka_unit_test(nothing_done_is_no_text),
        cmocka_unit_test(a_record_of_a_newer_or_unknown_leader_epoch_runs),
        cmocka_unit_test(a_refusal_says_why),
        cmocka_unit_test(attempts_travel_with_their_own_epoch),
        cmocka_unit_test(attempts_give_way_to_the_done_set),
        cmocka_unit_test(a_lowered_cap_keeps_the_lower_part),
        cmocka_unit_test(a_bitmap_of_4000_bytes_spans_23000_offsets),
        cmocka_unit_test(few_runs_span_millions),
        cmocka_unit_test(what_was_not_read_yet_is_handed_on),
        cmocka_unit_test(a_committed_offset_may_itself_be_done),
        cmocka_unit_test(the_bound_holds_for_every_subset),
        cmocka_unit_test(the_decoder_survives_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
