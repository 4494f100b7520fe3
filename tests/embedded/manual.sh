#!/bin/sh
# Help, manual pages and completions come from one table: the pages in man/ are those of this program, each help fits a screen and
# ends in examples, each completion script is one that its shell can read.
# quick
# timeout: 60
set -eu

# shellcheck source=tests/support/embedded.sh
. "$ORDERLY_SOURCE_DIR/tests/support/embedded.sh"

commands=$(orderly help 2>/dev/null | sed -n 's/^  \([a-z]*\)  *[a-z].*/\1/p' | grep -v '^orderly$')
[ "$(echo "$commands" | wc -l)" -eq 17 ] || fail "17 commands are contracted, not: $commands"

orderly help --man >page
cmp page "$ORDERLY_SOURCE_DIR/man/orderly.1" || fail "man/orderly.1: tools/man writes it anew"
for command in $commands; do
    orderly help --man "$command" >page
    cmp page "$ORDERLY_SOURCE_DIR/man/orderly-$command.1" || fail "man/orderly-$command.1: tools/man writes it anew"
    orderly "$command" --help >help || fail "no help of $command"
    [ "$(wc -l <help)" -le 40 ] || fail "the help of $command is longer than a screen"
    grep -q '^examples:' help || fail "the help of $command has no examples"
    [ "$(awk '{ if (length($0) > 100) print }' help)" = "" ] || fail "the help of $command is wider than a screen"
    grep -q "^usage: orderly $command" help || fail "the help of $command does not say how it is used"
done

orderly completion bash >completion && bash -n completion
orderly completion zsh >completion.zsh
if command -v zsh >/dev/null; then zsh -n completion.zsh; fi
orderly completion fish >completion.fish
if command -v fish >/dev/null; then fish -n completion.fish; fi
for script in completion completion.zsh completion.fish; do
    grep -q concurrency "$script" || fail "$script does not know --concurrency"
done
# The completion of bash, asked as bash asks it.
bash -c '. ./completion; COMP_WORDS=(orderly run --conc); COMP_CWORD=2; _orderly; echo "${COMPREPLY[@]}"' >words
[ "$(cat words)" = --concurrency ] || fail "bash completes --conc to '$(cat words)'"
echo ok
