/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One object: where it is, what it refers to, what it weighs. */
#include "config.h"

#include <string.h>

#include "allocator.h"
#include "block_owners.h"
#include "c_stack.h"
#include "heap.h"
#include "instance.h"
#include "known_core.h"
#include "known_frames.h"
#include "parallel.h"
#include "text.h"

/* Memory ------------------------------------------------------------------ */

const uint8_t *heap_memory(const struct pyheap *heap, uint64_t address,
                           uint64_t length) {
  return memory_at(&heap->memory, address, length);
}

const struct layout *heap_layout(const struct pyheap *heap) {
  return heap->layout;
}

uint64_t heap_word(const struct pyheap *heap, uint64_t address,
                   int32_t offset) {
  if (offset < 0)
    return 0;
  const uint8_t *bytes =
      memory_at(&heap->memory, address + (uint64_t)offset, 8);
  return bytes ? load_u64(bytes) : 0;
}

bool object_load(const struct pyheap *heap, uint64_t address,
                 struct object *object, const char **why) {
  object_find(heap, address, object);
  return object_read(heap, object, why);
}

bool object_read(const struct pyheap *heap, struct object *object,
                 const char **why) {
  if (object->address % MEMORY_GRANULE || !object->bytes ||
      object->available < (uint64_t)SIZEOF(heap->layout, PyObject)) {
    *why = "references to memory that cannot be read";
    return false;
  }
  uint64_t type =
      load_u64(object->bytes + OFFSET(heap->layout, PyObject, ob_type));
  object->type = types_peek(&heap->types, type);
  if (!object->type && !(object->type = types_get(heap, type))) {
    *why = "references to memory that is no object";
    return false;
  }
  /* A static type is smaller than what its own type says: it is no
   * PyHeapTypeObject. */
  uint64_t size = object->type->flags & TPFLAGS_TYPE_SUBCLASS
                      ? (uint64_t)SIZEOF(heap->layout, PyTypeObject)
                      : object->type->basicsize;
  if (object->available < size) {
    *why = "objects that are cut off";
    return false;
  }
  return true;
}

/** More references than an object has that nothing else is known to refer to. */
enum {
  FEW = 1 << 20
};

/** Whether the bytes before the local count of an object of a free-threaded
 * build make sense: its flags of 3.14, of which four are in use, and its lock of
 * two bits (Include/object.h). */
static bool may_be_split(const struct pyheap *heap, uint64_t address) {
  const uint8_t *flags = memory_at(
      &heap->memory,
      address + (uint64_t)OFFSET(heap->layout, PyObject, ob_gc_bits) - 3, 4);
  return flags && (load_u32(flags) & 0x00fcfff0) == 0;
}

/** Whether what stands at ADDRESS may be the count of an object that nothing
 * else is known to refer to: a small number, or the one that immortal objects
 * have. */
static bool may_be_refcount(const struct pyheap *heap, uint64_t address) {
  enum {
    IMMORTAL_3_11 = 999999999
  };
  int64_t count = heap_refcount(heap, address);
  if (heap->layout->free_threaded && !may_be_split(heap, address))
    return false;
  uint64_t word =
      heap_word(heap, address, OFFSET(heap->layout, PyObject, ob_refcnt));
  /* Above the count, 3.14 has flags of which four are in use; a free list has
   * its links there. */
  bool flags_known = heap->layout->version < 0x030e ||
                     heap->layout->free_threaded ||
                     (word >> 32 & 0xfff0ffff) == 0;
  if (count > 0 && count < FEW)
    return flags_known;
  if (heap->layout->free_threaded)
    return count == -1 || (!count && heap_refcount_may_be_0(heap, address));
  if (heap->layout->version < 0x030c) {
    /* The static objects of 3.11, which begin with a number that elsewhere may
     * be an address. */
    const struct memory_range *range = memory_range_at(&heap->memory, address);
    return heap->layout->version == 0x030b && range &&
           (range->flags & MEMORY_FILE) && count > IMMORTAL_3_11 - FEW &&
           count < IMMORTAL_3_11 + FEW;
  }
  return count == -1 && flags_known &&
         (heap->layout->version >= 0x030e || word >> 33 == 0);
}

/** Whether ADDRESS is in a C variable of the program or its libraries, other
 * than the runtime itself. */
static bool is_in_variable(const struct pyheap *heap, uint64_t address) {
  if (address - heap->runtime < (uint64_t)SIZEOF(heap->layout, pyruntimestate))
    return false;
  for (size_t i = 0; i < heap->memory.static_count; i++) {
    const struct memory_static *area = &heap->memory.statics[i];
    if (address >= area->start && address < area->end)
      return true;
  }
  return false;
}

/** Whether its neighbours on the collector's list know the object.  While it
 * collects, _gc_prev may be what is left of the object's count instead
 * (pycore_gc.h, _PyGC_PREV_MASK_COLLECTING; gc_refs). */
static bool is_linked(const struct pyheap *heap, const struct object *object) {
  enum {
    COLLECTING = 2,
    SHIFT = 2,
    POINTER = ~3
  };
  const struct layout *layout = heap->layout;
  uint64_t head = object->address - (uint64_t)SIZEOF(layout, PyGC_Head);
  uint64_t previous =
      heap_word(heap, head, OFFSET(layout, PyGC_Head, _gc_prev));
  int64_t count = heap_refcount(heap, object->address);
  if (previous & COLLECTING &&
      (count < 0 || previous >> SHIFT <= (uint64_t)count))
    return true;
  uint64_t next = heap_word(heap, previous & (uint64_t)POINTER,
                            OFFSET(layout, PyGC_Head, _gc_next));
  return (next & (uint64_t)POINTER) == head;
}

/** Whether an object that nothing vouches for agrees with itself: the caches of
 * the interpreter point to some that are gone, where other data is now. */
static bool is_whole(const struct pyheap *heap, const struct object *object) {
  struct text text;
  uint64_t size, start, end;
  object_extent(heap, object, &start, &end);
  if (!object_measure(heap, object, &size) ||
      allocator_contradicts(heap, start) ||
      c_stack_holds(heap, object->address))
    return false;
  if (object->type->flags & TPFLAGS_UNICODE_SUBCLASS)
    return text_open(heap, object->address, &text);
  return heap->layout->free_threaded || !object_is_tracked(heap, object) ||
         is_linked(heap, object);
}

bool heap_is_object(const struct pyheap *heap, uint64_t address) {
  struct object object;
  const char *why;
  const struct memory_range *range = memory_range_at(&heap->memory, address);
  if (address % MEMORY_GRANULE || !range || !(range->flags & MEMORY_OBJECTS))
    return false;
  if (heap_is_marked(heap, address))
    return true;
  if (!may_be_refcount(heap, address) ||
      !object_load(heap, address, &object, &why) || !is_whole(heap, &object))
    return false;
  /* Objects that the collector knows are not made in C variables, but for those
   * of frozen modules, which are immortal; what else looks like one there is a
   * table that names a type. */
  int64_t count = heap_refcount(heap, address);
  return !(count > 0 && count < FEW && object_is_gc(heap, &object) &&
           is_in_variable(heap, address));
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
  const struct layout *layout = heap->layout;
  if (!object_is_gc(heap, object))
    return false;
  /* _PyGC_BITS_TRACKED, pycore_gc.h of 3.13. */
  if (layout->free_threaded)
    return object->bytes[OFFSET(layout, PyObject, ob_gc_bits)] & 1;
  return heap_word(heap, object->address - (uint64_t)SIZEOF(layout, PyGC_Head),
                   OFFSET(layout, PyGC_Head, _gc_next));
}

/* Size -------------------------------------------------------------------- */

/** Whether sys.getsizeof() adds a PyGC_Head: where there is one, up to 3.10; then
 * for every object of such a type; from 3.13 on not for static types, unless
 * their metatype is another one. */
static bool counts_gc_head(const struct pyheap *heap,
                           const struct object *object) {
  if (heap->layout->version < 0x030b)
    return object_is_gc(heap, object);
  if (!(object->type->flags & TPFLAGS_HAVE_GC))
    return false;
  return heap->layout->version < 0x030d ||
         object->type->public.address != heap->types.type_type ||
         object_is_gc(heap, object);
}

/** What sys.getsizeof() adds for the words before the object: its PyGC_Head and
 * two words for its managed dict and weak references (Python/sysmodule.c,
 * _PySys_GetSizeOf; pycore_object.h, _PyType_PreHeaderSize). */
static uint64_t preheader(const struct pyheap *heap,
                          const struct object *object) {
  const struct type *type = object->type;

  return type->managed_words +
         (!(type->flags & TPFLAGS_TYPE_SUBCLASS) || counts_gc_head(heap, object)
              ? type->gc_head
              : 0);
}

/** Basic size and items; UINT64_MAX for more than can be. */
static uint64_t variable_size(const struct object *object) {
  uint64_t items, bytes;
  if (__builtin_mul_overflow(object->type->itemsize, object_size_field(object),
                             &items) ||
      __builtin_add_overflow(object->type->basicsize, items, &bytes))
    return UINT64_MAX;
  return bytes;
}

/** Whether BYTES of an object may be at ADDRESS, saved or not.  Files that were
 * mapped for reading count as mapped, but not as memory that objects are in. */
static bool may_be_there(const struct pyheap *heap, uint64_t address,
                         uint64_t bytes) {
  return bytes <= memory_size(&heap->memory) &&
         memory_is_mapped(&heap->memory, address, bytes);
}

/** Whether there is memory for COUNT items of SIZE bytes at ADDRESS. */
static bool is_table(const struct pyheap *heap, uint64_t address,
                     uint64_t count, uint64_t size) {
  uint64_t bytes;
  return !count || (!__builtin_mul_overflow(count, size, &bytes) &&
                    may_be_there(heap, address, bytes));
}

/** Whether an object can weigh BYTES: what is allocated with it has to be
 * mapped, and all together cannot be more than there is. */
static bool is_plausible(const struct pyheap *heap, const struct object *object,
                         uint64_t bytes) {
  const struct layout *layout = heap->layout;
  const struct known_type *known = object->type->known_size;
  struct text text;
  uint64_t count;

  switch (known ? known->kind : KIND_OTHER) {
  case KIND_LIST:
    /* -1 while it is being sorted (Objects/listobject.c, list_sort_impl). */
    count = FIELD(layout, object, PyListObject, allocated);
    return count == UINT64_MAX ||
           is_table(heap, FIELD(layout, object, PyListObject, ob_item), count,
                    8);
  case KIND_SET:
    return set_is_being_made(heap, object) ||
           is_table(heap, FIELD(layout, object, PySetObject, table),
                    FIELD(layout, object, PySetObject, mask) + 1,
                    (uint64_t)SIZEOF(layout, setentry));
  case KIND_BYTEARRAY:
    if (OFFSET(layout, PyByteArrayObject, ob_bytes) != FACT_ABSENT)
      return is_table(heap, FIELD(layout, object, PyByteArrayObject, ob_bytes),
                      FIELD(layout, object, PyByteArrayObject, ob_alloc), 1);
    return bytes <= memory_size(&heap->memory);
  case KIND_STR:
    return bytes <= object->available ||
           (bytes <= memory_size(&heap->memory) &&
            text_open(heap, object->address, &text));
  case KIND_CODE:
    /* Until 3.10 some of its tables are elsewhere (tables_size). */
    if (bytes > memory_size(&heap->memory))
      return false;
    bytes = variable_size(object);
    break;
  case KIND_INT:
  case KIND_GENERATOR:
  case KIND_FRAME:
    break;
  default:
    if (known)
      return bytes <= memory_size(&heap->memory);
  }
  return bytes <= object->available ||
         may_be_there(heap, object->address, bytes);
}

bool object_measure(const struct pyheap *heap, const struct object *object,
                    uint64_t *size) {
  const struct known_type *known = object->type->known_size;
  uint64_t bytes = known ? known->size(heap, object) : variable_size(object);
  bool plausible = is_plausible(heap, object, bytes);
  *size =
      (plausible ? bytes : object->type->basicsize) + preheader(heap, object);
  return plausible;
}

uint64_t object_getsizeof(const struct pyheap *heap,
                          const struct object *object) {
  uint64_t size;
  object_measure(heap, object, &size);
  return size;
}

void object_extent(const struct pyheap *heap, const struct object *object,
                   uint64_t *start, uint64_t *end) {
  const struct type *type = object->type;
  uint64_t before = preheader(heap, object), bytes = variable_size(object);

  if (type->flags & TPFLAGS_TYPE_SUBCLASS && !object_is_gc(heap, object)) {
    /* A static type is no PyHeapTypeObject. */
    before = 0;
    bytes = (uint64_t)SIZEOF(heap->layout, PyTypeObject);
  } else if (type->flags & TPFLAGS_UNICODE_SUBCLASS && !type->python_class) {
    /* A str has its characters behind a header of one of two sizes. */
    bytes = object_getsizeof(heap, object) - before;
  } else if (type->itemsize && type->known_size &&
             !(type->flags & TPFLAGS_TYPE_SUBCLASS)) {
    /* How many items these have is not in ob_size, or not as it is. */
    bytes = object_getsizeof(heap, object) - before;
  } else if (type->known && type->known->items_elsewhere) {
    bytes = type->basicsize;
  }
  if (!may_be_there(heap, object->address, bytes))
    bytes = type->basicsize;
  *start = object->address - before;
  *end = object->address + bytes;
}

uint64_t heap_getsizeof(const struct pyheap *heap, uint64_t address) {
  struct object object;
  const char *why;
  /* Bytes objects alone: others might ask for the size of each other. */
  return object_load(heap, address, &object, &why) &&
                 (object.type->flags & TPFLAGS_BYTES_SUBCLASS)
             ? object_getsizeof(heap, &object)
             : 0;
}

/* References -------------------------------------------------------------- */

static void prefetch(const struct pyheap *heap, uint64_t address) {
  const uint8_t *bytes = memory_at(&heap->memory, address, 1);
  if (!bytes)
    return;
  __builtin_prefetch(bytes);
  __builtin_prefetch(bytes + 64);
}

void object_prefetch(const struct pyheap *heap, const struct object *object) {
  const struct layout *layout = heap->layout;
  const struct type *type = object->type;

  if (type->leaf)
    return;
  if (type->flags & TPFLAGS_MANAGED_DICT)
    prefetch_managed_dict(heap, object);
  switch (type->known ? type->known->kind : KIND_OTHER) {
  case KIND_DICT:
    prefetch(heap, FIELD(layout, object, PyDictObject, ma_keys));
    break;
  case KIND_LIST:
    prefetch(heap, FIELD(layout, object, PyListObject, ob_item));
    break;
  case KIND_SET:
    prefetch(heap, FIELD(layout, object, PySetObject, table));
    break;
  default:
    break;
  }
}

static inline void add_reference(struct visit *visit, uint64_t target,
                                 enum pyheap_reference_kind kind,
                                 enum pyheap_name_form form, uint64_t name) {
  if (!target || visit->stop)
    return;
  if (visit->demote && kind == PYHEAP_VISITED)
    kind = PYHEAP_OWNED;
  if (visit->count == sizeof visit->references / sizeof *visit->references) {
    visit->flush(visit);
    visit->count = 0;
  }
  visit->references[visit->count++] =
      (struct pyheap_reference){target, kind, {form, name}, visit->uncounted};
}

void visit_reference(struct visit *visit, uint64_t target,
                     enum pyheap_reference_kind kind,
                     enum pyheap_name_form form, uint64_t name) {
  add_reference(visit, target, kind, form, name);
}

void visit_named(struct visit *visit, uint64_t target,
                 enum pyheap_reference_kind kind, const char *name) {
  visit_reference(visit, target, kind, PYHEAP_NAME_TEXT,
                  (uint64_t)(uintptr_t)name);
}

/** The first of ITEMS from FROM on that is ONLY; COUNT when there is none. */
static uint64_t find_item(const uint8_t *items, uint64_t from, uint64_t count,
                          uint64_t only) {
  enum {
    AT_ONCE = 8,  /**< A line of memory. */
    AHEAD = 4096, /**< Bytes: processors fetch ahead, but in one page alone. */
  };
  for (; count - from >= AT_ONCE; from += AT_ONCE) {
    const uint8_t *line = items + 8 * from;
    bool found = false;
    __builtin_prefetch(line + AHEAD);
#pragma GCC unroll 8
    for (int i = 0; i < AT_ONCE; i++)
      found |= load_u64(line + 8 * i) == only;
    if (found)
      break;
  }
  while (from < count && load_u64(items + 8 * from) != only)
    from++;
  return from;
}

/** A search through many items by all threads. */
struct item_search {
  const uint8_t *items;
  uint64_t only, from;
  uint64_t found; /**< The first so far; at first, how many items there are. */
  struct shares shares; /**< Of those behind FROM. */
};

static void search_shares(void *context, unsigned thread) {
  struct item_search *search = context;
  uint64_t start, end;

  (void)thread;
  while (shares_take(&search->shares, &start, &end)) {
    uint64_t before = __atomic_load_n(&search->found, __ATOMIC_RELAXED);
    if (before < search->from + start)
      return;
    uint64_t i = find_item(search->items, search->from + start,
                           search->from + end, search->only);
    while (i < search->from + end && i < before &&
           !__atomic_compare_exchange_n(&search->found, &before, i, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      ;
  }
}

/** The same as find_item(), which for millions takes milliseconds.  To start
 * threads takes some, too, and there may be as many to find as there are items. */
static uint64_t find_among(const struct pyheap *heap, const uint8_t *items,
                           uint64_t from, uint64_t count, uint64_t only) {
  enum {
    MANY = 1 << 18,
    SHARE = 1 << 16
  };
  uint64_t alone = count - from < MANY ? count : from + SHARE;
  uint64_t i = find_item(items, from, alone, only);
  if (i < alone || alone == count)
    return i;
  struct item_search search = {
      items, only, alone, count, {.end = count - alone, .size = SHARE}};
  parallel_run(heap->threads, search_shares, &search);
  return search.found;
}

/** Tells at once that item I is what is looked for: it may be the last that is
 * wanted. */
static void tell_item(struct visit *visit, enum pyheap_reference_kind kind,
                      uint64_t i) {
  visit_reference(visit, visit->only, kind, PYHEAP_NAME_INDEX, i);
  visit->flush(visit);
  visit->count = 0;
}

/** Where one was found last in a long list: objects that have to do with each
 * other are often near there. */
static __thread struct {
  const uint8_t *items;
  uint64_t place;
} last;

enum {
  NEAR = 1024
};

/** Looks around the place of the last one; false when there is nothing. */
static bool tell_near(struct visit *visit, const uint8_t *items, uint64_t count,
                      enum pyheap_reference_kind kind) {
  if (last.items != items || last.place >= count)
    return false;
  uint64_t from = last.place > NEAR ? last.place - NEAR : 0;
  uint64_t end = count - last.place > NEAR ? last.place + NEAR : count;
  uint64_t i = find_item(items, from, end, visit->only);
  if (i == end)
    return false;
  visit->left_out += i - from;
  last.place = i;
  tell_item(visit, kind, i);
  return true;
}

static void visit_array_only(struct visit *visit, const uint8_t *items,
                             uint64_t count, enum pyheap_reference_kind kind) {
  if (visit->one && tell_near(visit, items, count, kind))
    return;
  for (uint64_t i = 0; i < count && !visit->stop; i++) {
    uint64_t from = i;
    i = find_among(visit->heap, items, from, count, visit->only);
    visit->left_out += i - from;
    if (i == count)
      return;
    if (count > 2 * NEAR) {
      last.items = items;
      last.place = i;
    }
    tell_item(visit, kind, i);
  }
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
  if (visit->only) {
    visit_array_only(visit, items, count, kind);
    return;
  }
  for (uint64_t i = 0; i < count && !visit->stop; i++)
    add_reference(visit, load_u64(items + 8 * i), kind, PYHEAP_NAME_INDEX, i);
}

void visit_counted(struct visit *visit, bool counted) {
  visit->uncounted = !counted;
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
    visit_managed_dict(visit, object);
  else if (type->visits_dict)
    visit_dict_at(visit, object);
  if (type->visits_type)
    visit_own_type(visit);
}

bool version_reached(const struct pyheap *heap, uint32_t version) {
  return version > UINT16_MAX ? heap->info.hexversion >= version
                              : heap->layout->version >= version;
}

static void visit_members(struct visit *visit, const struct object *object,
                          const struct member *members) {
  const struct layout *layout = visit->heap->layout;
  for (const struct member *member = members; member->kind != MEMBER_END;
       member++) {
    if (!member_applies(visit->heap, member))
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

/** Whether the block is the visited object's alone. */
static bool is_own_block(struct visit *visit, uint64_t block) {
  enum block_ownership ownership = block_owners_note(
      visit->heap->block_owners, block, visit->object->address);
  if (ownership == BLOCK_UNKNOWN)
    visit_problem(visit, "blocks of extensions' objects that were left out",
                  visit->object->address);
  return ownership == BLOCK_OWN;
}

/** A word of an instance whose type no table describes: probably a reference
 * when an object is there, and when it leads to a block of memory, what that has
 * of the kind, and the frames of one stack. */
static void scan_word(struct visit *visit, uint64_t word, uint64_t at) {
  enum {
    MAX_BLOCK = 1 << 20
  };
  const struct pyheap *heap = visit->heap;

  if (heap_is_object(heap, word)) {
    visit_reference(visit, word, PYHEAP_PROBABLE, PYHEAP_NAME_OFFSET, at);
    return;
  }
  uint64_t size = allocator_block_size(heap, word);
  const uint8_t *block = size && size <= MAX_BLOCK && at <= UINT32_MAX
                             ? heap_memory(heap, word, size)
                             : NULL;
  if (!block || !is_own_block(visit, word))
    return;
  bool frames = false;
  for (uint64_t inner = 0; inner + 8 <= size && !visit->stop; inner += 8) {
    uint64_t target = load_u64(block + inner);
    if (!target)
      continue;
    if (heap_is_object(heap, target))
      visit_reference(visit, target, PYHEAP_PROBABLE, PYHEAP_NAME_BLOCK,
                      inner << 32 | at);
    else if (!frames)
      frames = visit_suspended_frames(visit, target);
  }
}

/** The words of an instance of a C type that no table describes.  A __dict__ is
 * its own, whether its tp_traverse shows it or not. */
static void scan_unknown(struct visit *visit, const struct object *object) {
  const struct type *type = object->type;
  uint64_t end =
      type->scan_end < object->available ? type->scan_end : object->available;
  for (uint64_t at = (type->scan_start + 7) & ~7ull; at + 8 <= end; at += 8) {
    uint64_t word = load_u64(object->bytes + at);
    if (!word || (int64_t)at == type->weaklistoffset)
      continue;
    if ((int64_t)at != type->dictoffset)
      scan_word(visit, word, at);
    else if (!type->visits_dict)
      visit_named(visit, word, PYHEAP_OWNED, ".__dict__");
  }
}

void object_visit(struct visit *visit, const struct object *object) {
  const struct type *type = object->type;

  /* Interned strings are not kept alive by the dict that finds them: its
   * references are not counted (Objects/unicodeobject.c of 3.11,
   * PyUnicode_InternInPlace). */
  visit->object = object;
  visit->uncounted = (type->flags & TPFLAGS_DICT_SUBCLASS) &&
                     heap_is_interned_dict(visit->heap, object->address);
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
