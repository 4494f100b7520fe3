#include "cli/cli.h"
int od_bench_command(const struct od_args *args) { return od_talk_failure(args, 1, "not built yet"); }
