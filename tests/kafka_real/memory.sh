#!/bin/sh
# A backlog of 1 KiB records and slow handlers: the process stays below memory.records + 48 MiB.
# timeout: 300
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then count=1048576 watch=60; else count=200000 watch=8; fi

peak_kib() {
    awk '/^VmHWM:/ { print $2 }' "/proc/$1/status"
}

backlog() {
    codec=$1 protocol=$2 source=memory-$1-$2-$run_id group=memory-$1-$2-$run_id
    enter "$group"
    topics "$source:12" "$source.$group.retry:12:retention.ms=691200000:retention.bytes=-1" "$source.$group.dlt:12:retention.ms=-1"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --size 1024 --work-ms 100 --codec "$codec" \
        --linger-ms 50
    start_member m "$protocol" "$group" "$source" --workers 64 --set concurrency=64 --set memory.records=64MiB --set order=none
    member_pid=$started
    wait_for "work" $((2 * watch + 30)) begun $((watch * 400))
    peak=$(peak_kib "$member_pid")
    stop_member "$member_pid" m
    say "$codec, $protocol: peak RSS $((peak / 1024)) MiB, allowed 112"
    [ "$peak" -lt $((112 * 1024)) ] || fail "peak RSS $peak KiB"
    rm produced
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    for codec in none zstd; do
        backlog "$codec" "$protocol"
    done
done
