#!/bin/sh
# Groups that are not ours to join: another protocol type, another assignor; refused by name, not by waiting.
# timeout: 240
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
own=''
trap 'end_all; [ -z "$own" ] || kafka stop "$own"' EXIT

# said NAME WORD...: the log of that member has a line with all of these words.
said() {
    log=$1.log
    shift
    lines=$(cat "$log")
    for word in "$@"; do
        lines=$(echo "$lines" | grep -i -- "$word" || true)
    done
    [ -n "$lines" ]
}

# refused NAME WORD...: that daemon ends by itself with 78 and says so.
refused() {
    wait_gone "$started" 40 || fail "$1 is neither let in nor refused: $(tail -3 "$1.log")"
    code=0
    wait "$started" || code=$?
    [ "$code" = 78 ] || fail "$1 ended with $code, not 78: $(tail -3 "$1.log")"
    said "$@" || fail "$1 does not say why: $(tail -3 "$1.log")"
    tail -n 1 "$1.log"
}

other_type() {
    protocol=$1 group=types-$1-$run_id source=types-$1-$run_id
    enter "$group"
    group_topics "$source" 2 "$group"
    outsider --brokers "$ORDERLY_KAFKA" --group "$group" --join-as connect || fail "the outsider cannot join"
    start_orderly m "$protocol" "$group" "$source" -- /bin/true
    refused m "$group" protocol
    cd .. || exit
}

# A broker that does not change the type of a group that has members; Kafka's default is to do so (migrate.sh).
no_mixing() {
    enter "mixing-$run_id"
    echo group.consumer.migration.policy=disabled >properties
    ORDERLY_KAFKA_PROPERTIES=$PWD/properties kafka start "$PWD/own" 0 >/dev/null
    own=$PWD/own
    ORDERLY_KAFKA=$(cat own/address)
    group_topics orders 2 billing
    start_member first classic billing orders --events events
    first=$started
    wait_for "the first member" 60 test -s events
    start_orderly late consumer billing orders -- /bin/true
    refused late billing 'classic protocol by orderly@'
    stop_member "$first" first
    kafka stop "$own"
    cd .. || exit
}

other_assignor() {
    group=assignor-$run_id source=assignor-$run_id
    enter "$group"
    group_topics "$source" 2 "$group"
    start_member first eager "$group" "$source" --events events
    first=$started
    wait_for "the first member" 30 test -s events
    start_member second classic "$group" "$source"
    second=$started
    wait_for "the refusal" 30 said second "$group" "protocol"
    grep -i "$group" second.log | grep -i protocol | head -n 3
    gone "$second" || kill -TERM "$second"
    wait_gone "$second" 30 || fail "the refused member does not end"
    stop_member "$first" first
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol, a group of type connect"
    other_type "$protocol"
done
say "another assignor"
other_assignor
say "a broker that does not migrate groups"
no_mixing
