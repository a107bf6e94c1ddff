#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Writes the layout files of 3.14.0 to 3.14.3 and of 3.14.4 into DIRECTORY, from
# those of 3.14.5 there, by undoing what changed:
#
#   3.14.4  PyThreadState and _qsbr_shared got a member of 8 bytes each
#   3.14.5  the incremental collector went, and the state of the collector grew
#           from 240 to 264 bytes, which moved what follows in PyInterpreterState
#           (builds with the GIL; the free-threaded kept theirs)
#
#   earlier_3_14.sh DIRECTORY
set -eu
cd "$1"

# earlier LAYOUT MICRO LAST LABEL: writes cpython_3_14_MICRO[t].c.
earlier() {
  awk -v layout="$1" -v micro="$2" -v last="$3" -v label="$4" '
    function is(name) { return index(fact, "FACT_" name "__") == 1 }
    function moved(value,    size) {
      size = fact ~ /__SIZE$/
      if (is("PyThreadState") && micro < 4 && (size || value >= thread))
        return value - 8
      if (free_threaded)
        return value
      if (fact == "FACT__gc_runtime_state__SIZE")
        return value - 24
      if (fact == "FACT_pyruntimestate__SIZE" ||
          fact == "FACT_PyInterpreterState__SIZE")
        return value - 24 - (micro < 4 ? 16 : 0)
      # The one fact of the interpreter that is a size.
      if (fact == "FACT_PyInterpreterState__type_cache_size")
        return value
      if (is("PyInterpreterState") && value > gc)
        return value - 24 - (micro < 4 && value > atexit ? 8 : 0)
      return value
    }
    BEGIN { free_threaded = label ~ /t( |$)/ }
    FNR == NR {
      if ($1 == "[FACT_PyThreadState__SIZE]") thread = $3 + 0
      if ($1 == "[FACT_PyInterpreterState__gc]") gc = $3 + 0
      if ($1 == "[FACT_PyInterpreterState__atexit_callbacks]") atexit = $3 + 0
      next
    }
    /Written by probe\.sh/ { sub(/probe\.sh/, "earlier_3_14.sh") }
    / \* From: / || /\.source = / {
      sub(/DWARF/, "reconstructed from the DWARF")
    }
    /^const struct layout / {
      sub(/layout_cpython_[a-z0-9_]+/, "layout_" layout)
    }
    /\.name = / { sub(/"[^"]*"/, "\"" label "\"") }
    /\.hex_first = / { sub(/0x[0-9a-f]+/, sprintf("0x030e%02xf0", micro)) }
    /\.hex_last = / { sub(/0x[0-9a-f]+/, sprintf("0x030e%02xf0", last)) }
    $1 ~ /^\[FACT_/ {
      fact = substr($1, 2, length($1) - 2)
      if (fact == "FACT__gc_runtime_state__generation0")
        next
      if (fact == "FACT__gc_runtime_state__generations") {
        first = $3 + 0
        printf "        [FACT__gc_runtime_state__young] = %d,\n", first
        printf "        [FACT__gc_runtime_state__old] = %d,\n", first + 24
        next
      }
      value = $3 + 0
      if (moved(value) != value)
        sub(/= [0-9]+/, "= " moved(value))
    }
    { print }' "$5" "$5" >"$1.c"
}

for debug in '' _debug; do
  label=${debug:+ debug}
  if [ -e "cpython_3_14_5$debug.c" ]; then
    earlier "cpython_3_14_0$debug" 0 3 "3.14.0$label" "cpython_3_14_5$debug.c"
    earlier "cpython_3_14_4$debug" 4 4 "3.14.4$label" "cpython_3_14_5$debug.c"
  fi
  if [ -e "cpython_3_14_4t$debug.c" ]; then
    earlier "cpython_3_14_0t$debug" 0 3 "3.14.0t$label" "cpython_3_14_4t$debug.c"
  fi
done
