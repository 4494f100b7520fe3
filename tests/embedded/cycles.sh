#!/bin/sh
# Many short lives in one process on the embedded broker, with rebalances in between: nothing lost or repeated; descriptors, threads and memory flat.
#   SCALE=full: 1,000 lives, 1,000 rebalances of the member that stays
# timeout: 240
set -eu
# shellcheck source=tests/support/embedded.sh
. "$ORDERLY_SOURCE_DIR/tests/support/embedded.sh"
if [ "${SCALE:-ci}" = full ]; then lives=1000 rounds=1000 rate=100 count=20000 tries_most=6000; else lives=60 rounds=20 rate=40 count=1000; fi

orderly broker --topic cycles:6 --topic cycles.g.retry:6 --topic cycles.g.dlt:6 >address 2>/dev/null &
broker=$! producer='' last=''
trap 'kill -KILL $broker $producer $last 2>/dev/null' EXIT
await grep -qs = address
brokers=$(sed 's/bootstrap.servers=//' address)

produce --brokers "$brokers" --topic cycles --out produced --count $count --keys 100 --rate $rate --plans 'A*95,R1:300*5' &
producer=$!
cycles --brokers "$brokers" --group g --topic cycles --journal journal --cycles $lives --rounds $rounds \
    --set kafka.group.protocol=consumer >cycles.out 2>cycles.log || { cat cycles.out && tail -n 20 cycles.log && fail "cycles"; }
cat cycles.out
member --brokers "$brokers" --group g --topic cycles --journal journal --set kafka.group.protocol=consumer 2>last.log &
last=$!
# all_finished: each record has come to its end
all_finished() {
    [ "$(awk '$1 == "E" && $6 ~ /[ADP]/ && !seen[$4]++ { n++ } END { print n + 0 }' journal)" -ge $count ]
}
await grep -qs . last.log
ends "$producer" 0
producer=''
await all_finished
kill -TERM "$last"
ends "$last" 0
last=''
# Who is evicted does again what was not committed: the broker's sessions end after 6 s, and librdkafka may need that long after a machine that stood
# still for two (a heartbeat's time is up after one heartbeat interval, on a connection that is being made anew).
evictions=$(cat cycles.log last.log | grep -c 'partition(s) are lost' || true)
if [ "$evictions" -eq 0 ]; then
    check --produced produced --journal journal --order key --expect $count
else
    grep -q 'librdkafka: .*Timed out' cycles.log last.log || fail "lost without a reason"
    echo "$evictions evictions: the machine stood still"
    check --produced produced --journal journal --order key --expect $count --killed 1 --max-repeats $((evictions * count / 4))
fi
