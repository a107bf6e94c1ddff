#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Compares the layout tables with every interpreter that is on this machine:
# probe.sh reads the offsets out of its DWARF again, modules and all, and
# probe_headers.sh compiles offsetof against its headers.
#
#   layout.sh [PYTHON...]
set -u

here=$(cd "$(dirname "$0")" && pwd)
layout=$(cd "$here/../../pyheap/layout" && pwd)
passed=0 failed=0 skipped=0
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# Debian's debug build and what the other integration tests run.
list_interpreters() {
  ls /usr/bin/python3.11d 2>/dev/null
  "${PYTHON:-python3}" -c '
import sys
sys.path.insert(0, sys.argv[1])
import common
print("\n".join(common.interpreters()))' "$here"
}

# check PYTHON WHAT PROBE
check() {
  status=0
  sh "$layout/$3" --check "$1" >"$answer" 2>&1 || status=$?
  case $status in
  0)
    echo "$1: $2: $(tail -n 1 "$answer")"
    passed=$((passed + 1))
    ;;
  2)
    echo "skipped: $1: $2: $(tail -n 1 "$answer")"
    skipped=$((skipped + 1))
    ;;
  *)
    echo "FAILED: $1: $2"
    head -n 20 "$answer"
    tail -n 1 "$answer"
    failed=$((failed + 1))
    ;;
  esac
}

# shellcheck disable=SC2046 # names without blanks
[ $# -gt 0 ] || set -- $(list_interpreters)
for python; do
  check "$python" headers probe_headers.sh
  check "$python" DWARF probe.sh
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
