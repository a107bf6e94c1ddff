#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The truth tests and the check of the layout for every interpreter in
# matrix_interpreters.txt.
#
#   matrix.sh [--prepare | --probe DIRECTORY] [NAME...]
#
#   --prepare  only unpack and compile what is missing
#   --probe    write their layout files into DIRECTORY instead of testing
#   NAME       only these interpreters; a pattern such as '3.14*'
#
# Whole Debian suites are unpacked, and free-threaded and other builds compiled,
# in $MUPPY_MATRIX_CACHE (default: gdb-muppy below the user's cache), some
# gigabytes, once.  That needs root, debootstrap and the Debian archive;
# interpreters that cannot be had are skipped.  MUPPY_MATRIX_TRUTH holds options
# for truth.py.  The exit status is 1 when any interpreter's tests failed or it
# is not supported.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${MUPPY_BUILD:-$PWD}
cache=${MUPPY_MATRIX_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gdb-muppy}
logs=$cache/logs
truth_options=${MUPPY_MATRIX_TRUTH-}
. "$here/matrix_suites.sh"

say() {
  echo "matrix: $*" >&2
}

# Runs a command in a place, from muppy's tree there.
run_in() {
  place=$1
  shift
  if [ "$place" = host ]; then
    (cd "$build" && "$@")
  else
    # shellcheck disable=SC2016
    in_suite "$place" sh -c 'cd /muppy/tree && exec "$@"' sh "$@"
  fi
}

# The Python that runs the tests in a place.
python_of() {
  case $1 in
  host) echo "${PYTHON:-python3}" ;;
  bullseye) echo python3.9 ;;
  *) echo python3.13 ;;
  esac
}

# The path of a program of the table in the host's file system.
path_of() {
  case $1:$2 in
  host:pyenv:*)
    version=${2#pyenv:}
    ls -d "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python3 \
      2>/dev/null | sort -V | tail -n 1
    ;;
  host:*) echo "$2" ;;
  *) echo "$cache/$1$2" ;;
  esac
}

# Makes a suite ready, once; says nothing when that failed before.
prepare_suite() {
  case " $ready " in
  *" $1 "*) return 0 ;;
  esac
  case " $unready " in
  *" $1 "*) return 1 ;;
  esac
  if [ "$(id -u)" -eq 0 ] && unpack_suite "$1" >"$logs/$1" 2>&1 &&
    install_packages "$1" >>"$logs/$1" 2>&1 &&
    copy_tree "$1" >>"$logs/$1" 2>&1 &&
    { [ $action = probe ] || compile_muppy "$1" >>"$logs/$1" 2>&1; }; then
    ready="$ready $1"
  else
    unready="$unready $1"
    say "$1 is not ready: $(tail -n 1 "$logs/$1" 2>/dev/null)"
    return 1
  fi
}

# Sets why when the row's interpreter cannot be had.
prepare() {
  why=
  if [ "$place" != host ]; then
    if [ "$(id -u)" -ne 0 ]; then
      why="needs root"
    elif ! prepare_suite "$place"; then
      why="$place could not be made ready, see $logs/$place"
    elif [ "$origin" != - ] && [ "$origin" != as ] &&
      ! compile_python "$place" "${program%/bin/*}" "$origin" $options \
        >"$logs/$name.build" 2>&1; then
      why="no $origin in the archive, or it does not compile"
    fi
  fi
  path=$(path_of "$place" "$program")
  if [ -z "$why" ] && [ ! -x "$path" ]; then
    why="not on this machine"
  fi
  if [ "$place" = host ]; then
    program=$path
  fi
}

# What the log of truth.py says, as one row of the table.
report() {
  awk -v name="$name" -v version="$version" -v layout="$layout_said" '
    function percent(part, whole) {
      return whole ? sprintf("%.2f %%", int(10000 * part / whole) / 100) : "-"
    }
    / in the truth, exported in / { runs++ }
    # The first comparison is that of the zoo in a kernel core.
    / objects exact$/ {
      part = $(NF - 4)
      whole = $(NF - 2)
      if (!objects) {
        objects = whole
        exact = part
      }
    }
    / refcounts +[0-9.]+ %/ && explained == "" {
      match($0, /refcounts +[0-9.]+ %/)
      explained = substr($0, RSTART, RLENGTH)
      sub(/refcounts +/, "", explained)
    }
    / not supported/ { unsupported = 1 }
    /^[0-9]+ passed, [0-9]+ failed/ { passed = $1; failed = $3 }
    END {
      if (unsupported && !objects)
        verdict = "not supported yet"
      else
        verdict = sprintf("%d passed, %d failed", passed, failed)
      printf "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, version, layout,
        objects ? objects : "-", percent(exact, objects),
        explained == "" ? "-" : explained, verdict
      exit !(passed && !failed && !unsupported)
    }' "$1"
}

test_row() {
  version=$(run_in "$place" "$program" -I -S -c '
import sys
print(sys.version.split()[0])')
  run_in "$place" sh pyheap/layout/probe.sh --check "$program" \
    >"$logs/$name.layout" 2>&1 </dev/null
  case $? in
  0) layout_said=agrees ;;
  1) layout_said="$(tail -n 1 "$logs/$name.layout" | sed 's/.*, //')" ;;
  *) layout_said=none ;;
  esac
  # shellcheck disable=SC2086 # options
  run_in "$place" "$(python_of "$place")" -B tests/integration/truth.py \
    --python "$program" $truth_options >"$logs/$name.log" 2>&1 </dev/null
  report "$logs/$name.log" >>"$table" || failed=$((failed + 1))
}

probe_row() {
  first=${versions%-*} last=${versions#*-}
  set -- ${first:+--first "$first"} ${last:+--last "$last"} "$program"
  probe=probe.sh
  if [ "$origin" = as ]; then
    probe=probe_headers.sh
    set -- --as "$options" "$@"
  fi
  run_in "$place" sh "pyheap/layout/$probe" "$@" \
    </dev/null >"$layouts/new" || return
  layout=$(sed -n 's/^const struct layout layout_\(.*\) = {/\1/p' "$layouts/new")
  mv "$layouts/new" "$layouts/$layout.c"
  echo "$name: $layout.c"
}

action=test layouts=
case ${1-} in
--prepare) action=prepare; shift ;;
--probe) action=probe layouts=$2; shift 2; mkdir -p "$layouts" || exit ;;
-*) sed -n 's/^# \{0,1\}//; 5,7p' "$0" >&2; exit 2 ;;
esac

mkdir -p "$logs" || exit
# One at a time, for the suites hold one tree each.
exec 9>"$cache/lock"
flock 9
table=$(mktemp)
trap 'rm -f "$table"' EXIT
printf 'interpreter\tversion\tlayout\tobjects\texact\trefcounts\ttests\n' >"$table"
ready='' unready='' failed=0

wanted() {
  [ $# -gt 0 ] || return 0
  for pattern; do
    # shellcheck disable=SC2254 # a pattern
    case $name in
    $pattern) return 0 ;;
    esac
  done
  return 1
}

while read -r name place program versions origin options <&3; do
  case $name in
  '' | '#'*) continue ;;
  esac
  wanted "$@" || continue
  # Rows for their layout only, and rows without one.
  case $action:$origin:$versions in
  probe:*:none) continue ;;
  probe:*) ;;
  *:as:*) continue ;;
  esac
  prepare
  if [ -n "$why" ]; then
    say "$name: skipped: $why"
    printf '%s\t-\t-\t-\t-\t-\tskipped: %s\n' "$name" "$why" >>"$table"
  elif [ $action = test ]; then
    say "$name"
    test_row
  elif [ $action = probe ]; then
    probe_row
  fi
done 3<"$here/matrix_interpreters.txt"

if [ $action = test ]; then
  column -t -s "$(printf '\t')" "$table"
fi
[ "$failed" -eq 0 ]
