/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "snapshot_select.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/render/buffer.h"
#include "plugin/type_match.h"

/** For each type whether its name, or with SUBCLASSES that of a base, is
 * meant. */
static void match_types(const struct pyheap_snapshot *snapshot,
                        const char *pattern, bool subclasses, bool *wanted) {
  uint32_t count = snapshot->type_count;
  bool *named = must_alloc(count * sizeof *named);

  for (uint32_t i = 0; i < count; i++)
    named[i] = type_name_matches(pattern, snapshot->types[i].name);
  for (uint32_t i = 0; i < count; i++) {
    const struct pyheap_type *type = &snapshot->types[i];
    bool is = named[i];
    for (uint32_t j = 0; subclasses && !is && j < type->mro_count; j++)
      is = named[type->mro[j]];
    wanted[i] &= is;
  }
  free(named);
}

static bool *choose_types(const struct pyheap_snapshot *snapshot,
                          const struct select_options *options, bool *known) {
  uint32_t count = snapshot->type_count;
  bool *wanted = must_alloc(count * sizeof *wanted);

  memset(wanted, true, count * sizeof *wanted);
  if (options->type)
    match_types(snapshot, options->type, !options->exact, wanted);
  for (uint32_t i = 0; options->module && i < count; i++)
    wanted[i] &= type_module_matches(options->module, &snapshot->types[i]);
  *known = memchr(wanted, true, count * sizeof *wanted);
  return wanted;
}

static bool fits(const struct pyheap_snapshot *snapshot,
                 const struct select_options *options, const bool *types,
                 uint32_t object) {
  bool tracked = snapshot->flags[object] & PYHEAP_SNAPSHOT_TRACKED;
  uint64_t size = snapshot->sizes[object];
  uint64_t address = snapshot->addresses[object];

  return types[snapshot->type_of[object]] && size >= options->min_size &&
         size <= options->max_size && !(options->tracked && !tracked) &&
         !(options->untracked && tracked) && address >= options->from_address &&
         address <= options->to_address;
}

bool *snapshot_select(const struct pyheap_snapshot *snapshot,
                      const struct select_options *options, bool *known) {
  *known = true;
  if (!select_is_given(options))
    return NULL;
  bool *types = choose_types(snapshot, options, known);
  bool *chosen = must_alloc(snapshot->count * sizeof *chosen);
  for (uint32_t i = 0; i < snapshot->count; i++)
    chosen[i] = fits(snapshot, options, types, i);
  free(types);
  return chosen;
}
