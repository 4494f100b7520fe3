/* `orderly lag`: lag of a group straight from Kafka, with what is done above the committed offset counted. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "orderly/admin.h"

/* Records not done yet: without a committed offset all that is there. */
static int64_t lag_of(const struct orderly_group_lag *lag)
{
    int64_t from = lag->committed >= 0 ? lag->committed : lag->begin;
    int64_t left = lag->end < 0 || from < 0 ? 0 : lag->end - from - (int64_t)lag->done_above;
    return left > 0 ? left : 0;
}

static void print_json(const struct orderly_group_lags *lags)
{
    for (size_t i = 0; i < lags->count; i++) {
        const struct orderly_group_lag *lag = &lags->list[i];
        json_t *object =
            json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:s}", "topic", lag->topic, "partition", (int)lag->partition,
                      "end", (json_int_t)lag->end, "committed", (json_int_t)lag->committed, "done_above",
                      (json_int_t)lag->done_above, "lag", (json_int_t)lag_of(lag), "map", lag->map);
        json_dumpf(object, stdout, JSON_COMPACT);
        fputc('\n', stdout);
        json_decref(object);
    }
}

static void add_offset(struct od_table *table, int64_t offset)
{
    if (offset < 0) {
        od_table_add(table, "-");
    } else {
        od_table_add(table, "%" PRId64, offset);
    }
}

static void print_table(const struct orderly_group_lags *lags)
{
    struct od_table table;
    int64_t total = 0;
    od_table_init(&table, "topic|>partition|>committed|>done above|>end|>lag|offset map");
    for (size_t i = 0; i < lags->count; i++) {
        const struct orderly_group_lag *lag = &lags->list[i];
        od_table_add(&table, "%s", lag->topic);
        od_table_add(&table, "%d", (int)lag->partition);
        add_offset(&table, lag->committed);
        od_table_add(&table, "%" PRIu64, lag->done_above);
        add_offset(&table, lag->end);
        od_table_add(&table, "%" PRId64, lag_of(lag));
        od_table_add(&table, "%s", lag->map);
        total += lag_of(lag);
    }
    od_table_print(&table, stdout);
    printf("total lag %" PRId64 "\n", total);
}

int od_lag_command(const struct od_args *args)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    struct orderly_admin *admin = NULL;
    struct orderly_group_lags *lags = NULL;
    int64_t timeout_ms = 0;
    if (!od_args_duration(args, "timeout", 10000, &timeout_ms)) {
        return OD_EXIT_USAGE;
    }
    int code = od_cli_admin(args, OD_NEED_BROKERS | OD_NEED_GROUP | OD_NEED_TOPICS, timeout_ms, &config, &admin);
    if (code) {
        return code;
    }
    enum orderly_err err = orderly_admin_lag(admin, &lags, &error);
    if (err) {
        code = od_talk_error(args, err, &error);
    } else if (od_args_has(args, "json")) {
        print_json(lags);
    } else {
        print_table(lags);
    }
    orderly_group_lags_free(lags);
    orderly_admin_free(admin);
    orderly_config_free(config);
    return code;
}
