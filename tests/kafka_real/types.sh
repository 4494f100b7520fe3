#!/bin/sh
# Groups that are not ours to join: another protocol type, another assignor; refused by name, not by waiting.
# timeout: 120
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"

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

other_type() {
    protocol=$1 group=types-$1-$run_id source=types-$1-$run_id
    enter "$group"
    group_topics "$source" 2 "$group"
    outsider --brokers "$ORDERLY_KAFKA" --group "$group" --join-as connect || fail "the outsider cannot join"
    start_member m "$protocol" "$group" "$source"
    refused=$started
    wait_for "the refusal" 30 said m "$group" "protocol"
    grep -i "$group" m.log | grep -i protocol | head -n 3
    gone "$refused" || kill -TERM "$refused"
    wait_gone "$refused" 30 || fail "the refused member does not end"
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
