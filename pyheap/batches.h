/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Lists of addresses, of which threads take a batch at a time.
 *
 * Lists stay where they were made: to put millions of addresses together is to
 * fault and to clear the memory for them, which one thread does alone.
 */
#ifndef PYHEAP_BATCHES_H
#define PYHEAP_BATCHES_H

#include "addresses.h"

enum {
  BATCH = 1024
};

/** Empty when all zero, and to be freed with batches_deinit(). */
struct batches {
  struct batch_list {
    struct addresses addresses;
    uint64_t first; /**< The number of its first batch. */
  } * lists;
  size_t list_count;
  uint64_t count; /**< Batches. */
};

/** Some addresses of a list. */
struct batch {
  const uint64_t *list;
  size_t count;
  size_t left; /**< COUNT, and what comes behind them in the list. */
};

static inline void batches_deinit(struct batches *batches) {
  for (size_t i = 0; i < batches->list_count; i++)
    free(batches->lists[i].addresses.list);
  free(batches->lists);
}

/** Takes over ADDRESSES; false without memory. */
static inline bool batches_add(struct batches *batches,
                               const struct addresses *addresses) {
  size_t count = batches->list_count;
  if (!addresses->count) {
    free(addresses->list);
    return true;
  }
  if (!(count & (count - 1))) {
    struct batch_list *grown = reallocarray(
        batches->lists, count ? 2 * count : 1, sizeof *batches->lists);
    if (!grown) {
      free(addresses->list);
      return false;
    }
    batches->lists = grown;
  }
  batches->lists[batches->list_count++] =
      (struct batch_list){*addresses, batches->count};
  batches->count += (addresses->count + BATCH - 1) / BATCH;
  return true;
}

/** Batch NUMBER of BATCHES->count. */
static inline struct batch batches_at(const struct batches *batches,
                                      uint64_t number) {
  size_t low = 0, high = batches->list_count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (batches->lists[middle].first <= number)
      low = middle;
    else
      high = middle;
  }
  const struct batch_list *list = &batches->lists[low];
  size_t start = (size_t)(number - list->first) * BATCH;
  size_t left = list->addresses.count - start;
  return (struct batch){list->addresses.list + start,
                        left < BATCH ? left : BATCH, left};
}

#endif
