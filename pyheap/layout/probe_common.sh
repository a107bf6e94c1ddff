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
    $3 != "-" && $3 != file { print "list " $3 ":1"; file = $3 }
    $5 == "-" { printf "printf \"\\n@ %s %%d\\n\", (int)sizeof(%s)\n", $1, $4 }
    $5 != "-" {
      printf "printf \"\\n@ %s %%d\\n\", (int)(long)&((%s *)0)->%s\n", $1, $4, $5
    }'
}

# Prints where the values in file $1 and the built-in ones differ.  Structures
# that only one of them has are no difference unless $2 is "all": another build
# may lack a module, and headers lack what is private.
compare_values() {
  data=$here/$layout.c
  if [ ! -f "$data" ]; then
    echo "no built-in layout for $full_version ($layout.c)" >&2
    return 2
  fi
  {
    list_spellings | awk -F '\t' '{ print "structure", $1, $2 }'
    sed -n 's/^ *\[\(FACT_[A-Za-z0-9_]*\)\] = \([0-9]*\),$/old \1 \2/p' "$data"
    sed 's/^/new /' "$1"
  } | awk -v all="$([ "$2" = all ] && echo 1)" -v data="$layout.c" '
    function differ(fact, old, new) {
      differences++
      printf "%s: %s has %s, the interpreter %s\n", fact, data, old, new
    }
    $1 == "structure" { structure[$2] = $3 }
    $1 == "old" { old[$2] = $3; has_old[structure[$2]] = 1 }
    $1 == "new" { new[$2] = $3; has_new[structure[$2]] = 1 }
    END {
      for (fact in new) {
        if (fact in old) {
          compared++
          if (old[fact] != new[fact])
            differ(fact, old[fact], new[fact])
        } else if (all || structure[fact] in has_old)
          differ(fact, "absent", new[fact])
      }
      for (fact in old)
        if (!(fact in new) && (all || structure[fact] in has_new))
          differ(fact, old[fact], "absent")
      printf "%d facts compared, %d differ\n", compared, differences
      exit !compared ? 2 : differences > 0
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
