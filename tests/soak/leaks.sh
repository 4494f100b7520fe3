#!/bin/sh
# Fifty rebalances and a normal end under AddressSanitizer's leak check: nothing is leaked, descriptors and threads of the member that stays are flat,
# nothing is lost or repeated. On a Kafka of its own. Not part of ctest, whose real Kafka is the preset dev's; by hand after ./run build asan:
#   ORDERLY_SOURCE_DIR=$PWD ORDERLY_BUILD_DIR=$PWD/build/asan tests/support/run-script leaks tests/soak/leaks.sh
#   LEAKS_ROUNDS (25; two rebalances each), PROTOCOLS
kafka=$ORDERLY_SOURCE_DIR/tests/support/kafka
"$kafka" start "$PWD/kafka" 0
ORDERLY_KAFKA=$(cat "$PWD/kafka/address")
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
home=$PWD rounds=${LEAKS_ROUNDS:-25}
trap 'end_all; "$kafka" stop "$home/kafka"' EXIT
supp=$ORDERLY_SOURCE_DIR/tests/support/lsan.supp
export ASAN_OPTIONS="detect_leaks=1:exitcode=23" LSAN_OPTIONS="suppressions=$supp:print_suppressions=0"
nm "$ORDERLY_BUILD_DIR/programs/member" | grep -q __asan_init || fail "$ORDERLY_BUILD_DIR has no address sanitizer"

# look PID: descriptors and threads.
look() {
    echo "$(find "/proc/$1/fd" -mindepth 1 | wc -l) $(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l)"
}

# rebalances N: the member that stays has been given or has given up partitions so often.
rebalances() {
    [ "$(count_lines 'rebalance: \(assigned\|gave up\)' stays.log)" -ge "$1" ]
}

leaks() {
    protocol=$1 group=leaks-$1-$run_id source=leaks-$1-$run_id
    enter "$group"
    group_topics "$source" 12 "$group"
    start_member stays "$protocol" "$group" "$source" --set order=key
    stays=$started
    wait_for "the first assignment" 60 rebalances 1
    count=$((rounds * 200))
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --rate 100 --keys 300 --plans 'A*90,R1:200*8,D*2' &
    producer=$!
    members="$members $producer"
    for round in $(seq "$rounds"); do
        before=$(count_lines 'rebalance: \(assigned\|gave up\)' stays.log)
        start_member guest "$protocol" "$group" "$source" --set order=key --events "events.$round"
        guest=$started
        wait_for "the assignment of the guest" 60 test -s "events.$round"
        wait_for "the rebalance" 30 rebalances $((before + 1))
        stop_member "$guest" guest
        wait_for "the rebalance back" 60 rebalances $((before + 2))
        look "$stays" >>looks
    done
    wait "$producer" || fail "the producer failed"
    wait_for "the end of all" 120 all_finished "$count"
    stop_member "$stays" stays
    ! grep -l 'LeakSanitizer\|AddressSanitizer' ./*.log || fail "a sanitizer has reported"
    awk 'NR == 5 { fds = $1; threads = $2 } END { print "descriptors " fds " -> " $1 ", threads " threads " -> " $2
        exit $1 > fds + 2 || $2 > threads + 2 }' looks || fail "descriptors or threads grow"
    echo "rebalances of the member that stays: $(count_lines 'rebalance: \(assigned\|gave up\)' stays.log)"
    check --produced produced --journal journal --order key --retries-in-order 1 --expect "$count"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    say "$protocol"
    leaks "$protocol"
done
