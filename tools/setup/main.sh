# shellcheck shell=sh
# Sourced by ./run: everything that a bare machine misses. Done once: a stamp named after the hash of these files
# says that there is nothing to do.

setup() {
    stamp="$ORDERLY_CACHE/stamp-$(cat tools/setup/* | cksum | tr ' ' '-')"
    [ ! -e "$stamp" ] || return 0
    mkdir -p "$ORDERLY_CACHE"
    tools/setup/packages
    tools/setup/librdkafka "$ORDERLY_CACHE"
    tools/setup/kafka "$ORDERLY_CACHE"
    : >"$stamp"
}
