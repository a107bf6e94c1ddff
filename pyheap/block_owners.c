/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "block_owners.h"

#include <stddef.h>
#include <stdlib.h>

enum {
  TABLE_BITS = 20, /**< Slots; memory is taken by those in use. */
  TABLE_SIZE = 1 << TABLE_BITS,
  PROBES = 16,
};

/** The owner of what has several. */
static const uint64_t SHARED = 1;

struct block_owner *block_owners_create(void) {
  return calloc(TABLE_SIZE, sizeof(struct block_owner));
}

/** Puts VALUE where nothing is; returns what is there then. */
static uint64_t claim(uint64_t *place, uint64_t value) {
  uint64_t found = __atomic_load_n(place, __ATOMIC_RELAXED);
  if (found || !__atomic_compare_exchange_n(place, &found, value, false,
                                            __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    return found;
  return value;
}

enum block_ownership block_owners_note(struct block_owner *owners,
                                       uint64_t block, uint64_t owner) {
  uint64_t hash = (block * 0x9e3779b97f4a7c15ull) >> (64 - TABLE_BITS);
  for (uint64_t i = 0; i < PROBES; i++) {
    struct block_owner *slot = &owners[(hash + i) % TABLE_SIZE];
    if (claim(&slot->block, block) != block)
      continue;
    if (claim(&slot->owner, owner) == owner)
      return BLOCK_OWN;
    __atomic_store_n(&slot->owner, SHARED, __ATOMIC_RELAXED);
    return BLOCK_SHARED;
  }
  return BLOCK_UNKNOWN;
}
