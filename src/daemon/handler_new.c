/* Starts a handler of any kind. Apart from handler.c, so that a test of one kind needs no other. */
#include "daemon/handler.h"

#include <stdio.h>

enum orderly_err od_handler_new(const struct od_handler_options *options, struct od_handler **ret,
                                struct orderly_error *error)
{
    switch (options->kind) {
    case OD_HANDLER_EXEC:
        return od_exec_new(options, ret, error);
    case OD_HANDLER_STREAM:
        return od_stream_new(options, ret, error);
    case OD_HANDLER_HTTP:
        return od_http_new(options, ret, error);
    case OD_HANDLER_NONE:
        break;
    }
    error->code = ORDERLY_CONFIG;
    snprintf(error->text, sizeof error->text, "no handler");
    return ORDERLY_CONFIG;
}
