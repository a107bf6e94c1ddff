/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The facts of a CPython version: offsets of members and sizes of structs.
 *
 * facts.def and facts_modules.def name the facts; each cpython_*.c holds their
 * values for one build, written by probe.sh from that build's DWARF.  Code uses
 * a fact by name, OFFSET(layout, PyListObject, ob_item), and never a number.
 * A fact that a version does not have is FACT_ABSENT there.
 */
#ifndef PYHEAP_LAYOUT_H
#define PYHEAP_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#define FACT_ABSENT (-1)

enum fact {
#define FACT(structure, member) FACT_##structure##__##member,
#define FACT_PATH(structure, member, type, path) FACT_##structure##__##member,
#define FACT_SIZE(structure) FACT_##structure##__SIZE,
#include "facts.def"
#include "facts_modules.def"
#undef FACT
#undef FACT_PATH
#undef FACT_SIZE
  FACT_COUNT
};

struct layout {
  const char *name;    /**< "3.11", "3.11 debug" */
  const char *source;  /**< What the facts were read from. */
  uint16_t version;    /**< 0x030b for 3.11 */
  bool debug;
  bool free_threaded;
  int32_t facts[FACT_COUNT];
};

/** Byte offset of MEMBER in STRUCTURE, or FACT_ABSENT. */
#define OFFSET(layout, structure, member)                                      \
  ((layout)->facts[FACT_##structure##__##member])
/** sizeof(STRUCTURE) in bytes, or FACT_ABSENT. */
#define SIZEOF(layout, structure) ((layout)->facts[FACT_##structure##__SIZE])

/** Whether LAYOUT may be that of a build of sys.hexversion HEXVERSION. */
bool layout_is_for(const struct layout *layout, uint32_t hexversion,
                   bool free_threaded);
/** The layouts there are: NULL behind the last. */
extern const struct layout *const layouts[];
/** "PyListObject", "ob_item" (or "" for the size) of a fact. */
const char *fact_structure(enum fact fact);
const char *fact_member(enum fact fact);

#endif
