/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "layout.h"

#include "cpython.h"

#include <stddef.h>

const struct layout *const layouts[] = {
    &layout_cpython_3_8,
    &layout_cpython_3_9,
    &layout_cpython_3_10,
    &layout_cpython_3_11,
    &layout_cpython_3_11_debug,
    &layout_cpython_3_12,
    &layout_cpython_3_13,
    NULL,
};

const struct layout *layout_find(uint32_t hexversion, bool debug,
                                 bool free_threaded) {
  uint16_t version = hexversion >> 16;
  for (const struct layout *const *layout = layouts; *layout; layout++)
    if ((*layout)->version == version && (*layout)->debug == debug &&
        (*layout)->free_threaded == free_threaded)
      return *layout;
  return NULL;
}

static const struct {
  const char *structure;
  const char *member;
} fact_names[FACT_COUNT] = {
#define FACT(structure, member) {#structure, #member},
#define FACT_PATH(structure, member, type, path) {#structure, #member},
#define FACT_SIZE(structure) {#structure, ""},
#include "facts.def"
#include "facts_modules.def"
#undef FACT
#undef FACT_PATH
#undef FACT_SIZE
};

const char *fact_structure(enum fact fact) {
  return fact_names[fact].structure;
}

const char *fact_member(enum fact fact) { return fact_names[fact].member; }
