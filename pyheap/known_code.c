/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "known_code.h"

#include "heap.h"

enum {
  /* A code object cannot have more: oparg and frame size are ints, and the
   * whole frame has to fit on the thread's data stack. */
  MAX_FRAME_SLOTS = 1 << 20,
  MAX_EXECUTORS = 1 << 16,
  SIZEOF_CODE_UNIT = 2, /* _Py_CODEUNIT: opcode and argument */
  SIZEOF_SSIZE_T = 8,
};

static uint64_t tuple_length(const struct pyheap *heap, uint64_t tuple) {
  const struct layout *layout = heap_layout(heap);
  const uint8_t *bytes =
      tuple ? heap_memory(heap, tuple, (uint64_t)SIZEOF(layout, PyVarObject))
            : NULL;
  return bytes ? load_u64(bytes + OFFSET(layout, PyVarObject, ob_size)) : 0;
}

/* Frames ------------------------------------------------------------------ */

/** Until 3.10: three tuples (Objects/frameobject.c, frame_nslots). */
static uint64_t count_by_names(const struct pyheap *heap, const uint8_t *code,
                               struct frame_shape *shape) {
  const struct layout *layout = heap_layout(heap);
  shape->names[0] = load_u64(code + OFFSET(layout, PyCodeObject, co_varnames));
  shape->names[1] = load_u64(code + OFFSET(layout, PyCodeObject, co_cellvars));
  shape->names[2] = load_u64(code + OFFSET(layout, PyCodeObject, co_freevars));
  return load_u32(code + OFFSET(layout, PyCodeObject, co_nlocals)) +
         tuple_length(heap, shape->names[1]) +
         tuple_length(heap, shape->names[2]);
}

bool frame_shape_read(const struct pyheap *heap, uint64_t code,
                      struct frame_shape *ret) {
  const struct layout *layout = heap_layout(heap);
  int32_t names = OFFSET(layout, PyCodeObject, co_localsplusnames);
  struct frame_shape shape = {0};
  struct object object;
  const char *why;
  if (!object_load(heap, code, &object, &why) || !object.type->known ||
      object.type->known->kind != KIND_CODE)
    return false;
  const uint8_t *bytes = object.bytes;
  shape.stack_size =
      load_u32(bytes + OFFSET(layout, PyCodeObject, co_stacksize));
  if (names == FACT_ABSENT) {
    shape.locals = count_by_names(heap, bytes, &shape);
  } else {
    shape.names[0] = load_u64(bytes + names);
    shape.locals =
        load_u32(bytes + OFFSET(layout, PyCodeObject, co_nlocalsplus));
  }
  if (shape.locals > MAX_FRAME_SLOTS || shape.stack_size > MAX_FRAME_SLOTS)
    return false;
  *ret = shape;
  return true;
}

uint64_t frame_local_name(const struct pyheap *heap,
                          const struct frame_shape *shape, uint64_t i) {
  const struct layout *layout = heap_layout(heap);
  uint64_t items = (uint64_t)OFFSET(layout, PyTupleObject, ob_item);
  for (size_t t = 0; t < sizeof shape->names / sizeof *shape->names; t++) {
    uint64_t length = tuple_length(heap, shape->names[t]);
    if (i >= length) {
      i -= length;
      continue;
    }
    const uint8_t *item = heap_memory(heap, shape->names[t] + items + 8 * i, 8);
    return item ? load_u64(item) : 0;
  }
  return 0;
}

/* References -------------------------------------------------------------- */

/** Copies that attributes of code objects made (_PyCoCached, 3.12). */
static void visit_cached(struct visit *visit, const struct object *code) {
  static const struct {
    enum fact fact;
    const char *name;
  } members[] = {
      {FACT__PyCoCached___co_code, ".co_code"},
      {FACT__PyCoCached___co_varnames, ".co_varnames"},
      {FACT__PyCoCached___co_cellvars, ".co_cellvars"},
      {FACT__PyCoCached___co_freevars, ".co_freevars"},
  };
  const struct layout *layout = visit_layout(visit);
  uint64_t address = FIELD(layout, code, PyCodeObject, co_cached);
  if (!address || SIZEOF(layout, _PyCoCached) == FACT_ABSENT)
    return;
  const uint8_t *cached = heap_memory(visit_heap(visit), address,
                                      (uint64_t)SIZEOF(layout, _PyCoCached));
  if (!cached) {
    visit_problem(visit, "code whose cache cannot be read", address);
    return;
  }
  for (size_t i = 0; i < sizeof members / sizeof *members; i++)
    visit_named(visit, load_u64(cached + layout->facts[members[i].fact]),
                PYHEAP_OWNED, members[i].name);
}

/** Traces of the optimizer (_PyExecutorArray, 3.13). */
static void visit_executors(struct visit *visit, const struct object *code) {
  const struct layout *layout = visit_layout(visit);
  uint64_t array = FIELD(layout, code, PyCodeObject, co_executors);
  if (!array || OFFSET(layout, _PyExecutorArray, size) == FACT_ABSENT)
    return;
  const uint8_t *size =
      heap_memory(visit_heap(visit),
                  array + (uint64_t)OFFSET(layout, _PyExecutorArray, size), 4);
  if (!size || load_u32(size) > MAX_EXECUTORS) {
    visit_problem(visit, "code whose executors make no sense", array);
    return;
  }
  visit_array(visit,
              array + (uint64_t)OFFSET(layout, _PyExecutorArray, executors),
              load_u32(size), PYHEAP_OWNED);
}

void visit_code(struct visit *visit, const struct object *code) {
  visit_cached(visit, code);
  visit_executors(visit, code);
}

/* Size -------------------------------------------------------------------- */

/** Until 3.10: the map of arguments that are cells, and the caches of global
 * names (Objects/codeobject.c, code_sizeof). */
static uint64_t tables_size(const struct pyheap *heap,
                            const struct object *code) {
  const struct layout *layout = heap_layout(heap);
  uint64_t size = 0;
  if (FIELD(layout, code, PyCodeObject, co_cell2arg))
    size += SIZEOF_SSIZE_T *
            tuple_length(heap, FIELD(layout, code, PyCodeObject, co_cellvars));
  if (!FIELD(layout, code, PyCodeObject, co_opcache))
    return size;
  /* co_code is a bytes object; its length is where a tuple's is. */
  return size +
         tuple_length(heap, FIELD(layout, code, PyCodeObject, co_code)) /
             SIZEOF_CODE_UNIT +
         object_byte(code, OFFSET(layout, PyCodeObject, co_opcache_size)) *
             (uint64_t)SIZEOF(layout, _PyOpcache);
}

uint64_t code_size(const struct pyheap *heap, const struct object *code) {
  const struct layout *layout = heap_layout(heap);
  uint64_t size =
      object_basicsize(code) + object_size_field(code) * object_itemsize(code);
  size = (size + 7) & ~UINT64_C(7);
  size += tables_size(heap, code);
  uint64_t extra = FIELD(layout, code, PyCodeObject, co_extra);
  const uint8_t *bytes =
      extra ? heap_memory(heap, extra,
                          (uint64_t)SIZEOF(layout, _PyCodeObjectExtra))
            : NULL;
  if (!bytes)
    return size;
  uint64_t slots =
      load_u64(bytes + OFFSET(layout, _PyCodeObjectExtra, ce_size));
  return size + (uint64_t)OFFSET(layout, _PyCodeObjectExtra, ce_extras) +
         8 * slots;
}
