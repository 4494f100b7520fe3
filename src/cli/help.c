/* `orderly help`: the help texts and the manual pages, both from the table of commands. */
#include <ctype.h>
#include <string.h>

#include "cli/cli.h"

static void print_overview(FILE *out)
{
    fputs("orderly: a Kafka consumer for work that takes time\n\n"
          "usage: orderly COMMAND [OPTION]...\n\n",
          out);
    for (const struct od_command *command = od_commands; command->name; command++) {
        fprintf(out, "  %-11s %s\n", command->name, command->summary);
    }
    fputs("\n`orderly COMMAND --help` says more. Examples:\n"
          "  orderly demo\n"
          "  orderly run --brokers localhost:9092 --group orders --topic orders \\\n"
          "      --start earliest --create-topics -- ./handler\n"
          "  orderly lag --brokers localhost:9092 --group orders --topic orders\n",
          out);
}

static void print_usage(FILE *out, const struct od_command *command)
{
    const char *line = command->synopsis;
    for (const char *lead = "usage:"; line; lead = "      ") {
        size_t size = strcspn(line, "\n");
        if (*line == ' ') {
            fprintf(out, "%.*s\n", (int)size, line);
        } else {
            fprintf(out, "%s orderly %s %.*s\n", lead, command->name, (int)size, line);
        }
        line = line[size] ? line + size + 1 : NULL;
    }
}

static void format_option(const struct od_option *option, char *ret, size_t size)
{
    snprintf(ret, size, "%s%s%s%s", strcmp(option->name, "X") ? "--" : "-", option->name, option->value ? " " : "",
             option->value ? option->value : "");
}

static void print_command(FILE *out, const struct od_command *command)
{
    char text[64];
    fprintf(out, "%s\n\n", command->summary);
    print_usage(out, command);
    if (command->options && command->options->name) {
        fputc('\n', out);
    }
    for (const struct od_option *option = command->options; option && option->name; option++) {
        format_option(option, text, sizeof text);
        fprintf(out, "  %-24s %s\n", text, option->text);
    }
    if (command->text) {
        fprintf(out, "\n%s\n", command->text);
    }
    fputs("\nexamples:\n", out);
    for (const char *line = command->examples; line;) {
        size_t size = strcspn(line, "\n");
        fprintf(out, "  %.*s\n", (int)size, line);
        line = line[size] ? line + size + 1 : NULL;
    }
}

void od_help_print(FILE *out, const struct od_command *command)
{
    if (command) {
        print_command(out, command);
    } else {
        print_overview(out);
    }
}

/* Escapes what roff would read: backslashes, dashes that must stay dashes, a dot or quote at the start of a line. */
static void roff_text(FILE *out, const char *text)
{
    bool start = true;
    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        if (*text == '\\') {
            fputs("\\e", out);
        } else if (*text == '-') {
            fputs("\\-", out);
        } else {
            fputc(*text, out);
        }
        start = *text == '\n';
    }
}

static void roff_upper(FILE *out, const char *text)
{
    for (; *text; text++) {
        fputc(toupper((unsigned char)*text), out);
    }
}

static void man_exit_codes(FILE *out)
{
    fputs(
        ".SH EXIT STATUS\n0 ok; 1 failure; 2 wrong use; 69 the daemon is not running; 75 temporary (a broker that is away, a drain\n"
        "that was not finished in time); 78 the settings are wrong.\n",
        out);
}

static void man_overview(FILE *out)
{
    fprintf(out, ".TH ORDERLY 1 \"\" \"orderly %s\"\n.SH NAME\norderly \\- a Kafka consumer for work that takes time\n",
            orderly_version());
    fputs(".SH SYNOPSIS\n.B orderly\n.I COMMAND\n[\\fIOPTION\\fR]...\n.SH COMMANDS\n", out);
    for (const struct od_command *command = od_commands; command->name; command++) {
        fprintf(out, ".TP\n.BR orderly\\-%s (1)\n", command->name);
        roff_text(out, command->summary);
        fputc('\n', out);
    }
    fputs(
        ".SH SETTINGS\nOptions win over the environment (ORDERLY_RETRY_ATTEMPTS for retry.attempts), that over the file, that over the default.\n",
        out);
    for (size_t i = 0; i < orderly_setting_count(); i++) {
        struct orderly_setting setting = ORDERLY_SETTING_INIT;
        if (orderly_setting_at(i, &setting)) {
            continue;
        }
        fputs(".TP\n.B ", out);
        roff_text(out, setting.name);
        fputc('\n', out);
        roff_text(out, setting.text);
        if (*setting.default_value) {
            fputs(" Default: ", out);
            roff_text(out, setting.default_value);
            fputc('.', out);
        }
        fputc('\n', out);
    }
    man_exit_codes(out);
}

static void man_command(FILE *out, const struct od_command *command)
{
    char text[64];
    fputs(".TH ORDERLY\\-", out);
    roff_upper(out, command->name);
    fprintf(out, " 1 \"\" \"orderly %s\"\n.SH NAME\norderly\\-%s \\- ", orderly_version(), command->name);
    roff_text(out, command->summary);
    fputs("\n.SH SYNOPSIS\n.nf\n", out);
    for (const char *line = command->synopsis; line;) {
        size_t size = strcspn(line, "\n");
        char copy[256];
        snprintf(copy, sizeof copy, "%.*s", (int)size, line);
        if (*copy != ' ') {
            fprintf(out, "\\fBorderly %s\\fR ", command->name);
        }
        roff_text(out, copy);
        fputc('\n', out);
        line = line[size] ? line + size + 1 : NULL;
    }
    fputs(".fi\n", out);
    if (command->options && command->options->name) {
        fputs(".SH OPTIONS\n", out);
    }
    for (const struct od_option *option = command->options; option && option->name; option++) {
        format_option(option, text, sizeof text);
        fputs(".TP\n.B ", out);
        roff_text(out, text);
        fputc('\n', out);
        roff_text(out, option->text);
        fputc('\n', out);
    }
    if (command->text) {
        fputs(".SH NOTES\n", out);
        roff_text(out, command->text);
        fputc('\n', out);
    }
    fputs(".SH EXAMPLES\n.nf\n", out);
    roff_text(out, command->examples);
    fputs("\n.fi\n", out);
    man_exit_codes(out);
    fputs(".SH SEE ALSO\n.BR orderly (1)\n", out);
}

void od_man_print(FILE *out, const struct od_command *command)
{
    if (command) {
        man_command(out, command);
    } else {
        man_overview(out);
    }
}

int od_help_command(const struct od_args *args)
{
    const struct od_command *command = NULL;
    if (args->word_count > 1) {
        return od_talk_failure(args, OD_EXIT_USAGE, "one command at a time");
    }
    if (args->word_count == 1) {
        command = od_command_find(args->words[0]);
        if (!command) {
            return od_talk_failure(args, OD_EXIT_USAGE, "there is no command '%s'; `orderly help` lists all",
                                   args->words[0]);
        }
    }
    if (od_args_has(args, "man")) {
        od_man_print(stdout, command);
    } else {
        od_help_print(stdout, command);
    }
    return OD_EXIT_OK;
}
