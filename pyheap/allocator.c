/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "allocator.h"

#include <string.h>

#include "heap.h"

bool allocator_blocks(struct pyheap *heap, allocator_block_fn *fn,
                      void *context) {
  const struct memory *memory = &heap->memory;
  uint64_t done = 0;

  for (size_t i = 0; i < memory->range_count; i++) {
    const struct memory_range *range = &memory->ranges[i];
    if (!range->bytes || !(range->flags & MEMORY_OBJECTS) ||
        (range->flags & MEMORY_FILE))
      continue;
    if (heap_canceled(heap, "going through the allocator", done,
                      memory->present_bytes))
      return false;
    if (!heap->layout->free_threaded)
      pymalloc_scan_range(heap, range->start, range->end, fn, context);
    mimalloc_scan_range(heap, range->start, range->end, fn, context);
    done += range->end - range->start;
  }
  return true;
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
