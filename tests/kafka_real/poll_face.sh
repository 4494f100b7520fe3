#!/bin/sh
# The poll face: batches, marks, commits, retries, pauses, seeks.
# timeout: 300
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
# shellcheck source=tests/support/checks.sh
. "$ORDERLY_SOURCE_DIR/tests/support/checks.sh"

for protocol in $PROTOCOLS; do
    say "$protocol"
    all_checks settling "$protocol"
done
