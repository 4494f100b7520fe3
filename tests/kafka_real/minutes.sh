#!/bin/sh
# Handlers of minutes that ignore TERM. Leaving waits for them: run once. A revoke cuts them at the drain's end and says so: those of the partitions that
# went run again at the next owner, the others run once.
# timeout: 300
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then seconds=120; else seconds=12; fi

cat >handler.sh <<END
#!/bin/sh
trap '' TERM
echo "B \$ORDERLY_PARTITION" >>runs
sleep $seconds
echo "E \$ORDERLY_PARTITION" >>runs
END
chmod +x handler.sh
handler=$PWD/handler.sh

# lines WHAT N: at least so many such lines in the handlers' book.
lines() {
    [ "$(grep -c "^$1" runs)" -ge "$2" ]
}

minutes() {
    protocol=$1 group=minutes-$1-$run_id source=minutes-$1-$run_id
    enter "$group"
    : >runs
    group_topics "$source" 4 "$group"
    for partition in 0 1 2 3; do
        produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --first-id $partition --count 1 --partition $partition
    done

    say "leaving waits"
    start_orderly m1 "$protocol" "$group" "$source" -- "$handler"
    first=$started
    wait_for "four runs" 60 lines B 4
    stop_member "$first" m1 $((seconds + 60))
    [ "$(sort runs | uniq -c | awk '{ print $1 }' | sort -u)" = 1 ] || fail "leaving did not wait: $(sort runs | uniq -c)"
    lines E 4 || fail "leaving cut a handler"

    say "a revoke cuts at the drain's end"
    for partition in 0 1 2 3; do
        produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --first-id $((4 + partition)) --count 1 --partition $partition
    done
    : >runs
    set -- --set rebalance.drain_timeout=3s --set handler.exec.kill_grace=1s
    start_orderly m2 "$protocol" "$group" "$source" "$@" -- "$handler"
    second=$started
    wait_for "four runs" 60 lines B 4
    others=''
    for member in m3 m4 m5; do # of four sources and four retry partitions the first keeps two
        start_orderly $member "$protocol" "$group" "$source" "$@" -- "$handler"
        others="$others $started:$member"
    done
    wait_for "the runs of the next owner" 60 lines B 5
    grep -q 'gets KILL: the drain of its partition ends' m2.log || fail "the cut was not told"
    wait_for "the end of all" $((seconds + 90)) lines E 4
    stop_member "$second" m2
    for one in $others; do
        stop_member "${one%:*}" "${one#*:}"
    done
    went=$(grep -c '^B' runs) kept=$(grep -c '^E' runs)
    say "$((went - 4)) runs were cut, and run again"
    # each of those that come may cut a run once
    if [ "$kept" != 4 ] || [ "$went" -gt 16 ]; then fail "$went begun, $kept ended"; fi
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    minutes "$protocol"
done
