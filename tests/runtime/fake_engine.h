/*
 * A scripted engine for tests of the runtime: engine.h and message.h in memory, no librdkafka, no network. Topic "t" is an array of
 * records for each partition; commits and copies are remembered. A test says from its own thread what shall happen; it happens on the
 * loop's thread. One member at a time.
 */
#ifndef TESTS_RUNTIME_FAKE_ENGINE_H
#define TESTS_RUNTIME_FAKE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"
#include "orderly/orderly.h"

#define FAKE_PARTITIONS 8
#define FAKE_WAIT_MS 20000

/* Empties everything; before each test. */
void fake_reset(void);
/* How many partitions are assigned when the member starts (default 1). */
void fake_assigned_at_start(int32_t partitions);
/* Appends `count` records; values "v0", "v1" .. by offset, keys "k0" .. "k(keys-1)"; keys 0: none. */
void fake_append(int32_t partition, size_t count, size_t keys);
/* What the group has committed; -1 (the default): nothing, reading begins at 0. */
void fake_set_committed(int32_t partition, int64_t offset);

/* These happen at the next turn. */
void fake_assign(int32_t partition);
/* partition -1: all that are assigned. The hold may take `hold_ms`. */
void fake_revoke(int32_t partition, int64_t hold_ms);
void fake_lose(int32_t partition, bool valid_member);
void fake_fault(enum orderly_err, bool ends, const char *text);
/* The next `times` commits are answered with this; -1: all from now on. */
void fake_answer_commits(enum od_commit_result, int times);
/* Commits are answered only when this is false again. */
void fake_hold_commits(bool hold);
void fake_fail_new(enum orderly_err);
void fake_fail_start(enum orderly_err);
/* Leaving is not answered while this is true. */
void fake_hang_leave(bool hang);

int64_t fake_committed(int32_t partition); /* -1: nothing */
size_t fake_copies(enum od_copy_kind);
/* The error class of the last copy; "" none. */
void fake_last_class(char *ret, size_t size);
bool fake_is_assigned(int32_t partition);
bool fake_started(void);
bool fake_left(void);
size_t fake_stood_still(void);
/* Messages that are alive: 0 when nothing leaks. */
size_t fake_messages(void);
size_t fake_topics_changed(void);

/* Waits until `done` is true; false after FAKE_WAIT_MS. */
bool fake_wait(bool (*done)(void *userdata), void *userdata);
/* The same with a time of one's own. */
bool fake_wait_within(bool (*done)(void *userdata), void *userdata, int64_t timeout_ms);
bool fake_wait_committed(int32_t partition, int64_t offset);
bool fake_wait_assigned(int32_t partition, bool assigned);
/* Until the core has been told of a revoke, and has not answered. */
bool fake_wait_revoke_told(void);
bool fake_wait_copies(enum od_copy_kind, size_t count);

/* A configuration: group, topic, quick timers. `more`: "name=value" texts, ended by NULL. The caller frees it. */
struct orderly_config *fake_config(const char *const *more);
/* A member of it; ends the program when it cannot be made. */
struct orderly *fake_member(const char *const *more, const struct orderly_callbacks *, void *userdata);

#endif
