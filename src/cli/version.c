/* `orderly version`. */
#include "cli/cli.h"

int od_version_command(const struct od_args *args)
{
    if (od_args_has(args, "json")) {
        printf("{\"version\":\"%s\",\"librdkafka\":\"%s\"}\n", orderly_version(), orderly_engine_version());
    } else {
        printf("orderly %s (librdkafka %s)\n", orderly_version(), orderly_engine_version());
    }
    return OD_EXIT_OK;
}
