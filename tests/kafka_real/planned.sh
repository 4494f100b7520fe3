#!/bin/sh
# Planned changes under load: every member replaced, 3 -> 1 -> 4: nothing lost, repeated or out of order within a key.
# timeout: 420
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then rate=300 count=18000; else rate=200 count=5000; fi

add() {
    number=$((number + 1))
    start_member "m$number" "$protocol" "$group" "$source" --workers 64 --set concurrency=64 --set order=key
    alive="$alive $started:m$number"
    say "m$number starts"
}

# eighths N: so many eighths of the records have come to their end.
eighths() {
    finished $((count * $1 / 8))
}

planned() {
    protocol=$1 group=planned-$1-$run_id source=planned-$1-$run_id number=0 alive=''
    enter "$group"
    group_topics "$source" 12 "$group"
    add && add && add
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --rate "$rate" --keys 400 --work-ms 20 \
        --work-max-ms 400 --plans 'A*93,R1:300*5,R1:2500*2' --linger-ms 0 &
    producer=$!
    members="$members $producer"
    wait_for "the first eighth" 90 eighths 1
    add && remove && add && remove && add && remove
    wait_for "three eighths" 90 eighths 3
    remove && remove
    wait_for "half" 90 eighths 4
    add && add && add
    wait "$producer" || fail "the producer failed"
    wait_for "the end of all" 120 all_finished "$count"
    while [ -n "$alive" ]; do
        remove
    done
    check --produced produced --journal journal --order key --retries-in-order 1 --expect "$count"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    planned "$protocol"
done
