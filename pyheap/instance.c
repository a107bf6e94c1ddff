/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "instance.h"

#include "dict.h"
#include "heap.h"

/** The word that stands INDEX words before what precedes the object: its
 * PyGC_Head, which free-threaded builds do not have (pycore_object.h,
 * _PyObject_ManagedDictPointer and its like). */
static uint64_t word_before(const struct pyheap *heap,
                            const struct object *object, int index) {
  uint64_t gc_head = heap->layout->free_threaded
                         ? 0
                         : (uint64_t)SIZEOF(heap->layout, PyGC_Head);
  return heap_word(heap, object->address - gc_head - 8 * (uint64_t)index, 0);
}

/** The word of the managed dict, and in 3.11 the one of the values before it.
 */
enum {
  DICT_WORD = 1,
  VALUES_WORD = 2
};

/** COUNT values at ADDRESS, named by the keys that all instances share. */
static void visit_values(struct visit *visit, const struct object *object,
                         uint64_t address, uint64_t count) {
  struct dict_keys keys;
  const uint8_t *values = NULL;
  if (dict_keys_open(visit->heap, object->type->cached_keys, &keys)) {
    if (count > keys.entry_count)
      count = keys.entry_count;
    values = heap_memory(visit->heap, address, 8 * count);
  }
  if (!values && count) {
    visit_problem(visit, "instances whose attributes cannot be read",
                  object->address);
    return;
  }
  for (uint64_t i = 0; i < count; i++)
    visit_reference(visit, load_u64(values + 8 * i), PYHEAP_VISITED,
                    PYHEAP_NAME_ATTRIBUTE, dict_key_at(&keys, i));
}

static void visit_dict_word(struct visit *visit, uint64_t dict,
                            enum pyheap_reference_kind kind) {
  visit_named(visit, dict, kind, ".__dict__");
}

/** 3.11: a pointer to values and one to a dict, and both count
 * (Objects/typeobject.c, subtype_traverse). */
static void visit_separate_values(struct visit *visit,
                                  const struct object *object) {
  uint64_t values = word_before(visit->heap, object, VALUES_WORD);
  if (values)
    visit_values(
        visit, object,
        values + (uint64_t)OFFSET(visit->heap->layout, PyDictValues, values),
        UINT64_MAX);
  visit_dict_word(visit, word_before(visit->heap, object, DICT_WORD),
                  PYHEAP_VISITED);
}

/** 3.12: one word, which is a dict or, with its lowest bit set, values less
 * one (pycore_object.h, _PyDictOrValues_GetValues). */
static void visit_dict_or_values(struct visit *visit,
                                 const struct object *object) {
  uint64_t word = word_before(visit->heap, object, DICT_WORD);
  if (word & 1)
    visit_values(
        visit, object,
        word + 1 + (uint64_t)OFFSET(visit->heap->layout, PyDictValues, values),
        UINT64_MAX);
  else
    visit_dict_word(visit, word, PYHEAP_VISITED);
}

bool heap_visits_managed_dict(const struct pyheap *heap) {
  if (heap->layout->version != 0x030d)
    return heap->info.hexversion >= 0x030e0400;
  return heap->info.hexversion >= 0x030d0600 || heap->patched_by_debian;
}

/** 3.13 and later: a dict, and values at the end of the instance unless its
 * type has no room for them or they were given up
 * (Objects/dictobject.c, PyObject_VisitManagedDict). */
static void visit_inline_values(struct visit *visit,
                                const struct object *object) {
  const struct layout *layout = visit->heap->layout;
  uint64_t dict = word_before(visit->heap, object, DICT_WORD);
  uint64_t values = object->type->basicsize;
  uint64_t header = (uint64_t)OFFSET(layout, PyDictValues, values);
  bool valid =
      (object->type->flags & TPFLAGS_INLINE_VALUES) &&
      values + header <= object->available &&
      object->bytes[values + (uint64_t)OFFSET(layout, PyDictValues, valid)];
  bool by_dict = dict && heap_visits_managed_dict(visit->heap);

  visit_dict_word(visit, dict,
                  by_dict || !valid ? PYHEAP_VISITED : PYHEAP_OWNED);
  if (valid && !by_dict)
    visit_values(visit, object, object->address + values + header,
                 object->bytes[values + (uint64_t)OFFSET(layout, PyDictValues,
                                                         capacity)]);
}

void visit_managed_dict(struct visit *visit, const struct object *object) {
  if (OFFSET(visit->heap->layout, PyDictValues, embedded) != FACT_ABSENT)
    visit_inline_values(visit, object);
  else if (visit->heap->layout->version == 0x030c)
    visit_dict_or_values(visit, object);
  else
    visit_separate_values(visit, object);
}

void prefetch_managed_dict(const struct pyheap *heap,
                           const struct object *object) {
  if (OFFSET(heap->layout, PyDictValues, embedded) != FACT_ABSENT) {
    if (object->available > object->type->basicsize)
      __builtin_prefetch(object->bytes + object->type->basicsize);
    return;
  }
  bool one_word = heap->layout->version == 0x030c;
  uint64_t values =
      word_before(heap, object, one_word ? DICT_WORD : VALUES_WORD);
  const uint8_t *bytes = memory_at(&heap->memory, values, 1);
  if (bytes)
    __builtin_prefetch(bytes);
}

/** Objects/object.c, _PyObject_ComputedDictPointer: an offset below 0 counts
 * from the end of a variable-sized object. */
void visit_dict_at(struct visit *visit, const struct object *object) {
  const struct type *type = object->type;
  uint64_t at = (uint64_t)type->dictoffset;
  if (type->dictoffset < 0) {
    uint64_t size =
        type->basicsize + type->itemsize * object_size_field(object);
    at += (size + 7) & ~7ull;
  }
  if (at)
    visit_dict_word(visit, heap_word(visit->heap, object->address + at, 0),
                    PYHEAP_VISITED);
}
