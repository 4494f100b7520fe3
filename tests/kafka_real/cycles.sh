#!/bin/sh
# Many short lives in one process with rebalances in between: nothing lost or repeated; descriptors, threads and memory flat.
# timeout: 600
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then lives=200 rounds=100 count=20000; else lives=40 rounds=10 count=2000; fi

lives() {
    protocol=$1 group=cycles-$1-$run_id source=cycles-$1-$run_id
    enter "$group"
    group_topics "$source" 6 "$group"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --keys 100 --rate $((count / 20)) --plans 'A*95,R1:300*5' &
    producer=$!
    members="$members $producer"
    set --
    for setting in $(protocol_settings "$protocol"); do
        set -- "$@" --set "$setting"
    done
    cycles --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" --journal journal --cycles "$lives" --rounds "$rounds" "$@" \
        >cycles.out 2>cycles.log || { cat cycles.out && tail -n 20 cycles.log && fail "cycles"; }
    cat cycles.out
    wait "$producer" || fail "the producer failed"
    start_member last "$protocol" "$group" "$source"
    last=$started
    wait_for "the last member" 30 test -s last.log
    wait_for "the end of all" 60 all_finished "$count"
    stop_member "$last" last
    # a batch has several records of a key: a retry comes after those that were handed out with it
    check --produced produced --journal journal --order key --expect "$count"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    lives "$protocol"
done
