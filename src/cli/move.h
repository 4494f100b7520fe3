/* What `dlt replay`, `retry now` and `retry drop` share: going through a topic, picking, copying, remembering, at a rate. */
#ifndef OD_CLI_MOVE_H
#define OD_CLI_MOVE_H

#include "cli/letter.h"
#include "orderly/admin.h"

enum od_move_kind { OD_MOVE_TO_RETRY, OD_MOVE_TO_ORIGIN, OD_MOVE_NOW, OD_MOVE_DROP };

struct od_move {
    const struct od_args *args;
    struct orderly_admin *admin;
    const char *progress_group; /* whose offsets remember what was moved */
    const char *topic;          /* what is gone through */
    const char *target;         /* where copies go; "" for DROP */
    int32_t target_partitions;
    const char *group, *retry_header;
    enum od_move_kind kind;
    struct od_where where;
    int64_t limit, rate; /* 0: none */
    bool dry_run;
};

/* Counts what would be moved; the exit code. */
int od_move_count(const struct od_move *, int64_t *ret);
/* Moves; *ret counts what is durable. */
int od_move_run(const struct od_move *, int64_t expected, int64_t *ret);

#endif
