/* The scripted engine: what the runtime calls. */
#include "fake_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/vec.h"
#include "fake_message.h"
#include "fake_script.h"
#include "kafka/engine.h"

#define RECORDS_A_TURN 256

_Thread_local int fake_exempt;
struct fake_state fake = {.mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

struct od_engine {
    struct od_engine_sink sink;
    OD_VEC(struct od_event) answers; /* COMMITTED, COPIED and REREAD to be told at the next serve */
};

void fake_ring(void)
{
    uint64_t one = 1;
    ssize_t written = write(fake.fd, &one, sizeof one);
    (void)written;
}

void fake_lock(void)
{
    pthread_mutex_lock(&fake.mutex);
}

void fake_unlock(void)
{
    pthread_mutex_unlock(&fake.mutex);
}

enum orderly_err od_engine_new(const struct od_settings *settings, const struct od_engine_sink *sink,
                               struct od_engine **ret, struct orderly_error *error)
{
    (void)settings;
    (void)error;
    if (fake.new_error != ORDERLY_OK) {
        return fake.new_error;
    }
    struct od_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        return ORDERLY_NOMEM;
    }
    engine->sink = *sink;
    *ret = engine;
    return ORDERLY_OK;
}

enum orderly_err od_engine_start(struct od_engine *engine, struct orderly_error *error)
{
    (void)engine;
    fake_lock();
    enum orderly_err result = fake.start_error;
    fake.started = result == ORDERLY_OK;
    for (int32_t i = 0; i < fake.at_start; i++) {
        fake.partitions[i].to_assign = true;
    }
    fake_unlock();
    if (result != ORDERLY_OK) {
        snprintf(error->text, sizeof error->text, "scripted");
    }
    fake_ring();
    return result;
}

int od_engine_fd(const struct od_engine *engine)
{
    (void)engine;
    return fake.fd;
}

int64_t od_engine_deadline(const struct od_engine *engine, int64_t now_ms)
{
    (void)engine;
    (void)now_ms;
    return INT64_MAX;
}

static void tell(struct od_engine *engine, struct od_event event)
{
    engine->sink.event(engine->sink.userdata, &event);
}

static void tell_ready(struct od_engine *engine, int32_t i, uint32_t id)
{
    fake_lock();
    struct fake_partition *partition = &fake.partitions[i];
    partition->position = partition->committed >= 0 ? partition->committed : 0;
    struct od_ready ready = {
        .id = id, .position = partition->position, .resolved = partition->committed < 0, .map = "", .topic_id_hash = 1};
    fake_unlock();
    tell(engine, (struct od_event){.type = OD_EVENT_READY, .ready = ready});
}

static void tell_assigned(struct od_engine *engine)
{
    struct od_assign list[FAKE_PARTITIONS];
    size_t count = 0;
    fake_lock();
    for (int32_t i = 0; i < FAKE_PARTITIONS; i++) {
        struct fake_partition *partition = &fake.partitions[i];
        if (partition->to_assign) {
            partition->to_assign = false;
            partition->assigned = true;
            partition->credit = 0;
            partition->id = ++fake.next_id;
            list[count++] = (struct od_assign){partition->id, 0, i, OD_TOPIC_SOURCE};
        }
    }
    fake_unlock();
    if (count > 0) {
        tell(engine, (struct od_event){.type = OD_EVENT_ASSIGNED, .assigned = {list, count}});
    }
    for (size_t i = 0; i < count; i++) {
        tell_ready(engine, list[i].partition, list[i].id);
    }
}

static void tell_taken(struct od_engine *engine, int64_t now_ms)
{
    fake_lock();
    struct od_event event = {.type = fake.taking.lost ? OD_EVENT_LOST : OD_EVENT_REVOKE};
    uint32_t ids[FAKE_PARTITIONS];
    size_t count = 0;
    bool now = fake.taking.wanted && (fake.taking.lost || !fake.open);
    if (now) {
        count = fake.taking.count;
        memcpy(ids, fake.taking.ids, sizeof ids);
        event.partitions.deadline_ms = now_ms + fake.taking.hold_ms;
        event.partitions.valid_member = fake.taking.valid;
        fake.taking.wanted = false;
        fake.open = fake.open || !fake.taking.lost;
    }
    fake_unlock();
    if (now && count > 0) {
        event.partitions.ids = ids;
        event.partitions.count = count;
        tell(engine, event);
    }
}

static void tell_fetched(struct od_engine *engine, int32_t i)
{
    struct od_fetched list[RECORDS_A_TURN];
    size_t count = 0;
    fake_lock();
    struct fake_partition *partition = &fake.partitions[i];
    int64_t position = partition->position;
    while (partition->assigned && partition->credit > 0 && (size_t)position < partition->count &&
           count < RECORDS_A_TURN) {
        struct od_message *message = fake_message_make(engine->sink.record_bytes, i, position, partition->keys);
        struct orderly_bytes key = od_message_key(message);
        list[count++] = (struct od_fetched){.tag = (uint64_t)(uintptr_t)message,
                                            .offset = position,
                                            .leader_epoch = 1,
                                            .size_bytes = 100,
                                            .key_hash = key.data != NULL ? od_hash_bytes(key.data, key.size, 0) : 0,
                                            .has_key = key.data != NULL};
        position++;
        partition->credit--;
    }
    partition->position = position;
    bool more = (size_t)position < partition->count;
    uint32_t id = partition->id;
    if (more && partition->credit > 0) {
        fake_ring();
    }
    fake_unlock();
    if (count > 0) {
        tell(engine, (struct od_event){
                         .type = OD_EVENT_FETCHED,
                         .fetched = {.id = id, .list = list, .count = count, .next_offset = position, .more = more}});
    }
}

static void tell_answers(struct od_engine *engine)
{
    for (size_t i = 0; i < engine->answers.count;) {
        struct od_event event = engine->answers.items[i];
        fake_lock();
        bool held = event.type == OD_EVENT_COMMITTED && fake.commits_held;
        fake_unlock();
        if (held) {
            i++;
            continue;
        }
        for (size_t j = i + 1; j < engine->answers.count; j++) {
            engine->answers.items[j - 1] = engine->answers.items[j];
        }
        engine->answers.count--;
        tell(engine, event);
    }
}

static void tell_fault(struct od_engine *engine)
{
    char text[sizeof fake.fault_text];
    fake_lock();
    struct od_engine_fault fault = fake.fault;
    memcpy(text, fake.fault_text, sizeof text);
    fake.fault.code = ORDERLY_OK;
    fake_unlock();
    if (fault.code != ORDERLY_OK) {
        fault.text = text;
        engine->sink.fault(engine->sink.userdata, &fault);
    }
}

void od_engine_serve(struct od_engine *engine, int64_t now_ms, int64_t wall_ms)
{
    (void)wall_ms;
    uint64_t number;
    ssize_t got = read(fake.fd, &number, sizeof number);
    (void)got;
    tell_fault(engine);
    tell_answers(engine);
    tell_taken(engine, now_ms);
    tell_assigned(engine);
    for (int32_t i = 0; i < FAKE_PARTITIONS; i++) {
        tell_fetched(engine, i);
    }
    fake_lock();
    bool left = fake.leaving && !fake.leave_hangs && !fake.left;
    fake.left = fake.left || left;
    fake_unlock();
    if (left) {
        tell(engine, (struct od_event){.type = OD_EVENT_LEFT});
    }
}

void od_engine_free(struct od_engine *engine)
{
    if (engine != NULL) {
        for (size_t i = 0; i < engine->answers.count; i++) {
            if (engine->answers.items[i].type == OD_EVENT_REREAD) {
                od_message_free((struct od_message *)(uintptr_t)engine->answers.items[i].reread.tag);
            }
        }
        od_vec_fini(&engine->answers);
        free(engine);
    }
}

static struct fake_partition *partition_of(uint32_t id)
{
    for (int32_t i = 0; i < FAKE_PARTITIONS; i++) {
        if (fake.partitions[i].assigned && fake.partitions[i].id == id) {
            return &fake.partitions[i];
        }
    }
    return NULL;
}

void od_engine_fetch(struct od_engine *engine, uint32_t id, uint32_t records, int64_t bytes)
{
    (void)engine;
    (void)bytes;
    fake_lock();
    struct fake_partition *partition = partition_of(id);
    if (partition != NULL) {
        partition->credit = records;
    }
    fake_unlock();
    fake_ring();
}

static void answer(struct od_engine *engine, struct od_event event)
{
    fake_exempt++;
    od_assert(od_vec_push(&engine->answers, event));
    fake_exempt--;
    fake_ring();
}

void od_engine_reread(struct od_engine *engine, uint64_t record, uint32_t id, int64_t offset)
{
    fake_lock();
    struct fake_partition *partition = partition_of(id);
    od_assert(partition != NULL);
    struct od_message *message =
        fake_message_make(engine->sink.record_bytes, (int32_t)(partition - fake.partitions), offset, partition->keys);
    fake_unlock();
    answer(engine, (struct od_event){.type = OD_EVENT_REREAD,
                                     .reread = {record, OD_REREAD_OK, (uint64_t)(uintptr_t)message, 100}});
}

void od_engine_seek(struct od_engine *engine, uint32_t id, int64_t offset)
{
    (void)engine;
    fake_lock();
    struct fake_partition *partition = partition_of(id);
    if (partition != NULL) {
        partition->position = offset;
    }
    fake_unlock();
    fake_ring();
}

void od_engine_commit(struct od_engine *engine, uint32_t id, int64_t offset, int32_t leader_epoch, const char *text,
                      size_t text_size, uint64_t sequence)
{
    (void)leader_epoch;
    (void)text;
    (void)text_size;
    fake_lock();
    enum od_commit_result result = OD_COMMIT_OK;
    if (fake.commit_times != 0) {
        result = fake.commit_result;
        fake.commit_times -= fake.commit_times > 0;
    }
    struct fake_partition *partition = partition_of(id);
    if (partition != NULL && result == OD_COMMIT_OK) {
        partition->committed = offset;
    }
    fake_unlock();
    answer(engine, (struct od_event){.type = OD_EVENT_COMMITTED, .committed = {id, sequence, result}});
}

static void give_up(const uint32_t *ids, size_t count, bool revoke)
{
    fake_lock();
    for (size_t i = 0; i < count; i++) {
        struct fake_partition *partition = partition_of(ids[i]);
        if (partition != NULL) {
            partition->assigned = false;
        }
    }
    fake.open = fake.open && !revoke;
    fake_unlock();
    fake_ring();
}

void od_engine_answer_revoke(struct od_engine *engine, const uint32_t *ids, size_t count)
{
    (void)engine;
    give_up(ids, count, true);
}

void od_engine_answer_lost(struct od_engine *engine, const uint32_t *ids, size_t count)
{
    (void)engine;
    give_up(ids, count, false);
}

void od_engine_flush(struct od_engine *engine)
{
    (void)engine;
}

void od_engine_leave(struct od_engine *engine)
{
    (void)engine;
    fake_lock();
    fake.leaving = true;
    fake_unlock();
    fake_ring();
}

void od_engine_copy(struct od_engine *engine, const struct od_copy_request *request)
{
    const char *error_class = request->error_class != NULL ? request->error_class : "";
    fake_lock();
    fake.copies[request->kind]++;
    snprintf(fake.last_class, sizeof fake.last_class, "%s", error_class);
    fake_unlock();
    answer(engine, (struct od_event){.type = OD_EVENT_COPIED, .copied = {request->record, OD_COPY_OK}});
}

const char *od_engine_topic(const struct od_engine *engine, uint32_t id, int32_t *ret_partition)
{
    (void)engine;
    fake_lock();
    const struct fake_partition *partition = partition_of(id);
    *ret_partition = partition != NULL ? (int32_t)(partition - fake.partitions) : -1;
    fake_unlock();
    return partition != NULL ? "t" : "";
}

const char *od_engine_source(const struct od_engine *engine, uint32_t topic)
{
    (void)engine;
    return topic == 0 ? "t" : "";
}

int64_t od_engine_end(const struct od_engine *engine, uint32_t id)
{
    (void)engine;
    fake_lock();
    const struct fake_partition *partition = partition_of(id);
    int64_t end = partition != NULL ? (int64_t)partition->count : -1;
    fake_unlock();
    return end;
}

enum od_engine_state od_engine_state(const struct od_engine *engine)
{
    (void)engine;
    return OD_ENGINE_STABLE;
}

void od_engine_member(const struct od_engine *engine, struct orderly_member *ret)
{
    (void)engine;
    fake_lock();
    snprintf(ret->group, sizeof ret->group, "g");
    snprintf(ret->state, sizeof ret->state, "%s", fake.started ? "stable" : "starting");
    ret->generation = fake.started ? 3 : -1;
    fake_unlock();
}

enum orderly_err od_engine_add_topics(struct od_engine *engine, const char *const *topics, size_t count)
{
    (void)engine;
    (void)topics;
    fake_lock();
    fake.topics_changed += count;
    fake_unlock();
    return ORDERLY_OK;
}

enum orderly_err od_engine_remove_topics(struct od_engine *engine, const char *const *topics, size_t count)
{
    return od_engine_add_topics(engine, topics, count);
}

void od_engine_stood_still(struct od_engine *engine, int64_t stood_ms)
{
    (void)engine;
    (void)stood_ms;
    fake_lock();
    fake.stood_still++;
    fake_unlock();
}

const char *orderly_engine_version(void)
{
    return "fake";
}
