/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Following references through the heap, depth first. */
#include "config.h"

#include <string.h>

#include "reach.h"

/** Reached along a reference, and to be looked at. */
struct waiting {
  uint32_t node;
  uint32_t parent; /**< The number of what refers to it. */
};

bool heap_is_held_unseen(const struct pyheap *heap, uint32_t object) {
  int64_t excess;

  return !heap_refcount_excess(heap, object, &excess) || excess > 0;
}

bool heap_is_referrer(const struct pyheap *heap, uint32_t object,
                      uint32_t source) {
  uint64_t end = heap->in_starts[object + 1];
  uint64_t place = SORTED_PLACE(heap->in_starts[object], end, i,
                                heap->in_sources[i] < source);

  return place < end && heap->in_sources[place] == source;
}

/* The program: what a heap holds in any case ------------------------------- */

static enum object_kind kind_of(const struct object *object) {
  return object->type->known ? object->type->known->kind : KIND_OTHER;
}

static bool load(const struct pyheap *heap, uint32_t number,
                 struct object *object) {
  const char *why;

  return number < heap->object_count &&
         object_load(heap, heap_number_address(heap, number), object, &why);
}

/** The module whose namespace a dict is, or PYHEAP_NO_NODE. */
static uint32_t module_of(const struct pyheap *heap, uint32_t dict) {
  uint64_t address = heap_number_address(heap, dict);
  struct object module;

  for (uint64_t i = heap->in_starts[dict]; i < heap->in_starts[dict + 1]; i++) {
    uint32_t source = heap->in_sources[i];
    if (load(heap, source, &module) && kind_of(&module) == KIND_MODULE &&
        FIELD(heap->layout, &module, PyModuleObject, md_dict) == address)
      return source;
  }
  return PYHEAP_NO_NODE;
}

/** Whether a thread is running the function of a frame object. */
static bool is_running(const struct pyheap *heap, uint32_t frame) {
  uint64_t end = heap->in_starts[frame + 1];

  /* Referrers ascend, and the numbers of roots are the highest. */
  return end > heap->in_starts[frame] &&
         heap->in_sources[end - 1] >= heap->object_count;
}

/** Whether the object is of the program.  *MODULE is the one whose namespace
 * it is. */
static bool is_program(const struct pyheap *heap, uint32_t number,
                       const struct object *object, uint32_t *module) {
  *module = PYHEAP_NO_NODE;
  if (object->type->flags & TPFLAGS_TYPE_SUBCLASS)
    return true;
  switch (kind_of(object)) {
  case KIND_MODULE:
  case KIND_CODE:
    return true;
  case KIND_FRAME:
    return is_running(heap, number);
  case KIND_DICT:
    *module = module_of(heap, number);
    return *module != PYHEAP_NO_NODE;
  default:
    return false;
  }
}

bool pyheap_is_program(const struct pyheap *heap, pyheap_node node) {
  struct object object;
  uint32_t module;

  return heap->references_indexed && load(heap, node, &object) &&
         is_program(heap, node, &object, &module);
}

/* The walk ----------------------------------------------------------------- */

static void push(struct walk *walk, struct waiting waiting) {
  if (walk->stack_count == walk->stack_capacity) {
    size_t capacity = 2 * walk->stack_capacity + 1024;
    struct waiting *grown = reallocarray(walk->stack, capacity, sizeof *grown);
    if (!grown) {
      walk->out_of_memory = true;
      return;
    }
    walk->stack = grown;
    walk->stack_capacity = capacity;
  }
  walk->stack[walk->stack_count++] = waiting;
}

/** Takes the references of the node that was numbered last. */
static void take_references(struct visit *visit) {
  struct walk *walk = visit->context;
  uint32_t parent = walk->count;

  for (size_t i = 0; i < visit->count; i++) {
    const struct pyheap_reference *reference = &visit->references[i];
    uint32_t target = heap_number(walk->heap, reference->target);
    if (target == PYHEAP_NO_NODE || walk->numbers[target])
      continue;
    /* The index is without those that counts refute. */
    if (reference->kind == PYHEAP_PROBABLE &&
        !heap_is_referrer(walk->heap, target, walk->nodes[parent]))
      continue;
    push(walk, (struct waiting){target, parent});
  }
}

struct pyheap_error *walk_init(struct walk *walk, const struct pyheap *heap,
                               const pyheap_node *starts, size_t count,
                               bool whole) {
  memset(walk, 0, sizeof *walk);
  walk->heap = heap;
  walk->starts = starts;
  walk->start_count = count;
  walk->whole = whole;
  walk->visit.heap = heap;
  walk->visit.flush = take_references;
  walk->visit.context = walk;
  walk->numbers =
      calloc((size_t)pyheap_node_count(heap) + 1, sizeof *walk->numbers);
  if (!walk->numbers)
    return &error_no_memory;
  for (size_t i = 0; i < heap->interned_count; i++) {
    uint32_t dict = heap_number(heap, heap->interned[i]);
    if (dict != PYHEAP_NO_NODE)
      walk->numbers[dict] = WALK_INTERNED;
  }
  for (size_t i = 0; i < count; i++)
    walk->numbers[starts[i]] = WALK_START;
  return NULL;
}

void walk_deinit(struct walk *walk) {
  free(walk->numbers);
  free(walk->nodes);
  free(walk->parents);
  free(walk->stack);
  memset(walk, 0, sizeof *walk);
}

static struct pyheap_error *grow(struct walk *walk) {
  uint32_t most = pyheap_node_count(walk->heap) + 1;
  uint32_t capacity = walk->capacity + walk->capacity / 2 + 256;
  if (capacity > most)
    capacity = most;
  /* Room for [0] and for one that is no node. */
  uint32_t *nodes = reallocarray(walk->nodes, capacity + 1ull, sizeof *nodes);
  if (nodes)
    walk->nodes = nodes;
  uint32_t *parents =
      reallocarray(walk->parents, capacity + 1ull, sizeof *parents);
  if (parents)
    walk->parents = parents;
  if (!nodes || !parents)
    return &error_no_memory;
  walk->capacity = capacity;
  return NULL;
}

struct pyheap_error *walk_number(struct walk *walk, pyheap_node node,
                                 uint32_t parent) {
  if (walk->count == walk->capacity)
    TRY(grow(walk));
  walk->count++;
  walk->nodes[walk->count] = node;
  walk->parents[walk->count] = parent;
  if (node != PYHEAP_NO_NODE)
    walk->numbers[node] = walk->count;
  return NULL;
}

static bool is_start(const struct walk *walk, uint32_t node) {
  for (size_t i = 0; i < walk->start_count; i++)
    if (walk->starts[i] == node)
      return true;
  return false;
}

/** Whether a node that was reached is not to be followed. */
static bool leaves_out(const struct walk *walk, uint32_t node,
                       const struct object *object) {
  uint32_t module;

  if (walk->whole || !is_program(walk->heap, node, object, &module))
    return false;
  /* What is asked about is followed, and a module is its namespace. */
  return !is_start(walk, node) && !is_start(walk, module);
}

static struct pyheap_error *visit_node(struct walk *walk,
                                       struct waiting waiting) {
  struct object object;

  if (walk->numbers[waiting.node])
    return NULL;
  if (pyheap_is_root(walk->heap, waiting.node)) {
    TRY(walk_number(walk, waiting.node, waiting.parent));
    root_visit(&walk->visit, heap_root(walk->heap, waiting.node));
    return NULL;
  }
  bool loaded = load(walk->heap, waiting.node, &object);
  if (loaded && leaves_out(walk, waiting.node, &object)) {
    walk->numbers[waiting.node] = WALK_LEFT_OUT;
    walk->left_out++;
    return NULL;
  }
  TRY(walk_number(walk, waiting.node, waiting.parent));
  if (loaded)
    object_visit(&walk->visit, &object);
  return NULL;
}

struct pyheap_error *walk_from(struct walk *walk, pyheap_node start,
                               uint32_t parent) {
  uint32_t steps = 0;

  if (walk->numbers[start] == WALK_START)
    walk->numbers[start] = 0;
  push(walk, (struct waiting){start, parent});
  while (walk->stack_count && !walk->out_of_memory) {
    if (++steps % 65536 == 0 &&
        heap_canceled(walk->heap, "following references", walk->count, 0))
      return error_canceled();
    TRY(visit_node(walk, walk->stack[--walk->stack_count]));
  }
  return walk->out_of_memory ? &error_no_memory : NULL;
}

struct walked walk_result(const struct walk *walk, const uint8_t *entries) {
  return (struct walked){
      .count = walk->count,
      .nodes = walk->nodes,
      .parents = walk->parents,
      .numbers = walk->numbers,
      .starts = walk->heap->in_starts,
      .sources = walk->heap->in_sources,
      .source_count = walk->heap->object_count,
      .entries = entries,
  };
}
