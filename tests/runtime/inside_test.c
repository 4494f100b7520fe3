/* What is possible inside a callback, and beside one that does not return. */
#include "face.h"

static const struct orderly_partition first_partition = {"t", 0};
static const struct orderly_partition second_partition = {"t", 1};

struct scene {
    struct orderly_record *record;
    pthread_t caller;
    pthread_mutex_t mutex;
    char order[64];
    struct door door;
    int32_t hold; /* the partition whose `assigned` waits at the door */
    atomic_int inside, overlapped, on_callers_thread, assigned, lines;
    enum orderly_err settled, committed, async, paused, resumed, closed;
};

static void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    pthread_mutex_init(&scene->mutex, NULL);
    scene->caller = pthread_self();
    scene->hold = -1;
}

static void enter(struct scene *scene, char what)
{
    atomic_fetch_add(&scene->overlapped, atomic_fetch_add(&scene->inside, 1) != 0);
    atomic_fetch_add(&scene->on_callers_thread, pthread_equal(pthread_self(), scene->caller) != 0);
    pthread_mutex_lock(&scene->mutex);
    size_t used = strlen(scene->order);
    if (used < sizeof scene->order - 1) {
        scene->order[used] = what;
    }
    pthread_mutex_unlock(&scene->mutex);
}

static void leave(struct scene *scene)
{
    atomic_fetch_sub(&scene->inside, 1);
}

static void assigned(struct orderly *orderly, const struct orderly_partition *list, size_t count, void *userdata)
{
    struct scene *scene = userdata;
    (void)orderly;
    (void)count;
    enter(scene, 'A');
    if (list[0].partition == scene->hold) {
        door_wait(&scene->door);
    }
    leave(scene);
    atomic_fetch_add(&scene->assigned, 1);
}

static void revoked(struct orderly *orderly, const struct orderly_partition *list, size_t count, void *userdata)
{
    struct scene *scene = userdata;
    enter(scene, 'R');
    if (scene->record != NULL && list[0].partition == 0) {
        scene->settled = orderly_mark(scene->record);
        scene->committed = orderly_commit(orderly, list, count, FAKE_WAIT_MS, NULL);
        scene->async = orderly_commit_async(orderly);
        scene->paused = orderly_pause(orderly, &second_partition, 1, "inside");
        scene->resumed = orderly_resume(orderly, &second_partition, 1, "inside");
        scene->closed = orderly_close(orderly);
    }
    leave(scene);
}

static void lost(struct orderly *orderly, const struct orderly_partition *list, size_t count, void *userdata)
{
    struct scene *scene = userdata;
    enter(scene, 'L');
    if (scene->record != NULL) {
        scene->settled = orderly_mark(scene->record);
        scene->committed = orderly_commit(orderly, list, count, FAKE_WAIT_MS, NULL);
    }
    leave(scene);
}

static void waiting(struct orderly *orderly, const struct orderly_gate *gate, void *userdata)
{
    (void)orderly;
    (void)gate;
    enter(userdata, 'W');
    leave(userdata);
}

static void position(struct orderly *orderly, const struct orderly_partition *partition, int64_t *offset,
                     void *userdata)
{
    (void)orderly;
    (void)partition;
    (void)offset;
    enter(userdata, 'P');
    leave(userdata);
}

static void log_line(int level, const char *area, const char *text, void *userdata)
{
    struct scene *scene = userdata;
    atomic_fetch_add(&scene->lines, level >= ORDERLY_LOG_ERROR && area[0] != '\0' && text[0] != '\0');
}

static struct orderly *member(const char *const *more, struct scene *scene)
{
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    callbacks.assigned = assigned;
    callbacks.revoked = revoked;
    callbacks.lost = lost;
    callbacks.rebalance_waiting = waiting;
    callbacks.position = position;
    callbacks.log = log_line;
    return fake_member(more, &callbacks, scene);
}

static struct orderly_record *take_one(struct orderly *orderly)
{
    struct orderly_batch *batch = poll_some(orderly, 1);
    struct orderly_record *record = orderly_record_ref(orderly_batch_record(batch, 0));
    orderly_batch_free(batch);
    return record;
}

static void callbacks_run_one_at_a_time_in_order_on_a_thread_of_the_librarys_own(void **state)
{
    (void)state;
    const char *more[] = {"block_rebalance_on_poll=true", NULL};
    struct scene scene;
    scene_init(&scene);
    fake_append(0, 1, 0);
    struct orderly *orderly = member(more, &scene);
    struct orderly_record *record = take_one(orderly);
    fake_assign(1);
    assert_true(wait_count(&scene.assigned, 2));
    fake_revoke(-1, 100000);
    assert_true(fake_wait_revoke_told());
    assert_int_equal(orderly_mark(record), ORDERLY_OK);
    orderly_record_unref(record);
    orderly_allow_rebalance(orderly);
    assert_true(fake_wait_assigned(0, false));
    assert_true(fake_wait_assigned(1, false));
    face_free(orderly);
    assert_true(strcmp(scene.order, "APAPWR") == 0 || strcmp(scene.order, "PAPAWR") == 0 ||
                strcmp(scene.order, "APPAWR") == 0 || strcmp(scene.order, "PAAPWR") == 0);
    assert_int_equal(atomic_load(&scene.overlapped), 0);
    assert_int_equal(atomic_load(&scene.on_callers_thread), 0);
    assert_true(atomic_load(&scene.lines) > 0);
}

static void inside_a_callback_settle_commit_pause_and_close_are_allowed(void **state)
{
    (void)state;
    struct scene scene;
    struct orderly_batch *batch = NULL;
    scene_init(&scene);
    fake_assigned_at_start(2);
    fake_append(0, 1, 0);
    struct orderly *orderly = member(NULL, &scene);
    scene.record = take_one(orderly);
    fake_revoke(0, 100000);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(scene.settled, ORDERLY_OK);
    assert_int_equal(scene.committed, ORDERLY_OK);
    assert_int_equal(scene.async, ORDERLY_OK);
    assert_int_equal(scene.paused, ORDERLY_OK);
    assert_int_equal(scene.resumed, ORDERLY_OK);
    assert_int_equal(scene.closed, ORDERLY_OK);
    assert_int_equal(fake_committed(0), 1);
    assert_int_equal(orderly_poll(orderly, 1, -1, &batch), ORDERLY_CLOSED);
    orderly_record_unref(scene.record);
    scene.record = NULL;
    face_free(orderly);
}

static void inside_lost_no_commit_is_possible(void **state)
{
    (void)state;
    const char *more[] = {"commit.interval=never", NULL};
    struct scene scene;
    scene_init(&scene);
    fake_set_committed(0, 0);
    fake_append(0, 2, 0);
    struct orderly *orderly = member(more, &scene);
    struct orderly_record *done = take_one(orderly);
    scene.record = take_one(orderly);
    assert_int_equal(orderly_mark(done), ORDERLY_OK);
    orderly_record_unref(done);
    fake_lose(-1, false);
    assert_true(fake_wait_assigned(0, false));
    orderly_free(orderly);
    assert_int_equal(scene.settled, ORDERLY_STALE);
    assert_true(scene.committed == ORDERLY_FENCED || scene.committed == ORDERLY_STALE);
    assert_int_equal(fake_committed(0), 0);
    orderly_record_unref(scene.record);
    assert_int_equal(fake_messages(), 0);
}

static void *sleep_long(void *opaque)
{
    return (void *)(uintptr_t)orderly_sleep(opaque, &first_partition, 600000);
}

static bool is_cancelled(void *record)
{
    return orderly_record_cancelled(record, NULL, NULL);
}

/* The engine is served meanwhile too: the assignment of 1 is answered, and 0 is read, retried, committed, told to go. */
static void a_callback_that_blocks_stops_neither_timers_nor_commits_nor_cancellation(void **state)
{
    (void)state;
    struct orderly_settlement again = ORDERLY_SETTLEMENT_INIT;
    struct scene scene;
    pthread_t thread;
    void *slept = NULL;
    scene_init(&scene);
    scene.hold = 1;
    again.outcome = ORDERLY_RETRY;
    again.delay_ms = 10;
    fake_append(0, 1, 0);
    struct orderly *orderly = member(NULL, &scene);
    struct orderly_record *record = take_one(orderly);
    fake_assign(1);
    assert_true(door_wait_waiting(&scene.door, 1));
    assert_true(fake_is_assigned(1)); /* the answer did not wait for the callback */
    assert_int_equal(orderly_settle(record, &again), ORDERLY_OK);
    orderly_record_unref(record);
    record = take_one(orderly); /* its time came */
    assert_int_equal(orderly_record_attempt(record), 2);
    assert_int_equal(orderly_mark(record), ORDERLY_OK);
    orderly_record_unref(record);
    assert_int_equal(orderly_commit(orderly, &first_partition, 1, FAKE_WAIT_MS, NULL), ORDERLY_OK);
    assert_int_equal(fake_committed(0), 1);
    fake_append(0, 1, 0);
    record = take_one(orderly);
    assert_int_equal(pthread_create(&thread, NULL, sleep_long, orderly), 0);
    fake_lose(0, false);
    pthread_join(thread, &slept);
    assert_true((uintptr_t)slept == ORDERLY_CANCELLED || (uintptr_t)slept == ORDERLY_STALE);
    assert_true(fake_wait(is_cancelled, record)); /* a sleep may be told first */
    assert_int_equal(atomic_load(&scene.door.passed), 0);
    door_open(&scene.door);
    orderly_record_unref(record);
    face_free(orderly);
}

static void what_an_overrun_callback_held_is_stale(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.drain_timeout=10ms", NULL};
    struct scene scene;
    scene_init(&scene);
    scene.hold = 1;
    fake_append(0, 1, 0);
    struct orderly *orderly = member(more, &scene);
    struct orderly_record *record = take_one(orderly);
    fake_assign(1);
    assert_true(door_wait_waiting(&scene.door, 1)); /* `revoked` cannot begin */
    fake_revoke(0, 50);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(orderly_mark(record), ORDERLY_STALE);
    orderly_record_unref(record);
    assert_true(fake_committed(0) <= 0);
    door_open(&scene.door);
    face_free(orderly);
}

/* The rebalance waits for a callback, no batch is held: a poll that starts now must not take the gate before it. */
static void a_poll_that_starts_while_a_rebalance_waits_lets_it_go_first(void **state)
{
    (void)state;
    const char *more[] = {"block_rebalance_on_poll=true", NULL};
    struct scene scene;
    struct orderly_batch *batch = NULL;
    scene_init(&scene);
    scene.hold = 2;
    fake_assigned_at_start(2);
    struct orderly *orderly = member(more, &scene);
    assert_int_equal(orderly_poll(orderly, 10, 0, &batch), ORDERLY_TIMEOUT);
    fake_assign(2);
    assert_true(door_wait_waiting(&scene.door, 1));
    fake_append(0, 3, 0);
    fake_append(1, 3, 0);
    fake_revoke(0, 100000);
    assert_true(fake_wait_revoke_told());
    enum orderly_err polled = orderly_poll(orderly, 10, 20, &batch);
    assert_true(polled == ORDERLY_TIMEOUT || polled == ORDERLY_OK);
    for (size_t i = 0; polled == ORDERLY_OK && i < orderly_batch_count(batch); i++) {
        assert_int_equal(orderly_record_partition(orderly_batch_record(batch, i)), 1); /* nothing of what goes */
    }
    door_open(&scene.door);
    assert_true(fake_wait_assigned(0, false)); /* whatever that poll holds: allow was never called */
    orderly_batch_free(batch);
    orderly_allow_rebalance(orderly);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(callbacks_run_one_at_a_time_in_order_on_a_thread_of_the_librarys_own, face_reset),
        cmocka_unit_test_setup(inside_a_callback_settle_commit_pause_and_close_are_allowed, face_reset),
        cmocka_unit_test_setup(inside_lost_no_commit_is_possible, face_reset),
        cmocka_unit_test_setup(a_callback_that_blocks_stops_neither_timers_nor_commits_nor_cancellation, face_reset),
        cmocka_unit_test_setup(what_an_overrun_callback_held_is_stale, face_reset),
        cmocka_unit_test_setup(a_poll_that_starts_while_a_rebalance_waits_lets_it_go_first, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
