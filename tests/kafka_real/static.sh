#!/bin/sh
# planned.sh with static members.
# timeout: 420
export PROTOCOLS=static
# shellcheck source=tests/kafka_real/planned.sh
. "$ORDERLY_SOURCE_DIR/tests/kafka_real/planned.sh"
