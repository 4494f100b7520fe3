/* `orderly bench`: writes records, then lets the run face handle them in this process; records a second, CPU a record, memory. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "orderly/admin.h"
#include "orderly/testing.h"

#define PARTITIONS 12
#define KEYS 10000

struct bench {
    const struct od_args *args;
    int64_t records, size, work_us, concurrency;
    char topic[128], group[128];
    struct orderly_broker *broker;
    struct orderly_config *config;
    struct orderly_admin *admin;
    struct orderly *member;
    _Atomic int64_t seen;
    double begun_s, ended_s, begun_cpu_s, ended_cpu_s, written_s;
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double cpu_s(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

/* Works by sleeping: a handler that waits for a service, as most do. */
static enum orderly_outcome handle(struct orderly_record *record, void *userdata)
{
    struct bench *bench = userdata;
    (void)record;
    int64_t before = atomic_fetch_add(&bench->seen, 1);
    if (before == 0) {
        bench->begun_s = now_s();
        bench->begun_cpu_s = cpu_s();
    }
    if (bench->work_us) {
        struct timespec time = {(time_t)(bench->work_us / 1000000), (long)(bench->work_us % 1000000) * 1000};
        nanosleep(&time, NULL);
    }
    if (before + 1 == bench->records) {
        bench->ended_s = now_s();
        bench->ended_cpu_s = cpu_s();
        (void)!orderly_close(bench->member);
    }
    return ORDERLY_ACK;
}

static enum orderly_err set(struct bench *bench, const char *name, const char *value, struct orderly_error *error)
{
    return orderly_config_set(bench->config, name, value, error);
}

static enum orderly_err configure(struct bench *bench, struct orderly_error *error)
{
    char concurrency[24];
    snprintf(concurrency, sizeof concurrency, "%" PRId64, bench->concurrency);
    enum orderly_err err = ORDERLY_OK;
    if (bench->broker) {
        err = set(bench, "kafka.bootstrap.servers", orderly_broker_bootstrap(bench->broker), error);
        err = err ? err : set(bench, "kafka.group.protocol", "consumer", error);
    }
    err = err ? err : set(bench, "kafka.group.id", bench->group, error);
    err = err ? err : set(bench, "topics", bench->topic, error);
    err = err ? err : set(bench, "start", "earliest", error);
    return err ? err : set(bench, "concurrency", concurrency, error);
}

static enum orderly_err make_topics(struct bench *bench, struct orderly_error *error)
{
    struct orderly_needs *needs = NULL;
    enum orderly_err err = ORDERLY_OK;
    if (bench->broker) {
        err = orderly_broker_create_topic(bench->broker, bench->topic, PARTITIONS);
    } else {
        err = orderly_admin_create(bench->admin, bench->topic, PARTITIONS, -1, NULL, 0, error);
    }
    err = err ? err : orderly_admin_needs(bench->admin, &needs, error);
    err = err ? err : orderly_admin_provide(bench->admin, needs, error);
    orderly_needs_free(needs);
    return err;
}

static enum orderly_err write_all(struct bench *bench, struct orderly_error *error)
{
    char key[24], *value = malloc((size_t)bench->size + 1);
    enum orderly_err err = value ? ORDERLY_OK : ORDERLY_NOMEM;
    double begun = now_s();
    if (value) {
        memset(value, 'x', (size_t)bench->size);
    }
    for (int64_t i = 0; i < bench->records && !err; i++) {
        snprintf(key, sizeof key, "key-%" PRId64, i % KEYS);
        err = orderly_admin_queue(bench->admin, bench->topic, (int32_t)(i % KEYS % PARTITIONS),
                                  (struct orderly_bytes){key, strlen(key)},
                                  (struct orderly_bytes){value, (size_t)bench->size}, NULL, 0, error);
    }
    err = err ? err : orderly_admin_flush(bench->admin, error);
    bench->written_s = now_s() - begun;
    free(value);
    return err;
}

static enum orderly_err consume(struct bench *bench, struct orderly_error *error)
{
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    handler.handle = handle;
    handler.userdata = bench;
    /* Handlers that wait need a thread each; those that do not, one a CPU. */
    handler.workers = bench->work_us ? (uint32_t)bench->concurrency : 0;
    enum orderly_err err = orderly_new(bench->config, &bench->member, error);
    return err ? err : orderly_run(bench->member, &handler, error);
}

static void print(const struct bench *bench)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    double seconds = bench->ended_s - bench->begun_s, records = (double)bench->records;
    double rate = seconds > 0 ? records / seconds : 0, cpu = (bench->ended_cpu_s - bench->begun_cpu_s) * 1e6 / records;
    if (od_args_has(bench->args, "json")) {
        printf(
            "{\"records\":%" PRId64 ",\"size\":%" PRId64 ",\"work_us\":%" PRId64 ",\"concurrency\":%" PRId64
            ",\"seconds\":%.4f,\"records_per_s\":%.0f,\"cpu_us\":%.3f,\"peak_rss_kib\":%ld,\"written_per_s\":%.0f}\n",
            bench->records, bench->size, bench->work_us, bench->concurrency, seconds, rate, cpu, use.ru_maxrss,
            records / bench->written_s);
        return;
    }
    printf("%-22s %12" PRId64 " of %" PRId64 " bytes\n", "records", bench->records, bench->size);
    printf("%-22s %12.0f a second\n", "written", records / bench->written_s);
    printf("%-22s %12.0f a second, with %" PRId64 " in flight and handlers of %" PRId64 " us\n", "handled", rate,
           bench->concurrency, bench->work_us);
    printf("%-22s %12.2f us a record%s\n", "CPU", cpu, bench->broker ? " (the embedded broker's included)" : "");
    printf("%-22s %12.1f MiB\n", "peak memory", (double)use.ru_maxrss / 1024);
}

static bool read_options(struct bench *bench)
{
    const struct od_args *args = bench->args;
    const char *topic = od_args_text(args, "topic");
    snprintf(bench->topic, sizeof bench->topic, "%s", topic ? topic : "");
    if (!topic) {
        snprintf(bench->topic, sizeof bench->topic, "bench-%d-%lld", (int)getpid(), (long long)od_now_ms());
    }
    snprintf(bench->group, sizeof bench->group, "bench-%d-%lld", (int)getpid(), (long long)od_now_ms());
    return od_args_number(args, "records", 1, 1000000000, 200000, &bench->records) &&
           od_args_number(args, "size", 0, 1000000, 100, &bench->size) &&
           od_args_number(args, "work", 0, 60000000, 0, &bench->work_us) &&
           od_args_number(args, "concurrency", 1, 10000, 64, &bench->concurrency);
}

int od_bench_command(const struct od_args *args)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct bench bench = {.args = args};
    if (!read_options(&bench)) {
        return OD_EXIT_USAGE;
    }
    int code = od_cli_config(args, &bench.config);
    if (code) {
        return code;
    }
    enum orderly_err err = od_args_has(args, "brokers") ? ORDERLY_OK : orderly_broker_new(1, &bench.broker, &error);
    err = err ? err : configure(&bench, &error);
    err = err ? err : orderly_admin_new(bench.config, 30000, &bench.admin, &error);
    err = err ? err : make_topics(&bench, &error);
    if (!err) {
        od_talk("writing %" PRId64 " records to %s", bench.records, bench.topic);
        err = write_all(&bench, &error);
    }
    err = err ? err : consume(&bench, &error);
    if (err) {
        code = od_talk_error(args, err, &error);
    } else {
        print(&bench);
    }
    orderly_free(bench.member);
    orderly_admin_free(bench.admin);
    orderly_config_free(bench.config);
    orderly_broker_free(bench.broker);
    return code;
}
