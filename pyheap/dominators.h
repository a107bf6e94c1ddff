/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Dominators: the last node that every path from the outside to a node goes
 * through.  Without it the node would be out of reach.
 */
#ifndef PYHEAP_DOMINATORS_H
#define PYHEAP_DOMINATORS_H

#include <stdbool.h>
#include <stdint.h>

#include "pyheap.h"

/** A graph walked depth first, and who leads to whom.  Its nodes are numbered
 * in the order of the walk from 1; 0 is the outside, where the walk began. */
struct walked {
  uint32_t count;          /**< The last number. */
  const uint32_t *nodes;   /**< By number: the node, which is an index of
                               `numbers`; [0] is not used. */
  const uint32_t *parents; /**< By number: from where the walk got there. */
  const uint32_t *numbers; /**< By node; 0: not reached; beyond `count`: not to
                                be looked at. */
  /** What leads to node n is sources[starts[n]] .. [starts[n + 1]], for nodes
   * below `source_count`: nothing leads to others. */
  const uint32_t *starts;
  const uint32_t *sources;
  uint32_t source_count;
  const uint8_t *entries; /**< By number, enum entry. */
};

enum entry {
  ENTRY_NONE,
  ENTRY_OUTSIDE, /**< The outside leads to it, too; so wherever parents is 0. */
  ENTRY_FIRST,   /**< Only number 1 does, which is its parent, whatever the
                      sources say. */
};

/**
 * Writes the dominator of each number 1 .. count to DOMINATORS, which has room
 * for count + 1; it is less than the number itself, and 0 for what several ways
 * from the outside lead to.  Takes 16 bytes a node while it works; fails only
 * for want of memory.
 */
PYHEAP_MUST_CHECK struct pyheap_error *
dominators_find(const struct walked *walked, uint32_t *dominators);

#endif
