/* The status of a daemon for people: shared by `status` and `top`. */
#ifndef OD_CLI_STATUS_PRINT_H
#define OD_CLI_STATUS_PRINT_H

#include <jansson.h>
#include <stdio.h>

/* Rates of the counters between two looks; NULL before: none are shown. At most max_rows partitions (0: all). */
void od_status_print(FILE *, const json_t *status, const json_t *before, size_t max_rows);

#endif
