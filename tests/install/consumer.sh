#!/bin/sh
# A consumer project builds against an installed tree, by pkg-config and by CMake, with the shared and the static library,
# and runs. Nothing in the tree may name the folder of the build.
set -eu
prefix=$PWD/prefix
source=$ORDERLY_SOURCE_DIR/tests/install/consumer
cmake --install "$ORDERLY_BUILD_DIR" --prefix "$prefix" >install.log

library=$(dirname "$(find "$prefix" -name liborderly.a)")
export PKG_CONFIG_PATH="$library/pkgconfig:$ORDERLY_CACHE/librdkafka/lib/pkgconfig"
export LD_LIBRARY_PATH="$library"
version=$(pkg-config --modversion orderly)

grep -r "$ORDERLY_BUILD_DIR\|$ORDERLY_SOURCE_DIR" "$prefix/include" "$library/cmake" "$library/pkgconfig" | grep -v "=$prefix" >named || true
[ ! -s named ] || { echo "these name the build's folders:" && cat named && exit 1; }

expect() { # WHAT COMMAND...
    what=$1
    shift
    said=$("$@")
    case $said in
    "$version over librdkafka "*) echo "$what: $said" ;;
    *) echo "$what: unexpected: $said" && exit 1 ;;
    esac
}

# shellcheck disable=SC2046
{
    cc -std=c11 -Wall -Wextra -Wpedantic -Werror "$source/main.c" -o by-pkg-config $(pkg-config --cflags --libs orderly)
    cc -std=c11 "$source/main.c" -o by-pkg-config-static $(pkg-config --cflags orderly) "$library/liborderly.a" \
        $(pkg-config --libs rdkafka) -pthread
}
expect "pkg-config, shared" ./by-pkg-config
readelf -d by-pkg-config | grep -q 'NEEDED.*liborderly\.so\.0' || { echo "the shared library was not used" && exit 1; }
LD_LIBRARY_PATH=$(pkg-config --variable=libdir rdkafka) expect "pkg-config, static" ./by-pkg-config-static

cmake -S "$source" -B consumer -DCMAKE_PREFIX_PATH="$prefix" >cmake.log
cmake --build consumer >>cmake.log || { cat cmake.log && exit 1; }
expect "CMake, shared" consumer/shared
expect "CMake, static" consumer/static
