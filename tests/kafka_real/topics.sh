#!/bin/sh
# What becomes of topics at run time: a retry topic that is missing, partitions added, a topic deleted and made again, strangers' records and commits.
# timeout: 420
# shellcheck source=tests/support/scenario.sh
. "$ORDERLY_SOURCE_DIR/tests/support/scenario.sh"
count=300
quick='kafka.topic.metadata.refresh.interval.ms=1000'

begin_topics() {
    group=topics-$2-$1-$run_id source=topics-$2-$1-$run_id
    enter "$group"
}

some() { # FIRST COUNT [options]
    first=$1 some_count=$2
    shift 2
    produce --brokers "$ORDERLY_KAFKA" --topic "$source" --out produced --first-id "$first" --count "$some_count" --keys 50 "$@"
}

missing() {
    begin_topics "$1" missing
    topics "$source:2" "$source.$group.dlt:2"
    some 0 "$count"
    start_member m "$1" "$group" "$source" --set retry.in=topic
    wait_gone "$started" 40 || fail "a member without its retry topic goes on: $(tail -n 3 m.log)"
    ! wait "$started" || fail "a member without its retry topic ended well"
    grep -q "$source.$group.retry" m.log || fail "the missing topic is not named: $(tail -n 3 m.log)"
    grep "$source.$group.retry" m.log | tail -n 1
    cd .. || exit
}

growth() {
    begin_topics "$1" growth
    group_topics "$source" 2 "$group"
    start_member m "$1" "$group" "$source" --set $quick
    pid=$started
    some 0 "$count"
    wait_for "the first" 40 finished "$count"
    topic --brokers "$ORDERLY_KAFKA" --grow "$source:6"
    # by partition: a producer that has not seen the new ones yet would not write to them
    some "$count" "$count" --partition 5
    wait_for "records of a new partition" 60 finished $((2 * count))
    stop_member "$pid" m
    check --produced produced --journal journal --expect $((2 * count))
    cd .. || exit
}

# Two topics; one is deleted and comes back.
recreation() {
    begin_topics "$1" recreation
    group_topics "$source" 2 "$group"
    start_member m "$1" "$group" "$source" --set $quick
    pid=$started
    some 0 "$count"
    wait_for "the first" 40 finished "$count"
    topic --brokers "$ORDERLY_KAFKA" --delete "$source"
    say "$source deleted"
    wait_for "it to be noticed" 40 grep -qiE 'topic_missing|unknown topic|UNKNOWN_TOPIC|does not exist|deleted' m.log
    gone "$pid" && fail "the member ended: $(tail -n 3 m.log)"
    topics "$source:2"
    mv produced produced.before
    some "$count" "$count"
    wait_for "the records of the new topic" 60 finished $((2 * count))
    stop_member "$pid" m
    check --produced produced.before --produced produced --journal journal --expect $((2 * count))
    cd .. || exit
}

# A record in our retry topic that another group wrote.
foreign() {
    begin_topics "$1" foreign
    group_topics "$source" 2 "$group"
    produce --brokers "$ORDERLY_KAFKA" --topic "$source.$group.retry" --out strange --first-id 900000 --count 3 --keys 3 \
        --header orderly-group=someone-else
    some 0 "$count"
    start_member m "$1" "$group" "$source" --stats stats
    pid=$started
    wait_for "all" 40 finished "$count"
    wait_for "foreign_retry" 30 grep -q foreign_retry m.log
    stop_member "$pid" m
    grep -q ' 90000[012] ' journal && fail "a stranger's record ran"
    check --produced produced --journal journal --expect "$count"
    cd .. || exit
}

# An offset that another program committed, with a text that is not ours.
strange_commit() {
    begin_topics "$1" commit
    group_topics "$source" 1 "$group"
    some 0 "$count"
    offsets --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" --partition 0 --commit 100 --text 'what others write'
    start_member m "$1" "$group" "$source"
    pid=$started
    wait_for "the rest" 40 finished $((count - 100))
    stop_member "$pid" m
    [ "$(grep -c 'committed map is written by another program' m.log)" -ge 1 ] || fail "a strange text in the commit is not told"
    awk '$3 >= 100' produced >kept && mv kept produced
    check --produced produced --journal journal --expect $((count - 100))
    cd .. || exit
}

for protocol in $PROTOCOLS; do
    for what in ${TOPICS:-missing growth recreation foreign strange_commit}; do
        say "$protocol, $what"
        "$what" "$protocol"
    done
done
