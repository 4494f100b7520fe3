/* Meters: histograms of durations, from 100 us to a day, and counts by source topic. Thread: loop. */
#ifndef OD_RUNTIME_METER_H
#define OD_RUNTIME_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

#define OD_METER_BUCKETS 20

/* Upper bounds of the buckets in microseconds; one more bucket is for what is above. */
extern const int64_t od_meter_bounds_us[OD_METER_BUCKETS];

struct od_meter {
    uint64_t counts[OD_METER_BUCKETS + 1]; /* each for itself, not summed up */
    uint64_t count;
    double sum_us;
    size_t last; /* the bucket of the one before: mostly the next one's too */
};

/* What happened to the records of one source topic; [1] is its retry topic. */
struct od_source_counts {
    uint64_t fetched[2];
    uint64_t attempts;
    uint64_t settled[ORDERLY_THROTTLE + 1];
    int64_t acked_timestamp_ms; /* of the record acked last; 0: none */
};

/* Dead letters of one source and error class. */
struct od_class_count {
    uint32_t source;
    char name[64];
    uint64_t count;
};

struct od_meters {
    struct od_meter attempt, end_to_end, queue_wait, lateness, gate, rebalance, drain;
    struct od_source_counts *sources;
    size_t source_count;
    struct od_class_count *classes;
    size_t class_count;
};

void od_meters_fini(struct od_meters *);
/* The counts of a source; a spare one when out of memory. */
struct od_source_counts *od_meters_source(struct od_meters *, uint32_t source);
/* One more dead letter. At most 200 pairs of source and class are kept apart, the rest is class "other". */
void od_meters_dead_letter(struct od_meters *, uint32_t source, const char *error_class);

/* Counts one duration; a negative one is not known and not counted. */
void od_meter_add(struct od_meter *, int64_t us);

#endif
