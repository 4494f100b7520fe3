/*
 * A record used after its last unref. A debug build ends the process and says why, for each function that takes a record; no build lets
 * such a hand settle the next run of the record.
 */
#include "face.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/quarantine.h"

/* What the process says when it ends so. */
#if OD_BASE_ADDRESS_SANITIZER
#define USED_AFTER "use-after"
#else
#define USED_AFTER "a record was used after its last unref"
#endif
#define NOT_HELD "a record was unref'd by one who holds no reference of it"

#define USES(X)                                                              \
    X(topic, (void)orderly_record_topic(record))                             \
    X(partition, (void)orderly_record_partition(record))                     \
    X(offset, (void)orderly_record_offset(record))                           \
    X(timestamp_ms, (void)orderly_record_timestamp_ms(record))               \
    X(key, (void)orderly_record_key(record))                                 \
    X(value, (void)orderly_record_value(record))                             \
    X(header_count, (void)orderly_record_header_count(record))               \
    X(header, (void)orderly_record_header(record, 0))                        \
    X(header_named, (void)orderly_record_header_named(record, "h"))          \
    X(leader_epoch, (void)orderly_record_leader_epoch(record))               \
    X(attempt, (void)orderly_record_attempt(record))                         \
    X(due_ms, (void)orderly_record_due_ms(record))                           \
    X(origin_topic, (void)orderly_record_origin_topic(record))               \
    X(origin_partition, (void)orderly_record_origin_partition(record))       \
    X(origin_offset, (void)orderly_record_origin_offset(record))             \
    X(origin_timestamp_ms, (void)orderly_record_origin_timestamp_ms(record)) \
    X(idempotency_key, (void)orderly_record_idempotency_key(record))         \
    X(fence, (void)orderly_record_fence(record))                             \
    X(cancelled, (void)orderly_record_cancelled(record, NULL, NULL))         \
    X(cancel_fd, (void)!orderly_record_cancel_fd(record, &(int){0}))         \
    X(sleep, (void)!orderly_record_sleep(record, 0))                         \
    X(extend, (void)!orderly_record_extend(record, 0))                       \
    X(set_error, (void)!orderly_record_set_error(record, "a", "b"))          \
    X(set_delay, orderly_record_set_delay(record, 1))                        \
    X(view, (void)!orderly_record_view(record, &view))                       \
    X(settle, (void)!orderly_settle(record, &settlement))                    \
    X(mark, (void)!orderly_mark(record))                                     \
    X(ref, (void)orderly_record_ref(record))                                 \
    X(unref, orderly_record_unref(record))

enum use {
#define USE_ENUM(name, call) USE_##name,
    USES(USE_ENUM)
#undef USE_ENUM
        USE_COUNT,
};

static const char *use_name(int use)
{
    static const char *const names[] = {
#define USE_NAME(name, call) #name,
        USES(USE_NAME)
#undef USE_NAME
    };
    return names[use];
}

static void use_it(struct orderly_record *record, int use)
{
    struct orderly_record_view view = ORDERLY_RECORD_VIEW_INIT;
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    settlement.outcome = ORDERLY_ACK;
    switch (use) {
#define USE_CALL(name, call) \
    case USE_##name:         \
        call;                \
        break;
        USES(USE_CALL)
#undef USE_CALL
    default:
        break;
    }
}

/* Uses after the last unref are caught in debug builds. */
#ifdef NDEBUG
enum { CAUGHT = 0 };
#else
enum { CAUGHT = 1 };
#endif

/* Uses the record in a process of its own. True when that ended by itself, before its time, and said what it should. */
static bool ends_with(struct orderly_record *record, int use, const char *expected)
{
    char said[8192] = "";
    size_t size = 0;
    int out[2], status = 0;
    assert_int_equal(pipe(out), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(out[1], STDERR_FILENO);
        use_it(record, use);
        _exit(0);
    }
    close(out[1]);
    for (ssize_t got; size < sizeof said - 1 && (got = read(out[0], said + size, sizeof said - 1 - size)) > 0;) {
        size += (size_t)got;
    }
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    bool ended = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (!ended || strstr(said, expected) == NULL) {
        print_error("%s: status %d, said: %s\n", use_name(use), status, said);
    }
    return ended && strstr(said, expected) != NULL;
}

static bool is_gone(void *userdata)
{
    (void)userdata;
    return fake_messages() == 0;
}

static void a_record_that_was_freed_is_recognised_by_each_function(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    struct orderly_record *record = orderly_record_ref(orderly_batch_record(batch, 0));
    assert_int_equal(orderly_mark(record), ORDERLY_OK);
    orderly_batch_free(batch);
    orderly_record_unref(record);
    assert_true(fake_wait(is_gone, NULL));
    if (CAUGHT) {
        for (int use = 0; use < USE_COUNT; use++) {
            assert_true(ends_with(record, use, USED_AFTER));
        }
    }
    face_free(orderly);
}

static void a_twin_that_was_freed_is_recognised_too(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_settlement again = ORDERLY_SETTLEMENT_INIT;
    again.outcome = ORDERLY_RETRY;
    again.delay_ms = 0;
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    assert_int_equal(orderly_settle(orderly_batch_record(batch, 0), &again), ORDERLY_OK);
    orderly_batch_free(batch);
    batch = poll_some(orderly, 1);
    struct orderly_record *twin = orderly_batch_record(batch, 0);
    assert_int_equal(orderly_record_attempt(twin), 2);
    assert_int_equal(orderly_mark(twin), ORDERLY_OK);
    orderly_batch_free(batch);
    assert_true(fake_wait(is_gone, NULL));
    if (CAUGHT) {
        assert_true(ends_with(twin, USE_mark, USED_AFTER));
        assert_true(ends_with(twin, USE_offset, USED_AFTER));
    }
    face_free(orderly);
}

static void an_unref_without_a_reference_does_not_take_the_librarys(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    struct orderly_record *record = orderly_batch_record(batch, 0); /* borrowed */
    if (CAUGHT) {
        assert_true(ends_with(record, USE_unref, NOT_HELD));
        assert_ptr_equal(orderly_record_ref(record), record);
        orderly_record_unref(record);
        assert_true(ends_with(record, USE_unref, NOT_HELD));
    }
    assert_int_equal(orderly_mark(record), ORDERLY_OK);
    orderly_batch_free(batch);
    face_free(orderly);
}

/* The library still has the record, and hands it out again: whose reference ended with the batch must not ack what another one works on. */
static void a_hand_without_a_reference_never_settles_the_next_run(void **state)
{
    (void)state;
    struct orderly_backlog backlog = ORDERLY_BACKLOG_INIT;
    static const struct orderly_partition partition = {"t", 0};
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    fake_append(0, 1, 0);
    struct orderly_batch *batch = poll_some(orderly, 1);
    struct orderly_record *late = orderly_batch_record(batch, 0);
    orderly_batch_free(batch); /* released */
    batch = poll_some(orderly, 1);
    assert_int_equal(orderly_batch_count(batch), 1);
    assert_int_equal(orderly_mark(late), ORDERLY_INVALID);
    assert_int_equal(orderly_record_extend(late, 1), ORDERLY_INVALID);
    assert_int_equal(orderly_uncommitted(orderly, &partition, &backlog), ORDERLY_OK);
    assert_int_equal(backlog.running, 1);
    assert_true(fake_committed(0) <= 0);
    assert_int_equal(orderly_mark(orderly_batch_record(batch, 0)), ORDERLY_OK);
    orderly_batch_free(batch);
    assert_true(fake_wait_committed(0, 1));
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_record_that_was_freed_is_recognised_by_each_function, face_reset),
        cmocka_unit_test_setup(a_twin_that_was_freed_is_recognised_too, face_reset),
        cmocka_unit_test_setup(an_unref_without_a_reference_does_not_take_the_librarys, face_reset),
        cmocka_unit_test_setup(a_hand_without_a_reference_never_settles_the_next_run, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
