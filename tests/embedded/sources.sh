#!/bin/sh
# Several sources in one daemon: each topic goes to its own handler; one group, one subscription, patterns with commas too.
# timeout: 90
set -eu

# shellcheck source=tests/support/embedded.sh
. "$ORDERLY_SOURCE_DIR/tests/support/embedded.sh"

orderly broker --topic apples:2 --topic pears:2 --topic plums:1 >address 2>/dev/null &
broker=$!
trap 'kill $broker 2>/dev/null' EXIT
tries=0
until grep -qs = address; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || fail "no broker"
    sleep 0.1
done
brokers=$(sed 's/bootstrap.servers=//' address)
cat >two.yaml <<END
kafka: {bootstrap.servers: "$brokers", group.id: g, group.protocol: consumer}
start: earliest
log: {level: warning}
admin: {listen: off}
sources:
  - topics: [apples]
    handler: {exec: {command: [/bin/sh, -c, 'echo "first \$(cat)" >>ran']}}
  - patterns: ['^p[a-z]{3,4}s\$']
    handler: {exec: {command: [/bin/sh, -c, 'echo "second \$(cat)" >>ran']}}
END
for topic in apples pears plums; do echo $topic | kcat -P -b "$brokers" -t $topic; done
orderly check --config two.yaml 2>/dev/null || fail "check"
orderly run --config two.yaml --create-topics --exit-at-end 2>log || { cat log >&2 && fail "run: $?"; }
sort ran >sorted
printf '%s\n' 'first apples' 'second pears' 'second plums' >expected
cmp sorted expected || { cat sorted >&2 && fail "who handled what"; }
orderly lag --config two.yaml | grep -q '^total lag 0' || fail "lag"
code=0
orderly run --config two.yaml --topic plums 2>said || code=$?
[ "$code" -eq 2 ] || fail "--topic beside sources: $code"
echo ok
