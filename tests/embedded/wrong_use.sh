#!/bin/sh
# Wrong use: the contracted exit code and a sentence that says what to do; nothing is committed.
# quick
# timeout: 120
set -eu

# shellcheck source=tests/support/embedded.sh
. "$ORDERLY_SOURCE_DIR/tests/support/embedded.sh"

# wrong CODE WORDS COMMAND...: the command ends with CODE and its stderr holds WORDS.
wrong() {
    code=$1 words=$2
    shift 2
    got=0
    timeout 40 "$@" >out 2>err </dev/null || got=$?
    [ "$got" -eq "$code" ] || { cat out err >&2 && fail "exit $got, not $code: $*"; }
    grep -qF -e "$words" err || { cat err >&2 && fail "no '$words': $*"; }
}

orderly broker --topic ward:2 --topic bare:1 >address 2>/dev/null &
broker=$!
trap 'kill $broker 2>/dev/null' EXIT
tries=0
until grep -qs = address; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || fail "no broker"
    sleep 0.1
done
brokers=$(sed 's/bootstrap.servers=//' address)
printf '#!/bin/sh\nexit 0\n' >handler && chmod +x handler
orderly topics create --brokers "$brokers" --group g --topic ward >/dev/null 2>&1

member() {
    want=$1 words=$2
    shift 2
    wrong "$want" "$words" orderly run --admin off --log-format text -X group.protocol=consumer "$@"
}

# The command line: 2.
wrong 2 'did you mean `orderly status`' orderly stauts
wrong 2 'did you mean --concurrency' orderly run --concurency 3 -- ./handler
wrong 2 'needs a value' orderly run --brokers
wrong 2 'written in full' orderly run -b x
wrong 2 'retry.attempts' orderly run --set retry.atempts=3 -- ./handler
wrong 2 'NAME=VALUE' orderly run --set retry.attempts -- ./handler
wrong 2 'retry.backoff.first' orderly run --set retry.backoff.first=10parsecs -- ./handler
wrong 2 'concurrency' orderly run --concurrency many -- ./handler
wrong 2 'start' orderly run --start middle -- ./handler
wrong 2 'missing after --' orderly run --brokers b --
wrong 2 'not several' orderly run --exec --stream -- ./handler
wrong 2 'goes after --' orderly run ./handler
wrong 2 'host:port' orderly run --admin nonsense -- ./handler
wrong 2 'http://' orderly run --http ftp://nowhere
wrong 2 'list show replay purge' orderly dlt
wrong 2 "did you mean 'replay'" orderly dlt repaly
wrong 2 'offset is wanted' orderly dlt list --where 'colour=red'
wrong 2 'whole number' orderly dlt list --limit 0
wrong 2 'its unit' orderly lag --timeout 10
wrong 2 '--topic' orderly pause --partition 1
wrong 2 'orders:4' orderly broker --topic orders:x

# The settings: 78.
member 78 'group' --brokers "$brokers" --topic ward -- ./handler
member 78 'topics' --brokers "$brokers" --group g -- ./handler
member 78 'bootstrap.servers' --group g --topic ward -- ./handler
member 78 'handler' --brokers "$brokers" --group g --topic ward --start earliest
member 78 'not found' --brokers "$brokers" --group g --topic ward --start earliest -- ./no-such-handler
member 78 'enable.auto.commit' --brokers "$brokers" --group g --topic ward -X enable.auto.commit=true -- ./handler
member 78 'acks' --brokers "$brokers" --group g --topic ward -X acks=1 -- ./handler
member 78 'does not exist' --brokers "$brokers" --group g --topic wrad --start earliest -- ./handler
member 78 'orderly topics create' --brokers "$brokers" --group g --topic bare --start earliest -- ./handler
member 78 'start' --brokers "$brokers" --group g --topic ward -- ./handler
member 78 'hold' --brokers "$brokers" --group g --topic ward --set rebalance.hold_max=4m --set rebalance.drain_timeout=4m -- ./handler
member 78 'no-such-file.yaml' --config no-such-file.yaml -- ./handler
printf 'topics: [ward]\nretry:\n  atempts: 3\n' >wrong.yaml
member 78 'wrong.yaml:3:3' --config wrong.yaml -- ./handler
wrong 78 'attempts' orderly check --config wrong.yaml
printf 'kafka: {bootstrap.servers: b, fetch.mni.bytes: 1}\ntopics: [ward]\n' >wrong.yaml
wrong 78 'wrong.yaml:1:31: librdkafka knows no property "fetch.mni.bytes"; did you mean fetch.min.bytes?' orderly check --config wrong.yaml
printf 'kafka: {bootstrap.servers: b, group.id: g}\ntopics: [ward]\nhandler: {exec: {command: [a]}, http: {url: "http://b"}}\n' >wrong.yaml
wrong 78 'more than one handler' orderly check --config wrong.yaml
printf 'kafka: {bootstrap.servers: b, group.id: g}\ntopics: [ward]\nhandler: {http: {url: "ftp://b"}}\n' >wrong.yaml
wrong 78 'handler.http.url' orderly check --config wrong.yaml
printf 'kafka: {bootstrap.servers: b, group.id: g}\ntopics: [ward]\nadmin: {listen: nonsense}\n' >wrong.yaml
wrong 78 'admin.listen nonsense' orderly check --config wrong.yaml
printf 'kafka: {bootstrap.servers: b, group.id: g}\nsources: [{topics: [a], handler: {exec: {command: [a]}}, order: none}]\n' >wrong.yaml
wrong 78 'order has to be the same' orderly check --config wrong.yaml
wrong 78 '--group' orderly lag --brokers "$brokers" --topic ward
wrong 78 '--brokers' orderly topics check --group g --topic ward
wrong 78 'orderly topics create' orderly topics check --brokers "$brokers" --group g --topic bare
ORDERLY_RETRY_ATTEMPTS=none
export ORDERLY_RETRY_ATTEMPTS
member 78 'ORDERLY_RETRY_ATTEMPTS' --brokers "$brokers" --group g --topic ward -- ./handler
unset ORDERLY_RETRY_ATTEMPTS

# Not running: 69. Away: 75.
wrong 69 '--admin' orderly status --admin 127.0.0.1:1
wrong 69 '--admin' orderly drain --admin unix:/nowhere/socket
member 75 '127.0.0.1:1' --brokers 127.0.0.1:1 --group g --topic ward --start earliest --set start_timeout=2s -- ./handler
wrong 75 '127.0.0.1:1' orderly lag --brokers 127.0.0.1:1 --group g --topic ward --timeout 1s

# Nothing was committed by any of them.
orderly lag --brokers "$brokers" --group g --topic ward --json >lag
[ "$(grep -c '"committed":-1' lag)" -eq "$(wc -l <lag)" ] || { cat lag >&2 && fail "something was committed"; }
echo ok
