/*
 * One stage of a chain: reads a topic as a member of a group, writes each record to the next topic, and acks it when that one is stored. Both faces;
 * writes the journal, in which a record's number is its place in the topic read (a record of the stage before may lie there twice), and the numbers of
 * the producer's records that it passed on. It leaves by itself after --rounds assignments or --batches of records.
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/doing.h"
#include "common/journal.h"
#include "common/options.h"

static const char *brokers, *group, *topic, *to, *journal, *out, *face = "run";
static int64_t workers = 2, rounds, batches;
static struct orderly *member;
static struct orderly_config *config;
static rd_kafka_t *producer;
static FILE *written;
static int journal_fd = -1;
static atomic_bool ended;
static atomic_int rounds_seen, unsettled;
static atomic_llong handled;

#define BATCH 500
#define PLACE_BITS 40 /* of the offset, below the partition's number */

struct copy {
    struct orderly_record *record;
    struct test_plan plan; /* its id is the place */
    uint64_t id;           /* the producer's */
};

static void on_signal(int number)
{
    (void)number;
    if (member != NULL) {
        (void)!orderly_close(member);
    }
}

static void on_setting(const char *pair, void *userdata)
{
    (void)userdata;
    test_set_pair(config, pair);
}

static void on_log(int level, const char *area, const char *text, void *userdata)
{
    (void)userdata;
    fprintf(stderr, "%" PRId64 " %d %d %s: %s\n", test_wall_us() / 1000, (int)getpid(), level, area, text);
}

static void on_assigned(struct orderly *self, const struct orderly_partition *list, size_t count, void *userdata)
{
    (void)list;
    (void)userdata;
    if (count > 0 && atomic_fetch_add(&rounds_seen, 1) + 1 == rounds) {
        (void)!orderly_close(self);
    }
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct copy *copy = message->_private;
    enum orderly_outcome outcome = message->err ? ORDERLY_RELEASE : ORDERLY_ACK;

    (void)rk;
    (void)opaque;
    if (!message->err) {
        fprintf(written, "%" PRIu64 "\n", copy->id);
        fflush(written);
    }
    test_journal_end(journal_fd, &copy->plan, orderly_record_attempt(copy->record), outcome, -1);
    test_settle(copy->record, outcome, -1);
    orderly_record_unref(copy->record);
    free(copy);
}

/* Hands the copy to the producer; the record is settled when it is stored. */
static void pass_on(struct orderly_record *record)
{
    struct orderly_record_view view = ORDERLY_RECORD_VIEW_INIT;
    struct orderly_bytes text = orderly_record_header_named(record, TEST_PLAN_HEADER);
    struct copy *copy = calloc(1, sizeof *copy);
    struct test_run run;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);
    rd_kafka_resp_err_t error;

    if (copy == NULL || orderly_record_view(record, &view) != ORDERLY_OK ||
        !test_plan_parse(text.data, text.size, &copy->plan)) {
        abort();
    }
    copy->record = orderly_record_ref(record);
    copy->id = copy->plan.id;
    copy->plan.id = (uint64_t)view.partition << PLACE_BITS | (uint64_t)view.offset;
    run = (struct test_run){
        view.topic,
        view.partition,
        view.offset,
        view.attempt,
        0,
        view.fence,
        test_hash(test_hash(TEST_HASH_START, view.key.data, view.key.size), view.value.data, view.value.size),
        test_hash(TEST_HASH_START, view.idempotency_key, strlen(view.idempotency_key))};
    test_journal_begin(journal_fd, &copy->plan, &run);
    rd_kafka_header_add(headers, TEST_PLAN_HEADER, -1, text.data, (ssize_t)text.size);
    do {
        error = rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(to),
                                  RD_KAFKA_V_KEY((void *)(uintptr_t)view.key.data, view.key.size),
                                  RD_KAFKA_V_VALUE((void *)(uintptr_t)view.value.data, view.value.size),
                                  RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers),
                                  RD_KAFKA_V_OPAQUE(copy), RD_KAFKA_V_END);
        if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            rd_kafka_poll(producer, 10);
        }
    } while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL);
    if (error) {
        fprintf(stderr, "chain: %s\n", rd_kafka_err2str(error));
        abort();
    }
}

static enum orderly_outcome handle(struct orderly_record *record, void *userdata)
{
    (void)userdata;
    if (atomic_fetch_add(&handled, 1) + 1 == batches * BATCH) {
        (void)!orderly_close(member);
    }
    pass_on(record);
    return ORDERLY_PENDING;
}

static enum orderly_err poll_loop(void)
{
    for (int64_t polled = 0;;) {
        struct orderly_batch *batch = NULL;
        enum orderly_err error = orderly_poll(member, BATCH, 1000, &batch);

        if (error == ORDERLY_CLOSED) {
            return orderly_drain(member, 30000);
        }
        if (error == ORDERLY_OK) {
            for (size_t i = 0; i < orderly_batch_count(batch); i++) {
                if (!orderly_record_cancelled(orderly_batch_record(batch, i), NULL, NULL)) {
                    pass_on(orderly_batch_record(batch, i));
                }
            }
            orderly_batch_free(batch);
            /* the batch is done when its copies are stored: then a rebalance may come */
            if (orderly_settle_wait(member, NULL, 0, 30000) != ORDERLY_OK) {
                fprintf(stderr, "chain: a batch does not settle\n");
                atomic_fetch_add(&unsettled, 1);
            }
            orderly_allow_rebalance(member);
            if (++polled == batches) {
                (void)!orderly_close(member);
            }
        } else if (error != ORDERLY_TIMEOUT && error != ORDERLY_INTERRUPTED) {
            return error;
        }
    }
}

static void *serve_producer(void *argument)
{
    (void)argument;
    while (!atomic_load(&ended)) {
        rd_kafka_poll(producer, 50);
    }
    return NULL;
}

static void make_producer(void)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text);
    rd_kafka_conf_set(conf, "enable.idempotence", "true", text, sizeof text);
    rd_kafka_conf_set(conf, "linger.ms", "2", text, sizeof text);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (producer == NULL) {
        fprintf(stderr, "chain: %s\n", text);
        exit(1);
    }
}

static void make_member(void)
{
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;

    if (orderly_config_set(config, "kafka.bootstrap.servers", brokers, &error) != ORDERLY_OK ||
        orderly_config_set(config, "kafka.group.id", group, &error) != ORDERLY_OK ||
        orderly_config_set(config, "topics", topic, &error) != ORDERLY_OK) {
        fprintf(stderr, "chain: %s\n", error.text);
        exit(78);
    }
    callbacks.log = on_log;
    callbacks.assigned = on_assigned;
    if (orderly_config_callbacks(config, &callbacks, NULL) != ORDERLY_OK ||
        orderly_new(config, &member, &error) != ORDERLY_OK) {
        fprintf(stderr, "chain: %s\n", error.text);
        exit(78);
    }
}

int main(int argc, char **argv)
{
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct sigaction action = {.sa_handler = on_signal};
    const struct test_option rows[] = {{.name = "brokers", .text = &brokers}, {.name = "group", .text = &group},
                                       {.name = "topic", .text = &topic},     {.name = "to", .text = &to},
                                       {.name = "journal", .text = &journal}, {.name = "out", .text = &out},
                                       {.name = "face", .text = &face},       {.name = "workers", .number = &workers},
                                       {.name = "rounds", .number = &rounds}, {.name = "batches", .number = &batches},
                                       {.name = "set", .each = on_setting},   {.name = NULL}};
    pthread_t server;
    enum orderly_err result;

    if (orderly_config_new(&config) != ORDERLY_OK) {
        return 1;
    }
    test_set_pair(config, "start=earliest");
    test_options(argc, argv, rows);
    written = out != NULL ? fopen(out, "ae") : NULL;
    if (brokers == NULL || group == NULL || topic == NULL || to == NULL || journal == NULL || written == NULL) {
        fprintf(stderr, "needs --brokers --group --topic --to --journal --out\n");
        return 2;
    }
    if (strcmp(face, "poll") == 0) {
        test_set_pair(config, "block_rebalance_on_poll=true");
    }
    journal_fd = test_journal_open(journal);
    make_producer();
    make_member();
    pthread_create(&server, NULL, serve_producer, NULL);
    sigaction(SIGTERM, &action, NULL);
    handler.handle = handle;
    handler.workers = (uint32_t)workers;
    result = strcmp(face, "poll") == 0 ? poll_loop() : orderly_run(member, &handler, &error);
    if (result != ORDERLY_OK) {
        fprintf(stderr, "chain: %s: %s\n", orderly_strerror(result), error.text);
    }
    orderly_free(member);
    member = NULL;
    orderly_config_free(config);
    atomic_store(&ended, true);
    pthread_join(server, NULL);
    rd_kafka_flush(producer, 10000);
    rd_kafka_destroy(producer);
    fclose(written);
    return result == ORDERLY_OK && atomic_load(&unsettled) == 0 ? 0 : 1;
}
