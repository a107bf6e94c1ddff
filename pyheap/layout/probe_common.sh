# SPDX-License-Identifier: GPL-3.0-or-later
#
# What probe.sh and probe_headers.sh share; sourced by them, with $here set to
# this directory.

# Sets python, full_version, major, minor, debug, free_threaded, layout (the
# name of the data file without .c), ext_suffix, dynload and include.
describe_python() {
  python=$(command -v "$1") || {
    echo "$1: no such program" >&2
    exit 2
  }
  facts_of_python=$("$python" -I -S -c '
import sys, sysconfig
var = sysconfig.get_config_var
print("full_version=\"%s\"" % sys.version.split()[0])
print("major=%d" % sys.version_info[0])
print("minor=%d" % sys.version_info[1])
print("debug=%d" % hasattr(sys, "gettotalrefcount"))
print("free_threaded=%d" % bool(var("Py_GIL_DISABLED")))
print("ext_suffix=\"%s\"" % (var("EXT_SUFFIX") or ".so"))
print("dynload=\"%s\"" % (var("DESTSHARED") or ""))
print("include=\"%s\"" % sysconfig.get_path("include"))
')
  eval "$facts_of_python"
  layout=cpython_${major}_${minor}
  label=$major.$minor
  if [ "$free_threaded" = 1 ]; then
    layout=${layout}_free_threaded
    label="$label free-threaded"
  fi
  if [ "$debug" = 1 ]; then
    layout=${layout}_debug
    label="$label debug"
  fi
}

list_spellings() {
  set -- "$here/facts.def"
  [ ! -f "$here/facts_modules.def" ] || set -- "$@" "$here/facts_modules.def"
  awk -f "$here/probe_facts.awk" "$@"
}

# Turns spellings into gdb commands that print "@ fact value".
emit_gdb() {
  awk -F '\t' '
    $2 != "-" && $2 != file { print "list " $2 ":1"; file = $2 }
    $4 == "-" { printf "printf \"\\n@ %s %%d\\n\", (int)sizeof(%s)\n", $1, $3 }
    $4 != "-" {
      printf "printf \"\\n@ %s %%d\\n\", (int)(long)&((%s *)0)->%s\n", $1, $3, $4
    }'
}

# Prints where the values in file $1 and the built-in ones differ.  With "both",
# a fact that only the data file has is a difference too.
compare_values() {
  data=$here/$layout.c
  if [ ! -f "$data" ]; then
    echo "no built-in layout for $full_version ($layout.c)" >&2
    return 2
  fi
  sed -n 's/^ *\[\(FACT_[A-Za-z0-9_]*\)\] = \([0-9]*\),$/\1 \2/p' "$data" |
    awk -v both="$2" -v data="$layout.c" -v probed="$1" '
      { built_in[$1] = $2 }
      END {
        while ((getline line < probed) > 0) {
          split(line, part, " ")
          found[part[1]] = 1
          compared++
          if (!(part[1] in built_in))
            differ(part[1], "absent", part[2])
          else if (built_in[part[1]] != part[2])
            differ(part[1], built_in[part[1]], part[2])
        }
        if (both == "both")
          for (fact in built_in)
            if (!(fact in found))
              differ(fact, built_in[fact], "absent")
        printf "%d facts compared, %d differ\n", compared, differences
        exit !compared ? 2 : differences > 0
      }
      function differ(fact, old, new) {
        differences++
        printf "%s: %s has %s, the interpreter %s\n", fact, data, old, new
      }'
}

# Writes the data file: values in file $1, provenance $2.
write_layout() {
  as_bool() { if [ "$1" = 1 ]; then echo true; else echo false; fi; }
  cat <<END
/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Written by probe.sh; do not edit.
 * From: $2 */
#include "cpython.h"

/* Facts that are not listed are absent. */
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif

const struct layout layout_$layout = {
    .name = "$label",
    .source = "$2",
    .version = $(printf '0x%02x%02x' "$major" "$minor"),
    .debug = $(as_bool "$debug"),
    .free_threaded = $(as_bool "$free_threaded"),
    .facts = {
        [0 ... FACT_COUNT - 1] = FACT_ABSENT,
END
  # In the order of the definitions, so that versions compare line by line.
  list_spellings | awk -v values="$1" '
    BEGIN {
      while ((getline line < values) > 0) {
        split(line, part, " ")
        value[part[1]] = part[2]
      }
    }
    $1 in value {
      printf "        [%s] = %s,\n", $1, value[$1]
      delete value[$1]
    }'
  printf '    },\n};\n'
}
