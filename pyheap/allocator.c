/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "allocator.h"

#include <string.h>

#include "heap.h"
#include "parallel.h"

/** Memory is looked through by pieces that end where neither a pool nor a
 * segment of mimalloc can be in the middle. */
static const uint64_t PIECE = 32 << 20;

struct piece {
  uint64_t start, end;
};

struct search {
  struct pyheap *heap;
  allocator_block_fn *fn;
  char *context;
  size_t stride;
  struct piece *pieces;
  struct heap_shares shares;
};

static bool may_hold_blocks(const struct memory_range *range) {
  return range->bytes && (range->flags & MEMORY_OBJECTS) &&
         !(range->flags & MEMORY_FILE);
}

/** Lists the pieces in PIECES, unless that is NULL; how many there are. */
static size_t list_pieces(const struct memory *memory, struct piece *pieces) {
  size_t count = 0;
  for (size_t i = 0; i < memory->range_count; i++) {
    const struct memory_range *range = &memory->ranges[i];
    uint64_t start = range->start;
    while (may_hold_blocks(range) && start < range->end) {
      uint64_t end = (start & ~(PIECE - 1)) + PIECE;
      if (end > range->end)
        end = range->end;
      if (pieces)
        pieces[count] = (struct piece){start, end};
      count++;
      start = end;
    }
  }
  return count;
}

static void search_pieces(void *context, unsigned thread) {
  struct search *search = context;
  struct pyheap *heap = search->heap;
  void *own = search->context + search->stride * thread;
  uint64_t i, end;

  while (heap_shares_take(&search->shares, thread, &i, &end)) {
    const struct piece *piece = &search->pieces[i];
    if (!heap->layout->free_threaded)
      pymalloc_scan_range(heap, piece->start, piece->end, search->fn, own);
    mimalloc_scan_range(heap, piece->start, piece->end, search->fn, own);
  }
}

bool allocator_blocks(struct pyheap *heap, allocator_block_fn *fn,
                      void *context, size_t stride) {
  size_t count = list_pieces(&heap->memory, NULL);
  cleanup_free struct piece *pieces =
      reallocarray(NULL, count + 1, sizeof *pieces);
  struct search search = {.heap = heap,
                          .fn = fn,
                          .context = context,
                          .stride = stride,
                          .pieces = pieces,
                          .shares = {.heap = heap,
                                     .stage = "going through the allocator",
                                     .shares = {.end = count, .size = 1}}};
  if (!pieces)
    return false;
  list_pieces(&heap->memory, pieces);
  parallel_run(heap->threads, search_pieces, &search);
  return !search.shares.canceled;
}

/** The bytes of a block of glibc's malloc(), whose size is before it, with three
 * flags; the next one's tells whether it is in use (malloc/malloc.c, struct
 * malloc_chunk). */
static uint64_t malloc_block_size(const struct pyheap *heap, uint64_t start) {
  enum {
    HEADER = 16,
    PREVIOUS_IN_USE = 1,
    MAPPED = 2,
    FLAGS = 7,
    PAGE = 4096
  };
  const uint8_t *word = heap_memory(heap, start - 8, 8);
  uint64_t size = word ? load_u64(word) & ~(uint64_t)FLAGS : 0;
  if (start % 16 || size < 32 || size % 16 ||
      !heap_memory(heap, start - HEADER, size))
    return 0;
  if (load_u64(word) & MAPPED)
    return (start - HEADER) % PAGE || size % PAGE ? 0 : size - HEADER;
  const uint8_t *next = heap_memory(heap, start - HEADER + size, HEADER);
  return next && load_u64(next + 8) & PREVIOUS_IN_USE ? size - 8 : 0;
}

/** The debug allocator's prefix: the size, then which allocator it was and
 * bytes that nobody may write (Objects/obmalloc.c, _PyMem_DebugRawAlloc). */
static uint64_t debug_prefix(const uint8_t *block) {
  static const uint8_t fence[7] = {0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd};
  return (block[8] == 'o' || block[8] == 'm' || block[8] == 'r') &&
                 memcmp(block + 9, fence, sizeof fence) == 0
             ? 16
             : 0;
}

/** The bytes of the block, of any allocator, that starts at START. */
static uint64_t block_size(const struct pyheap *heap, uint64_t start) {
  uint64_t block, size;
  if (pymalloc_block_at(heap, start, &block, &size) ||
      mimalloc_block_at(heap, start, &block, &size))
    return block == start ? size : 0;
  return malloc_block_size(heap, start);
}

uint64_t allocator_block_size(const struct pyheap *heap, uint64_t start) {
  /* What pymalloc passes on to the debug allocator below it has two. */
  enum {
    PREFIX = 16,
    MOST = 2 * PREFIX
  };
  const struct memory_range *range = memory_range_at(&heap->memory, start);
  uint64_t prefixes = 0;
  const uint8_t *before;
  if (!range || start % 16 || (range->flags & MEMORY_FILE))
    return 0;
  while (prefixes < MOST &&
         (before = heap_memory(heap, start - prefixes - PREFIX, PREFIX)) &&
         debug_prefix(before))
    prefixes += PREFIX;
  uint64_t size = block_size(heap, start - prefixes);
  return size > prefixes ? size - prefixes : 0;
}

bool allocator_contradicts(const struct pyheap *heap, uint64_t start) {
  uint64_t block, size;
  if (!pymalloc_block_at(heap, start, &block, &size))
    return false;
  const uint8_t *bytes = size < 32 ? NULL : heap_memory(heap, block, size);
  return start != block + (bytes ? debug_prefix(bytes) : 0);
}

uint64_t allocator_object_in(const struct pyheap *heap, uint64_t start,
                             uint64_t size) {
  const uint8_t *block = heap_memory(heap, start, size);
  uint64_t prefix = block && size >= 32 ? debug_prefix(block) : 0;

  for (uint64_t before = prefix; block && before + 16 <= size; before += 16) {
    struct object object;
    const char *why;
    uint64_t address = start + before;
    uint64_t first, end;
    if (before > prefix + 32 || !heap_is_object(heap, address) ||
        !object_load(heap, address, &object, &why))
      continue;
    /* What stands before an object depends on its type: only one place fits. */
    object_extent(heap, &object, &first, &end);
    if (first == start + prefix && end <= start + size)
      return address;
  }
  return 0;
}
