/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The lists that gc_chains.c leaves are walked from both ends at once.  What a
 * walk waits for is memory: the address of the next object is in the one before
 * it, so that one walk has one cache line under way at a time, and two have two. */
#include "config.h"

#include "gc_lists.h"

#include "allocator.h"
#include "c_stack.h"
#include "gc_chains.h"
#include "marks.h"
#include "parallel.h"

static uint64_t gc_link(const struct pyheap *heap, uint64_t node,
                        int32_t offset) {
  const uint8_t *bytes = memory_at(&heap->memory, node + (uint64_t)offset, 8);
  return bytes ? load_u64(bytes) & ~GC_FLAGS : 0;
}

uint64_t gc_next_object(const struct pyheap *heap, uint64_t object) {
  uint64_t header = (uint64_t)SIZEOF(heap->layout, PyGC_Head);
  uint64_t next =
      gc_link(heap, object - header, OFFSET(heap->layout, PyGC_Head, _gc_next));
  return next ? next + header : 0;
}

/* One list, from one end -------------------------------------------------- */

enum end {
  END_NONE,   /**< Still walking. */
  END_CLOSED, /**< At the list's head, or where the other walk has been. */
  END_BROKEN,
  END_CANCELED,
};

struct walk {
  struct pyheap *heap;
  uint64_t head;
  int32_t offset, back; /**< The links to follow, and those that lead back. */
  uint64_t node, last;  /**< Where to go next, and where it has been. */
  bool agrees;          /**< So far the links of both directions did. */
  enum end end;
  uint64_t found; /**< Objects. */
  bool *cancel;   /**< Set by one walk, for both. */
  bool caller;    /**< On the thread that may ask whether to cancel. */
} OWN_CACHE_LINES;

static void walk_init(struct walk *walk, struct pyheap *heap, uint64_t head,
                      int32_t offset, int32_t back, bool *cancel) {
  *walk = (struct walk){.heap = heap,
                        .head = head,
                        .offset = offset,
                        .back = back,
                        .node = gc_link(heap, head, offset),
                        .last = head,
                        .agrees = true,
                        .cancel = cancel};
}

static bool is_canceled(struct walk *walk) {
  if (walk->found % (1 << 18))
    return false;
  if (walk->caller && heap_canceled(walk->heap, "walking the collector's lists",
                                    walk->found, 0))
    __atomic_store_n(walk->cancel, true, __ATOMIC_RELAXED);
  return __atomic_load_n(walk->cancel, __ATOMIC_RELAXED);
}

/** Goes on by one object. */
static void walk_step(struct walk *walk) {
  struct pyheap *heap = walk->heap;
  uint64_t address = walk->node + (uint64_t)SIZEOF(heap->layout, PyGC_Head);
  struct object object;
  const char *why;
  uint64_t bit;

  if (walk->node == walk->head) {
    walk->end = END_CLOSED;
    return;
  }
  uint64_t next = gc_link(heap, walk->node, walk->offset);
  const uint8_t *ahead = memory_at(&heap->memory, next, 8);
  if (ahead)
    __builtin_prefetch(ahead);
  if (!object_load(heap, address, &object, &why) ||
      !mark_bit(heap, address, &bit)) {
    walk->end = END_BROKEN;
    return;
  }
  walk->agrees &= gc_link(heap, walk->node, walk->back) == walk->last;
  if (!mark_set(heap->marks, bit)) {
    walk->end = END_CLOSED;
    return;
  }
  walk->found++;
  if (is_canceled(walk)) {
    walk->end = END_CANCELED;
    return;
  }
  walk->last = walk->node;
  walk->node = next;
}

static void run_walk(void *context, unsigned thread) {
  struct walk *walk = (struct walk *)context + thread;
  walk->caller = thread == 0;
  while (walk->end == END_NONE)
    walk_step(walk);
}

static bool is_walking(const struct walk walks[2]) {
  return walks[0].end == END_NONE || walks[1].end == END_NONE;
}

/** Both walks on one thread, STEPS steps at the most. */
static void run_alternately(struct walk walks[2], uint64_t steps) {
  walks[0].caller = walks[1].caller = true;
  for (; steps && is_walking(walks); steps--)
    for (int i = 0; i < 2; i++)
      if (walks[i].end == END_NONE)
        walk_step(&walks[i]);
}

/** Both, on two threads when there are: most lists end before a second one has
 * begun. */
static void run_both(struct walk walks[2], unsigned threads) {
  enum {
    FEW = 1000
  };
  run_alternately(walks, threads > 1 ? FEW : UINT64_MAX);
  if (is_walking(walks))
    parallel_run(2, run_walk, walks);
}

/* One list ---------------------------------------------------------------- */

static struct pyheap_error *check_end(struct pyheap *heap,
                                      const struct walk *walk, bool *whole) {
  switch (walk->end) {
  case END_CANCELED:
    return error_canceled();
  case END_BROKEN:
    *whole = false;
    problems_add(&heap->problems, "breaks in the collector's lists", walk->last,
                 1);
    return NULL;
  default:
    return NULL;
  }
}

/** Holds the ends of two walks against each other: where they met, each has to
 * have come upon the last object of the other. */
static struct pyheap_error *
check_walks(struct pyheap *heap, const struct walk walks[2], bool *whole) {
  TRY(check_end(heap, &walks[0], whole));
  TRY(check_end(heap, &walks[1], whole));
  if (walks[0].end != END_CLOSED || walks[1].end != END_CLOSED)
    return NULL;
  if (walks[0].agrees && walks[1].agrees && walks[0].node == walks[1].last &&
      walks[1].node == walks[0].last)
    return NULL;
  *whole = false;
  problems_add(&heap->problems, "breaks in the collector's lists",
               walks[0].last, 1);
  return NULL;
}

/** While the collector works, _gc_prev of an object may be a count
 * (Modules/gcmodule.c, update_refs): from the front only then, unless that comes
 * to a break. */
static void walk_collecting(struct walk walks[2]) {
  walks[0].caller = walks[1].caller = true;
  run_walk(walks, 0);
  if (walks[0].end == END_BROKEN)
    run_alternately(walks, UINT64_MAX);
  else
    walks[1].end = END_CLOSED;
}

/** FOUND: how many objects are on the list that were not marked before. */
static struct pyheap_error *walk_list(struct pyheap *heap, uint64_t head,
                                      uint64_t *found, bool *whole) {
  int32_t next = OFFSET(heap->layout, PyGC_Head, _gc_next);
  int32_t previous = OFFSET(heap->layout, PyGC_Head, _gc_prev);
  bool cancel = false, collecting = heap->info.collecting;
  struct walk walks[2];

  walk_init(&walks[0], heap, head, next, previous, &cancel);
  walk_init(&walks[1], heap, head, previous, next, &cancel);
  if (collecting)
    walk_collecting(walks);
  else
    run_both(walks, heap->threads);
  if (collecting)
    *whole = false;
  *found = walks[0].found + walks[1].found;
  if (collecting)
    return check_end(heap, &walks[0], whole);
  return check_walks(heap, walks, whole);
}

/* All of them ------------------------------------------------------------- */

/** While the collector works it has lists of its own, whose heads are variables
 * of its functions. */
static struct pyheap_error *walk_own_lists(struct pyheap *heap, bool *whole) {
  size_t stack = 0;
  uint64_t head = 0, found;
  while (heap->info.collecting && c_stack_next_list(heap, &stack, &head)) {
    TRY(walk_list(heap, head, &found, whole));
    heap->info.collector_lists += found > 0;
  }
  return NULL;
}

/** The heads of all interpreters' lists. */
static bool list_heads(const struct pyheap *heap, struct addresses *heads) {
  for (size_t i = 0; i < heap->root_count; i++) {
    if (heap->roots[i].kind != PYHEAP_ROOT_INTERPRETER)
      continue;
    for (int generation = 0; generation < 4; generation++) {
      uint64_t head =
          runtime_generation(heap, heap->roots[i].address, generation);
      if (head && !addresses_push(heads, head))
        return false;
    }
  }
  return true;
}

static struct pyheap_error *
walk_heads(struct pyheap *heap, const struct addresses *heads, bool *whole) {
  bool done = false;
  uint64_t found;
  if (!heap->info.collecting)
    TRY(gc_chains_walk(heap, heads, &done));
  for (size_t i = 0; !done && i < heads->count; i++)
    TRY(walk_list(heap, heads->list[i], &found, whole));
  return walk_own_lists(heap, whole);
}

struct pyheap_error *gc_lists_walk(struct pyheap *heap, bool *whole) {
  struct addresses heads = {0};
  *whole = true;
  struct pyheap_error *error = list_heads(heap, &heads)
                                   ? walk_heads(heap, &heads, whole)
                                   : &error_no_memory;
  free(heads.list);
  return error;
}

void heap_walk_generation(const struct pyheap *heap, uint64_t interpreter,
                          int generation, int8_t *generations) {
  uint64_t header = (uint64_t)SIZEOF(heap->layout, PyGC_Head);
  uint64_t head = runtime_generation(heap, interpreter, generation);
  int32_t offset = OFFSET(heap->layout, PyGC_Head, _gc_next);

  for (uint64_t node = head ? gc_link(heap, head, offset) : head; node != head;
       node = gc_link(heap, node, offset)) {
    uint32_t number = heap_number(heap, node + header);
    if (number == PYHEAP_NO_NODE || generations[number] >= 0)
      return;
    generations[number] = (int8_t)generation;
  }
}

/* Builds without lists ---------------------------------------------------- */

static void consider_tracked(void *context, uint64_t start, uint64_t size) {
  struct pyheap *heap = context;
  uint64_t address = allocator_object_in(heap, start, size), bit;
  struct object object;
  const char *why;
  if (address && object_load(heap, address, &object, &why) &&
      object_is_tracked(heap, &object) && mark_bit(heap, address, &bit))
    mark_set(heap->marks, bit);
}

struct pyheap_error *gc_search_tracked(struct pyheap *heap) {
  return allocator_blocks(heap, consider_tracked, heap, 0) ? NULL
                                                           : error_canceled();
}
