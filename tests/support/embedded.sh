# shellcheck shell=sh
# What scripts on the embedded broker share. Sourced.

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
# await COMMAND...: until it succeeds, at most $tries_most tenths of a second.
tries_most=300
await() {
    tries=0
    until "$@"; do
        tries=$((tries + 1)) && [ "$tries" -lt "$tries_most" ] || fail "waited too long: $*"
        sleep 0.1
    done
}
# lines FILE N: it has so many.
lines() {
    [ "$(wc -l <"$1")" -eq "$2" ] || { cat "$1" >&2 && fail "$1 has not $2 lines"; }
}
# ends PID CODE: in time.
ends() {
    await sh -c "case \$(ps -o stat= -p $1) in Z*|'') ;; *) false ;; esac"
    got=0
    wait "$1" || got=$?
    [ "$got" -eq "$2" ] || { tail -n 20 ./*.log >&2 && fail "exit $got, not $2"; }
}
