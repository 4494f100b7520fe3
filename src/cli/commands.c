/* The table of commands: names, options, help. The only place where they are listed. */
#include <string.h>

#include "cli/cli.h"

/* clang-format off */
static const struct od_option run_options[] = {
    {"config", "FILE", "read settings from a YAML file", NULL},
    {"brokers", "LIST", "host:port,... of the Kafka cluster", "kafka.bootstrap.servers"},
    {"group", "NAME", "the consumer group", "kafka.group.id"},
    {"topic", "NAME", "source topic, or ^pattern (repeatable)", "topics"},
    {"start", "WHERE", "where a new group begins: earliest | latest | error", "start"},
    {"order", "WHAT", "what stays in order: partition | key | none (key)", "order"},
    {"concurrency", "N", "records in flight in this process (64)", "concurrency"},
    {"set", "PATH=VALUE", "any setting by its name (repeatable)", NULL},
    {"X", "PROPERTY=VALUE", "any librdkafka property (repeatable)", NULL},
    {"create-topics", NULL, "create missing retry and dead-letter topics", NULL},
    {"exit-at-end", NULL, "end when everything written so far is done", NULL},
    {"admin", "ADDRESS", "status page: host:port, unix:/path or off", "admin.listen"},
    {"log-format", "HOW", "auto | text | json", "log.format"},
    {"log-level", "LEVEL", "error | warning | info | debug", "log.level"},
    {"exec", NULL, "start the command for each record (default)", NULL},
    {"stream", NULL, "keep it running: records as JSON lines", NULL},
    {"http", "URL", "post records to a service instead", "handler.http.url"},
    OD_OPTION_END};

static const struct od_option demo_options[] = {
    {"seconds", "N", "how long records are produced (20)", NULL},
    {"exit", NULL, "end after the summary (the default without a terminal)", NULL},
    {"keep", NULL, "keep the folder with logs and journals, and print its name", NULL},
    {"plain", NULL, "plain lines instead of the live view", NULL},
    {"handler", "JOURNAL", "be the handler of the members (used by the demo itself)", NULL},
    OD_OPTION_END};

static const struct od_option broker_options[] = {
    {"topic", "NAME:PARTITIONS", "create a topic (repeatable)", NULL},
    {"port", "PORT", "listen on this port too (one node only)", NULL},
    {"nodes", "N", "number of nodes (1)", NULL},
    OD_OPTION_END};

static const struct od_option check_options[] = {
    OD_OPTIONS_GROUP,
    {"start", "WHERE", "as for `orderly run`", "start"},
    {"order", "WHAT", "as for `orderly run`", "order"},
    {"concurrency", "N", "as for `orderly run`", "concurrency"},
    {"effective", NULL, "print every value and where it comes from", NULL},
    {"limits", NULL, "print every limit and what happens when it is met", NULL},
    {"outcomes", NULL, "print what each end of a handler means", NULL},
    {"connect", NULL, "look at brokers, topics, retention, sizes, the group", NULL},
    OD_OPTION_TIMEOUT, OD_OPTION_JSON, OD_OPTION_END};

#define OD_OPTIONS_DAEMON \
    {"admin", "ADDRESS", "of the daemon: host:port or unix:/path (127.0.0.1:7930)", NULL}, \
    {"token-file", "FILE", "its token (found by itself where the daemon runs as you)", NULL}

static const struct od_option status_options[] = {OD_OPTIONS_DAEMON, OD_OPTION_JSON, OD_OPTION_END};
static const struct od_option top_options[] = {
    OD_OPTIONS_DAEMON,
    {"interval", "TIME", "time between two looks (1s)", NULL},
    {"count", "N", "end after so many looks", NULL},
    OD_OPTION_END};
static const struct od_option lag_options[] = {OD_OPTIONS_GROUP, OD_OPTION_TIMEOUT, OD_OPTION_JSON, OD_OPTION_END};
static const struct od_option drain_options[] = {
    OD_OPTIONS_DAEMON,
    {"wait", NULL, "wait until it has ended", NULL},
    OD_OPTION_TIMEOUT, OD_OPTION_END};
static const struct od_option pause_options[] = {
    OD_OPTIONS_DAEMON,
    {"topic", "NAME", "only this topic", NULL},
    {"partition", "N", "only this partition of it", NULL},
    OD_OPTION_END};
static const struct od_option retry_options[] = {
    OD_OPTIONS_GROUP,
    {"where", "CONDITIONS", "class=..,key=..,after=..,before=..,offset=P:A-B", NULL},
    {"limit", "N", "at most so many records (list: 100)", NULL},
    {"dry-run", NULL, "say what would be done", NULL},
    {"yes", NULL, "do not ask", NULL},
    OD_OPTION_TIMEOUT, OD_OPTION_JSON, OD_OPTION_END};
static const struct od_option dlt_options[] = {
    OD_OPTIONS_GROUP,
    {"where", "CONDITIONS", "class=..,key=..,after=..,before=..,offset=P:A-B", NULL},
    {"limit", "N", "at most so many records (list: 100)", NULL},
    {"to", "PLACE", "replay: to the retry topic or the origin (retry)", NULL},
    {"rate", "N", "replay: records a second", NULL},
    {"all", NULL, "purge: what was never replayed, too", NULL},
    {"dry-run", NULL, "say what would be done", NULL},
    {"yes", NULL, "do not ask", NULL},
    OD_OPTION_TIMEOUT, OD_OPTION_JSON, OD_OPTION_END};
static const struct od_option topics_options[] = {OD_OPTIONS_GROUP, OD_OPTION_TIMEOUT, OD_OPTION_JSON, OD_OPTION_END};
static const struct od_option bench_options[] = {
    {"brokers", "LIST", "measure against this cluster (the embedded broker)", NULL},
    {"topic", "NAME", "use this topic (a new one)", NULL},
    {"records", "N", "records to write and read (200000)", NULL},
    {"size", "BYTES", "payload (100)", NULL},
    {"work", "MICROSECONDS", "how long a handler works (0)", NULL},
    {"concurrency", "N", "records in flight (64)", NULL},
    {"set", "PATH=VALUE", "any setting by its name (repeatable)", NULL},
    OD_OPTION_JSON, OD_OPTION_END};
static const struct od_option help_options[] = {{"man", NULL, "the manual page (roff)", NULL}, OD_OPTION_END};
static const struct od_option version_options[] = {OD_OPTION_JSON, OD_OPTION_END};
static const struct od_option no_options[] = {OD_OPTION_END};

const struct od_command od_commands[] = {
    {.name = "run", .summary = "run a handler for the records of a consumer group", .rest = true, .run = od_run_command,
     .options = run_options,
     .synopsis = "[OPTION]... [--exec|--stream] -- COMMAND [ARG]...\n[OPTION]... --http URL\n--config FILE [OPTION]...",
     .text = "Options win over the environment (ORDERLY_RETRY_ATTEMPTS for retry.attempts), that\n"
             "over the file. Exit codes of COMMAND: 0 done, 75 again later, 65 never.\n"
             "SIGTERM finishes what runs, commits and leaves; a second one ends at once.",
     .examples = "orderly run --brokers localhost:9092 --group orders --topic orders \\\n"
                 "    --start earliest --create-topics -- ./handler --fast\n"
                 "orderly run --config orders.yaml --set retry.attempts=3\n"
                 "orderly run --config orders.yaml --http http://localhost:8080/orders"},
    {.name = "demo", .summary = "see it work: a broker, a producer, members, a checked summary", .run = od_demo_command,
     .options = demo_options, .synopsis = "[--seconds N] [--exit] [--keep] [--plain]",
     .text = "Everything runs on this machine, on the embedded broker. The summary is computed from what\n"
             "the handlers wrote; exit 1 when a figure is not what was promised.",
     .examples = "orderly demo\norderly demo --seconds 10 --exit"},
    {.name = "broker", .summary = "run the embedded broker: for trying things out, never for data",
     .run = od_broker_command, .options = broker_options, .synopsis = "[--topic NAME:PARTITIONS]... [--port PORT]",
     .text = "Prints bootstrap.servers=HOST:PORT on stdout and runs until it is interrupted.",
     .examples = "orderly broker --topic orders:4 --topic orders.billing.retry:4 --port 9092"},
    {.name = "check", .summary = "check settings; with --connect, brokers and topics too", .run = od_check_command,
     .options = check_options,
     .synopsis = "[OPTION]... [--effective] [--limits] [--outcomes] [--connect]",
     .text = "Each thing to mend is one sentence. Exit 78 when there is one.",
     .examples = "orderly check --config orders.yaml --connect\norderly check --config orders.yaml --effective\n"
                 "orderly check --limits"},
    {.name = "status", .summary = "one look at a running daemon", .run = od_status_command, .options = status_options,
     .synopsis = "[--admin ADDRESS] [--json]", .examples = "orderly status\norderly status --admin unix:/run/orderly.sock --json"},
    {.name = "top", .summary = "a running daemon, live", .run = od_top_command, .options = top_options,
     .synopsis = "[--admin ADDRESS] [--interval TIME] [--count N]", .examples = "orderly top\norderly top --interval 250ms"},
    {.name = "lag", .summary = "lag of a group, read from Kafka, out-of-order work counted", .run = od_lag_command,
     .options = lag_options, .synopsis = "--brokers LIST --group NAME --topic NAME... [OPTION]...",
     .text = "done above: records above the committed offset that are done already (the offset map);\n"
             "the lag does not count them. Retry topics are listed below their sources.",
     .examples = "orderly lag --brokers localhost:9092 --group orders --topic orders\norderly lag --config orders.yaml --json"},
    {.name = "drain", .summary = "make a running daemon finish, commit and leave", .run = od_drain_command,
     .options = drain_options, .synopsis = "[--admin ADDRESS] [--wait [--timeout TIME]]",
     .examples = "orderly drain --wait --timeout 10m"},
    {.name = "pause", .summary = "make a running daemon start no more records", .run = od_pause_command,
     .options = pause_options, .synopsis = "[--admin ADDRESS] [--topic NAME [--partition N]]",
     .text = "What runs goes on. A pause ends with `orderly resume` or with the assignment.",
     .examples = "orderly pause\norderly pause --topic orders --partition 3"},
    {.name = "resume", .summary = "undo `orderly pause`; start a stopped handler or source again", .run = od_resume_command,
     .options = pause_options, .synopsis = "[--admin ADDRESS] [--topic NAME [--partition N]]",
     .examples = "orderly resume\norderly resume --topic orders --partition 3"},
    {.name = "retry", .summary = "look into and act on the retry topics of a group", .run = od_retry_command,
     .verbs = "list|now|drop", .options = retry_options,
     .synopsis = "list|now|drop --brokers LIST --group NAME --topic NAME... [OPTION]...",
     .text = "list: what waits, and until when. now: copies of it that are due at once; drop: it is not\n"
             "run any more. Both mark records done in the group's offsets: no member may run meanwhile.",
     .examples = "orderly retry list --config orders.yaml\norderly retry now --config orders.yaml --where key=c-17"},
    {.name = "dlt", .summary = "look into, replay and purge the dead letters of a group", .run = od_dlt_command,
     .verbs = "list|show|replay|purge", .words = true, .options = dlt_options,
     .synopsis = "list|replay|purge --brokers LIST --group NAME --topic NAME... [OPTION]...\n"
                 "show PARTITION:OFFSET --brokers LIST --group NAME --topic NAME",
     .text = "replay begins attempts anew and never takes a record twice: what was replayed is kept in\n"
             "the offsets of the group NAME.replay. purge deletes what was replayed already.",
     .examples = "orderly dlt list --config orders.yaml --where class=exit-65\n"
                 "orderly dlt replay --config orders.yaml --where 'after=2026-11-30T08:00:00Z' --dry-run\n"
                 "orderly dlt show 3:17 --config orders.yaml"},
    {.name = "topics", .summary = "list, check or create the topics that a group needs", .run = od_topics_command,
     .verbs = "list|check|create", .options = topics_options,
     .synopsis = "list|check|create --brokers LIST --group NAME --topic NAME... [OPTION]...",
     .text = "create makes the missing retry and dead-letter topics: partitions and replication of the\n"
             "source, cleanup.policy=delete, retention longer than the longest delay.",
     .examples = "orderly topics create --brokers localhost:9092 --group orders --topic orders\n"
                 "orderly topics check --config orders.yaml"},
    {.name = "bench", .summary = "measure this machine: records a second, CPU a record, memory", .run = od_bench_command,
     .options = bench_options, .synopsis = "[--brokers LIST] [OPTION]...",
     .text = "Without --brokers it uses the embedded broker, which is quick but no Kafka.",
     .examples = "orderly bench\norderly bench --brokers localhost:9092 --records 1000000 --work 50 --concurrency 256"},
    {.name = "completion", .summary = "print the completion script of a shell", .run = od_completion_command,
     .verbs = "bash|zsh|fish", .options = no_options, .synopsis = "bash|zsh|fish",
     .examples = "orderly completion bash >/etc/bash_completion.d/orderly\nsource <(orderly completion bash)"},
    {.name = "version", .summary = "print the versions", .run = od_version_command, .options = version_options,
     .synopsis = "[--json]", .examples = "orderly version"},
    {.name = "help", .summary = "print the help of a command", .words = true, .run = od_help_command,
     .options = help_options, .synopsis = "[COMMAND] [--man]", .examples = "orderly help run\norderly help --man run | man -l -"},
    {.name = NULL}};
/* clang-format on */

const struct od_command *od_command_find(const char *name)
{
    for (const struct od_command *command = od_commands; command->name; command++) {
        if (!strcmp(command->name, name)) {
            return command;
        }
    }
    return NULL;
}
