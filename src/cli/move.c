/* Going through a topic: pick, copy, remember. */
#include "cli/move.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 200     /* records of one transaction */
#define BATCH_MS 1000 /* and its longest time */
#define OURS_MAX 16

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

int od_move_count(const struct od_move *move, int64_t *ret)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_mover *mover = NULL;
    struct orderly_record *record = NULL;
    int64_t count = 0;
    enum orderly_err err = orderly_mover_new(move->admin, move->progress_group, move->topic, &mover, &error);
    while (!err && (!move->limit || count < move->limit)) {
        err = orderly_mover_next(mover, &record, &error);
        if (!err) {
            struct od_letter letter;
            od_letter_read(&letter, record);
            count += od_where_matches(&move->where, &letter);
            orderly_record_unref(record);
        }
    }
    orderly_mover_free(mover);
    if (err && err != ORDERLY_CLOSED) {
        return od_talk_error(move->args, err, &error);
    }
    *ret = count;
    return OD_EXIT_OK;
}

/* ---- Headers of a copy --------------------------------------------------------------------------------------- */

/* Headers under work: names are static or the record's, texts of ours live in `texts`. */
struct headers {
    struct orderly_header *list;
    size_t count;
    char texts[OURS_MAX][400];
    size_t text_count;
};

static void add_text(struct headers *headers, const char *name, const char *text)
{
    char *copy = headers->texts[headers->text_count++];
    snprintf(copy, sizeof headers->texts[0], "%s", text);
    headers->list[headers->count++] = (struct orderly_header){name, {copy, strlen(copy)}};
}

static void add_number(struct headers *headers, const char *name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)number);
    add_text(headers, name, text);
}

static void keep(struct headers *headers, struct orderly_record *record, const char *name)
{
    struct orderly_bytes value = orderly_record_header_named(record, name);
    if (value.data) {
        headers->list[headers->count++] = (struct orderly_header){name, value};
    }
}

static void add_foreign(struct headers *headers, const struct od_move *move, struct orderly_record *record)
{
    for (size_t i = 0; i < orderly_record_header_count(record); i++) {
        struct orderly_header header = orderly_record_header(record, i);
        bool due = move->kind != OD_MOVE_TO_ORIGIN && !strcmp(header.name, move->retry_header);
        if (!od_letter_is_ours(header.name) && !due) {
            headers->list[headers->count++] = header;
        }
    }
}

/* Who it is stays the same over replays; attempts begin anew; `orderly-copy` is new, so that nobody takes it for a duplicate. */
static void add_ours(struct headers *headers, const struct od_move *move, const struct od_letter *letter)
{
    static const char *const kept[] = {"orderly-idempotency-key", "orderly-fence",       "orderly-first-attempt-at",
                                       "orderly-last-attempt-at", "orderly-error-class", "orderly-error"};
    char text[400], time[32];
    int64_t replays = letter->replays + (move->kind == OD_MOVE_TO_RETRY || move->kind == OD_MOVE_TO_ORIGIN);
    add_number(headers, "orderly-replays", replays);
    if (move->kind == OD_MOVE_TO_ORIGIN) {
        return; /* a source topic: nothing there is believed */
    }
    od_format_time(od_now_ms(), time);
    add_text(headers, move->retry_header, time);
    add_text(headers, "orderly-delay-ms", "0");
    add_number(headers, "orderly-attempt", move->kind == OD_MOVE_NOW ? letter->attempts : 0);
    add_text(headers, "orderly-group", move->group);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        keep(headers, letter->record, kept[i]);
    }
    if (*letter->origin_topic) {
        add_text(headers, "orderly-origin-topic", letter->origin_topic);
        add_number(headers, "orderly-origin-partition", letter->origin_partition);
        add_number(headers, "orderly-origin-offset", letter->origin_offset);
        od_format_time(letter->origin_ms > 0 ? letter->origin_ms : letter->at_ms, time);
        add_text(headers, "orderly-origin-timestamp", time);
    }
    snprintf(text, sizeof text, "%.250s#replay@%d/%lld", letter->topic, (int)letter->partition,
             (long long)letter->offset);
    add_text(headers, "orderly-copy", text);
}

static enum orderly_err move_one(const struct od_move *move, struct orderly_mover *mover,
                                 const struct od_letter *letter, struct orderly_error *error)
{
    struct headers headers = {0};
    if (move->kind == OD_MOVE_DROP) {
        return orderly_mover_drop(mover, letter->record, error);
    }
    headers.list = calloc(orderly_record_header_count(letter->record) + 2 * OURS_MAX, sizeof *headers.list);
    if (!headers.list) {
        return ORDERLY_NOMEM;
    }
    add_foreign(&headers, move, letter->record);
    add_ours(&headers, move, letter);
    int32_t partition = *letter->origin_topic ? letter->origin_partition : letter->partition;
    partition = move->target_partitions > 0 ? partition % move->target_partitions : -1;
    enum orderly_err err =
        orderly_mover_copy(mover, letter->record, move->target, partition, headers.list, headers.count, error);
    free(headers.list);
    return err;
}

/* ---- The course ------------------------------------------------------------------------------------------------ */

struct pace {
    int64_t begun_ms, committed_ms, drawn_ms, moved, durable;
};

static void draw_progress(const struct od_move *move, struct pace *pace, int64_t expected, bool last)
{
    int64_t now_ms = od_monotonic_ms();
    if (!od_is_terminal(stderr) || (!last && now_ms - pace->drawn_ms < 100)) {
        return;
    }
    pace->drawn_ms = now_ms;
    int wide = expected > 0 ? (int)(pace->moved * 40 / expected) : 0;
    wide = wide > 40 ? 40 : wide;
    fprintf(stderr, "\r%s [%.*s%*s] %lld of %lld%s", move->topic, wide, "########################################",
            40 - wide, "", (long long)pace->moved, (long long)expected, last ? "\n" : "");
}

static void wait_for_rate(const struct od_move *move, const struct pace *pace)
{
    if (move->rate) {
        int64_t due_ms = pace->begun_ms + pace->moved * 1000 / move->rate, left = due_ms - od_monotonic_ms();
        struct timespec time = {(time_t)(left / 1000), (long)(left % 1000) * 1000000};
        if (left > 0) {
            nanosleep(&time, NULL);
        }
    }
}

static enum orderly_err commit(struct orderly_mover *mover, struct pace *pace, struct orderly_error *error)
{
    enum orderly_err err = orderly_mover_commit(mover, error);
    if (!err) {
        pace->durable = pace->moved;
        pace->committed_ms = od_monotonic_ms();
    }
    return err;
}

static enum orderly_err step(const struct od_move *move, struct orderly_mover *mover, struct pace *pace,
                             struct orderly_error *error)
{
    struct orderly_record *record = NULL;
    struct od_letter letter;
    enum orderly_err err = orderly_mover_next(mover, &record, error);
    if (err) {
        return err;
    }
    od_letter_read(&letter, record);
    if (od_where_matches(&move->where, &letter)) {
        wait_for_rate(move, pace);
        err = move_one(move, mover, &letter, error);
        pace->moved += !err;
    }
    orderly_record_unref(record);
    bool full = pace->moved - pace->durable >= BATCH || od_monotonic_ms() - pace->committed_ms >= BATCH_MS;
    return !err && full && pace->moved > pace->durable ? commit(mover, pace, error) : err;
}

int od_move_run(const struct od_move *move, int64_t expected, int64_t *ret)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_mover *mover = NULL;
    struct pace pace = {.begun_ms = od_monotonic_ms(), .committed_ms = od_monotonic_ms()};
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    enum orderly_err err = orderly_mover_new(move->admin, move->progress_group, move->topic, &mover, &error);
    while (!err && !interrupted && (!move->limit || pace.moved < move->limit)) {
        err = step(move, mover, &pace, &error);
        draw_progress(move, &pace, expected, false);
    }
    if (!err || err == ORDERLY_CLOSED) {
        err = pace.moved > pace.durable ? commit(mover, &pace, &error) : ORDERLY_OK;
    }
    draw_progress(move, &pace, expected, true);
    orderly_mover_free(mover);
    *ret = pace.durable;
    if (err) {
        return od_talk_error(move->args, err, &error);
    }
    return interrupted ? od_talk_failure(move->args, OD_EXIT_TEMPORARY, "interrupted; called again it goes on here")
                       : OD_EXIT_OK;
}
