/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts the objects on the collector's lists without following a reference. */
#include "config.h"

#include "ahead.h"
#include "gc_lists.h"
#include "heap.h"
#include "marks.h"
#include "parallel.h"
#include "totals.h"
#include "tracked.h"

struct counting {
  struct pyheap *heap;
  struct shares shares; /**< Of the words of heap->marks. */
  struct counter {
    struct totals totals;
    struct ahead ahead;
    uint64_t *addresses;       /**< Of the objects of its share. */
  } OWN_CACHE_LINES *counters; /**< By thread. */
  bool strange; /**< An object that is none, or whose size makes no sense. */
  bool out_of_memory, canceled;
};

static void count_object(struct counting *counting, struct totals *totals,
                         const struct object *object) {
  uint64_t bytes;

  if (!object->address) {
    __atomic_store_n(&counting->strange, true, __ATOMIC_RELAXED);
    return;
  }
  if (!totals_reserve(totals, object->type->index)) {
    __atomic_store_n(&counting->out_of_memory, true, __ATOMIC_RELAXED);
    return;
  }
  if (!object_measure(counting->heap, object, &bytes))
    __atomic_store_n(&counting->strange, true, __ATOMIC_RELAXED);
  totals_add(totals, object->type->index, bytes);
}

static void count_shares(void *context, unsigned thread) {
  struct counting *counting = context;
  struct counter *counter = &counting->counters[thread];
  struct pyheap *heap = counting->heap;
  const struct ahead_object *next;
  uint64_t word, end;

  counter->ahead.heap = heap;
  while (!__atomic_load_n(&counting->canceled, __ATOMIC_RELAXED) &&
         shares_take(&counting->shares, &word, &end)) {
    size_t count = marks_list(heap, heap->marks, word, end, counter->addresses);
    for (size_t i = 0; i < count; i++) {
      ahead_take(&counter->ahead, PYHEAP_NO_NODE, counter->addresses[i]);
      if ((next = ahead_give(&counter->ahead, true)))
        count_object(counting, &counter->totals, &next->object);
    }
    if (thread == 0 && word / MARK_SHARE % 64 == 0 &&
        heap_canceled(heap, "counting objects", word, counting->shares.end))
      __atomic_store_n(&counting->canceled, true, __ATOMIC_RELAXED);
  }
  while ((next = ahead_give(&counter->ahead, false)))
    count_object(counting, &counter->totals, &next->object);
}

static struct pyheap_error *make_rows(const struct pyheap *heap,
                                      const struct counter *counters,
                                      struct pyheap_summary_row **ret,
                                      size_t *count) {
  struct pyheap_summary_row *rows = calloc(heap->types.count + 1, sizeof *rows);
  if (!rows)
    return &error_no_memory;
  for (uint32_t i = 0; i < heap->types.count; i++)
    rows[i].type = i;
  for (unsigned t = 0; t < heap->threads; t++)
    totals_add_to(&counters[t].totals, rows, heap->types.count);
  *ret = rows;
  *count = heap->types.count;
  return NULL;
}

static bool counters_init(struct counting *counting) {
  unsigned threads = counting->heap->threads;
  counting->counters = parallel_calloc(threads, sizeof *counting->counters);
  for (unsigned t = 0; counting->counters && t < threads; t++) {
    counting->counters[t].addresses =
        malloc(MARK_SHARE_BITS * sizeof(uint64_t));
    if (!counting->counters[t].addresses)
      return false;
  }
  return counting->counters;
}

static void counters_deinit(struct counting *counting) {
  for (unsigned t = 0; counting->counters && t < counting->heap->threads; t++) {
    totals_deinit(&counting->counters[t].totals);
    free(counting->counters[t].addresses);
  }
  free(counting->counters);
}

/** Counts the objects of heap->marks. */
static struct pyheap_error *count_all(struct pyheap *heap,
                                      struct pyheap_summary_row **rows,
                                      size_t *count) {
  struct counting counting = {
      .heap = heap, .shares = {.end = mark_words(heap), .size = MARK_SHARE}};
  struct pyheap_error *error = NULL;

  if (counters_init(&counting))
    parallel_run(heap->threads, count_shares, &counting);
  else
    counting.out_of_memory = true;
  if (counting.out_of_memory)
    error = &error_no_memory;
  else if (counting.canceled)
    error = error_canceled();
  else if (!counting.strange)
    error = make_rows(heap, counting.counters, rows, count);
  counters_deinit(&counting);
  return error;
}

struct pyheap_error *tracked_count(struct pyheap *heap,
                                   struct pyheap_summary_row **rows,
                                   size_t *count) {
  struct problems before = heap->problems;
  bool whole = false;

  *rows = NULL;
  if (heap->layout->free_threaded || heap->info.collecting)
    return NULL;
  heap->marks = calloc(mark_words(heap), sizeof *heap->marks);
  struct pyheap_error *error =
      heap->marks ? gc_lists_walk(heap, &whole) : &error_no_memory;
  /* Who finds all objects finds these problems again. */
  heap->problems = before;
  if (!error && whole)
    error = count_all(heap, rows, count);
  free(take(heap->marks));
  return error;
}
