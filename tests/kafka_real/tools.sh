#!/bin/sh
# The tools on a real Kafka: what a group needs is created and checked, dead letters are replayed once in transactions, also after an
# interruption; retries are run now or dropped, not under running members; what was replayed is purged; what is wrong is told.
# timeout: 240
set -eu
: "${ORDERLY_KAFKA:?}"
member=''
trap '[ -z "$member" ] || kill "$member" 2>/dev/null || true' EXIT
topic=ward-$$ group=tools-$$

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
lines() {
    [ "$(wc -l <"$1")" -eq "$2" ] || { cat "$1" >&2 && fail "$1 has not $2 lines"; }
}
await() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "waited too long: $*"
        sleep 0.1
    done
}
run() {
    orderly run --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$topic" --log-format text --log-level warning \
        --set dead_letter.max_rate=100% "$@"
}

topic --brokers "$ORDERLY_KAFKA" --make "$topic:3"
set -- --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$topic"

# What is missing, then what is wrong, is told in a sentence and by the code; what is right is not.
code=0
orderly check "$@" --connect >checked 2>/dev/null || code=$?
[ "$code" -eq 78 ] || fail "check of a group without topics: $code"
[ "$(grep -c '^mend:' checked)" -eq 2 ] || fail "two topics are missing"
topic --brokers "$ORDERLY_KAFKA" --make "$topic.$group.retry:3:retention.ms=60000:cleanup.policy=compact"
topic --brokers "$ORDERLY_KAFKA" --make "$topic.$group.dlt:3:cleanup.policy=compact"
orderly check "$@" --connect >checked 2>/dev/null && fail "topics that compact"
[ "$(grep -c '^mend:.*cleanup.policy=delete' checked)" -eq 2 ] || fail "both compact"
topic=ward2-$$
topic --brokers "$ORDERLY_KAFKA" --make "$topic:3" --make "$topic.$group.retry:3:retention.ms=60000"
set -- --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$topic"
orderly topics create "$@" >created 2>said || code=$?
grep -q 'retention.ms=' said || fail "a retry topic that forgets early"
# A dead-letter topic for small records only: refused, unless those that are too large may become references.
topic=ward4-$$
topic --brokers "$ORDERLY_KAFKA" --make "$topic:1" --make "$topic.$group.retry:1:retention.ms=1209600000:retention.bytes=-1" \
    --make "$topic.$group.dlt:1:retention.ms=-1:max.message.bytes=20000"
set -- --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$topic"
head -c 50000 /dev/zero | tr '\0' x | kcat -P -b "$ORDERLY_KAFKA" -t "$topic" -k large
code=0
run --admin off --start earliest --exit-at-end -- /bin/sh -c 'exit 65' 2>said || code=$?
[ "$code" -eq 78 ] || fail "a dead-letter topic for small records: $code"
grep -q 'takes records up to 20000 bytes' said || fail "what is too small is not said"
run --admin off --start earliest --exit-at-end --set dead_letter.oversize=reference -- /bin/sh -c 'exit 65' 2>said || fail "references: $?"
orderly dlt list "$@" --json >listed
grep '"key":"large"' listed | grep -q '"offset":0' || { cat listed said >&2 && fail "no reference"; }
topic=ward3-$$
topic --brokers "$ORDERLY_KAFKA" --make "$topic:3"
set -- --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$topic"
orderly topics create "$@" >created 2>&1 || fail "topics create"
orderly check "$@" --connect >checked 2>&1 || { cat checked >&2 && fail "check of what was created"; }
grep -q '^ok: cluster .*, 1 broker, Kafka 4' checked || fail "no version: $(cat checked)"
orderly check "$@" --set kafka.group.protocol=consumer --connect >checked 2>&1 || { cat checked >&2 && fail "the consumer protocol"; }
orderly check "$@" --set kafka.group.protocol=consumer --set kafka.group.remote.assignor=nearest --connect >checked 2>&1 &&
    fail "an assignor that the broker does not have"
grep -q 'mend: the brokers do not have the assignor nearest: set kafka.group.remote.assignor to one of .*range' checked ||
    fail "no sentence for an unknown assignor: $(cat checked)"

# Dead letters, replayed.
i=0
while [ $i -lt 600 ]; do
    i=$((i + 1))
    printf 'k%d\tv%d\n' $((i % 7)) $i
done | kcat -P -b "$ORDERLY_KAFKA" -t "$topic" -K '\t'
run --admin off --start earliest --exit-at-end --concurrency 16 -- /bin/sh -c 'exit 65' || fail "run: $?"
orderly dlt list "$@" --limit 1000 --json >letters
lines letters 600
orderly dlt replay "$@" --where key=k3 2>said
replayed=$(sed -n 's/ records* replayed//p' said)
[ "$replayed" -eq "$(grep -c '"key":"k3"' letters)" ] || fail "replay of a key: $replayed"
# Interrupted: what is durable counts, and the next call goes on.
orderly dlt replay "$@" --rate 100 2>said &
replay=$!
sleep 2.5
kill -KILL $replay
wait $replay 2>/dev/null || true
orderly dlt replay "$@" 2>said || { cat said >&2 && fail "replay after a kill"; }
orderly dlt replay "$@" 2>said
grep -q '^0 records replayed' said || fail "replayed twice"
orderly retry list "$@" --limit 1000 --json >waiting
lines waiting 600
[ "$(sed 's/.*"origin":\({[^}]*}\).*/\1/' waiting | sort -u | wc -l)" -eq 600 ] || fail "a record was replayed twice"

# Not under running members; then dropped, and run now.
run --admin "unix:$PWD/socket" --set rate.records_per_second=1 -- /bin/true &
member=$!
status() {
    orderly status --admin "unix:$PWD/socket" --json 2>/dev/null | grep -q '"ready": *true'
}
await status
code=0
orderly retry drop "$@" --where key=k1 --yes 2>said || code=$?
[ "$code" -eq 1 ] || fail "dropped under a running member: $code"
grep -q 'running members' said || { cat said >&2 && fail "dropped under a running member"; }
orderly drain --admin "unix:$PWD/socket" --wait || fail "drain: $?"
wait $member || fail "the member: $?"
member=''
orderly retry list "$@" --limit 1000 --json >waiting
all=$(wc -l <waiting) ones=$(grep -c '"key":"k1"' waiting)
orderly retry drop "$@" --where key=k1 --yes 2>said || { cat said >&2 && fail "drop"; }
grep -q "^$ones records* dropped" said || fail "drop of $ones"
orderly retry now "$@" --where key=k2 2>said || { cat said >&2 && fail "now"; }
orderly retry list "$@" --limit 1000 --json >waiting
lines waiting $((all - ones))
# shellcheck disable=SC2016
run --admin off --exit-at-end -- /bin/sh -c 'echo "$ORDERLY_KEY $ORDERLY_ATTEMPT" >>ran' || fail "run: $?"
grep -q '^k1 ' ran && fail "a dropped record ran"
lines ran $((all - ones))
[ "$(grep -vc ' 1$' ran)" -eq 0 ] || fail "attempts begin anew"
orderly lag "$@" | grep -q '^total lag 0' || fail "lag"

# What was replayed can go.
orderly dlt purge "$@" 2>/dev/null </dev/null && fail "purge without --yes and without a terminal"
orderly dlt purge "$@" --yes 2>said || { cat said >&2 && fail "purge"; }
orderly dlt list "$@" --json >letters
lines letters 0
echo ok
