#!/bin/sh
# Every record's fate is what its handler said, in process and by exec; dead letters are byte-exact.
# timeout: 420
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then in_process=95000 by_exec=5000; else in_process=6000 by_exec=300; fi

in_process() {
    protocol=$1 group=mixed-$1-$run_id source=mixed-in-$1-$run_id
    enter "$group"
    group_topics "$source" 12 "$group"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$in_process" --keys 500 --bytes 1 \
        --plans 'A*80,R1:200*5,R2:300*5,X:100*3,D*4,P*3'
    for i in 1 2 3; do
        start_member "m$i" "$protocol" "$group" "$source" --set retry.attempts=3 --set dead_letter.max_rate=100% --set order=key
        eval "m$i=$started"
    done
    # the fate of X is its third retry: wait for all others, then for its dead letters below
    others=$(grep -vc ' X:' produced)
    wait_for "the end of $others records" 180 all_finished "$others"
    wait_for "the last attempts" 60 attempts_over "$(grep -c ' X:' produced)" 3
    for i in 1 2 3; do
        eval stop_member "\$m$i" "m$i"
    done
    dump --brokers "$ORDERLY_KAFKA" --topic "$source.$group.dlt" >dead
    check --produced produced --journal journal --dead dead --order key --retries-in-order 1 --attempts 3 --expect "$in_process"
    cd .. || exit
}

attempts_over() {
    [ "$(grep -c "^E [0-9]* [0-9]* [0-9]* $2 R " journal || true)" -ge "$1" ]
}

by_exec() {
    protocol=$1 group=exec-$1-$run_id source=mixed-ex-$1-$run_id
    enter "$group"
    group_topics "$source" 12 "$group"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$by_exec" --keys 100 --bytes 1 \
        --plans 'A*75,R1:200*10,X:100*4,D*6,P*3,C*2'
    start_orderly run "$protocol" "$group" "$source" --set retry.attempts=3 --set dead_letter.max_rate=100% --set retry.in=topic \
        --concurrency 16 --exit-at-end -- handler "$PWD/journal"
    wait_gone "$started" 240 || fail "orderly run --exit-at-end did not end: $(tail -3 run.log)"
    wait "$started" || fail "orderly run ended with $?: $(tail -3 run.log)"
    dump --brokers "$ORDERLY_KAFKA" --topic "$source.$group.dlt" >dead
    check --produced produced --journal journal --dead dead --attempts 3 --expect "$by_exec"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol, in process"
    in_process "$protocol"
    say "$protocol, exec"
    by_exec "$protocol"
done
