/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "layout.h"

#include "cpython.h"

#include <stddef.h>
#include <string.h>

const struct layout *const layouts[] = {
#define LAYOUT(name) &layout_cpython_##name,
    CPYTHON_LAYOUTS(LAYOUT)
#undef LAYOUT
        NULL,
};

bool layout_is_for(const struct layout *layout, uint32_t hexversion,
                   bool free_threaded) {
  return layout->version == hexversion >> 16 &&
         layout->free_threaded == free_threaded;
}

bool layout_in_range(const struct layout *layout, uint32_t hexversion) {
  return hexversion >= layout->hex_first && hexversion <= layout->hex_last;
}

/* Pairs of facts: where _Py_DebugOffsets says something, and of what. */
static const struct {
  enum fact where, what;
} said[] = {
#define FACT_SELF(group, member, structure, fact)                              \
  {FACT__Py_DebugOffsets__##group##_##member, FACT_##structure##__##fact},
#include "facts_self.def"
#undef FACT_SELF
};

enum fact layout_contradiction(const struct layout *layout,
                               const uint8_t *runtime, uint64_t size,
                               bool exact) {
  for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
    int32_t where = layout->facts[said[i].where];
    int32_t what = layout->facts[said[i].what];
    uint64_t value;
    bool grows = said[i].what == FACT_pyruntimestate__SIZE ||
                 said[i].what == FACT_PyInterpreterState__SIZE;
    if (grows && !exact)
      continue;
    if (where == FACT_ABSENT || what == FACT_ABSENT ||
        (uint64_t)where + sizeof value > size)
      continue;
    memcpy(&value, runtime + where, sizeof value);
    if (value != (uint64_t)what)
      return said[i].what;
  }
  return FACT_COUNT;
}

static const struct {
  const char *structure;
  const char *member;
} fact_names[FACT_COUNT] = {
#define FACT(structure, member) {#structure, #member},
#define FACT_PATH(structure, member, type, path) {#structure, #member},
#define FACT_SIZE(structure) {#structure, ""},
#define FACT_SELF(group, member, structure, fact)                              \
  {"_Py_DebugOffsets", #group "." #member},
#include "facts.def"
#include "facts_modules.def"
#include "facts_self.def"
#undef FACT
#undef FACT_PATH
#undef FACT_SIZE
#undef FACT_SELF
};

const char *fact_structure(enum fact fact) {
  return fact_names[fact].structure;
}

const char *fact_member(enum fact fact) {
  return fact_names[fact].member;
}
