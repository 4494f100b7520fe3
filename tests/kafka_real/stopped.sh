#!/bin/sh
# A member is stopped for longer than its session and goes on: nothing lost, nothing it says then counts, no commit goes back.
# timeout: 300
SESSION_MS=6000 # members are killed or stopped: the others wait for this
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then stops=5 count=12000; else stops=1 count=3000; fi
rate=200 concurrency=16

# Committed offsets as they are now must not be below those of `$1`, and become it.
no_commit_went_back() {
    offsets --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" >offsets.now
    awk 'NR == FNR { was[$1] = $2; next } $2 < was[$1] { print "partition " $1 " from " was[$1] " to " $2; bad = 1 } END { exit bad }' \
        offsets.was offsets.now || fail "a commit went back"
    mv offsets.now offsets.was
}

stopped() {
    protocol=$1 face=$2 group=stopped-$1-$2-$run_id source=stopped-$1-$2-$run_id
    enter "$group"
    # one retry partition: whatever the assignor does, each member has some of the source
    topics "$source:6" "$source.$group.retry:1:retention.ms=691200000:retention.bytes=-1" "$source.$group.dlt:1:retention.ms=-1"
    for name in m1 m2; do
        start_member $name "$protocol" "$group" "$source" --workers $concurrency --set concurrency=$concurrency --events events.$name --face "$face" \
            --set kafka.max.poll.interval.ms=12000 --set rebalance.hold_max=4s --set rebalance.drain_timeout=1s --set commit.timeout=2s
        eval "$name=$started"
    done
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --rate "$rate" --keys 200 --work-ms 2 \
        --work-max-ms 20 --linger-ms 0 &
    producer=$!
    members="$members $producer"
    stop=0
    while [ "$stop" -lt "$stops" ]; do
        stop=$((stop + 1))
        wait_for "work before stop $stop" 120 finished $((count * stop / (stops + 3)))
        wait_for "partitions at both" 60 shared
        offsets --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" >offsets.was
        # shellcheck disable=SC2154 # m1 is set by eval
        kill -STOP "$m1"
        say "m1 stands still"
        wait_for "its partitions at m2" 60 has_all m2
        no_commit_went_back
        kill -CONT "$m1"
        say "m1 goes on"
        wait_for "lost at m1" 30 told_lost m1 $stop
    done
    wait "$producer" || fail "the producer failed"
    wait_for "the end of all" 120 all_finished "$count"
    no_commit_went_back
    # shellcheck disable=SC2154
    stop_member "$m2" m2
    stop_member "$m1" m1
    no_commit_went_back
    # what ran again when they left is done by the next one
    start_member m3 "$protocol" "$group" "$source"
    wait_for "m3" 30 test -s m3.log
    wait_for "the last commit" 60 all_committed
    stop_member "$started" m3
    check --produced produced --journal journal --killed 1 --fences-fall 1 --expect "$count" --max-repeats $((stops * (concurrency + 2 * rate)))
    cd .. || exit
}

# owned NAME: how many of the source's partitions that member has.
owned() {
    awk -v t="$source" '$4 == t && $3 == "assigned" { n[$5] = 1 } $4 == t && ($3 == "revoked" || $3 == "lost") { delete n[$5] }
        END { c = 0; for (p in n) c++; print c }' "events.$1"
}

all_committed() {
    [ "$(offsets --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" | awk '{ sum += $2 } END { print sum + 0 }')" = "$count" ]
}

has_all() {
    [ "$(owned "$1")" = 6 ]
}

shared() {
    [ -f events.m1 ] && [ -f events.m2 ] && [ "$(owned m1)" -gt 0 ] && [ "$(owned m2)" -lt 6 ]
}

# told_lost NAME N
told_lost() {
    [ "$(awk '$3 == "lost" { if ($1 - last > 2000000) n++; last = $1 } END { print n + 0 }' "events.$1")" -ge "$2" ]
}

for protocol in $PROTOCOLS; do
    for face in ${FACES:-run}; do
        say "$protocol, $face"
        stopped "$protocol" "$face"
    done
done
