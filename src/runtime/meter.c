/* Meters: histograms of durations, counts by source. */
#include "runtime/meter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES_MAX 200

#define MS INT64_C(1000)
#define S INT64_C(1000000)
#define MIN (60 * S)
#define H (60 * MIN)

const int64_t od_meter_bounds_us[OD_METER_BUCKETS] = {100,      500,      MS,       5 * MS, 10 * MS, 25 * MS, 50 * MS,
                                                      100 * MS, 250 * MS, 500 * MS, S,      5 * S,   10 * S,  30 * S,
                                                      MIN,      5 * MIN,  15 * MIN, H,      6 * H,   24 * H};

void od_meter_add(struct od_meter *meter, int64_t us)
{
    if (us < 0) {
        return;
    }
    size_t low = meter->last, high = OD_METER_BUCKETS;
    bool same =
        (low == 0 || us > od_meter_bounds_us[low - 1]) && (low == OD_METER_BUCKETS || us <= od_meter_bounds_us[low]);
    for (low = same ? low : 0; !same && low < high;) {
        size_t middle = (low + high) / 2;
        if (us <= od_meter_bounds_us[middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    meter->last = low;
    meter->counts[low]++;
    meter->count++;
    meter->sum_us += (double)us;
}

void od_meters_fini(struct od_meters *meters)
{
    free(meters->sources);
    free(meters->classes);
}

struct od_source_counts *od_meters_source(struct od_meters *meters, uint32_t source)
{
    static struct od_source_counts spare;
    if (source >= meters->source_count) {
        size_t count = (size_t)source + 1;
        struct od_source_counts *sources = realloc(meters->sources, count * sizeof *sources);
        if (sources == NULL) {
            return &spare;
        }
        memset(sources + meters->source_count, 0, (count - meters->source_count) * sizeof *sources);
        meters->sources = sources;
        meters->source_count = count;
    }
    return &meters->sources[source];
}

static struct od_class_count *find_class(struct od_meters *meters, uint32_t source, const char *name)
{
    for (size_t i = 0; i < meters->class_count; i++) {
        struct od_class_count *count = &meters->classes[i];
        if (count->source == source && strncmp(count->name, name, sizeof count->name - 1) == 0) {
            return count;
        }
    }
    return NULL;
}

void od_meters_dead_letter(struct od_meters *meters, uint32_t source, const char *error_class)
{
    const char *name = error_class != NULL && error_class[0] != '\0' ? error_class : "none";
    struct od_class_count *count = find_class(meters, source, name);
    if (count == NULL && meters->class_count >= CLASSES_MAX) {
        name = "other";
        count = find_class(meters, source, name);
    }
    if (count == NULL) {
        size_t size = (meters->class_count + 1) * sizeof *meters->classes;
        struct od_class_count *classes = realloc(meters->classes, size);
        if (classes == NULL) {
            return;
        }
        meters->classes = classes;
        count = &classes[meters->class_count++];
        *count = (struct od_class_count){.source = source};
        snprintf(count->name, sizeof count->name, "%s", name);
    }
    count->count++;
}
