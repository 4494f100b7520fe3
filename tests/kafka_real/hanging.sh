#!/bin/sh
# The first record of a partition hangs while all later ones are handled and the member is restarted: at most what ran runs again.
# timeout: 240
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then count=100000; else count=20000; fi

# Everything about record 0, which never ends, is left out of the judgement.
without_the_hanging() {
    grep -v '^0 ' produced >kept && mv kept produced
    grep -v '^B [0-9]* [0-9]* [^ ]* [0-9]* [0-9]* 0 \|^E [0-9]* [0-9]* 0 ' journal >kept && mv kept journal
}

hanging() {
    protocol=$1 group=hanging-$1-$run_id source=hanging-$1-$run_id
    enter "$group"
    group_topics "$source" 1 "$group"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count 1 --work-ms 3600000
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --first-id 1 --count $((count / 2)) --keys 1000
    for member in m1 m2; do
        start_member $member "$protocol" "$group" "$source" --workers 4 --set concurrency=16 --set order=none --set close_timeout=3s \
            --set rebalance.drain_timeout=1s --set handler.exec.kill_grace=0s
        pid=$started
        if [ $member = m1 ]; then
            wait_for "the first half" 60 finished $((count / 2))
        else
            produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --first-id $((count / 2 + 1)) --count $((count / 2)) \
                --keys 1000
            wait_for "the second half" 60 finished "$count"
        fi
        ENDS=1 stop_member "$pid" $member # the close was cut
        grep -q 'work still ran' $member.log || fail "$member did not say that its close was cut"
    done
    [ "$(grep -c '^B [0-9]* [0-9]* [^ ]* [0-9]* [0-9]* 0 ' journal)" = 2 ] || fail "the hanging record ran $(grep -c '^B .* 0 1 ' journal) times"
    without_the_hanging
    check --produced produced --journal journal --expect "$count"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    hanging "$protocol"
done
