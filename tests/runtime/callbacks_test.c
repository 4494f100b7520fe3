/* The guarantees of callbacks (orderly.h), over the scripted engine. Each test is named after one. */
#include "face.h"

#include <stdio.h>

static const struct orderly_partition first_partition = {"t", 0};

/* What the callbacks heard, as a text: "A0,1 R0 L1 ". */
struct story {
    pthread_mutex_t mutex;
    char text[512];
    atomic_int inside, overlapped;
    atomic_int count;
    struct door door;           /* the first `revoked` or `assigned` waits here when `hold` says so */
    char hold;                  /* 'A', 'R' or 0 */
    enum orderly_err committed; /* of a commit inside `revoked` */
    bool commit;
    enum orderly_err drain, poll, run, close;
    bool misuse;
    atomic_int commits, commit_failures;
    atomic_llong commit_offset;
    int64_t position;
};

static void story_init(struct story *story)
{
    memset(story, 0, sizeof *story);
    pthread_mutex_init(&story->mutex, NULL);
}

static void tell(struct story *story, char what, const struct orderly_partition *partitions, size_t count)
{
    pthread_mutex_lock(&story->mutex);
    size_t used = strlen(story->text);
    snprintf(story->text + used, sizeof story->text - used, "%c", what);
    for (size_t i = 0; i < count; i++) {
        used = strlen(story->text);
        snprintf(story->text + used, sizeof story->text - used, "%s%d", i > 0 ? "," : "", (int)partitions[i].partition);
    }
    used = strlen(story->text);
    snprintf(story->text + used, sizeof story->text - used, " ");
    pthread_mutex_unlock(&story->mutex);
    atomic_fetch_add(&story->count, 1);
}

static void enter(struct story *story, char what)
{
    atomic_fetch_add(&story->overlapped, atomic_fetch_add(&story->inside, 1) != 0);
    if (story->hold == what) {
        door_wait(&story->door);
    }
}

static enum orderly_outcome never_called(struct orderly_record *record, void *userdata)
{
    (void)record;
    (void)userdata;
    return ORDERLY_ACK;
}

static void misuse(struct orderly *orderly, struct story *story)
{
    struct orderly_batch *batch = NULL;
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    handler.handle = never_called;
    story->drain = orderly_drain(orderly, 0);
    story->poll = orderly_poll(orderly, 1, 0, &batch);
    story->run = orderly_run(orderly, &handler, NULL);
    orderly_free(orderly); /* refused */
}

static void assigned(struct orderly *orderly, const struct orderly_partition *partitions, size_t count, void *userdata)
{
    struct story *story = userdata;
    enter(story, 'A');
    if (story->misuse) {
        misuse(orderly, story);
    }
    tell(story, 'A', partitions, count);
    atomic_fetch_sub(&story->inside, 1);
}

static void revoked(struct orderly *orderly, const struct orderly_partition *partitions, size_t count, void *userdata)
{
    struct story *story = userdata;
    enter(story, 'R');
    if (story->commit) {
        story->committed = orderly_commit(orderly, partitions, count, FAKE_WAIT_MS, NULL);
    }
    tell(story, 'R', partitions, count);
    atomic_fetch_sub(&story->inside, 1);
}

static void lost(struct orderly *orderly, const struct orderly_partition *partitions, size_t count, void *userdata)
{
    struct story *story = userdata;
    (void)orderly;
    enter(story, 'L');
    tell(story, 'L', partitions, count);
    atomic_fetch_sub(&story->inside, 1);
}

static void committed(struct orderly *orderly, const struct orderly_offset *offsets, size_t count, void *userdata)
{
    struct story *story = userdata;
    (void)orderly;
    for (size_t i = 0; i < count; i++) {
        atomic_fetch_add(&story->commits, offsets[i].error == ORDERLY_OK);
        atomic_fetch_add(&story->commit_failures, offsets[i].error != ORDERLY_OK);
        atomic_store(&story->commit_offset, offsets[i].offset);
    }
}

static void position(struct orderly *orderly, const struct orderly_partition *partition, int64_t *offset,
                     void *userdata)
{
    const struct story *story = userdata;
    (void)orderly;
    (void)partition;
    *offset = story->position;
}

static struct orderly *member(const char *const *more, struct story *story)
{
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    callbacks.assigned = assigned;
    callbacks.revoked = revoked;
    callbacks.lost = lost;
    return fake_member(more, &callbacks, story);
}

static void assert_story(struct story *story, const char *expected)
{
    pthread_mutex_lock(&story->mutex);
    assert_string_equal(story->text, expected);
    pthread_mutex_unlock(&story->mutex);
    assert_int_equal(atomic_load(&story->overlapped), 0);
}

static void start(struct orderly *orderly)
{
    struct orderly_batch *batch = NULL;
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
}

/* ---- the guarantees ---- */

static void assigned_returns_before_the_first_record_of_its_partitions_is_handed_out(void **state)
{
    (void)state;
    struct story story;
    struct orderly_batch *batch = NULL;
    story_init(&story);
    story.hold = 'A';
    struct orderly *orderly = member(NULL, &story);
    fake_append(0, 1, 0);
    assert_int_equal(orderly_poll(orderly, 1, 0, &batch), ORDERLY_TIMEOUT);
    assert_true(door_wait_waiting(&story.door, 1));
    assert_int_equal(orderly_poll(orderly, 1, 50, &batch), ORDERLY_TIMEOUT);
    door_open(&story.door);
    batch = poll_some(orderly, 1);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    assert_true(fake_wait_committed(0, 1));
    face_free(orderly);
    assert_story(&story, "A0 R0 ");
}

static void no_record_of_a_revoked_partition_is_handed_out_after_revoked_began(void **state)
{
    (void)state;
    struct story story;
    struct orderly_batch *batch = NULL;
    story_init(&story);
    story.hold = 'R';
    struct orderly *orderly = member(NULL, &story);
    start(orderly);
    assert_true(wait_count(&story.count, 1));
    fake_revoke(-1, 100000);
    assert_true(door_wait_waiting(&story.door, 1));
    fake_append(0, 5, 0);
    assert_int_equal(orderly_poll(orderly, 5, 50, &batch), ORDERLY_TIMEOUT);
    assert_true(fake_is_assigned(0)); /* ours until it returns */
    door_open(&story.door);
    assert_true(fake_wait_assigned(0, false));
    face_free(orderly);
    assert_story(&story, "A0 R0 ");
}

static void commits_work_inside_revoked(void **state)
{
    (void)state;
    const char *more[] = {"commit.interval=never", NULL};
    struct story story;
    story_init(&story);
    story.commit = true;
    struct orderly *orderly = member(more, &story);
    fake_append(0, 2, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    fake_revoke(-1, 100000);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(story.committed, ORDERLY_OK);
    assert_int_equal(fake_committed(0), 1);
    face_free(orderly);
}

static void evicted_before_revoked_began_means_lost_only(void **state)
{
    (void)state;
    struct story story;
    story_init(&story);
    struct orderly *orderly = member(NULL, &story);
    start(orderly);
    assert_true(wait_count(&story.count, 1));
    fake_lose(-1, false);
    assert_true(fake_wait_assigned(0, false));
    assert_true(wait_count(&story.count, 2));
    face_free(orderly);
    assert_story(&story, "A0 L0 ");
}

static void evicted_while_revoked_waits_for_an_earlier_callback_means_lost_only(void **state)
{
    (void)state;
    struct story story;
    story_init(&story);
    story.hold = 'A';
    fake_assigned_at_start(1);
    struct orderly *orderly = member(NULL, &story);
    start(orderly);
    assert_true(door_wait_waiting(&story.door, 1));
    fake_revoke(-1, 100000);
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_true(fake_is_assigned(0));
    assert_true(fake_wait_revoke_told());
    fake_lose(-1, false);
    assert_true(fake_wait_assigned(0, false));
    door_open(&story.door);
    assert_true(wait_count(&story.count, 2));
    face_free(orderly);
    assert_story(&story, "A0 L0 ");
}

static void evicted_after_revoked_began_means_no_lost_and_commits_are_fenced(void **state)
{
    (void)state;
    struct story story;
    struct orderly_gate gate = ORDERLY_GATE_INIT;
    story_init(&story);
    story.hold = 'R';
    story.commit = true;
    struct orderly *orderly = member(NULL, &story);
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    fake_revoke(-1, 100000);
    assert_true(door_wait_waiting(&story.door, 1));
    fake_lose(-1, false);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(orderly_gate(orderly, &gate), ORDERLY_OK);
    assert_int_equal(gate.waiting, ORDERLY_WAITING_LOST);
    door_open(&story.door);
    assert_true(wait_count(&story.count, 2));
    assert_true(story.committed == ORDERLY_FENCED);
    orderly_batch_free(batch);
    face_free(orderly);
    assert_story(&story, "A0 R0 ");
}

static void every_assigned_partition_ends_with_exactly_one_of_revoked_and_lost(void **state)
{
    (void)state;
    struct story story;
    story_init(&story);
    fake_assigned_at_start(3);
    struct orderly *orderly = member(NULL, &story);
    start(orderly);
    assert_true(wait_count(&story.count, 1));
    fake_revoke(1, 100000);
    assert_true(fake_wait_assigned(1, false));
    fake_lose(2, false);
    assert_true(fake_wait_assigned(2, false));
    fake_assign(1);
    assert_true(wait_count(&story.count, 4));
    face_free(orderly);
    /* Leaving revokes what is left, in one call. */
    pthread_mutex_lock(&story.mutex);
    bool good = strcmp(story.text, "A0,1,2 R1 L2 A1 R0,1 ") == 0 || strcmp(story.text, "A0,1,2 R1 L2 A1 R1,0 ") == 0;
    pthread_mutex_unlock(&story.mutex);
    assert_true(good);
}

static void a_callback_that_overruns_the_hold_blocks_what_is_assigned_next_and_is_reported(void **state)
{
    (void)state;
    const char *more[] = {"rebalance.drain_timeout=10ms", NULL};
    struct story story;
    struct orderly_batch *batch = NULL;
    story_init(&story);
    story.hold = 'R';
    struct orderly *orderly = member(more, &story);
    start(orderly);
    assert_true(wait_count(&story.count, 1));
    fake_revoke(-1, 50);
    assert_true(fake_wait_assigned(0, false)); /* although the callback has not returned */
    fake_append(1, 1, 0);
    fake_assign(1);
    assert_true(fake_wait_assigned(1, true));
    assert_true(wait_condition(orderly, "callback_blocked"));
    assert_int_equal(orderly_poll(orderly, 1, 50, &batch), ORDERLY_TIMEOUT);
    door_open(&story.door);
    batch = poll_some(orderly, 1);
    assert_int_equal(orderly_record_partition(orderly_batch_record(batch, 0)), 1);
    orderly_batch_free(batch);
    face_free(orderly);
}

static void inside_a_callback_drain_poll_run_and_free_are_refused(void **state)
{
    (void)state;
    struct story story;
    struct orderly_batch *batch = NULL;
    story_init(&story);
    story.misuse = true;
    struct orderly *orderly = member(NULL, &story);
    assert_int_equal(orderly_poll(orderly, 1, -1, &batch), ORDERLY_CLOSED); /* free has closed it */
    assert_int_equal(story.drain, ORDERLY_STATE);
    assert_int_equal(story.poll, ORDERLY_STATE);
    assert_int_equal(story.run, ORDERLY_STATE);
    face_free(orderly);
}

static void position_is_asked_before_the_first_fetch_and_may_change_it(void **state)
{
    (void)state;
    struct story story;
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    story_init(&story);
    story.position = 7;
    callbacks.position = position;
    struct orderly *orderly = fake_member(NULL, &callbacks, &story);
    fake_append(0, 10, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    assert_int_equal(orderly_record_offset(orderly_batch_record(batch, 0)), 7);
    orderly_batch_free(batch);
    face_free(orderly);
}

static void committed_hears_the_answers_to_commits(void **state)
{
    (void)state;
    const char *more[] = {"commit.interval=never", NULL};
    struct story story;
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    story_init(&story);
    callbacks.committed = committed;
    struct orderly *orderly = fake_member(more, &callbacks, &story);
    fake_set_committed(0, 0);
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
    fake_answer_commits(OD_COMMIT_AGAIN, 1);
    assert_int_equal(orderly_commit_async(orderly), ORDERLY_OK);
    assert_true(wait_count(&story.commit_failures, 1));
    assert_true(wait_count(&story.commits, 1));
    assert_int_equal(atomic_load(&story.commit_offset), 1);
    assert_true(metric_of(orderly, "orderly_commit_failures_total", "error=\"again\"") == 1);
    assert_int_equal(orderly_sleep(orderly, &first_partition, 0), ORDERLY_OK);
    face_free(orderly);
}

/* ---- the run face ---- */

static enum orderly_outcome until_cancelled(struct orderly_record *record, void *userdata)
{
    enum orderly_reason reason = ORDERLY_REASON_NONE;
    int64_t left_ms = 0;
    struct door *door = userdata;
    atomic_fetch_add(&door->waiting, 1);
    if (orderly_record_sleep(record, 600000) == ORDERLY_CANCELLED &&
        orderly_record_cancelled(record, &reason, &left_ms) && reason == ORDERLY_REASON_REVOKED) {
        atomic_fetch_add(&door->passed, 1);
    }
    return ORDERLY_RELEASE;
}

static void in_the_run_face_revoked_comes_first_and_then_the_policy(void **state)
{
    (void)state;
    struct story story;
    struct door door = {0};
    struct run run;
    story_init(&story);
    story.hold = 'R';
    struct orderly *orderly = member(NULL, &story);
    fake_append(0, 1, 0);
    run_begin(&run, orderly, &(struct orderly_handler){.userdata = &door, .handle = until_cancelled, .workers = 1});
    assert_true(door_wait_waiting(&door, 1));
    fake_revoke(-1, 200000);
    assert_true(door_wait_waiting(&story.door, 1));
    assert_int_equal(atomic_load(&door.passed), 0);
    door_open(&story.door);
    assert_true(wait_count(&door.passed, 1));
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(run_end(&run), ORDERLY_OK);
    face_free(orderly);
    assert_story(&story, "A0 R0 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(assigned_returns_before_the_first_record_of_its_partitions_is_handed_out, face_reset),
        cmocka_unit_test_setup(no_record_of_a_revoked_partition_is_handed_out_after_revoked_began, face_reset),
        cmocka_unit_test_setup(commits_work_inside_revoked, face_reset),
        cmocka_unit_test_setup(evicted_before_revoked_began_means_lost_only, face_reset),
        cmocka_unit_test_setup(evicted_while_revoked_waits_for_an_earlier_callback_means_lost_only, face_reset),
        cmocka_unit_test_setup(evicted_after_revoked_began_means_no_lost_and_commits_are_fenced, face_reset),
        cmocka_unit_test_setup(every_assigned_partition_ends_with_exactly_one_of_revoked_and_lost, face_reset),
        cmocka_unit_test_setup(a_callback_that_overruns_the_hold_blocks_what_is_assigned_next_and_is_reported,
                               face_reset),
        cmocka_unit_test_setup(inside_a_callback_drain_poll_run_and_free_are_refused, face_reset),
        cmocka_unit_test_setup(position_is_asked_before_the_first_fetch_and_may_change_it, face_reset),
        cmocka_unit_test_setup(committed_hears_the_answers_to_commits, face_reset),
        cmocka_unit_test_setup(in_the_run_face_revoked_comes_first_and_then_the_policy, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
