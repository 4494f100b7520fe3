#!/bin/sh
# Records that wait for their time are compacted away meanwhile: they are named and the partition stops, as retry.on_lost says; all others run, once.
# timeout: 240
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
group=compacted-$run_id source=compacted-$run_id
filler=$(head -c 8000 /dev/zero | tr '\0' x)

# write FIRST LAST [kcat's options]: records whose values begin with their number, of 20 keys.
write() {
    first=$1 last=$2
    shift 2
    awk -v first="$first" -v last="$last" -v filler="$filler" \
        'BEGIN { for (i = first; i <= last; i++) print "key" i % 20 ":" i " " filler }' |
        kcat -P -b "$ORDERLY_KAFKA" -t "$source" -K : "$@"
}

# removed N: at least N records were said to have gone.
removed() {
    [ "$(grep -c 'was removed' m1.log m2.log 2>/dev/null | awk -F: '{ n += $2 } END { print n + 0 }')" -ge "$1" ]
}

ran() {
    [ "$(sort -u ran | wc -l)" -ge "$1" ]
}

start_daemon() {
    start_orderly "$1" classic "$group" "$source" --set order=none --set retry.honour_retry_after=true --set memory.records=1MiB \
        --log-format text --set "retry.on_lost=$2" -- /bin/sh -c 'read -r number rest; echo "$number" >>'"$PWD/ran"
}

touch ran
topics "$source:1:cleanup.policy=compact:segment.ms=1000:min.cleanable.dirty.ratio=0.01:max.compaction.lag.ms=1000" \
    "$source.$group.retry:1:retention.ms=691200000:retention.bytes=-1" "$source.$group.dlt:1:retention.ms=-1"
write 0 299 -H "retry-after=$(($(date +%s) + 45))000"
start_daemon m1 stop
member=$started
number=1000
until removed 1; do # new ones of the same keys, until the cleaner has passed and the old ones are due
    write $number $((number + 19))
    number=$((number + 20))
    sleep 1
    [ $number -lt 3000 ] || fail "nothing was compacted away: $(tail -3 m1.log)"
done
wait_for "the state" 30 grep -q 'record_lost' m1.log
kill -0 "$member" || fail "the daemon has ended"
stop_member "$member" m1
say "stopped at a record that was compacted away: $(grep -h 'record_lost' m1.log | head -1 | cut -c1-160)"

# What has gone is no gap that stops anybody: the next owner does not see it.
start_daemon m2 continue
write 5000 5019
wait_for "those that were written last" 60 grep -q '^5019$' ran
wait_for "the end of the log" 60 eval 'orderly lag --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" | grep -q "^total lag 0"'
stop_member "$started" m2
say "$(grep -hc 'was removed' m1.log) were named; $(sort ran | uniq -d | wc -l) ran twice"
[ "$(sort ran | uniq -d | wc -l)" -eq 0 ] || fail "some ran twice: $(sort ran | uniq -d | head -3)"
