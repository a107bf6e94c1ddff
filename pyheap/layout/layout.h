/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The facts of a CPython version: offsets of members and sizes of structs.
 *
 * facts.def, facts_modules.def and facts_self.def name the facts; each cpython_*.c holds their
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
#define FACT_SELF(group, member, structure, fact)                              \
  FACT__Py_DebugOffsets__##group##_##member,
#include "facts.def"
#include "facts_modules.def"
#include "facts_self.def"
#undef FACT
#undef FACT_PATH
#undef FACT_SIZE
#undef FACT_SELF
  FACT_COUNT
};

struct layout {
  const char *name;   /**< "3.11", "3.11 debug" */
  const char *source; /**< What the facts were read from. */
  uint16_t version;   /**< 0x030b for 3.11 */
  /** The values of sys.hexversion it was made for, both inclusive.  Builds of
   * one version may differ all the same: see layout_contradiction. */
  uint32_t hex_first, hex_last;
  bool debug;
  bool free_threaded;
  /** Py_TRACE_REFS: up to 3.12 two words precede each object's count. */
  bool trace_refs;
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
/** Whether HEXVERSION is among the versions that LAYOUT was made for. */
bool layout_in_range(const struct layout *layout, uint32_t hexversion);
/** The first fact of LAYOUT that is not as the _Py_DebugOffsets in the first
 * SIZE bytes of a _PyRuntime say (3.13 and later), FACT_COUNT when all are.
 * Members that lie behind SIZE or that the version lacks contradict nothing;
 * nor, unless EXACT, do the sizes of the runtime and of an interpreter, which
 * micro versions extend at their ends. */
enum fact layout_contradiction(const struct layout *layout,
                               const uint8_t *runtime, uint64_t size,
                               bool exact);
/** The layouts there are: NULL behind the last. */
extern const struct layout *const layouts[];
/** "PyListObject", "ob_item" (or "" for the size) of a fact. */
const char *fact_structure(enum fact fact);
const char *fact_member(enum fact fact);

#endif
