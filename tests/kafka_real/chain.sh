#!/bin/sh
# Three groups in a row; members join late, leave after a round or two, on request or without a word, all the time: nothing lost, order kept;
# with planned changes only nothing repeated.
#   FACES ("run poll"), MODES ("planned killed"); ORDERS: of each of these runs, else as orders_of says
# timeout: 900
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then count=500000 full_rate=5000 pause=5 least_guests=3; else count=6000 full_rate=400 pause=2 least_guests=1; fi

# stage N [options]: one more member of that stage, its process id in $started.
stage() {
    stage_number=$1
    shift
    number=$((number + 1))
    for setting in $(protocol_settings "$protocol"); do
        set -- "$@" --set "$setting"
    done
    chain --brokers "$ORDERLY_KAFKA" --group "$base-$stage_number" --topic "$base-$stage_number" --to "$base-$((stage_number + 1))" \
        --journal "journal$stage_number" --out "out$stage_number" --face "$face" --set order="$order" "$@" \
        >>"stage$stage_number-$number.log" 2>&1 &
    started=$!
    members="$members $started"
}

# join STAGE: a member that stays until it is told or killed, in $stayN (oldest first).
join() {
    stage "$1"
    eval "stay$1=\"\$stay$1 $started\""
}

# guest STAGE OPTION N: a member that leaves by itself.
guest() {
    stage "$@"
    guests="$guests $started"
}

# oldest STAGE, newest STAGE: out of $stayN, into $chosen.
oldest() {
    eval "set -- \"$1\" \$stay$1"
    chosen=$2 at=$1
    shift 2
    eval "stay$at=\$*"
}
newest() {
    eval "chosen=\${stay$1##* } stay$1=\${stay$1% *}"
}

ended_well() {
    code=0
    wait "$1" || code=$?
    [ "$code" = 0 ] || fail "a member of the chain ended with $code: $(grep -l " $1 [0-7] " stage*.log)"
}

# leave PID: by SIGTERM, which must end well.
leave() {
    kill -TERM "$1"
    wait_gone "$1" 60 || fail "a member of the chain does not leave: $(grep -l " $1 [0-7] " stage*.log)"
    ended_well "$1"
}

# arrived N: so many different records have come through all stages.
arrived() {
    [ -f out3 ] && [ "$(wc -l <out3)" -ge "$1" ] && [ "$(distinct out3)" -ge "$1" ]
}

distinct() {
    awk '!seen[$1]++ { n++ } END { print n + 0 }' "$1"
}

topics_of_chain() {
    for n in 1 2 3 4; do
        topics "$base-$n:6"
        topics "$base-$n.$base-$n.retry:6:retention.ms=691200000:retention.bytes=-1" "$base-$n.$base-$n.dlt:6:retention.ms=-1"
    done
}

# change ROUND PLANNED: one of the changes, in each stage.
change() {
    for n in 1 2 3; do
        case $(($1 % 4)) in
        0) join $n ;;
        1 | 3)
            if [ "$2" = planned ]; then
                oldest $n
                leave "$chosen"
            else
                # one that has been there for long, one that has just come
                if [ $(($1 % 4)) = 1 ]; then oldest $n; else newest $n; fi
                kill -KILL "$chosen"
                eval "kills$n=\$((kills$n + 1))"
            fi
            join $n
            ;;
        2)
            join $n
            oldest $n
            leave "$chosen"
            guest $n --batches $((1 + $1 / 4 % 2))
            ;;
        esac
    done
}

# Guests leave by themselves; those that were not given what they wait for are told to, at the end.
end_guests() {
    by_themselves=0
    for pid in $guests; do
        if gone "$pid"; then
            ended_well "$pid"
            by_themselves=$((by_themselves + 1))
        else
            leave "$pid"
        fi
    done
    # cooperative-sticky may give a guest retry partitions alone (real.balance), and at the small size there are only six of them
    [ "$by_themselves" -ge "$least_guests" ] || fail "of the members that leave by themselves only $by_themselves did"
}

# links NAME PROTOCOL FACE PLANNED
links() {
    protocol=$2 face=$3 base=chain-$1-$2-$3-$run_id number=0 guests='' round=0
    stay1='' stay2='' stay3=''
    # shellcheck disable=SC2034 # by eval
    kills1=0 kills2=0 kills3=0
    enter "$base"
    topics_of_chain
    for n in 1 2 3; do
        join $n && join $n
    done
    produce --brokers "$ORDERLY_KAFKA" --topic "$base-1" --out out0 --count "$count" --rate "$rate" --keys 300 --plans A &
    producer=$!
    members="$members $producer"
    begun=$(date +%s)
    guest 1 --rounds 2 && guest 2 --rounds 1 && guest 3 --rounds 1
    guest 1 --batches 1 && guest 2 --batches 2 && guest 3 --batches 1
    until wait_gone "$producer" $pause; do
        change $round "$4"
        round=$((round + 1))
    done
    wait "$producer" || fail "the producer failed"
    say "all $count are produced after $(($(date +%s) - begun)) s, $round rounds of changes, $number members"
    wait_for "the end of all" 300 arrived "$count"
    say "and have come through after $(($(date +%s) - begun)) s"
    end_guests
    for pid in $stay1 $stay2 $stay3; do
        leave "$pid"
    done
    for n in 1 2 3; do
        judge $n "$4"
    done
    judge_topics "$4"
    cd .. || exit
}

# places N: what lies in topic N, in produce's form, each record's number its place (as in chain.c).
places() {
    awk '{ printf "%.0f %d %s %s %s %s A 0\n", $1 * 2 ^ 40 + $2, $1, $2, $3, $4, $5 }' "dump$1"
}

# judge STAGE PLANNED: what the stage's members did with what lay in their topic. In a poll several records of a key are out at once.
judge() {
    dump --brokers "$ORDERLY_KAFKA" --topic "$base-$1" >"dump$1"
    places "$1" >"places$1"
    kills=0
    eval "kills=\$kills$1"
    set -- "$1" "$2" --produced "places$1" --journal "journal$1" --order "$order" --expect "$count"
    [ "$face" = poll ] || set -- "$@" --retries-in-order 1
    [ "$2" = planned ] || set -- "$@" --killed 1 --max-repeats $((kills * (2 * rate + 1000)))
    echo "stage $1, order $order, $kills killed, $(wc -l <"dump$1") records in its topic:"
    shift 2
    check "$@"
}

# Each topic has all of the records, each lane of the last one in the order in which it was produced.
judge_topics() {
    dump --brokers "$ORDERLY_KAFKA" --topic "$base-4" >dump4
    for n in 1 2 3 4; do
        found=$(awk '!seen[$6]++ { n++ } END { print n + 0 }' "dump$n")
        [ "$found" = "$count" ] || fail "in topic $n are $found of $count records"
        [ "$1" != planned ] || [ "$(wc -l <"dump$n")" = "$count" ] || fail "in topic $n are records twice"
    done
    awk -v order="$order" '{ lane = order == "key" ? $3 : $1 }
        !seen[$6]++ { if (lane in last && $6 < last[lane]) { bad++; print "record " $6 " lies behind " last[lane] } else last[lane] = $6 }
        END { exit bad > 0 }' dump4 | head -n 20 >disordered
    [ ! -s disordered ] || { cat disordered && fail "the order is not kept to the end"; }
    say "in the last topic are $(wc -l <dump4) records, $count different ones, in order of their $order"
}

# orders_of FACE MODE: what order is kept. In the run face one record of a partition runs at a time then, each for as long as the next topic needs.
orders_of() {
    case $1-$2 in
    run-*) echo "key partition" ;;
    poll-planned) echo partition ;;
    poll-*) echo key ;;
    esac
}

all=$count
for protocol in $PROTOCOLS; do
    for face in ${FACES:-run poll}; do
        for mode in ${MODES:-planned killed}; do
            for order in ${ORDERS:-$(orders_of "$face" "$mode")}; do
                case $face-$order in
                run-partition) count=$((all / 8)) rate=$((full_rate / 8)) ;;
                *) count=$all rate=$full_rate ;;
                esac
                say "$protocol, $face, $mode, order $order"
                # who is killed: the others wait for the end of its session
                if [ "$mode" = planned ]; then SESSION_MS=15000; else SESSION_MS=6000; fi
                links "$mode-$order" "$protocol" "$face" "$mode"
            done
        done
    done
done
