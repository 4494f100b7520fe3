#!/bin/sh
# A Kafka of its own stands still for longer than its own controller waits for it, several times: the brokers are fenced for a moment, a client that asks then
# is told that there is none, and every member goes on all the same. Nothing lost.
# timeout: 400
kafka=$ORDERLY_SOURCE_DIR/tests/support/kafka
"$kafka" start "$PWD/kafka" 0
ORDERLY_KAFKA=$(cat "$PWD/kafka/address")
SESSION_MS=6000 # the others need not wait longer
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
home=$PWD broker=$(cat "$PWD/kafka/1/pid")
trap 'kill -CONT "$broker" 2>/dev/null || true; end_all; "$kafka" stop "$home/kafka"' EXIT
if full; then times=4 count=20000; else times=1 count=4000; fi

frozen() {
    protocol=$1 group=frozen-$1-$run_id source=frozen-$1-$run_id
    enter "$group"
    group_topics "$source" 6 "$group"
    # All of them before: librdkafka's producer forgets its brokers too. Retries wait in their lanes, for longer than Kafka stands still: a copy, and
    # what runs again after an eviction because the copy was written and the offset was not committed, would be due together. The members' own
    # producers write dead letters.
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --keys 400 --work-ms 50 --plans 'A*87,R1:30000*3,D*10'
    set -- --workers 8 --set concurrency=8 --set order=key --set dead_letter.max_rate=100%
    start_member m1 "$protocol" "$group" "$source" "$@"
    first=$started
    start_member m2 "$protocol" "$group" "$source" "$@"
    second=$started
    for time in $(seq "$times"); do
        wait_for "work before stop $time" 120 all_finished $((count * time / (times + 2)))
        say "Kafka stands still"
        kill -STOP "$broker"
        wait_gone $$ 22 || true # how long it does
        kill -CONT "$broker"
        say "Kafka goes on"
    done
    wait_for "the end of all" 150 all_finished "$count"
    stop_member "$first" m1
    stop_member "$second" m2
    grep -h "tried anew" m1.log m2.log || true
    check --produced produced --journal journal --killed 1 --order none --expect "$count" --max-repeats "$count"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    frozen "$protocol"
done
