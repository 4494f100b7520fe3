#!/bin/sh
# Each example does what its head says, on the embedded broker.
# timeout: 150
set -eu
pids=''

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

end() {
    for pid in $pids; do
        kill "$pid" 2>/dev/null || true
    done
}
trap end EXIT
trap 'exit 1' INT TERM

set --
for group in gate workers hospital pool epoll sqlite copy; do
    set -- "$@" --topic "$group:3" --topic "$group.$group.retry:3" --topic "$group.$group.dlt:3"
done
orderly broker "$@" --topic target:3 >address 2>broker.log &
pids="$pids $!"
tries=0
until grep -qs = address; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || fail "no broker: $(cat broker.log)"
    sleep 0.1
done
brokers=$(sed 's/bootstrap.servers=//' address)

# fill TOPIC [options of produce]
fill() {
    topic=$1
    shift
    produce --brokers "$brokers" --topic "$topic" --count 200 --keys 20 --out "produced.$topic" "$@"
}

# run NAME ARGUMENT...: the example ends by itself, well, within a minute.
run() {
    name=$1
    shift
    timeout 60 "$name" "$brokers" "$@" >"$name.out" 2>"$name.err" || fail "$name ended with $?: $(tail -n 3 "$name.err")"
}

# records NAME: so many lines about a record in its output; each record once.
once() {
    [ "$(cut -d' ' -f"$3" "$1.out" | sort -u | wc -l)" = "$2" ] || fail "$1 did not see each of the $2 records"
}

for topic in gate pool epoll sqlite copy; do
    fill "$topic"
done
fill workers --due-header retry-after --due-min-ms 100 --due-max-ms 2000 --count 60
fill hospital --due-header retry-after --due-min-ms 100 --due-max-ms 2000 --count 60

run poll_gate gate gate 200
once poll_gate 200 1
run hospital_workers workers workers 60
[ "$(grep -c 'late by [0-9]' hospital_workers.out)" = 60 ] || fail "hospital_workers was early, or did not see all"
run hospital hospital hospital 60
[ "$(grep -c ' due [1-9]' hospital.out)" = 60 ] || fail "hospital did not see all"
run run_pool pool pool 200
once run_pool 200 2
grep -q 'attempt 2' run_pool.out || fail "run_pool did not retry"
run epoll_async epoll epoll 200
grep -q '^200 settled' epoll_async.out || fail "epoll_async: $(cat epoll_async.out)"
run sqlite_batch sqlite sqlite records.db 200
command -v sqlite3 >/dev/null && { [ "$(sqlite3 records.db 'SELECT count(*) FROM records')" = 200 ] || fail "sqlite_batch stored another number"; }
[ -s records.db ] || fail "sqlite_batch stored nothing"
run copy_topic copy copy target 200
dump --brokers "$brokers" --topic target >copied
[ "$(wc -l <copied)" = 200 ] || fail "copy_topic copied $(wc -l <copied) records"
[ "$(awk '{ print $4 }' copied | sort)" = "$(awk '{ print $5 }' produced.copy | sort)" ] || fail "copy_topic changed bytes"
