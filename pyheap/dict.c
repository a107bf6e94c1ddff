/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "dict.h"

#include "heap.h"
#include "text.h"

/** What a table of 1 << MAX_LOG2_SIZE entries would weigh is more than any
 * address space. */
enum {
  MAX_LOG2_SIZE = 44
};

/** Bytes of one index of a table of SIZE slots (Objects/dictobject.c,
 * dictkeys_get_index). */
static uint64_t index_width(uint64_t size) {
  return size <= 0xff ? 1 : size <= 0xffff ? 2 : size <= 0xffffffff ? 4 : 8;
}

/** The size of the table and of its indices, in slots and bytes. */
static bool read_table_size(const struct layout *layout, const uint8_t *bytes,
                            uint64_t *slots, uint64_t *index_bytes) {
  if (OFFSET(layout, PyDictKeysObject, dk_log2_size) != FACT_ABSENT) {
    uint8_t log2 = bytes[OFFSET(layout, PyDictKeysObject, dk_log2_size)];
    uint8_t log2_index =
        bytes[OFFSET(layout, PyDictKeysObject, dk_log2_index_bytes)];
    if (log2 > MAX_LOG2_SIZE || log2_index > MAX_LOG2_SIZE + 3)
      return false;
    *slots = 1ull << log2;
    *index_bytes = 1ull << log2_index;
    return true;
  }
  *slots = load_u64(bytes + OFFSET(layout, PyDictKeysObject, dk_size));
  if (*slots > 1ull << MAX_LOG2_SIZE)
    return false;
  *index_bytes = *slots * index_width(*slots);
  return true;
}

/** The address of lookdict(), a static function, which is dk_lookup of tables
 * with keys of any type until 3.10.  The dict behind object.__subclasses__()
 * is one: its keys are ints (Objects/typeobject.c, add_subclass). */
static uint64_t general_lookup(const struct pyheap *heap) {
  const struct layout *layout = heap->layout;
  uint64_t object = heap_word(heap, heap->types.type_type,
                              OFFSET(layout, PyTypeObject, tp_base));
  uint64_t subclasses =
      heap_word(heap, object, OFFSET(layout, PyTypeObject, tp_subclasses));
  uint64_t keys =
      heap_word(heap, subclasses, OFFSET(layout, PyDictObject, ma_keys));
  return heap_word(heap, keys, OFFSET(layout, PyDictKeysObject, dk_lookup));
}

/** Whether keys may be anything. */
static bool is_general(const struct pyheap *heap, const uint8_t *bytes) {
  int32_t kind = OFFSET(heap->layout, PyDictKeysObject, dk_kind);
  /* DICT_KEYS_GENERAL is 0 (pycore_dict.h, 3.11). */
  if (kind != FACT_ABSENT)
    return bytes[kind] == 0;
  return load_u64(bytes + OFFSET(heap->layout, PyDictKeysObject, dk_lookup)) ==
         general_lookup(heap);
}

/** How entries are laid out. */
static void read_kind(const struct pyheap *heap, const uint8_t *bytes,
                      struct dict_keys *keys) {
  const struct layout *layout = heap->layout;
  keys->general = is_general(heap, bytes);
  /* Until 3.10 every entry has a hash. */
  if (keys->general || SIZEOF(layout, PyDictUnicodeEntry) == FACT_ABSENT) {
    keys->entry_size = (uint32_t)SIZEOF(layout, PyDictKeyEntry);
    keys->key_offset = (uint32_t)OFFSET(layout, PyDictKeyEntry, me_key);
    keys->value_offset = (uint32_t)OFFSET(layout, PyDictKeyEntry, me_value);
    return;
  }
  keys->entry_size = (uint32_t)SIZEOF(layout, PyDictUnicodeEntry);
  keys->key_offset = (uint32_t)OFFSET(layout, PyDictUnicodeEntry, me_key);
  keys->value_offset = (uint32_t)OFFSET(layout, PyDictUnicodeEntry, me_value);
}

bool dict_keys_open(const struct pyheap *heap, uint64_t address,
                    struct dict_keys *keys) {
  const struct layout *layout = heap_layout(heap);
  uint64_t header = (uint64_t)OFFSET(layout, PyDictKeysObject, dk_indices);
  const uint8_t *bytes = heap_memory(heap, address, header);
  uint64_t slots, index_bytes;

  if (!bytes || !read_table_size(layout, bytes, &slots, &index_bytes))
    return false;
  *keys = (struct dict_keys){.address = address};
  read_kind(heap, bytes, keys);
  keys->refcount =
      load_i64(bytes + OFFSET(layout, PyDictKeysObject, dk_refcnt));
  keys->usable = load_u64(bytes + OFFSET(layout, PyDictKeysObject, dk_usable));
  keys->entry_count =
      load_u64(bytes + OFFSET(layout, PyDictKeysObject, dk_nentries));
  if (keys->entry_count > slots || keys->usable > slots)
    return false;
  /* USABLE_FRACTION, Objects/dictobject.c */
  keys->capacity = (slots << 1) / 3;
  keys->bytes = header + index_bytes + keys->capacity * keys->entry_size;
  if (!memory_is_mapped(&heap->memory, address, keys->bytes))
    return false;
  keys->entries = heap_memory(heap, address + header + index_bytes,
                              keys->entry_count * keys->entry_size);
  return keys->entries || !keys->entry_count;
}

bool dict_open(const struct pyheap *heap, uint64_t address, struct dict *dict) {
  const struct layout *layout = heap_layout(heap);
  const uint8_t *bytes =
      heap_memory(heap, address, (uint64_t)SIZEOF(layout, PyDictObject));

  *dict = (struct dict){0};
  if (!bytes)
    return false;
  uint64_t keys = load_u64(bytes + OFFSET(layout, PyDictObject, ma_keys));
  if (!dict_keys_open(heap, keys, &dict->keys))
    return false;
  dict->used = load_u64(bytes + OFFSET(layout, PyDictObject, ma_used));
  uint64_t values = load_u64(bytes + OFFSET(layout, PyDictObject, ma_values));
  if (!values)
    return true;
  int32_t embedded = OFFSET(layout, PyDictValues, embedded);
  if (embedded != FACT_ABSENT) {
    const uint8_t *flag = heap_memory(heap, values + (uint64_t)embedded, 1);
    dict->embedded = flag && *flag;
  }
  /* Until 3.10 there is no struct around the values. */
  if (OFFSET(layout, PyDictValues, values) != FACT_ABSENT)
    values += (uint64_t)OFFSET(layout, PyDictValues, values);
  dict->values = heap_memory(heap, values, dict->keys.entry_count * 8);
  return dict->values || !dict->keys.entry_count;
}

uint64_t dict_key_at(const struct dict_keys *keys, uint64_t i) {
  return load_u64(keys->entries + i * keys->entry_size + keys->key_offset);
}

bool dict_next(const struct dict *dict, uint64_t *position, uint64_t *key,
               uint64_t *value) {
  const struct dict_keys *keys = &dict->keys;
  while (*position < keys->entry_count) {
    uint64_t i = (*position)++;
    *value = dict->values ? load_u64(dict->values + 8 * i)
                          : load_u64(keys->entries + i * keys->entry_size +
                                     keys->value_offset);
    if (!*value)
      continue;
    *key = dict_key_at(keys, i);
    return true;
  }
  return false;
}

uint64_t dict_lookup(const struct pyheap *heap, uint64_t address,
                     const char *key) {
  struct dict dict;
  uint64_t position = 0, found, value;

  if (!address || !dict_open(heap, address, &dict))
    return 0;
  while (dict_next(&dict, &position, &found, &value))
    if (text_equals(heap, found, key))
      return value;
  return 0;
}
