#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The demonstration: a leaking service, its core file, and what muppy says of
# it in gdb.  Run by "make demo", which sets MUPPY, MUPPY_GDB, PYTHON, GDB and
# srcdir; leaves the core file in demo/ of the build directory.

set -eu
unset DEBUGINFOD_URLS # gdb is not to download anything.

directory=$PWD/demo
core=$directory/core
service=$srcdir/fixtures/service.py
READY_SECONDS=60

die() {
  echo "demo: $*" >&2
  exit 1
}

bold() {
  if [ -t 1 ]; then
    printf '\n\033[1m%s\033[0m\n' "$*"
  else
    printf '\n%s\n' "$*"
  fi
}

# Waits until the file $1 exists, as long as process $2 lives.
wait_for() {
  tenths=$((READY_SECONDS * 10))
  while [ ! -e "$1" ]; do
    kill -0 "$2" 2>/dev/null || return 1
    tenths=$((tenths - 1))
    [ "$tenths" -gt 0 ] || return 1
    sleep 0.1
  done
}

take_core() {
  "$PYTHON" "$service" --ready "$directory/ready" >"$directory/service.log" 2>&1 &
  pid=$!
  trap 'kill -9 "$pid" 2>/dev/null || true' EXIT
  wait_for "$directory/ready" "$pid" || {
    cat "$directory/service.log" >&2
    die "the service did not start"
  }
  cat "$directory/service.log"
  "$GDB" -nx -q -batch -p "$pid" -ex "gcore $core" \
    >"$directory/gcore.log" 2>&1 </dev/null || true
  if [ ! -s "$core" ]; then
    cat "$directory/gcore.log" >&2
    die "gdb could not take the core file (is it allowed to attach? see /proc/sys/kernel/yama/ptrace_scope)"
  fi
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
  trap - EXIT
}

# Runs commands in gdb, each shown as if it had been typed.
in_gdb() {
  count=$#
  for command; do
    set -- "$@" -ex "echo \\n(gdb) $command\\n" -ex "$command"
  done
  shift "$count"
  "$GDB" -nx -q -batch -ex 'set width 100' -x "$MUPPY_GDB" "$@" \
    "$program" "$core" 2>"$directory/gdb.log" </dev/null >"$directory/answer" || {
    cat "$directory/answer" "$directory/gdb.log" >&2
    die "gdb failed"
  }
  # Without what gdb says about the threads of the core file.
  sed '/^(gdb) muppy/,$!d' "$directory/answer"
}

[ -n "${GDB:-}" ] || die "gdb is not installed"
[ -n "${PYTHON:-}" ] || die "python3.11 is not installed"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
  die "this version reads CPython 3.11, and $PYTHON is another: run configure with PYTHON=/path/to/python3.11"
program=$("$PYTHON" -c 'import os, sys; print(os.path.realpath(sys.executable))')

rm -rf "$directory"
mkdir "$directory"

bold "A web service that leaks, and its core file:"
take_core
ls -sh "$core"

bold "What fills its memory?"
in_gdb 'muppy summary -limit 12'

bold "Thousands of sessions.  Some of them:"
in_gdb 'muppy filter app.models.Session -limit 5'

session=$("$MUPPY" --core="$core" filter app.models.Session --limit=1 |
  grep -o '0x[0-9a-f]*' | head -n 1)
[ -n "$session" ] || die "no session found"
bold "What keeps the first one alive?"
in_gdb "muppy refs $session -depth 2 -limit 6"

dict=$("$MUPPY" --core="$core" refs "$session" --depth=1 |
  sed -n 's/.* in dict \(0x[0-9a-f]*\).*/\1/p' | head -n 1)
[ -n "$dict" ] || die "no dict holds the session"
bold "Requests that are being served, and a dict.  What keeps the dict?"
in_gdb "muppy refs $dict -depth 3"

bold "Go on yourself:"
cat <<END
  $GDB -x $MUPPY_GDB $program $core

  (gdb) help muppy
  (gdb) muppy info
  (gdb) muppy object $session

or without gdb:

  $MUPPY --core=$core summary
END
