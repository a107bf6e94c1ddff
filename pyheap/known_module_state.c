/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "known_module_state.h"

#include "dict.h"
#include "heap.h"
#include "known_modules.h"
#include "text.h"

#include <string.h>

enum {
  LIMIT_MODULE_NAME = 64,
  LIMIT_SCANNED_STATE = 1 << 20,
};

/* What the module is made of. */
struct module {
  uint64_t state;
  uint64_t size;                /* of the state */
  uint64_t name_object;         /* Its name, from 3.15 on, and where the
                                   definition's cannot be read; or 0. */
  char name[LIMIT_MODULE_NAME]; /* Its definition's name. */
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
  const uint64_t definition = FIELD(layout, object, PyModuleObject, md_def);
  *ret = (struct module){
      .state = FIELD(layout, object, PyModuleObject, md_state),
      .size = heap_word(heap, definition, OFFSET(layout, PyModuleDef, m_size)),
  };
  if (OFFSET(layout, PyModuleObject, md_state_size) >= 0) {
    /* A module may be made without a definition: Objects/moduleobject.c of
     * 3.15. */
    ret->size = FIELD(layout, object, PyModuleObject, md_state_size);
    ret->name_object = FIELD(layout, object, PyModuleObject, md_name);
  }
  if (!ret->state || (int64_t)ret->size <= 0)
    return false;
  load_name(heap,
            heap_word(heap, definition, OFFSET(layout, PyModuleDef, m_name)),
            ret->name);
  if (!*ret->name)
    ret->name_object = FIELD(layout, object, PyModuleObject, md_name);
  return true;
}

/* io and decimal call themselves so, and are imported as _io and _decimal. */
static bool has_name(const struct pyheap *heap, const struct module *module,
                     const char *name) {
  if (!module->name_object)
    return !strcmp(name, module->name);
  char imported[LIMIT_MODULE_NAME + 1] = "_";
  strncat(imported, name, LIMIT_MODULE_NAME - 1);
  return text_equals(heap, module->name_object, name) ||
         text_equals(heap, module->name_object, imported);
}

/* The size tells a module of the standard library from one that only bears its
 * name, or whose layout changed.  Where micro versions added members at the end, a
 * smaller one has the first of them. */
static const struct known_module_state *
find_state(const struct pyheap *heap, const struct module *module) {
  const struct layout *layout = heap_layout(heap);
  for (const struct known_module_state *row = known_module_states; row->name;
       row++)
    if (has_name(heap, module, row->name)) {
      int64_t size = layout->facts[row->size];
      return size == (int64_t)module->size ||
                     (row->grew && size > (int64_t)module->size)
                 ? row
                 : NULL;
    }
  return NULL;
}

static void visit_state_member(struct visit *visit, const uint8_t *state,
                               uint64_t size, const struct member *member) {
  const struct layout *layout = visit_layout(visit);
  if (!member_applies(visit_heap(visit), member))
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

/* The C variable at ADDRESS, when it holds a type of the module. */
static void visit_variable(struct visit *visit, uint64_t address,
                           const char *module) {
  const struct pyheap *heap = visit_heap(visit);
  const size_t length = strlen(module);
  const uint64_t word = heap_word(heap, address, 0);
  struct object object;
  const char *why;
  if (!word || !heap_is_object(heap, word) ||
      !object_load(heap, word, &object, &why) ||
      !(object.type->flags & TPFLAGS_TYPE_SUBCLASS))
    return;
  const struct type *type = types_get(heap, word);
  if (type && (type->flags & TPFLAGS_HEAPTYPE) &&
      type->public.module_length == length &&
      memcmp(type->public.name, module, length) == 0)
    visit_reference(visit, word, PYHEAP_VISITED, PYHEAP_NAME_STATIC, address);
}

/* From 3.14 on _tkinter has its types in C variables, which it visits; these
 * have no symbols in a stripped file, but names of the module. */
static void visit_variables(struct visit *visit, const struct object *object) {
  static const char name[] = "_tkinter";
  const struct pyheap *heap = visit_heap(visit);
  const struct memory *memory = &heap->memory;
  const struct layout *layout = visit_layout(visit);
  uint64_t definition = FIELD(layout, object, PyModuleObject, md_def);
  if (layout->version < 0x030e ||
      !text_equals(heap, FIELD(layout, object, PyModuleObject, md_name), name))
    return;
  /* From 3.15 on there may be none; a function's is in the same file. */
  if (!definition)
    definition = heap_word(
        heap,
        dict_lookup(heap, FIELD(layout, object, PyModuleObject, md_dict),
                    "create"),
        OFFSET(layout, PyCFunctionObject, m_ml));
  for (size_t i = 0; i < memory->static_count; i++) {
    const struct memory_static *area = &memory->statics[i];
    if (definition < area->start || definition >= area->end)
      continue;
    for (uint64_t at = area->start; at + 8 <= area->end; at += 8)
      visit_variable(visit, at, name);
  }
}

void known_module_state_visit(struct visit *visit,
                              const struct object *object) {
  struct module module;
  const struct pyheap *heap = visit_heap(visit);
  if (!load_module(heap, object, &module)) {
    visit_variables(visit, object);
    return;
  }
  const struct known_module_state *row = find_state(heap, &module);
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
  if (row->visit)
    row->visit(visit, state);
}

/* What lies behind pointers ------------------------------------------------ */

static int32_t load_int(const uint8_t *bytes, int32_t offset) {
  return offset < 0 ? 0 : (int32_t)load_u32(bytes + offset);
}

/* The iterators kept for reuse, each of which holds the next where it held its
 * future.  Modules/_asynciomodule.c visits them until 3.12.5, but they have
 * been given up: their counts are 0. */
void visit_asyncio_state(struct visit *visit, const uint8_t *state) {
  enum {
    LIMIT_SPARE_ITERATORS = 1 << 16
  };
  const struct layout *layout = visit_layout(visit);
  uint64_t iterator =
      load_member(state, OFFSET(layout, asyncio_state, fi_freelist));
  if (visit_heap(visit)->info.hexversion >= 0x030c0600)
    return;
  visit_counted(visit, false);
  for (uint32_t i = 0; iterator && i < LIMIT_SPARE_ITERATORS; i++) {
    visit_named(visit, iterator, PYHEAP_VISITED, "spare iterator");
    iterator = heap_word(visit_heap(visit), iterator,
                         OFFSET(layout, futureiterobject, future));
  }
  visit_counted(visit, true);
  if (iterator)
    visit_problem(visit, "spare iterators of asyncio", iterator);
}

/* atexit_m_traverse() of 3.8 and 3.9; later versions keep the callbacks in the
 * interpreter's state. */
void visit_atexit_state(struct visit *visit, const uint8_t *state) {
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  const uint64_t address =
      load_member(state, OFFSET(layout, atexitmodule_state, atexit_callbacks));
  const int32_t count =
      load_int(state, OFFSET(layout, atexitmodule_state, ncallbacks));
  if (count <= 0)
    return;
  const uint8_t *callbacks = memory_array(heap, address, (uint64_t)count, 8);
  if (!callbacks) {
    visit_problem(visit, "callbacks of atexit", address);
    return;
  }
  for (int32_t i = 0; i < count; i++) {
    const uint64_t callback = load_u64(callbacks + 8 * i);
    visit_named(
        visit, heap_word(heap, callback, OFFSET(layout, atexit_callback, func)),
        PYHEAP_VISITED, "function");
    visit_named(
        visit, heap_word(heap, callback, OFFSET(layout, atexit_callback, args)),
        PYHEAP_VISITED, "arguments");
    visit_named(
        visit,
        heap_word(heap, callback, OFFSET(layout, atexit_callback, kwargs)),
        PYHEAP_VISITED, "keyword arguments");
  }
}

/* The exceptions of a table that ends with one that has no name, from FIRST
 * on. */
static void visit_decimal_map(struct visit *visit, uint64_t address,
                              unsigned first) {
  enum {
    LIMIT_CONDITIONS = 64
  };
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  const int32_t size = SIZEOF(layout, DecCondMap);
  if (!address || size <= 0)
    return;
  for (unsigned i = first; i < LIMIT_CONDITIONS; i++) {
    const uint64_t row = address + i * (uint64_t)size;
    if (!heap_word(heap, row, OFFSET(layout, DecCondMap, name)))
      return;
    visit_named(visit, heap_word(heap, row, OFFSET(layout, DecCondMap, ex)),
                PYHEAP_VISITED, "exception");
  }
  visit_problem(visit, "exceptions of decimal", address);
}

/* decimal_traverse() of 3.13.  The first condition is the first signal once
 * more. */
void visit_decimal_state(struct visit *visit, const uint8_t *state) {
  enum {
    ROUNDING_MODES = 8
  }; /* _PY_DEC_ROUND_GUARD */
  const struct layout *layout = visit_layout(visit);
  visit_decimal_map(
      visit, load_member(state, OFFSET(layout, decimal_state, signal_map)), 0);
  visit_decimal_map(
      visit, load_member(state, OFFSET(layout, decimal_state, cond_map)), 1);
  const int32_t modes = OFFSET(layout, decimal_state, round_map);
  for (int32_t i = 0; modes >= 0 && i < ROUNDING_MODES; i++)
    visit_named(visit, load_u64(state + modes + 8 * i), PYHEAP_OWNED,
                "rounding mode");
}

/* Modules/_zoneinfo.c of 3.12: the zones used last, and the one for times
 * without any. */
void visit_zoneinfo_state(struct visit *visit, const uint8_t *state) {
  enum {
    LIMIT_ZONES = 1 << 16
  };
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  uint64_t node =
      load_member(state, OFFSET(layout, zoneinfo_state, strong_cache));
  for (uint32_t i = 0; node; i++) {
    if (i == LIMIT_ZONES) {
      visit_problem(visit, "cached zones", node);
      break;
    }
    visit_named(visit,
                heap_word(heap, node, OFFSET(layout, strong_cache_node, key)),
                PYHEAP_VISITED, "cached key");
    visit_named(visit,
                heap_word(heap, node, OFFSET(layout, strong_cache_node, zone)),
                PYHEAP_VISITED, "cached zone");
    node = heap_word(heap, node, OFFSET(layout, strong_cache_node, next));
  }
  const int32_t none = OFFSET(layout, zoneinfo_state, no_ttinfo);
  if (none < 0)
    return;
  visit_named(visit, load_member(state + none, OFFSET(layout, _ttinfo, utcoff)),
              PYHEAP_VISITED, "no UTC offset");
  visit_named(visit, load_member(state + none, OFFSET(layout, _ttinfo, dstoff)),
              PYHEAP_VISITED, "no DST offset");
  visit_named(visit, load_member(state + none, OFFSET(layout, _ttinfo, tzname)),
              PYHEAP_VISITED, "no zone name");
}
