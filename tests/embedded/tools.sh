#!/bin/sh
# The tools on the embedded broker: topics, lag, dead letters listed, shown, replayed once and never twice, retries run now or dropped, a
# running daemon looked at, paused, drained.
# timeout: 180
set -eu

# shellcheck source=tests/support/embedded.sh
. "$ORDERLY_SOURCE_DIR/tests/support/embedded.sh"
tries_most=200

orderly broker --topic ward:3 >address 2>/dev/null &
broker=$!
daemon=''
trap 'kill $broker $daemon 2>/dev/null' EXIT
await grep -qs = address
brokers=$(sed 's/bootstrap.servers=//' address)
set -- --brokers "$brokers" --group g --topic ward
member='-X group.protocol=consumer --log-format text --log-level warning --set dead_letter.max_rate=100%'

orderly topics create "$@" >created 2>&1
grep -q 'created ward.g.dlt' created || fail "topics create"
orderly topics check "$@" --json >topics
lines topics 3

# Six dead letters, with what a handler said of them.
for i in 1 2 3 4 5 6; do printf 'k%d\tv%d\n' $i $i; done | kcat -P -b "$brokers" -t ward -K '\t' -H colour=red
# shellcheck disable=SC2086
orderly run "$@" $member --admin off --start earliest --exit-at-end -- /bin/sh -c 'echo "not a number" >&2; exit 65' || fail "run: $?"
orderly dlt list "$@" --json >letters
lines letters 6
[ "$(grep -c '"class":"exit-65","error":"not a number","attempts":1,"replays":0' letters)" -eq 6 ] || fail "what the letters say"
orderly dlt list "$@" --json --limit 2 >two
lines two 2
orderly dlt list "$@" --json --where key=k3,class=exit-65 >one
lines one 1
orderly dlt list "$@" --json --where before=2020-01-01T00:00:00Z >none
lines none 0
place=$(sed 's/^{"topic":"ward.g.dlt","partition":\([0-9]*\),"offset":\([0-9]*\),.*/\1:\2/' one)
orderly dlt show "$place" "$@" >shown
grep -q '^v3$' shown || fail "show"
grep -q 'colour: red' shown || fail "show: the record's own header"

# Replayed once, never twice, also by condition and in parts.
orderly dlt replay "$@" --where key=k3 --dry-run 2>said
grep -q '^1 records of ward.g.dlt would go to ward.g.retry' said || fail "dry run"
orderly dlt replay "$@" --where key=k3 2>said
grep -q '^1 record replayed' said || fail "replay of one"
orderly dlt replay "$@" --where key=k3 2>said
grep -q '^0 records replayed' said || fail "replayed twice"
orderly dlt replay "$@" --limit 2 2>said
grep -q '^2 records replayed' said || fail "limit"
orderly dlt replay "$@" 2>said
grep -q '^3 records replayed' said || fail "the rest"
orderly retry list "$@" --json >waiting
lines waiting 6
[ "$(grep -c '"replays":1' waiting)" -eq 6 ] || fail "replays are counted"

# They run as the records they were, attempts anew. (Dropping and running now: kafka_real/tools.sh; the embedded broker refuses offsets
# from outside for a group that had members.)
orderly retry drop "$@" --where key=k1 2>/dev/null && fail "drop without --yes and without a terminal"
# shellcheck disable=SC2086,SC2016
orderly run "$@" $member --admin off --exit-at-end -- \
    /bin/sh -c 'echo "$ORDERLY_KEY $ORDERLY_ATTEMPT $(cat)" >>ran' || fail "run: $?"
sort ran >sorted
printf '%s\n' 'k1 1 v1' 'k2 1 v2' 'k3 1 v3' 'k4 1 v4' 'k5 1 v5' 'k6 1 v6' >expected
cmp sorted expected || { cat sorted >&2 && fail "what ran after the replay"; }
orderly lag "$@" >lag
grep -q '^total lag 0' lag || fail "lag"

# A running daemon.
# shellcheck disable=SC2086
orderly run "$@" $member --admin "unix:$PWD/socket" -- /bin/true &
daemon=$!
status() {
    orderly status --admin "unix:$PWD/socket" --json >status 2>/dev/null && grep -q '"ready": *true' status
}
await status
orderly status --admin "unix:$PWD/socket" >text
grep -q '^group g' text || fail "status"
orderly pause --admin "unix:$PWD/socket" --topic ward --partition 1
paused() {
    orderly status --admin "unix:$PWD/socket" | grep -q '^ward *1 *paused'
}
await paused
orderly resume --admin "unix:$PWD/socket" --topic ward --partition 1
not_paused() {
    ! paused
}
await not_paused
orderly top --admin "unix:$PWD/socket" --count 2 --interval 100ms | grep -q 'a second' || fail "top"
orderly drain --admin "unix:$PWD/socket" --wait --timeout 30s || fail "drain: $?"
wait "$daemon" || fail "the daemon ended with $?"
daemon=''
code=0
orderly status --admin "unix:$PWD/socket" 2>/dev/null || code=$?
[ "$code" -eq 69 ] || fail "status of no daemon: $code"
echo ok
