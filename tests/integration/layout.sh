#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Compares the layout tables with the interpreters that are on this machine:
# probe.sh reads the offsets out of an interpreter's DWARF again.

set -u
probe=$(cd "$(dirname "$0")/../.." && pwd)/pyheap/layout/probe.sh
passed=0 failed=0 skipped=0
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

for name in python3.11 python3.11d; do
  # Debian's own first: they are what the tables were made from.
  python=$(PATH=/usr/bin:$PATH command -v "$name") || {
    echo "skipped: layout of $name: not on this machine"
    skipped=$((skipped + 1))
    continue
  }
  sh "$probe" --check "$python" >"$answer" 2>&1
  case $? in
    0)
      echo "layout of $python: $(tail -n 1 "$answer")"
      passed=$((passed + 1))
      ;;
    2)
      echo "skipped: layout of $name: $(tail -n 1 "$answer")"
      skipped=$((skipped + 1))
      ;;
    *)
      echo "FAILED: layout of $python"
      head -n 20 "$answer"
      tail -n 1 "$answer"
      failed=$((failed + 1))
      ;;
  esac
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
