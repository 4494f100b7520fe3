# shellcheck shell=sh
# What the scripts on a real Kafka share. Sourced. Needs ORDERLY_KAFKA; the working directory is the test's own.
#   PROTOCOLS   which group protocols to run ("classic consumer" by default; also: eager static)
#   SCALE=full  the sizes of the issues instead of CI's
set -eu
: "${ORDERLY_KAFKA:?}"
PROTOCOLS=${PROTOCOLS:-classic consumer}
SCALE=${SCALE:-ci}
# A planned change needs no session to end, so a machine that stands still for some seconds evicts nobody; scripts that kill set less.
SESSION_MS=${SESSION_MS:-15000}
# shellcheck disable=SC2034 # the scripts use it
run_id=$(basename "$PWD")-$$
members=''

say() {
    echo "[$(date +%H:%M:%S)] $*"
}

fail() {
    say "FAILED: $*" >&2
    exit 1
}

full() {
    [ "$SCALE" = full ]
}

# Every process a script started is ended with it, by its own id.
end_all() {
    for pid in $members; do
        kill -KILL "$pid" 2>/dev/null || true
    done
}
trap end_all EXIT
trap 'exit 1' INT TERM

# enter NAME: into a new folder of the test.
enter() {
    mkdir "$1"
    cd "$1" || exit
}

# topics NAME:PARTITIONS[:CONFIG=VALUE]...
topics() {
    for spec in "$@"; do
        topic --brokers "$ORDERLY_KAFKA" --make "$spec"
    done
}

# The topics a group needs for source $1 with $2 partitions, group $3.
group_topics() {
    topics "$1:$2" "$1.$3.retry:$2:retention.ms=691200000:retention.bytes=-1" "$1.$3.dlt:$2:retention.ms=-1"
}

# The settings that make a group of protocol $1, one a line.
protocol_settings() {
    case $1 in
    classic) set -- kafka.partition.assignment.strategy=cooperative-sticky kafka.session.timeout.ms=$SESSION_MS kafka.heartbeat.interval.ms=500 ;;
    eager) set -- kafka.partition.assignment.strategy=range kafka.session.timeout.ms=$SESSION_MS kafka.heartbeat.interval.ms=500 ;;
    # the others wait until the session of a static member that left has ended
    static) set -- kafka.partition.assignment.strategy=cooperative-sticky kafka.session.timeout.ms=6000 kafka.heartbeat.interval.ms=500 ;;
    consumer) set -- kafka.group.protocol=consumer ;;
    *) fail "unknown protocol $1" ;;
    esac
    printf '%s\n' "$@"
}

# start_member NAME PROTOCOL GROUP TOPIC [member's options]: its process id in $started, its log in NAME.log.
start_member() {
    name=$1 protocol=$2 group=$3 source=$4
    shift 4
    for setting in $(protocol_settings "$protocol"); do
        set -- "$@" --set "$setting"
    done
    [ "$protocol" != static ] || set -- "$@" --set "kafka.group.instance.id=$name"
    member --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" --journal journal "$@" >>"$name.log" 2>&1 &
    started=$!
    members="$members $started"
}

# start_orderly NAME PROTOCOL GROUP TOPIC [options of orderly run] -- COMMAND...
start_orderly() {
    name=$1 protocol=$2 group=$3 source=$4
    shift 4
    for setting in $(protocol_settings "$protocol"); do
        set -- --set "$setting" "$@"
    done
    orderly run --brokers "$ORDERLY_KAFKA" --group "$group" --topic "$source" --start earliest --admin off "$@" >>"$name.log" 2>&1 &
    started=$!
    members="$members $started"
}

# stop_member PID NAME [seconds]: SIGTERM and wait for its end; fails when it does not end in time, or with another code than $ENDS
# (0 when not set).
stop_member() {
    kill -TERM "$1"
    wait_gone "$1" "${3:-60}" || fail "member $2 did not leave within ${3:-60} s: $(tail -3 "$2.log")"
    code=0
    wait "$1" || code=$?
    [ "$code" = "${ENDS:-0}" ] || fail "member $2 ended with $code: $(tail -3 "$2.log")"
}

# remove: the oldest of $alive ("PID:NAME ...") leaves.
remove() {
    # shellcheck disable=SC2086 # a list
    set -- $alive
    oldest=$1
    shift
    alive=$*
    say "${oldest#*:} leaves"
    stop_member "${oldest%:*}" "${oldest#*:}"
}

# gone PID: that child has ended (until it is waited for it is a zombie).
gone() {
    case $(ps -o stat= -p "$1" || true) in
    Z* | '') return 0 ;;
    *) return 1 ;;
    esac
}

# wait_gone PID SECONDS: 1 when it is still there then.
wait_gone() {
    deadline=$(($(date +%s) + $2))
    until gone "$1"; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

# wait_for WHAT SECONDS COMMAND...: until the command succeeds.
wait_for() {
    what=$1 deadline=$(($(date +%s) + $2))
    shift 2
    until "$@"; do
        [ "$(date +%s)" -lt "$deadline" ] || fail "$what did not happen in time"
        sleep 0.1
    done
}

# count_lines PATTERN FILE: 0 when there is no file.
count_lines() {
    if [ -f "$2" ]; then grep -c "$1" "$2" || true; else echo 0; fi
}

# finished N: at least N runs have come to a record's end in the journal (acks, drops, dead letters; retries do not count).
finished() {
    [ "$(count_lines '^E [0-9]* [0-9]* [0-9]* [0-9]* [ADP] ' journal)" -ge "$1" ]
}

# all_finished N: N different records have; for scenarios in which records may be repeated.
all_finished() {
    finished "$1" && [ "$(awk '$1 == "E" && $6 ~ /[ADP]/ && !seen[$4]++ { n++ } END { print n + 0 }' journal)" -ge "$1" ]
}

# begun N: at least N runs have begun.
begun() {
    [ "$(count_lines '^B ' journal)" -ge "$1" ]
}
