#!/bin/sh
# kill -9 again and again: nothing lost; repeats only of what ran or ended after the last commit, bounded and counted.
# timeout: 420
SESSION_MS=6000 # members are killed or stopped: the others wait for this
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then kills=12 count=18000; else kills=3 count=4000; fi
rate=300 concurrency=32

kill_test() {
    protocol=$1 group=kill-$1-$run_id source=kill-$1-$run_id number=0
    enter "$group"
    group_topics "$source" 12 "$group"
    for _ in 1 2 3; do
        number=$((number + 1))
        start_member "m$number" "$protocol" "$group" "$source" --workers 32 --set concurrency=$concurrency
        eval "victim$number=$started"
    done
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --rate "$rate" --keys 400 --work-ms 5 \
        --work-max-ms 100 --plans 'A*95,R1:300*5' --linger-ms 0 &
    producer=$!
    members="$members $producer"
    killed=0
    while [ "$killed" -lt "$kills" ]; do
        killed=$((killed + 1))
        wait_gone "$producer" 5 || true # the time between kills
        wait_for "progress before kill $killed" 120 finished $((count * killed / (kills + 2) / 2))
        victim=$(eval echo "\$victim$killed")
        kill -KILL "$victim"
        say "m$killed killed"
        number=$((number + 1))
        start_member "m$number" "$protocol" "$group" "$source" --workers 32 --set concurrency=$concurrency
        eval "victim$number=$started"
    done
    wait "$producer" || fail "the producer failed"
    wait_for "the end of all" 180 all_finished "$count"
    number=$killed
    for _ in 1 2 3; do
        number=$((number + 1))
        eval "stop_member \$victim$number m$number"
    done
    # contract: members killed x (concurrency + commit interval x rate); the rate is what was handled in the busiest second, since those who
    # take over catch up faster than records come
    busiest=$(awk '$1 == "E" { n[int($2 / 1000000)]++ } END { for (s in n) if (n[s] > most) most = n[s]; print most }' journal)
    check --produced produced --journal journal --killed 1 --expect "$count" --max-repeats $((kills * (concurrency + busiest)))
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    kill_test "$protocol"
done
