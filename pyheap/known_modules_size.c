/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * __sizeof__ of the module types that define their own: memory beside the
 * object that they count as theirs.
 */
#include "config.h"

#include "known_dict.h"
#include "known_modules.h"

#include <string.h>

static uint64_t multiply(uint64_t count, uint64_t size) {
  uint64_t product;
  return __builtin_mul_overflow(count, size, &product) ? 0 : product;
}

/* array, deque ------------------------------------------------------------ */

uint64_t size_array_array(const struct pyheap *heap,
                          const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  const uint64_t allocated = FIELD(layout, object, arrayobject, allocated);
  const uint64_t descr = FIELD(layout, object, arrayobject, ob_descr);
  const int32_t offset = OFFSET(layout, arraydescr, itemsize);
  const uint8_t *itemsize = descr && offset >= 0
                                ? heap_memory(heap, descr + (uint64_t)offset, 4)
                                : NULL;
  return object_basicsize(object) +
         (itemsize ? multiply(allocated, load_u32(itemsize)) : 0);
}

uint64_t size_deque(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  const uint64_t per_block = (uint64_t)(OFFSET(layout, BLOCK, rightlink) -
                                        OFFSET(layout, BLOCK, data)) /
                             8;
  if (!per_block)
    return object_basicsize(object);
  const uint64_t end = FIELD(layout, object, dequeobject, leftindex) +
                       FIELD(layout, object, PyVarObject, ob_size);
  const uint64_t blocks = (end + per_block - 1) / per_block;
  return object_basicsize(object) +
         multiply(blocks, (uint64_t)SIZEOF(layout, BLOCK));
}

/* ctypes ------------------------------------------------------------------ */

/* Length of a C string; 0 when it cannot be read to its end. */
static uint64_t string_length(const struct pyheap *heap, uint64_t address) {
  enum {
    CHUNK = 64,
    LIMIT_STRING = 1 << 24
  };
  uint64_t length = 0;
  while (length < LIMIT_STRING) {
    /* Never across a page that the string may not reach. */
    uint64_t step = CHUNK - (address + length) % CHUNK;
    const uint8_t *bytes = heap_memory(heap, address + length, step);
    if (!bytes)
      return 0;
    const uint8_t *end = memchr(bytes, 0, step);
    if (end)
      return length + (uint64_t)(end - bytes);
    length += step;
  }
  return 0;
}

static uint64_t string_size(const struct pyheap *heap, uint64_t address) {
  return address ? string_length(heap, address) + 1 : 0;
}

uint64_t size_ctypes_stgdict(const struct pyheap *heap,
                             const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  /* That of dict counts the whole basic size; CPython adds what is not the
   * dict's all the same. */
  uint64_t size =
      dict_size(heap, object) +
      (uint64_t)(SIZEOF(layout, StgDictObject) - SIZEOF(layout, PyDictObject));
  size += string_size(heap, FIELD(layout, object, StgDictObject, format));
  size += 8 * (uint64_t)object_int(object, OFFSET(layout, StgDictObject, ndim));
  if (FIELD(layout, object, StgDictObject, ffi_type_elements))
    size += multiply(FIELD(layout, object, StgDictObject, length) + 1, 8);
  return size;
}

/* decimal ----------------------------------------------------------------- */

/* MPD_STATIC_DATA, MPD_SHARED_DATA and MPD_CONST_DATA of libmpdec 2.0 to 4.0:
 * digits that mpd_del() does not free. */
enum {
  MPD_DATAFLAGS = 32 | 64 | 128
};

uint64_t size_decimal(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  const uint64_t size = object_basicsize(object);
  const int32_t flags = OFFSET(layout, PyDecObject, dec_flags);
  if (flags < 0 || (uint64_t)flags >= object->available ||
      object->bytes[flags] & MPD_DATAFLAGS)
    return size;
  return size + multiply(FIELD(layout, object, PyDecObject, dec_alloc), 8);
}

/* _elementtree ------------------------------------------------------------ */

uint64_t size_element(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  const uint64_t extra = FIELD(layout, object, ElementObject, extra);
  uint64_t size = object_basicsize(object);
  if (!extra)
    return size;
  size += (uint64_t)SIZEOF(layout, ElementObjectExtra);
  const int32_t inside = OFFSET(layout, ElementObjectExtra, _children);
  const uint64_t children =
      memory_word(heap, extra, OFFSET(layout, ElementObjectExtra, children));
  if (children != extra + (uint64_t)inside)
    size += multiply(
        memory_word(heap, extra, OFFSET(layout, ElementObjectExtra, allocated)),
        8);
  return size;
}

/* _io --------------------------------------------------------------------- */

uint64_t size_io_buffered(const struct pyheap *heap,
                          const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  uint64_t size = object_basicsize(object);
  if (FIELD(layout, object, buffered, buffer))
    size += FIELD(layout, object, buffered, buffer_size);
  return size;
}

uint64_t size_io_bytesio(const struct pyheap *heap,
                         const struct object *object) {
  const uint64_t buffer = FIELD(heap_layout(heap), object, bytesio, buf);
  uint64_t size = object_basicsize(object);
  /* A buffer that getvalue() gave away, or got, is not its own. */
  if (buffer && heap_refcount(heap, buffer) <= 1)
    size += heap_getsizeof(heap, buffer);
  return size;
}

/* itertools --------------------------------------------------------------- */

static uint64_t tuple_length(const struct pyheap *heap, uint64_t address) {
  return memory_word(heap, address,
                     OFFSET(heap_layout(heap), PyVarObject, ob_size));
}

uint64_t size_itertools_combinations(const struct pyheap *heap,
                                     const struct object *object) {
  return object_basicsize(object) +
         multiply(FIELD(heap_layout(heap), object, combinationsobject, r), 8);
}

uint64_t size_itertools_cwr(const struct pyheap *heap,
                            const struct object *object) {
  return object_basicsize(object) +
         multiply(FIELD(heap_layout(heap), object, cwrobject, r), 8);
}

uint64_t size_itertools_permutations(const struct pyheap *heap,
                                     const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  const uint64_t pool = FIELD(layout, object, permutationsobject, pool);
  return object_basicsize(object) + multiply(tuple_length(heap, pool), 8) +
         multiply(FIELD(layout, object, permutationsobject, r), 8);
}

uint64_t size_itertools_product(const struct pyheap *heap,
                                const struct object *object) {
  const uint64_t pools = FIELD(heap_layout(heap), object, productobject, pools);
  return object_basicsize(object) + multiply(tuple_length(heap, pools), 8);
}

/* _pickle ----------------------------------------------------------------- */

uint64_t size_pickler(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  uint64_t size = object_basicsize(object);
  const uint64_t memo = FIELD(layout, object, PicklerObject, memo);
  if (memo)
    size += (uint64_t)SIZEOF(layout, PyMemoTable) +
            multiply(memory_word(heap, memo,
                                 OFFSET(layout, PyMemoTable, mt_allocated)),
                     (uint64_t)SIZEOF(layout, PyMemoEntry));
  const uint64_t output = FIELD(layout, object, PicklerObject, output_buffer);
  if (output)
    size += heap_getsizeof(heap, output);
  return size;
}

uint64_t size_unpickler(const struct pyheap *heap,
                        const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  uint64_t size = object_basicsize(object);
  if (FIELD(layout, object, UnpicklerObject, memo))
    size += multiply(FIELD(layout, object, UnpicklerObject, memo_size), 8);
  if (FIELD(layout, object, UnpicklerObject, marks))
    size += multiply(FIELD(layout, object, UnpicklerObject, marks_size), 8);
  size += string_size(heap, FIELD(layout, object, UnpicklerObject, input_line));
  size += string_size(heap, FIELD(layout, object, UnpicklerObject, encoding));
  size += string_size(heap, FIELD(layout, object, UnpicklerObject, errors));
  return size;
}

/* struct ------------------------------------------------------------------ */

/* The codes end with one that has no format. */
uint64_t size_struct_struct(const struct pyheap *heap,
                            const struct object *object) {
  enum {
    LIMIT_CODES = 1 << 24
  };
  const struct layout *layout = heap_layout(heap);
  const int32_t step = SIZEOF(layout, _formatcode);
  uint64_t size = object_basicsize(object);
  if (step <= 0)
    return size;
  uint64_t code = FIELD(layout, object, PyStructObject, s_codes);
  for (int i = 0; code && i < LIMIT_CODES; i++, code += (uint64_t)step) {
    size += (uint64_t)step;
    if (!memory_word(heap, code, OFFSET(layout, _formatcode, fmtdef)))
      break;
  }
  return size;
}
