/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * How many objects there are of each type, and what they weigh.
 */
#ifndef PYHEAP_TOTALS_H
#define PYHEAP_TOTALS_H

#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "pyheap.h"

struct total {
  uint64_t count, bytes;
};

enum {
  /** They fill whole cache lines: beside those that a thread writes all the time
   * might else be a type that others read as often. */
  TOTALS_AT_ONCE = CACHE_LINES / sizeof(struct total),
};

/** By type index; empty when all zero, and to be freed with totals_deinit(). */
struct totals {
  struct total *list;
  size_t count;
};

static inline void totals_deinit(struct totals *totals) {
  free(totals->list);
}

/** Makes room for type INDEX; false without memory. */
static inline bool totals_reserve(struct totals *totals, uint32_t index) {
  if (index < totals->count)
    return true;
  size_t count = ((size_t)index * 2 + 64) / TOTALS_AT_ONCE * TOTALS_AT_ONCE;
  struct total *grown = parallel_calloc(count, sizeof *grown);
  if (!grown)
    return false;
  if (totals->count)
    memcpy(grown, totals->list, totals->count * sizeof *grown);
  free(totals->list);
  totals->list = grown;
  totals->count = count;
  return true;
}

/** Adds one object of a type that there is room for. */
static inline void totals_add(struct totals *totals, uint32_t index,
                              uint64_t bytes) {
  totals->list[index].count++;
  totals->list[index].bytes += bytes;
}

/** Adds what TOTALS holds to ROWS, of which there are COUNT. */
static inline void totals_add_to(const struct totals *totals,
                                 struct pyheap_summary_row *rows,
                                 size_t count) {
  for (size_t i = 0; i < count && i < totals->count; i++) {
    rows[i].count += totals->list[i].count;
    rows[i].bytes += totals->list[i].bytes;
  }
}

#endif
