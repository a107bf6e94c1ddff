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

bool layout_is_for(const struct layout *layout, uint32_t hexversion,
                   bool free_threaded) {
  return layout->version == hexversion >> 16 &&
         layout->free_threaded == free_threaded;
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
