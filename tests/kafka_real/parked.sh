#!/bin/sh
# Very many parked records of mixed delays, a planned restart in the middle: none early, lost or repeated; copies by relief and memory bounded.
# timeout: 300
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then count=${RECORDS:-1000000} longest=240000 partitions=48 memory=64; else count=30000 longest=20000 partitions=12 memory=8; fi

parked() {
    protocol=$1 group=parked-$1-$run_id source=parked-$1-$run_id
    enter "$group"
    group_topics "$source" "$partitions" "$group"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --keys 100000 --size 200 \
        --due-header retry-after --due-min-ms 1000 --due-max-ms "$longest"
    for member in m1 m2; do
        start_member $member "$protocol" "$group" "$source" --workers 8 --set concurrency=256 --set order=none \
            --set retry.honour_retry_after=true --set memory.records=${memory}MiB --stats "stats.$member"
        pid=$started
        if [ $member = m1 ]; then
            wait_for "half of them" $((longest / 1000 + 300)) finished $((count / 2))
        else
            wait_for "all of them" $((longest / 1000 + 900)) finished "$count"
        fi
        awk '/^VmHWM:/ { print $2 }' "/proc/$pid/status" >"peak.$member"
        stop_member "$pid" $member
    done
    check --produced produced --journal journal --expect "$count"
    copies=$(awk '/^orderly_reliefs_total/ { n += $2 } END { print n + 0 }' stats.m1 stats.m2)
    rereads=$(awk '/^orderly_rereads_total/ { n += $2 } END { print n + 0 }' stats.m1 stats.m2)
    say "$protocol: $copies copies by relief of $count records, $rereads read again"
    [ "$copies" -le $((2 * count)) ] || fail "$copies copies by relief"
    [ "$rereads" -gt $((count / 4)) ] || fail "$rereads read again: the memory was never short"
    # 100 bytes for each parked record, the budget, and the process itself
    allowed=$((count * 100 / 1024 + memory * 1024 + 48 * 1024))
    peak=$(sort -n peak.m1 peak.m2 | tail -n 1)
    say "$protocol: peak RSS $((peak / 1024)) MiB, allowed $((allowed / 1024))"
    [ "$peak" -lt "$allowed" ] || fail "peak RSS $peak KiB, allowed $allowed"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    parked "$protocol"
done
