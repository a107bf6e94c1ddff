/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * A growing list of addresses.
 */
#ifndef PYHEAP_ADDRESSES_H
#define PYHEAP_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct addresses {
  uint64_t *list; /**< free() it. */
  size_t count, capacity;
};

/** Makes room for COUNT more; false without memory. */
static inline bool addresses_reserve(struct addresses *addresses,
                                     size_t count) {
  size_t capacity = addresses->capacity ? addresses->capacity : 1024;
  while (capacity - addresses->count < count) {
    if (capacity > SIZE_MAX / 2)
      return false;
    capacity *= 2;
  }
  if (capacity == addresses->capacity)
    return true;
  uint64_t *grown = reallocarray(addresses->list, capacity, sizeof *grown);
  if (!grown)
    return false;
  addresses->list = grown;
  addresses->capacity = capacity;
  return true;
}

static inline bool addresses_push(struct addresses *addresses,
                                  uint64_t address) {
  if (addresses->count == addresses->capacity &&
      !addresses_reserve(addresses, 1))
    return false;
  addresses->list[addresses->count++] = address;
  return true;
}

#endif
