#!/bin/sh
# The partitions of a source are shared out evenly, with its retry topic in the subscription: each of the members runs its part.
# timeout: 200
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
count=4000

balance() {
    protocol=$1 group=balance-$1-$2-$run_id source=balance-$1-$2-$run_id
    enter "$group"
    group_topics "$source" 8 "$group"
    for i in $(seq "$2"); do
        start_member "m$i" "$protocol" "$group" "$source"
        eval "m$i=$started"
    done
    for i in $(seq "$2"); do
        wait_for "partitions of m$i" 60 grep -q 'rebalance: assigned' "m$i.log"
    done
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --count "$count" --keys 1000 --rate 400
    wait_for "the end of all records" 90 finished "$count"
    awk '$1 == "B" { print $3 }' journal | sort | uniq -c >shares
    for i in $(seq "$2"); do
        eval stop_member "\$m$i" "m$i"
    done
    check --produced produced --journal journal --expect "$count"
    say "$protocol: of $count records $(awk '{ print $1 }' shares | paste -sd ' ')"
    awk -v fair=$((count / $2)) -v members="$2" '$1 > 1.5 * fair { exit 1 } END { if (NR < members) exit 1 }' shares ||
        fail "not even: $(cat shares)"
    cd .. || exit
}

# shellcheck disable=SC2086 # a list
for protocol in $(printf '%s\n' $PROTOCOLS eager | sed 's/^classic$/eager/' | sort -u); do # cooperative-sticky does not: docs/guide.md
    balance "$protocol" 2
    balance "$protocol" 4
done
