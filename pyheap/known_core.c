/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "known_core.h"

#include <string.h>

#include "dict.h"
#include "heap.h"
#include "known_dict.h"
#include "known_module_state.h"
#include "text.h"
#include "type.h"

/* Sequences and sets */

void visit_list(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  visit_array(visit, FIELD(layout, object, PyListObject, ob_item),
              FIELD(layout, object, PyVarObject, ob_size), PYHEAP_VISITED);
}

void visit_tuple(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  visit_array(visit, object->address + OFFSET(layout, PyTupleObject, ob_item),
              FIELD(layout, object, PyVarObject, ob_size), PYHEAP_VISITED);
}

/* Which fields a PyStructSequence has beyond its length is known to its type
 * alone: n_fields in its dict.  The array of its members says the same and is
 * quicker to read, as the last field always has a name. */
static uint64_t structseq_length(const struct pyheap *heap, uint64_t members,
                                 uint64_t length) {
  enum {
    MAX_FIELDS = 256
  };
  const struct layout *layout = heap_layout(heap);
  uint64_t size = SIZEOF(layout, PyMemberDef);
  for (unsigned i = 0; members && i < MAX_FIELDS; i++) {
    const uint8_t *member = heap_memory(heap, members + i * size, size);
    if (!member || !load_u64(member + OFFSET(layout, PyMemberDef, name)))
      break;
    uint64_t offset = load_u64(member + OFFSET(layout, PyMemberDef, offset)) -
                      OFFSET(layout, PyTupleObject, ob_item);
    uint64_t index = offset / 8;
    if (offset % 8 == 0 && index < MAX_FIELDS && index >= length)
      length = index + 1;
  }
  return length;
}

/** Whether tp_traverse of types in C visits a heap type: from 3.9 on
 * (bpo-40217; Objects/structseq.c, structseq_traverse). */
static bool visits_heap_types(const struct layout *layout) {
  return layout->version >= 0x0309;
}

void visit_structseq(struct visit *visit, const struct object *object) {
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  uint64_t length = FIELD(layout, object, PyVarObject, ob_size);
  const uint8_t *type =
      heap_memory(heap, FIELD(layout, object, PyObject, ob_type),
                  SIZEOF(layout, PyTypeObject));
  if (type) {
    if (visits_heap_types(layout) &&
        load_u64(type + OFFSET(layout, PyTypeObject, tp_flags)) &
            TPFLAGS_HEAPTYPE)
      visit_own_type(visit);
    length = structseq_length(
        heap, load_u64(type + OFFSET(layout, PyTypeObject, tp_members)),
        length);
  }
  visit_array(visit, object->address + OFFSET(layout, PyTupleObject, ob_item),
              length, PYHEAP_VISITED);
}

bool set_is_being_made(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  return !FIELD(layout, object, PySetObject, table) &&
         !FIELD(layout, object, PySetObject, mask);
}

void visit_set(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  if (set_is_being_made(visit_heap(visit), object))
    return;
  uint64_t table = FIELD(layout, object, PySetObject, table);
  uint64_t slots = FIELD(layout, object, PySetObject, mask) + 1;
  uint64_t stride = SIZEOF(layout, setentry);
  const uint8_t *entries = NULL;
  if (slots && slots <= UINT64_MAX / stride)
    entries = heap_memory(visit_heap(visit), table, slots * stride);
  if (!entries) {
    visit_problem(visit, "sets whose table makes no sense", table);
    return;
  }
  for (uint64_t i = 0; i < slots; i++) {
    const uint8_t *entry = entries + i * stride;
    uint64_t key = load_u64(entry + OFFSET(layout, setentry, key));
    /* No object has the hash -1: it marks a deleted entry. */
    if (key && load_i64(entry + OFFSET(layout, setentry, hash)) != -1)
      visit_reference(visit, key, PYHEAP_VISITED, PYHEAP_NAME_KEY, key);
  }
}

/* Types */

static void visit_heap_type(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
#define MEMBER(structure, member, kind, name)                                  \
  visit_named(visit, FIELD(layout, object, structure, member), kind, name)
  MEMBER(PyTypeObject, tp_dict, PYHEAP_VISITED, ".__dict__");
  MEMBER(PyTypeObject, tp_cache, PYHEAP_VISITED, "tp_cache");
  MEMBER(PyTypeObject, tp_mro, PYHEAP_VISITED, ".__mro__");
  MEMBER(PyTypeObject, tp_bases, PYHEAP_VISITED, ".__bases__");
  MEMBER(PyTypeObject, tp_base, PYHEAP_VISITED, ".__base__");
  MEMBER(PyHeapTypeObject, ht_module, PYHEAP_VISITED, "module");
  MEMBER(PyTypeObject, tp_subclasses, PYHEAP_OWNED, "subclasses");
  MEMBER(PyHeapTypeObject, ht_name, PYHEAP_OWNED, ".__name__");
  MEMBER(PyHeapTypeObject, ht_qualname, PYHEAP_OWNED, ".__qualname__");
  MEMBER(PyHeapTypeObject, ht_slots, PYHEAP_OWNED, ".__slots__");
#undef MEMBER

  uint64_t address = FIELD(layout, object, PyHeapTypeObject, ht_cached_keys);
  struct dict_keys keys;
  if (!address)
    return;
  if (dict_keys_open(visit_heap(visit), address, &keys))
    visit_dict_keys(visit, &keys);
  else
    visit_problem(visit, "classes whose attribute names make no sense",
                  address);
}

/* The collector does not know static types.  Their base and their own type are
 * static too and not counted.  Those of the interpreter itself have their dict
 * and subclasses in every interpreter since 3.12; then tp_dict is NULL and
 * tp_subclasses a number (Objects/typeobject.c, _PyStaticType_InitBuiltin). */
static void visit_static_type(struct visit *visit,
                              const struct object *object) {
  const struct layout *layout = visit_layout(visit);
#define MEMBER(member, name)                                                   \
  visit_named(visit, FIELD(layout, object, PyTypeObject, member),              \
              PYHEAP_OWNED, name)
  MEMBER(tp_dict, ".__dict__");
  MEMBER(tp_mro, ".__mro__");
  MEMBER(tp_bases, ".__bases__");
  MEMBER(tp_cache, "tp_cache");
  if (!(FIELD(layout, object, PyTypeObject, tp_flags) & TPFLAGS_STATIC_BUILTIN))
    MEMBER(tp_subclasses, "subclasses");
#undef MEMBER
}

static bool is_heap_type(const struct layout *layout,
                         const struct object *object) {
  return FIELD(layout, object, PyTypeObject, tp_flags) & TPFLAGS_HEAPTYPE;
}

void visit_type(struct visit *visit, const struct object *object) {
  if (is_heap_type(visit_layout(visit), object))
    visit_heap_type(visit, object);
  else
    visit_static_type(visit, object);
}

/* Modules */

void visit_module(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  known_module_state_visit(visit, object);
  visit_named(visit, FIELD(layout, object, PyModuleObject, md_dict),
              PYHEAP_VISITED, ".__dict__");
  visit_named(visit, FIELD(layout, object, PyModuleObject, md_name),
              PYHEAP_OWNED, "name");
}

/* Capsules */

/** A strong reference in what a capsule points to. */
struct capsule_member {
  const char *capsule; /**< Its name. */
  enum fact fact;      /**< FACT_COUNT: the first word. */
  bool visited;        /**< By tp_traverse, if there is one. */
  const char *name;
};

/* Capsules own what they point to if they have a destructor; from 3.13 on some
 * have a traverse function too (Objects/capsule.c, _PyCapsule_SetTraverse). */
static const struct capsule_member capsule_members[] = {
    {"_socket.CAPI", FACT_PySocketModule_APIObject__Sock_Type, true,
     "socket type"},
    {"_socket.CAPI", FACT_PySocketModule_APIObject__error, false, "error"},
    {"_socket.CAPI", FACT_PySocketModule_APIObject__timeout_error, false,
     "timeout error"},
    {"_curses._C_API", FACT_COUNT, true, "window type"},
};

void visit_capsule(struct visit *visit, const struct object *object) {
  enum {
    MAX_NAME = 128
  };
  const struct pyheap *heap = visit_heap(visit);
  const struct layout *layout = visit_layout(visit);
  const char *name = memory_string(
      &heap->memory, FIELD(layout, object, PyCapsule, name), MAX_NAME);
  if (!name || !FIELD(layout, object, PyCapsule, destructor))
    return;
  uint64_t pointer = FIELD(layout, object, PyCapsule, pointer);
  bool traverse = FIELD(layout, object, PyCapsule, traverse_func);
  for (size_t i = 0; i < sizeof capsule_members / sizeof *capsule_members;
       i++) {
    const struct capsule_member *member = &capsule_members[i];
    int32_t offset =
        member->fact == FACT_COUNT ? 0 : layout->facts[member->fact];
    if (strcmp(name, member->capsule) != 0 || offset == FACT_ABSENT)
      continue;
    const uint8_t *bytes = heap_memory(heap, pointer + (uint64_t)offset, 8);
    if (bytes)
      visit_named(visit, load_u64(bytes),
                  traverse && member->visited ? PYHEAP_VISITED : PYHEAP_OWNED,
                  member->name);
  }
}

/* The tree behind contextvars.Context (Python/hamt.c) */

void visit_hamt_bitmap(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  visit_array(visit,
              object->address + OFFSET(layout, PyHamtNode_Bitmap, b_array),
              FIELD(layout, object, PyVarObject, ob_size), PYHEAP_VISITED);
}

void visit_hamt_array(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  int32_t start = OFFSET(layout, PyHamtNode_Array, a_array);
  visit_array(visit, object->address + start,
              (OFFSET(layout, PyHamtNode_Array, a_count) - start) / 8,
              PYHEAP_VISITED);
}

void visit_hamt_collision(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  visit_array(visit,
              object->address + OFFSET(layout, PyHamtNode_Collision, c_array),
              FIELD(layout, object, PyVarObject, ob_size), PYHEAP_VISITED);
}

/* _tokenize.TokenizerIter: all it holds is in the C tokenizer. */
void visit_tokenizer(struct visit *visit, const struct object *object) {
  const struct layout *layout = visit_layout(visit);
  uint64_t tokenizer = FIELD(layout, object, tokenizeriterobject, tok);
  static const struct {
    enum fact fact;
    const char *name;
  } members[] = {
      {FACT_tok_state__filename, "file name"},
      {FACT_tok_state__decoding_readline, "readline"},
      {FACT_tok_state__decoding_buffer, "decoding buffer"},
      {FACT_tok_state__readline, "readline"},
  };
  visit_named(visit, FIELD(layout, object, tokenizeriterobject, last_line),
              PYHEAP_OWNED, "last line");
  for (size_t i = 0; tokenizer && i < sizeof members / sizeof *members; i++) {
    int32_t offset = layout->facts[members[i].fact];
    const uint8_t *pointer =
        offset == FACT_ABSENT
            ? NULL
            : heap_memory(visit_heap(visit), tokenizer + (uint64_t)offset, 8);
    if (pointer)
      visit_named(visit, load_u64(pointer), PYHEAP_OWNED, members[i].name);
  }
}

/* Sizes */

/** Whether 0 has a digit too: from 3.11 on (Objects/longobject.c,
 * int___sizeof___impl). */
static bool zero_has_digit(const struct layout *layout) {
  return layout->version >= 0x030b;
}

uint64_t int_size(const struct pyheap *heap, const struct object *object) {
  /* lv_tag has two bits of sign and one in reserve below the number of digits
   * (Include/internal/pycore_long.h, 3.12). */
  enum {
    NON_SIZE_BITS = 3
  };
  const struct layout *layout = heap_layout(heap);
  bool tagged = OFFSET(layout, PyLongObject, lv_tag) != FACT_ABSENT;
  uint64_t digits =
      tagged ? FIELD(layout, object, PyLongObject, lv_tag) >> NON_SIZE_BITS
             : object_size_field(object);
  if (!digits && zero_has_digit(layout))
    digits = 1;
  return (tagged ? object_basicsize(object)
                 : (uint64_t)OFFSET(layout, PyLongObject, ob_digit)) +
         digits * object_itemsize(object);
}

uint64_t str_size(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  struct text_state state =
      text_state(layout, (uint32_t)FIELD(layout, object, PyASCIIObject, state));
  bool compact_ascii = state.compact && state.ascii;
  uint64_t length = FIELD(layout, object, PyASCIIObject, length);
  uint64_t size, data;
  if (compact_ascii) {
    size = SIZEOF(layout, PyASCIIObject);
    data = object->address + size;
    size += length + 1;
  } else if (state.compact) {
    size = SIZEOF(layout, PyCompactUnicodeObject);
    data = object->address + size;
    size += (length + 1) * state.width;
  } else {
    size = SIZEOF(layout, PyUnicodeObject);
    data = FIELD(layout, object, PyUnicodeObject, data);
    if (data)
      size += (length + 1) * state.width;
  }

  /* Copies in other encodings. */
  uint64_t wide = FIELD(layout, object, PyASCIIObject, wstr);
  if (wide && !(state.ready && wide == data)) {
    enum {
      SIZEOF_WCHAR_T = 4
    };
    uint64_t wide_length =
        compact_ascii
            ? length
            : FIELD(layout, object, PyCompactUnicodeObject, wstr_length);
    size += (wide_length + 1) * SIZEOF_WCHAR_T;
  }
  if (!compact_ascii) {
    uint64_t utf8 = FIELD(layout, object, PyCompactUnicodeObject, utf8);
    if (utf8 && utf8 != data)
      size += FIELD(layout, object, PyCompactUnicodeObject, utf8_length) + 1;
  }
  return size;
}

uint64_t bytearray_size(const struct pyheap *heap,
                        const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  uint64_t alloc = FIELD(layout, object, PyByteArrayObject, ob_alloc);
  uint64_t size = object_basicsize(object) + alloc;
  /* From 3.15 on the bytes are in a bytes object (Objects/bytearrayobject.c,
   * bytearray_sizeof_impl). */
  if (alloc &&
      OFFSET(layout, PyByteArrayObject, ob_bytes_object) != FACT_ABSENT)
    size += (uint64_t)OFFSET(layout, PyBytesObject, ob_sval) + 1;
  return size;
}

/** A list without items has none allocated, or -1 while it is being sorted.
 * Free-threaded builds since 3.14.4 ask for the items first (Objects/listobject.c,
 * list___sizeof___impl). */
uint64_t list_size(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  if (layout->free_threaded && heap->info.hexversion >= 0x030e0400 &&
      !FIELD(layout, object, PyListObject, ob_item))
    return object_basicsize(object);
  return object_basicsize(object) +
         8 * FIELD(layout, object, PyListObject, allocated);
}

uint64_t set_size(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  uint64_t size = object_basicsize(object);
  uint64_t table = FIELD(layout, object, PySetObject, table);
  if (!set_is_being_made(heap, object) &&
      table != object->address + OFFSET(layout, PySetObject, smalltable))
    size += (FIELD(layout, object, PySetObject, mask) + 1) *
            SIZEOF(layout, setentry);
  return size;
}

uint64_t type_size(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  if (!is_heap_type(layout, object))
    return SIZEOF(layout, PyTypeObject);
  uint64_t size = SIZEOF(layout, PyHeapTypeObject);
  struct dict_keys keys;
  uint64_t address = FIELD(layout, object, PyHeapTypeObject, ht_cached_keys);
  if (address && dict_keys_open(heap, address, &keys))
    size += keys.bytes;
  return size;
}
