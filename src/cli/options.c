/* Reads a command line by a command's table of options: exact long options, --name VALUE or --name=VALUE, -X P=V, -h. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const struct od_option *find_option(const struct od_command *command, const char *name, size_t size)
{
    for (const struct od_option *option = command->options; option && option->name; option++) {
        if (strlen(option->name) == size && !memcmp(option->name, name, size)) {
            return option;
        }
    }
    return NULL;
}

static bool refuse_unknown(const struct od_args *args, const char *name, size_t size)
{
    char typed[128];
    struct od_nearest best = {NULL, 0};
    snprintf(typed, sizeof typed, "%.*s", (int)size, name);
    for (const struct od_option *option = args->command->options; option && option->name; option++) {
        od_nearest_offer(&best, typed, option->name);
    }
    if (best.name) {
        od_talk_failure(args, OD_EXIT_USAGE, "unknown option --%s; did you mean --%s?", typed, best.name);
    } else {
        od_talk_failure(args, OD_EXIT_USAGE, "unknown option --%s; `orderly %s --help` lists all", typed,
                        args->command->name);
    }
    return false;
}

static void add_item(struct od_args *args, const struct od_option *option, const char *value)
{
    args->items[args->count++] = (struct od_arg){option, value};
}

/* argv[*i] begins with a dash; moves *i past its value. */
static bool take_option(struct od_args *args, int argc, char *const *argv, int *i)
{
    const char *text = argv[*i];
    if (!strcmp(text, "-h") || !strcmp(text, "--help")) {
        args->help = true;
        return true;
    }
    bool letter = text[1] != '-';
    const char *name = text + (letter ? 1 : 2);
    const char *equals = letter ? NULL : strchr(name, '=');
    size_t size = equals ? (size_t)(equals - name) : strlen(name);
    if (letter && strcmp(name, "X") != 0) {
        od_talk_failure(args, OD_EXIT_USAGE, "unknown option %s; options are written in full, such as --topic", text);
        return false;
    }
    const struct od_option *option = find_option(args->command, name, size);
    if (!option || (!letter && !strcmp(option->name, "X"))) {
        return refuse_unknown(args, name, size);
    }
    if (!option->value) {
        if (equals) {
            od_talk_failure(args, OD_EXIT_USAGE, "--%s takes no value", option->name);
            return false;
        }
        add_item(args, option, "");
        return true;
    }
    if (!equals && (*i + 1 >= argc || !strcmp(argv[*i + 1], "--"))) {
        od_talk_failure(args, OD_EXIT_USAGE, "%s%s needs a value: %s%s %s", letter ? "-" : "--", option->name,
                        letter ? "-" : "--", option->name, option->value);
        return false;
    }
    add_item(args, option, equals ? equals + 1 : argv[++*i]);
    return true;
}

static bool known_verb(const struct od_command *command, const char *word)
{
    size_t size = strlen(word);
    for (const char *verb = command->verbs; verb; verb = strchr(verb, '|') ? strchr(verb, '|') + 1 : NULL) {
        if (!strncmp(verb, word, size) && (verb[size] == '|' || !verb[size])) {
            return true;
        }
    }
    return false;
}

static bool refuse_verb(const struct od_args *args, const char *word)
{
    char verbs[128], names[128];
    struct od_nearest best = {NULL, 0};
    snprintf(verbs, sizeof verbs, "%s", args->command->verbs);
    snprintf(names, sizeof names, "%s", args->command->verbs);
    for (char *save = NULL, *verb = strtok_r(verbs, "|", &save); verb; verb = strtok_r(NULL, "|", &save)) {
        od_nearest_offer(&best, word, verb);
    }
    for (char *bar = names; (bar = strchr(bar, '|')) != NULL;) {
        *bar = ' ';
    }
    if (!*word) {
        od_talk_failure(args, OD_EXIT_USAGE, "do what? One of: %s", names);
    } else if (best.name) {
        od_talk_failure(args, OD_EXIT_USAGE, "unknown word '%s'; did you mean '%s'?", word, best.name);
    } else {
        od_talk_failure(args, OD_EXIT_USAGE, "unknown word '%s'; one of: %s", word, names);
    }
    return false;
}

static bool check_words(const struct od_args *args)
{
    const struct od_command *command = args->command;
    size_t allowed = command->words ? SIZE_MAX : (command->verbs ? 1 : 0);
    if (args->help) {
        return true;
    }
    if (command->verbs && !known_verb(command, od_args_verb(args))) {
        return refuse_verb(args, od_args_verb(args));
    }
    if (args->word_count > allowed) {
        od_talk_failure(args, OD_EXIT_USAGE, "unexpected word '%s'%s", args->words[allowed],
                        command->rest ? "; the handler's command goes after --" : "");
        return false;
    }
    return true;
}

bool od_args_parse(const struct od_command *command, int argc, char *const *argv, struct od_args *ret)
{
    *ret = (struct od_args){.command = command};
    size_t room = (size_t)(argc > 0 ? argc : 0) + 1;
    ret->items = calloc(room, sizeof *ret->items);
    ret->words = calloc(room, sizeof *ret->words);
    if (!ret->items || !ret->words) {
        od_talk_failure(ret, OD_EXIT_FAILURE, "out of memory");
        return false;
    }
    for (int i = 0; i < argc; i++) {
        if (!strcmp(argv[i], "--")) {
            ret->has_rest = true;
            ret->rest = (const char *const *)argv + i + 1;
            ret->rest_count = (size_t)(argc - i - 1);
            break;
        }
        if (argv[i][0] == '-' && argv[i][1]) {
            if (!take_option(ret, argc, argv, &i)) {
                return false;
            }
        } else {
            ret->words[ret->word_count++] = argv[i];
        }
    }
    if (ret->has_rest && !command->rest && !ret->help) {
        od_talk_failure(ret, OD_EXIT_USAGE, "takes no command after --");
        return false;
    }
    return check_words(ret);
}

void od_args_fini(struct od_args *args)
{
    free(args->items);
    free(args->words);
    *args = (struct od_args){0};
}

const char *od_args_text(const struct od_args *args, const char *name)
{
    for (size_t i = args->count; i > 0; i--) {
        if (!strcmp(args->items[i - 1].option->name, name)) {
            return args->items[i - 1].value;
        }
    }
    return NULL;
}

bool od_args_has(const struct od_args *args, const char *name)
{
    return od_args_text(args, name) != NULL;
}

const char *od_args_verb(const struct od_args *args)
{
    return args->word_count ? args->words[0] : "";
}

bool od_args_number(const struct od_args *args, const char *name, int64_t low, int64_t high, int64_t otherwise,
                    int64_t *ret)
{
    const char *text = od_args_text(args, name);
    if (!text) {
        *ret = otherwise;
        return true;
    }
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (!*text || *end || number < low || number > high) {
        od_talk_failure(args, OD_EXIT_USAGE, "--%s %s: a whole number from %lld to %lld is wanted", name, text,
                        (long long)low, (long long)high);
        return false;
    }
    *ret = number;
    return true;
}

bool od_args_duration(const struct od_args *args, const char *name, int64_t otherwise_ms, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = {{"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 36e5}, {"d", 864e5}};
    const char *text = od_args_text(args, name);
    if (!text) {
        *ret_ms = otherwise_ms;
        return true;
    }
    char *end = NULL;
    double number = strtod(text, &end);
    for (size_t i = 0; end != text && i < sizeof units / sizeof *units; i++) {
        if (!strcmp(end, units[i].unit) && number >= 0 && number * units[i].ms < 1e14) {
            *ret_ms = (int64_t)(number * units[i].ms);
            return true;
        }
    }
    od_talk_failure(args, OD_EXIT_USAGE,
                    "--%s %s: a duration with its unit is wanted, such as 250ms, 30s, 10m, 24h, 7d", name, text);
    return false;
}
