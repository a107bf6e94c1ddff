/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * __sizeof__ of the module types that define their own: memory beside the
 * object that they count as theirs.
 */
#include "config.h"

#include "known_core.h"
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
  /* The table that descr points to is in the module's file. */
  if (descr && !itemsize)
    return UINT64_MAX;
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

uint64_t size_ctypes_type(const struct pyheap *heap,
                          const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  if (SIZEOF(layout, StgInfo) < 0)
    return type_size(heap, object);
  uint64_t size = object_basicsize(object) +
                  multiply(object_itemsize(object), object_size_field(object));
  const uint8_t *info = ctypes_info(heap, object);
  if (!info)
    return size;
  size += string_size(heap, load_member(info, OFFSET(layout, StgInfo, format)));
  if (load_member(info, OFFSET(layout, StgInfo, ffi_type_elements)))
    size += multiply(load_member(info, OFFSET(layout, StgInfo, length)) + 1, 8);
  return size + 8 * (uint64_t)load_u32(info + OFFSET(layout, StgInfo, ndim));
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
      heap_word(heap, extra, OFFSET(layout, ElementObjectExtra, children));
  if (children != extra + (uint64_t)inside)
    size += multiply(
        heap_word(heap, extra, OFFSET(layout, ElementObjectExtra, allocated)),
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
  const int64_t count = buffer ? heap_refcount(heap, buffer) : 0;
  if (count == 0 || count == 1) /* And not an immortal one. */
    size += heap_getsizeof(heap, buffer);
  return size;
}

/* itertools --------------------------------------------------------------- */

static uint64_t size_with_indexes(const struct object *object, uint64_t count) {
  return object_basicsize(object) + multiply(count, 8);
}

static uint64_t tuple_length(const struct pyheap *heap, uint64_t address) {
  return heap_word(heap, address,
                   OFFSET(heap_layout(heap), PyVarObject, ob_size));
}

uint64_t size_itertools_combinations(const struct pyheap *heap,
                                     const struct object *object) {
  return size_with_indexes(
      object, FIELD(heap_layout(heap), object, combinationsobject, r));
}

uint64_t size_itertools_cwr(const struct pyheap *heap,
                            const struct object *object) {
  return size_with_indexes(object,
                           FIELD(heap_layout(heap), object, cwrobject, r));
}

uint64_t size_itertools_permutations(const struct pyheap *heap,
                                     const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  const uint64_t pool = FIELD(layout, object, permutationsobject, pool);
  return size_with_indexes(object,
                           tuple_length(heap, pool) +
                               FIELD(layout, object, permutationsobject, r));
}

uint64_t size_itertools_product(const struct pyheap *heap,
                                const struct object *object) {
  const uint64_t pools = FIELD(heap_layout(heap), object, productobject, pools);
  return size_with_indexes(object, tuple_length(heap, pools));
}

/* parser ------------------------------------------------------------------ */

/* Parser/node.c of 3.9: what PyNode_AddChild() allocates for COUNT children. */
static uint64_t allocated_children(uint64_t count) {
  uint64_t allocated = 256;
  if (count <= 1)
    return count;
  if (count <= 128)
    return (count + 3) & ~(uint64_t)3;
  while (allocated < count)
    allocated *= 2;
  return allocated;
}

/* Of one node, without its own structure; its children go onto the stack. */
static uint64_t size_parser_node(const struct pyheap *heap, uint64_t address,
                                 struct address_stack *stack) {
  enum {
    LIMIT_CHILDREN = 1 << 20
  };
  const struct layout *layout = heap_layout(heap);
  const int32_t size = SIZEOF(layout, _node);
  const uint8_t *node = memory_array(heap, address, 1, size);
  if (!node)
    return 0;
  const uint64_t count = load_u32(node + OFFSET(layout, _node, n_nchildren));
  const uint64_t children = load_member(node, OFFSET(layout, _node, n_child));
  if (count > LIMIT_CHILDREN)
    return 0;
  for (uint64_t i = 0; children && i < count; i++)
    if (!address_stack_push(stack, children + i * (uint64_t)size))
      return 0;
  return string_size(heap, load_member(node, OFFSET(layout, _node, n_str))) +
         (children ? allocated_children(count) * (uint64_t)size : 0);
}

/* _PyNode_SizeOf() of the tree of a module that 3.10 dropped. */
uint64_t size_parser_st(const struct pyheap *heap,
                        const struct object *object) {
  enum {
    LIMIT_NODES = 1 << 26
  };
  const struct layout *layout = heap_layout(heap);
  const uint64_t root = FIELD(layout, object, PyST_Object, st_node);
  struct address_stack stack = {0};
  uint64_t size = object_basicsize(object);
  if (SIZEOF(layout, _node) <= 0 || !root)
    return size;
  size += (uint64_t)SIZEOF(layout, _node);
  bool more = address_stack_push(&stack, root);
  for (uint32_t i = 0; more && stack.count && i < LIMIT_NODES; i++)
    size += size_parser_node(heap, stack.addresses[--stack.count], &stack);
  address_stack_deinit(&stack);
  return size;
}

/* _pickle ----------------------------------------------------------------- */

uint64_t size_pickler(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  uint64_t size = object_basicsize(object);
  const uint64_t memo = FIELD(layout, object, PicklerObject, memo);
  if (memo)
    size += (uint64_t)SIZEOF(layout, PyMemoTable) +
            multiply(heap_word(heap, memo,
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

/* _queue ------------------------------------------------------------------ */

/* Counts its ring of items since 3.15 (Modules/_queuemodule.c). */
uint64_t size_simple_queue(const struct pyheap *heap,
                           const struct object *object) {
  const struct layout *layout = heap_layout(heap);
  if (layout->version < 0x030f || SIZEOF(layout, simplequeueobject) < 0)
    return object_basicsize(object);
  return (uint64_t)SIZEOF(layout, simplequeueobject) +
         multiply(FIELD(layout, object, simplequeueobject, items_cap), 8);
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
    if (!heap_word(heap, code, OFFSET(layout, _formatcode, fmtdef)))
      break;
  }
  return size;
}
