#!/bin/sh
# A batch that is held past the broker's limit: the member is told that all is lost soon after the eviction, and nothing that it says then counts.
# A proxy makes the limit shorter than the member believes, on a Kafka of its own. SCALE=full: ten times.
# timeout: 300
SESSION_MS=6000 # also the least that a rebalance takes which nobody answers
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
# shellcheck source=tests/support/checks.sh
. "$ORDERLY_SOURCE_DIR/tests/support/checks.sh"
if full; then times=10; else times=1; fi

seed=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
proxy_port=$((32100 + seed % 600))
echo "advertised.listeners=PLAINTEXT://127.0.0.1:$proxy_port" >properties
trap 'end_all; kafka stop "$ORDERLY_TEST_DIR/own"' EXIT
ORDERLY_KAFKA_PROPERTIES=$PWD/properties kafka start "$PWD/own" 0 >/dev/null
own=$(cat own/address)
shorten --port "$proxy_port" --target "${own#*:}" --from 12345 --to 2000 >ready 2>proxy.log &
members="$members $!"
wait_for "the proxy" 10 grep -qs ready ready
ORDERLY_KAFKA=127.0.0.1:$proxy_port

for protocol in $PROTOCOLS; do
    for time in $(seq "$times"); do
        say "$protocol"
        mkdir "$protocol-$time" && cd "$protocol-$time"
        run_id=$time-$$
        all_checks overheld "$protocol"
        cd ..
    done
done
