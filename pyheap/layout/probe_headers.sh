#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Reads those facts of the facts*.def that an interpreter's own C headers know,
# for interpreters without debug information, and for other builds of the same
# version: compiles offsetof against them.
#
#   probe_headers.sh PYTHON          prints "fact value" lines
#   probe_headers.sh --check PYTHON  compares with the built-in values; exit 1
#                                    when they differ, 2 when nothing can be
#                                    compared
#   probe_headers.sh --as BUILD [--first V] [--last V] PYTHON
#                                    writes cpython_*.c for another build of
#                                    PYTHON's version, BUILD being words of
#                                    "free-threaded trace-refs debug"; what the
#                                    headers do not know is taken from PYTHON's
#                                    own DWARF, with objects' members moved by
#                                    what the build adds to PyObject
#
# CC names the compiler (gcc); INCLUDE the directory of Python.h where PYTHON
# does not know it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cc=${CC:-gcc}

usage() {
  echo "usage: probe_headers.sh [--check | --as BUILD] PYTHON" >&2
  exit 2
}

mode=values as_build='' first='' last=''
while [ $# -gt 1 ]; do
  case $1 in
  --check) mode=check ;;
  --as) mode=write as_build=$2; shift ;;
  --first) first=$2; shift ;;
  --last) last=$2; shift ;;
  *) usage ;;
  esac
  shift
done
[ $# -eq 1 ] || usage
. "$here/probe_common.sh"
describe_python "$1"
include=${INCLUDE:-$include}
if [ ! -f "$include/Python.h" ]; then
  echo "probe_headers.sh: no $include/Python.h" >&2
  exit 2
fi

# A pyconfig.h leaves these undefined where the build is not of their kind.
build_flags=
for word in $as_build; do
  case $word in
  free-threaded) build_flags="$build_flags -DPy_GIL_DISABLED=1" ;;
  trace-refs) build_flags="$build_flags -DPy_TRACE_REFS=1" ;;
  debug) build_flags="$build_flags -DPy_DEBUG=1" ;;
  esac
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Every header there is: which of them has a structure differs by version.
{
  echo '#include <stddef.h>'
  echo '#include <stdio.h>'
  echo '#include <Python.h>'
  for header in structmember.h frameobject.h datetime.h \
    internal/pycore_interp.h internal/pycore_runtime.h; do
    [ ! -f "$include/$header" ] || echo "#include <$header>"
  done
  for header in "$include"/internal/pycore_*.h; do
    case $header in
    # Code with needs of its own, and no structures.
    *_opcode*.h | *_atomic_funcs.h | *_mimalloc.h | *_uop_*.h | \
      *_global_objects_fini* | *_data_registry.h) ;;
    *) [ ! -f "$header" ] || echo "#include <internal/${header##*/}>" ;;
    esac
  done
} >"$work/headers"

# One declaration a line, so that a compiler's error names the fact that these
# headers do not have; those lines go, the others are compiled again.  What is
# in a source file only is not asked for.
list_spellings | awk -F '\t' '$3 == "-"' >"$work/spellings"
awk -F '\t' '{
  if ($5 == "-")
    what = "sizeof(" $4 ")"
  else
    what = "offsetof(" $4 ", " $5 ")"
  printf "enum { fact_%d = (int)%s };\n", NR, what
}' "$work/spellings" >"$work/lines"

compile() {
  # shellcheck disable=SC2086 # options
  "$cc" -std=gnu11 -w $build_flags -fmax-errors=0 -DPy_BUILD_CORE -I"$include" \
    -I"$include/internal" "$@" 2>"$work/errors"
}

cat "$work/headers" "$work/lines" >"$work/probe.c"
skip=$(wc -l <"$work/headers")
LC_ALL=C compile -fsyntax-only "$work/probe.c" || true
sed -n 's/^[^:]*probe\.c:\([0-9]*\):.*error:.*/\1/p' "$work/errors" |
  awk -v skip="$skip" '$1 > skip { print $1 - skip }' | sort -nu >"$work/bad"

{
  cat "$work/headers"
  awk 'NR == FNR { bad[$1]; next } !(FNR in bad)' "$work/bad" "$work/lines"
  echo 'int main(void) {'
  awk -F '\t' 'NR == FNR { bad[$1]; next }
    !(FNR in bad) { printf "  printf(\"%s %%d\\n\", fact_%d);\n", $1, FNR }' \
    "$work/bad" "$work/spellings"
  echo '  return 0;'
  echo '}'
} >"$work/probe.c"
# Linking needs no interpreter: inline functions of the headers go unused.
if ! compile -O1 -o "$work/probe" "$work/probe.c" -Wl,--gc-sections \
  -Wl,--unresolved-symbols=ignore-all; then
  echo "probe_headers.sh: the headers in $include do not compile:" >&2
  head -n 3 "$work/errors" >&2
  exit 2
fi
"$work/probe" | awk '!seen[$1]++' >"$work/values"

# Completes the facts of another build, in values, by those of PYTHON's DWARF.
complete_values() {
  sh "$here/probe.sh" --values "$python" >"$work/dwarf" || exit
  sh "$here/probe.sh" --objects "$python" >"$work/objects" || exit
  list_spellings >"$work/spellings"
  awk '
    FILENAME ~ /spellings$/ { structure[$1] = $2 }
    FILENAME ~ /objects$/ { is_object[$1] }
    FILENAME ~ /values$/ { value[$1] = $2; known[structure[$1]] }
    FILENAME ~ /dwarf$/ { own[$1] = $2 }
    END {
      header = "FACT_PyObject__SIZE"
      grown = value[header] - own[header]
      for (fact in value)
        print fact, value[fact]
      for (fact in own)
        if (!(structure[fact] in known))
          print fact, own[fact] + (structure[fact] in is_object) * grown
    }' "$work/spellings" "$work/objects" "$work/values" "$work/dwarf" \
    >"$work/completed"
}

case $mode in
values) cat "$work/values" ;;
check) compare_values "$work/values" ;;
write)
  complete_values
  write_layout "$work/completed" \
    "headers of $full_version for a $as_build build; modules from its DWARF"
  ;;
esac
