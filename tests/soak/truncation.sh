#!/bin/sh
# An unclean leader election makes a log shorter than what was committed, and it grows on with other records: they run, none is skipped; it is named.
# Also when no member of the group runs meanwhile.
# On three brokers of its own.
#   Not part of ctest: tests/support/run-script truncation tests/soak/truncation.sh
kafka=$ORDERLY_SOURCE_DIR/tests/support/kafka
"$kafka" start3 "$PWD/kafka" 0
all=$(cat "$PWD/kafka/address")
ORDERLY_KAFKA=$all
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
home=$PWD
trap 'end_all; "$kafka" stop "$home/kafka"' EXIT

tool() {
    "$kafka" tool "$home/kafka" org.apache.kafka.tools.TopicCommand --bootstrap-server "$all" "$@"
}

# leads NODE: that node leads the partition.
leads() {
    tool --describe --topic "$source" 2>/dev/null | grep -q "Leader: $1[^0-9]"
}

# alone NODE: only that node is in sync.
alone() {
    tool --describe --topic "$source" 2>/dev/null | grep -q "Isr: $1[^0-9,]"
}

make_ward() {
    topic --brokers "$all" --replication 3 --make "$source.$group.retry:1:retention.ms=691200000:retention.bytes=-1" \
        --make "$source.$group.dlt:1:retention.ms=-1"
    tool --create --topic "$source" --replica-assignment 1:2 --config min.insync.replicas=1 \
        --config unclean.leader.election.enable=true >made 2>&1 || { cat made && fail "the topic"; }
    wait_for "the leader" 60 leads 1
}

# The records that only node 1 has are lost with it, node 2 becomes leader.
truncate_log() {
    "$kafka" stop-node "$home/kafka" 2
    wait_for "an ISR of one" 60 alone 1
    produce --brokers "$all" --topic "$source" --out lost --first-id 1000 --count 1000 --keys 50
    wait_for "what will be lost" 60 finished 2000
    wait_for "its commit" 30 committed_to 2000
    [ "$1" = watched ] || stop_member "$started" m1 60
    "$kafka" stop-node "$home/kafka" 1
    "$kafka" start-node "$home/kafka" 2
    wait_for "the unclean leader" 90 leads 2
}

# committed_to OFFSET
committed_to() {
    offsets --brokers "$all" --group "$group" --topic "$source" 2>/dev/null | grep -q "^0 $1 "
}

# truncation PROTOCOL COUNT watched|alone
truncation() {
    protocol=$1 group=trunc-$1-$2-$3-$run_id source=trunc-$1-$2-$3-$run_id member=m1
    enter "$group"
    make_ward
    start_member m1 "$protocol" "$group" "$source" --set order=key
    produce --brokers "$all" --topic "$source" --out produced --count 1000 --keys 50
    wait_for "the first records" 60 finished 1000
    truncate_log "$3"
    produce --brokers "$all" --topic "$source" --out produced --first-id 2000 --count "$2" --keys 50
    if [ "$3" = alone ]; then
        member=m2
        start_member m2 "$protocol" "$group" "$source" --set order=key
    fi
    wait_for "the records after the truncation" 90 all_finished $((2000 + $2))
    grep -q 'the log was truncated; reading goes on at offset 1000 (was 2000)' "$member.log" || fail "the truncation is not named"
    grep -h 'the log was truncated' "$member.log" | cut -c1-200
    stop_member "$started" "$member" 60
    awk '$1 == "B" && ++runs[$7] == 2 { n++ } END { print n + 0 " records ran again"; exit n > 0 }' journal || fail "what was not lost ran again"
    "$kafka" start-node "$home/kafka" 1
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol, the log ends below the committed offset"
    truncation "$protocol" 300 watched
    say "$protocol, it has grown beyond it"
    truncation "$protocol" 1500 watched
    say "$protocol, the log ends below the committed offset, nobody runs"
    truncation "$protocol" 300 alone
    say "$protocol, it has grown beyond it, nobody runs"
    truncation "$protocol" 1500 alone
done
