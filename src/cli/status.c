/* `orderly status`: one look at a running daemon. */
#include "cli/admin_client.h"
#include "cli/status_print.h"

int od_status_command(const struct od_args *args)
{
    json_t *status = NULL;
    int code = od_admin_get(args, "/api/v1/status", &status);
    if (code) {
        return code;
    }
    if (od_args_has(args, "json")) {
        json_dumpf(status, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        od_status_print(stdout, status, NULL, 0);
    }
    json_decref(status);
    return OD_EXIT_OK;
}
