/* orderly: finds the command, reads its options, runs it. */
#include <signal.h>
#include <string.h>

#include "cli/cli.h"

static int unknown_command(const char *name)
{
    struct od_nearest best = {NULL, 0};
    for (const struct od_command *command = od_commands; command->name; command++) {
        od_nearest_offer(&best, name, command->name);
    }
    if (best.name) {
        od_talk("orderly: unknown command '%s'; did you mean `orderly %s`?", name, best.name);
    } else {
        od_talk("orderly: unknown command '%s'; `orderly help` lists all", name);
    }
    return OD_EXIT_USAGE;
}

static int run(const struct od_command *command, int argc, char **argv)
{
    struct od_args args;
    int code = OD_EXIT_USAGE;
    if (od_args_parse(command, argc, argv, &args)) {
        if (args.help) {
            od_help_print(stdout, command);
            code = OD_EXIT_OK;
        } else {
            code = command->run(&args);
        }
        code = od_finish_output(&args, code);
    }
    od_args_fini(&args);
    return code;
}

int main(int argc, char **argv)
{
    /* A reader of our output that goes away is an error of the write, not our death. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        od_help_print(stderr, NULL);
        return OD_EXIT_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
        name = "help";
    } else if (!strcmp(name, "--version")) {
        name = "version";
    }
    const struct od_command *command = od_command_find(name);
    return command ? run(command, argc - 2, argv + 2) : unknown_command(name);
}
