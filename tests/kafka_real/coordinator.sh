#!/bin/sh
# The broker that coordinates the group is killed under load: commits wait for its successor, nobody leaves the group, nothing is lost or repeated.
# Meanwhile `orderly check --connect` says what the missing broker means. On three brokers of its own.
# timeout: 300
# lock: brokers
kafka=$ORDERLY_SOURCE_DIR/tests/support/kafka
"$kafka" start3 "$PWD/kafka" 0
ORDERLY_KAFKA=$(cat "$PWD/kafka/address")
SESSION_MS=30000 # a new coordinator is there long before
PROTOCOLS=${PROTOCOLS:-classic}
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
home=$PWD
trap 'end_all; "$kafka" stop "$home/kafka"' EXIT
if full; then count=40000 kills=3; else count=6000 kills=1; fi

# The number of the broker that coordinates the group.
coordinator() {
    "$kafka" tool "$home/kafka" org.apache.kafka.tools.consumer.group.ConsumerGroupCommand --bootstrap-server "$ORDERLY_KAFKA" \
        --describe --state --group "$group" 2>/dev/null | sed -n "s/^$group .*(\([0-9]\)) .*/\1/p"
}

# assigned: how often members were given partitions.
assigned() {
    cat m1.log m2.log | grep -c 'group: assigned' || true
}

# says NODE: the check names what cannot be read and what cannot be written without that broker.
says() {
    orderly check --brokers "$ORDERLY_KAFKA" --group lone --topic "lone$1" --connect >checked 2>&1 && return 1
    grep -q "topic lone$1: nobody leads 1 of its 1 partitions" checked &&
        grep -q "topic lone$1.lone.retry: a partition has 2 replicas in sync, min.insync.replicas is 3" checked
}

# lone NODE: a topic that only that broker holds, and copies that need all three.
lone() {
    "$kafka" tool "$home/kafka" org.apache.kafka.tools.TopicCommand --bootstrap-server "$ORDERLY_KAFKA" --create --topic "lone$1" \
        --replica-assignment "$1" >made 2>&1 || { cat made && fail "a topic on one broker"; }
    topic --brokers "$ORDERLY_KAFKA" --replication 3 \
        --make "lone$1.lone.retry:1:retention.ms=691200000:retention.bytes=-1:min.insync.replicas=3" --make "lone$1.lone.dlt:1"
}

# find_coordinator: its number in $node; the tools take long, so before there is load.
find_coordinator() {
    node=$(coordinator)
    [ -n "$node" ] || fail "nobody coordinates the group"
    lone "$node"
}

kill_coordinator() {
    say "broker $node coordinates the group and is killed"
    "$kafka" stop-node "$home/kafka" "$node"
    before=$(count_lines '^E ' journal)
    wait_for "progress without broker $node" 60 begun $((before + 300))
    wait_for "the check of a cluster without it" 60 says "$node"
    "$kafka" start-node "$home/kafka" "$node"
}

coordinator_test() {
    protocol=$1 group=coordinator-$1 source=coordinator-$1
    enter "$group"
    for spec in "$source:6" "$source.$group.retry:6:retention.ms=691200000:retention.bytes=-1" "$source.$group.dlt:6:retention.ms=-1"; do
        topic --brokers "$ORDERLY_KAFKA" --replication 3 --make "$spec"
    done
    start_member m1 "$protocol" "$group" "$source" --set order=key
    first=$started
    start_member m2 "$protocol" "$group" "$source" --set order=key
    second=$started
    wait_for "both members" 60 grep -q 'assigned' m2.log
    find_coordinator
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --rate 250 --keys 300 --work-ms 2 \
        --work-max-ms 20 --plans 'A*97,R1:300*3' --linger-ms 0 &
    producer=$!
    members="$members $producer"
    wait_for "the first records" 60 finished 500
    settled=$(assigned)
    kill_coordinator
    for _ in $(seq 2 $kills); do
        find_coordinator
        kill_coordinator
    done
    wait "$producer" || fail "the producer failed"
    wait_for "the end of all" 120 all_finished "$count"
    [ "$(assigned)" -eq "$settled" ] || fail "a rebalance: $(grep -h 'group: ' m1.log m2.log | tail -5)"
    stop_member "$first" m1
    stop_member "$second" m2
    check --produced produced --journal journal --expect "$count"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    coordinator_test "$protocol"
done
