/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The references of all nodes as numbers, in the order of the nodes: what the
 * index is made of.
 */
#ifndef PYHEAP_INDEX_COLLECT_H
#define PYHEAP_INDEX_COLLECT_H

#include "heap.h"
#include "parallel.h"

/** Objects are visited by pieces of the bitmap, each with targets of its own,
 * so that threads share nothing. */
struct piece {
  uint32_t first, end; /**< Its nodes. */
  uint32_t *targets;   /**< Of all its nodes, in order. */
  size_t count, capacity;
  /** Which of the targets are probable ones, ascending. */
  size_t *probable;
  size_t probable_count;
  uint32_t *uncounted; /**< Targets whose counts leave the reference out. */
  size_t uncounted_count;
  uint64_t kinds[3]; /**< References by pyheap_reference_kind. */
  bool out_of_memory;
} OWN_CACHE_LINES;

/** The count of an object says nothing. */
static const int32_t NO_COUNT = -1;

struct collected {
  struct piece *pieces; /**< In the order of their nodes, the roots last. */
  size_t piece_count;
  uint32_t *counts;   /**< How many targets each node has. */
  int32_t *refcounts; /**< ob_refcnt of each object, or what is most. */
};

/** Visits every object and root.  Errors: CANCELED, NO_MEMORY, LIMIT (more
 * references than can be numbered). */
struct pyheap_error *index_collect(struct pyheap *heap, struct collected *ret);
void collected_deinit(struct collected *collected);

#endif
