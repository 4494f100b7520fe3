# shellcheck shell=sh
# Sourced by ./run: everything that a bare machine misses. Done once: a stamp named after the hash of these files
# says that there is nothing to do.

# setup build: what a build and the demo need; setup check: what tests, lint and measurements need beside it.
setup() {
    stamp="$ORDERLY_CACHE/stamp-$1-$(cat tools/setup/* | cksum | tr ' ' '-')"
    [ ! -e "$stamp" ] || return 0
    mkdir -p "$ORDERLY_CACHE"
    # One set-up at a time, when several checkouts share the cache folder.
    exec 9>"$ORDERLY_CACHE/lock"
    ! command -v flock >/dev/null || flock 9
    tools/setup/packages "$1"
    tools/setup/librdkafka "$ORDERLY_CACHE"
    if [ "$1" = check ]; then
        tools/setup/librdkafka "$ORDERLY_CACHE" thread
        tools/setup/kafka "$ORDERLY_CACHE"
    fi
    : >"$stamp"
    exec 9>&-
}
