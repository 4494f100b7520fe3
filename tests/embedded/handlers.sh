#!/bin/sh
# What handlers may do to the daemon: refuse to be run again and be drained, and more; on the embedded broker.
# timeout: 120
set -eu

# shellcheck source=tests/support/embedded.sh
. "$ORDERLY_SOURCE_DIR/tests/support/embedded.sh"
status() {
    curl -s --unix-socket "$1.sock" http://localhost/api/v1/status
}

orderly broker --topic stops:1 --topic fails:1 --topic few:1 >address 2>/dev/null &
broker=$! first=''
trap 'kill -KILL $broker $first 2>/dev/null' EXIT
await grep -qs = address
brokers=$(sed 's/bootstrap.servers=//' address)
common="--brokers $brokers --start earliest --create-topics --log-format text -X group.protocol=consumer"

# A handler that asked not to be run again does not keep the member from leaving: what waits for it has not begun.
printf 'a\nb\nc\n' | kcat -P -b "$brokers" -t stops
# shellcheck disable=SC2086
orderly run $common --admin "unix:$PWD/stops.sock" --group g --topic stops --order partition -- sh -c 'exit 255' 2>stops.log &
first=$!
await sh -c 'curl -s --unix-socket stops.sock http://localhost/api/v1/status | grep -q "\"waiting\":1"'
status stops | grep -q '"breaker":"stopped"' || fail "not stopped"
kill -TERM "$first"
ends "$first" 0
first=''

# A record that is retried in its lane: its dead letter says when the first attempt was.
printf 'a\n' | kcat -P -b "$brokers" -t fails
# shellcheck disable=SC2086
orderly run $common --admin off --group g --topic fails --order partition --set retry.attempts=3 --set retry.backoff.first=100ms \
    --exit-at-end -- sh -c 'exit 1' 2>fails.log || fail "fails: $?"
kcat -C -e -q -b "$brokers" -t fails.g.dlt -f '%h\n' | tr ',' '\n' >letter
first=$(sed -n 's/orderly-first-attempt-at=//p' letter) last=$(sed -n 's/orderly-last-attempt-at=//p' letter)
[ -n "$last" ] && [ "$(printf '%s\n' "$first" "$last" | sort -u | head -n 1)" = "$first" ] && [ "$first" != "$last" ] ||
    fail "first attempt at $first, last at $last"
first=''

# Brokers that do not answer do not keep it from ending.
orderly run --brokers 127.0.0.1:1 --group g --topic t --admin off --log-format text --set start_timeout=10m -- true 2>early.log &
first=$!
await sh -c "cat /proc/$first/task/*/comm | grep -q rdk:broker"
kill -TERM "$first"
ends "$first" 0
first=''
grep -q 'ended before anything was started' early.log || fail "it does not say so"

# Too few descriptors for as many processes as may run: fewer run, and nothing is anybody's fault.
i=0
while [ $i -lt 100 ]; do
    echo "v$i"
    i=$((i + 1))
done | kcat -P -b "$brokers" -t few
# shellcheck disable=SC2086
prlimit --nofile=64:64 orderly run $common --admin off --group g --topic few --order none --concurrency 50 --exit-at-end -- \
    sh -c 'sleep 0.1; echo >>few.ran' 2>few.log || fail "few: $?"
[ "$(wc -l <few.ran)" -eq 100 ] || fail "not each record once with few descriptors"
grep -q 'Too many open files: no more processes at once' few.log || fail "the shortage is not said"
! grep -q 'at fault' few.log || fail "a shortage is no fault"
