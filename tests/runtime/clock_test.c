/*
 * Clocks that lie: this program has its own clock_gettime(), whose wall clock a test may move, and which may hold a reader up between two readings.
 */
#include "face.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/clock.h"

#define HOUR_US (INT64_C(3600) * 1000000)

static atomic_llong wall_ahead_us;    /* of the machine's */
static _Thread_local int64_t held_us; /* how long this thread is held up before its next reading of the wall clock */
static _Thread_local int64_t stood_us;

static void add_us(struct timespec *time, int64_t us)
{
    int64_t sum = (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000 + us;
    time->tv_sec = sum / 1000000;
    time->tv_nsec = sum % 1000000 * 1000;
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    int result = (int)syscall(SYS_clock_gettime, clock, ret);
    if (clock == CLOCK_REALTIME) {
        stood_us += held_us;
        held_us = 0;
        add_us(ret, atomic_load(&wall_ahead_us));
    }
    add_us(ret, stood_us);
    return result;
}

/* ---- one moment -------------------------------------------------------------------------------------------- */

/* A due time is carried over as monotonic = now + (due - wall): with a wall clock read later than the other, by as much too early. */
static void a_thread_held_up_between_two_clocks_reads_them_again(void **state)
{
    (void)state;
    int64_t now_ms, wall_ms, after_ms, after_wall_ms;
    held_us = HOUR_US;
    od_clock_both(&now_ms, &wall_ms);
    od_clock_both(&after_ms, &after_wall_ms);
    int64_t apart_ms = (after_wall_ms - wall_ms) - (after_ms - now_ms);
    assert_true(apart_ms >= -2 && apart_ms <= 2);
    stood_us = 0;
}

/* ---- a wall clock that jumps ------------------------------------------------------------------------------- */

#define RECORDS 20
#define DELAY_MS 300

struct jumping {
    atomic_int first_runs, second_runs, early, late;
    atomic_llong first_us[RECORDS];
};

static enum orderly_outcome retry_after_delay(struct orderly_record *record, void *userdata)
{
    struct jumping *jumping = userdata;
    int64_t offset = orderly_record_offset(record);
    if (orderly_record_attempt(record) == 1) {
        orderly_record_set_delay(record, DELAY_MS);
        atomic_store(&jumping->first_us[offset], od_clock_us());
        atomic_fetch_add(&jumping->first_runs, 1);
        return ORDERLY_RETRY;
    }
    int64_t waited_us = od_clock_us() - atomic_load(&jumping->first_us[offset]);
    atomic_fetch_add(&jumping->early, waited_us < DELAY_MS * 1000);
    atomic_fetch_add(&jumping->second_runs, 1);
    return ORDERLY_ACK;
}

/* What waits in its lane waits by the monotonic clock: an hour's jump runs nothing early, and keeps nothing back. */
static void jump(int64_t by_us)
{
    struct jumping jumping = {0};
    struct run run;
    struct orderly *orderly = fake_member((const char *[]){"order=key", NULL}, NULL, NULL);
    fake_append(0, RECORDS, RECORDS);
    run_begin(&run, orderly,
              &(struct orderly_handler){.userdata = &jumping, .handle = retry_after_delay, .workers = 2});
    assert_true(wait_count(&jumping.first_runs, RECORDS));
    atomic_fetch_add(&wall_ahead_us, by_us);
    assert_true(wait_count(&jumping.second_runs, RECORDS));
    assert_true(fake_wait_committed(0, RECORDS));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    assert_int_equal(atomic_load(&jumping.early), 0);
    face_free(orderly);
}

static void a_wall_clock_that_jumps_forward_makes_no_retry_early(void **state)
{
    (void)state;
    jump(HOUR_US);
}

static void a_wall_clock_that_jumps_back_keeps_no_retry(void **state)
{
    (void)state;
    jump(-HOUR_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_held_up_between_two_clocks_reads_them_again),
        cmocka_unit_test_setup(a_wall_clock_that_jumps_forward_makes_no_retry_early, face_reset),
        cmocka_unit_test_setup(a_wall_clock_that_jumps_back_keeps_no_retry, face_reset),
    };
    return cmocka_run_group_tests_name("runtime.clock", tests, NULL, NULL);
}
