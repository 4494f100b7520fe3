/* What both sides of the benchmark count: records, time, processor time, peak memory; printed as one JSON line. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct measure {
    double start_s, start_cpu_s; /* at the first record */
};

static inline double measure_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline double measure_cpu(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static inline long measure_peak_rss_kib(void)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    return use.ru_maxrss;
}

static inline void measure_begin(struct measure *measure)
{
    measure->start_s = measure_now();
    measure->start_cpu_s = measure_cpu();
}

/* Call at the last record. */
static inline void measure_print(const struct measure *measure, const char *name, int64_t records)
{
    double seconds = measure_now() - measure->start_s, cpu = measure_cpu() - measure->start_cpu_s;

    printf("{\"name\":\"%s\",\"records\":%" PRId64
           ",\"seconds\":%.4f,\"records_per_s\":%.0f,\"cpu_us\":%.3f,\"peak_rss_kib\":%ld}\n",
           name, records, seconds, (double)records / seconds, cpu * 1e6 / (double)records, measure_peak_rss_kib());
    fflush(stdout);
}

#endif
