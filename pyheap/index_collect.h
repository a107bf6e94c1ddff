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

/** References to objects of one range of numbers, in the order of their
 * sources. */
struct references {
  uint32_t *targets; /**< NO_TARGET: none. */
  uint8_t
      *steps; /**< How many nodes the source is behind the one before; behind
                       the piece's first node, the first one. */
  size_t count, capacity;
  uint32_t source; /**< Of the last. */
};

enum {
  MAX_STEP = UINT8_MAX, /**< The step of an entry without a target. */
};
/** What stands in the place of a target when there is none. */
static const uint32_t NO_TARGET = UINT32_MAX;

/** Objects are visited by pieces of the bitmap, each with references of its own,
 * so that threads share nothing. */
struct piece {
  uint32_t first, end;       /**< Its nodes. */
  struct references *ranges; /**< By range of targets. */
  /** Which are probable ones, in order. */
  struct probable {
    uint32_t target;
    size_t place; /**< In the references of the target's range. */
  } * probable;
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
  /** Object n is in range n >> shift: what is written for the objects of one
   * range has room in a processor's own cache. */
  unsigned shift;
  uint32_t range_count;
  int32_t *refcounts; /**< ob_refcnt of each object, or what is most. */
};

/** Visits every object and root.  Errors: CANCELED, NO_MEMORY, LIMIT (more
 * references than can be numbered). */
struct pyheap_error *index_collect(struct pyheap *heap, struct collected *ret);
void collected_deinit(struct collected *collected);
void references_deinit(struct references *list);

#endif
