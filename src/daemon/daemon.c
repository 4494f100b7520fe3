/* `orderly run`: see daemon.h. */
#include "daemon/daemon.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/address.h"
#include "daemon/at_end.h"
#include "daemon/bytes.h"
#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/reload.h"
#include "daemon/setting.h"
#include "daemon/signals.h"
#include "daemon/sources.h"
#include "daemon/spawn.h"
#include "daemon/topics_check.h"

static const char DEFAULT_LISTEN[] = "127.0.0.1:7930";

struct daemon {
    const struct od_daemon_options *options;
    struct orderly *orderly;
    struct orderly_admin *admin;
    struct od_sources sources;
    struct od_signals signals;
    struct od_at_end at_end;
    _Atomic(struct od_listener *) listener; /* the signal thread looks at it too */
    atomic_bool checking;                   /* Kafka is asked, nothing runs yet */
    char *group, *listen;
};

static void on_log(int level, const char *area, const char *text, void *userdata)
{
    (void)userdata;
    od_say_line(level, area, text);
}

static void prepare_log(const struct orderly_config *config)
{
    char *format_word = od_setting_text(config, "log.format");
    char *level_word = od_setting_text(config, "log.level");
    enum orderly_log_level level = ORDERLY_LOG_INFO;
    enum od_say_format format = OD_LOG_AUTO;

    if (format_word != NULL) {
        od_say_format_parse(format_word, &format);
    }
    if (level_word != NULL) {
        od_say_level_parse(level_word, &level);
    }
    od_say_format_set(format);
    od_say_level_set(level);
    od_say_repeats_set((uint64_t)od_setting_number(config, "log.repeats", 20));
    free(format_word);
    free(level_word);
}

static int exit_code(enum orderly_err err)
{
    switch (err) {
    case ORDERLY_OK:
    case ORDERLY_CLOSED:
        return OD_EXIT_OK;
    case ORDERLY_CONFIG:
    case ORDERLY_NO_OFFSET:
    case ORDERLY_UNKNOWN_TOPIC:
    case ORDERLY_AUTH:
    case ORDERLY_INVALID:
        return OD_EXIT_CONFIG;
    case ORDERLY_KAFKA:
    case ORDERLY_TIMEOUT:
        return OD_EXIT_TEMPORARY;
    case ORDERLY_NOMEM:
    case ORDERLY_STATE:
    case ORDERLY_INTERRUPTED:
    case ORDERLY_CANCELLED:
    case ORDERLY_STALE:
    case ORDERLY_FENCED:
    case ORDERLY_LIMIT:
    case ORDERLY_UNSUPPORTED:
    case ORDERLY_FATAL:
        break;
    }
    return OD_EXIT_FAILURE;
}

static enum orderly_err say(enum orderly_err err, const struct orderly_error *error)
{
    if (err != ORDERLY_OK && err != ORDERLY_CLOSED) {
        od_say_error("daemon", "%s", error->text[0] != '\0' ? error->text : orderly_strerror(err));
    }
    return err;
}

/* ---- Signals and commands ----------------------------------------------------------------------------- */

static void on_drain(const char *who, void *userdata)
{
    struct daemon *daemon = userdata;

    if (atomic_load(&daemon->checking)) { /* brokers that do not answer may take start_timeout */
        od_say_info("daemon", "%s: ended before anything was started", who);
        _exit(OD_EXIT_OK);
    }
    od_say_info("daemon", "%s: draining: nothing new is started, what runs may end, then it is committed and left",
                who);
    od_listener_leaving(daemon->listener);
    if (orderly_close(daemon->orderly) != ORDERLY_OK) {
        od_say_error("daemon", "the member could not be closed");
    }
    /* What waits in our own queues has not begun: behind a breaker that stays open it would keep the member from leaving. */
    od_sources_close(&daemon->sources);
}

/* The topics of several sources are compared source by source; here they are one list, which was made at the start. */
static enum orderly_err keep_topics(const struct daemon *daemon, struct orderly_config *config)
{
    static const char *const names[] = {"topics", "patterns"};
    enum orderly_err err = ORDERLY_OK;

    for (size_t i = 0; i < 2 && daemon->options->source_count > 0 && err == ORDERLY_OK; i++) {
        char *text = od_setting_text(daemon->options->config, names[i]);

        err = text != NULL ? orderly_config_set(config, names[i], text, NULL) : ORDERLY_NOMEM;
        free(text);
    }
    return err;
}

static void on_reload(void *userdata)
{
    struct daemon *daemon = userdata;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    size_t changed = 0;
    enum orderly_err err;

    if (daemon->options->reload == NULL) {
        od_say_info("daemon", "SIGHUP: there is no file to read again");
        return;
    }
    err = daemon->options->reload(daemon->options->reload_userdata, &config, &changed, &error);
    if (err != ORDERLY_OK) {
        od_say_error("daemon", "SIGHUP: the settings are refused, the old ones stay: %s",
                     error.text[0] != '\0' ? error.text : orderly_strerror(err));
        return;
    }
    if (keep_topics(daemon, config) != ORDERLY_OK) {
        od_say_error("daemon", "SIGHUP: out of memory");
    }
    changed += od_reload_apply(daemon->orderly, daemon->options->config, config);
    if (changed == 0) {
        od_say_info("daemon", "settings read again: nothing changed");
    }
    orderly_config_free(config);
}

/* ---- The way up --------------------------------------------------------------------------------------- */

static enum orderly_err check_settings(struct daemon *daemon, struct orderly_error *error)
{
    struct orderly_callbacks callbacks = ORDERLY_CALLBACKS_INIT;
    enum orderly_err err;

    callbacks.log = on_log;
    daemon->group = od_setting_text(daemon->options->config, "kafka.group.id");
    daemon->listen = od_setting_text(daemon->options->config, "admin.listen");
    if (daemon->group == NULL || daemon->listen == NULL) {
        return ORDERLY_NOMEM;
    }
    err = od_address_check(daemon->listen, error);
    if (err == ORDERLY_OK) {
        err = od_sources_init(&daemon->sources, daemon->options, error);
    }
    if (err == ORDERLY_OK) {
        err = orderly_config_callbacks(daemon->options->config, &callbacks, daemon);
    }
    if (err == ORDERLY_OK) {
        err = orderly_new(daemon->options->config, &daemon->orderly, error);
    }
    return err;
}

static enum orderly_err check_topics(struct daemon *daemon, struct orderly_error *error)
{
    const struct orderly_config *config = daemon->options->config;
    int64_t timeout_ms = od_setting_duration(config, "start_timeout", 30000);
    enum orderly_err err = orderly_admin_new(config, timeout_ms, &daemon->admin, error);

    if (err == ORDERLY_OK) {
        err = od_topics_check(daemon->admin, daemon->options->create_topics, error);
    }
    if (err == ORDERLY_OK && daemon->options->exit_at_end) {
        err = od_at_end_init(&daemon->at_end, daemon->admin, error);
    }
    return err;
}

static enum orderly_err start_threads(struct daemon *daemon, struct orderly_error *error)
{
    int64_t connections = od_setting_number(daemon->options->config, "admin.max_connections", 64);
    struct od_listener_options listener = {
        .listen = daemon->listen,
        .port_moves = strcmp(daemon->listen, DEFAULT_LISTEN) == 0,
        .max_connections = connections > 0 ? (unsigned)connections : 64,
        .orderly = daemon->orderly,
        .sources = &daemon->sources,
        .config = daemon->options->config,
        .group = daemon->group,
        .started_ms = od_clock_wall_ms(),
        .drain = on_drain,
        .userdata = daemon,
    };
    struct od_listener *started = NULL;
    enum orderly_err err = ORDERLY_OK;

    if (strcmp(daemon->listen, "off") != 0 && daemon->listen[0] != '\0') {
        err = od_listener_start(&listener, &started, error);
        daemon->listener = started;
    }
    if (err == ORDERLY_OK && daemon->options->exit_at_end) {
        err = od_at_end_start(&daemon->at_end, daemon->orderly);
    }
    return err;
}

static void say_what(const struct daemon *daemon)
{
    od_say_info("daemon", "orderly %s (librdkafka %s): group %s", orderly_version(), orderly_engine_version(),
                daemon->group);
    for (size_t i = 0; i < daemon->sources.count; i++) {
        const struct od_source *source = &daemon->sources.list[i];
        const struct od_handler_options *options = &source->options;
        char *topics = od_setting_text(
            i < daemon->options->source_count ? daemon->options->sources[i].config : daemon->options->config, "topics");

        od_say_info("daemon", "topics %s: %s %s", topics != NULL ? topics : "", source->handler->ops->kind,
                    options->command.count > 0 ? options->command.items[0] : "");
        free(topics);
    }
}

static enum orderly_err run(struct daemon *daemon, struct orderly_error *error)
{
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    enum orderly_err err;

    handler.userdata = &daemon->sources;
    handler.handle = od_sources_handle;
    handler.workers = 1; /* it only queues: the handler's own thread does the work */
    err = orderly_run(daemon->orderly, &handler, error);
    od_sources_close(&daemon->sources);
    return err;
}

static void fini(struct daemon *daemon)
{
    od_signals_stop(&daemon->signals);
    od_listener_stop(daemon->listener);
    od_at_end_fini(&daemon->at_end);
    od_sources_fini(&daemon->sources);
    orderly_admin_free(daemon->admin);
    orderly_free(daemon->orderly);
    free(daemon->group);
    free(daemon->listen);
}

/* A descriptor of ours at 0, 1 or 2 would be taken for a standard stream, by children too. */
static void fill_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) {
            return; /* nothing to be done about it */
        }
    }
}

int od_daemon_run(const struct od_daemon_options *options)
{
    struct daemon daemon = {
        .options = options,
        .signals = {.fd = -1, .stop_fd = -1, .drain = on_drain, .reload = on_reload, .userdata = &daemon},
        .at_end = {.stop_fd = -1},
    };
    struct orderly_error error = ORDERLY_ERROR_INIT;
    enum orderly_err err;

    fill_standard_streams();
    prepare_log(options->config);
    od_signals_block();
    od_spawn_raise_limit();
    if (geteuid() == 0) {
        od_say_warning("daemon", "running as root: handlers do so too; a user of its own is safer");
    }
    err = check_settings(&daemon, &error);
    if (err == ORDERLY_OK) {
        atomic_store(&daemon.checking, true);
        err = od_signals_start(&daemon.signals);
    }
    if (err == ORDERLY_OK) {
        err = check_topics(&daemon, &error);
        atomic_store(&daemon.checking, false);
    }
    if (err == ORDERLY_OK) {
        err = start_threads(&daemon, &error);
    }
    if (err == ORDERLY_OK) {
        say_what(&daemon);
        err = run(&daemon, &error);
    }
    say(err, &error);
    fini(&daemon);
    if (err == ORDERLY_OK || err == ORDERLY_CLOSED) {
        od_say_info("daemon", "ended: all that was still ours is settled and committed");
    }
    od_say_left_out(true);
    return exit_code(err);
}
