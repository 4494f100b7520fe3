/*
 * The command line: one table of commands and their options serves the parser, the help, the manual pages and the completions.
 *
 * stdout is data, stderr is talk. Exit codes: daemon/daemon.h.
 */
#ifndef OD_CLI_CLI_H
#define OD_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/daemon.h"

/* One long option, exact; ends a list with name NULL. */
struct od_option {
    const char *name;    /* without the dashes */
    const char *value;   /* what its value is, "FILE"; NULL: a flag */
    const char *text;    /* one line of help */
    const char *setting; /* the setting that it is a short name for; NULL: none */
};

struct od_args;

struct od_command {
    const char *name;
    const char *summary;  /* one line */
    const char *synopsis; /* what follows the name; lines separated by \n */
    const char *verbs;    /* "list|show"; NULL: none. The first word must be one of them */
    const char *text;     /* paragraphs between options and examples; may be NULL */
    const char *examples; /* lines */
    const struct od_option *options;
    bool rest;  /* takes a command after -- */
    bool words; /* takes other words */
    int (*run)(const struct od_args *);
};

/* All commands, in the order of the help; ends with name NULL. */
extern const struct od_command od_commands[];
const struct od_command *od_command_find(const char *name);

/* A parsed command line; everything borrowed from argv. */
struct od_arg {
    const struct od_option *option;
    const char *value; /* "" for a flag */
};
struct od_args {
    const struct od_command *command;
    struct od_arg *items; /* in the order given */
    size_t count;
    const char **words; /* the verb too */
    size_t word_count;
    const char *const *rest;
    size_t rest_count;
    bool has_rest, help;
};

/* Parses what follows the command's name. False: it was said on stderr what is wrong, with the nearest name; exit 2. */
bool od_args_parse(const struct od_command *, int argc, char *const *argv, struct od_args *ret);
void od_args_fini(struct od_args *);
bool od_args_has(const struct od_args *, const char *name);
/* The last value given; NULL: none. */
const char *od_args_text(const struct od_args *, const char *name);
/* The verb, or the first word; "" when there is none. */
const char *od_args_verb(const struct od_args *);
/* A whole number within bounds; `otherwise` when it was not given. False: said what is wrong. */
bool od_args_number(const struct od_args *, const char *name, int64_t low, int64_t high, int64_t otherwise,
                    int64_t *ret);
/* A duration such as 30s; the same. */
bool od_args_duration(const struct od_args *, const char *name, int64_t otherwise_ms, int64_t *ret_ms);

/* The nearest of some names; NULL: none is near. Call with `best` zeroed for each candidate in turn. */
struct od_nearest {
    const char *name;
    size_t distance;
};
void od_nearest_offer(struct od_nearest *, const char *typed, const char *candidate);

/* ---- talk ------------------------------------------------------------------------------------------------ */

/* "orderly run: text", on stderr; returns `code`. */
int od_talk_failure(const struct od_args *, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same for what the library said; the exit code is the one of contracts.md 10 for it. */
int od_talk_error(const struct od_args *, enum orderly_err, const struct orderly_error *);
/* Talk, on stderr; nothing when stderr is closed. */
void od_talk(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether to use colours and to redraw on this stream. */
bool od_is_terminal(FILE *);
bool od_has_colour(FILE *);
/* Asks for yes or no on the terminal; false as well when there is none. */
bool od_confirm(const char *question);
/* stdout could not be written to (a full disk): 1, said; otherwise `code`. */
int od_finish_output(const struct od_args *, int code);

int64_t od_now_ms(void); /* Unix time */
int64_t od_monotonic_ms(void);
void od_format_time(int64_t unix_ms, char ret[32]);
/* "1.2 s", "3 min", "2 h 5 min": for people. */
void od_format_age(int64_t ms, char ret[32]);

/* ---- settings and Kafka ---------------------------------------------------------------------------------- */

struct orderly_admin;
struct od_values;

/* --config, the environment, then options. OD_EXIT_OK: the caller ends ret. Otherwise it was said what is wrong. */
int od_cli_values(const struct od_args *, struct od_values *ret);
/* The same as a configuration, without checks of the whole. */
int od_cli_config(const struct od_args *, struct orderly_config **ret);
/* An admin object on that configuration; `need`: what must be set. */
enum od_cli_need { OD_NEED_BROKERS = 1, OD_NEED_GROUP = 2, OD_NEED_TOPICS = 4 };
int od_cli_admin(const struct od_args *, unsigned need, int64_t timeout_ms, struct orderly_config **ret_config,
                 struct orderly_admin **ret);

/* Options that several commands share. */
#define OD_OPTION_END          \
    {                          \
        NULL, NULL, NULL, NULL \
    }
#define OD_OPTIONS_CONNECT                                                                    \
    {"config", "FILE", "read settings from a YAML file", NULL},                               \
        {"brokers", "LIST", "host:port,... of the Kafka cluster", "kafka.bootstrap.servers"}, \
        {"set", "PATH=VALUE", "any setting by its name (repeatable)", NULL},                  \
    {                                                                                         \
        "X", "PROPERTY=VALUE", "any librdkafka property (repeatable; written -X)", NULL       \
    }
#define OD_OPTIONS_GROUP                                                           \
    OD_OPTIONS_CONNECT, {"group", "NAME", "the consumer group", "kafka.group.id"}, \
    {                                                                              \
        "topic", "NAME", "source topic, or ^pattern (repeatable)", "topics"        \
    }
#define OD_OPTION_JSON                   \
    {                                    \
        "json", NULL, "print JSON", NULL \
    }
#define OD_OPTION_TIMEOUT                                             \
    {                                                                 \
        "timeout", "TIME", "how long to wait for brokers (10s)", NULL \
    }

/* ---- commands -------------------------------------------------------------------------------------------- */

int od_run_command(const struct od_args *);
int od_demo_command(const struct od_args *);
int od_broker_command(const struct od_args *);
int od_check_command(const struct od_args *);
int od_status_command(const struct od_args *);
int od_top_command(const struct od_args *);
int od_lag_command(const struct od_args *);
int od_drain_command(const struct od_args *);
int od_pause_command(const struct od_args *);
int od_resume_command(const struct od_args *);
int od_retry_command(const struct od_args *);
int od_dlt_command(const struct od_args *);
int od_topics_command(const struct od_args *);
int od_bench_command(const struct od_args *);
int od_completion_command(const struct od_args *);
int od_version_command(const struct od_args *);
int od_help_command(const struct od_args *);

/* Prints the help of a command, or of all (NULL). */
void od_help_print(FILE *, const struct od_command *);
/* The manual page of a command, or orderly(1) (NULL), as roff. */
void od_man_print(FILE *, const struct od_command *);

#endif
