/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One object: where it is, what it refers to, what it weighs. */
#include "config.h"

#include <string.h>

#include "dict.h"
#include "heap.h"

/* Before the object are its PyGC_Head and, from 3.11 on, two words of its
 * managed dict: a pointer to the values and one to the dict
 * (Include/internal/pycore_object.h of 3.11, _PyObject_ValuesPointer,
 * _PyObject_ManagedDictPointer). */
enum {
  MANAGED_VALUES_BEFORE = 32,
  MANAGED_DICT_BEFORE = 24,
  MANAGED_DICT_BYTES = 16,
};

/* Memory ------------------------------------------------------------------ */

const uint8_t *heap_memory(const struct pyheap *heap, uint64_t address,
                           uint64_t length) {
  return memory_at(&heap->memory, address, length);
}

const struct layout *heap_layout(const struct pyheap *heap) {
  return heap->layout;
}

static uint64_t read_word(const struct pyheap *heap, uint64_t address) {
  const uint8_t *bytes = memory_at(&heap->memory, address, 8);
  return bytes ? load_u64(bytes) : 0;
}

int64_t heap_refcount(const struct pyheap *heap, uint64_t address) {
  return (int64_t)read_word(
      heap, address + (uint64_t)OFFSET(heap->layout, PyObject, ob_refcnt));
}

bool object_load(const struct pyheap *heap, uint64_t address,
                 struct object *object, const char **why) {
  object->address = address;
  object->bytes =
      address % MEMORY_GRANULE
          ? NULL
          : memory_available(&heap->memory, address, &object->available);
  if (!object->bytes ||
      object->available < (uint64_t)SIZEOF(heap->layout, PyObject)) {
    *why = "references to memory that cannot be read";
    return false;
  }
  object->type = types_get(
      heap, load_u64(object->bytes + OFFSET(heap->layout, PyObject, ob_type)));
  if (!object->type) {
    *why = "references to memory that is no object";
    return false;
  }
  if (object->available < object->type->basicsize) {
    *why = "objects that are cut off";
    return false;
  }
  return true;
}

/** Whether a word may be the ob_refcnt of an object that nothing else is known
 * to refer to: a small number, or the one that static objects of 3.11 begin
 * with (_PyObject_IMMORTAL_REFCNT).  Addresses are larger. */
static bool is_refcount(int64_t word) {
  enum { FEW = 1 << 20, IMMORTAL = 999999999 };
  return (word > 0 && word < FEW) ||
         (word > IMMORTAL - FEW && word < IMMORTAL + FEW);
}

bool heap_is_object(const struct pyheap *heap, uint64_t address) {
  struct object object;
  const char *why;
  const struct memory_range *range =
      memory_range_at(&heap->memory, address);
  if (address % MEMORY_GRANULE || !range || !(range->flags & MEMORY_OBJECTS))
    return false;
  if (heap_is_marked(heap, address))
    return true;
  return is_refcount(heap_refcount(heap, address)) &&
         object_load(heap, address, &object, &why);
}

uint64_t object_basicsize(const struct object *object) {
  return object->type->basicsize;
}

uint64_t object_itemsize(const struct object *object) {
  return object->type->itemsize;
}

/** An int has its sign in ob_size. */
uint64_t object_size_field(const struct object *object) {
  int64_t size = (int64_t)object_field(object, object->type->size_offset);
  return size < 0 ? -(uint64_t)size : (uint64_t)size;
}

/* Kinds of objects -------------------------------------------------------- */

/** PyObject_IS_GC(): of the types that may be either, only type objects are
 * (tp_is_gc of `type`: the static ones are not). */
bool object_is_gc(const struct pyheap *heap, const struct object *object) {
  if (!(object->type->flags & TPFLAGS_HAVE_GC))
    return false;
  if (!(object->type->flags & TPFLAGS_TYPE_SUBCLASS))
    return true;
  int32_t flags = OFFSET(heap->layout, PyTypeObject, tp_flags);
  return object_field(object, flags) & TPFLAGS_HEAPTYPE;
}

bool object_is_tracked(const struct pyheap *heap, const struct object *object) {
  if (!object_is_gc(heap, object))
    return false;
  return read_word(heap, object->address -
                             (uint64_t)SIZEOF(heap->layout, PyGC_Head) +
                             (uint64_t)OFFSET(heap->layout, PyGC_Head,
                                              _gc_next));
}

/* Size -------------------------------------------------------------------- */

/** What sys.getsizeof() adds for the words before the object: from 3.11 on by
 * the type (Python/sysmodule.c, _PySys_GetSizeOf). */
static uint64_t preheader(const struct pyheap *heap,
                          const struct object *object) {
  uint64_t gc_head = (uint64_t)SIZEOF(heap->layout, PyGC_Head);
  if (heap->layout->version < 0x030b)
    return object_is_gc(heap, object) ? gc_head : 0;
  uint64_t size = object->type->flags & TPFLAGS_HAVE_GC ? gc_head : 0;
  if (object->type->flags & TPFLAGS_MANAGED_DICT)
    size += MANAGED_DICT_BYTES;
  return size;
}

uint64_t object_getsizeof(const struct pyheap *heap,
                          const struct object *object) {
  const struct known_type *known = object->type->known_size;
  uint64_t size = known ? known->size(heap, object)
                        : object->type->basicsize +
                              object->type->itemsize *
                                  object_size_field(object);
  return size + preheader(heap, object);
}

void object_extent(const struct pyheap *heap, const struct object *object,
                   uint64_t *start, uint64_t *end) {
  const struct type *type = object->type;
  uint64_t before = preheader(heap, object), bytes = type->basicsize, items;

  if (type->flags & TPFLAGS_TYPE_SUBCLASS && !object_is_gc(heap, object)) {
    /* A static type is no PyHeapTypeObject. */
    before = 0;
    bytes = (uint64_t)SIZEOF(heap->layout, PyTypeObject);
  } else if (type->flags & TPFLAGS_UNICODE_SUBCLASS && !type->python_class) {
    /* A str has its characters behind a header of one of two sizes. */
    bytes = object_getsizeof(heap, object) - before;
  } else if (!__builtin_mul_overflow(type->itemsize, object_size_field(object),
                                     &items)) {
    bytes += items;
  }
  *start = object->address - before;
  *end = object->address + bytes;
}

uint64_t heap_getsizeof(const struct pyheap *heap, uint64_t address) {
  struct object object;
  const char *why;
  return object_load(heap, address, &object, &why)
             ? object_getsizeof(heap, &object)
             : 0;
}

/* References -------------------------------------------------------------- */

void visit_reference(struct visit *visit, uint64_t target,
                     enum pyheap_reference_kind kind,
                     enum pyheap_name_form form, uint64_t name) {
  if (!target || visit->stop)
    return;
  if (visit->demote && kind == PYHEAP_VISITED)
    kind = PYHEAP_OWNED;
  if (visit->count ==
      sizeof visit->references / sizeof *visit->references) {
    visit->flush(visit);
    visit->count = 0;
  }
  visit->references[visit->count++] =
      (struct pyheap_reference){target, kind, {form, name}};
}

void visit_named(struct visit *visit, uint64_t target,
                 enum pyheap_reference_kind kind, const char *name) {
  visit_reference(visit, target, kind, PYHEAP_NAME_TEXT,
                  (uint64_t)(uintptr_t)name);
}

void visit_array(struct visit *visit, uint64_t address, uint64_t count,
                 enum pyheap_reference_kind kind) {
  if (!count)
    return;
  const uint8_t *items =
      count > UINT64_MAX / 8
          ? NULL
          : memory_at(&visit->heap->memory, address, 8 * count);
  if (!items) {
    visit_problem(visit, "arrays of items that cannot be read", address);
    return;
  }
  for (uint64_t i = 0; i < count && !visit->stop; i++)
    visit_reference(visit, load_u64(items + 8 * i), kind, PYHEAP_NAME_INDEX,
                    i);
}

void visit_own_type(struct visit *visit) {
  visit->type_visited = true;
  visit_named(visit, visit->object->type->public.address, PYHEAP_VISITED,
              ".__class__");
}

void visit_problem(struct visit *visit, const char *what, uint64_t address) {
  if (visit->problems)
    problems_add(visit->problems, what, address, 1);
}

const struct pyheap *visit_heap(const struct visit *visit) {
  return visit->heap;
}

const struct layout *visit_layout(const struct visit *visit) {
  return visit->heap->layout;
}

/** The attributes that 3.11 keeps in an array beside the instance, named by its
 * type's shared keys (Objects/dictobject.c, _PyObject_VisitInstanceAttributes).
 */
static void visit_inline_values(struct visit *visit,
                                const struct object *object) {
  uint64_t values =
      read_word(visit->heap, object->address - MANAGED_VALUES_BEFORE);
  struct dict_keys keys;
  if (!values)
    return;
  const uint8_t *array = NULL;
  if (dict_keys_open(visit->heap, object->type->cached_keys, &keys))
    array = memory_at(&visit->heap->memory, values, 8 * keys.entry_count);
  if (!array) {
    visit_problem(visit, "instances whose attributes cannot be read",
                  object->address);
    return;
  }
  for (uint64_t i = 0; i < keys.entry_count; i++)
    visit_reference(visit, load_u64(array + 8 * i), PYHEAP_VISITED,
                    PYHEAP_NAME_ATTRIBUTE, dict_key_at(&keys, i));
}

/** Where the instance keeps its __dict__ (Objects/object.c,
 * _PyObject_DictPointer); 0 when it has none. */
static uint64_t dict_pointer(const struct object *object) {
  const struct type *type = object->type;
  if (type->flags & TPFLAGS_MANAGED_DICT)
    return object->address - MANAGED_DICT_BEFORE;
  if (type->dictoffset >= 0)
    return type->dictoffset ? object->address + (uint64_t)type->dictoffset : 0;
  uint64_t size =
      type->basicsize + type->itemsize * object_size_field(object);
  return object->address + ((size + 7) & ~7ull) + (uint64_t)type->dictoffset;
}

/** What subtype_traverse() visits before the base's tp_traverse. */
static void visit_subtype(struct visit *visit, const struct object *object) {
  const struct type *type = object->type;

  for (uint32_t i = 0; i < type->slot_count; i++) {
    uint64_t offset = type->slots[i].offset;
    if (offset + 8 <= object->available)
      visit_reference(visit, load_u64(object->bytes + offset), PYHEAP_VISITED,
                      PYHEAP_NAME_ATTRIBUTE, type->slots[i].name);
  }
  if (type->flags & TPFLAGS_MANAGED_DICT)
    visit_inline_values(visit, object);
  if (type->visits_dict)
    visit_named(visit, read_word(visit->heap, dict_pointer(object)),
                PYHEAP_VISITED, ".__dict__");
  if (type->visits_type)
    visit_own_type(visit);
}

static bool applies(const struct layout *layout, const struct member *member) {
  return layout->version >= member->since &&
         (!member->before || layout->version < member->before);
}

static void visit_members(struct visit *visit, const struct object *object,
                          const struct member *members) {
  const struct layout *layout = visit->heap->layout;
  for (const struct member *member = members; member->kind != MEMBER_END;
       member++) {
    if (!applies(layout, member))
      continue;
    if (member->kind == MEMBER_TYPE)
      visit_own_type(visit);
    else if (member->kind == MEMBER_TYPE_ELSEWHERE)
      visit->type_visited = true;
    else
      visit_named(visit, object_field(object, layout->facts[member->fact]),
                  member->kind == MEMBER_VISITED ? PYHEAP_VISITED
                                                 : PYHEAP_OWNED,
                  member->name);
  }
}

/** The words of an instance of a C type that no table describes: what looks
 * like an object probably is referred to. */
static void scan_unknown(struct visit *visit, const struct object *object) {
  const struct type *type = object->type;
  for (uint64_t at = (type->scan_start + 7) & ~7ull; at + 8 <= type->scan_end;
       at += 8) {
    if ((int64_t)at == type->dictoffset || (int64_t)at == type->weaklistoffset)
      continue;
    uint64_t word = load_u64(object->bytes + at);
    if (word && heap_is_object(visit->heap, word))
      visit_reference(visit, word, PYHEAP_PROBABLE, PYHEAP_NAME_OFFSET, at);
  }
}

void object_visit(struct visit *visit, const struct object *object) {
  const struct type *type = object->type;

  /* Interned strings are not kept alive by the dict that finds them: its
   * references are not counted (Objects/unicodeobject.c of 3.11,
   * PyUnicode_InternInPlace). */
  if (object->address == visit->heap->interned)
    return;
  visit->object = object;
  visit->type_visited = false;
  visit->demote = !object_is_gc(visit->heap, object);
  visit_subtype(visit, object);
  if (type->known) {
    visit_members(visit, object, type->known->members);
    if (type->known->visit)
      type->known->visit(visit, object);
  }
  if (type->scan_end > type->scan_start)
    scan_unknown(visit, object);
  if ((type->flags & TPFLAGS_HEAPTYPE) && !visit->type_visited)
    visit_named(visit, type->public.address, PYHEAP_OWNED, ".__class__");
  if (visit->count)
    visit->flush(visit);
  visit->count = 0;
}
