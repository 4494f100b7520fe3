#!/bin/sh
# A long run on three brokers of its own, planned and unplanned changes mixed: nothing lost; descriptors, threads and memory of a member that stays are flat.
#   SOAK_SECONDS (1200), PROTOCOLS (one of them at a time). Not part of ctest: tests/support/run-script soak tests/soak/soak.sh
kafka=$ORDERLY_SOURCE_DIR/tests/support/kafka
"$kafka" start3 "$PWD/kafka" 0
ORDERLY_KAFKA=$(cat "$PWD/kafka/address")
SESSION_MS=10000 # members are killed: the others wait for this
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
home=$PWD seconds=${SOAK_SECONDS:-1200} rate=${SOAK_RATE:-300}
trap 'end_all; "$kafka" stop "$home/kafka"' EXIT

look() {
    echo "$(date +%s) $(find "/proc/$1/fd" -mindepth 1 | wc -l) $(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l) $(awk '/^VmRSS:/ { print $2 }' "/proc/$1/status")"
}

add() {
    number=$((number + 1))
    start_member "m$number" "$protocol" "$group" "$source" --workers 32 --set concurrency=64 --set order=key --set dead_letter.max_rate=100%
    alive="$alive $started:m$number"
}

# change N: one of the changes in turn; the oldest of the members that come and go is concerned.
change() {
    set -- "$1" $alive
    oldest=$2
    case $(($1 % 5)) in
    0) add && say "one more" ;;
    1 | 3)
        say "${oldest#*:} leaves"
        stop_member "${oldest%:*}" "${oldest#*:}"
        alive=$(echo "$alive" | sed "s/ $oldest\$//; s/ $oldest / /")
        add
        ;;
    2)
        say "${oldest#*:} is killed"
        kill -KILL "${oldest%:*}"
        killed=$((killed + 1))
        alive=$(echo "$alive" | sed "s/ $oldest\$//; s/ $oldest / /")
        add
        ;;
    4)
        node=$(($1 / 5 % 3 + 1))
        say "broker $node ends, and comes back"
        "$kafka" stop-node "$home/kafka" $node
        for _ in 1 2 3 4; do # a busy machine is slow
            "$kafka" start-node "$home/kafka" $node && break
            "$kafka" stop-node "$home/kafka" $node || true
        done
        ;;
    esac
}

soak() {
    protocol=$1 group=soak-$1-$run_id source=soak-$1-$run_id number=0 alive='' killed=0 round=0
    enter "$group"
    for spec in "$source:12" "$source.$group.retry:12:retention.ms=691200000:retention.bytes=-1" "$source.$group.dlt:12:retention.ms=-1"; do
        topic --brokers "$ORDERLY_KAFKA" --replication 3 --make "$spec"
    done
    add
    stays=${started}
    alive=''
    add && add
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count $((seconds * rate)) --rate "$rate" --keys 1000 --work-ms 2 \
        --work-max-ms 150 --plans 'A*90,R1:300*5,R2:2000*3,D*1,P*1' &
    producer=$!
    members="$members $producer"
    end=$(($(date +%s) + seconds))
    while [ "$(date +%s)" -lt "$end" ]; do
        wait_gone "$producer" 15 || true # the time between changes
        change "$round"
        look "$stays" >>looks
        round=$((round + 1))
    done
    wait "$producer" || fail "the producer failed"
    wait_for "the end of all" 300 all_finished $((seconds * rate))
    look "$stays" >>looks
    for one in $alive; do
        stop_member "${one%:*}" "${one#*:}"
    done
    stop_member "$stays" m1
    awk 'NR == 4 { fds = $2; threads = $3; rss = $4 } END { print "after " NR " looks: descriptors " fds " -> " $2 ", threads " threads " -> " $3 ", RSS " rss " -> " $4 " KiB"
        exit $2 > fds + 16 || $3 > threads + 8 || $4 > rss * 1.5 + 20000 }' looks || fail "not flat"
    say "$round changes, $killed kills"
    dump --brokers "$ORDERLY_KAFKA" --topic "$source.$group.dlt" >dead
    check --produced produced --journal journal --killed 1 --order none --expect $((seconds * rate)) --max-repeats $(((killed + round / 5 + 1) * (64 + 2 * rate)))
    cd "$home" || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    soak "$protocol"
done
