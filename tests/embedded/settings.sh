#!/bin/sh
# Where a setting comes from: option before environment before file before default; secrets are masked; what is wrong is told with its place.
# quick
# timeout: 60
set -eu

# shellcheck source=tests/support/embedded.sh
. "$ORDERLY_SOURCE_DIR/tests/support/embedded.sh"
# effective NAME VALUE ORIGIN OPTIONS...
effective() {
    name=$1 value=$2 origin=$3
    shift 3
    orderly check --config orders.yaml --effective --json "$@" >values 2>err || { cat err >&2 && fail "check"; }
    grep -F "\"name\":\"$name\"" values >line || fail "no $name"
    grep -qF "\"value\":\"$value\"" line || { cat line >&2 && fail "$name is not $value"; }
    grep -qF "\"origin\":\"$origin" line || { cat line >&2 && fail "$name does not come from $origin"; }
}

cat >orders.yaml <<'END'
kafka:
  bootstrap.servers: localhost:9092
  group.id: orders
  sasl.password: hunter2
topics: [orders]
concurrency: 7
retry:
  attempts: 3
END
effective order key default
effective concurrency 7 orders.yaml:6
effective retry.attempts 3 orders.yaml:8
effective concurrency 9 'option --concurrency' --concurrency 9
effective concurrency 10 'option --set' --concurrency 9 --set concurrency=10
ORDERLY_CONCURRENCY=8
export ORDERLY_CONCURRENCY
effective concurrency 8 'environment ORDERLY_CONCURRENCY'
effective concurrency 9 'option --concurrency' --concurrency 9
unset ORDERLY_CONCURRENCY
effective topics 'a,b' 'option --topic' --topic a --topic b
effective kafka.client.id x 'option -X' -X client.id=x
grep -q hunter2 values && fail "a password is printed"
grep -q 'sasl.password' values || fail "the password's setting is not listed"

# Every limit says what happens when it is met.
orderly check --limits --json >limits
[ "$(wc -l <limits)" -ge 20 ] || fail "limits"
[ "$(grep -c '"when_met":"..*"' limits)" -eq "$(wc -l <limits)" ] || fail "a limit that does not say what happens"

# The outcomes in force count what was overridden.
orderly check --outcomes --json --set handler.http.status=409=ack >outcomes
grep -q '"end":"status 409","outcome":"ack"' outcomes || fail "409 is not ack"
grep -q '"end":"exit 65","outcome":"dead-letter","attempt_spent":true' outcomes || fail "65 is not dead-letter"
orderly check --config orders.yaml 2>said || fail "check of good settings"
grep -q 'all is well' said || fail "check does not say so"

# Wrong values point at their place.
printf 'topics: [orders]\nconcurrency: lots\n' >wrong.yaml
orderly check --config wrong.yaml 2>said && fail "a wrong value"
grep -q '^orderly check: wrong.yaml:2:14: ' said || { cat said >&2 && fail "where it is wrong"; }
grep -q '\^' said || fail "no caret"
printf 'topics: [orders]\ntopics: [payments]\n' >twice.yaml
orderly check --config twice.yaml 2>said && fail "a key twice"
grep -q 'twice.yaml:2:1' said || { cat said >&2 && fail "where the second is"; }
echo ok
