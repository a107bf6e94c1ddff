/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a node refers to, told one by one: the same as the index has, where there
 * is one. */
#include "config.h"

#include <stdlib.h>

#include "heap.h"

/** An object that a node probably refers to. */
struct room {
  uint32_t target;
  uint32_t left; /**< References to it that the index has and that were not
                      told; those that are certain first taken away. */
};

/** The objects that a node probably refers to, by number. */
struct rooms {
  struct visit visit;
  struct room *list;
  size_t count, capacity;
  bool out_of_memory;
};

struct teller {
  struct visit visit;
  pyheap_node node;
  pyheap_reference_fn *fn;
  void *context;
  struct rooms *rooms; /**< NULL until the first probable reference. */
};

static void visit_node(struct visit *visit, pyheap_node node) {
  struct object object;

  if (pyheap_is_root(visit->heap, node))
    root_visit(visit, heap_root(visit->heap, node));
  else if (heap_load_node(visit->heap, node, &object))
    object_visit(visit, &object);
}

/* Room --------------------------------------------------------------------- */

static void note_probable(struct visit *visit) {
  struct rooms *rooms = visit->context;

  for (size_t i = 0; i < visit->count; i++) {
    uint32_t target = heap_number(visit->heap, visit->references[i].target);
    if (visit->references[i].kind != PYHEAP_PROBABLE ||
        target == PYHEAP_NO_NODE)
      continue;
    if (rooms->count == rooms->capacity) {
      size_t capacity = 2 * rooms->capacity + 16;
      struct room *grown = reallocarray(rooms->list, capacity, sizeof *grown);
      if (!grown) {
        rooms->out_of_memory = visit->stop = true;
        return;
      }
      rooms->list = grown;
      rooms->capacity = capacity;
    }
    rooms->list[rooms->count++] = (struct room){target, 0};
  }
}

static int compare_rooms(const void *a, const void *b) {
  const struct room *left = a, *right = b;
  return left->target < right->target ? -1 : left->target > right->target;
}

static struct room *room_of(const struct rooms *rooms, uint32_t target) {
  struct room key = {target, 0};
  return rooms->count ? bsearch(&key, rooms->list, rooms->count,
                                sizeof *rooms->list, compare_rooms)
                      : NULL;
}

static void take_certain(struct visit *visit) {
  struct rooms *rooms = visit->context;

  for (size_t i = 0; i < visit->count; i++) {
    const struct pyheap_reference *reference = &visit->references[i];
    if (reference->kind == PYHEAP_PROBABLE)
      continue;
    struct room *room =
        room_of(rooms, heap_number(visit->heap, reference->target));
    if (room && room->left)
      room->left--;
  }
}

/** Looks how many probable references of NODE the index has to each object. */
static void find_rooms(const struct pyheap *heap, pyheap_node node,
                       struct rooms *rooms) {
  size_t kept = 0;

  rooms->visit.heap = heap;
  rooms->visit.context = rooms;
  rooms->visit.flush = note_probable;
  visit_node(&rooms->visit, node);
  if (rooms->count)
    qsort(rooms->list, rooms->count, sizeof *rooms->list, compare_rooms);
  for (size_t i = 0; i < rooms->count; i++)
    if (!kept || rooms->list[kept - 1].target != rooms->list[i].target)
      rooms->list[kept++] =
          (struct room){rooms->list[i].target,
                        index_multiplicity(heap, rooms->list[i].target, node)};
  rooms->count = kept;
  rooms->visit.flush = take_certain;
  visit_node(&rooms->visit, node);
}

/** Whether a probable reference to TARGET is one.  Those that the index has kept
 * are the first. */
static bool has_room(struct teller *teller, uint32_t target) {
  const struct pyheap *heap = teller->visit.heap;

  if (!heap->references_indexed)
    return true;
  if (!teller->rooms) {
    teller->rooms = calloc(1, sizeof *teller->rooms);
    if (!teller->rooms)
      return true;
    find_rooms(heap, teller->node, teller->rooms);
  }
  if (teller->rooms->out_of_memory)
    return true;
  struct room *room = room_of(teller->rooms, target);
  if (!room || !room->left)
    return false;
  room->left--;
  return true;
}

/* Telling ------------------------------------------------------------------ */

static bool is_reference(struct teller *teller,
                         const struct pyheap_reference *reference) {
  if (reference->kind != PYHEAP_PROBABLE)
    return true;
  uint32_t target = heap_number(teller->visit.heap, reference->target);
  /* What only looks like a reference is none then. */
  return target != PYHEAP_NO_NODE && has_room(teller, target);
}

static void tell(struct visit *visit) {
  struct teller *teller = visit->context;
  for (size_t i = 0; i < visit->count && !visit->stop; i++)
    if (is_reference(teller, &visit->references[i]))
      visit->stop = !teller->fn(teller->context, &visit->references[i]);
}

/** Tells what leads to one object. */
static void tell_only(struct visit *visit) {
  struct teller *teller = visit->context;
  for (size_t i = 0; i < visit->count && !visit->stop; i++) {
    if (visit->references[i].target != visit->only) {
      visit->left_out++;
      continue;
    }
    if (is_reference(teller, &visit->references[i]))
      visit->stop = !teller->fn(teller->context, &visit->references[i]);
  }
}

/** Tells the references of NODE, by way of FLUSH; how many it left out. */
static uint64_t tell_references(const struct pyheap *heap, pyheap_node node,
                                void (*flush)(struct visit *visit),
                                uint64_t only, bool one,
                                pyheap_reference_fn *fn, void *context) {
  struct teller teller = {.node = node, .fn = fn, .context = context};
  teller.visit.heap = heap;
  teller.visit.flush = flush;
  teller.visit.context = &teller;
  teller.visit.only = only;
  teller.visit.one = one;
  visit_node(&teller.visit, node);
  if (teller.rooms)
    free(teller.rooms->list);
  free(teller.rooms);
  return teller.visit.left_out;
}

void pyheap_referents(const struct pyheap *heap, pyheap_node node,
                      pyheap_reference_fn *fn, void *context) {
  tell_references(heap, node, tell, 0, false, fn, context);
}

uint64_t pyheap_referents_to(const struct pyheap *heap, pyheap_node node,
                             uint64_t target, bool one, pyheap_reference_fn *fn,
                             void *context) {
  return tell_references(heap, node, tell_only, target, one, fn, context);
}
