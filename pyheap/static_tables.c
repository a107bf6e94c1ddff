/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "static_tables.h"

#include <stdlib.h>
#include <string.h>

#include "text.h"

enum {
  CACHE_ENTRIES = 1 << 12, /**< Objects/typeobject.c, MCACHE_SIZE_EXP */
  ENTRY = 24,     /**< struct method_cache_entry there: a version, … */
  ENTRY_NAME = 8, /**< … a name, and what was found, borrowed. */
  CHARACTERS = 256,
  ENOUGH = 8,    /**< So many entries in their places are no chance. */
  DAMAGED = 8,   /**< One of so many may be elsewhere, or just being written. */
  TRIES = 64,    /**< Tables that are looked at, of each kind in an area. */
  LONGEST = 256, /**< Bytes of an identifier. */
};
static const uint64_t CACHE_SIZE = (uint64_t)CACHE_ENTRIES * ENTRY;

/** Loads what the word at ADDRESS points to, when that looks like an object. */
static bool load_at(const struct pyheap *heap, uint64_t address,
                    struct object *object) {
  const char *why;
  uint64_t target = heap_word(heap, address, 0);
  const struct memory_range *range =
      target ? memory_range_at(&heap->memory, target) : NULL;
  return range && (range->flags & MEMORY_OBJECTS) &&
         object_load(heap, target, object, &why);
}

/** Whether a table has so many entries in their places and others. */
static bool are_enough(int placed, int strangers) {
  return placed >= ENOUGH && strangers <= placed / DAMAGED;
}

static bool is_none(const struct object *object) {
  return object->type->known && object->type->known->kind == KIND_NONE;
}

/* The cache of attribute look-ups ------------------------------------------ */

/** Which entry of the cache a look-up of NAME in a type of VERSION takes
 * (Objects/typeobject.c, MCACHE_HASH_METHOD). */
static uint64_t entry_of(const struct pyheap *heap, const struct object *name,
                         uint32_t version) {
  uint32_t hash = (uint32_t)FIELD(heap->layout, name, PyASCIIObject, hash);
  return (version ^ hash) % CACHE_ENTRIES;
}

/** Whether the word at ADDRESS is the name in an entry of a cache, and then
 * where that begins; 0 when it is not. */
static uint64_t cache_around(const struct pyheap *heap, uint64_t address) {
  struct object name;
  uint64_t version = heap_word(heap, address - ENTRY_NAME, 0);
  if (!version || version > UINT32_MAX || !load_at(heap, address, &name) ||
      !(name.type->flags & TPFLAGS_UNICODE_SUBCLASS))
    return 0;
  return address - ENTRY_NAME -
         ENTRY * entry_of(heap, &name, (uint32_t)version);
}

/** Whether all of a cache at ADDRESS is in its place: names, or None where types
 * have lost their versions. */
static bool is_cache(const struct pyheap *heap, uint64_t address) {
  int names = 0, strangers = 0;
  for (uint64_t entry = address; entry < address + CACHE_SIZE; entry += ENTRY) {
    struct object name;
    if (!heap_word(heap, entry, ENTRY_NAME))
      continue;
    if (cache_around(heap, entry + ENTRY_NAME) == address)
      names++;
    else
      strangers += !load_at(heap, entry + ENTRY_NAME, &name) || !is_none(&name);
  }
  return are_enough(names, strangers);
}

/* Characters --------------------------------------------------------------- */

/** The character of a str of length 1; -1 for others. */
static int64_t character_of(const struct pyheap *heap,
                            const struct object *object) {
  struct text text;
  if (!(object->type->flags & TPFLAGS_UNICODE_SUBCLASS) ||
      !text_open(heap, object->address, &text) || text.length != 1)
    return -1;
  return text_at(&text, 0);
}

/** The same for a bytes. */
static int64_t byte_of(const struct pyheap *heap, const struct object *object) {
  return object->type->flags & TPFLAGS_BYTES_SUBCLASS &&
                 object_size_field(object) == 1
             ? object_byte(object, OFFSET(heap->layout, PyBytesObject, ob_sval))
             : -1;
}

typedef int64_t place_fn(const struct pyheap *heap,
                         const struct object *object);

/** Where a table begins in which the word at ADDRESS is in its place; else 0. */
static uint64_t characters_around(const struct pyheap *heap, uint64_t address,
                                  place_fn *place) {
  struct object object;
  if (!load_at(heap, address, &object))
    return 0;
  int64_t at = place(heap, &object);
  return at < 0 || at >= CHARACTERS ? 0 : address - 8 * (uint64_t)at;
}

static bool is_table(const struct pyheap *heap, uint64_t address,
                     place_fn *place) {
  int seen = 0, strangers = 0;
  for (uint64_t i = 0; i < CHARACTERS; i++) {
    if (!heap_word(heap, address + 8 * i, 0))
      continue;
    bool placed = characters_around(heap, address + 8 * i, place) == address;
    seen += placed;
    strangers += !placed;
  }
  return are_enough(seen, strangers);
}

/* All of them -------------------------------------------------------------- */

static bool lies_in(const struct memory_static *area, uint64_t address,
                    uint64_t size) {
  return address >= area->start && address <= area->end &&
         size <= area->end - address;
}

/** Takes the table that an entry at ADDRESS would be in for *TABLE, when that
 * is none yet and this is one.  Uses up one of the TRIES. */
static void try_cache(const struct pyheap *heap,
                      const struct memory_static *area, uint64_t address,
                      int *tries, uint64_t *table) {
  uint64_t found = *table || !*tries ? 0 : cache_around(heap, address);
  if (!found || !lies_in(area, found, CACHE_SIZE))
    return;
  --*tries;
  if (is_cache(heap, found))
    *table = found;
}

static void try_characters(const struct pyheap *heap,
                           const struct memory_static *area, uint64_t address,
                           place_fn *place, int *tries, uint64_t *table) {
  uint64_t found =
      *table || !*tries ? 0 : characters_around(heap, address, place);
  if (!found || !lies_in(area, found, 8 * CHARACTERS))
    return;
  --*tries;
  if (is_table(heap, found, place))
    *table = found;
}

static void find_in(const struct pyheap *heap, const struct memory_static *area,
                    struct static_tables *tables) {
  int cache = TRIES, latin1 = TRIES, characters = TRIES;
  for (uint64_t at = area->start; at + 8 <= area->end; at += 8) {
    try_cache(heap, area, at, &cache, &tables->cache);
    try_characters(heap, area, at, character_of, &latin1, &tables->latin1);
    try_characters(heap, area, at, byte_of, &characters, &tables->characters);
  }
}

struct pyheap_error *static_tables_find(struct pyheap *heap) {
  size_t count = heap->memory.static_count;
  if (OFFSET(heap->layout, PyInterpreterState, type_cache) != FACT_ABSENT)
    return NULL;
  heap->static_tables = calloc(count + 1, sizeof *heap->static_tables);
  if (!heap->static_tables)
    return &error_no_memory;
  for (size_t i = 0; i < count; i++)
    find_in(heap, &heap->memory.statics[i], &heap->static_tables[i]);
  return NULL;
}

/** Whether a word is the str that its neighbour spells: the object of a
 * _Py_Identifier (Include/cpython/object.h). */
static bool is_identifier(const struct pyheap *heap, uint64_t address,
                          uint64_t target) {
  uint64_t available = 0;
  const uint8_t *spelled = memory_available(
      &heap->memory, heap_word(heap, address - 8, 0), &available);
  return spelled &&
         memchr(spelled, 0, available < LONGEST ? available : LONGEST) &&
         text_equals(heap, target, (const char *)spelled);
}

/** What the word at ADDRESS is to a cache: its entry has a name, which it owns,
 * and what was found, which it does not. */
static enum static_word cache_word(const struct pyheap *heap, uint64_t cache,
                                   uint64_t address) {
  struct object name;
  if ((address - cache) % ENTRY != ENTRY_NAME)
    return STATIC_BORROWED;
  return cache_around(heap, address) == cache ||
                 (load_at(heap, address, &name) && is_none(&name))
             ? STATIC_OWNED
             : STATIC_UNKNOWN;
}

static enum static_word characters_word(const struct pyheap *heap,
                                        uint64_t table, uint64_t address,
                                        place_fn *place) {
  return characters_around(heap, address, place) == table ? STATIC_OWNED
                                                          : STATIC_UNKNOWN;
}

enum static_word static_tables_word(const struct pyheap *heap, size_t area,
                                    uint64_t address, uint64_t target,
                                    const char **name) {
  if (!heap->static_tables)
    return STATIC_UNKNOWN;
  const struct static_tables *tables = &heap->static_tables[area];
  if (tables->cache && address - tables->cache < CACHE_SIZE) {
    *name = "cache of attribute names";
    return cache_word(heap, tables->cache, address);
  }
  if (tables->latin1 && address - tables->latin1 < 8 * CHARACTERS) {
    *name = "str of one character";
    return characters_word(heap, tables->latin1, address, character_of);
  }
  if (tables->characters && address - tables->characters < 8 * CHARACTERS) {
    *name = "bytes of one byte";
    return characters_word(heap, tables->characters, address, byte_of);
  }
  *name = "_Py_IDENTIFIER string";
  return is_identifier(heap, address, target) ? STATIC_OWNED : STATIC_UNKNOWN;
}
