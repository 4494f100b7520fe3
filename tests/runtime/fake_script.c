/* The script: what a test says, what it sees, what it waits for. */
#include "fake_script.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/assert.h"
#include "fake_message.h"

static const struct fake_partition empty_partition = {.committed = -1};

void fake_reset(void)
{
    fake_lock();
    if (fake.fd < 0) {
        fake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    for (size_t i = 0; i < FAKE_PARTITIONS; i++) {
        fake.partitions[i] = empty_partition;
    }
    fake.at_start = 1;
    fake.taking.wanted = fake.open = false;
    fake.fault.code = ORDERLY_OK;
    fake.commit_times = 0;
    fake.commits_held = fake.leave_hangs = fake.left = fake.leaving = fake.started = false;
    fake.new_error = fake.start_error = ORDERLY_OK;
    memset(fake.copies, 0, sizeof fake.copies);
    fake.last_class[0] = '\0';
    fake.stood_still = fake.topics_changed = 0;
    fake_message_reset();
    fake_unlock();
}

void fake_assigned_at_start(int32_t partitions)
{
    fake.at_start = partitions;
}

void fake_append(int32_t partition, size_t count, size_t keys)
{
    fake_lock();
    fake.partitions[partition].count += count;
    fake.partitions[partition].keys = keys;
    fake_unlock();
    fake_ring();
}

void fake_set_committed(int32_t partition, int64_t offset)
{
    fake_lock();
    fake.partitions[partition].committed = offset;
    fake_unlock();
}

void fake_assign(int32_t partition)
{
    fake_lock();
    fake.partitions[partition].to_assign = true;
    fake_unlock();
    fake_ring();
}

static void take(int32_t which, bool lost, bool valid, int64_t hold_ms)
{
    fake_lock();
    fake.taking.wanted = true;
    fake.taking.lost = lost;
    fake.taking.valid = valid;
    fake.taking.hold_ms = hold_ms;
    fake.taking.count = 0;
    for (int32_t i = 0; i < FAKE_PARTITIONS; i++) {
        if (fake.partitions[i].assigned && (which < 0 || which == i)) {
            fake.taking.ids[fake.taking.count++] = fake.partitions[i].id;
        }
    }
    fake_unlock();
    fake_ring();
}

void fake_revoke(int32_t partition, int64_t hold_ms)
{
    take(partition, false, true, hold_ms);
}

void fake_lose(int32_t partition, bool valid_member)
{
    take(partition, true, valid_member, 0);
}

void fake_fault(enum orderly_err code, bool ends, const char *text)
{
    fake_lock();
    fake.fault = (struct od_engine_fault){.code = code, .kafka_code = 42, .ends = ends};
    snprintf(fake.fault_text, sizeof fake.fault_text, "%s", text);
    fake_unlock();
    fake_ring();
}

void fake_answer_commits(enum od_commit_result result, int times)
{
    fake_lock();
    fake.commit_result = result;
    fake.commit_times = times;
    fake_unlock();
}

void fake_hold_commits(bool hold)
{
    fake_lock();
    fake.commits_held = hold;
    fake_unlock();
    fake_ring();
}

void fake_fail_new(enum orderly_err error)
{
    fake.new_error = error;
}

void fake_fail_start(enum orderly_err error)
{
    fake.start_error = error;
}

void fake_hang_leave(bool hang)
{
    fake_lock();
    fake.leave_hangs = hang;
    fake_unlock();
    fake_ring();
}

int64_t fake_committed(int32_t partition)
{
    fake_lock();
    int64_t committed = fake.partitions[partition].committed;
    fake_unlock();
    return committed;
}

size_t fake_copies(enum od_copy_kind kind)
{
    fake_lock();
    size_t count = fake.copies[kind];
    fake_unlock();
    return count;
}

void fake_last_class(char *ret, size_t size)
{
    fake_lock();
    snprintf(ret, size, "%s", fake.last_class);
    fake_unlock();
}

bool fake_is_assigned(int32_t partition)
{
    fake_lock();
    bool assigned = fake.partitions[partition].assigned;
    fake_unlock();
    return assigned;
}

bool fake_started(void)
{
    fake_lock();
    bool started = fake.started;
    fake_unlock();
    return started;
}

bool fake_left(void)
{
    fake_lock();
    bool left = fake.left;
    fake_unlock();
    return left;
}

size_t fake_stood_still(void)
{
    fake_lock();
    size_t count = fake.stood_still;
    fake_unlock();
    return count;
}

size_t fake_messages(void)
{
    return fake_message_count();
}

size_t fake_topics_changed(void)
{
    fake_lock();
    size_t count = fake.topics_changed;
    fake_unlock();
    return count;
}

/* ---- waiting ---- */

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

bool fake_wait_within(bool (*done)(void *userdata), void *userdata, int64_t timeout_ms)
{
    int64_t until_ms = now_ms() + timeout_ms;
    while (!done(userdata)) {
        if (now_ms() > until_ms) {
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return true;
}

bool fake_wait(bool (*done)(void *userdata), void *userdata)
{
    return fake_wait_within(done, userdata, FAKE_WAIT_MS);
}

struct expectation {
    int32_t which;
    int64_t number;
};

static bool is_committed(void *userdata)
{
    const struct expectation *expectation = userdata;
    return fake_committed(expectation->which) == expectation->number;
}

bool fake_wait_committed(int32_t partition, int64_t offset)
{
    return fake_wait(is_committed, &(struct expectation){partition, offset});
}

static bool is_assigned(void *userdata)
{
    const struct expectation *expectation = userdata;
    return fake_is_assigned(expectation->which) == (expectation->number != 0);
}

bool fake_wait_assigned(int32_t partition, bool assigned)
{
    return fake_wait(is_assigned, &(struct expectation){partition, assigned});
}

static bool has_copies(void *userdata)
{
    const struct expectation *expectation = userdata;
    return fake_copies((enum od_copy_kind)expectation->which) >= (size_t)expectation->number;
}

bool fake_wait_copies(enum od_copy_kind kind, size_t count)
{
    return fake_wait(has_copies, &(struct expectation){(int32_t)kind, (int64_t)count});
}

static bool is_revoke_told(void *userdata)
{
    (void)userdata;
    fake_lock();
    bool open = fake.open;
    fake_unlock();
    return open;
}

bool fake_wait_revoke_told(void)
{
    return fake_wait(is_revoke_told, NULL);
}

/* ---- members ---- */

static void set(struct orderly_config *config, const char *name, const char *value)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (orderly_config_set(config, name, value, &error) != ORDERLY_OK) {
        fprintf(stderr, "%s=%s: %s\n", name, value, error.text);
        od_unreachable();
    }
}

struct orderly_config *fake_config(const char *const *more)
{
    struct orderly_config *config = NULL;
    od_assert(orderly_config_new(&config) == ORDERLY_OK);
    set(config, "kafka.bootstrap.servers", "127.0.0.1:1");
    set(config, "kafka.group.id", "g");
    set(config, "topics", "t");
    set(config, "start", "earliest");
    set(config, "commit.interval", "10ms");
    set(config, "close_timeout", "10s");
    for (; more != NULL && *more != NULL; more++) {
        char name[128];
        const char *equals = strchr(*more, '=');
        snprintf(name, sizeof name, "%.*s", (int)(equals - *more), *more);
        set(config, name, equals + 1);
    }
    return config;
}

struct orderly *fake_member(const char *const *more, const struct orderly_callbacks *callbacks, void *userdata)
{
    struct orderly_config *config = fake_config(more);
    struct orderly *orderly = NULL;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (callbacks != NULL) {
        od_assert(orderly_config_callbacks(config, callbacks, userdata) == ORDERLY_OK);
    }
    if (orderly_new(config, &orderly, &error) != ORDERLY_OK) {
        fprintf(stderr, "orderly_new: %s\n", error.text);
        od_unreachable();
    }
    orderly_config_free(config);
    return orderly;
}
