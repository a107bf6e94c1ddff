/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "known_module_state.h"

#include "known_modules.h"

#include <string.h>

enum {
  LIMIT_MODULE_NAME = 64,
  LIMIT_SCANNED_STATE = 1 << 20,
};

/* What the module is made of. */
struct module {
  uint64_t definition; /* PyModuleDef */
  uint64_t state;
  uint64_t size; /* of the state */
  char name[LIMIT_MODULE_NAME];
};

/* m_name lies in the read-only data of the module's file, which may be
 * missing; an empty name then. */
static void load_name(const struct pyheap *heap, uint64_t address,
                      char name[LIMIT_MODULE_NAME]) {
  for (int i = 0; address && i < LIMIT_MODULE_NAME; i++) {
    const uint8_t *byte = heap_memory(heap, address + (uint64_t)i, 1);
    if (!byte)
      break;
    name[i] = (char)*byte;
    if (!*byte)
      return;
  }
  name[0] = '\0';
}

/* False for a module in Python, or in C without a state. */
static bool load_module(const struct pyheap *heap, const struct object *object,
                        struct module *ret) {
  const struct layout *layout = heap_layout(heap);
  ret->definition = FIELD(layout, object, PyModuleObject, md_def);
  ret->state = FIELD(layout, object, PyModuleObject, md_state);
  if (!ret->definition || !ret->state)
    return false;
  ret->size =
      memory_word(heap, ret->definition, OFFSET(layout, PyModuleDef, m_size));
  if ((int64_t)ret->size <= 0)
    return false;
  load_name(
      heap,
      memory_word(heap, ret->definition, OFFSET(layout, PyModuleDef, m_name)),
      ret->name);
  return true;
}

/* The size tells a module of the standard library from one that only bears its
 * name, or whose layout changed. */
static const struct known_module_state *
find_state(const struct layout *layout, const struct module *module) {
  for (const struct known_module_state *row = known_module_states; row->name;
       row++)
    if (!strcmp(row->name, module->name))
      return (uint64_t)layout->facts[row->size] == module->size ? row : NULL;
  return NULL;
}

static void visit_state_member(struct visit *visit, const uint8_t *state,
                               uint64_t size, const struct member *member) {
  const struct layout *layout = visit_layout(visit);
  if (layout->version < member->since ||
      (member->before && layout->version >= member->before))
    return;
  if (member->kind == MEMBER_TYPE) {
    visit_own_type(visit);
    return;
  }
  const int32_t offset = layout->facts[member->fact];
  if (offset < 0 || (uint64_t)offset + 8 > size)
    return;
  visit_named(visit, load_u64(state + offset),
              member->kind == MEMBER_VISITED ? PYHEAP_VISITED : PYHEAP_OWNED,
              member->name);
}

static void scan_state(struct visit *visit, const uint8_t *state,
                       uint64_t size) {
  for (uint64_t offset = 0; offset + 8 <= size; offset += 8) {
    const uint64_t word = load_u64(state + offset);
    if (word && heap_is_object(visit_heap(visit), word))
      visit_reference(visit, word, PYHEAP_PROBABLE, PYHEAP_NAME_OFFSET, offset);
  }
}

void known_module_state_visit(struct visit *visit,
                              const struct object *object) {
  struct module module;
  const struct pyheap *heap = visit_heap(visit);
  if (!load_module(heap, object, &module))
    return;
  const struct known_module_state *row =
      find_state(visit_layout(visit), &module);
  const uint64_t size = row || module.size < LIMIT_SCANNED_STATE
                            ? module.size
                            : LIMIT_SCANNED_STATE;
  const uint8_t *state = heap_memory(heap, module.state, size);
  if (!state) {
    visit_problem(visit, "state of a module", module.state);
    return;
  }
  if (!row) {
    scan_state(visit, state, size);
    return;
  }
  const size_t count = sizeof row->members / sizeof row->members[0];
  for (size_t i = 0; i < count && row->members[i].kind != MEMBER_END; i++)
    visit_state_member(visit, state, size, &row->members[i]);
}
