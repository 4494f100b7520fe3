#!/bin/sh
# The daemon on the embedded broker: order kept with one process a record, a drain that cuts a long one, processes that end with
# their parent, a handler at fault, stream handlers, several sources, signals.
# timeout: 180
set -eu

# shellcheck source=tests/support/embedded.sh
. "$ORDERLY_SOURCE_DIR/tests/support/embedded.sh"
# ends PID CODE
ends() {
    got=0
    wait "$1" || got=$?
    [ "$got" -eq "$2" ] || { tail -n 20 ./*.log >&2 && fail "exit $got, not $2"; }
}

orderly broker --topic keyed:4 --topic slow:2 --topic lines:2 --topic blue:1 --topic green-1:1 --topic faults:2 >address 2>/dev/null &
broker=$! first='' second=''
trap 'kill -KILL $broker $first $second 2>/dev/null' EXIT
await grep -qs = address
brokers=$(sed 's/bootstrap.servers=//' address)
common="--brokers $brokers --start earliest --create-topics --log-format text --admin off -X group.protocol=consumer"

# Order: no two records of a key at once, none overtakes one that is retried.
i=0
while [ $i -lt 300 ]; do
    printf 'k%d\tv%d\n' $((i % 17)) $i
    i=$((i + 1))
done | kcat -P -b "$brokers" -t keyed -K '\t'
cat >keyed.handler <<'TEXT'
#!/bin/sh
echo "S $ORDERLY_KEY $ORDERLY_OFFSET" >>seen
case $ORDERLY_OFFSET$ORDERLY_ATTEMPT in *71) code=75 ;; *) code=0 ;; esac
echo "E $ORDERLY_KEY $ORDERLY_OFFSET" >>seen
exit $code
TEXT
chmod +x keyed.handler
# shellcheck disable=SC2086
orderly run $common --group g --topic keyed --set retry.backoff.first=50ms --exit-at-end -- ./keyed.handler 2>keyed.log ||
    fail "keyed: $?"
awk '$1 == "S" { runs++; if ($2 in out) bad = bad " together:" $2; out[$2] = 1; if ($3 < last[$2]) bad = bad " order:" $2; last[$2] = $3 + 0 }
     $1 == "E" { delete out[$2] }
     END { print runs bad; exit bad != "" || runs <= 300 }' seen || fail "order"

# A record that would run for ever is cut by the drain when its partition moves, given back without an attempt, and run by the other.
printf 'a\nb\n' | kcat -P -b "$brokers" -t slow -p 0
printf 'c\nd\n' | kcat -P -b "$brokers" -t slow -p 1
printf '#!/bin/sh\necho "$ORDERLY_PARTITION $ORDERLY_ATTEMPT" >>started\nexec sleep 1000\n' >forever && chmod +x forever
slow="$common --group g --topic slow --order partition --set rebalance.drain_timeout=2s --set handler.exec.kill_grace=1s --set close_timeout=3s"
# shellcheck disable=SC2086
orderly run $slow -- ./forever 2>first.log &
first=$!
await sh -c 'test -s started && test "$(wc -l <started)" -ge 2'
# shellcheck disable=SC2086
orderly run $slow -- ./forever 2>second.log &
second=$!
await sh -c 'test "$(wc -l <started)" -ge 3'
grep -q 'gets TERM: the drain of its partition ends' first.log || fail "the drain did not say what it cut"
! grep -v ' 1$' started || fail "an attempt was spent"
# Leaving waits for close_timeout, then cuts too and says so with 75; a second signal ends at once.
kill -TERM "$first"
ends "$first" 75
grep -q 'gets TERM: close_timeout ends' first.log || fail "leaving did not say what it cut"
kill -TERM "$second"
await grep -q SIGTERM second.log
kill -TERM "$second"
ends "$second" 75
first='' second=''

# What runs is killed with the daemon, also when nobody can say so.
printf 'e\n' | kcat -P -b "$brokers" -t slow -p 0
printf '#!/bin/sh\necho $$ >>pids\nexec sleep 1000\n' >forever
# shellcheck disable=SC2086
orderly run $slow --group other -- ./forever 2>third.log &
first=$!
await test -s pids
kill -KILL "$first"
wait "$first" || true
first=''
for pid in $(cat pids); do
    await sh -c "! grep -qs '^State:.[RS]' /proc/$pid/status"
done

# A handler at fault holds its records without spending attempts; one that asked not to be run again is resumed by hand.
echo 78 >code
printf '#!/bin/sh\necho "$(cat code) $ORDERLY_ATTEMPT" >>codes\nexit $(cat code)\n' >faulty && chmod +x faulty
i=0
while [ $i -lt 20 ]; do
    printf 'k%d\t%d\n' $((i % 7)) $i
    i=$((i + 1))
done | kcat -P -b "$brokers" -t faults -K '\t'
ready() {
    curl -s --unix-socket faults.sock http://localhost/readyz | grep -q "$1"
}
# shellcheck disable=SC2086
orderly run $common --admin "unix:$PWD/faults.sock" --group g --topic faults -- ./faulty 2>faults.log &
first=$!
await test -s codes
await ready 'handler is open (exit-78)'
curl -s --unix-socket faults.sock http://localhost/api/v1/status | grep -q '"name":"handler_fault"' || fail "no named state"
echo 255 >code
await ready 'handler is stopped (exit-255)'
echo 0 >code
orderly resume --admin "unix:$PWD/faults.sock" >resumed
await sh -c 'test "$(grep -c "^0 " codes)" -ge 20'
await ready '^ready$'
! grep -v ' 1$' codes || fail "an attempt was spent"
[ "$(grep -c '^0 ' codes)" -eq 20 ] || fail "not each record once"
kill -TERM "$first"
ends "$first" 0
first=''

# A stream handler.
i=0
while [ $i -lt 100 ]; do
    printf 'k%d\t%d\n' $((i % 7)) $i
    i=$((i + 1))
done | kcat -P -b "$brokers" -t lines -K '\t'
cat >worker <<'TEXT'
#!/bin/sh
read -r hello
echo '{"hello":{"name":"worker","max_in_flight":3}}'
while read -r line; do
    id=${line#*'"id":"'} id=${id%%'"'*}
    case $line in
    *'"terminate"'*) exit 0 ;;
    *'"value"'*) echo "$line" >>answered && echo '{"id":"'"$id"'","outcome":"ack"}' ;;
    esac
done
TEXT
chmod +x worker
# shellcheck disable=SC2086
orderly run $common --group g --topic lines --set handler.stream.processes=2 --exit-at-end --stream -- ./worker 2>lines.log ||
    fail "stream: $?"
lines answered 100
[ "$(sed 's/.*"idempotency_key":"\([^"]*\)".*/\1/' answered | sort -u | wc -l)" -eq 100 ] || fail "stream: not each record once"

# Several sources in one daemon, one by a pattern; settings are read again at SIGHUP.
printf '1\n2\n3\n' | kcat -P -b "$brokers" -t blue
printf '4\n5\n' | kcat -P -b "$brokers" -t green-1
cat >orders.yaml <<TEXT
kafka: {bootstrap.servers: "$brokers", group.id: several, group.protocol: consumer}
start: earliest
admin: {listen: "unix:$PWD/admin.sock"}
log: {format: text, level: info}
concurrency: 8
sources:
  - topics: [blue]
    handler: {exec: {command: [sh, -c, "echo blue,\$ORDERLY_TOPIC >>colours"]}}
  - topics: ["^green-.*"]
    handler: {exec: {command: [sh, -c, "echo green \$ORDERLY_TOPIC >>colours"]}}
TEXT
orderly run --config orders.yaml --create-topics 2>several.log &
first=$!
await sh -c 'test -s colours && test "$(wc -l <colours)" -ge 5'
sort colours | uniq -c | tr -s ' ' >counted
printf ' 3 blue,blue\n 2 green green-1\n' | cmp - counted || fail "each source its own handler"
sed -i -e 's/level: info/level: debug/' -e 's/concurrency: 8/concurrency: 4/' -e 's/start: earliest/start: latest/' orders.yaml
kill -HUP "$first"
await grep -q 'start changed from earliest to latest: ignored until a restart' several.log
grep -q 'log.level changed from info to debug: applied' several.log || fail "log.level"
grep -q 'concurrency changed from 8 to 4: applied' several.log || fail "concurrency"
sed -i -e 's/concurrency: 4/concurrency: 8\nrate: {records_per_second: 50}/' -e 's/group.id: several/group.id: others/' -e 's/echo blue/echo bleu/' orders.yaml
kill -HUP "$first"
await grep -q 'concurrency changed from 4 to 8: applied' several.log
grep -q 'rate.records_per_second changed from 0 to 50: applied' several.log || fail "rate"
grep -q 'kafka.group.id changed: ignored until a restart' several.log || fail "what of kafka.* changed"
! grep -E '(topics|patterns) changed' several.log || fail "topics that did not change"
grep -q 'sources\[0\]: handler.exec.command changed: ignored until a restart' several.log || fail "what of a source changed"
[ "$(curl -s --unix-socket admin.sock http://localhost/readyz)" = ready ] || fail "readyz"
[ "$(curl -s --unix-socket admin.sock -X POST -H "Authorization: Bearer $(cat admin.sock.token)" http://localhost/api/v1/drain)" = '{"ok":true}' ] ||
    fail "drain"
ends "$first" 0
first=''
[ ! -e admin.sock ] || fail "the socket was left behind"
