/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Selecting objects by what they are. */
#include "config.h"

#include "ahead.h"
#include "heap.h"
#include "marks.h"
#include "parallel.h"
#include "value.h"

/* One object -------------------------------------------------------------- */

static bool is_wanted(enum pyheap_wanted wanted, bool is) {
  return wanted == PYHEAP_EITHER || is == (wanted == PYHEAP_ONLY);
}

static bool fits_refcount(const struct pyheap *heap,
                          const struct pyheap_filter *filter,
                          const struct object *object) {
  bool bounded = filter->min_refcount || filter->max_refcount != UINT64_MAX;

  if (!bounded && filter->immortal == PYHEAP_EITHER)
    return true;
  int64_t count = heap_refcount(heap, object->address);
  if (!is_wanted(filter->immortal, count == -1))
    return false;
  return !bounded || (count >= 0 && (uint64_t)count >= filter->min_refcount &&
                      (uint64_t)count <= filter->max_refcount);
}

static bool fits_length(const struct pyheap *heap,
                        const struct pyheap_filter *filter,
                        const struct object *object) {
  if (!filter->min_length && filter->max_length == UINT64_MAX)
    return true;
  int64_t length = object_length(heap, object);
  return length >= 0 && (uint64_t)length >= filter->min_length &&
         (uint64_t)length <= filter->max_length;
}

static bool fits_generation(const struct pyheap *heap,
                            const struct pyheap_filter *filter,
                            pyheap_node node) {
  if (!filter->generations)
    return true;
  int generation = pyheap_generation(heap, node);
  return generation >= 0 && filter->generations >> generation & 1;
}

/** Cheap tests first; what is costly is its size. */
static bool fits(const struct pyheap *heap, const struct pyheap_filter *filter,
                 pyheap_node node, const struct object *object,
                 uint64_t *size) {
  if (!object->address || object->address < filter->from ||
      object->address > filter->to)
    return false;
  if (filter->types && (object->type->index >= filter->type_count ||
                        !filter->types[object->type->index]))
    return false;
  if ((filter->orphans != PYHEAP_EITHER && heap->orphans &&
       !is_wanted(filter->orphans, pyheap_is_orphan(heap, node))) ||
      (filter->orphans == PYHEAP_ONLY && !heap->orphans))
    return false;
  if (filter->of_interpreter &&
      pyheap_interpreter_of(heap, node) != filter->interpreter)
    return false;
  if (filter->tracked != PYHEAP_EITHER &&
      !is_wanted(filter->tracked, object_is_tracked(heap, object)))
    return false;
  if (!fits_refcount(heap, filter, object) ||
      !fits_generation(heap, filter, node) ||
      !fits_length(heap, filter, object))
    return false;
  *size = object_getsizeof(heap, object);
  return *size >= filter->min_size && *size <= filter->max_size;
}

/* All objects ------------------------------------------------------------- */

/** Where one thread notes what fits. */
struct selector {
  const struct pyheap *heap;
  const struct pyheap_filter *filter;
  uint64_t *bits, *largest;
  struct pyheap_summary_row *rows;
  uint32_t types; /**< How many there are. */
};

static void select_object(const struct selector *selector,
                          const struct ahead_object *next) {
  const struct object *object = &next->object;
  uint64_t size;

  /* The types of all objects were read when these were found. */
  if (!fits(selector->heap, selector->filter, next->node, object, &size) ||
      object->type->index >= selector->types)
    return;
  selector->bits[next->node / 64] |= 1ull << next->node % 64;
  uint64_t *largest = &selector->largest[next->node / PYHEAP_SELECTION_BATCH];
  if (*largest < size)
    *largest = size;
  selector->rows[object->type->index].count++;
  selector->rows[object->type->index].bytes += size;
}

/** Whether the object is known to be of a type that is not wanted. */
static bool is_of_other_type(const struct selector *selector,
                             pyheap_node node) {
  const struct pyheap_filter *filter = selector->filter;
  const uint16_t *types = selector->heap->object_types;

  return types && filter->types && types[node] != NO_OBJECT_TYPE &&
         (types[node] >= filter->type_count || !filter->types[types[node]]);
}

/** Looks at the objects of one batch. */
static void select_batch(const struct selector *selector, pyheap_node first,
                         pyheap_node end) {
  const struct pyheap *heap = selector->heap;
  struct mark_cursor cursor = mark_cursor_at(heap, first);
  struct ahead ahead = {.heap = heap};
  const struct ahead_object *next;

  for (pyheap_node node = first; node < end; node++) {
    if (is_of_other_type(selector, node))
      continue;
    ahead_take(&ahead, node, mark_cursor_address(heap, &cursor, node));
    if ((next = ahead_give(&ahead, true)))
      select_object(selector, next);
  }
  while ((next = ahead_give(&ahead, false)))
    select_object(selector, next);
}

/** Adds up what the threads counted; rows that are empty go. */
static void sum_rows(struct pyheap_selection *selection,
                     const struct pyheap_summary_row *rows, uint32_t types,
                     unsigned threads) {
  for (uint32_t type = 0; type < types; type++) {
    struct pyheap_summary_row sum = {.type = type};
    for (unsigned i = 0; i < threads; i++) {
      sum.count += rows[(size_t)i * types + type].count;
      sum.bytes += rows[(size_t)i * types + type].bytes;
    }
    if (!sum.count)
      continue;
    selection->rows[selection->row_count++] = sum;
    selection->count += sum.count;
    selection->bytes += sum.bytes;
  }
}

struct selecting {
  struct selector selector; /**< Its rows: those of all threads. */
  struct heap_shares shares;
};

static void select_shares(void *context, unsigned thread) {
  struct selecting *work = context;
  struct selector selector = work->selector;
  uint64_t first, end;

  selector.rows += (size_t)thread * selector.types;
  while (heap_shares_take(&work->shares, thread, &first, &end))
    select_batch(&selector, (pyheap_node)first, (pyheap_node)end);
}

/** Notes all that fits, in rows of its own for each thread; false when canceled.
 */
static bool select_all(const struct pyheap *heap,
                       const struct pyheap_filter *filter,
                       const struct pyheap_selection *selection,
                       struct pyheap_summary_row *rows, uint32_t types) {
  struct selecting work = {
      .selector = {heap, filter, selection->bits, selection->largest, rows,
                   types},
      .shares = {.heap = heap,
                 .stage = "selecting objects",
                 .shares = {.end = heap->object_count,
                            .size = PYHEAP_SELECTION_BATCH}}};
  parallel_run(heap->threads, select_shares, &work);
  return !work.shares.canceled;
}

struct pyheap_error *pyheap_select(struct pyheap *heap,
                                   const struct pyheap_filter *filter,
                                   struct pyheap_selection *ret) {
  uint32_t types = pyheap_type_count(heap);
  pyheap_node count = heap->object_count;
  struct pyheap_selection selection = {.end = count};
  cleanup_free struct pyheap_summary_row *rows =
      calloc((size_t)heap->threads * types + 1, sizeof *rows);

  selection.bits = calloc(count / 64 + 1, sizeof *selection.bits);
  selection.largest =
      calloc(count / PYHEAP_SELECTION_BATCH + 1, sizeof *selection.largest);
  selection.rows = reallocarray(NULL, types + 1ull, sizeof *selection.rows);
  /* They are found when first asked for, which is not for many threads. */
  bool generations = !filter->generations || !count ||
                     (pyheap_generation(heap, 0), heap->generations);
  struct pyheap_error *error = rows && selection.bits && selection.largest &&
                                       selection.rows && generations
                                   ? NULL
                                   : &error_no_memory;
  if (!error && !select_all(heap, filter, &selection, rows, types))
    error = error_canceled();
  if (error) {
    pyheap_selection_deinit(&selection);
    return error;
  }
  sum_rows(&selection, rows, types, heap->threads);
  *ret = selection;
  return NULL;
}

void pyheap_selection_deinit(struct pyheap_selection *selection) {
  free(selection->bits);
  free(selection->largest);
  free(selection->rows);
  *selection = (struct pyheap_selection){0};
}
