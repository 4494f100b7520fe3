/* Transcripts: see script.h. */
#include "script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orderly/orderly.h"
#include "script_inside.h"

static const char *option(char **args, const char *name)
{
    size_t length = strlen(name);
    for (; *args; args++) {
        if (!strncmp(*args, name, length) && (*args)[length] == '=') {
            return *args + length + 1;
        }
    }
    return NULL;
}

static bool flag(char **args, const char *name)
{
    for (; *args; args++) {
        if (!strcmp(*args, name)) {
            return true;
        }
    }
    return false;
}

static int64_t number(char **args, const char *name, int64_t otherwise)
{
    const char *text = option(args, name);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

static size_t ids_of(char **args, uint32_t *ret)
{
    size_t count = 0;
    for (; *args; args++) {
        if (**args >= '0' && **args <= '9') {
            ret[count++] = (uint32_t)strtoul(*args, NULL, 10);
        }
    }
    return count;
}

static void step(struct script *s, struct od_event *event)
{
    event->now_ms = s->now;
    event->wall_ms = s->now + WALL;
    if (od_core_step(s->core, event, &s->effects) != ORDERLY_OK) {
        script_fail(s, "step failed", "");
    }
    if (od_core_deadline(s->core) <= s->now) {
        script_put(s, "       STANDS STILL: the deadline has passed already\n");
    }
}

static void on_assigned(struct script *s, struct od_event *event, char **args)
{
    static struct od_assign list[ARGS];
    size_t count = 0;
    for (; *args; args++) {
        unsigned id = 0, topic = 0;
        int partition = 0;
        char kind = 0;
        if (sscanf(*args, "%u:%u/%d%c", &id, &topic, &partition, &kind) < 3) {
            script_fail(s, "assigned ID:TOPIC/PARTITION[r]", *args);
        }
        list[count++] = (struct od_assign){id, topic, partition, kind == 'r' ? OD_TOPIC_RETRY : OD_TOPIC_SOURCE};
    }
    event->assigned.list = list;
    event->assigned.count = count;
}

static void on_ready(struct script *s, struct od_event *event, char **args)
{
    event->ready = (struct od_ready){.id = (uint32_t)strtoul(args[0], NULL, 10),
                                     .position = strtoll(args[1], NULL, 10),
                                     .resolved = flag(args, "resolved"),
                                     .topic_id_hash = (uint64_t)number(args, "topic_id", 0)};
    const char *map = option(args, "map");
    if (map && strspn(map, "0123456789") == strlen(map)) {
        int at = script_commit_of(s, (uint32_t)strtoul(map, NULL, 10));
        if (at < 0) {
            script_fail(s, "nothing was committed by", map);
        }
        event->ready.map = s->commits[at].text;
        event->ready.map_size = s->commits[at].size;
    } else if (map) {
        event->ready.map = map;
        event->ready.map_size = strlen(map);
    }
}

static void one_fetched(struct script *s, struct od_fetched *fetched, uint32_t id, int64_t offset, char *attributes)
{
    *fetched = (struct od_fetched){.tag = ++s->last_tag, .offset = offset, .leader_epoch = 1, .size_bytes = 100};
    for (char *save = NULL, *word = strtok_r(attributes, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        const char *value = strchr(word, '=');
        int64_t n = value ? strtoll(value + 1, NULL, 10) : 0;
        if (!strncmp(word, "key", 3)) {
            fetched->has_key = true;
            fetched->key_hash = (uint64_t)value[1];
        } else if (!strncmp(word, "due", 3)) {
            fetched->due_ms = n + WALL;
        } else if (!strncmp(word, "delay", 5)) {
            fetched->delay_ms = n;
        } else if (!strncmp(word, "attempts", 8)) {
            fetched->attempts = (uint32_t)n;
        } else if (!strncmp(word, "copy", 4)) {
            fetched->copy_hash = (uint64_t)n;
        } else if (!strncmp(word, "foreign", 7)) {
            fetched->foreign = true;
        } else if (!strncmp(word, "size", 4)) {
            fetched->size_bytes = (uint32_t)n;
        } else if (!strncmp(word, "epoch", 5)) {
            fetched->leader_epoch = (int32_t)n;
        } else {
            script_fail(s, "unknown attribute", word);
        }
    }
    struct known known = {0, fetched->tag, id, offset};
    if (!od_vec_push(&s->known, known)) {
        abort();
    }
}

static void on_fetched(struct script *s, struct od_event *event, char **args)
{
    static struct od_fetched *list;
    size_t count = 0;
    uint32_t id = (uint32_t)strtoul(args[0], NULL, 10);
    int64_t next = 0;
    list = realloc(list, 100000 * sizeof *list);
    for (char **arg = args + 1; *arg; arg++) {
        int64_t first = 0, last = 0;
        if (**arg < '0' || **arg > '9') {
            continue;
        }
        char *attributes = strchr(*arg, ':'), copy[256] = "";
        if (attributes) {
            *attributes++ = 0;
        }
        if (sscanf(*arg, "%" SCNd64 "..%" SCNd64, &first, &last) != 2) {
            last = first = strtoll(*arg, NULL, 10);
        }
        for (int64_t offset = first; offset <= last; offset++) {
            snprintf(copy, sizeof copy, "%s", attributes ? attributes : "");
            one_fetched(s, &list[count++], id, offset, copy);
            next = offset + 1;
        }
    }
    event->fetched.id = id;
    event->fetched.list = list;
    event->fetched.count = count;
    event->fetched.next_offset = number(args, "next", next);
    event->fetched.more = flag(args, "more");
}

static enum orderly_outcome outcome_of(struct script *s, const char *word)
{
    static const char *const words[] = {"unset", "ack", "retry", "dead_letter", "release", "drop", "hold", "throttle"};
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(word, words[i])) {
            return (enum orderly_outcome)i;
        }
    }
    script_fail(s, "not an outcome", word);
}

/* settled 1@5 1@6 ack [delay=..] [due=..] [us=..] [never] | settled 1@7 not_run */
static void on_settled(struct script *s, struct od_event *event, char **args)
{
    static struct od_settled list[4096];
    size_t count = 0, first = 0;
    for (char **arg = args; *arg; arg++) {
        unsigned id = 0;
        int64_t from = 0, to = 0;
        char word[64];
        if (sscanf(*arg, "%u@%" SCNd64 "..%" SCNd64, &id, &from, &to) == 3) {
            for (; from <= to; from++) {
                snprintf(word, sizeof word, "%u@%" PRId64, id, from);
                list[count++] =
                    (struct od_settled){.record = script_find(s, word)->record, .delay_ms = -1, .run_us = -1};
            }
        } else if (strchr(*arg, '@')) {
            list[count++] = (struct od_settled){.record = script_find(s, *arg)->record, .delay_ms = -1, .run_us = -1};
        } else if (!strchr(*arg, '=') && strcmp(*arg, "never") != 0) {
            for (; first < count; first++) {
                list[first].not_run = !strcmp(*arg, "not_run");
                list[first].outcome = list[first].not_run ? ORDERLY_UNSET : outcome_of(s, *arg);
                list[first].delay_ms = number(args, "delay", -1);
                list[first].due_ms = option(args, "due") ? number(args, "due", 0) + WALL : 0;
                list[first].run_us = number(args, "us", -1);
                list[first].never = flag(args, "never");
            }
        }
    }
    event->settled.list = list;
    event->settled.count = count;
}

static unsigned result_of(struct script *s, const char *word, const char *const *words)
{
    for (unsigned i = 0; words[i]; i++) {
        if (!strcmp(word, words[i])) {
            return i;
        }
    }
    script_fail(s, "not a result", word);
}

static void on_answer(struct script *s, struct od_event *event, char **args)
{
    static const char *const copies[] = {"ok", "again", "too_large", "refused", NULL};
    static const char *const commits[] = {"ok", "again", "overtaken", "fenced", "map_too_large", "refused", NULL};
    static const char *const rereads[] = {"ok", "gone", "again", NULL};
    if (event->type == OD_EVENT_COPIED) {
        event->copied.record = script_find(s, args[0])->record;
        event->copied.result = (enum od_copy_result)result_of(s, args[1], copies);
    } else if (event->type == OD_EVENT_COMMITTED) {
        event->committed.id = (uint32_t)strtoul(args[0], NULL, 10);
        int at = script_commit_of(s, event->committed.id);
        event->committed.sequence = at < 0 ? 0 : s->commits[at].sequence;
        event->committed.result = (enum od_commit_result)result_of(s, args[1], commits);
    } else {
        struct known *known = script_find(s, args[0]);
        event->reread.record = known->record;
        event->reread.result = (enum od_reread_result)result_of(s, args[1], rereads);
        event->reread.tag = known->tag = ++s->last_tag;
        event->reread.size_bytes = (uint32_t)number(args, "size", 100);
    }
}

static void on_ids(struct script *s, struct od_event *event, char **args)
{
    static uint32_t ids[ARGS];
    size_t count = ids_of(args, ids);
    (void)s;
    if (event->type == OD_EVENT_PAUSE || event->type == OD_EVENT_RESUME) {
        event->pause.ids = ids;
        event->pause.count = count;
        event->pause.reason = (uint32_t)number(args, "reason", 0);
    } else if (event->type == OD_EVENT_COMMIT_WANT) {
        event->commit_want.ids = ids;
        event->commit_want.count = count;
        event->commit_want.token = (uint64_t)number(args, "token", 1);
    } else {
        event->partitions.ids = ids;
        event->partitions.count = count;
        event->partitions.deadline_ms = number(args, "deadline", 0);
        event->partitions.valid_member = flag(args, "valid");
    }
}

static void on_simple(struct script *s, struct od_event *event, char **args)
{
    switch (event->type) {
    case OD_EVENT_CALLBACK_DONE:
        event->callback.sequence = args[0] ? strtoull(args[0], NULL, 10) : s->last_callback;
        break;
    case OD_EVENT_POSITION:
    case OD_EVENT_SEEK:
    case OD_EVENT_MARK_OFFSET:
    case OD_EVENT_LOG_START:
        event->position.id = (uint32_t)strtoul(args[0], NULL, 10);
        event->position.offset = strtoll(args[1], NULL, 10);
        break;
    case OD_EVENT_GATE:
        event->gate.taken = flag(args, "taken");
        break;
    case OD_EVENT_CLOSE:
        event->close.deadline_ms = number(args, "deadline", 0);
        break;
    case OD_EVENT_WANT:
    case OD_EVENT_CONCURRENCY:
    case OD_EVENT_RATE:
        event->number.n = strtoull(args[0], NULL, 10);
        break;
    default:
        break;
    }
}

static const struct {
    const char *word;
    enum od_event_type type;
    void (*parse)(struct script *, struct od_event *, char **args);
} verbs[] = {
    {"tick", OD_EVENT_TICK, on_simple},
    {"assigned", OD_EVENT_ASSIGNED, on_assigned},
    {"ready", OD_EVENT_READY, on_ready},
    {"revoke", OD_EVENT_REVOKE, on_ids},
    {"lost", OD_EVENT_LOST, on_ids},
    {"fetched", OD_EVENT_FETCHED, on_fetched},
    {"settled", OD_EVENT_SETTLED, on_settled},
    {"copied", OD_EVENT_COPIED, on_answer},
    {"committed", OD_EVENT_COMMITTED, on_answer},
    {"reread", OD_EVENT_REREAD, on_answer},
    {"callback_done", OD_EVENT_CALLBACK_DONE, on_simple},
    {"position", OD_EVENT_POSITION, on_simple},
    {"want", OD_EVENT_WANT, on_simple},
    {"gate", OD_EVENT_GATE, on_simple},
    {"pause", OD_EVENT_PAUSE, on_ids},
    {"resume", OD_EVENT_RESUME, on_ids},
    {"seek", OD_EVENT_SEEK, on_simple},
    {"mark_offset", OD_EVENT_MARK_OFFSET, on_simple},
    {"commit_want", OD_EVENT_COMMIT_WANT, on_ids},
    {"close", OD_EVENT_CLOSE, on_simple},
    {"left", OD_EVENT_LEFT, on_simple},
    {"suspect", OD_EVENT_SUSPECT, on_simple},
    {"confirmed", OD_EVENT_CONFIRMED, on_simple},
    {"concurrency", OD_EVENT_CONCURRENCY, on_simple},
    {"rate", OD_EVENT_RATE, on_simple},
    {"log_start", OD_EVENT_LOG_START, on_simple},
    {"reset_guard", OD_EVENT_RESET_GUARD, on_simple},
};

static void look(struct script *s, char **args)
{
    struct od_core_partition view;
    struct od_core_totals totals;
    od_core_totals(s->core, &totals);
    if (!args[0]) {
        script_put(s,
                   "       queued=%" PRIu64 " running=%" PRIu64 " parked=%" PRIu64 " copying=%" PRIu64
                   " let_go=%" PRIu64 " held=%" PRIu64 " early=%" PRIu64 "\n",
                   totals.queued, totals.running, totals.parked, totals.copying, totals.let_go, totals.bytes_held,
                   od_core_counters(s->core)->early);
        return;
    }
    if (!od_core_partition(s->core, (uint32_t)strtoul(args[0], NULL, 10), &view)) {
        script_put(s, "       no such assignment\n");
        return;
    }
    script_put(s,
               "       %s watermark=%" PRId64 " committed=%" PRId64 " position=%" PRId64 " queued=%" PRIu64
               " running=%" PRIu64 " parked=%" PRIu64 " above=%" PRIu64,
               view.state, view.watermark, view.committed, view.position, view.queued, view.running, view.parked,
               view.done_above);
    for (unsigned i = 0; i < OD_STATE_COUNT; i++) {
        if (view.states >> i & 1u) {
            script_put(s, " %s", od_named_state_word((enum od_named_state)i));
        }
    }
    script_put(s, "\n");
}

static void until(struct script *s, int64_t end)
{
    for (unsigned turns = 0;; turns++) {
        int64_t at = od_core_deadline(s->core);
        if (at > end) {
            break;
        }
        if (turns > 10000) {
            script_fail(s, "never comes to rest", "");
        }
        struct od_event event = {.type = OD_EVENT_TICK};
        s->now = at > s->now ? at : s->now;
        step(s, &event);
        script_put_effects(s, s->now);
    }
    s->now = end;
}

static void start(struct script *s)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (s->core) {
        return;
    }
    if (od_settings_finish(s->config, &s->settings, &error) != ORDERLY_OK) {
        script_fail(s, "settings", error.text);
    }
    s->core_config.settings = &s->settings;
    if (od_core_new(&s->core_config, &s->core) != ORDERLY_OK) {
        script_fail(s, "no core", "");
    }
}

static bool head(struct script *s, char **args)
{
    struct orderly_error error = ORDERLY_ERROR_INIT;
    if (!strcmp(args[0], "set")) {
        if (orderly_config_set(s->config, args[1], args[2], &error) != ORDERLY_OK) {
            script_fail(s, "set", error.text);
        }
    } else if (!strcmp(args[0], "face")) {
        s->core_config.poll_face = !strcmp(args[1], "poll");
        s->core_config.workers = (uint32_t)number(args, "workers", 2);
        s->core_config.batch_max = (uint32_t)number(args, "batch", 0);
        s->core_config.batch_wait_ms = number(args, "batch_wait", 0);
    } else if (!strcmp(args[0], "callbacks")) {
        s->core_config.has_assigned = flag(args, "assigned");
        s->core_config.has_revoked = flag(args, "revoked");
        s->core_config.has_lost = flag(args, "lost");
        s->core_config.has_position = flag(args, "position");
    } else if (!strcmp(args[0], "show")) {
        s->show_fetch = flag(args, "fetch");
    } else {
        return false;
    }
    return true;
}

static void event_line(struct script *s, char **args)
{
    start(s);
    char *end = NULL;
    int64_t at = strtoll(args[0], &end, 10);
    if (*end || !args[1]) {
        script_fail(s, "neither setting, event nor effect", args[0]);
    }
    if (!strcmp(args[1], "until")) {
        until(s, at);
        return;
    }
    s->now = at;
    if (!strcmp(args[1], "look")) {
        look(s, args + 2);
        return;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!strcmp(verbs[i].word, args[1])) {
            struct od_event event = {.type = verbs[i].type};
            verbs[i].parse(s, &event, args + 2);
            step(s, &event);
            script_put_effects(s, -1);
            return;
        }
    }
    script_fail(s, "unknown event", args[1]);
}

char *script_run(const char *name, const char *text)
{
    struct script *s = calloc(1, sizeof *s);
    struct orderly_error error = ORDERLY_ERROR_INIT;
    s->name = name;
    s->core_config.workers = 2;
    s->core_config.seed = 1;
    if (orderly_config_new(&s->config) != ORDERLY_OK ||
        orderly_config_set(s->config, "kafka.group.id", "g", &error) != ORDERLY_OK ||
        orderly_config_set(s->config, "kafka.bootstrap.servers", "localhost:1", &error) != ORDERLY_OK ||
        orderly_config_set(s->config, "topics", "t", &error) != ORDERLY_OK ||
        orderly_config_set(s->config, "retry.backoff.jitter", "0%", &error) != ORDERLY_OK) {
        script_fail(s, "settings", error.text);
    }
    char *copy = strdup(text);
    for (char *save = NULL, *line = copy, *next; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next) {
            *next++ = 0;
        }
        s->line++;
        bool blank = line[strspn(line, " ")] == 0;
        if (!blank && (*line == ' ' || *line == '@')) {
            continue; /* an effect of the file; the core's own are put instead */
        }
        script_put(s, "%s\n", line);
        if (blank || *line == '#') {
            continue;
        }
        char *args[ARGS + 1] = {0};
        size_t count = 0;
        for (char *word = strtok_r(line, " ", &save); word && count < ARGS; word = strtok_r(NULL, " ", &save)) {
            args[count++] = word;
        }
        if (!head(s, args)) {
            event_line(s, args);
        }
    }
    free(copy);
    od_core_free(s->core);
    od_effects_fini(&s->effects);
    od_settings_fini(&s->settings);
    orderly_config_free(s->config);
    od_vec_fini(&s->known);
    char *out = s->out ? s->out : calloc(1, 1);
    free(s);
    return out;
}
