# SPDX-License-Identifier: GPL-3.0-or-later
#
# Reads facts.def and facts_modules.def; prints one line for every way in which
# a fact can be spelled, fields separated by tabs:
#
#   name of the fact   source file or "-"   type   member path, "-" for sizeof
#
# Both probes read this.  A plain structure's name may be a typedef or a tag.

function trim(text) {
  gsub(/^[ \t]+|[ \t]+$/, "", text)
  return text
}

function unquote(text) {
  text = trim(text)
  gsub(/"/, "", text)
  return text
}

function spell(fact, type, path,    scope, at) {
  scope = "-"
  at = index(type, "::")
  if (at) {
    scope = substr(type, 1, at - 1)
    type = substr(type, at + 2)
  }
  print fact "\t" scope "\t" type "\t" (path == "" ? "-" : path)
  # Both a typedef and a tag go by a bare name.
  if (type !~ / /)
    print fact "\t" scope "\tstruct " type "\t" (path == "" ? "-" : path)
}

function malformed() {
  print FILENAME ":" FNR ": malformed fact: " $0 > "/dev/stderr"
  failed = 1
}

/^FACT\(/ {
  if (!match($0, /\([^)]*\)/)) { malformed(); next }
  if (split(substr($0, RSTART + 1, RLENGTH - 2), part, ",") != 2) {
    malformed(); next
  }
  spell("FACT_" trim(part[1]) "__" trim(part[2]), trim(part[1]), trim(part[2]))
  next
}

/^FACT_SIZE\(/ {
  if (!match($0, /\([^)]*\)/)) { malformed(); next }
  name = trim(substr($0, RSTART + 1, RLENGTH - 2))
  spell("FACT_" name "__SIZE", name, "")
  next
}

/^FACT_PATH\(/ {
  text = $0
  sub(/^FACT_PATH\(/, "", text)
  sub(/\)[^)]*$/, "", text)
  if (split(text, part, ",") != 4) { malformed(); next }
  fact = "FACT_" trim(part[1]) "__" trim(part[2])
  types = split(unquote(part[3]), type, "|")
  path_list = unquote(part[4])
  paths = split(path_list, path, "|")
  if (path_list == "") {
    paths = 1
    path[1] = ""
  }
  for (i = 1; i <= types; i++)
    for (j = 1; j <= paths; j++)
      spell(fact, trim(type[i]), trim(path[j]))
  next
}

/^FACT/ { malformed() }

END { exit failed }
