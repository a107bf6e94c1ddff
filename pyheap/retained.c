/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What holds what alone, over the whole heap. */
#include "config.h"

#include <string.h>

#include "parallel.h"
#include "reach.h"

enum {
  SHARE = 4096, /**< Nodes that a thread takes at a time. */
};

struct pyheap_dominators {
  struct walk walk;
  uint32_t *dominators; /**< By number, as all here. */
  uint64_t *retained;
  uint32_t
      *child_starts; /**< children[child_starts[n]] .. [child_starts[n + 1]] */
  pyheap_node *children; /**< Nodes. */
};

void pyheap_dominators_destroy(struct pyheap_dominators *dominators) {
  if (!dominators)
    return;
  walk_deinit(&dominators->walk);
  free(dominators->dominators);
  free(dominators->retained);
  free(dominators->child_starts);
  free(dominators->children);
  free(dominators);
}

/** From all that is there by itself: the roots, and what is held unseen. */
static struct pyheap_error *walk_all(struct walk *walk) {
  const struct pyheap *heap = walk->heap;
  uint32_t count = pyheap_node_count(heap);

  for (uint32_t root = heap->object_count; root < count; root++)
    TRY(walk_from(walk, root, 0));
  for (uint32_t object = 0; object < heap->object_count; object++)
    if (!walk->numbers[object] && heap_is_held_unseen(heap, object))
      TRY(walk_from(walk, object, 0));
  return NULL;
}

struct inspection {
  const struct walk *walk;
  uint8_t *entries;
  uint64_t *sizes;
  struct shares shares;
};

/** Finds the sizes and the ways in, by address, which memory is quicker at than
 * in the order of the walk. */
static void inspect(void *context, unsigned thread) {
  struct inspection *inspection = context;
  const struct walk *walk = inspection->walk;
  uint64_t first, end;

  (void)thread;
  while (shares_take(&inspection->shares, &first, &end))
    for (pyheap_node node = (pyheap_node)first; node < end; node++) {
      uint32_t number = walk->numbers[node];
      if (!number || number > walk->count)
        continue;
      inspection->sizes[number] = pyheap_size(walk->heap, node);
      if (!walk->parents[number] || heap_is_held_unseen(walk->heap, node))
        inspection->entries[number] = ENTRY_OUTSIDE;
    }
}

static struct pyheap_error *
find_dominators(struct pyheap_dominators *dominators) {
  const struct walk *walk = &dominators->walk;
  cleanup_free uint8_t *entries = calloc(walk->count + 1ull, 1);

  if (!entries)
    return &error_no_memory;
  struct walked walked = walk_result(walk, entries);
  struct inspection inspection = {walk,
                                  entries,
                                  dominators->retained,
                                  {0, pyheap_node_count(walk->heap), SHARE}};
  parallel_run(walk->heap->threads, inspect, &inspection);
  if (heap_canceled(walk->heap, "finding what holds what", 0, 0))
    return error_canceled();
  TRY(dominators_find(&walked, dominators->dominators));
  for (uint32_t i = walk->count; i; i--)
    dominators->retained[dominators->dominators[i]] += dominators->retained[i];
  return NULL;
}

/** Turns the dominators round. */
static void find_children(struct pyheap_dominators *dominators) {
  uint32_t count = dominators->walk.count;
  uint32_t *starts = dominators->child_starts, sum = 0;

  for (uint32_t i = 1; i <= count; i++)
    starts[dominators->dominators[i]]++;
  for (uint32_t i = 0; i <= count; i++) {
    uint32_t own = starts[i];
    starts[i] = sum;
    sum += own;
  }
  for (uint32_t i = 1; i <= count; i++)
    dominators->children[starts[dominators->dominators[i]]++] =
        dominators->walk.nodes[i];
  /* Filling has moved every start to the next one's place. */
  memmove(starts + 1, starts, (count + 1ull) * sizeof *starts);
  starts[0] = 0;
}

static struct pyheap_error *make(struct pyheap_dominators *dominators,
                                 const struct pyheap *heap) {
  struct walk *walk = &dominators->walk;

  TRY(walk_init(walk, heap, NULL, 0, true));
  TRY(walk_all(walk));
  free(take(walk->stack));
  size_t room = walk->count + 2ull;
  dominators->dominators = calloc(room, sizeof *dominators->dominators);
  dominators->retained = calloc(room, sizeof *dominators->retained);
  dominators->child_starts = calloc(room, sizeof *dominators->child_starts);
  dominators->children = calloc(room, sizeof *dominators->children);
  if (!dominators->dominators || !dominators->retained ||
      !dominators->child_starts || !dominators->children)
    return &error_no_memory;
  TRY(find_dominators(dominators));
  find_children(dominators);
  return NULL;
}

struct pyheap_error *pyheap_dominators_create(struct pyheap *heap,
                                              struct pyheap_dominators **ret) {
  TRY(pyheap_index_references(heap));
  struct pyheap_dominators *dominators = calloc(1, sizeof *dominators);
  if (!dominators)
    return &error_no_memory;
  struct pyheap_error *error = make(dominators, heap);
  if (error) {
    pyheap_dominators_destroy(dominators);
    return error;
  }
  *ret = dominators;
  return NULL;
}

/** 0 for PYHEAP_NO_NODE; false for what nothing alive leads to. */
static bool number_of(const struct pyheap_dominators *dominators,
                      pyheap_node node, uint32_t *number) {
  const struct walk *walk = &dominators->walk;

  *number = 0;
  if (node == PYHEAP_NO_NODE)
    return true;
  if (node >= pyheap_node_count(walk->heap))
    return false;
  *number = walk->numbers[node];
  return *number && *number <= walk->count;
}

bool pyheap_dominator(const struct pyheap_dominators *dominators,
                      pyheap_node node, pyheap_node *ret) {
  uint32_t number;

  if (!number_of(dominators, node, &number) || !number)
    return false;
  number = dominators->dominators[number];
  *ret = number ? dominators->walk.nodes[number] : PYHEAP_NO_NODE;
  return true;
}

uint64_t pyheap_retained(const struct pyheap_dominators *dominators,
                         pyheap_node node) {
  uint32_t number;

  return number_of(dominators, node, &number) ? dominators->retained[number]
                                              : 0;
}

const pyheap_node *pyheap_dominated(const struct pyheap_dominators *dominators,
                                    pyheap_node node, size_t *count) {
  uint32_t number;

  *count = 0;
  if (!number_of(dominators, node, &number))
    return NULL;
  const uint32_t *starts = dominators->child_starts + number;
  *count = starts[1] - starts[0];
  return dominators->children + starts[0];
}

struct pyheap_unheld
pyheap_count_unheld(const struct pyheap_dominators *dominators) {
  const struct walk *walk = &dominators->walk;
  const struct pyheap *heap = walk->heap;
  struct pyheap_unheld unheld = {0};

  for (pyheap_node node = 0; node < heap->object_count; node++) {
    if (walk->numbers[node] && walk->numbers[node] <= walk->count)
      continue;
    if (heap->interned_count &&
        heap_is_interned_dict(heap, heap_number_address(heap, node)))
      continue;
    uint64_t size = pyheap_size(heap, node);
    bool orphan = pyheap_is_orphan(heap, node);
    *(orphan ? &unheld.orphans : &unheld.garbage) += 1;
    *(orphan ? &unheld.orphan_bytes : &unheld.garbage_bytes) += size;
  }
  return unheld;
}
