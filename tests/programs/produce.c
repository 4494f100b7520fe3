/*
 * Writes records with plans (common/plan.h) to a topic and says what it wrote, a line each, once the broker has it:
 *   id partition offset key_hash hash header_hash plan work_ms
 * With --plain 1 without headers, so without plans: for the benchmark. Keys and values are arbitrary bytes: null, empty, NUL and invalid UTF-8 among them.
 */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/options.h"
#include "common/plan.h"

struct made {
    char plan[32];
    int64_t id, work_ms;
    uint64_t key_hash, hash, header_hash;
};

static const char *brokers, *topic, *out = "/dev/stdout", *plans = "A", *codec = "none", *due_header, *header;
static int64_t count = 1000, keys = 100, rate, size = 40, work_ms, work_max_ms, first_id, seed = 1, bytes, due_min_ms,
               due_max_ms, first_delay_ms, partition = -1, linger_ms = 5, plain;
static FILE *written;
static int64_t failed, delivered;
static uint64_t state;

static uint64_t roll(void)
{
    state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    struct made *made = message->_private;

    (void)rk;
    (void)opaque;
    if (message->err) {
        fprintf(stderr, "record %" PRId64 ": %s\n", made->id, rd_kafka_err2str(message->err));
        failed++;
    } else {
        delivered++;
        fprintf(written, "%" PRId64 " %" PRId32 " %" PRId64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %s %" PRId64 "\n",
                made->id, message->partition, message->offset, made->key_hash, made->hash, made->header_hash,
                made->plan, made->work_ms);
    }
    free(made);
}

/* One of the plans in "A*90,D*2,R2:500*8": the weights are relative, 1 when not given. */
static void choose_plan(char plan[32])
{
    char copy[512], *save = NULL;
    int64_t total = 0, pick;

    for (int round = 0; round < 2; round++) {
        snprintf(copy, sizeof copy, "%s", plans);
        pick = round == 1 ? (int64_t)(roll() % (uint64_t)total) : INT64_MAX;
        for (char *word = strtok_r(copy, ",", &save); word != NULL; word = strtok_r(NULL, ",", &save)) {
            char *star = strchr(word, '*');
            int64_t weight = star != NULL ? atoll(star + 1) : 1;

            if (star != NULL) {
                *star = '\0';
            }
            total += round == 0 ? weight : 0;
            pick -= weight;
            if (pick < 0) {
                snprintf(plan, 32, "%s", word);
                return;
            }
        }
    }
}

static size_t fill(unsigned char *to, size_t room)
{
    size_t used = bytes ? roll() % (room + 1) : room;

    for (size_t i = 0; i < used; i++) {
        to[i] = bytes ? (unsigned char)roll() : (unsigned char)('a' + roll() % 26);
    }
    return used;
}

static void add_headers(rd_kafka_headers_t *headers, const struct made *made, uint64_t *hash)
{
    char text[96], due[32];

    if (plain) {
        return;
    }
    snprintf(text, sizeof text, "%" PRId64 " %s %" PRId64, made->id, made->plan, made->work_ms);
    rd_kafka_header_add(headers, TEST_PLAN_HEADER, -1, text, -1);
    *hash = test_hash(test_hash(*hash, TEST_PLAN_HEADER, strlen(TEST_PLAN_HEADER)), text, strlen(text));
    if (bytes && made->id % 5 == 0) {
        static const struct {
            const char *name, *value;
            size_t size;
        } extra[] = {
            {"dup", "one", 3}, {"dup", "t\0wo", 4}, {"nothing", NULL, 0}, {"bad", "\xff\xfe", 2}, {"dup", "", 0}};
        for (size_t i = 0; i < sizeof extra / sizeof extra[0]; i++) {
            rd_kafka_header_add(headers, extra[i].name, -1, extra[i].value, (ssize_t)extra[i].size);
            *hash = test_hash(test_hash(*hash, extra[i].name, strlen(extra[i].name)), extra[i].value, extra[i].size);
        }
    }
    if (header != NULL) {
        const char *equals = strchr(header, '=');
        const char *value = equals != NULL ? equals + 1 : NULL;

        rd_kafka_header_add(headers, header, equals != NULL ? equals - header : -1, value, value != NULL ? -1 : 0);
    }
    if (due_header != NULL) {
        int64_t span = due_max_ms - due_min_ms + 1;
        int64_t delay = made->id == first_id && first_delay_ms > 0 ? first_delay_ms
                                                                   : due_min_ms + (int64_t)(roll() % (uint64_t)span);
        snprintf(due, sizeof due, "%" PRId64, test_wall_us() / 1000 + delay);
        rd_kafka_header_add(headers, due_header, -1, due, -1);
    }
}

static void produce_one(rd_kafka_t *rk, int64_t id, unsigned char *value)
{
    struct made *made = calloc(1, sizeof *made);
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    char key[32];
    const void *key_data = key, *value_data = value;
    size_t key_size, value_size = fill(value, (size_t)size);

    made->id = id;
    made->work_ms = work_ms + (work_max_ms > work_ms ? (int64_t)(roll() % (uint64_t)(work_max_ms - work_ms + 1)) : 0);
    choose_plan(made->plan);
    key_size =
        (size_t)snprintf(key, sizeof key, bytes ? "k\xff%" PRId64 : "k%" PRId64, (int64_t)(roll() % (uint64_t)keys));
    if (bytes && id % 11 == 0) {
        key_data = NULL;
        key_size = 0;
    } else if (bytes && id % 13 == 0) {
        key_size = 0;
    }
    if (bytes && id % 7 == 0) {
        value_data = NULL;
        value_size = 0;
    }
    made->key_hash = test_hash(TEST_HASH_START, key_data, key_size);
    made->hash = test_hash(made->key_hash, value_data, value_size);
    made->header_hash = TEST_HASH_START;
    add_headers(headers, made, &made->header_hash);
    for (;;) {
        rd_kafka_resp_err_t error = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION((int32_t)partition), RD_KAFKA_V_KEY(key_data, key_size),
            RD_KAFKA_V_VALUE((void *)(uintptr_t)value_data, value_size), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(made), RD_KAFKA_V_END);
        if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            if (error) {
                fprintf(stderr, "record %" PRId64 ": %s\n", id, rd_kafka_err2str(error));
                exit(1);
            }
            return;
        }
        rd_kafka_poll(rk, 100);
    }
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK) {
        fprintf(stderr, "%s\n", text);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    const struct test_option rows[] = {{.name = "brokers", .text = &brokers},
                                       {.name = "topic", .text = &topic},
                                       {.name = "out", .text = &out},
                                       {.name = "plans", .text = &plans},
                                       {.name = "count", .number = &count},
                                       {.name = "keys", .number = &keys},
                                       {.name = "rate", .number = &rate},
                                       {.name = "size", .number = &size},
                                       {.name = "work-ms", .number = &work_ms},
                                       {.name = "work-max-ms", .number = &work_max_ms},
                                       {.name = "first-id", .number = &first_id},
                                       {.name = "seed", .number = &seed},
                                       {.name = "bytes", .number = &bytes},
                                       {.name = "codec", .text = &codec},
                                       {.name = "header", .text = &header},
                                       {.name = "due-header", .text = &due_header},
                                       {.name = "due-min-ms", .number = &due_min_ms},
                                       {.name = "due-max-ms", .number = &due_max_ms},
                                       {.name = "first-delay-ms", .number = &first_delay_ms},
                                       {.name = "plain", .number = &plain},
                                       {.name = "partition", .number = &partition},
                                       {.name = "linger-ms", .number = &linger_ms},
                                       {.name = NULL}};
    char text[256], number[32];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    test_options(argc, argv, rows);
    state = (uint64_t)seed;
    written = fopen(out, "ae");
    if (written == NULL || brokers == NULL || topic == NULL) {
        fprintf(stderr, "needs --brokers, --topic and an --out that can be written\n");
        return 2;
    }
    set(conf, "bootstrap.servers", brokers);
    set(conf, "enable.idempotence", "true");
    set(conf, "compression.codec", codec);
    snprintf(number, sizeof number, "%" PRId64, linger_ms);
    set(conf, "linger.ms", number);
    set(conf, "message.max.bytes", "10000000");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (rk == NULL) {
        fprintf(stderr, "%s\n", text);
        return 1;
    }
    unsigned char *value = malloc((size_t)size + 1);
    int64_t start = test_now_us();
    for (int64_t i = 0; i < count; i++) {
        while (rate > 0 && test_now_us() - start < i * 1000000 / rate) {
            rd_kafka_poll(rk, 1); /* the rate is the purpose of this wait */
        }
        produce_one(rk, first_id + i, value);
        rd_kafka_poll(rk, 0);
    }
    rd_kafka_flush(rk, 300000);
    rd_kafka_destroy(rk);
    free(value);
    fclose(written);
    if (failed != 0 || delivered != count) {
        fprintf(stderr, "%" PRId64 " of %" PRId64 " records were stored\n", delivered, count);
        return 1;
    }
    return 0;
}
