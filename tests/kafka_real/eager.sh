#!/bin/sh
# planned.sh with the eager protocol (range).
# timeout: 420
export PROTOCOLS=eager
# shellcheck source=tests/kafka_real/planned.sh
. "$ORDERLY_SOURCE_DIR/tests/kafka_real/planned.sh"
