# SPDX-License-Identifier: GPL-3.0-or-later
#
# Reads the facts*.def; prints one line for every way in which
# a fact can be spelled, fields separated by tabs:
#
#   fact   structure   source file or "-"   type   member path, "-" for sizeof
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

function spell(structure, member, type, path,    start, scope, at) {
  scope = "-"
  at = index(type, "::")
  if (at) {
    scope = substr(type, 1, at - 1)
    type = substr(type, at + 2)
  }
  start = "FACT_" structure "__" member "\t" structure "\t" scope "\t"
  if (path == "")
    path = "-"
  print start type "\t" path
  # Both a typedef and a tag go by a bare name.
  if (type !~ / /)
    print start "struct " type "\t" path
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
  spell(trim(part[1]), trim(part[2]), trim(part[1]), trim(part[2]))
  next
}

/^FACT_SIZE\(/ {
  if (!match($0, /\([^)]*\)/)) { malformed(); next }
  name = trim(substr($0, RSTART + 1, RLENGTH - 2))
  spell(name, "SIZE", name, "")
  next
}

/^FACT_PATH\(/ {
  text = $0
  sub(/^FACT_PATH\(/, "", text)
  sub(/\)[^)]*$/, "", text)
  if (split(text, part, ",") != 4) { malformed(); next }
  types = split(unquote(part[3]), type, "|")
  path_list = unquote(part[4])
  paths = split(path_list, path, "|")
  if (path_list == "") {
    paths = 1
    path[1] = ""
  }
  for (i = 1; i <= types; i++)
    for (j = 1; j <= paths; j++)
      spell(trim(part[1]), trim(part[2]), trim(type[i]), trim(path[j]))
  next
}

/^FACT_SELF\(/ {
  if (!match($0, /\([^)]*\)/)) { malformed(); next }
  if (split(substr($0, RSTART + 1, RLENGTH - 2), part, ",") != 4) {
    malformed(); next
  }
  spell("_Py_DebugOffsets", trim(part[1]) "_" trim(part[2]),
        "struct _Py_DebugOffsets", trim(part[1]) "." trim(part[2]))
  next
}

/^FACT/ { malformed() }

END { exit failed }
