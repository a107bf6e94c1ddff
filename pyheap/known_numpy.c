/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * NumPy 1.19 to 2.4.  Its arrays have no tp_traverse: the collector knows nothing
 * of what they hold, and the strings of a table are found through its columns
 * alone.
 *
 * The structures are part of NumPy's C API (numpy/core/include/numpy/ndarraytypes.h
 * of 1.x, numpy/_core/ of 2.x), and compiled extensions rely on them, so that
 * they change with its major version only.  What is read is checked all the same.
 */
#include "config.h"

#include "known_numpy.h"

#include <string.h>

#include "dict.h"
#include "heap.h"
#include "known_core.h"
#include "known_modules.h"
#include "value.h"

/** PyArrayObject_fields behind its PyObject_HEAD. */
struct array_fields {
  uint64_t data;
  int32_t nd;
  uint32_t padding;
  uint64_t dimensions; /**< ND numbers. */
  uint64_t strides;
  uint64_t base; /**< Who owns the data of a view. */
  uint64_t descr;
  uint32_t flags;
};

/** PyArray_Descr behind its PyObject_HEAD. */
struct descr_fields {
  uint64_t typeobj;
  char kind, type, byteorder;
  uint8_t flags; /**< 1.x */
  int32_t type_num;
  union {
    struct {
      int32_t elsize;
      int32_t alignment;
      uint64_t subarray, fields, names, functions, metadata;
    } v1;
    struct {
      uint64_t flags;
      int64_t elsize, alignment;
      uint64_t metadata;
      int64_t hash;
      uint64_t reserved[2];
      /* _PyArray_LegacyDescr, which all but users' own data types are. */
      uint64_t subarray, fields, names;
    } v2;
  };
};

enum {
  MAX_DIMENSIONS = 64,     /**< NPY_MAXDIMS of 2.x; of 1.x 32. */
  OWNDATA = 4,             /**< NPY_ARRAY_OWNDATA */
  ITEM_REFCOUNT = 1,       /**< NPY_ITEM_REFCOUNT: items have references. */
  TYPE_OBJECT = 17,        /**< NPY_OBJECT */
  TYPE_VOID = 20,          /**< NPY_VOID: of fields, or of arrays. */
  MAX_OBJECT_FIELDS = 256, /**< Of one item. */
  MAX_DESCR_DEPTH = 16,
  MAX_DESCRS = 1 << 12, /**< Within one, however often. */
};

/** A data type, of either major version. */
struct descr {
  uint64_t typeobj, subarray, fields, names, metadata;
  uint64_t elsize;
  int32_t type_num;
  bool has_references;
};

static uint64_t head_size(const struct pyheap *heap) {
  return (uint64_t)SIZEOF(heap->layout, PyObject);
}

static bool descr_open(const struct pyheap *heap, uint64_t address,
                       struct descr *descr) {
  struct descr_fields fields = {0};
  struct object object;
  const char *why;

  if (!object_load(heap, address, &object, &why))
    return false;
  uint64_t head = head_size(heap);
  uint64_t size = object_basicsize(&object);
  if (size < head + offsetof(struct descr_fields, v2.subarray))
    return false;
  size -= head;
  memcpy(&fields, object.bytes + head,
         size < sizeof fields ? size : sizeof fields);
  *descr =
      (struct descr){.typeobj = fields.typeobj, .type_num = fields.type_num};
  /* No alignment is 0, and no flag of 2.x is that high. */
  if (fields.v1.alignment) {
    descr->elsize = (uint64_t)fields.v1.elsize;
    descr->subarray = fields.v1.subarray;
    descr->fields = fields.v1.fields;
    descr->names = fields.v1.names;
    descr->metadata = fields.v1.metadata;
    descr->has_references = fields.flags & ITEM_REFCOUNT;
  } else {
    descr->elsize = (uint64_t)fields.v2.elsize;
    descr->subarray = fields.v2.subarray;
    descr->fields = fields.v2.fields;
    descr->names = fields.v2.names;
    descr->metadata = fields.v2.metadata;
    descr->has_references = fields.v2.flags & ITEM_REFCOUNT;
  }
  /* Others have none, or members of their own in these places. */
  if (descr->type_num != TYPE_VOID)
    descr->subarray = descr->fields = descr->names = 0;
  return descr->elsize <= INT32_MAX;
}

struct array {
  struct array_fields fields;
  struct descr descr;
  const uint8_t *dimensions; /**< FIELDS.nd words. */
  uint64_t items;            /**< How many there are. */
};

static bool array_open(const struct pyheap *heap, const struct object *object,
                       struct array *array) {
  uint64_t head = head_size(heap);

  if (object_basicsize(object) < head + sizeof array->fields)
    return false;
  memcpy(&array->fields, object->bytes + head, sizeof array->fields);
  uint64_t count = (uint64_t)array->fields.nd;
  if (count > MAX_DIMENSIONS ||
      !descr_open(heap, array->fields.descr, &array->descr))
    return false;
  array->dimensions = memory_array(heap, array->fields.dimensions, count, 8);
  if (count && !array->dimensions)
    return false;
  array->items = 1;
  for (uint64_t i = 0; i < count; i++)
    if (__builtin_mul_overflow(
            array->items, load_u64(array->dimensions + 8 * i), &array->items))
      return false;
  return true;
}

/* Sizes ------------------------------------------------------------------- */

/** What an array weighs without anything else.  Until 1.19 this is the size of the
 * structure, whatever class it is of; then it has one more member. */
static uint64_t array_basicsize(const struct pyheap *heap,
                                const struct object *object) {
  const struct type *type = object->type;
  uint64_t size = type->basicsize;
  uint64_t fields = head_size(heap) + sizeof(struct array_fields) + 8;

  for (uint32_t i = 0; i < type->public.mro_count; i++) {
    const struct type *base = heap->types.list[type->mro[i]];
    if (base->known == type->known && base->basicsize < size)
      size = base->basicsize;
  }
  return size == fields ? size : type->basicsize;
}

/** array_sizeof() of numpy/core/src/multiarray/methods.c: dimensions, strides,
 * and the data of who owns them. */
static uint64_t size_array(const struct pyheap *heap,
                           const struct object *object) {
  struct array array;
  uint64_t bytes = 0;

  if (!array_open(heap, object, &array) ||
      ((array.fields.flags & OWNDATA) &&
       __builtin_mul_overflow(array.items, array.descr.elsize, &bytes)))
    return UINT64_MAX;
  uint64_t size =
      array_basicsize(heap, object) + 2 * 8 * (uint64_t)array.fields.nd;
  return __builtin_add_overflow(size, bytes, &size) ? UINT64_MAX : size;
}

/** gentype_sizeof() of numpy/core/src/multiarray/scalartypes.c.src counts the
 * value twice: in the basic size, and for itself. */
#define SCALAR_SIZE(bytes)                                                     \
  static uint64_t size_scalar_##bytes(const struct pyheap *heap,               \
                                      const struct object *object) {           \
    (void)heap;                                                                \
    return object_basicsize(object) + (bytes);                                 \
  }
SCALAR_SIZE(1)
SCALAR_SIZE(2)
SCALAR_SIZE(4)
SCALAR_SIZE(8)
SCALAR_SIZE(16)
SCALAR_SIZE(32)

/** The same, for bytes has no __sizeof__ that would come first. */
static uint64_t size_bytes(const struct pyheap *heap,
                           const struct object *object) {
  (void)heap;
  uint64_t length = object_size_field(object);
  return length > INT64_MAX / 2 ? UINT64_MAX
                                : object_basicsize(object) + 2 * length;
}

/** PyVoidScalarObject behind its PyObject_VAR_HEAD (arrayscalars.h). */
struct void_fields {
  uint64_t value;
  uint64_t descr;
  uint64_t flags;
  uint64_t base;
};

static bool void_open(const struct pyheap *heap, const struct object *object,
                      struct void_fields *fields) {
  uint64_t head = (uint64_t)SIZEOF(heap->layout, PyVarObject);

  if (object_basicsize(object) < head + sizeof *fields)
    return false;
  memcpy(fields, object->bytes + head, sizeof *fields);
  return true;
}

static uint64_t size_void(const struct pyheap *heap,
                          const struct object *object) {
  struct void_fields fields;
  struct descr descr;

  if (!void_open(heap, object, &fields) ||
      !descr_open(heap, fields.descr, &descr))
    return UINT64_MAX;
  return object_basicsize(object) + descr.elsize +
         object_itemsize(object) * object_size_field(object);
}

/* References -------------------------------------------------------------- */

/** Where the references of one item of a data type are. */
struct object_fields {
  uint64_t offsets[MAX_OBJECT_FIELDS];
  size_t count;
  unsigned opened; /**< Data types looked at. */
  bool incomplete;
};

static void find_object_fields(const struct pyheap *heap, uint64_t address,
                               uint64_t offset, int depth,
                               struct object_fields *found);

/** PyArray_ArrayDescr: items that are arrays of another data type. */
static void find_in_subarray(const struct pyheap *heap,
                             const struct descr *descr, uint64_t offset,
                             int depth, struct object_fields *found) {
  struct descr base;
  uint64_t address = heap_word(heap, descr->subarray, 0);

  if (!descr_open(heap, address, &base) || !base.elsize) {
    found->incomplete = true;
    return;
  }
  for (uint64_t at = 0; at + base.elsize <= descr->elsize && !found->incomplete;
       at += base.elsize)
    find_object_fields(heap, address, offset + at, depth, found);
}

/** The fields of a structured type: a dict of (type, offset) by name, and of the
 * same by title (numpy/core/src/multiarray/descriptor.c). */
static void find_in_fields(const struct pyheap *heap, const struct descr *descr,
                           uint64_t offset, int depth,
                           struct object_fields *found) {
  uint64_t position = 0, key, value;
  struct dict dict;
  struct object number;
  const char *why;
  uint32_t at;

  if (!dict_open(heap, descr->fields, &dict)) {
    found->incomplete = true;
    return;
  }
  while (dict_next(&dict, &position, &key, &value) && !found->incomplete) {
    const uint8_t *items = heap_memory(
        heap, value + (uint64_t)OFFSET(heap->layout, PyTupleObject, ob_item),
        16);
    if (!items || !object_load(heap, load_u64(items + 8), &number, &why))
      found->incomplete = true;
    else
      find_object_fields(heap, load_u64(items),
                         offset + (int_value(heap, &number, &at) ? at : 0),
                         depth, found);
  }
}

static void add_object_field(struct object_fields *found, uint64_t offset) {
  for (size_t i = 0; i < found->count; i++)
    if (found->offsets[i] == offset)
      return; /* By its title. */
  if (found->count == MAX_OBJECT_FIELDS)
    found->incomplete = true;
  else
    found->offsets[found->count++] = offset;
}

static void find_object_fields(const struct pyheap *heap, uint64_t address,
                               uint64_t offset, int depth,
                               struct object_fields *found) {
  struct descr descr;

  if (depth == MAX_DESCR_DEPTH || ++found->opened > MAX_DESCRS ||
      !descr_open(heap, address, &descr))
    found->incomplete = true;
  else if (descr.type_num == TYPE_OBJECT)
    add_object_field(found, offset);
  else if (!descr.has_references)
    return;
  else if (descr.subarray)
    find_in_subarray(heap, &descr, offset, depth + 1, found);
  else if (descr.fields)
    find_in_fields(heap, &descr, offset, depth + 1, found);
  else
    found->incomplete = true; /* Strings of any length, a user's own type. */
}

/** ITEMS items at ADDRESS of the data type at DESCR, which has references. */
static void visit_items(struct visit *visit, uint64_t address, uint64_t items,
                        uint64_t descr_address, uint64_t elsize) {
  const struct pyheap *heap = visit_heap(visit);
  struct object_fields found = {0};
  uint64_t bytes;

  find_object_fields(heap, descr_address, 0, 0, &found);
  if (found.incomplete)
    visit_problem(visit, "NumPy data types whose references are not known",
                  descr_address);
  if (!items)
    return;
  const uint8_t *data = __builtin_mul_overflow(items, elsize, &bytes)
                            ? NULL
                            : heap_memory(heap, address, bytes);
  if (!data) {
    visit_problem(visit, "arrays of items that cannot be read", address);
    return;
  }
  for (size_t field = 0; field < found.count; field++) {
    uint64_t offset = found.offsets[field];
    if (offset + 8 > elsize)
      continue;
    for (uint64_t i = 0; i < items && !visit->stop; i++)
      visit_reference(visit, load_u64(data + i * elsize + offset), PYHEAP_OWNED,
                      PYHEAP_NAME_INDEX, i);
  }
}

/** The allocator that the data came from, a capsule, since 1.22: behind the
 * fields, where subclasses of earlier versions have members of their own. */
static void visit_handler(struct visit *visit, const struct object *object) {
  enum {
    MEM_HANDLER = 72
  };
  const struct pyheap *heap = visit_heap(visit);
  uint64_t at = head_size(heap) + MEM_HANDLER;
  struct object handler;
  const char *why;

  if (object_basicsize(object) < at + 8)
    return;
  uint64_t address = load_u64(object->bytes + at);
  if (address && heap_is_object(heap, address) &&
      object_load(heap, address, &handler, &why) &&
      strcmp(handler.type->public.name, "PyCapsule") == 0)
    visit_named(visit, address, PYHEAP_OWNED, "memory handler");
}

static void visit_ndarray(struct visit *visit, const struct object *object) {
  const struct pyheap *heap = visit_heap(visit);
  struct array array;

  if (!array_open(heap, object, &array)) {
    visit_problem(visit, "NumPy arrays that make no sense", object->address);
    return;
  }
  visit_named(visit, array.fields.base, PYHEAP_OWNED, ".base");
  visit_named(visit, array.fields.descr, PYHEAP_OWNED, ".dtype");
  visit_handler(visit, object);
  if (!array.descr.has_references || !(array.fields.flags & OWNDATA))
    return;
  if (array.descr.type_num == TYPE_OBJECT)
    visit_array(visit, array.fields.data, array.items, PYHEAP_OWNED);
  else
    visit_items(visit, array.fields.data, array.items, array.fields.descr,
                array.descr.elsize);
}

static void visit_void(struct visit *visit, const struct object *object) {
  const struct pyheap *heap = visit_heap(visit);
  struct void_fields fields;
  struct descr descr;

  if (!void_open(heap, object, &fields) ||
      !descr_open(heap, fields.descr, &descr)) {
    visit_problem(visit, "NumPy scalars that make no sense", object->address);
    return;
  }
  visit_named(visit, fields.descr, PYHEAP_OWNED, ".dtype");
  visit_named(visit, fields.base, PYHEAP_OWNED, ".base");
  if (descr.has_references && (fields.flags & OWNDATA))
    visit_items(visit, fields.value, 1, fields.descr, descr.elsize);
}

static void visit_descr(struct visit *visit, const struct object *object) {
  const struct pyheap *heap = visit_heap(visit);
  struct descr descr;

  if (!descr_open(heap, object->address, &descr)) {
    visit_problem(visit, "NumPy data types that make no sense",
                  object->address);
    return;
  }
  visit_named(visit, descr.typeobj, PYHEAP_OWNED, ".type");
  visit_named(visit, descr.fields, PYHEAP_OWNED, ".fields");
  visit_named(visit, descr.names, PYHEAP_OWNED, ".names");
  visit_named(visit, descr.metadata, PYHEAP_OWNED, ".metadata");
  if (!descr.subarray)
    return;
  visit_named(visit, heap_word(heap, descr.subarray, 0), PYHEAP_OWNED, ".base");
  visit_named(visit, heap_word(heap, descr.subarray, 8), PYHEAP_OWNED,
              ".shape");
}

/* Values ------------------------------------------------------------------ */

void say_ndarray(struct words *words, const struct pyheap *heap,
                 const struct object *object) {
  struct array array;

  if (!array_open(heap, object, &array))
    return;
  words_put(words, '(');
  for (int32_t i = 0; i < array.fields.nd; i++)
    words_say(words, i ? ", %llu" : "%llu",
              (unsigned long long)load_u64(array.dimensions + 8 * i));
  words_say(words, array.fields.nd == 1 ? ",)" : ")");
  const struct type *type = types_get(heap, array.descr.typeobj);
  if (!type)
    return;
  words_put(words, ' ');
  say_short_type(words, type);
}

/* Rows -------------------------------------------------------------------- */

#define SCALAR(name_, bytes)                                                   \
  { .name = "numpy." name_, .size = size_scalar_##bytes }

const struct known_type known_numpy[] = {
    {.name = "numpy.ndarray",
     .kind = KIND_NDARRAY,
     .visit = visit_ndarray,
     .size = size_array},
    {.name = "numpy.dtype", .visit = visit_descr},
    {.name = "numpy.dtype[void]", .visit = visit_descr},      /* 1.20 */
    {.name = "numpy.dtypes.VoidDType", .visit = visit_descr}, /* 1.25 */

    /* float64 and complex128 begin as Python's own float and complex do. */
    SCALAR("bool", 1),
    SCALAR("bool_", 1),
    {.name = "numpy.bytes_", .kind = KIND_BYTES, .size = size_bytes},
    SCALAR("clongdouble", 32),
    {.name = "numpy.complex128", .kind = KIND_COMPLEX, .size = size_scalar_16},
    SCALAR("complex256", 32),
    SCALAR("complex64", 8),
    SCALAR("datetime64", 8),
    SCALAR("float128", 16),
    SCALAR("float16", 2),
    SCALAR("float32", 4),
    {.name = "numpy.float64", .kind = KIND_FLOAT, .size = size_scalar_8},
    SCALAR("int16", 2),
    SCALAR("int32", 4),
    SCALAR("int64", 8),
    SCALAR("int8", 1),
    SCALAR("intc", 4),
    SCALAR("longdouble", 16),
    SCALAR("longlong", 8),
    SCALAR("timedelta64", 8),
    SCALAR("uint16", 2),
    SCALAR("uint32", 4),
    SCALAR("uint64", 8),
    SCALAR("uint8", 1),
    SCALAR("uintc", 4),
    SCALAR("ulonglong", 8),
    {.name = "numpy.void", .visit = visit_void, .size = size_void},
    {0},
};
