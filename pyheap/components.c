/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tarjan's algorithm with one number a node, as D. Pearce has it (A
 * Space-Efficient Algorithm for Finding Strongly Connected Components, 2016),
 * on a stack of its own: a linked list of a million objects is as deep. */
#include "config.h"

#include "components.h"

#include "error.h"

/** A node whose arrows are being followed. */
struct step {
  uint64_t next; /**< The arrow to look at. */
  uint32_t node;
  bool is_root; /**< Nothing found so far leads further back. */
} __attribute__((packed, aligned(4)));

struct search {
  const struct arrows *arrows;
  uint32_t *indexes; /**< 0: not seen; DONE: in a component that was given
                            out; else the index of what it leads back to. */
  uint32_t index;    /**< The next one. */
  uint32_t *open;    /**< Nodes of components that are not whole yet. */
  uint32_t open_count, open_capacity;
  struct step *steps;
  uint32_t depth, capacity;
};

static const uint32_t DONE = UINT32_MAX;

static bool is_left_out(const struct arrows *arrows, uint32_t node) {
  return arrows->left_out && bit_get(arrows->left_out, node);
}

static struct pyheap_error *enter(struct search *search, uint32_t node) {
  if (search->depth == search->capacity) {
    uint64_t capacity = search->capacity + search->capacity / 2ull + 1024;
    if (capacity > search->arrows->count)
      capacity = search->arrows->count;
    struct step *grown = reallocarray(search->steps, capacity, sizeof *grown);
    if (!grown)
      return &error_no_memory;
    search->steps = grown;
    search->capacity = (uint32_t)capacity;
  }
  search->indexes[node] = search->index++;
  search->steps[search->depth++] =
      (struct step){search->arrows->starts[node], node, true};
  return NULL;
}

static struct pyheap_error *keep_open(struct search *search, uint32_t node) {
  if (search->open_count == search->open_capacity) {
    uint64_t capacity =
        search->open_capacity + search->open_capacity / 2ull + 1024;
    uint32_t *grown = reallocarray(search->open, capacity, sizeof *grown);
    if (!grown)
      return &error_no_memory;
    search->open = grown;
    search->open_capacity = (uint32_t)capacity;
  }
  search->open[search->open_count++] = node;
  return NULL;
}

/** The node leads no further back: with what is open since, it is a whole. */
static struct pyheap_error *give_out(struct search *search, uint32_t node,
                                     component_fn *fn, void *context) {
  uint32_t first = search->open_count;
  while (first &&
         search->indexes[search->open[first - 1]] >= search->indexes[node])
    first--;
  TRY(keep_open(search, node));
  uint32_t count = search->open_count - first;
  for (uint32_t i = first; i < search->open_count; i++)
    search->indexes[search->open[i]] = DONE;
  search->index -= count;
  search->open_count = first;
  if (!fn(context, search->open + first, count))
    return error_create(PYHEAP_ERROR_CANCELED, 0, "interrupted");
  return NULL;
}

/** Takes in what is known about where an arrow of STEP leads. */
static void look_back(const struct search *search, struct step *step,
                      uint32_t target) {
  uint32_t *indexes = search->indexes;

  if (indexes[target] < indexes[step->node]) {
    indexes[step->node] = indexes[target];
    step->is_root = false;
  }
}

/** Follows the next arrow of the last step to a node not seen yet, or leaves it
 * when there is none. */
static struct pyheap_error *advance(struct search *search, component_fn *fn,
                                    void *context) {
  const struct arrows *arrows = search->arrows;
  struct step *step = &search->steps[search->depth - 1];
  uint64_t end = arrows->starts[step->node + 1];

  for (; step->next < end; step->next++) {
    uint32_t target = arrows->targets[step->next];
    if (target >= arrows->count || is_left_out(arrows, target))
      continue;
    /* Not moved on yet: the target is looked at once more when it is done. */
    if (!search->indexes[target])
      return enter(search, target);
    look_back(search, step, target);
  }
  uint32_t node = step->node;
  search->depth--;
  return step->is_root ? give_out(search, node, fn, context)
                       : keep_open(search, node);
}

struct pyheap_error *components_find(const struct arrows *arrows,
                                     component_fn *fn, void *context) {
  struct search search = {.arrows = arrows, .index = 1};
  struct pyheap_error *error = NULL;

  search.indexes = calloc(arrows->count + 1ull, sizeof *search.indexes);
  if (!search.indexes)
    error = &error_no_memory;
  for (uint32_t node = 0; !error && node < arrows->count; node++) {
    if (search.indexes[node] || is_left_out(arrows, node))
      continue;
    error = enter(&search, node);
    while (!error && search.depth)
      error = advance(&search, fn, context);
  }
  free(search.indexes);
  free(search.open);
  free(search.steps);
  return error;
}
