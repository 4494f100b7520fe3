/* `orderly completion`: scripts for shells, made from the table of commands. */
#include <string.h>

#include "cli/cli.h"

static void print_verbs(const struct od_command *command, const char *separator)
{
    for (const char *verb = command->verbs; verb && *verb;) {
        size_t size = strcspn(verb, "|");
        printf("%s%.*s", separator, (int)size, verb);
        verb += size + (verb[size] == '|');
    }
}

static void print_options(const struct od_command *command, const char *separator)
{
    for (const struct od_option *option = command->options; option && option->name; option++) {
        printf("%s%s%s", separator, strcmp(option->name, "X") ? "--" : "-", option->name);
    }
    printf("%s--help", separator);
}

/* Options whose value is a file. */
static bool is_file(const struct od_option *option)
{
    return option->value && !strcmp(option->value, "FILE");
}

static void print_bash(void)
{
    puts("_orderly() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]} words= i\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "        if [[ ${COMP_WORDS[i]} == -- ]]; then COMPREPLY=($(compgen -c -f -- \"$word\")); return; fi\n"
         "    done\n"
         "    case $last in --config | --token-file) COMPREPLY=($(compgen -f -- \"$word\")); return ;; esac\n"
         "    case ${COMP_WORDS[1]} in");
    for (const struct od_command *command = od_commands; command->name; command++) {
        printf("    %s) words='", command->name);
        print_verbs(command, " ");
        print_options(command, " ");
        puts("' ;;");
    }
    printf("    esac\n    if ((COMP_CWORD == 1)); then words='");
    for (const struct od_command *command = od_commands; command->name; command++) {
        printf("%s ", command->name);
    }
    puts("'; fi\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "}\n"
         "complete -F _orderly orderly");
}

/* In single quotes: a quote ends, is written, and begins again. */
static void print_quoted(const char *text)
{
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", stdout);
        } else {
            fputc(*text, stdout);
        }
    }
}

static void print_zsh(void)
{
    puts("#compdef orderly\n"
         "_orderly() {\n"
         "    local -a commands\n"
         "    commands=(");
    for (const struct od_command *command = od_commands; command->name; command++) {
        printf("        '%s:", command->name);
        print_quoted(command->summary);
        puts("'");
    }
    puts("    )\n"
         "    if ((CURRENT == 2)); then _describe command commands; return; fi\n"
         "    if ((${words[(I)--]})); then _normal; return; fi\n"
         "    case ${words[CURRENT-1]} in --config | --token-file) _files; return ;; esac\n"
         "    case ${words[2]} in");
    for (const struct od_command *command = od_commands; command->name; command++) {
        printf("    %s) compadd --", command->name);
        print_verbs(command, " ");
        print_options(command, " ");
        puts(" ;;");
    }
    puts("    esac\n"
         "}\n"
         "compdef _orderly orderly");
}

static void print_fish(void)
{
    puts("complete -c orderly -f");
    for (const struct od_command *command = od_commands; command->name; command++) {
        printf("complete -c orderly -n __fish_use_subcommand -a %s -d '", command->name);
        print_quoted(command->summary);
        puts("'");
        if (command->verbs) {
            printf("complete -c orderly -n '__fish_seen_subcommand_from %s' -a '", command->name);
            print_verbs(command, " ");
            puts("'");
        }
        for (const struct od_option *option = command->options; option && option->name; option++) {
            printf("complete -c orderly -n '__fish_seen_subcommand_from %s' %s %s%s%s -d '", command->name,
                   strcmp(option->name, "X") ? "-l" : "-s", option->name, option->value ? " -r" : "",
                   is_file(option) ? " -F" : "");
            print_quoted(option->text);
            puts("'");
        }
    }
}

int od_completion_command(const struct od_args *args)
{
    const char *shell = od_args_verb(args);
    if (!strcmp(shell, "bash")) {
        print_bash();
    } else if (!strcmp(shell, "zsh")) {
        print_zsh();
    } else {
        print_fish();
    }
    return OD_EXIT_OK;
}
