/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "index_collect.h"

#include <stdlib.h>
#include <string.h>

#include "ahead.h"
#include "marks.h"

enum {
  MIN_PIECES = 32,
  MAX_PIECES = 256,
  PIECE_OBJECTS = 1 << 16,
  MAX_RANGES = 64, /**< Who adds to more lists at once has them in no cache. */
  RANGE_BITS = 16, /**< Half a megabyte of places and of sources. */
  PENDING = 64
};

/** Objects of one piece, one after the other.  As in discover.c, memory is asked
 * for some objects, and some references, before it is needed. */
struct collector {
  struct visit visit;
  struct piece *piece;
  unsigned shift;
  int32_t *refcounts;
  uint16_t *types;
  uint32_t node; /**< That is visited. */
  /** References whose targets' numbers are on their way. */
  struct pending {
    uint64_t bit;
    uint32_t source;
    enum pyheap_reference_kind kind;
    bool uncounted;
  } pending[PENDING];
  unsigned pending_count;
  struct ahead ahead;
};

/* What is noted ------------------------------------------------------------ */

/** Makes room for one more in a list with a capacity that is a power of two. */
static bool grow(struct piece *piece, void *list, size_t count, size_t size) {
  if (count & (count - 1))
    return true;
  void *grown = reallocarray(*(void **)list, count ? 2 * count : 1, size);
  if (!grown) {
    piece->out_of_memory = true;
    return false;
  }
  *(void **)list = grown;
  return true;
}

/** Gives LIST room for CAPACITY references. */
static bool resize(struct references *list, size_t capacity) {
  uint32_t *targets = reallocarray(list->targets, capacity, sizeof *targets);
  if (targets)
    list->targets = targets;
  uint8_t *steps = targets ? realloc(list->steps, capacity) : NULL;
  if (steps)
    list->steps = steps;
  return steps;
}

/** Makes room for COUNT more references. */
static bool reserve(struct references *list, size_t count) {
  if (list->count + count <= list->capacity)
    return true;
  size_t capacity = list->capacity + list->capacity / 4 + count + 256;
  if (!resize(list, capacity))
    return false;
  list->capacity = capacity;
  return true;
}

static void add(struct references *list, uint32_t source, uint32_t target) {
  uint32_t step = source - list->source;
  for (; step >= MAX_STEP; step -= MAX_STEP) {
    list->targets[list->count] = NO_TARGET;
    list->steps[list->count++] = MAX_STEP;
  }
  list->targets[list->count] = target;
  list->steps[list->count++] = (uint8_t)step;
  list->source = source;
}

static void note(struct collector *collector, const struct pending *pending,
                 uint32_t target) {
  struct piece *piece = collector->piece;
  struct references *list = &piece->ranges[target >> collector->shift];

  if (!reserve(list, 1 + (pending->source - list->source) / MAX_STEP)) {
    piece->out_of_memory = true;
    return;
  }
  add(list, pending->source, target);
  if (pending->kind == PYHEAP_PROBABLE) {
    if (!grow(piece, &piece->probable, piece->probable_count,
              sizeof *piece->probable))
      return;
    piece->probable[piece->probable_count++] =
        (struct probable){target, list->count - 1};
  }
  if (pending->uncounted) {
    if (!grow(piece, &piece->uncounted, piece->uncounted_count,
              sizeof *piece->uncounted))
      return;
    piece->uncounted[piece->uncounted_count++] = target;
  }
  piece->kinds[pending->kind]++;
}

/** Finds the numbers that the first COUNT pending references lead to. */
static void settle(struct collector *collector, unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    const struct pending *pending = &collector->pending[i];
    uint32_t target = mark_number(collector->visit.heap, pending->bit);
    if (target != PYHEAP_NO_NODE)
      note(collector, pending, target);
  }
  collector->pending_count -= count;
  memmove(collector->pending, collector->pending + count,
          collector->pending_count * sizeof *collector->pending);
}

static void collect(struct visit *visit) {
  struct collector *collector = visit->context;
  const struct pyheap *heap = visit->heap;
  uint64_t bit;

  for (size_t i = 0; i < visit->count; i++) {
    const struct pyheap_reference *reference = &visit->references[i];
    if (!mark_bit(heap, reference->target, &bit))
      continue;
    __builtin_prefetch(&heap->marks[bit / 64]);
    __builtin_prefetch(&heap->ranks[bit / 64]);
    if (collector->pending_count == PENDING)
      settle(collector, PENDING / 2);
    collector->pending[collector->pending_count++] = (struct pending){
        bit, collector->node, reference->kind, reference->uncounted};
  }
}

/* Objects ------------------------------------------------------------------ */

/** False without memory for what is to be collected. */
static bool collector_init(struct collector *collector, struct pyheap *heap,
                           struct piece *piece,
                           const struct collected *collected) {
  memset(collector, 0, sizeof *collector);
  collector->visit.heap = heap;
  collector->visit.flush = collect;
  collector->visit.context = collector;
  collector->piece = piece;
  collector->shift = collected->shift;
  collector->refcounts = collected->refcounts;
  collector->types = heap->object_types;
  collector->ahead.heap = heap;
  collector->node = piece->first;
  piece->ranges = calloc(collected->range_count, sizeof *piece->ranges);
  if (!piece->ranges) {
    piece->out_of_memory = true;
    return false;
  }
  for (uint32_t range = 0; range < collected->range_count; range++)
    piece->ranges[range].source = piece->first;
  return true;
}

/** Settles what is pending.  What the lists have in reserve, the next piece can
 * use. */
static void collector_finish(struct collector *collector,
                             const struct collected *collected) {
  settle(collector, collector->pending_count);
  for (uint32_t range = 0; range < collected->range_count; range++) {
    struct references *list = &collector->piece->ranges[range];
    if (list->count && resize(list, list->count))
      list->capacity = list->count;
  }
}

static int32_t own_count(const struct pyheap *heap,
                         const struct object *object) {
  int64_t count;
  if (!object_refcount_known(heap, object, &count))
    return NO_COUNT;
  return count > INT32_MAX ? INT32_MAX : (int32_t)count;
}

/** Visits one object when its memory has come; false when there is none. */
static bool advance(struct collector *collector, bool more) {
  const struct pyheap *heap = collector->visit.heap;
  const struct ahead_object *next = ahead_give(&collector->ahead, more);

  if (!next)
    return false;
  collector->node = next->node;
  collector->refcounts[next->node] = NO_COUNT;
  collector->types[next->node] = NO_OBJECT_TYPE;
  if (!next->object.address)
    return true;
  collector->refcounts[next->node] = own_count(heap, &next->object);
  if (next->object.type->index < NO_OBJECT_TYPE)
    collector->types[next->node] = (uint16_t)next->object.type->index;
  if (!next->object.type->leaf)
    object_visit(&collector->visit, &next->object);
  return true;
}

/** The objects whose bits are in words FIRST .. END-1 of the bitmap. */
static void collect_words(struct pyheap *heap, uint64_t first, uint64_t end,
                          struct piece *piece,
                          const struct collected *collected) {
  struct collector collector;
  struct mark_run run = {0};

  piece->first = heap->ranks[first];
  piece->end = heap->ranks[end];
  if (!collector_init(&collector, heap, piece, collected))
    return;
  uint32_t node = piece->first;
  for (uint64_t word = first; word < end; word++)
    for (uint64_t marks = heap->marks[word]; marks; marks &= marks - 1) {
      uint64_t bit = 64 * word + (unsigned)__builtin_ctzll(marks);
      ahead_take(&collector.ahead, node++, mark_run_address(heap, bit, &run));
      advance(&collector, true);
    }
  while (advance(&collector, false))
    ;
  collector_finish(&collector, collected);
}

static void collect_roots(struct pyheap *heap, struct piece *piece,
                          const struct collected *collected) {
  struct collector collector;

  piece->first = heap->object_count;
  piece->end = pyheap_node_count(heap);
  if (!collector_init(&collector, heap, piece, collected))
    return;
  for (; collector.node < piece->end; collector.node++)
    root_visit(&collector.visit, heap_root(heap, collector.node));
  collector_finish(&collector, collected);
}

/* All of them -------------------------------------------------------------- */

struct collection {
  struct pyheap *heap;
  struct collected *collected;
  struct heap_shares shares;
};

/** The word of the bitmap that piece PIECE of PIECES begins with: all have about
 * as many objects. */
static uint64_t first_word(const struct pyheap *heap, uint64_t piece,
                           uint64_t pieces) {
  uint64_t first = parallel_share(heap->object_count, piece, pieces);
  uint64_t low = 0, high = mark_words(heap);
  if (piece == pieces)
    return high;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (heap->ranks[middle] < first)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void collect_pieces(void *context, unsigned thread) {
  struct collection *collection = context;
  struct pyheap *heap = collection->heap;
  struct collected *collected = collection->collected;
  uint64_t pieces = collection->shares.shares.end, piece, end;

  while (heap_shares_take(&collection->shares, thread, &piece, &end))
    collect_words(heap, first_word(heap, piece, pieces),
                  first_word(heap, piece + 1, pieces),
                  &collected->pieces[piece], collected);
}

static struct pyheap_error *check_pieces(const struct collected *collected) {
  uint64_t total = 0;
  for (size_t p = 0; p < collected->piece_count; p++) {
    const struct piece *piece = &collected->pieces[p];
    if (piece->out_of_memory)
      return &error_no_memory;
    total += piece->kinds[PYHEAP_VISITED] + piece->kinds[PYHEAP_OWNED] +
             piece->kinds[PYHEAP_PROBABLE];
  }
  return total < UINT32_MAX
             ? NULL
             : error_create(PYHEAP_ERROR_LIMIT, 0, "more than %u references",
                            UINT32_MAX - 1);
}

static size_t pieces_for(uint32_t objects) {
  size_t pieces = objects / PIECE_OBJECTS;
  return pieces < MIN_PIECES   ? MIN_PIECES
         : pieces > MAX_PIECES ? MAX_PIECES
                               : pieces;
}

struct pyheap_error *index_collect(struct pyheap *heap, struct collected *ret) {
  size_t pieces = pieces_for(heap->object_count);
  struct collected collected = {
      .pieces = parallel_calloc(pieces + 1, sizeof *collected.pieces),
      .piece_count = pieces + 1,
      .shift = RANGE_BITS,
      .refcounts =
          reallocarray(NULL, heap->object_count + 1ull, sizeof(int32_t))};
  heap->object_types =
      reallocarray(NULL, heap->object_count + 1ull, sizeof *heap->object_types);
  struct collection collection = {
      .heap = heap,
      .collected = &collected,
      .shares = {.heap = heap,
                 .stage = "indexing references",
                 .shares = {.end = pieces, .size = 1}}};
  struct pyheap_error *error = NULL;

  while (heap->object_count >> collected.shift >= MAX_RANGES)
    collected.shift++;
  collected.range_count = (heap->object_count >> collected.shift) + 1;
  if (!collected.pieces || !collected.refcounts || !heap->object_types)
    error = &error_no_memory;
  if (!error) {
    parallel_run(heap->threads, collect_pieces, &collection);
    error = collection.shares.canceled ? error_canceled() : NULL;
  }
  if (!error) {
    collect_roots(heap, &collected.pieces[pieces], &collected);
    error = check_pieces(&collected);
  }
  if (error) {
    collected_deinit(&collected);
    free(take(heap->object_types));
    return error;
  }
  *ret = collected;
  return NULL;
}

void collected_deinit(struct collected *collected) {
  for (size_t p = 0; collected->pieces && p < collected->piece_count; p++) {
    struct piece *piece = &collected->pieces[p];
    for (uint32_t r = 0; piece->ranges && r < collected->range_count; r++)
      references_deinit(&piece->ranges[r]);
    free(piece->ranges);
    free(piece->probable);
    free(piece->uncounted);
  }
  free(collected->pieces);
  free(collected->refcounts);
}

void references_deinit(struct references *list) {
  free(list->targets);
  free(list->steps);
  *list = (struct references){0};
}
