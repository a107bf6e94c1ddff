/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds orphans: objects in blocks that the allocator holds as in use and that
 * nothing was found to lead to, and what only these lead to. */
#include "config.h"

#include <stdlib.h>

#include "allocator.h"
#include "discover.h"
#include "marks.h"

/** What one thread has found in the allocator's blocks. */
struct candidates {
  struct pyheap *heap;
  struct addresses blocks; /**< Start and size of each, in turn. */
  uint64_t block_count;
  bool out_of_memory;
} OWN_CACHE_LINES;

/** The object in a block in use that nothing was found to refer to; 0: none. */
static uint64_t unmarked_object(const struct pyheap *heap, uint64_t start,
                                uint64_t size) {
  /* What stands before an object takes 48 bytes at the most. */
  if (mark_any(heap, start, size < 64 ? size : 64))
    return 0;
  uint64_t object = allocator_object_in(heap, start, size);
  return object && !heap_is_marked(heap, object) ? object : 0;
}

static void note_block(void *context, uint64_t start, uint64_t size) {
  struct candidates *candidates = context;
  candidates->block_count++;
  if (unmarked_object(candidates->heap, start, size) &&
      (!addresses_push(&candidates->blocks, start) ||
       !addresses_push(&candidates->blocks, size)))
    candidates->out_of_memory = true;
}

static int compare_blocks(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

/** Takes candidates for orphans in the order of their addresses: one may lead to
 * another. */
static void consider_blocks(struct worker *worker, struct addresses *blocks) {
  struct pyheap *heap = worker->heap;
  qsort(blocks->list, blocks->count / 2, 2 * sizeof *blocks->list,
        compare_blocks);
  for (size_t i = 0; i < blocks->count && !worker->out_of_memory; i += 2) {
    uint64_t object =
        unmarked_object(heap, blocks->list[i], blocks->list[i + 1]);
    if (object && object_is_sound(heap, object))
      worker_discover(worker, object);
  }
}

/** All blocks that may hold orphans. */
static struct pyheap_error *find_candidates(struct pyheap *heap,
                                            struct addresses *blocks) {
  cleanup_free struct candidates *found =
      parallel_calloc(heap->threads, sizeof *found);
  if (!found)
    return &error_no_memory;
  for (unsigned t = 0; t < heap->threads; t++)
    found[t].heap = heap;
  struct pyheap_error *error =
      allocator_blocks(heap, note_block, found, sizeof *found)
          ? NULL
          : error_canceled();
  for (unsigned t = 0; t < heap->threads; t++) {
    heap->info.allocator_blocks += found[t].block_count;
    if (!error && (found[t].out_of_memory ||
                   !addresses_reserve(blocks, found[t].blocks.count)))
      error = &error_no_memory;
    for (size_t i = 0; !error && i < found[t].blocks.count; i++)
      blocks->list[blocks->count++] = found[t].blocks.list[i];
    free(found[t].blocks.list);
  }
  return error;
}

static struct pyheap_error *add_orphans(struct pyheap *heap,
                                        const struct worker *worker) {
  struct pyheap_summary_row *rows = calloc(heap->types.count + 1, sizeof *rows);
  if (!rows || worker->out_of_memory) {
    free(rows);
    return &error_no_memory;
  }
  heap->orphan_rows = rows;
  heap->orphan_row_count = heap->types.count;
  totals_add_to(&worker->reachable, rows, heap->orphan_row_count);
  for (size_t i = 0; i < heap->orphan_row_count; i++) {
    rows[i].type = (uint32_t)i;
    heap->info.orphans += rows[i].count;
    heap->info.orphan_bytes += rows[i].bytes;
  }
  problems_merge(&heap->problems, &worker->problems);
  return number_objects(heap);
}

/** Undoes a search for orphans that was not finished. */
static struct pyheap_error *forget_orphans(struct pyheap *heap) {
  for (uint64_t i = 0; i < mark_words(heap); i++)
    heap->marks[i] &= ~heap->orphans[i];
  free(take(heap->orphans));
  free(take(heap->orphan_rows));
  heap->info.orphans = heap->info.orphan_bytes = 0;
  heap->info.allocator_blocks = 0;
  return number_objects(heap);
}

struct pyheap_error *pyheap_find_orphans(struct pyheap *heap) {
  struct worker worker;

  TRY(pyheap_find_objects(heap));
  if (heap->orphans)
    return NULL;
  heap->orphans = calloc(mark_words(heap), sizeof *heap->orphans);
  if (!heap->orphans)
    return &error_no_memory;
  worker_init(&worker, heap);
  worker.orphans = true;
  struct addresses blocks = {0};
  struct pyheap_error *error = find_candidates(heap, &blocks);
  if (!error) {
    consider_blocks(&worker, &blocks);
    error = add_orphans(heap, &worker);
  }
  free(blocks.list);
  worker_deinit(&worker);
  /* The objects have other numbers now. */
  index_forget(heap);
  if (!error)
    return NULL;
  struct pyheap_error *second = forget_orphans(heap);
  pyheap_error_destroy(second);
  return error;
}
