/* The poll face in an event loop: its descriptor. */
#include "face.h"

#include <poll.h>

static void mark_all(struct orderly_batch *batch)
{
    assert_int_equal(orderly_mark_batch(batch), ORDERLY_OK);
    orderly_batch_free(batch);
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void the_poll_fd_is_readable_exactly_when_a_poll_would_not_wait(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = NULL;
    int fd = orderly_poll_fd(orderly);
    assert_true(fd >= 0);
    assert_int_equal(fd, orderly_poll_fd(orderly));
    assert_true(is_readable(fd, 0)); /* the first poll is what joins the group */
    assert_int_equal(orderly_poll(orderly, 10, 0, &batch), ORDERLY_TIMEOUT);
    assert_false(is_readable(fd, 0));
    fake_append(0, 5, 0);
    size_t seen = 0;
    while (seen < 5) {
        assert_true(is_readable(fd, FAKE_WAIT_MS));
        assert_int_equal(orderly_poll(orderly, 10, 0, &batch), ORDERLY_OK);
        seen += orderly_batch_count(batch);
        mark_all(batch);
    }
    assert_true(fake_wait_committed(0, 5));
    assert_false(is_readable(fd, 0));
    fake_append(0, 300, 0);
    for (seen = 0; seen < 300;) {
        assert_true(is_readable(fd, FAKE_WAIT_MS)); /* also right after a poll has returned: it tells of what is left */
        assert_int_equal(orderly_poll(orderly, 2, 0, &batch), ORDERLY_OK);
        seen += orderly_batch_count(batch);
        mark_all(batch);
    }
    assert_false(is_readable(fd, 0));
    orderly_wake(orderly);
    assert_true(is_readable(fd, FAKE_WAIT_MS));
    assert_int_equal(orderly_poll(orderly, 10, 0, &batch), ORDERLY_INTERRUPTED);
    face_free(orderly);
}

static void a_record_prepared_for_the_poll_fd_goes_back_when_its_partition_goes(void **state)
{
    (void)state;
    struct orderly *orderly = fake_member(NULL, NULL, NULL);
    struct orderly_batch *batch = NULL;
    int fd = orderly_poll_fd(orderly);
    assert_int_equal(orderly_poll(orderly, 10, 0, &batch), ORDERLY_TIMEOUT);
    fake_append(0, 3, 0);
    assert_true(is_readable(fd, FAKE_WAIT_MS));
    fake_revoke(-1, 10000);
    assert_true(fake_wait_assigned(0, false));
    assert_int_equal(orderly_poll(orderly, 10, 0, &batch), ORDERLY_TIMEOUT);
    assert_true(fake_committed(0) <= 0);
    face_free(orderly);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_poll_fd_is_readable_exactly_when_a_poll_would_not_wait, face_reset),
        cmocka_unit_test_setup(a_record_prepared_for_the_poll_fd_goes_back_when_its_partition_goes, face_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
