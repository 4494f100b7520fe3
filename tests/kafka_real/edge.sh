#!/bin/sh
# timeout: 240
# The tests of the edge that run on the embedded broker, once more on a real Kafka; those that inject errors skip themselves.
set -eu
for name in group copy start commit member reread; do
    echo "== kafka.$name"
    "$ORDERLY_BUILD_DIR/tests/kafka_${name}_test"
done
