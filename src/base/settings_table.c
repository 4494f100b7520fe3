/*
 * The one table of settings: what orderly_config_set(), the YAML file, --set, the environment, `check`, the help and the manual
 * know of them.
 */
#include "base/settings_table.h"

#include <string.h>

#include "base/error.h"
#include "base/suggest.h"
#include "base/text.h"
#include "base/text_list.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define TIB (1024 * 1024 * MIB)

#define FIELD(name) offsetof(struct od_settings, name)

/* Rows begin with name, type, default; the rest is named. */
#define ROW(row_name, row_type, row_default) \
    .name = (row_name), .type = ORDERLY_SETTING_##row_type, .default_value = (row_default)
#define DAEMON .field = OD_NO_FIELD

/* clang-format off */
static const struct od_setting rows[] = {
    /* Group and topics. */
    {ROW("topics", LIST, ""), .field = FIELD(topics),
     .text = "Topics to consume; a name that begins with ^ is a pattern."},
    {ROW("patterns", LIST, ""), .field = FIELD(patterns),
     .text = "Regular expressions for topics, each beginning with ^; retry and dead-letter topics never match."},
    {ROW("start", CHOICE, "error"), .field = FIELD(start), .choices = "error|earliest|latest",
     .text = "Where a group that is new to a topic begins; error asks you to decide."},
    {ROW("start_timeout", DURATION, "30s"), .field = FIELD(start_timeout), .low = 1, .high = DAY,
     .text = "How long to try to reach a broker at the start.",
     .when_met = "the start fails (exit 75); once started, brokers are waited for without limit"},
    {ROW("insecure", BOOL, "false"), .field = FIELD(insecure),
     .text = "Allow kafka.* properties that switch the verification of brokers off or send passwords in the clear."},
    {ROW("delivery", CHOICE, "at-least-once"), DAEMON, .choices = "at-least-once|transactional",
     .text = "What a crash may do: at-least-once may repeat records; transactional is not built yet."},

    /* Work. */
    {ROW("concurrency", NUMBER, "64"), .field = FIELD(concurrency), .low = 1, .high = 1000000, .run_time = true,
     .text = "Records in flight in this process.",
     .when_met = "further records wait; fetching goes on until memory.records is full"},
    {ROW("order", CHOICE, "key"), .field = FIELD(order), .choices = "partition|key|none",
     .text = "What runs one after the other: a partition's records, a key's records, or nothing."},
    {ROW("block_rebalance_on_poll", BOOL, "false"), .field = FIELD(block_rebalance_on_poll),
     .text = "Poll face: a batch holds rebalances back until orderly_allow_rebalance(), at most rebalance.hold_max."},
    {ROW("rate.records_per_second", NUMBER, "0"), .field = FIELD(rate), .high = 1000000000, .run_time = true,
     .text = "Records started per second in this process; 0: no limit.",
     .when_met = "records wait for their turn"},

    /* Retry. */
    {ROW("retry.in", CHOICE, ""), .field = FIELD(retry_in), .choices = "lane|topic",
     .text = "Where a failed record waits: in its lane (successors wait behind it) or in the retry topic (they pass); by default lane for order partition and key, topic for none."},
    {ROW("retry.attempts", NUMBER, "8"), .field = FIELD(retry_attempts), .low = 1, .high = 1000000,
     .text = "Runs of one record in all.",
     .when_met = "the record goes to the dead-letter topic"},
    {ROW("retry.backoff.first", DURATION, "1s"), .field = FIELD(backoff_first), .high = 365 * DAY,
     .text = "Delay before the second run."},
    {ROW("retry.backoff.factor", DECIMAL, "2"), .field = FIELD(backoff_factor), .low = 1000, .high = 100000,
     .text = "What each further delay is multiplied by."},
    {ROW("retry.backoff.max", DURATION, "10m"), .field = FIELD(backoff_max), .high = 365 * DAY,
     .text = "The longest delay that the back-off gives.",
     .when_met = "delays stay at it"},
    {ROW("retry.backoff.jitter", PERCENT, "20%"), .field = FIELD(backoff_jitter), .high = 1000,
     .text = "How far a delay may differ from what the back-off says, by chance."},
    {ROW("retry.max_delay", DURATION, "24h"), .field = FIELD(retry_max_delay), .low = 1, .high = 365 * DAY,
     .text = "The longest delay that a handler or a header may ask for.",
     .when_met = "the delay is cut to it"},
    {ROW("retry.topic", TEXT, "{topic}.{group}.retry"), .field = FIELD(retry_topic),
     .text = "Name of the retry topic of a topic."},
    {ROW("retry.header", TEXT, "retry-after"), .field = FIELD(retry_header),
     .text = "Name of the header that carries the due time."},
    {ROW("retry.honour_retry_after", BOOL, "false"), .field = FIELD(honour_retry_after),
     .text = "Trust that header on source topics too: a hospital topic that others fill."},
    {ROW("retry.never", LIST, ""), .field = FIELD(retry_never),
     .text = "Error classes that go to the dead letters at once."},
    {ROW("retry.on_lost", CHOICE, "stop"), .field = FIELD(on_lost), .choices = "stop|continue",
     .text = "When retention has removed a record that waited for its retry: stop its partition, or count it and go on."},

    /* Dead letters. */
    {ROW("dead_letter.topic", TEXT, "{topic}.{group}.dlt"), .field = FIELD(dead_letter_topic),
     .text = "Name of the dead-letter topic of a topic."},
    {ROW("dead_letter.max_rate", PERCENT, "10%"), .field = FIELD(dead_letter_max_rate), .high = 1000,
     .text = "Share of dead letters among the last 1,000 records above which something else must be wrong; 100%: no guard.",
     .when_met = "the source stops in state dead_letter_rate until `orderly resume`"},
    {ROW("dead_letter.oversize", CHOICE, "stop"), .field = FIELD(oversize), .choices = "stop|reference",
     .text = "When a copy is too large for its topic: stop the partition, or write a reference without the value."},
    {ROW("dead_letter.headers", LIST, "orderly"), .field = FIELD(dead_letter_headers), .choices = "orderly|kafka|spring",
     .text = "Header sets on dead letters: orderly's own, Kafka's __dlq.errors.*, Spring's kafka_dlt-*."},

    /* Rebalance and closing. */
    {ROW("rebalance.policy", CHOICE, "drain"), .field = FIELD(policy), .choices = "drain|finish|immediate",
     .text = "What happens to running records of a partition that goes: asked to end, left to end, or given up."},
    {ROW("rebalance.hold_max", DURATION, "4m"), .field = FIELD(hold_max), .high = DAY,
     .text = "How long a held batch may keep a rebalance waiting.",
     .when_met = "the gate is forced open, the rebalance goes on, and it is reported"},
    {ROW("rebalance.drain_timeout", DURATION, "30s"), .field = FIELD(drain_timeout), .high = DAY,
     .text = "How long running records may keep a partition that goes.",
     .when_met = "what still runs is killed or given up, released without blame, and named"},
    {ROW("rebalance.lost_grace", DURATION, "1s"), .field = FIELD(lost_grace), .high = HOUR,
     .text = "How long processes may run on for a partition that is lost already.",
     .when_met = "they are killed"},
    {ROW("close_timeout", DURATION, "10m"), .field = FIELD(close_timeout), .high = 30 * DAY,
     .text = "How long running records may take when this member leaves.",
     .when_met = "what still runs is killed or given up and released; exit 75"},

    /* Commits. */
    {ROW("commit.interval", DURATION, "1s"), .field = FIELD(commit_interval), .low = 1, .high = HOUR, .none = true,
     .text = "How often offsets are committed; never: only when asked to."},
    {ROW("commit.map_interval", DURATION, "5s"), .field = FIELD(commit_map_interval), .low = 1, .high = HOUR,
     .text = "How often an offset map above 1 KiB is committed."},
    {ROW("commit.timeout", DURATION, "10s"), .field = FIELD(commit_timeout), .low = 1, .high = HOUR,
     .text = "How long to wait for the answer to a commit at a revoke or at the end.",
     .when_met = "the partition goes without it; what was not committed runs again"},

    /* Limits. */
    {ROW("memory.records", BYTES, "256MiB"), .field = FIELD(memory_records), .low = MIB, .high = TIB,
     .text = "Memory for records in this process: fetched, queued, running, parked.",
     .when_met = "fetching waits in state memory_full; parked records are let go and read again when due"},
    {ROW("limits.window", NUMBER, "100000"), .field = FIELD(limit_window), .low = 1, .high = 10000000,
     .text = "Records of a partition that are running or done above its first unfinished one.",
     .when_met = "the partition stops in state window_full until its oldest record ends"},
    {ROW("limits.lane", NUMBER, "10000"), .field = FIELD(limit_lane), .low = 1, .high = 10000000,
     .text = "Records that may wait in one lane.",
     .when_met = "the partition stops in state lane_full until that lane moves"},
    {ROW("limits.parked", NUMBER, "1000000"), .field = FIELD(limit_parked), .low = 1, .high = 100000000,
     .text = "Records of a partition that may wait for their due time.",
     .when_met = "reading stops in state parked_full until one is due"},
    {ROW("limits.releases", NUMBER, "20"), .field = FIELD(limit_releases), .low = 1, .high = 1000000,
     .text = "How often one record may be given back without an outcome.",
     .when_met = "the record is held in state release_loop"},
    {ROW("limits.offset_map", NUMBER, "4000"), .field = FIELD(limit_offset_map), .low = 64, .high = 32768,
     .text = "Bytes of commit metadata that hold what is done above the committed offset; brokers allow 4,096.",
     .when_met = "parked records are relieved, then the partition stops in state map_full"},
    {ROW("relief.min_interval", DURATION, "10m"), .field = FIELD(relief_min_interval), .low = 1, .high = 30 * DAY,
     .text = "The least time between two copies of one parked record that holds the window back.",
     .when_met = "the record stays where it is"},
    {ROW("relief.rate", NUMBER, "1000"), .field = FIELD(relief_rate), .low = 1, .high = 1000000,
     .text = "Such copies per second in this process.",
     .when_met = "further ones wait"},

    /* Handlers: read by the daemon. */
    {ROW("handler.exec.command", LIST, ""), DAEMON,
     .text = "Program and arguments that are started for each record, without a shell."},
    {ROW("handler.exec.timeout", DURATION, "none"), DAEMON, .low = 1, .high = 365 * DAY, .none = true,
     .text = "How long one run may take.",
     .when_met = "it gets TERM, then KILL, and is retried with reason timeout"},
    {ROW("handler.exec.kill_grace", DURATION, "5s"), .field = FIELD(kill_grace), .high = HOUR,
     .text = "Time between TERM and KILL; at most rebalance.drain_timeout.",
     .when_met = "the process group gets KILL"},
    {ROW("handler.exec.max_crashes", NUMBER, "3"), .field = FIELD(max_crashes), .low = 1, .high = 1000000,
     .text = "Crashes of one record in a row.",
     .when_met = "the record goes to the dead-letter topic"},
    {ROW("handler.exec.env", LIST, ""), DAEMON, .secret = true,
     .text = "Environment variables for the program, NAME=VALUE, beside ORDERLY_*."},
    {ROW("handler.stream.command", LIST, ""), DAEMON,
     .text = "Program and arguments of long-lived processes that speak JSON lines."},
    {ROW("handler.stream.processes", NUMBER, "4"), DAEMON, .low = 1, .high = 1024,
     .text = "How many of them; concurrency is spread over them."},
    {ROW("handler.stream.timeout", DURATION, "none"), DAEMON, .low = 1, .high = 365 * DAY, .none = true,
     .text = "How long one record may take unless it is extended.",
     .when_met = "it is cancelled and retried with reason timeout"},
    {ROW("handler.stream.env", LIST, ""), DAEMON, .secret = true,
     .text = "Environment variables for the processes, NAME=VALUE, beside ORDERLY_*."},
    {ROW("handler.stream.max_line", BYTES, "1MiB"), DAEMON, .low = KIB, .high = 1024 * MIB,
     .text = "The longest line that a process may write.",
     .when_met = "a protocol fault: the process is ended and started again"},
    {ROW("handler.http.url", TEXT, ""), DAEMON, .secret = true,
     .text = "Where records are posted: http://, https:// or unix:/path.sock:/path."},
    {ROW("handler.http.timeout", DURATION, "30s"), DAEMON, .low = 1, .high = 365 * DAY, .none = true,
     .text = "How long one request may take.",
     .when_met = "it is closed and retried with reason timeout"},
    {ROW("handler.http.status", LIST, ""), DAEMON,
     .text = "Outcomes of answers that differ from the table, CODE=OUTCOME: 409=ack, 5xx=retry."},
    {ROW("handler.http.headers", LIST, ""), DAEMON,
     .text = "Record headers that are passed on as Orderly-Header-NAME; *: all."},
    {ROW("handler.http.max_answer", BYTES, "64KiB"), DAEMON, .low = 0, .high = 1024 * MIB,
     .text = "Bytes of an answer that are read.",
     .when_met = "the rest is not read"},

    /* The daemon itself. */
    {ROW("admin.listen", TEXT, "127.0.0.1:7930"), DAEMON,
     .text = "Address of the status page, metrics and commands: host:port, unix:/path, or off."},
    {ROW("admin.max_connections", NUMBER, "64"), DAEMON, .low = 1, .high = 10000,
     .text = "Connections to it at a time.",
     .when_met = "further ones wait until one has closed"},
    {ROW("log.level", CHOICE, "info"), DAEMON, .choices = "error|warning|info|debug", .run_time = true,
     .text = "The least important lines that are logged."},
    {ROW("log.repeats", NUMBER, "20"), DAEMON, .low = 0, .high = 1000000, .run_time = true,
     .text = "Lines of one kind that are logged within 10 s; 0: all. Dead letters always are.",
     .when_met = "further lines of that kind are counted, and said as \"and N more like it\""},
    {ROW("log.format", CHOICE, "auto"), DAEMON, .choices = "auto|text|json",
     .text = "Lines for people or for machines; auto: text on a terminal, else JSON."},
};
/* clang-format on */

size_t od_setting_count(void)
{
    return sizeof rows / sizeof *rows;
}

const struct od_setting *od_setting_at(size_t i)
{
    return i < od_setting_count() ? &rows[i] : NULL;
}

const struct od_setting *od_setting_find(const char *name)
{
    for (size_t i = 0; i < od_setting_count(); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* A name without its folders counts too: "attempts" means "retry.attempts". */
const char *od_setting_suggest(const char *name)
{
    struct od_suggest whole = {.typed = name};
    for (size_t i = 0; i < od_setting_count(); i++)
        od_suggest_offer(&whole, rows[i].name);
    if (whole.best)
        return whole.best;
    for (size_t i = 0; i < od_setting_count(); i++) {
        const char *last = strrchr(rows[i].name, '.');
        if (last && strcmp(last + 1, name) == 0)
            return rows[i].name;
    }
    return NULL;
}

size_t orderly_setting_count(void)
{
    return od_setting_count();
}

enum orderly_err orderly_setting_at(size_t i, struct orderly_setting *ret)
{
    const struct od_setting *row = od_setting_at(i);
    if (!row || !ret || ret->size < offsetof(struct orderly_setting, default_value))
        return ORDERLY_INVALID;
    struct orderly_setting full = {
        .name = row->name,
        .type = row->type,
        .default_value = row->default_value,
        .choices = row->type == ORDERLY_SETTING_CHOICE ? row->choices : NULL,
        .text = row->text,
        .when_met = row->when_met,
        .run_time = row->run_time,
        .secret = row->secret,
    };
    size_t size = ret->size < sizeof full ? ret->size : sizeof full;
    full.size = ret->size;
    memcpy(ret, &full, size);
    return ORDERLY_OK;
}
