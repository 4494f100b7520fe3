#!/bin/sh
# How partitions end: callbacks in order, commits inside them, one ending each, partition workers that are told to quit.
# timeout: 300
SESSION_MS=6000 # holds are short here, and so is max.poll.interval.ms
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
# shellcheck source=tests/support/checks.sh
. "$ORDERLY_SOURCE_DIR/tests/support/checks.sh"

for protocol in $PROTOCOLS; do
    say "$protocol"
    all_checks endings "$protocol"
done
