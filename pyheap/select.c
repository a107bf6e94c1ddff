/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Selecting objects by what they are. */
#include "config.h"

#include "heap.h"
#include "marks.h"
#include "parallel.h"
#include "value.h"

enum {
  BATCH =
      1 << 14, /**< Objects a thread takes at a time: whole words of bits. */
};

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
                 pyheap_node node, uint64_t address, struct object *object,
                 uint64_t *size) {
  const char *why;

  if (address < filter->from || address > filter->to ||
      !object_load(heap, address, object, &why))
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

/** Finds the addresses of some objects and asks for their memory. */
static void find_addresses(const struct pyheap *heap, pyheap_node first,
                           unsigned count, uint64_t *addresses) {
  for (unsigned i = 0; i < count; i++) {
    addresses[i] = heap_number_address(heap, first + i);
    const uint8_t *bytes = memory_at(&heap->memory, addresses[i], 1);
    if (bytes)
      __builtin_prefetch(bytes);
  }
}

/** Looks at the objects of one batch. */
static void select_batch(const struct pyheap *heap,
                         const struct pyheap_filter *filter, pyheap_node first,
                         pyheap_node end, uint64_t *bits,
                         struct pyheap_summary_row *rows, uint32_t types) {
  enum {
    AT_ONCE = 32
  };
  uint64_t addresses[AT_ONCE], size;
  struct object object;

  for (pyheap_node node = first; node < end; node++) {
    unsigned place = (node - first) % AT_ONCE;
    if (!place)
      find_addresses(heap, node, end - node < AT_ONCE ? end - node : AT_ONCE,
                     addresses);
    /* The types of all objects were read when these were found. */
    if (!fits(heap, filter, node, addresses[place], &object, &size) ||
        object.type->index >= types)
      continue;
    bits[node / 64] |= 1ull << node % 64;
    rows[object.type->index].count++;
    rows[object.type->index].bytes += size;
  }
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
  const struct pyheap_filter *filter;
  uint64_t *bits;
  struct pyheap_summary_row *rows; /**< TYPES for each thread. */
  uint32_t types;
  struct heap_shares shares;
};

static void select_shares(void *context, unsigned thread) {
  struct selecting *work = context;
  uint64_t first, end;

  while (heap_shares_take(&work->shares, thread, &first, &end))
    select_batch(work->shares.heap, work->filter, (pyheap_node)first,
                 (pyheap_node)end, work->bits,
                 work->rows + (size_t)thread * work->types, work->types);
}

/** The bits of the objects, and ROWS for each thread; false when canceled. */
static bool select_all(const struct pyheap *heap,
                       const struct pyheap_filter *filter, uint64_t *bits,
                       struct pyheap_summary_row *rows, uint32_t types) {
  struct selecting work = {
      .filter = filter,
      .bits = bits,
      .rows = rows,
      .types = types,
      .shares = {.heap = heap,
                 .stage = "selecting objects",
                 .shares = {.end = heap->object_count, .size = BATCH}}};
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
  selection.rows = reallocarray(NULL, types + 1ull, sizeof *selection.rows);
  /* They are found when first asked for, which is not for many threads. */
  bool generations = !filter->generations || !count ||
                     (pyheap_generation(heap, 0), heap->generations);
  struct pyheap_error *error =
      rows && selection.bits && selection.rows && generations
          ? NULL
          : &error_no_memory;
  if (!error && !select_all(heap, filter, selection.bits, rows, types))
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
  free(selection->rows);
  *selection = (struct pyheap_selection){0};
}
