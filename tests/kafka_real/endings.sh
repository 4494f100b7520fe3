#!/bin/sh
# How partitions end: callbacks in order, commits inside them, one ending each, partition workers that are told to quit.
# timeout: 300
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
# shellcheck source=tests/support/checks.sh
. "$ORDERLY_SOURCE_DIR/tests/support/checks.sh"

for protocol in $PROTOCOLS; do
    say "$protocol"
    all_checks endings "$protocol"
done
