# shellcheck shell=sh
# Sourced by ./run: configure, build, test.

jobs=$(nproc 2>/dev/null || echo 2)

build() {
    preset=$1
    [ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" >/dev/null
    cmake --build "build/$preset" -j "$jobs" -- --quiet -k 0
}

# ctest in a preset: the closing line of ctest is the verdict. In CI, where tests share processors, what failed is run
# again, alone, twice at most: then it fails for a reason of its own, or is named as one that needs looking at.
tests_of() {
    preset=$1
    shift
    build "$preset"
    ctest --test-dir "build/$preset" --output-on-failure -j "$jobs" "$@" && return 0
    [ -n "${CI:-}" ] || return 1
    failed=$(sed 's/^[0-9]*://' "build/$preset/Testing/Temporary/LastTestsFailed.log" | tr '\n' ' ')
    echo "FAILED beside others, run again alone ($preset): $failed"
    ctest --test-dir "build/$preset" --output-on-failure -j 1 --rerun-failed --repeat until-pass:2 || return 1
    echo "PASSED only alone ($preset), to be looked at: $failed"
}

run_tests() {
    case ${1:-all} in
    all)
        tests_of dev
        tests_of asan -LE 'real|install|tools'
        tests_of tsan -L 'threads'
        ;;
    quick) tests_of dev -L quick ;;
    dev | release | asan | tsan) tests_of "$@" ;;
    *) echo "run: test what? quick, or a preset (dev, release, asan, tsan)" >&2 && exit 2 ;;
    esac
}
