#!/bin/sh
# The demo ends well, and its summary has the figures that were promised.
# timeout: 120
# alone
# not sanitized
set -eu
orderly demo --seconds 8 --exit >out 2>err || { cat out err >&2 && exit 1; }
for line in 'records in  *320' 'lost  *0  *as promised' 'repeated  *0  *as promised' 'early  *0  *as promised' \
    'rolling restart  *3 ' 'all is as promised'; do
    grep -q "$line" out || { cat out err >&2 && echo "FAILED: no '$line'" >&2 && exit 1; }
done
grep -q 'dead-lettered  *[1-9]' out && grep -q 'retried  *[1-9]' out && grep -q 'parked at peak  *[1-9]' out
echo ok
