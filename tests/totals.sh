#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Adds up the results of make check: totals.sh RESULT.trs...
#
# A test that closes its log with "N passed, N failed" (the integration tests,
# which make thousands of checks) counts with these numbers; of the others,
# every test counts that the driver saw.  Prints what was skipped, the
# interpreters that heaps were read of, and the counts.

set -eu

for trs; do
  [ -e "$trs" ] && echo "$trs"
done | {
  passed=0 failed=0 skipped=0 interpreters=
  while read -r trs; do
    log=${trs%.trs}.log
    # shellcheck disable=SC2046
    set -- $(awk '
      FILENAME ~ /\.trs$/ && $1 == ":test-result:" { count[$2]++ }
      FILENAME ~ /\.log$/ && /^[0-9]+ passed, [0-9]+ failed/ {
        own = 1
        passed = $1
        failed = $3
        skipped = $6 == "skipped" ? $5 : 0
      }
      END {
        bad = count["FAIL"] + count["XPASS"] + count["ERROR"]
        if (!own) {
          passed = count["PASS"] + count["XFAIL"]
          skipped = count["SKIP"] + 0
          failed = bad
        }
        # It failed in another way than by a check.
        if (bad && !failed)
          failed = bad
        print passed, failed, skipped
      }' "$trs" "$log")
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    sed -n -e '/^skipped: /p' -e 's/^ok .*# SKIP/skipped:/p' "$log"
    interpreters="$interpreters
$(sed -n 's/^\([^ ,]*python[0-9.a-z]*\)[ ,].*: [0-9]* objects.*/\1/p' "$log")"
  done
  if [ $((passed + failed + skipped)) -eq 0 ]; then
    echo 'no test ran'
    exit
  fi
  for name in $(echo "$interpreters" | sort -u); do
    echo "heaps of $name ($(PATH=/usr/bin:/usr/local/bin:$PATH "$name" --version 2>&1)) were checked"
  done
  line="$passed passed, $failed failed"
  [ "$skipped" -eq 0 ] || line="$line, $skipped skipped"
  echo "$line"
}
