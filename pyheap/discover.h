/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * Finding objects by following references.
 */
#ifndef PYHEAP_DISCOVER_H
#define PYHEAP_DISCOVER_H

#include "addresses.h"
#include "heap.h"
#include "parallel.h"
#include "totals.h"

struct work;

enum {
  PENDING = 64,
  FETCHED = 64
};

/** One thread that finds objects. */
struct worker {
  struct visit visit;
  struct pyheap *heap;
  struct work *work; /**< What it shares with others; NULL: works alone. */
  uint64_t *share;   /**< The tracked objects of its share of them. */
  size_t share_next, share_count;
  struct addresses stack; /**< Found and not yet visited, or found twice. */
  /** References whose targets may have been found before. */
  struct pending {
    uint64_t address, bit;
  } pending[PENDING];
  unsigned pending_count;
  /** Objects on their way from memory: of those TAKEN, some are LOADED, and of
   * these some are VISITED. */
  struct fetched {
    struct object object; /**< Its address 0: found by another meanwhile. */
    uint64_t bit;         /**< Its place in heap->marks. */
    bool tracked;
  } fetched[FETCHED];
  uint64_t taken, loaded, visited;
  struct totals tracked, reachable;
  struct problems problems;
  bool caller;  /**< On the thread that called the library. */
  bool orphans; /**< What is found now, nothing else leads to. */
  bool out_of_memory;
} OWN_CACHE_LINES;

/** A worker that works alone. */
void worker_init(struct worker *worker, struct pyheap *heap);
void worker_deinit(struct worker *worker);
/** Finds the object at ADDRESS, and all that it leads to: marks it and adds it to
 * the worker's totals.  Nothing happens when it was found before. */
void worker_discover(struct worker *worker, uint64_t address);

/** Whether what is taken for an object has references that make sense: chance
 * makes headers of objects, but hardly more. */
bool object_is_sound(const struct pyheap *heap, uint64_t address);

#endif
