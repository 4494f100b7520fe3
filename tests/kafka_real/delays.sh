#!/bin/sh
# Retries of mixed delays and a hospital topic that somebody else filled: none early, none blocking another.
# timeout: 300
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then count=2000 longest=20000 first=300000; else count=400 longest=6000 first=30000; fi

# All but the first, whose time is far away.
hospital() {
    protocol=$1 group=hospital-$1-$run_id source=hospital-$1-$run_id
    enter "$group"
    group_topics "$source" 4 "$group"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --keys 50 \
        --due-header retry-after --due-min-ms 3000 --due-max-ms "$longest" --first-delay-ms "$first"
    start_member m "$protocol" "$group" "$source" --set retry.honour_retry_after=true --set order=none
    member_pid=$started
    wait_for "the end of all but the first" $((longest / 1000 + 60)) finished $((count - 1))
    full || wait_for "the first" $((first / 1000 + 30)) finished "$count"
    stop_member "$member_pid" m
    if full; then
        grep -v '^0 ' produced >kept && mv kept produced
        count_checked=$((count - 1))
    else
        count_checked=$count
    fi
    check --produced produced --journal journal --expect "$count_checked"
    cd .. || exit
}

own_retries() {
    protocol=$1 group=delays-$1-$run_id source=delays-$1-$run_id
    enter "$group"
    group_topics "$source" 4 "$group"
    plans=R1:$first
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count 1 --plans "$plans"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --first-id 1 --count "$count" --keys 50 \
        --plans "R1:200,R1:500,R1:900,R2:1500,R1:3000,R1:$longest"
    start_member m "$protocol" "$group" "$source" --set retry.in=topic --set order=none
    member_pid=$started
    wait_for "the end of all but the first" $((longest / 1000 + 60)) finished "$count"
    full || wait_for "the first" $((first / 1000 + 30)) finished $((count + 1))
    stop_member "$member_pid" m
    if full; then
        grep -v '^0 ' produced >kept && mv kept produced
        grep -v '^B [0-9]* [0-9]* [^ ]* [0-9]* [0-9]* 0 \|^E [0-9]* [0-9]* 0 ' journal >kept && mv kept journal
    fi
    check --produced produced --journal journal --expect "$count"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol, hospital topic of another program"
    hospital "$protocol"
    say "$protocol, own retry topic"
    own_retries "$protocol"
done
