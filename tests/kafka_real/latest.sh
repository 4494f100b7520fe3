#!/bin/sh
# Members of a new group that start at the same moment with start=latest: nothing of what was there before runs, everything since the first commit does.
# timeout: 300
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
if full; then rounds=5 old=12000 count=6000; else rounds=2 old=2400 count=1200; fi

# begun_at_the_end: the group has a committed offset.
begun_at_the_end() {
    offsets --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" >committed && grep -q '^[0-9]* [0-9]' committed
}

latest() {
    protocol=$1 group=latest-$1-$2-$run_id source=latest-$1-$2-$run_id
    enter "$group"
    group_topics "$source" 12 "$group"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out old --count "$old" --keys 1000
    for i in 1 2 3; do
        start_member "m$i" "$protocol" "$group" "$source" --set start=latest
        eval "m$i=$started"
    done
    wait_for "the first commit" 60 begun_at_the_end
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --first-id "$old" --count "$count" --keys 1000
    wait_for "the end of all new records" 90 finished "$count"
    for i in 1 2 3; do
        eval stop_member "\$m$i" "m$i"
    done
    awk -v old="$old" '$1 == "B" && $7 < old { n++ } END { if (n) { print n " records from before ran"; exit 1 } }' journal ||
        fail "the group did not begin at the end"
    check --produced produced --journal journal --expect "$count"
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    for round in $(seq "$rounds"); do
        say "$protocol, round $round"
        latest "$protocol" "$round"
    done
done
