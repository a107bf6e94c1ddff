/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts the objects on the collector's lists without following a reference. */
#include "config.h"

#include "gc_lists.h"
#include "heap.h"
#include "marks.h"
#include "parallel.h"
#include "totals.h"
#include "tracked.h"

enum {
  FIRST_LINE = 24, /**< So many objects ahead their own memory is asked for, */
  TABLE = 12,      /**< … and so many ahead what they have elsewhere. */
};

struct counting {
  struct pyheap *heap;
  const struct batches *objects;
  struct shares shares;  /**< Of the batches. */
  struct totals *totals; /**< By thread. */
  bool strange; /**< An object that is none, or whose size makes no sense. */
  bool out_of_memory, canceled;
};

/** Asks for what the objects behind object I of the batch will need. */
static void look_ahead(const struct pyheap *heap, const struct batch *batch,
                       size_t i) {
  struct object object;
  const char *why;

  if (i + FIRST_LINE < batch->left) {
    const uint8_t *bytes =
        memory_at(&heap->memory, batch->list[i + FIRST_LINE], 1);
    __builtin_prefetch(bytes);
    __builtin_prefetch(bytes + 32);
  }
  if (i + TABLE < batch->left &&
      object_load(heap, batch->list[i + TABLE], &object, &why))
    object_prefetch(heap, &object);
}

static void count_object(struct counting *counting, uint64_t address,
                         struct totals *totals) {
  struct object object;
  const char *why;
  uint64_t bytes;

  if (!object_load(counting->heap, address, &object, &why)) {
    __atomic_store_n(&counting->strange, true, __ATOMIC_RELAXED);
    return;
  }
  if (!totals_reserve(totals, object.type->index)) {
    __atomic_store_n(&counting->out_of_memory, true, __ATOMIC_RELAXED);
    return;
  }
  if (!object_measure(counting->heap, &object, &bytes))
    __atomic_store_n(&counting->strange, true, __ATOMIC_RELAXED);
  totals_add(totals, object.type->index, bytes);
}

static void count_shares(void *context, unsigned thread) {
  struct counting *counting = context;
  uint64_t number, end;

  while (!__atomic_load_n(&counting->canceled, __ATOMIC_RELAXED) &&
         shares_take(&counting->shares, &number, &end)) {
    struct batch batch = batches_at(counting->objects, number);
    for (size_t i = 0; i < batch.count; i++) {
      look_ahead(counting->heap, &batch, i);
      count_object(counting, batch.list[i], &counting->totals[thread]);
    }
    if (thread == 0 && number % 64 == 0 &&
        heap_canceled(counting->heap, "counting objects", number,
                      counting->shares.end))
      __atomic_store_n(&counting->canceled, true, __ATOMIC_RELAXED);
  }
}

static struct pyheap_error *make_rows(const struct pyheap *heap,
                                      const struct totals *totals,
                                      struct pyheap_summary_row **ret,
                                      size_t *count) {
  struct pyheap_summary_row *rows = calloc(heap->types.count + 1, sizeof *rows);
  if (!rows)
    return &error_no_memory;
  for (uint32_t i = 0; i < heap->types.count; i++)
    rows[i].type = i;
  for (unsigned t = 0; t < heap->threads; t++)
    totals_add_to(&totals[t], rows, heap->types.count);
  *ret = rows;
  *count = heap->types.count;
  return NULL;
}

static struct pyheap_error *count_all(struct pyheap *heap,
                                      const struct batches *objects,
                                      struct pyheap_summary_row **rows,
                                      size_t *count) {
  struct counting counting = {
      .heap = heap,
      .objects = objects,
      .shares = {.end = objects->count, .size = 1},
      .totals = calloc(heap->threads, sizeof *counting.totals)};

  if (!counting.totals)
    return &error_no_memory;
  parallel_run(heap->threads, count_shares, &counting);
  struct pyheap_error *error = counting.out_of_memory ? &error_no_memory
                               : counting.canceled    ? error_canceled()
                                                      : NULL;
  if (!error && !counting.strange)
    error = make_rows(heap, counting.totals, rows, count);
  for (unsigned t = 0; t < heap->threads; t++)
    totals_deinit(&counting.totals[t]);
  free(counting.totals);
  return error;
}

struct pyheap_error *tracked_count(struct pyheap *heap,
                                   struct pyheap_summary_row **rows,
                                   size_t *count) {
  struct batches objects = {0};
  struct problems before = heap->problems;
  bool whole = false;

  *rows = NULL;
  if (heap->layout->free_threaded || heap->info.collecting)
    return NULL;
  heap->marks = calloc(mark_words(heap), sizeof *heap->marks);
  struct pyheap_error *error =
      heap->marks ? gc_lists_walk(heap, &objects, &whole) : &error_no_memory;
  /* Who finds all objects finds these problems again. */
  heap->problems = before;
  free(take(heap->marks));
  if (!error && whole)
    error = count_all(heap, &objects, rows, count);
  batches_deinit(&objects);
  return error;
}
