/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose the segments of mimalloc are in free-threaded builds: all pages of one
 * are of one thread's heaps, which are in its thread state, until the thread
 * ends.  Then 2.1.2 puts the segment on one of two lists of the interpreter
 * (Python/pystate.c of 3.13, tstate_mimalloc_bind); 2.5.2 notes in every segment
 * whose it is (pycore_mimalloc.h of 3.14.10, struct _mimalloc_interp_state). */
#include "config.h"

#include "segments.h"

#include <stdlib.h>

#include "allocator.h"
#include "heap.h"

enum {
  NOBODY = -1
};

struct segment_place {
  uint64_t address;
  uint64_t next_abandoned;
  int32_t interpreter;
};

/** The interpreter of the thread that has the mi_heap_t at ADDRESS. */
static int32_t interpreter_of_heap(const struct pyheap *heap,
                                   uint64_t address) {
  int32_t start = OFFSET(heap->layout, PyThreadState, mimalloc_heaps);
  int32_t end = OFFSET(heap->layout, PyThreadState, mimalloc_tld);
  if (start < 0 || end < start)
    return NOBODY;
  for (size_t i = 0; i < heap->root_count; i++) {
    const struct root *root = &heap->roots[i];
    if (root->kind == PYHEAP_ROOT_THREAD &&
        address - (root->address + (uint64_t)start) < (uint64_t)(end - start))
      return interpreters_index(heap, root->interpreter);
  }
  return NOBODY;
}

static int32_t interpreter_of_subproc(const struct pyheap *heap,
                                      uint64_t subproc) {
  int32_t offset = OFFSET(heap->layout, PyInterpreterState, subproc);
  for (uint32_t i = 0; subproc && i < heap->info.interpreters; i++)
    if (heap_word(heap, heap->interpreters[i].address, offset) == subproc)
      return (int32_t)i;
  return NOBODY;
}

static int32_t interpreter_of(const struct pyheap *heap,
                              const struct mimalloc_segment *segment) {
  int32_t interpreter = interpreter_of_subproc(heap, segment->subproc);
  if (interpreter < 0 && segment->heap)
    interpreter = interpreter_of_heap(heap, segment->heap);
  return interpreter;
}

static bool append(struct segments *segments, struct segment_place place) {
  size_t count = segments->count;
  if (!(count & (count - 1))) {
    struct segment_place *grown =
        reallocarray(segments->list, count ? 2 * count : 1, sizeof *grown);
    if (!grown)
      return false;
    segments->list = grown;
  }
  segments->list[segments->count++] = place;
  return true;
}

/** Adds the segments that begin in RANGE. */
static bool look_through(const struct pyheap *heap,
                         const struct memory_range *range,
                         struct segments *segments) {
  const uint64_t step = mimalloc_segment_size();
  struct mimalloc_segment segment;

  if (!range->bytes || range->flags & MEMORY_FILE)
    return true;
  for (uint64_t address = (range->start + step - 1) & ~(step - 1);
       address >= range->start && address < range->end; address += step)
    if (mimalloc_segment_at(heap, address, &segment) &&
        !append(segments,
                (struct segment_place){address, segment.next_abandoned,
                                       interpreter_of(heap, &segment)}))
      return false;
  return true;
}

/** The index of the segment that ADDRESS is in; the count when it is in none. */
static size_t find(const struct segments *segments, uint64_t address) {
  uint64_t start = address & ~(mimalloc_segment_size() - 1);
  size_t low = 0, high = segments->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (segments->list[middle].address < start)
      low = middle + 1;
    else
      high = middle;
  }
  return low < segments->count && segments->list[low].address == start
             ? low
             : segments->count;
}

/** Gives INTERPRETER the segments of the list that begins with FIRST, whose low
 * bits count changes.  A thread that just reclaims one may have bent the list. */
static void take_abandoned(struct segments *segments, uint64_t first,
                           int32_t interpreter) {
  uint64_t next = first;
  for (size_t i = 0; next && i < segments->count; i++) {
    size_t at = find(segments, next);
    if (at == segments->count || segments->list[at].interpreter >= 0)
      return;
    segments->list[at].interpreter = interpreter;
    next = segments->list[at].next_abandoned;
  }
}

struct pyheap_error *segments_find(const struct pyheap *heap,
                                   struct segments *ret) {
  static const enum fact lists[] = {FACT_PyInterpreterState__abandoned,
                                    FACT_PyInterpreterState__abandoned_visited};
  struct segments segments = {0};

  for (size_t i = 0; i < heap->memory.range_count; i++)
    if (!look_through(heap, &heap->memory.ranges[i], &segments)) {
      segments_deinit(&segments);
      return &error_no_memory;
    }
  for (uint32_t i = 0; i < heap->info.interpreters; i++)
    for (size_t j = 0; j < sizeof lists / sizeof *lists; j++)
      take_abandoned(&segments,
                     heap_word(heap, heap->interpreters[i].address,
                               heap->layout->facts[lists[j]]),
                     (int32_t)i);
  *ret = segments;
  return NULL;
}

void segments_deinit(struct segments *segments) {
  free(segments->list);
}

int32_t segments_interpreter(const struct segments *segments, uint64_t address,
                             size_t *hint) {
  if (*hint >= segments->count ||
      address - segments->list[*hint].address >= mimalloc_segment_size())
    *hint = find(segments, address);
  return *hint < segments->count ? segments->list[*hint].interpreter : NOBODY;
}
