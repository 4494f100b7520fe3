/* The http handler: still to come. */
#include <stdio.h>

#include "daemon/handler.h"

enum orderly_err od_http_new(const struct od_handler_options *options, struct od_handler **ret,
                             struct orderly_error *error)
{
    (void)options;
    (void)ret;
    error->code = ORDERLY_UNSUPPORTED;
    snprintf(error->text, sizeof error->text, "the http handler is not built yet");
    return ORDERLY_UNSUPPORTED;
}
