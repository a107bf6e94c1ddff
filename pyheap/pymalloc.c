/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pymalloc: pools of blocks of one size, found by what their headers say, for
 * the table of arenas is a static variable without a symbol up to 3.11
 * (Objects/obmalloc.c; pycore_obmalloc.h from 3.12 on). */
#include "config.h"

#include <string.h>

#include "allocator.h"
#include "heap.h"
#include "marks.h"

enum {
  BLOCK_ALIGNMENT = 16,
  SIZE_CLASSES = 32, /**< 16, 32, … 512 bytes. */
  MAX_POOL = 16384,
  MAX_BLOCKS = MAX_POOL / BLOCK_ALIGNMENT,
};

/** POOL_SIZE of Objects/obmalloc.c: larger from 3.10 on. */
static uint64_t pool_size(const struct pyheap *heap) {
  return heap->layout->version < 0x030a ? 4096 : MAX_POOL;
}

struct pool {
  uint64_t address;
  const uint8_t *bytes;
  uint64_t block_size;
  uint64_t carved; /**< Offset behind the last block ever handed out. */
  uint64_t used;   /**< How many are in use. */
};

#define POOL_U32(heap, bytes, member)                                          \
  load_u32((bytes) + OFFSET((heap)->layout, pool_header, member))

/** Whether a pool's header stands at BYTES, by what must be so of one. */
static bool read_pool(const struct pyheap *heap, uint64_t address,
                      const uint8_t *bytes, struct pool *pool) {
  uint64_t size = pool_size(heap);
  uint64_t header = (uint64_t)SIZEOF(heap->layout, pool_header);
  uint64_t class = POOL_U32(heap, bytes, szidx);
  uint64_t next = POOL_U32(heap, bytes, nextoffset);
  uint64_t free =
      load_u64(bytes + OFFSET(heap->layout, pool_header, freeblock));
  uint64_t block = (class + 1) * BLOCK_ALIGNMENT;
  uint64_t used = POOL_U32(heap, bytes, ref_count);

  if (class >= SIZE_CLASSES || next < header + block || next > size ||
      (next - header) % block || !used || used > (next - header) / block ||
      POOL_U32(heap, bytes, maxnextoffset) != size - block ||
      (free && (free < address + header || free >= address + next)))
    return false;
  *pool = (struct pool){address, bytes, block, next, used};
  return true;
}

/** Sets the entries of the pool's free blocks.  False when the list of them
 * contradicts the header: then this is no pool. */
static bool read_free(const struct pyheap *heap, const struct pool *pool,
                      bool *is_free) {
  uint64_t header = (uint64_t)SIZEOF(heap->layout, pool_header);
  uint64_t count = (pool->carved - header) / pool->block_size;
  uint64_t free =
      load_u64(pool->bytes + OFFSET(heap->layout, pool_header, freeblock));
  uint64_t left = count - pool->used;

  memset(is_free, 0, count * sizeof *is_free);
  for (; free; left--) {
    uint64_t offset = free - pool->address;
    if (!left || free < pool->address + header || offset >= pool->carved ||
        (offset - header) % pool->block_size ||
        is_free[(offset - header) / pool->block_size])
      return false;
    is_free[(offset - header) / pool->block_size] = true;
    free = load_u64(pool->bytes + offset);
  }
  return !left;
}

/** Asks for the blocks that may be free: each tells where the next one is, in any
 * order.  What is marked is an object. */
static void prefetch_free(const struct pyheap *heap, const struct pool *pool) {
  uint64_t header = (uint64_t)SIZEOF(heap->layout, pool_header);
  uint64_t bit, step = pool->block_size / MEMORY_GRANULE;

  if (!heap->marks ||
      pool->used == (pool->carved - header) / pool->block_size ||
      !mark_bit(heap, pool->address + header, &bit))
    return;
  for (uint64_t at = header; at < pool->carved;
       at += pool->block_size, bit += step)
    if (!mark_get(heap->marks, bit))
      __builtin_prefetch(pool->bytes + at);
}

static void tell_blocks(const struct pyheap *heap, const struct pool *pool,
                        allocator_block_fn *fn, void *context) {
  bool is_free[MAX_BLOCKS];
  uint64_t header = (uint64_t)SIZEOF(heap->layout, pool_header);
  prefetch_free(heap, pool);
  if (!read_free(heap, pool, is_free))
    return;
  for (uint64_t offset = header; offset < pool->carved;
       offset += pool->block_size)
    if (!is_free[(offset - header) / pool->block_size])
      fn(context, pool->address + offset, pool->block_size);
}

bool pymalloc_block_at(const struct pyheap *heap, uint64_t address,
                       uint64_t *start, uint64_t *size) {
  uint64_t length = pool_size(heap);
  uint64_t base = address & ~(length - 1);
  uint64_t first = base + (uint64_t)SIZEOF(heap->layout, pool_header);
  const uint8_t *bytes = heap_memory(heap, base, length);
  struct pool pool;
  if (!bytes || !read_pool(heap, base, bytes, &pool) || address < first ||
      address >= base + pool.carved)
    return false;
  *start = address - (address - first) % pool.block_size;
  *size = pool.block_size;
  return true;
}

void pymalloc_scan_range(struct pyheap *heap, uint64_t start, uint64_t end,
                         allocator_block_fn *fn, void *context) {
  uint64_t size = pool_size(heap);
  uint64_t address = (start + size - 1) & ~(size - 1);
  for (; address + size <= end && address >= start; address += size) {
    struct pool pool;
    const uint8_t *bytes = heap_memory(heap, address, size);
    if (bytes && read_pool(heap, address, bytes, &pool))
      tell_blocks(heap, &pool, fn, context);
  }
}
