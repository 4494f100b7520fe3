#!/bin/sh
# A handler of three times max.poll.interval.ms keeps the membership; other keys and partitions flow; it runs once.
# timeout: 240
SESSION_MS=6000 # shorter than max.poll.interval.ms
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then interval=20000 count=6000; else interval=7000 count=1500; fi

long() {
    protocol=$1 group=long-$1-$run_id source=long-$1-$run_id
    enter "$group"
    group_topics "$source" 4 "$group"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count 1 --work-ms $((3 * interval)) --partition 0
    start_member m "$protocol" "$group" "$source" --workers 8 --set "kafka.max.poll.interval.ms=$interval" --events events \
        --set rebalance.hold_max=1s --set rebalance.drain_timeout=1s --set commit.timeout=1s
    member_pid=$started
    wait_for "the long one" 30 begun 1
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --first-id 1 --count "$count" --keys 100 \
        --rate $((count * 1000 / (2 * interval))) --work-ms 1
    wait_for "the others" 60 finished "$count"
    grep -q '^E [0-9]* [0-9]* 0 ' journal && fail "the others waited for the long one"
    wait_for "all" $((3 * interval / 1000 + 30)) finished $((count + 1))
    stop_member "$member_pid" m
    grep -q ' lost ' events && fail "the membership was lost"
    check --produced produced --journal journal --order key --retries-in-order 1 --expect $((count + 1))
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    long "$protocol"
done
