# SPDX-License-Identifier: GPL-3.0-or-later
#
# What probe.sh and probe_headers.sh share; sourced by them, with $here set to
# this directory.

# Sets python, full_version, major, minor, hexversion, debug, free_threaded,
# trace_refs, layout (the name of the data file without .c), label, ext_suffix,
# dynload and include.  With first and last set to versions, "3.13.5", the
# layout is that of these and those between; without, of all of 3.13.  With
# as_build set to words of "free-threaded trace-refs debug", it is that of such
# a build of the same version.
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
print("hexversion=0x%08x" % sys.hexversion)
print("trace_refs=%d" % hasattr(sys, "getobjects"))
print("debug=%d" % hasattr(sys, "gettotalrefcount"))
print("free_threaded=%d" % bool(var("Py_GIL_DISABLED")))
print("ext_suffix=\"%s\"" % (var("EXT_SUFFIX") or ".so"))
print("dynload=\"%s\"" % (var("DESTSHARED") or ""))
print("include=\"%s\"" % sysconfig.get_path("include"))
')
  eval "$facts_of_python"
  for word in ${as_build-}; do
    case $word in
    free-threaded) free_threaded=1 ;;
    trace-refs) trace_refs=1 ;;
    debug) debug=1 ;;
    *) echo "$word: no such build" >&2; exit 2 ;;
    esac
  done
  label=$major.$minor
  if [ -n "${first-}" ]; then
    label=$first
  fi
  if [ "$free_threaded" = 1 ]; then
    label=${label}t
  fi
  if [ "$trace_refs" = 1 ]; then
    label="$label trace-refs"
  fi
  if [ "$debug" = 1 ]; then
    label="$label debug"
  fi
  layout=cpython_$(echo "$label" | tr '. -' '___')
}

# The value of sys.hexversion of the final version $1, "3.13.5".
hexversion_of() {
  echo "$1" | awk -F . '{ printf "0x%02x%02x%02xf0", $1, $2, $3 }'
}

as_bool() {
  if [ "$1" = 1 ]; then echo true; else echo false; fi
}

# The data files that are for the described interpreter.
data_files() {
  version=$(printf '0x%02x%02x' "$major" "$minor")
  for data in "$here/cpython_${major}_${minor}"[._t]*c; do
    if grep -q "\.version = $version," "$data" &&
      grep -q "\.debug = $(as_bool "$debug")," "$data" &&
      grep -q "\.free_threaded = $(as_bool "$free_threaded")," "$data" &&
      grep -q "\.trace_refs = $(as_bool "$trace_refs")," "$data"; then
      echo "$data"
    fi
  done
}

list_spellings() {
  awk -f "$here/probe_facts.awk" \
    "$here/facts.def" "$here/facts_modules.def" "$here/facts_self.def"
}

# Turns spellings into gdb commands that print "@ fact value", and "@scope file"
# with what gdb says of the file that it then looks into.
emit_gdb() {
  awk -F '\t' '
    $3 != "-" && $3 != file {
      file = $3
      printf "list %s:1\nprintf \"\\n@scope %s\\n\"\ninfo source\n", file, file
    }
    $5 == "-" { printf "printf \"\\n@ %s %%d\\n\", (int)sizeof(%s)\n", $1, $4 }
    $5 != "-" {
      printf "printf \"\\n@ %s %%d\\n\", (int)(long)&((%s *)0)->%s\n", $1, $4, $5
    }'
}

# Turns spellings into gdb commands that print "@type structure" and the type.
emit_types() {
  awk -F '\t' '
    $3 == "-" && !(($2, $4) in seen) {
      seen[$2, $4]
      printf "printf \"\\n@type %s\\n\"\nptype %s\n", $2, $4
    }'
}

# What gdb printed, as "fact value" lines.  Of alternatives, which come in order
# of preference, the first that exists counts; what was to come from a file that
# is not in the program does not.
facts_of_output() {
  awk '
    { sub(/^(\(gdb\) )+/, "") }
    $1 == "@scope" {
      wanted = $2
      file = ""
    }
    wanted != "" && sub(/^Current source file is /, "") { file = $0 }
    /^@ FACT_/ && $3 ~ /^[0-9]+$/ && !($2 in seen) {
      tail = substr("/" file, length(file) + 1 - length(wanted))
      if (wanted != "" && tail != "/" wanted)
        next
      seen[$2]
      print $2, $3
    }' "$1" | without_strangers
}

# Leaves out sizes of one file's structures when none of their members was
# found: after link-time optimization gdb may take another file's structure of
# the same name.
without_strangers() {
  list_spellings >"$work/all_spellings"
  awk '
    FILENAME != "-" {
      structure[$1] = $2
      if ($3 != "-" && $1 !~ /__SIZE$/)
        needed[$2]
      next
    }
    $1 !~ /__SIZE$/ { found[structure[$1]] }
    { value[++count] = $0; fact[count] = $1 }
    END {
      for (i = 1; i <= count; i++) {
        of = structure[fact[i]]
        if (!(of in needed) || of in found)
          print value[i]
      }
    }' FS='\t' "$work/all_spellings" FS=' ' -
}

# The structures of objects: those whose first member is a header, or a
# structure of an object.
objects_of_output() {
  awk '
    { sub(/^(\(gdb\) )+/, "") }
    $1 == "@type" { structure = $2 }
    first && !/[*]/ { type[structure] = $1 == "struct" ? $2 : $1 }
    { first = /^type = struct .*\{$/ }
    function is_object(name, depth) {
      if (name ~ /^(PyObject|PyVarObject|PyDateTime_TZInfo)$/)
        return 1
      return depth < 9 && name in type && is_object(type[name], depth + 1)
    }
    END {
      for (name in type)
        if (is_object(name, 0))
          print name
    }' "$1"
}

# Compares the values in file $1 with the built-in ones: agrees when one of the
# data files for this kind of build does.  Prints the differences from the most
# alike one.  The very interpreter that a file was made from (build-id $2, if
# given) must agree in all its facts.
compare_values() {
  best=
  for data in $(data_files); do
    scope=common
    if [ -n "${2-}" ] && grep -q "build-id $2" "$data"; then
      scope=all
    fi
    status=0
    compare_with "$data" "$1" "$scope" >"$work/compared" || status=$?
    differ=$(sed -n 's/.* \([0-9]*\) differ$/\1/p' "$work/compared")
    if [ -z "$best" ] || [ "$differ" -lt "$best" ]; then
      best=$differ best_status=$status
      mv "$work/compared" "$work/best"
    fi
  done
  if [ -z "$best" ]; then
    echo "no built-in layout for $full_version ($layout.c)" >&2
    return 2
  fi
  cat "$work/best"
  return "$best_status"
}

# Prints where data file $1 and the values in file $2 differ.  Structures that
# only one of them has are no difference unless $3 is "all": another build may
# lack a module, and headers lack what is private.
compare_with() {
  {
    list_spellings | awk -F '\t' '{ print "structure", $1, $2 }'
    sed -n 's/^ *\[\(FACT_[A-Za-z0-9_]*\)\] = \([0-9]*\),$/old \1 \2/p' "$1"
    sed 's/^/new /' "$2"
  } | awk -v all="$([ "$3" = all ] && echo 1)" -v data="${1##*/}" '
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
      printf "%s: %d facts compared, %d differ\n", data, compared, differences
      exit !compared ? 2 : differences > 0
    }'
}

# Writes the data file: values in file $1, provenance $2.
write_layout() {
  from=$(hexversion_of "${first:-$major.$minor.0}")
  to=$(printf '0x%02x%02xffff' "$major" "$minor")
  if [ -n "${last-}" ]; then
    to=$(hexversion_of "$last")
  fi
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
    .hex_first = $from,
    .hex_last = $to,
    .debug = $(as_bool "$debug"),
    .free_threaded = $(as_bool "$free_threaded"),
    .trace_refs = $(as_bool "$trace_refs"),
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
