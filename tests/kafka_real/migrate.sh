#!/bin/sh
# A group moves from one protocol to the other under load, member by member, and back: nothing lost, repeated or out of order within a key.
# timeout: 300
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then rate=300 count=12000; else rate=200 count=4000; fi

# add PROTOCOL
add() {
    number=$((number + 1))
    start_member "m$number" "$1" "$group" "$source" --workers 32 --set concurrency=32 --set order=key
    alive="$alive $started:m$number"
    say "m$number starts ($1)"
}

# quarters N: so many quarters of the records have come to their end.
quarters() {
    finished $((count * $1 / 4))
}

migrate() {
    from=$1 to=$2 group=migrate-$1-$run_id source=migrate-$1-$run_id number=0 alive=''
    enter "$group"
    group_topics "$source" 12 "$group"
    add "$from" && add "$from"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --rate "$rate" --keys 400 --work-ms 20 \
        --work-max-ms 200 --plans 'A*93,R1:300*5,R1:2500*2' --linger-ms 0 &
    producer=$!
    members="$members $producer"
    wait_for "the first quarter" 90 quarters 1
    add "$to" && remove && add "$to" && remove
    wait_for "three quarters" 90 quarters 3
    add "$from" && remove && add "$from" && remove
    wait "$producer" || fail "the producer failed"
    wait_for "the end of all" 120 all_finished "$count"
    while [ -n "$alive" ]; do
        remove
    done
    # The last member of one protocol may have left before the first of the other has joined: an empty group's count begins anew.
    check --produced produced --journal journal --order key --retries-in-order 1 --fences-fall 1 --expect "$count"
    cd .. || exit
}

for from in $PROTOCOLS; do
    to=consumer
    [ "$from" != consumer ] || to=classic
    say "$from to $to and back"
    migrate "$from" "$to"
done
