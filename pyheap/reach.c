/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What some nodes lead to, what it weighs, and how much of it only they hold.
 *
 * To the heap outside, what was reached is a graph with two ways in: number 1
 * stands for the nodes asked about together, and every object that something
 * outside refers to is one that the outside leads to by itself.  So what number
 * 1 dominates is what would go with them: exact, though no more of the heap is
 * looked at than what was reached. */
#include "config.h"

#include "parallel.h"
#include "reach.h"

enum {
  SHARE = 4096, /**< Nodes that a thread takes at a time. */
};

struct pyheap_reach {
  struct walk walk;
  uint8_t *entries;
  uint32_t *owners; /**< Dominators inside what was reached. */
  uint64_t *sizes;  /**< By number, as the next two. */
  uint64_t *bytes;  /**< Of what goes through it inside. */
  uint64_t *retained;
  struct pyheap_reach_totals totals;
};

void pyheap_reach_destroy(struct pyheap_reach *reach) {
  if (!reach)
    return;
  walk_deinit(&reach->walk);
  free(reach->entries);
  free(reach->owners);
  free(reach->sizes);
  free(reach->bytes);
  free(reach->retained);
  free(reach);
}

/** Whether something that was not reached may hold the object. */
static bool is_held_outside(const struct walk *walk, uint32_t object) {
  const struct pyheap *heap = walk->heap;

  for (uint64_t i = heap->in_starts[object]; i < heap->in_starts[object + 1];
       i++) {
    uint32_t number = walk->numbers[heap->in_sources[i]];
    if (!number || number == WALK_LEFT_OUT)
      return true;
  }
  return heap_is_held_unseen(heap, object);
}

/** The size of a node; 0 for a root.  Counts it in TOTALS. */
static uint64_t measure_node(const struct pyheap *heap, pyheap_node node,
                             struct pyheap_reach_totals *totals) {
  struct object object;
  uint64_t size = 0;

  totals->objects += !pyheap_is_root(heap, node);
  if (!heap_load_node(heap, node, &object))
    return 0;
  totals->uncertain += !object_measure(heap, &object, &size);
  totals->sizing_themselves += type_sizes_itself(heap, object.type);
  totals->bytes += size;
  return size;
}

/** Numbers looked at by several threads, some thousands at a time. */
struct inspection {
  struct pyheap_reach *reach;
  struct shares shares;
};

/** Finds the sizes and the ways in of what was reached. */
static void inspect(void *context, unsigned thread) {
  struct inspection *inspection = context;
  struct pyheap_reach *reach = inspection->reach;
  const struct walk *walk = &reach->walk;
  struct pyheap_reach_totals own = {0};
  uint64_t first, end;

  (void)thread;
  while (shares_take(&inspection->shares, &first, &end))
    for (uint64_t i = first; i < end; i++) {
      reach->sizes[i] = measure_node(walk->heap, walk->nodes[i], &own);
      if (!reach->entries[i] && is_held_outside(walk, walk->nodes[i]))
        reach->entries[i] = ENTRY_OUTSIDE;
    }
  __atomic_fetch_add(&reach->totals.objects, own.objects, __ATOMIC_RELAXED);
  __atomic_fetch_add(&reach->totals.bytes, own.bytes, __ATOMIC_RELAXED);
  __atomic_fetch_add(&reach->totals.uncertain, own.uncertain, __ATOMIC_RELAXED);
  __atomic_fetch_add(&reach->totals.sizing_themselves, own.sizing_themselves,
                     __ATOMIC_RELAXED);
}

static void inspect_all(struct pyheap_reach *reach) {
  const struct walk *walk = &reach->walk;
  struct inspection inspection = {.reach = reach,
                                  .shares = {2, walk->count + 1ull, SHARE}};
  bool few = walk->count < SHARE;

  for (size_t i = 0; i < walk->start_count; i++)
    reach->entries[walk->numbers[walk->starts[i]]] = ENTRY_FIRST;
  parallel_run(few ? 1 : walk->heap->threads, inspect, &inspection);
}

/** Adds up, from the leaves of the tree of dominators to its root. */
static void add_up(const struct pyheap_reach *reach, const uint32_t *dominators,
                   uint64_t *sums) {
  for (uint32_t i = 1; i <= reach->walk.count; i++)
    sums[i] = reach->sizes[i];
  for (uint32_t i = reach->walk.count; i; i--)
    sums[dominators[i]] += sums[i];
}

static struct pyheap_error *find_retained(struct pyheap_reach *reach) {
  struct walk *walk = &reach->walk;
  struct walked walked = walk_result(walk, reach->entries);
  /* By number: whether the first one dominates it. */
  cleanup_free uint8_t *inside = calloc(walk->count + 1ull, 1);

  if (!inside)
    return &error_no_memory;
  TRY(dominators_find(&walked, reach->owners));
  add_up(reach, reach->owners, reach->retained);
  inside[1] = 1;
  for (uint32_t i = 2; i <= walk->count; i++) {
    inside[i] = inside[reach->owners[i]];
    reach->totals.retained_objects +=
        inside[i] && !pyheap_is_root(walk->heap, walk->nodes[i]);
  }
  reach->totals.retained_bytes = reach->retained[1];
  reach->totals.left_out = walk->left_out;
  return NULL;
}

static struct pyheap_error *reach_make(struct pyheap_reach *reach,
                                       const struct pyheap *heap,
                                       const pyheap_node *starts, size_t count,
                                       bool program) {
  struct walk *walk = &reach->walk;

  TRY(walk_init(walk, heap, starts, count, program));
  TRY(walk_number(walk, PYHEAP_NO_NODE, 0));
  for (size_t i = 0; i < count; i++)
    TRY(walk_from(walk, starts[i], 1));
  size_t room = walk->count + 1ull;
  reach->entries = calloc(room, sizeof *reach->entries);
  reach->owners = calloc(room, sizeof *reach->owners);
  reach->sizes = calloc(room, sizeof *reach->sizes);
  reach->retained = calloc(room, sizeof *reach->retained);
  if (!reach->entries || !reach->owners || !reach->sizes || !reach->retained)
    return &error_no_memory;
  inspect_all(reach);
  return find_retained(reach);
}

struct pyheap_error *pyheap_reach_create(struct pyheap *heap,
                                         const pyheap_node *starts,
                                         size_t count, bool program,
                                         struct pyheap_reach **ret) {
  TRY(pyheap_index_references(heap));
  struct pyheap_reach *reach = calloc(1, sizeof *reach);
  if (!reach)
    return &error_no_memory;
  struct pyheap_error *error = reach_make(reach, heap, starts, count, program);
  if (error) {
    pyheap_reach_destroy(reach);
    return error;
  }
  *ret = reach;
  return NULL;
}

/** What goes through each number when only the first leads in. */
struct pyheap_error *pyheap_reach_divide(struct pyheap_reach *reach) {
  uint8_t *entries = reach->entries;
  struct walked walked = walk_result(&reach->walk, entries);

  if (reach->bytes)
    return NULL;
  uint64_t *bytes = calloc(reach->walk.count + 1ull, sizeof *bytes);
  if (!bytes)
    return &error_no_memory;
  for (uint32_t i = 2; i <= reach->walk.count; i++)
    if (entries[i] == ENTRY_OUTSIDE)
      entries[i] = ENTRY_NONE;
  struct pyheap_error *error = dominators_find(&walked, reach->owners);
  if (error) {
    free(bytes);
    return error;
  }
  reach->bytes = bytes;
  add_up(reach, reach->owners, reach->bytes);
  return NULL;
}

struct pyheap_reach_totals
pyheap_reach_totals(const struct pyheap_reach *reach) {
  return reach->totals;
}

bool pyheap_reach_share(const struct pyheap_reach *reach, pyheap_node node,
                        struct pyheap_share *ret) {
  const struct walk *walk = &reach->walk;
  uint32_t number =
      node < pyheap_node_count(walk->heap) ? walk->numbers[node] : 0;

  if (!number || number > walk->count || !reach->bytes)
    return false;
  uint32_t owner = reach->owners[number];
  *ret = (struct pyheap_share){
      .owner = owner > 1 ? walk->nodes[owner] : PYHEAP_NO_NODE,
      .size = reach->sizes[number],
      .bytes = reach->bytes[number],
      .retained = reach->retained[number],
  };
  return true;
}
