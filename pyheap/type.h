/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The type objects of the target, each read and checked once.
 */
#ifndef PYHEAP_TYPE_H
#define PYHEAP_TYPE_H

#include <pthread.h>

#include "known_type.h"
#include "lost.h"

enum {
  MAX_TYPES = 1 << 18,
  TYPE_TABLE_SIZE = 1 << 19, /**< Slots of the hash table, a power of two. */
  MAX_TYPE_DEPTH = 256,      /**< Of tp_base chains. */
  MAX_TYPES_READING = 512,   /**< At a time, one on account of another. */
  MAX_TYPE_SLOTS = 1 << 16,  /**< __slots__ of one class and its bases. */
  MAX_MRO = 1 << 12,
};

/** tp_flags, Include/object.h of 3.14.  type.c takes out those that a version
 * does not know. */
enum {
  TPFLAGS_STATIC_BUILTIN = 1 << 1,  /**< Since 3.12. */
  TPFLAGS_INLINE_VALUES = 1 << 2,   /**< 3.13 */
  TPFLAGS_MANAGED_WEAKREF = 1 << 3, /**< 3.12 */
  TPFLAGS_MANAGED_DICT = 1 << 4,    /**< 3.11 */
  TPFLAGS_HEAPTYPE = 1 << 9,
  TPFLAGS_HAVE_GC = 1 << 14,
  TPFLAGS_LONG_SUBCLASS = 1 << 24,
  TPFLAGS_LIST_SUBCLASS = 1 << 25,
  TPFLAGS_TUPLE_SUBCLASS = 1 << 26,
  TPFLAGS_BYTES_SUBCLASS = 1 << 27,
  TPFLAGS_UNICODE_SUBCLASS = 1 << 28,
  TPFLAGS_DICT_SUBCLASS = 1 << 29,
  TPFLAGS_BASE_EXC_SUBCLASS = 1 << 30,
  TPFLAGS_TYPE_SUBCLASS = 1u << 31,
};

/** A slot of a class with __slots__. */
struct type_slot {
  uint64_t offset; /**< In the instance. */
  uint64_t name;   /**< Address of its name, a str; 0 when unknown. */
};

struct type {
  struct pyheap_type public;
  uint32_t index;
  bool ready; /**< Read whole: others than the reader may use it. */
  uint32_t flags;
  uint64_t basicsize, itemsize;
  int64_t dictoffset, weaklistoffset;
  int32_t size_offset;   /**< Of ob_size; FACT_ABSENT without items. */
  uint8_t gc_head;       /**< Bytes of the PyGC_Head before an instance, … */
  uint8_t managed_words; /**< … and of its managed dict and weak references. */
  uint64_t metatype;     /**< ob_type */
  /** The rows that say what instances hold and weigh: of the first type along
   * tp_base that is no Python class. */
  const struct known_type *known;
  const struct known_type *known_size; /**< The first with a size function. */
  uint64_t scan_start, scan_end; /**< Bytes of an instance nobody knows. */
  bool visits_type;              /**< subtype_traverse visits Py_TYPE(self). */
  bool visits_dict;              /**< … and the __dict__ at dictoffset. */
  bool python_class;             /**< Made by a class statement. */
  bool leaf;                     /**< Its instances refer to nothing. */
  int8_t sizes_itself;  /**< type_sizes_itself(): 1 or -1; 0: not asked yet. */
  uint64_t cached_keys; /**< ht_cached_keys, names of inline attributes. */
  struct type_slot *slots;
  uint32_t slot_count;
  char *name;
  uint32_t *mro;
};

struct types {
  struct type **list; /**< By index; NULL-free up to count. */
  uint32_t count;
  /** Open addressing by address; type NULL: there is none at this address, and
   * the search for it begins elsewhere.  A reader needs no lock; a writer holds
   * it. */
  struct type_entry {
    uint64_t address;
    const struct type *type;
  } * table;
  uint32_t *used; /**< The table's slots in use. */
  uint32_t used_count;
  uint32_t no_type_count; /**< Entries for addresses that are no type. */
  uint32_t reading;       /**< Types that are being read. */
  pthread_mutex_t lock;
  uint64_t type_type;        /**< Address of PyType_Type. */
  uint64_t subtype_traverse; /**< Address of that function; 0: unknown. */
  uint64_t subtype_dealloc;
  struct lost_names lost; /**< Names that are in no file. */
};

struct pyheap;

struct pyheap_error *types_init(struct pyheap *heap, uint64_t type_type);
void types_deinit(struct types *types);
/** Forgets all types, for they are read otherwise from now on. */
void types_forget(struct pyheap *heap);
/** The type at ADDRESS, read on first use; NULL when there is none.  Any
 * thread may call it. */
const struct type *types_get(const struct pyheap *heap, uint64_t address);

/** See pyheap_type_sizes_itself(). */
bool type_sizes_itself(const struct pyheap *heap, const struct type *type);

/** Whether there is a row for types of that name. */
bool types_has_row(const char *name);

/** Where the search for a type at ADDRESS begins in the table.  A type has at least
 * 400 bytes, and most of a program are in one place: so they are in few pages of the
 * table. */
static inline size_t types_slot(uint64_t address) {
  return address / 256 % TYPE_TABLE_SIZE;
}

/** The same as types_get(), where that is quick; else NULL. */
static inline const struct type *types_peek(const struct types *types,
                                            uint64_t address) {
  const struct type_entry *entry = &types->table[types_slot(address)];
  if (!address || __atomic_load_n(&entry->address, __ATOMIC_ACQUIRE) != address)
    return NULL;
  const struct type *type = entry->type;
  return type && __atomic_load_n(&type->ready, __ATOMIC_ACQUIRE) ? type : NULL;
}

#endif
