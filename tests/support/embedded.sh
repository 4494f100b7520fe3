# shellcheck shell=sh
# What scripts on the embedded broker share. Sourced.

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
await() {
    tries=0
    until "$@"; do
        tries=$((tries + 1)) && [ "$tries" -lt 300 ] || fail "waited too long: $*"
        sleep 0.1
    done
}
# ends PID CODE: in time.
ends() {
    await sh -c "case \$(ps -o stat= -p $1) in Z*|'') ;; *) false ;; esac"
    got=0
    wait "$1" || got=$?
    [ "$got" -eq "$2" ] || { tail -n 20 ./*.log >&2 && fail "exit $got, not $2"; }
}
