#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Adds up the results of make check: totals.sh RESULT.trs...
# Prints the interpreters that were covered (lines "interpreter: ..." in the
# tests' logs) and the counts.

set -eu

results=
logs=
for trs; do
  if [ -e "$trs" ]; then
    results="$results $trs"
    logs="$logs ${trs%.trs}.log"
  fi
done
if [ -z "$results" ]; then
  echo 'no test ran'
  exit 0
fi

# File names without blanks: they are this tree's own.
# shellcheck disable=SC2086
sed -n 's/^\(# \)\{0,1\}interpreter: */interpreter covered: /p' $logs | sort -u

# shellcheck disable=SC2086
awk '
  $1 == ":test-result:" { count[$2]++ }
  END {
    passed = count["PASS"] + count["XFAIL"]
    failed = count["FAIL"] + count["XPASS"] + count["ERROR"]
    line = passed " passed, " failed " failed"
    if (count["SKIP"])
      line = line ", " count["SKIP"] " skipped"
    print line
  }' $results
