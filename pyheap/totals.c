/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "totals.h"

#include "heap.h"
#include "tracked.h"

static const struct pyheap_summary_row *
rows_of(const struct pyheap *heap, enum pyheap_set set, size_t *count) {
  *count = set == PYHEAP_ORPHANS ? heap->orphan_row_count : heap->row_count;
  switch (set) {
  case PYHEAP_TRACKED:
    return heap->tracked_rows;
  case PYHEAP_ORPHANS:
    return heap->orphan_rows;
  default:
    return heap->reachable_rows;
  }
}

/** Hands out the rows that are not empty. */
static struct pyheap_error *copy_rows(const struct pyheap_summary_row *rows,
                                      size_t all,
                                      struct pyheap_summary_row **ret,
                                      size_t *count) {
  struct pyheap_summary_row *copy = reallocarray(NULL, all + 1, sizeof *copy);
  size_t used = 0;

  if (!copy)
    return &error_no_memory;
  for (size_t i = 0; i < all; i++)
    if (rows[i].count)
      copy[used++] = rows[i];
  *ret = copy;
  *count = used;
  return NULL;
}

struct pyheap_error *pyheap_summarize(struct pyheap *heap, enum pyheap_set set,
                                      struct pyheap_summary_row **ret,
                                      size_t *count) {
  size_t all;

  if (set == PYHEAP_TRACKED && !heap->objects_found) {
    cleanup_free struct pyheap_summary_row *tracked = NULL;
    TRY(tracked_count(heap, &tracked, &all));
    if (tracked)
      return copy_rows(tracked, all, ret, count);
  }
  TRY(set == PYHEAP_ORPHANS ? pyheap_find_orphans(heap)
                            : pyheap_find_objects(heap));
  const struct pyheap_summary_row *rows = rows_of(heap, set, &all);
  return copy_rows(rows, all, ret, count);
}
