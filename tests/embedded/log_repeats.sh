#!/bin/sh
# Lines of one kind are limited and counted; what must be told each time is. A pause of what is not there says so.
# timeout: 120
# not sanitized
set -eu

# shellcheck source=tests/support/embedded.sh
. "$ORDERLY_SOURCE_DIR/tests/support/embedded.sh"

orderly broker --topic wide:40 >address 2>/dev/null &
broker=$! first=''
trap 'kill -KILL $broker $first 2>/dev/null' EXIT
await grep -qs = address
brokers=$(sed 's/bootstrap.servers=//' address)
common="--brokers $brokers --start earliest --create-topics --log-format text -X group.protocol=consumer"

# Many lines of one kind: the first ones, then how many more; dead letters are named one by one.
i=0
while [ $i -lt 40 ]; do
    echo "v$i" | kcat -P -b "$brokers" -t wide -p $i
    i=$((i + 1))
done
printf '#!/bin/sh\nexit $(cat code)\n' >wide.handler && chmod +x wide.handler
echo 78 >code
# shellcheck disable=SC2086
orderly run $common --admin "unix:$PWD/wide.sock" --group g --topic wide --order partition --set log.repeats=5 --set dead_letter.max_rate=100% \
    -- ./wide.handler 2>wide.log &
first=$!
await sh -c 'test "$(curl -s --unix-socket wide.sock http://localhost/api/v1/status | grep -o "\"name\":\"handler_fault\"" | wc -l)" -eq 40'
got=0
orderly pause --admin "unix:$PWD/wide.sock" --topic other 2>paused || got=$?
[ "$got" -eq 1 ] && grep -q 'this member has no such partition' paused || fail "pause of what is not there: $got"
echo 65 >code
await sh -c 'test "$(grep -c "went to the dead letters" wide.log)" -eq 40'
kill -TERM "$first"
ends "$first" 0
first=''
[ "$(grep -c '^[^ ]* warning state: wide/[0-9]* offset 0 is in state handler_fault' wide.log)" -eq 5 ] || fail "not 5 lines of one kind"
grep -q 'state: and 35 more like it within 10 s: wide/[0-9]* offset 0 is in state handler_fault' wide.log || fail "the others are not counted"
