/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Reading a dict of the target.
 */
#ifndef PYHEAP_DICT_H
#define PYHEAP_DICT_H

#include "known_type.h"

/** The table of keys (PyDictKeysObject). */
struct dict_keys {
  uint64_t address;
  int64_t refcount;
  const uint8_t *entries; /**< ENTRY_COUNT entries, mapped. */
  uint64_t entry_count;   /**< Entries in use or deleted. */
  uint64_t usable;        /**< Entries that may still be added. */
  uint64_t capacity;      /**< Entries that there is room for. */
  uint64_t bytes;         /**< What it weighs, as _PyDict_KeysSize(). */
  uint32_t entry_size, key_offset, value_offset;
  bool general; /**< Keys may be of any type, and are visited. */
};

struct dict {
  struct dict_keys keys;
  const uint8_t
      *values;   /**< Of a split table: ENTRY_COUNT pointers; or NULL. */
  bool embedded; /**< The values are inside an instance. */
  uint64_t used; /**< len() */
};

/** False when memory is missing or the numbers contradict each other. */
bool dict_keys_open(const struct pyheap *heap, uint64_t address,
                    struct dict_keys *keys);
bool dict_open(const struct pyheap *heap, uint64_t address, struct dict *dict);
/** The next live entry at or behind *POSITION, which moves on. */
bool dict_next(const struct dict *dict, uint64_t *position, uint64_t *key,
               uint64_t *value);
/** The key of entry I, 0 when there is none. */
uint64_t dict_key_at(const struct dict_keys *keys, uint64_t i);
/** The value under the ASCII string KEY, 0 when there is none. */
uint64_t dict_lookup(const struct pyheap *heap, uint64_t address,
                     const char *key);

#endif
