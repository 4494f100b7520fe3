#!/bin/sh
# A batch that is held: nothing is taken before it is given back or its deadline; eviction is noticed meanwhile.
# timeout: 300
SESSION_MS=6000 # members are killed or stopped: the others wait for this
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
# shellcheck source=tests/support/checks.sh
. "$ORDERLY_SOURCE_DIR/tests/support/checks.sh"

for protocol in $PROTOCOLS; do
    say "$protocol"
    all_checks gate "$protocol"
done
