/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reference cycles.
 *
 * The components are found on the index as it is, of referrers: they are the
 * same in either direction.  Each comes after all that refers to it, so whether
 * anything alive does is known by then. */
#include "config.h"

#include <string.h>

#include "components.h"
#include "heap.h"
#include "reach.h"

enum {
  /** References looked at in search of a component's shortest cycle, some tenths
   * of a second. */
  SEARCH_LIMIT = 20 * 1000 * 1000,
};

struct pyheap_cycles {
  struct pyheap *heap;
  uint32_t *nodes; /**< Of all components, one after the other. */
  size_t node_count, node_capacity;
  struct pyheap_component *list; /**< `nodes` are set at the end. */
  size_t count, capacity;
  struct pyheap_cycle_totals totals;
  uint32_t *component_of; /**< By object: index + 1. */
  uint64_t *alive;        /**< A bit an object. */
  uint64_t seen;
  bool out_of_memory;
  /* The search for cycles: a queue of objects, and by object its place there
   * + 1. */
  uint32_t *places;
  struct place {
    uint32_t node;
    uint32_t next; /**< The place of the next on the way to the start. */
  } * queue;
  size_t queue_count, queue_capacity;
};

void pyheap_cycles_destroy(struct pyheap_cycles *cycles) {
  if (!cycles)
    return;
  free(cycles->nodes);
  free(cycles->list);
  free(cycles->component_of);
  free(cycles->alive);
  free(cycles->places);
  free(cycles->queue);
  free(cycles);
}

/* Components ---------------------------------------------------------------- */

static bool refers_to_itself(const struct pyheap *heap, uint32_t node) {
  return heap_is_referrer(heap, node, node);
}

/** Whether a component is one of cycles: most are single objects. */
static bool has_cycle(const struct pyheap *heap, const uint32_t *nodes,
                      uint32_t count) {
  return count > 1 || refers_to_itself(heap, nodes[0]);
}

/** Whether anything alive refers to the object. */
static bool is_referred_to(const struct pyheap_cycles *cycles, uint32_t node) {
  const struct pyheap *heap = cycles->heap;

  for (uint64_t i = heap->in_starts[node]; i < heap->in_starts[node + 1]; i++) {
    uint32_t source = heap->in_sources[i];
    if (source >= heap->object_count || bit_get(cycles->alive, source))
      return true;
  }
  return false;
}

static bool is_alive(const struct pyheap_cycles *cycles, const uint32_t *nodes,
                     uint32_t count) {
  for (uint32_t i = 0; i < count; i++)
    if (is_referred_to(cycles, nodes[i]) ||
        heap_is_held_unseen(cycles->heap, nodes[i]))
      return true;
  return false;
}

static void mark_alive(struct pyheap_cycles *cycles, const uint32_t *nodes,
                       uint32_t count) {
  const struct pyheap *heap = cycles->heap;

  for (uint32_t i = 0; i < count; i++)
    bit_set(cycles->alive, nodes[i]);
  /* A dict of interned strings keeps none of them alive. */
  if (count == 1 && heap->interned_count &&
      heap_is_interned_dict(heap, heap_number_address(heap, nodes[0])))
    bit_clear(cycles->alive, nodes[0]);
}

static uint64_t measure(const struct pyheap *heap, const uint32_t *nodes,
                        uint32_t count) {
  uint64_t bytes = 0;

  for (uint32_t i = 0; i < count; i++)
    bytes += pyheap_size(heap, nodes[i]);
  return bytes;
}

static bool grow(void **array, size_t *capacity, size_t wanted, size_t size) {
  if (wanted <= *capacity)
    return true;
  size_t larger = *capacity + *capacity / 2;
  if (larger < wanted)
    larger = wanted + 64;
  void *grown = reallocarray(*array, larger, size);
  if (!grown)
    return false;
  *array = grown;
  *capacity = larger;
  return true;
}

static int compare_nodes(const void *a, const void *b) {
  uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
  return left < right ? -1 : left > right;
}

/** Adds a component to the list, its objects by address. */
static bool add_component(struct pyheap_cycles *cycles, const uint32_t *nodes,
                          uint32_t count, bool garbage) {
  void *list = cycles->list, *all = cycles->nodes;
  bool grown =
      grow(&list, &cycles->capacity, cycles->count + 1, sizeof *cycles->list) &&
      grow(&all, &cycles->node_capacity, cycles->node_count + count,
           sizeof *cycles->nodes);

  cycles->list = list;
  cycles->nodes = all;
  if (!grown) {
    cycles->out_of_memory = true;
    return false;
  }
  uint32_t *own = cycles->nodes + cycles->node_count;
  memcpy(own, nodes, count * sizeof *own);
  qsort(own, count, sizeof *own, compare_nodes);
  cycles->node_count += count;
  cycles->list[cycles->count++] =
      (struct pyheap_component){.count = count, .garbage = garbage};
  return true;
}

static bool goes_on(struct pyheap_cycles *cycles, uint32_t count) {
  uint64_t before = cycles->seen;

  cycles->seen += count;
  return before >> 18 == cycles->seen >> 18 ||
         !heap_canceled(cycles->heap, "finding cycles", cycles->seen,
                        cycles->heap->object_count);
}

/** Takes a component of the whole graph. */
static bool take_component(void *context, const uint32_t *nodes,
                           uint32_t count) {
  struct pyheap_cycles *cycles = context;
  const struct pyheap *heap = cycles->heap;
  bool alive = is_alive(cycles, nodes, count);
  bool cycle = has_cycle(heap, nodes, count);

  if (alive)
    mark_alive(cycles, nodes, count);
  /* What nothing refers to and is not alive was left behind, not lost. */
  if (!alive &&
      (cycle || heap->in_starts[nodes[0]] != heap->in_starts[nodes[0] + 1])) {
    cycles->totals.garbage_objects += count;
    cycles->totals.garbage_bytes += measure(heap, nodes, count);
    for (uint32_t i = 0; i < count; i++)
      cycles->totals.garbage_tracked += pyheap_is_tracked(heap, nodes[i]);
  }
  return (!cycle || add_component(cycles, nodes, count, !alive)) &&
         goes_on(cycles, count);
}

/** Takes a component of the graph without the program. */
static bool take_data(void *context, const uint32_t *nodes, uint32_t count) {
  struct pyheap_cycles *cycles = context;

  return (!has_cycle(cycles->heap, nodes, count) ||
          add_component(cycles, nodes, count, false)) &&
         goes_on(cycles, count);
}

static struct pyheap_error *search(struct pyheap_cycles *cycles,
                                   const uint64_t *left_out,
                                   component_fn *take_one) {
  const struct pyheap *heap = cycles->heap;
  struct arrows arrows = {
      .count = heap->object_count,
      .starts = heap->in_starts,
      .targets = heap->in_sources,
      .left_out = left_out,
  };
  struct pyheap_error *error = components_find(&arrows, take_one, cycles);

  if (!error || !cycles->out_of_memory)
    return error;
  pyheap_error_destroy(error);
  return &error_no_memory;
}

/** Looks once more, without the program, into the components that are alive:
 * through types and modules everything is in a cycle with everything. */
static struct pyheap_error *leave_out_program(struct pyheap_cycles *cycles) {
  const struct pyheap *heap = cycles->heap;
  size_t words = heap->object_count / 64 + 1ull, kept = 0, from = 0, to = 0;
  cleanup_free uint64_t *left_out = malloc(words * sizeof *left_out);

  if (!left_out)
    return &error_no_memory;
  memset(left_out, -1, words * sizeof *left_out);
  for (size_t i = 0; i < cycles->count; i++) {
    struct pyheap_component component = cycles->list[i];
    const uint32_t *nodes = cycles->nodes + from;
    from += component.count;
    if (component.garbage) {
      memmove(cycles->nodes + to, nodes, component.count * sizeof *nodes);
      to += component.count;
      cycles->list[kept++] = component;
      continue;
    }
    cycles->totals.program_objects += component.count;
    for (uint32_t n = 0; n < component.count; n++)
      if (!pyheap_is_program(heap, nodes[n]))
        bit_clear(left_out, nodes[n]);
  }
  cycles->count = kept;
  cycles->node_count = to;
  cycles->seen = 0;
  TRY(search(cycles, left_out, take_data));
  for (size_t i = kept; i < cycles->count; i++)
    cycles->totals.program_objects -= cycles->list[i].count;
  return NULL;
}

/** Garbage first, then the heaviest. */
static int compare_components(const void *left, const void *right) {
  const struct pyheap_component *a = left, *b = right;

  if (a->garbage != b->garbage)
    return a->garbage ? -1 : 1;
  if (a->bytes != b->bytes)
    return a->bytes > b->bytes ? -1 : 1;
  return a->nodes < b->nodes ? -1 : a->nodes > b->nodes;
}

static struct pyheap_error *finish(struct pyheap_cycles *cycles) {
  const struct pyheap *heap = cycles->heap;
  const uint32_t *nodes = cycles->nodes;

  cycles->component_of =
      calloc(heap->object_count + 1ull, sizeof *cycles->component_of);
  if (!cycles->component_of)
    return &error_no_memory;
  for (size_t i = 0; i < cycles->count; i++) {
    struct pyheap_component *component = &cycles->list[i];
    component->nodes = nodes;
    component->bytes = measure(heap, nodes, component->count);
    nodes += component->count;
  }
  if (cycles->count)
    qsort(cycles->list, cycles->count, sizeof *cycles->list,
          compare_components);
  for (size_t i = 0; i < cycles->count; i++)
    for (uint32_t n = 0; n < cycles->list[i].count; n++)
      cycles->component_of[cycles->list[i].nodes[n]] = (uint32_t)i + 1;
  return NULL;
}

static struct pyheap_error *find(struct pyheap_cycles *cycles, bool program) {
  cycles->alive =
      calloc(cycles->heap->object_count / 64 + 1ull, sizeof *cycles->alive);
  if (!cycles->alive)
    return &error_no_memory;
  TRY(search(cycles, NULL, take_component));
  free(take(cycles->alive));
  if (!program)
    TRY(leave_out_program(cycles));
  return finish(cycles);
}

struct pyheap_error *pyheap_find_cycles(struct pyheap *heap, bool program,
                                        struct pyheap_cycles **ret) {
  TRY(pyheap_index_references(heap));
  struct pyheap_cycles *cycles = calloc(1, sizeof *cycles);
  if (!cycles)
    return &error_no_memory;
  cycles->heap = heap;
  struct pyheap_error *error = find(cycles, program);
  if (error) {
    pyheap_cycles_destroy(cycles);
    return error;
  }
  *ret = cycles;
  return NULL;
}

const struct pyheap_component *
pyheap_cycle_components(const struct pyheap_cycles *cycles, size_t *count) {
  *count = cycles->count;
  return cycles->list;
}

struct pyheap_cycle_totals
pyheap_cycle_totals(const struct pyheap_cycles *cycles) {
  return cycles->totals;
}

/* Single cycles ------------------------------------------------------------- */

static bool enqueue(struct pyheap_cycles *cycles, uint32_t node,
                    uint32_t next) {
  void *queue = cycles->queue;
  bool grown = grow(&queue, &cycles->queue_capacity, cycles->queue_count + 1,
                    sizeof *cycles->queue);

  cycles->queue = queue;
  if (!grown)
    return false;
  cycles->queue[cycles->queue_count++] = (struct place){node, next};
  cycles->places[node] = (uint32_t)cycles->queue_count;
  return true;
}

static void empty_queue(struct pyheap_cycles *cycles) {
  for (size_t i = 0; i < cycles->queue_count; i++)
    cycles->places[cycles->queue[i].node] = 0;
  cycles->queue_count = 0;
}

/** One search back from an object. */
struct back {
  uint32_t start;
  uint64_t *budget; /**< References that may be looked at; NULL: all. */
  uint32_t most;    /**< No cycle of so many objects or more is of interest. */
  uint32_t last;    /**< Out: the place of the start's first referent on its
                         shortest cycle. */
  uint32_t length;  /**< Out: of that; 0: none was found. */
};

/** Goes back from the start along referrers of its component, breadth first,
 * until that is over or, with a budget, it is back at the start. */
static bool go_back(struct pyheap_cycles *cycles, struct back *back) {
  const struct pyheap *heap = cycles->heap;
  uint32_t component = cycles->component_of[back->start];
  uint32_t length = 1;
  size_t level_end = 1;

  if (!enqueue(cycles, back->start, 0))
    return false;
  for (size_t at = 0; at < cycles->queue_count; at++) {
    if (at == level_end) {
      length++;
      level_end = cycles->queue_count;
    }
    if (length >= back->most)
      return true;
    uint32_t node = cycles->queue[at].node;
    for (uint64_t i = heap->in_starts[node]; i < heap->in_starts[node + 1];
         i++) {
      uint32_t source = heap->in_sources[i];
      if (back->budget && !--*back->budget)
        return true;
      if (source == back->start && !back->length) {
        back->length = length;
        back->last = (uint32_t)at;
        if (back->budget)
          return true;
      }
      if (source >= heap->object_count || cycles->places[source] ||
          cycles->component_of[source] != component)
        continue;
      if (!enqueue(cycles, source, (uint32_t)at))
        return false;
    }
  }
  return true;
}

/** Hands out the cycle from the start to the object at PLACE and back; that may
 * be the start itself. */
static bool tell(const struct pyheap_cycles *cycles, uint32_t place,
                 struct pyheap_cycle *cycle, pyheap_cycle_fn *fn,
                 void *context) {
  size_t length = 1;
  for (uint32_t at = place; at; at = cycles->queue[at].next)
    length++;
  pyheap_node *nodes = reallocarray(NULL, length, sizeof *nodes);
  if (!nodes)
    return false;
  nodes[0] = cycles->queue[0].node;
  for (size_t i = 1; i < length; i++, place = cycles->queue[place].next)
    nodes[i] = cycles->queue[place].node;
  cycle->nodes = nodes;
  cycle->length = length;
  fn(context, cycle);
  free(nodes);
  return true;
}

static struct pyheap_error *prepare(struct pyheap_cycles *cycles) {
  if (!cycles->places)
    cycles->places =
        calloc(cycles->heap->object_count + 1ull, sizeof *cycles->places);
  return cycles->places ? NULL : &error_no_memory;
}

/** The object of a component that is on a cycle of one or two. */
static uint32_t find_short(const struct pyheap_cycles *cycles,
                           const struct pyheap_component *component) {
  const struct pyheap *heap = cycles->heap;
  uint32_t found = PYHEAP_NO_NODE;

  for (uint32_t n = 0; n < component->count; n++) {
    uint32_t node = component->nodes[n];
    if (refers_to_itself(heap, node))
      return node;
    for (uint64_t i = heap->in_starts[node];
         found == PYHEAP_NO_NODE && i < heap->in_starts[node + 1]; i++) {
      uint32_t source = heap->in_sources[i];
      if (source < heap->object_count &&
          cycles->component_of[source] == cycles->component_of[node] &&
          heap_is_referrer(heap, source, node))
        found = node;
    }
  }
  return found;
}

/** The object whose shortest cycle is the shortest of the component, as far as
 * the budget goes. */
static struct pyheap_error *
find_shortest(struct pyheap_cycles *cycles,
              const struct pyheap_component *component, uint32_t *ret,
              bool *exact) {
  uint64_t budget = SEARCH_LIMIT;
  uint32_t shortest = UINT32_MAX;

  *exact = true;
  *ret = find_short(cycles, component);
  if (*ret != PYHEAP_NO_NODE)
    return NULL;
  /* There is one all the same when the budget ends before any was found. */
  *ret = component->nodes[0];
  for (uint32_t n = 0; n < component->count && shortest > 3; n++) {
    struct back back = {
        .start = component->nodes[n], .budget = &budget, .most = shortest};
    bool enough = go_back(cycles, &back);
    empty_queue(cycles);
    if (!enough)
      return &error_no_memory;
    if (back.length) {
      shortest = back.length;
      *ret = back.start;
    }
    if (!budget) {
      *exact = false;
      break;
    }
  }
  return NULL;
}

struct pyheap_error *
pyheap_shortest_cycle(struct pyheap_cycles *cycles,
                      const struct pyheap_component *component,
                      pyheap_cycle_fn *fn, void *context) {
  struct pyheap_cycle cycle;
  struct back back = {.most = UINT32_MAX};

  TRY(prepare(cycles));
  TRY(find_shortest(cycles, component, &back.start, &cycle.exact));
  uint64_t budget = UINT64_MAX;
  back.budget = &budget;
  bool enough =
      go_back(cycles, &back) && tell(cycles, back.last, &cycle, fn, context);
  empty_queue(cycles);
  return enough ? NULL : &error_no_memory;
}

/** The places of what an object refers to. */
struct first_steps {
  struct pyheap_cycles *cycles;
  uint32_t *places;
  size_t count, capacity;
  bool out_of_memory;
};

static bool take_step(void *context, const struct pyheap_reference *reference) {
  struct first_steps *steps = context;
  const struct pyheap_cycles *cycles = steps->cycles;
  uint32_t target = heap_number(cycles->heap, reference->target);
  uint32_t start = cycles->queue[0].node;

  if (target == PYHEAP_NO_NODE || !cycles->places[target] ||
      !heap_is_referrer(cycles->heap, target, start))
    return true;
  void *places = steps->places;
  steps->out_of_memory =
      !grow(&places, &steps->capacity, steps->count + 1, sizeof *steps->places);
  steps->places = places;
  if (steps->out_of_memory)
    return false;
  steps->places[steps->count++] = cycles->places[target] - 1;
  return true;
}

/** Tells of the nearest first: the queue is ordered by distance. */
static bool tell_steps(struct first_steps *steps, uint64_t limit,
                       uint64_t *total, pyheap_cycle_fn *fn, void *context) {
  bool complete = !steps->out_of_memory;

  *total = 0;
  if (steps->count)
    qsort(steps->places, steps->count, sizeof *steps->places, compare_nodes);
  for (size_t i = 0; i < steps->count && complete; i++) {
    struct pyheap_cycle cycle = {.exact = true};
    if (i && steps->places[i] == steps->places[i - 1])
      continue;
    if (++*total <= limit)
      complete = tell(steps->cycles, steps->places[i], &cycle, fn, context);
  }
  return complete;
}

struct pyheap_error *pyheap_cycles_through(struct pyheap_cycles *cycles,
                                           pyheap_node object, uint64_t limit,
                                           uint64_t *total, pyheap_cycle_fn *fn,
                                           void *context) {
  struct first_steps steps = {.cycles = cycles};
  struct back back = {.start = object, .most = UINT32_MAX};
  bool complete = true;

  *total = 0;
  if (object >= cycles->heap->object_count || !cycles->component_of[object])
    return NULL;
  TRY(prepare(cycles));
  complete = go_back(cycles, &back);
  if (complete) {
    pyheap_referents(cycles->heap, object, take_step, &steps);
    complete = tell_steps(&steps, limit, total, fn, context);
  }
  empty_queue(cycles);
  free(steps.places);
  return complete ? NULL : &error_no_memory;
}
