#!/bin/sh
# A thousand partitions, each with a full offset map, committed at once: more than one request may hold; nothing lost or repeated.
# timeout: 420
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then partitions=1000 each=800; else partitions=300 each=150; fi
count=$((partitions * each))

thousand() {
    protocol=$1 group=partitions-$1-$run_id source=partitions-$1-$run_id
    enter "$group"
    topics "$source:$partitions" "$source.$group.retry:4:retention.ms=691200000:retention.bytes=-1" "$source.$group.dlt:1:retention.ms=-1"
    # every other record waits for its retry in its lane: its attempts stand in the map
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --keys 100000000 --size 10 --plans "A,R1:25000"
    retries=$(grep -c ' R1:' produced)
    for name in m1 m2; do
        start_member $name "$protocol" "$group" "$source" --workers 4 --set concurrency=256 --set order=key --set retry.in=lane --stats stats
        pid=$started
        if [ $name = m1 ]; then
            wait_for "the first runs" 120 ended "$count"
            stop_member "$pid" m1 120
            offsets --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" >offsets.m1
            awk '{ sum += $3; if ($3 > most) most = $3 } END { print "maps of " NR " partitions: " sum " bytes, the largest " most }' offsets.m1
        else
            wait_for "the retries" 180 finished "$count"
            stop_member "$pid" m2 120
        fi
    done
    [ "$(awk '$3 > 0' offsets.m1 | wc -l)" -ge $((partitions * 9 / 10)) ] || fail "maps were not committed"
    [ "$retries" -gt 0 ] || fail "no retries"
    check --produced produced --journal journal --expect "$count"
    cd .. || exit
}

# ended N: so many runs have ended.
ended() {
    [ "$(count_lines '^E ' journal)" -ge "$1" ]
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    thousand "$protocol"
done
