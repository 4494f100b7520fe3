# shellcheck shell=sh
# Runs the checks of a program (programs/common/actor.h) on a real Kafka, each a process, group and topic of its own, some at a time. Sourced after
# scenario.sh.

# one_check PROGRAM PROTOCOL CHECK PARTITIONS: its sentences on stdout; its talk in CHECK.log.
one_check() {
    program=$1 protocol=$2 check=$3 partitions=$4
    # shellcheck disable=SC2154 # scenario.sh sets it
    name=$1-$3-$2-$run_id
    shift 4
    # one retry partition: some of the source's move, whatever the assignor does first
    topics "$name:$partitions" "$name.$name.retry:1:retention.ms=691200000:retention.bytes=-1" "$name.$name.dlt:1:retention.ms=-1"
    for setting in $(protocol_settings "$protocol"); do
        set -- "$@" --set "$setting"
    done
    # a check that hangs is a failure with a name
    if timeout 120 "$program" --brokers "$ORDERLY_KAFKA" --group "$name" --topic "$name" --partitions "$partitions" --protocol "$protocol" \
        --only "$check" "$@" >"$name.out" 2>"$name.log"; then
        cat "$name.out"
    else
        cat "$name.out"
        tail -n 15 "$name.log"
        echo "FAILED $check ($protocol): exit $?"
    fi
}

# all_checks PROGRAM PROTOCOL: every check of the program, at most $jobs at a time (4).
all_checks() {
    checks_failed=''
    running=''
    for check_name in ${CHECKS:-$("$1" --list 1)}; do
        partitions_wanted=4
        [ "$check_name" != taking_nothing ] || partitions_wanted=1
        [ "$check_name" != retries ] || partitions_wanted=1
        # a round that takes nothing is a thing of cooperative protocols
        [ "$check_name:$2" != taking_nothing:eager ] || continue
        one_check "$1" "$2" "$check_name" "$partitions_wanted" >"$check_name.$2.result" 2>&1 &
        running="$running $!"
        [ "$(echo "$running" | wc -w)" -lt "${JOBS:-4}" ] || { for pid in $running; do wait "$pid" || true; done; running=''; }
    done
    for pid in $running; do wait "$pid" || true; done
    for check_name in ${CHECKS:-$("$1" --list 1)}; do
        [ -f "$check_name.$2.result" ] || continue
        echo "--- $check_name, $2"
        cat "$check_name.$2.result"
        ! grep -q FAILED "$check_name.$2.result" || checks_failed="$checks_failed $check_name"
    done
    [ -z "$checks_failed" ] || fail "$1, $2:$checks_failed"
}
