/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "dict.h"
#include "heap.h"
#include "known_numpy.h"
#include "text.h"

/** Entries for addresses that are no type: remembered, as damaged or guessed
 * pointers come back often, but never more than a quarter of the table. */
enum {
  MAX_NO_TYPES = TYPE_TABLE_SIZE / 4
};

/** Type codes of PyMemberDef, Include/structmember.h: slots are T_OBJECT_EX. */
enum {
  T_OBJECT_EX = 16
};

enum {
  TPFLAGS_READY = 1 << 12
};

enum {
  MAX_NAME = 1024
};

static const struct known_type *const known_tables[] = {
    known_types,
    known_modules,
    known_numpy,
    NULL,
};

/* Known types by name ----------------------------------------------------- */

static const struct known_type **known_sorted;
static size_t known_count;

static int compare_known(const void *a, const void *b) {
  return strcmp((*(const struct known_type *const *)a)->name,
                (*(const struct known_type *const *)b)->name);
}

static void sort_known(void) {
  size_t count = 0;
  for (const struct known_type *const *table = known_tables; *table; table++)
    for (const struct known_type *known = *table; known->name; known++)
      count++;
  known_sorted = reallocarray(NULL, count, sizeof *known_sorted);
  if (!known_sorted)
    return;
  for (const struct known_type *const *table = known_tables; *table; table++)
    for (const struct known_type *known = *table; known->name; known++)
      known_sorted[known_count++] = known;
  qsort(known_sorted, known_count, sizeof *known_sorted, compare_known);
}

static const struct known_type *known_find(const char *name) {
  size_t low = 0, high = known_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(known_sorted[middle]->name, name);
    if (order == 0)
      return known_sorted[middle];
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

bool types_has_row(const char *name) {
  return known_find(name);
}

/* The table --------------------------------------------------------------- */

enum {
  TABLE_BYTES = TYPE_TABLE_SIZE * sizeof(struct type_entry)
};

/** An empty table, or NULL.  It is searched before it is written to: what is read of
 * a process's own memory is a page of zeros that all share, and when that has to be
 * replaced all processors are told.  Of shared memory, each page is its own. */
static struct type_entry *table_create(void) {
  void *table = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return table == MAP_FAILED ? NULL : table;
}

struct pyheap_error *types_init(struct pyheap *heap, uint64_t type_type) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct types *types = &heap->types;

  pthread_once(&once, sort_known);
  /* Recursive: to name a type is to read strings, whose type is looked up. */
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&types->lock, &attributes);
  pthread_mutexattr_destroy(&attributes);
  types->list = calloc(MAX_TYPES, sizeof *types->list);
  types->table = table_create();
  types->used = calloc(MAX_TYPES + MAX_NO_TYPES, sizeof *types->used);
  if (!known_sorted || !types->list || !types->table || !types->used)
    return &error_no_memory;
  types->type_type = type_type;
  return NULL;
}

static void type_destroy(struct type *type) {
  if (!type)
    return;
  free(type->name);
  free(type->mro);
  free(type->slots);
  free(type);
}

void types_deinit(struct types *types) {
  for (uint32_t i = 0; i < types->count; i++)
    type_destroy(types->list[i]);
  free(types->list);
  if (types->table) {
    pthread_mutex_destroy(&types->lock);
    munmap(types->table, TABLE_BYTES);
  }
  free(types->used);
  lost_names_deinit(&types->lost);
}

void types_forget(struct pyheap *heap) {
  struct types *types = &heap->types;
  for (uint32_t i = 0; i < types->count; i++)
    type_destroy(take(types->list[i]));
  types->count = types->no_type_count = 0;
  /* The table is large, and hardly any of it in use. */
  while (types->used_count)
    types->table[types->used[--types->used_count]] = (struct type_entry){0};
}

/** Looks for ADDRESS from SLOT on.  *ENTRY: where it is, or the empty one that ended
 * the search, which another thread may fill at once. */
static bool search_from(const struct types *types, size_t slot,
                        uint64_t address, struct type_entry **entry) {
  for (;; slot = (slot + 1) % TYPE_TABLE_SIZE) {
    *entry = &types->table[slot];
    uint64_t found = __atomic_load_n(&(*entry)->address, __ATOMIC_ACQUIRE);
    if (found == address || !found)
      return found;
  }
}

/** Where what is no type has its entry: it may be any number, and so many that are
 * next to each other that they must be far from each other in the table. */
static size_t no_type_slot(uint64_t address) {
  return (address * 0x9e3779b97f4a7c15 >> 32) % TYPE_TABLE_SIZE;
}

/** The entry of ADDRESS, as a type or as none; NULL when it has none yet. */
static const struct type_entry *find_entry(const struct types *types,
                                           uint64_t address) {
  struct type_entry *entry;
  return search_from(types, types_slot(address), address, &entry) ||
                 search_from(types, no_type_slot(address), address, &entry)
             ? entry
             : NULL;
}

static void insert(struct types *types, uint64_t address,
                   const struct type *type) {
  struct type_entry *entry;
  search_from(types, type ? types_slot(address) : no_type_slot(address),
              address, &entry);
  types->used[types->used_count++] = (uint32_t)(entry - types->table);
  entry->type = type;
  __atomic_store_n(&entry->address, address, __ATOMIC_RELEASE);
}

/** Takes the lock, which is held for the microseconds that it takes to read a type:
 * a thread that sleeps for it is woken some fifty later, while another type is
 * wanted. */
static void lock(struct types *types) {
  enum {
    TRIES = 256,
    PAUSES = 8
  };
  for (int i = 0; i < TRIES; i++) {
    if (pthread_mutex_trylock(&types->lock) == 0)
      return;
    for (int j = 0; j < PAUSES; j++)
      __builtin_ia32_pause();
  }
  pthread_mutex_lock(&types->lock);
}

/* Reading one type -------------------------------------------------------- */

static const struct type *get_locked(struct pyheap *heap, uint64_t address);

#define TYPE_FIELD(heap, bytes, member)                                        \
  load_u64((bytes) + OFFSET((heap)->layout, PyTypeObject, member))

static const uint8_t *type_bytes(const struct pyheap *heap, uint64_t address) {
  return heap_memory(heap, address,
                     (uint64_t)SIZEOF(heap->layout, PyTypeObject));
}

/** A member of the PyHeapTypeObject at ADDRESS; 0 when it cannot be read. */
static uint64_t heap_type_field(const struct pyheap *heap, uint64_t address,
                                int32_t offset) {
  const uint8_t *bytes =
      offset < 0 ? NULL : heap_memory(heap, address + (uint64_t)offset, 8);
  return bytes ? load_u64(bytes) : 0;
}

/** The name of a heap type whose tp_name is in a file that is gone, as types made
 * from a PyType_Spec have it up to 3.10, from its other members. */
static const char *spec_name(const struct pyheap *heap, uint64_t address,
                             const uint8_t *bytes) {
  const struct layout *layout = heap->layout;
  char *name = NULL;
  cleanup_free char *qualname =
      text_utf8(heap,
                heap_type_field(heap, address,
                                OFFSET(layout, PyHeapTypeObject, ht_qualname)),
                MAX_NAME);
  cleanup_free char *module = text_utf8(
      heap, dict_lookup(heap, TYPE_FIELD(heap, bytes, tp_dict), "__module__"),
      MAX_NAME);
  if (!qualname || asprintf(&name, "%s%s%s", module ? module : "",
                            module ? "." : "", qualname) < 0)
    return NULL;
  return lost_names_add((struct pyheap *)heap, address, name);
}

/** tp_name, or what it must have been. */
static const char *static_name(const struct pyheap *heap, uint64_t address,
                               const uint8_t *bytes) {
  const char *name =
      memory_string(&heap->memory, TYPE_FIELD(heap, bytes, tp_name), MAX_NAME);
  if (name || !heap->types.lost.wanted)
    return name;
  name = lost_names_get(heap, address);
  if (name)
    return name;
  return TYPE_FIELD(heap, bytes, tp_flags) & TPFLAGS_HEAPTYPE
             ? spec_name(heap, address, bytes)
             : lost_names_by_base((struct pyheap *)heap, address);
}

/** The module's part of a tp_name: up to its last dot (Objects/typeobject.c,
 * type_module). */
static uint32_t static_module(const char *tp_name) {
  const char *dot = strrchr(tp_name, '.');
  return dot ? (uint32_t)(dot - tp_name) : 0;
}

/** "module.qualname", builtins bare, from what type.__module__ and
 * type.__qualname__ would answer (Objects/typeobject.c, type_module), and how
 * many bytes of it are the module's. */
static char *qualified_name(const struct pyheap *heap, uint64_t address,
                            const uint8_t *bytes, uint32_t flags,
                            uint32_t *module_length) {
  const char *tp_name = static_name(heap, address, bytes);
  char *name = NULL;

  if (!(flags & TPFLAGS_HEAPTYPE)) {
    if (tp_name && strncmp(tp_name, "builtins.", 9) == 0)
      tp_name += 9;
    if (tp_name) {
      *module_length = static_module(tp_name);
      return strdup(tp_name);
    }
    if (asprintf(&name, "type 0x%llx", (unsigned long long)address) < 0)
      return NULL;
    return name;
  }
  const struct layout *layout = heap->layout;
  cleanup_free char *qualname =
      text_utf8(heap,
                heap_type_field(heap, address,
                                OFFSET(layout, PyHeapTypeObject, ht_qualname)),
                MAX_NAME);
  uint64_t dict = TYPE_FIELD(heap, bytes, tp_dict);
  cleanup_free char *module =
      text_utf8(heap, dict_lookup(heap, dict, "__module__"), MAX_NAME);
  const char *last = qualname ? qualname : tp_name ? tp_name : "?";
  if (!module || strcmp(module, "builtins") == 0)
    return strdup(last);
  if (asprintf(&name, "%s.%s", module, last) < 0)
    return NULL;
  *module_length = (uint32_t)strlen(module);
  return name;
}

/** The bases of a type from itself to object, checked. */
struct chain {
  const uint8_t *bytes[MAX_TYPE_DEPTH];
  uint64_t address[MAX_TYPE_DEPTH];
  int count;
};

static bool read_chain(const struct pyheap *heap, uint64_t address,
                       struct chain *chain) {
  chain->count = 0;
  while (address) {
    const uint8_t *bytes = type_bytes(heap, address);
    if (!bytes || chain->count == MAX_TYPE_DEPTH)
      return false;
    chain->bytes[chain->count] = bytes;
    chain->address[chain->count++] = address;
    address = TYPE_FIELD(heap, bytes, tp_base);
  }
  return true;
}

static uint32_t chain_flags(const struct pyheap *heap,
                            const struct chain *chain, int i) {
  return (uint32_t)TYPE_FIELD(heap, chain->bytes[i], tp_flags);
}

/** Whether a class statement (or type()) made it.  Types made from a
 * PyType_Spec without a tp_dealloc have subtype_dealloc() too; these have a
 * dotted tp_name, and classes have not. */
static bool is_python_class(const struct pyheap *heap,
                            const struct chain *chain, int i) {
  const uint8_t *bytes = chain->bytes[i];
  if (!(chain_flags(heap, chain, i) & TPFLAGS_HEAPTYPE))
    return false;
  if (heap->types.subtype_dealloc &&
      TYPE_FIELD(heap, bytes, tp_dealloc) != heap->types.subtype_dealloc)
    return false;
  const char *name = static_name(heap, chain->address[i], bytes);
  return !name || !strchr(name, '.') || !known_find(name);
}

static bool has_subtype_traverse(const struct pyheap *heap,
                                 const struct chain *chain, int i) {
  if (!heap->types.subtype_traverse)
    return is_python_class(heap, chain, i) &&
           (chain_flags(heap, chain, i) & TPFLAGS_HAVE_GC);
  return TYPE_FIELD(heap, chain->bytes[i], tp_traverse) ==
         heap->types.subtype_traverse;
}

/** Adds the __slots__ that one class of the chain defines: PyMemberDef behind
 * its PyHeapTypeObject, Objects/typeobject.c, traverse_slots. */
static bool add_slots(struct pyheap *heap, struct type *type,
                      const struct chain *chain, int i) {
  const struct layout *layout = heap->layout;
  const uint8_t *meta = type_bytes(
      heap, load_u64(chain->bytes[i] + OFFSET(layout, PyObject, ob_type)));
  uint64_t count =
      load_u64(chain->bytes[i] + OFFSET(layout, PyVarObject, ob_size));
  if (!meta || count > MAX_TYPE_SLOTS)
    return false;
  uint64_t size = (uint64_t)SIZEOF(layout, PyMemberDef);
  const uint8_t *members = heap_memory(
      heap, chain->address[i] + TYPE_FIELD(heap, meta, tp_basicsize),
      count * size);
  if (!count)
    return true;
  if (!members)
    return false;
  uint64_t names = heap_type_field(heap, chain->address[i],
                                   OFFSET(layout, PyHeapTypeObject, ht_slots));
  const uint8_t *items = heap_memory(
      heap, names + (uint64_t)OFFSET(layout, PyTupleObject, ob_item),
      8 * count);
  struct type_slot *slots =
      reallocarray(type->slots, type->slot_count + count, sizeof *slots);
  if (!slots)
    return false;
  type->slots = slots;
  for (uint64_t j = 0; j < count; j++) {
    const uint8_t *member = members + j * size;
    uint64_t offset = load_u64(member + OFFSET(layout, PyMemberDef, offset));
    if (load_u32(member + OFFSET(layout, PyMemberDef, type)) != T_OBJECT_EX ||
        offset + 8 < offset)
      continue;
    slots[type->slot_count++] =
        (struct type_slot){offset, items ? load_u64(items + 8 * j) : 0};
  }
  return true;
}

/** Finds the rows for instances, and which of their bytes no row covers. */
static void find_known(const struct pyheap *heap, struct type *type,
                       const struct chain *chain, int base) {
  uint64_t described = 0;

  for (int i = base; i < chain->count; i++) {
    if (is_python_class(heap, chain, i))
      continue;
    const char *name = static_name(heap, chain->address[i], chain->bytes[i]);
    const struct known_type *known = name ? known_find(name) : NULL;
    if (!known)
      continue;
    if (!type->known) {
      type->known = known;
      described = TYPE_FIELD(heap, chain->bytes[i], tp_basicsize);
    }
    if (known->size) {
      type->known_size = known;
      break;
    }
  }
  for (int i = base; i < chain->count && is_python_class(heap, chain, i); i++)
    base = i + 1;
  if (base == chain->count)
    return;
  uint64_t end = TYPE_FIELD(heap, chain->bytes[base], tp_basicsize);
  /* A damaged base may claim more than its subtype has. */
  if (end > type->basicsize)
    end = type->basicsize;
  if (end > described) {
    type->scan_start = described;
    type->scan_end = end;
  }
}

/** What Objects/typeobject.c, subtype_traverse does for instances. */
static void find_traverse(struct pyheap *heap, struct type *type,
                          const struct chain *chain, int base) {
  if (base == 0)
    return;
  bool last = base == chain->count;
  uint64_t traverse =
      last ? 0 : TYPE_FIELD(heap, chain->bytes[base], tp_traverse);
  uint32_t flags = last ? 0 : chain_flags(heap, chain, base);
  int64_t dictoffset =
      last ? 0 : (int64_t)TYPE_FIELD(heap, chain->bytes[base], tp_dictoffset);
  /* From 3.9 on, a base that is a heap type visits it. */
  type->visits_type = (type->flags & TPFLAGS_HEAPTYPE) &&
                      (!traverse || !(flags & TPFLAGS_HEAPTYPE) ||
                       heap->layout->version < 0x0309);
  type->visits_dict = type->dictoffset != dictoffset;
}

/** The indexes of __mro__; without a readable one the chain of bases serves. */
static void read_mro(struct pyheap *heap, struct type *type,
                     const uint8_t *bytes, const struct chain *chain) {
  const struct layout *layout = heap->layout;
  uint64_t mro = TYPE_FIELD(heap, bytes, tp_mro), count = 0;
  const uint8_t *header =
      heap_memory(heap, mro, (uint64_t)SIZEOF(layout, PyVarObject));
  if (mro && header)
    count = load_u64(header + OFFSET(layout, PyVarObject, ob_size));
  const uint8_t *items =
      count && count <= MAX_MRO
          ? heap_memory(heap,
                        mro + (uint64_t)OFFSET(layout, PyTupleObject, ob_item),
                        8 * count)
          : NULL;
  if (!items)
    count = (uint64_t)chain->count;
  type->mro = reallocarray(NULL, count, sizeof *type->mro);
  if (!type->mro)
    return;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t address = items ? load_u64(items + 8 * i) : chain->address[i];
    const struct type *base = get_locked(heap, address);
    if (base)
      type->mro[type->public.mro_count++] = base->index;
  }
  type->public.mro = type->mro;
}

/** Whether what stands at ADDRESS can be a type; its metatype is checked on the
 * way. */
static bool check_type(struct pyheap *heap, uint64_t address,
                       const uint8_t *bytes) {
  uint64_t meta = load_u64(bytes + OFFSET(heap->layout, PyObject, ob_type));
  uint64_t basicsize = TYPE_FIELD(heap, bytes, tp_basicsize);
  uint32_t flags = (uint32_t)TYPE_FIELD(heap, bytes, tp_flags);

  if (basicsize > 1ull << 40 ||
      basicsize < (uint64_t)SIZEOF(heap->layout, PyObject) ||
      TYPE_FIELD(heap, bytes, tp_itemsize) > 1ull << 40)
    return false;
  if (meta == heap->types.type_type)
    return true;
  /* CPython itself has types that nobody made ready (3.11's
   * positions_iterator), but none of another metatype. */
  if (meta == address || !(flags & TPFLAGS_READY))
    return false;
  const struct type *metatype = get_locked(heap, meta);
  return metatype && (metatype->flags & TPFLAGS_TYPE_SUBCLASS);
}

/** The flags without those that this version gives another meaning, or none. */
static uint32_t known_flags(const struct pyheap *heap, uint32_t flags) {
  uint16_t version = heap->layout->version;
  if (version < 0x030d)
    flags &= ~(uint32_t)TPFLAGS_INLINE_VALUES;
  if (version < 0x030c)
    flags &= ~(uint32_t)TPFLAGS_MANAGED_WEAKREF;
  if (version < 0x030b)
    flags &= ~(uint32_t)TPFLAGS_MANAGED_DICT;
  return flags;
}

/** Whether a class defines __sizeof__, and no row says what it answers. */
static bool defines_sizeof(const struct pyheap *heap, const struct type *type) {
  const uint8_t *bytes = type_bytes(heap, type->public.address);
  return bytes &&
         dict_lookup(heap, TYPE_FIELD(heap, bytes, tp_dict), "__sizeof__");
}

/** Whether there is a row for this very type. */
static bool has_own_row(const struct pyheap *heap, const struct type *type) {
  const uint8_t *bytes = type_bytes(heap, type->public.address);
  const char *name = bytes && !type->python_class
                         ? static_name(heap, type->public.address, bytes)
                         : NULL;
  return name && known_find(name);
}

bool type_sizes_itself(const struct pyheap *heap, const struct type *type) {
  struct types *types = (struct types *)&heap->types;
  int8_t known = __atomic_load_n(&type->sizes_itself, __ATOMIC_RELAXED);

  if (known)
    return known > 0;
  /* Names of types whose file is gone are looked up, and remembered. */
  lock(types);
  for (uint32_t i = 0; i < type->public.mro_count && !known; i++) {
    const struct type *base = heap->types.list[type->mro[i]];
    if (has_own_row(heap, base))
      known = -1;
    else if (defines_sizeof(heap, base))
      known = 1;
  }
  if (!known)
    known = -1;
  pthread_mutex_unlock(&types->lock);
  __atomic_store_n((int8_t *)&type->sizes_itself, known, __ATOMIC_RELAXED);
  return known > 0;
}

/** Whether object_visit() finds nothing in any instance. */
static bool is_leaf(const struct type *type) {
  const struct known_type *known = type->known;
  return !(type->flags & (TPFLAGS_HEAPTYPE | TPFLAGS_MANAGED_DICT)) &&
         !type->slot_count && !type->visits_dict && !type->visits_type &&
         type->scan_start >= type->scan_end &&
         (!known || (!known->visit && known->members[0].kind == MEMBER_END));
}

static void fill(struct pyheap *heap, struct type *type,
                 const struct chain *chain) {
  const uint8_t *bytes = chain->bytes[0];
  int base = 0;

  type->public.address = chain->address[0];
  type->public.base = UINT32_MAX;
  type->flags = known_flags(heap, chain_flags(heap, chain, 0));
  type->basicsize = TYPE_FIELD(heap, bytes, tp_basicsize);
  type->itemsize = TYPE_FIELD(heap, bytes, tp_itemsize);
  type->dictoffset = (int64_t)TYPE_FIELD(heap, bytes, tp_dictoffset);
  type->weaklistoffset = (int64_t)TYPE_FIELD(heap, bytes, tp_weaklistoffset);
  if ((type->flags & TPFLAGS_HAVE_GC) && !heap->layout->free_threaded)
    type->gc_head = (uint8_t)SIZEOF(heap->layout, PyGC_Head);
  if (type->flags & (TPFLAGS_MANAGED_DICT | TPFLAGS_MANAGED_WEAKREF))
    type->managed_words = 2 * 8;
  type->size_offset =
      type->itemsize ? OFFSET(heap->layout, PyVarObject, ob_size) : FACT_ABSENT;
  type->metatype = load_u64(bytes + OFFSET(heap->layout, PyObject, ob_type));
  type->python_class = is_python_class(heap, chain, 0);
  if (type->flags & TPFLAGS_HEAPTYPE)
    type->cached_keys =
        heap_type_field(heap, type->public.address,
                        OFFSET(heap->layout, PyHeapTypeObject, ht_cached_keys));
  while (base < chain->count && has_subtype_traverse(heap, chain, base)) {
    if (!add_slots(heap, type, chain, base))
      problems_add(&heap->problems, "class whose __slots__ cannot be read",
                   type->public.address, 1);
    base++;
  }
  find_known(heap, type, chain, base);
  find_traverse(heap, type, chain, base);
  type->public.layout_known = type->scan_start == type->scan_end;
  type->leaf = is_leaf(type);
  if (chain->count > 1) {
    const struct type *parent = get_locked(heap, chain->address[1]);
    if (parent)
      type->public.base = parent->index;
  }
  read_mro(heap, type, bytes, chain);
}

/** Reads the type at ADDRESS into the table.  NULL when it is none. */
static const struct type *load(struct pyheap *heap, uint64_t address) {
  struct types *types = &heap->types;
  cleanup_free struct chain *chain = malloc(sizeof *chain);

  if (!chain || types->count == MAX_TYPES || address % 8 ||
      !read_chain(heap, address, chain) ||
      !check_type(heap, address, chain->bytes[0]))
    return NULL;
  struct type *type = calloc(1, sizeof *type);
  if (!type)
    return NULL;
  type->public.name = "?";
  type->index = types->count;
  types->list[types->count++] = type;
  insert(types, address, type);
  fill(heap, type, chain);
  /* Last: a name is a str, if that is no damaged object of this very type. */
  uint32_t module_length = 0;
  type->name = qualified_name(heap, address, chain->bytes[0],
                              chain_flags(heap, chain, 0), &module_length);
  if (type->name) {
    type->public.name = type->name;
    type->public.module_length = module_length;
  }
  __atomic_store_n(&type->ready, true, __ATOMIC_RELEASE);
  return type;
}

static const struct type *get_locked(struct pyheap *heap, uint64_t address) {
  struct types *types = &heap->types;

  if (!address)
    return NULL;
  const struct type_entry *entry = find_entry(types, address);
  if (entry)
    return entry->type;
  if (types->reading == MAX_TYPES_READING)
    return NULL;
  types->reading++;
  const struct type *type = load(heap, address);
  types->reading--;
  if (!type && types->no_type_count < MAX_NO_TYPES) {
    types->no_type_count++;
    insert(types, address, NULL);
  }
  return type;
}

const struct type *types_get(const struct pyheap *heap, uint64_t address) {
  const struct types *types = &heap->types;

  if (!address)
    return NULL;
  const struct type_entry *entry = find_entry(types, address);
  if (entry) {
    const struct type *type = entry->type;
    if (!type || __atomic_load_n(&type->ready, __ATOMIC_ACQUIRE))
      return type;
  }
  /* Reading a type changes what is known, not what the heap is. */
  struct pyheap *mutable = (struct pyheap *)heap;
  lock(&mutable->types);
  const struct type *type = get_locked(mutable, address);
  pthread_mutex_unlock(&mutable->types.lock);
  return type;
}
