#!/bin/sh
# What this user may not do, and members that speak another protocol, are sentences of `orderly check --connect` and stop `orderly run`
# with 78. On a Kafka of its own that has an authorizer.
# timeout: 180
set -eu
other=''
end_all() {
    [ -z "$other" ] || kill "$other" 2>/dev/null || true
    kafka stop "$PWD/own" >/dev/null 2>&1 || true
}
trap end_all EXIT
trap 'exit 1' INT TERM

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
# says WORDS: the last check said it.
says() {
    grep -qF -e "$1" checked || { cat checked >&2 && fail "no '$1'"; }
}
acl() {
    kafka tool "$PWD/own" org.apache.kafka.tools.AclCommand --bootstrap-server "$brokers" --add "$@" >acl 2>&1 || {
        cat acl >&2
        fail "the ACL was not set"
    }
}

printf '%s\n' authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer \
    allow.everyone.if.no.acl.found=true >properties
ORDERLY_KAFKA_PROPERTIES=$PWD/properties kafka start "$PWD/own" 0 >/dev/null
brokers=$(cat own/address)
topic --brokers "$brokers" --make ward:3
set -- --brokers "$brokers" --group g --topic ward
orderly topics create "$@" >/dev/null 2>&1 || fail "topics create"
orderly check "$@" --connect >checked 2>&1 || { cat checked >&2 && fail "all is well, but it says otherwise"; }

acl --deny-principal User:ANONYMOUS --operation All --topic ward.g.dlt
acl --allow-principal User:ANONYMOUS --operation Describe --topic ward.g.retry
acl --allow-principal User:ANONYMOUS --operation Describe --group g
code=0
orderly check "$@" --connect >checked 2>&1 || code=$?
[ "$code" -eq 78 ] || { cat checked >&2 && fail "check: $code"; }
says 'may not see topic ward.g.dlt: give it the ACL for Write'
says 'may not read and write topic ward.g.retry: give it the ACL for Read and Write'
says 'may not join group g: give it the ACL for Read on that group'
code=0
orderly run "$@" --start earliest --admin off -- /bin/true >checked 2>&1 || code=$?
[ "$code" -eq 78 ] || { cat checked >&2 && fail "run: $code"; }

kcat -b "$brokers" -G foreign ward >/dev/null 2>&1 &
other=$!
tries=0
until orderly check --brokers "$brokers" --group foreign --topic ward --connect >checked 2>&1 || grep -q assignor checked; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || { cat checked >&2 && fail "a member with another assignor"; }
    sleep 0.2
done
says 'use the assignor range, these settings cooperative-sticky: set kafka.partition.assignment.strategy=range'
echo ok
