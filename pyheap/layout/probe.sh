#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Reads the facts of the facts*.def from the DWARF of an interpreter, with gdb.
#
#   probe.sh [--first VERSION] [--last VERSION] PYTHON
#                             writes cpython_*.c to standard output; with the
#                             versions, 3.13.5, that it is for when they are not
#                             all of 3.13
#   probe.sh --check PYTHON   compares with the built-in values; exit 1 when
#                             they differ, 2 when nothing can be compared
#   probe.sh --values PYTHON  prints "fact value" lines
#   probe.sh --objects PYTHON prints the names of the structures of objects
#
# PYTHON is a program that can be run; its debug information is found by gdb
# (in the file, by build-id under the debug directories, or through debuginfod
# when that is set up).  Facts that it does not know are left out, which means
# FACT_ABSENT.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
gdb=${GDB:-gdb}

usage() {
  echo "usage: probe.sh [--check|--values|--objects] [--first V] [--last V] PYTHON" >&2
  exit 2
}

mode=write first='' last=''
while [ $# -gt 1 ]; do
  case $1 in
  --check) mode=check ;;
  --values) mode=values ;;
  --objects) mode=objects ;;
  --first) first=$2; shift ;;
  --last) last=$2; shift ;;
  *) usage ;;
  esac
  shift
done
[ $# -eq 1 ] || usage
. "$here/probe_common.sh"
describe_python "$1"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
list_spellings >"$work/spellings"
: >"$work/out" >"$work/errors"

# The library that holds the interpreter, if it is shared, holds its types too.
program=$(ldd "$python" 2>/dev/null |
  awk '$1 ~ /^libpython/ && $3 ~ /^\// { print $3; exit }')
[ -n "$program" ] || program=$(readlink -f "$python")

# Extension modules are mapped at addresses that do not overlap; only their
# types matter.  Names of one file only come last: "list" changes the file that
# gdb prefers.
{
  echo "set confirm off"
  echo "set width 0"
  echo "set max-value-size unlimited"
  echo "file $program"
  base=$((0x100000000))
  for module in "$dynload"/*"$ext_suffix"; do
    [ -f "$module" ] || continue
    base=$((base + 0x10000000))
    echo "add-symbol-file $module $base"
  done
  [ "$mode" != objects ] || emit_types <"$work/spellings"
  awk -F '\t' '$3 == "-"' "$work/spellings" | emit_gdb
  awk -F '\t' '$3 != "-"' "$work/spellings" | emit_gdb
} >"$work/script"

# What is in one extension module only is looked up in that module alone, too:
# after link-time optimisation "list" does not lead gdb to a file's types.
for module in "$dynload"/*"$ext_suffix"; do
  name=${module##*/}
  awk -F '\t' -v OFS='\t' -v name="${name%%.*}" '{
    base = $3
    sub(/(module)?\.c$/, "", base)
    if ($3 == "-" || (base != name && "_" base != name))
      next
    $3 = "-"
    print
  }' "$work/spellings" >"$work/own"
  [ -s "$work/own" ] && [ -f "$module" ] || continue
  echo "file $module"
  emit_gdb <"$work/own"
done >"$work/own_script"
{
  echo "set confirm off"
  echo "set width 0"
  cat "$work/own_script"
} | "$gdb" -nx -q >>"$work/out" 2>>"$work/errors" || true

# Errors of single commands are expected and do not stop a script on stdin.
"$gdb" -nx -q <"$work/script" >>"$work/out" 2>>"$work/errors" || true
facts_of_output "$work/out" >"$work/values"
if ! grep -q '^FACT_PyObject__SIZE ' "$work/values"; then
  echo "probe.sh: $program has no debug information that gdb finds" >&2
  exit 2
fi

build_id=$(readelf -n "$program" 2>/dev/null |
  awk '/Build ID:/ { print $3; exit }')
case $mode in
values) cat "$work/values" ;;
objects) objects_of_output "$work/out" ;;
check) compare_values "$work/values" "$build_id" ;;
write)
  write_layout "$work/values" \
    "DWARF of ${program##*/}, $full_version, build-id ${build_id:-none}"
  ;;
esac
