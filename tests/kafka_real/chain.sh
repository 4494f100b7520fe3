#!/bin/sh
# Three groups over three topics; members leave in each way there is: nothing lost; with planned changes only nothing repeated and all in order.
# timeout: 900
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then count=500000 rate=5000; else count=6000 rate=400; fi

# stage N [options]: one more member of that stage, its process id in $started.
stage() {
    stage_number=$1
    shift
    number=$((number + 1))
    for setting in $(protocol_settings "$protocol"); do
        set -- "$@" --set "$setting"
    done
    chain --brokers "$ORDERLY_KAFKA" --group "$base-$stage_number" --topic "$base-$stage_number" --to "$base-$((stage_number + 1))" \
        --journal "journal$stage_number" --out "out$stage_number" --face "$face" "$@" >>"stage$stage_number-$number.log" 2>&1 &
    started=$!
    members="$members $started"
    staying="$staying $started"
}

# leave PID: by SIGTERM, which must end well.
leave() {
    kill -TERM "$1"
    wait_gone "$1" 60 || fail "a member of the chain does not leave"
    wait "$1" || fail "a member of the chain ended with $?"
}

# arrived N STAGE: so many different records have been passed on by that stage.
arrived() {
    [ "$(cut -d ' ' -f 1 "out$2" 2>/dev/null | sort -u | wc -l)" -ge "$1" ]
}

topics_of_chain() {
    for n in 1 2 3 4; do
        topics "$base-$n:6"
        topics "$base-$n.$base-$n.retry:6:retention.ms=691200000:retention.bytes=-1" "$base-$n.$base-$n.dlt:6:retention.ms=-1"
    done
}

# links NAME PROTOCOL FACE PLANNED
links() {
    protocol=$2 face=$3 base=chain-$1-$2-$3-$run_id number=0 staying=''
    enter "$base"
    topics_of_chain
    produce --brokers "$ORDERLY_KAFKA" --topic "$base-1" --out out0 --count "$count" --rate "$rate" --keys 300 --plans A &
    producer=$!
    members="$members $producer"
    for n in 1 2 3; do
        stage $n && stage $n
    done
    oldest=${staying%"${staying#* * }"}
    # leaves after a round or two, by itself
    stage 1 --rounds 2 && stage 2 --rounds 1
    wait_for "a sixth" 120 arrived $((count / 6)) 3
    if [ "$4" = planned ]; then
        for pid in $oldest; do
            leave "$pid"
            staying=$(echo "$staying" | sed "s/ $pid\\b//")
        done
    else
        for n in 1 2 3; do
            stage $n
            victim=$started
            wait_for "more" 120 arrived $((count * (n + 1) / 6)) 3
            kill -KILL "$victim"
            staying=${staying% *}
        done
    fi
    stage 1 && stage 2 && stage 3
    wait "$producer" || fail "the producer failed"
    wait_for "the end of all" 300 arrived "$count" 3
    for pid in $staying; do
        gone "$pid" || leave "$pid"
    done
    judge "$4"
    cd .. || exit
}

judge() {
    for n in 0 1 2 3; do
        cut -d ' ' -f 1 "out$n" | sort -u >"ids$n"
        [ "$(wc -l <"ids$n")" = "$count" ] || fail "stage $n passed on $(wc -l <"ids$n") of $count records"
    done
    if [ "$1" = planned ]; then
        for n in 1 2 3; do
            check --produced "out$((n - 1))" --journal "journal$n" --order key --expect "$count"
        done
    else
        say "unplanned: passed on $(wc -l <out1), $(wc -l <out2), $(wc -l <out3) times"
        check --produced out0 --journal journal1 --order key --killed 1 --expect "$count" --max-repeats $((count / 4))
    fi
}

for protocol in $PROTOCOLS; do
    for face in ${FACES:-run poll}; do
        say "$protocol, $face, planned changes"
        SESSION_MS=15000
        links planned "$protocol" "$face" planned
        say "$protocol, $face, members that leave without a word"
        SESSION_MS=6000 # members are killed: the others wait for this
        links killed "$protocol" "$face" killed
    done
done
