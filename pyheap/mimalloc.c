/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mimalloc as CPython 3.13 and later carry it: the allocator of all objects in
 * free-threaded builds, and of others with PYTHONMALLOC=mimalloc.  Segments are
 * found by their headers, which covers those that ended threads have left
 * behind (Objects/mimalloc/, include/mimalloc/types.h). */
#include "config.h"

#include <string.h>

#include "allocator.h"
#include "heap.h"

static const uint64_t SEGMENT = 32ull << 20; /**< MI_SEGMENT_SIZE, alignment */
static const uint64_t SLICE = 64ull << 10;   /**< MI_SEGMENT_SLICE_SIZE */
static const uint32_t HUGE = 0x80000000;     /**< MI_HUGE_BLOCK_SIZE */

enum {
  MAX_SLICES = 512, /**< MI_SLICES_PER_SEGMENT */
  MAX_INFO_SLICES = 16,
  TAG_MEM = 0, /**< _Py_MIMALLOC_HEAP_MEM: no objects. */
};

struct page {
  uint64_t address; /**< Of the mi_page_t, which is also the end of a list. */
  const uint8_t *bytes;
  uint64_t start; /**< Address of its first block. */
  uint64_t block_size;
  uint64_t capacity; /**< How many blocks it has. */
  unsigned tag;      /**< _Py_MIMALLOC_HEAP_… */
};

#define PAGE(heap, member) OFFSET((heap)->layout, mi_page, member)
#define SEGMENT_OF(heap, member) OFFSET((heap)->layout, mi_segment, member)

/** Where the blocks of a page start that has its slices at AREA: 2.1.2 leaves
 * room so that blocks of most sizes are aligned (segment.c,
 * _mi_segment_page_start_from_slice). */
static uint64_t computed_start(uint64_t area, uint64_t block_size) {
  if (block_size < 8 || block_size > 512)
    return area;
  return area + (block_size <= 64 ? 3 * block_size : block_size);
}

static void read_page(const struct pyheap *heap, const uint8_t *bytes,
                      uint64_t area, struct page *page) {
  uint64_t slices = load_u32(bytes + PAGE(heap, slice_count));
  page->capacity = load_u16(bytes + PAGE(heap, capacity));
  if (PAGE(heap, block_size) != FACT_ABSENT) {
    page->block_size = load_u64(bytes + PAGE(heap, block_size));
    page->start = load_u64(bytes + PAGE(heap, page_start));
    page->tag = bytes[PAGE(heap, heap_tag)];
    return;
  }
  uint32_t size = load_u32(bytes + PAGE(heap, xblock_size));
  page->block_size = size >= HUGE ? slices * SLICE : size;
  page->start = computed_start(area, page->block_size);
  /* Four bits of the flags behind slice_offset. */
  page->tag = bytes[PAGE(heap, slice_offset) + 4] >> 3 & 15;
}

/** Whether the blocks lie within the page's own slices. */
static bool is_page(const struct page *page, uint64_t area, uint64_t slices) {
  uint64_t bytes;
  return page->block_size >= 8 && page->start >= area &&
         !__builtin_mul_overflow(page->block_size, page->capacity, &bytes) &&
         page->start - area <= slices * SLICE &&
         (page->capacity == 1 ||
          bytes <= slices * SLICE - (page->start - area));
}

/** The block behind BLOCK in a list of free ones.  Debug builds encode that
 * (include/mimalloc/internal.h, mi_ptr_decode). */
static uint64_t next_free(const struct pyheap *heap, const struct page *page,
                          uint64_t block) {
  uint64_t word = heap_word(heap, block, 0);
  int32_t keys = PAGE(heap, keys);
  if (keys == FACT_ABSENT)
    return word;
  uint64_t first = load_u64(page->bytes + keys);
  uint64_t second = load_u64(page->bytes + keys + 8);
  word -= first;
  word = (word >> first % 64 | word << -first % 64) ^ second;
  return word == page->address ? 0 : word;
}

/** Notes in FREE, a bit a block, the blocks from BLOCK on.  Who freed one last
 * may still be at it: what leads out of the page ends the list. */
static void note_free(const struct pyheap *heap, const struct page *page,
                      uint64_t block, uint64_t *free) {
  uint64_t bytes = page->capacity * page->block_size;
  while (block >= page->start && block - page->start < bytes &&
         (block - page->start) % page->block_size == 0) {
    uint64_t at = (block - page->start) / page->block_size;
    if (free[at / 64] >> at % 64 & 1)
      return;
    free[at / 64] |= 1ull << at % 64;
    block = next_free(heap, page, block);
  }
}

static void tell_page(const struct pyheap *heap, const struct page *page,
                      allocator_block_fn *fn, void *context) {
  enum {
    THREAD_FREE_FLAGS = 3
  }; /**< mi_delayed_t */
  uint64_t free[(UINT16_MAX + 1) / 64];

  /* Other builds have one heap for all, with the same tag. */
  if (heap->layout->free_threaded && page->tag == TAG_MEM)
    return;
  memset(free, 0, (page->capacity + 63) / 64 * sizeof *free);
  note_free(heap, page, load_u64(page->bytes + PAGE(heap, free)), free);
  note_free(heap, page, load_u64(page->bytes + PAGE(heap, local_free)), free);
  note_free(heap, page,
            load_u64(page->bytes + PAGE(heap, xthread_free)) &
                ~(uint64_t)THREAD_FREE_FLAGS,
            free);
  for (uint64_t i = 0; i < page->capacity; i++)
    if (!(free[i / 64] >> i % 64 & 1))
      fn(context, page->start + i * page->block_size, page->block_size);
}

/** A segment: its slices, the first of each page being the page's header. */
struct segment {
  uint64_t address;
  uint64_t slices; /**< Address of the table of them. */
  const uint8_t *table;
  uint64_t count;
};

/** Opens the segment at ADDRESS; false when none is there. */
static bool segment_open(const struct pyheap *heap, uint64_t address,
                         struct segment *segment) {
  uint64_t first = (uint64_t)SEGMENT_OF(heap, slices);
  const uint8_t *header = heap_memory(heap, address, first);
  if (!header)
    return false;
  uint64_t entries = load_u64(header + SEGMENT_OF(heap, slice_entries));
  uint64_t slices = load_u64(header + SEGMENT_OF(heap, segment_slices));
  uint64_t info = load_u64(header + SEGMENT_OF(heap, segment_info_slices));
  uint64_t size = load_u64(header + SEGMENT_OF(heap, segment_size));
  if (!entries || entries > MAX_SLICES || !slices || slices > 1ull << 32 ||
      !info || info >= MAX_INFO_SLICES || size % SLICE || size < slices * SLICE)
    return false;
  *segment = (struct segment){
      .address = address, .slices = address + first, .count = entries};
  segment->table =
      heap_memory(heap, segment->slices, entries * (uint64_t)PAGE(heap, size));
  return segment->table;
}

/** The page that begins with slice AT; false when none does.  *SLICES is how
 * many it has, 0 for none. */
static bool segment_page(const struct pyheap *heap,
                         const struct segment *segment, uint64_t at,
                         struct page *page, uint64_t *slices) {
  uint64_t stride = (uint64_t)PAGE(heap, size);
  uint64_t area = segment->address + at * SLICE;
  *page = (struct page){.address = segment->slices + at * stride,
                        .bytes = segment->table + at * stride};
  *slices = load_u32(page->bytes + PAGE(heap, slice_count));
  read_page(heap, page->bytes, area, page);
  return *slices && is_page(page, area, *slices);
}

/** The pages of the segment at ADDRESS, when one is there. */
static void scan_segment(struct pyheap *heap, uint64_t address,
                         allocator_block_fn *fn, void *context) {
  struct segment segment;
  struct page page;
  uint64_t slices;
  if (!segment_open(heap, address, &segment))
    return;
  for (uint64_t at = load_u32(segment.table + PAGE(heap, slice_count));
       at && at < segment.count; at += slices) {
    if (segment_page(heap, &segment, at, &page, &slices))
      tell_page(heap, &page, fn, context);
    if (!slices)
      return;
  }
}

bool mimalloc_block_at(const struct pyheap *heap, uint64_t address,
                       uint64_t *block, uint64_t *size) {
  struct segment segment;
  struct page page;
  uint64_t slices;
  if (PAGE(heap, size) == FACT_ABSENT ||
      !segment_open(heap, address & ~(SEGMENT - 1), &segment))
    return false;
  uint64_t at = address % SEGMENT / SLICE;
  if (at >= segment.count)
    return false;
  /* How far back the header is, in bytes of the table. */
  uint64_t stride = (uint64_t)PAGE(heap, size);
  uint64_t back =
      load_u32(segment.table + at * stride + PAGE(heap, slice_offset));
  if (back % stride || back / stride > at ||
      !segment_page(heap, &segment, at - back / stride, &page, &slices) ||
      address < page.start)
    return false;
  uint64_t number = (address - page.start) / page.block_size;
  if (number >= page.capacity)
    return false;
  *block = page.start + number * page.block_size;
  *size = page.block_size;
  return true;
}

bool mimalloc_segment_at(const struct pyheap *heap, uint64_t address,
                         struct mimalloc_segment *ret) {
  struct segment segment;
  struct page page;
  uint64_t slices = 0, owner = 0;
  if (PAGE(heap, size) == FACT_ABSENT || PAGE(heap, xheap) == FACT_ABSENT ||
      address % SEGMENT || !segment_open(heap, address, &segment))
    return false;
  for (uint64_t at = load_u32(segment.table + PAGE(heap, slice_count));
       at && at < segment.count && !owner; at += slices) {
    if (segment_page(heap, &segment, at, &page, &slices))
      owner = load_u64(page.bytes + PAGE(heap, xheap));
    if (!slices)
      break;
  }
  *ret = (struct mimalloc_segment){
      .heap = owner,
      .next_abandoned =
          heap_word(heap, address, SEGMENT_OF(heap, abandoned_next)),
      .subproc = heap_word(heap, address, SEGMENT_OF(heap, subproc))};
  return true;
}

uint64_t mimalloc_segment_size(void) {
  return SEGMENT;
}

void mimalloc_scan_range(struct pyheap *heap, uint64_t start, uint64_t end,
                         allocator_block_fn *fn, void *context) {
  if (PAGE(heap, size) == FACT_ABSENT)
    return;
  for (uint64_t address = (start + SEGMENT - 1) & ~(SEGMENT - 1);
       address < end && address >= start; address += SEGMENT)
    scan_segment(heap, address, fn, context);
}
