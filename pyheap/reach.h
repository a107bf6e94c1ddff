/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Following references through the heap, as the analyses of its graph share it.
 */
#ifndef PYHEAP_REACH_H
#define PYHEAP_REACH_H

#include "dominators.h"
#include "heap.h"

/** Whether something that is no node may hold an object: its count is greater
 * than the references found, or says nothing.  Needs the index. */
bool heap_is_held_unseen(const struct pyheap *heap, uint32_t object);
/** Whether the index has a reference from SOURCE to OBJECT. */
bool heap_is_referrer(const struct pyheap *heap, uint32_t object,
                      uint32_t source);

/** A walk through the heap, depth first.  Numbers are those of dominators.h. */
struct walk {
  const struct pyheap *heap;
  uint32_t *numbers; /**< By node; 0: not reached; or one of those below. */
  uint32_t *nodes;   /**< By number, as are the others. */
  uint32_t *parents;
  uint32_t count, capacity;
  uint64_t left_out;         /**< Nodes that were reached and not followed. */
  bool whole;                /**< Through types, modules and code, too. */
  const pyheap_node *starts; /**< What is followed in any case. */
  size_t start_count;
  bool out_of_memory;
  struct visit visit;
  struct waiting *stack;
  size_t stack_count, stack_capacity;
};

#define WALK_LEFT_OUT UINT32_MAX
/** A dict of interned strings, which holds none: it gives up each that nothing
 * else refers to. */
#define WALK_INTERNED (UINT32_MAX - 1)
#define WALK_START (UINT32_MAX - 2) /**< Nothing but walk_from() leads to it. */

/** HEAP must have its references indexed; STARTS must outlive the walk, which is
 * to be made from each of them. */
struct pyheap_error *walk_init(struct walk *walk, const struct pyheap *heap,
                               const pyheap_node *starts, size_t count,
                               bool whole);
void walk_deinit(struct walk *walk);
/** Gives the next number to NODE, which may be PYHEAP_NO_NODE. */
struct pyheap_error *walk_number(struct walk *walk, pyheap_node node,
                                 uint32_t parent);
/** Walks to all that START leads to and that was not reached before. */
struct pyheap_error *walk_from(struct walk *walk, pyheap_node start,
                               uint32_t parent);
/** What dominators_find() wants. */
struct walked walk_result(const struct walk *walk, const uint8_t *entries);

#endif
