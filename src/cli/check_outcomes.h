/* `orderly check --outcomes`: what each end of a handler means, as it is in force. */
#ifndef OD_CLI_CHECK_OUTCOMES_H
#define OD_CLI_CHECK_OUTCOMES_H

#include "cli/cli.h"

int od_check_print_outcomes(const struct od_args *, const struct od_values *);

#endif
