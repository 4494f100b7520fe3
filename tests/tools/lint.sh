#!/bin/sh
# quick
# The checks of tools/lint see what they are for: each passes on a clean tree and fails on a planted fault.
set -eu
mkdir -p tree/tools tree/src/core tree/src/daemon tree/include/orderly tree/tests/core
cp -r "$ORDERLY_SOURCE_DIR/tools/lint" tree/tools/
cp "$ORDERLY_SOURCE_DIR/.clang-format" tree/
cd tree
git init -q .

cat >src/core/good.c <<'C'
#include "core/good.h"

#include <string.h>

int od_good(int value)
{
    return value + 1;
}
C
cat >include/orderly/good.h <<'C'
/* What it does. */
int orderly_good(int value);
C
cat >include/orderly/orderly.h <<'C'
#include <stdbool.h>
#include <stddef.h>
enum orderly_err { OK };
struct orderly;
struct orderly_config;
struct orderly_batch;
struct orderly_record;
struct orderly_partition;
C
echo 'struct orderly_broker;' >include/orderly/testing.h
mkdir -p docs
printf '```c\nstatic int twice(int value)\n{\n    return 2 * value;\n}\n\nsnippet();\n(void)twice(2);\n```\n' >docs/good.md
printf '#!/bin/sh\nset -eu\necho ok\n' >tests/good.sh
mkdir -p tests/core
cat >tests/core/good_test.c <<'C'
#include "orderly/good.h"

int main(void)
{
    return orderly_good(1);
}
C
git add .

passes() {
    tools/lint/"$1" >out 2>&1 || { echo "$1 fails on a clean tree:" && cat out && exit 1; }
}

# fails CHECK FILE EXPECTED: FILE's text is on stdin.
fails() {
    mkdir -p "$(dirname "$2")"
    cat >"$2"
    git add "$2"
    if tools/lint/"$1" >out 2>&1; then echo "$1 passes with a fault in $2" && exit 1; fi
    grep -q "$3" out || { echo "$1 does not say '$3':" && cat out && exit 1; }
    git rm -qf "$2"
    passes "$1"
    echo "ok: $1 sees $2"
}

for check in words lengths layers docs tested guarantees snippets shell format; do passes "$check"; done

echo "see /""home/anna/notes" | fails words src/core/path.h 'src/core/path.h:1:'
echo "get it from deb"".debian.org" | fails words README.md 'README.md:1:'
echo 'void f(void) { sleep(1); }' | fails words tests/core/slow_test.c 'a test that sleeps'
{ printf 'int od_long(int value)\n{\n' && yes '    value++;' | head -n 70 && printf '    return value;\n}\n'; } |
    fails lengths src/core/long.c 'a function of 73 lines: int od_long'
yes '/* a line */' | head -n 600 | fails lengths src/core/long.h 'a file of 600 lines'
echo '#include "kafka/engine.h"' | fails layers src/core/up.c 'may not include kafka/engine.h'
echo '#include <pthread.h>' | fails layers src/core/thread.c 'the core is pure'
echo '#include <librdkafka/rdkafka.h>' | fails layers src/runtime/engine.c 'only src/kafka'
echo '#include "base/text.h"' | fails layers src/daemon/text.c 'may not include base/text.h'
printf '/* One. */\nint orderly_one(void);\n\nint orderly_two(void);\n' | fails docs include/orderly/two.h 'orderly_two() has no comment'
printf '/* One. */\nint orderly_one(void);\n' | fails tested include/orderly/one.h 'orderly_one() is called by no test'
printf '    X(ODD, 1, "odd")\n' | fails tested include/orderly/odd.h 'ORDERLY_ODD is expected by no test'
# shellcheck disable=SC2016 # the quotes of Markdown
{
    printf '```c\nresult = orderly_gone(member);\n```\n' | fails snippets docs/bad.md 'docs/bad.md:2:.*orderly_gone'
    mkdir -p tests/runtime
    echo 'cmocka_unit_test(it_holds), cmocka_unit_test_setup(it_holds_too, begin)' >tests/runtime/it_test.c
    echo 'cmocka_unit_test(it_adds)' >tests/core/add_test.c
    git add tests
    promise() { printf '| | sentence | seen by |\n|---|---|---|\n| G-01 | It holds. | `it_holds`, `it_holds_too` |\n%s\n' "$1"; }
    promise '| G-02 | It adds. | `it_adds` |' | fails guarantees docs/guarantees.md 'G-02: none of its tests runs under'
    promise '| G-02 | It goes. | `it_holds`, `it_goes` |' | fails guarantees docs/guarantees.md 'G-02: no test runs as it_goes'
    promise '| G-03 | It counts. | `it_holds` |' | fails guarantees docs/guarantees.md 'G-03 is not the next number'
    git rm -qf tests/runtime/it_test.c tests/core/add_test.c
}
# shellcheck disable=SC2016
printf '#!/bin/sh\nif true; then echo $(ls\n' | fails shell tests/bad.sh ''
printf 'int  od_spaces( void ) ;\n' | fails format src/core/spaces.h 'spaces.h'
